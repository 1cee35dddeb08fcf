// Which focusable element lies next in a direction: geometry, and the list of what can be
// reached. Keys and pads that ask for it are in `keys.ts` and `pad.ts`.

export type Direction = "up" | "down" | "left" | "right";

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** How far `to` is from `from` when moving in `direction`; undefined when it does not lie
 *  there. What is off to the side costs more than what is ahead. */
export function distance(from: Box, to: Box, direction: Direction): number | undefined {
  const along = direction === "left" || direction === "right";
  const forward = direction === "right" || direction === "down";
  const [start, end] = along ? (["left", "right"] as const) : (["top", "bottom"] as const);
  const [near, far] = along ? (["top", "bottom"] as const) : (["left", "right"] as const);
  const ahead = forward ? to[start] - from[end] : from[start] - to[end];
  // Its middle has to lie ahead: neighbours in a tight row may overlap by a pixel or two.
  const middle = (box: Box) => (box[start] + box[end]) / 2;
  const progress = forward ? middle(to) - middle(from) : middle(from) - middle(to);
  if (progress <= 0 || ahead < -Math.min(from[end] - from[start], to[end] - to[start]) / 2) {
    return undefined;
  }
  const gap = Math.max(0, to[near] - from[far], from[near] - to[far]);
  const skew = Math.abs(to[near] + to[far] - from[near] - from[far]) / 2;
  // In one line with us beats nearer but aside; the skew settles what is left.
  return Math.max(0, ahead) + gap * 3 + skew * 0.2;
}

/** The index of the nearest box in `direction`. */
export function nearest(from: Box, boxes: readonly Box[], direction: Direction): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  boxes.forEach((box, index) => {
    const length = distance(from, box, direction);
    if (length !== undefined && length < least) {
      best = index;
      least = length;
    }
  });
  return best;
}

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled):not([type="hidden"]), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]';

/** Everything that can be focused now; inside of an open dialog only what is in it. */
export function reachable(document: Document): HTMLElement[] {
  const dialogs = document.querySelectorAll<HTMLElement>("dialog[open]");
  const root = dialogs[dialogs.length - 1] ?? document.body;
  return [...root.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
    (element) =>
      element.tabIndex >= 0 &&
      element.getClientRects().length > 0 &&
      element.closest("[inert]") === null &&
      !element.classList.contains("skip"),
  );
}

/** The part of a page that holds an element. A page's own heading is part of it. */
const region = (element: HTMLElement) => element.closest("main, nav, dialog");

/** What to go to from `active`. Up and down stay in their part of the page while there is
 *  something: whoever goes up through a form does not mean the navigation beside it. */
function beside(active: HTMLElement, others: readonly HTMLElement[], direction: Direction) {
  const within = (candidates: readonly HTMLElement[]) =>
    candidates[
      nearest(
        active.getBoundingClientRect(),
        candidates.map((element) => element.getBoundingClientRect()),
        direction,
      )
    ];
  const vertical = direction === "up" || direction === "down";
  const here = region(active);
  const near = others.filter((element) => region(element) === here);
  return (vertical ? within(near) : undefined) ?? within(others);
}

/** Moves the focus; false when nothing lies there. */
export function move(document: Document, direction: Direction): boolean {
  const elements = reachable(document);
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !elements.includes(active)) {
    const first = elements.find((element) => element.closest("main, dialog")) ?? elements[0];
    first?.focus();
    return first !== undefined;
  }
  const others = elements.filter((element) => element !== active);
  const next = beside(active, others, direction);
  next?.focus();
  next?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  return next !== undefined;
}
