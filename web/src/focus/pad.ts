// A gamepad works the console: the D-pad or left stick moves the focus, A clicks, B goes
// back. Pads are polled once a frame, and only while one is connected and the page is seen.
import { keeps, step } from "./keys";
import { type Direction, move } from "./spatial";

/** Button numbers of the standard mapping. */
const A = 0;
const B = 1;
const PAD: Record<number, Direction> = { 12: "up", 13: "down", 14: "left", 15: "right" };
const STICK = 0.6;
/** Milliseconds: before a held direction repeats, and between repetitions. */
const FIRST = 400;
const NEXT = 130;

export interface PadState {
  buttons: readonly { pressed: boolean }[];
  axes: readonly number[];
}

/** What is held on a pad now. */
export function held(pad: PadState): Set<Direction | "a" | "b"> {
  const out = new Set<Direction | "a" | "b">();
  for (const [button, direction] of Object.entries(PAD)) {
    if (pad.buttons[Number(button)]?.pressed) out.add(direction);
  }
  const [x = 0, y = 0] = pad.axes;
  if (x < -STICK) out.add("left");
  if (x > STICK) out.add("right");
  if (y < -STICK) out.add("up");
  if (y > STICK) out.add("down");
  if (pad.buttons[A]?.pressed) out.add("a");
  if (pad.buttons[B]?.pressed) out.add("b");
  return out;
}

/** Turns what is held into presses: one at once, then repeats of directions. */
export class Presses {
  private readonly due = new Map<string, number>();

  take(now: number, holding: ReadonlySet<Direction | "a" | "b">): (Direction | "a" | "b")[] {
    const out: (Direction | "a" | "b")[] = [];
    for (const what of holding) {
      const due = this.due.get(what);
      if (due === undefined) {
        out.push(what);
        this.due.set(what, now + FIRST);
      } else if (now >= due && what !== "a" && what !== "b") {
        out.push(what);
        this.due.set(what, now + NEXT);
      }
    }
    for (const what of this.due.keys()) {
      if (!holding.has(what as Direction)) this.due.delete(what);
    }
    return out;
  }
}

function act(press: Direction | "a" | "b"): void {
  const active = document.activeElement;
  if (press === "a") {
    if (active instanceof HTMLSelectElement) active.showPicker?.();
    else if (active instanceof HTMLElement) active.click();
  } else if (press === "b") {
    back();
  } else if (!step(active, press)) {
    const own = active !== null && active.getAttribute("tabindex") === "0" && keeps(active, press);
    if (own) scroll(active, press);
    else if (!move(document, press)) scroll(document.documentElement, press);
  }
}

function scroll(element: Element, direction: Direction): void {
  const by = element.clientHeight * 0.4;
  if (direction === "down") element.scrollBy({ top: by });
  if (direction === "up") element.scrollBy({ top: -by });
}

/** Closes the dialog that is open, else goes to the page before. */
function back(): void {
  const dialogs = document.querySelectorAll<HTMLDialogElement>("dialog[open]");
  const top = dialogs[dialogs.length - 1];
  if (top === undefined) history.back();
  else if (top.dispatchEvent(new Event("cancel", { cancelable: true }))) top.close();
}

/** Listens until the returned function is called. */
export function listen(): () => void {
  const presses = new Presses();
  let frame = 0;
  const poll = (now: number) => {
    const pads = navigator.getGamepads().filter((pad) => pad !== null);
    const all = new Set(pads.flatMap((pad) => [...held(pad)]));
    if (document.hasFocus()) for (const press of presses.take(now, all)) act(press);
    frame = pads.length > 0 ? requestAnimationFrame(poll) : 0;
  };
  const begin = () => {
    if (frame === 0) frame = requestAnimationFrame(poll);
  };
  window.addEventListener("gamepadconnected", begin);
  begin();
  return () => {
    window.removeEventListener("gamepadconnected", begin);
    cancelAnimationFrame(frame);
  };
}
