// The arrow keys of a keyboard or a remote control move the focus, where the focused element
// has no better use for them.
import { type Direction, move } from "./spatial";

const ARROWS: Record<string, Direction> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};

const NO_TEXT = ["checkbox", "radio", "button", "submit", "file", "range", "color"];

/** Whether the element needs this arrow for itself: the caret of a text, a value, a tab. */
export function keeps(element: Element | null, direction: Direction): boolean {
  const sideways = direction === "left" || direction === "right";
  if (element instanceof HTMLTextAreaElement) return true;
  if (element instanceof HTMLSelectElement) return sideways;
  if (element instanceof HTMLInputElement) {
    if (element.type === "range") return sideways;
    if (element.type === "number") return true;
    // Up and down have no use in one line of text: they lead out of it.
    return !NO_TEXT.includes(element.type) && sideways;
  }
  if (element?.getAttribute("role") === "tab") return sideways;
  return scrolls(element, direction);
}

/** Whether the element itself can still be scrolled that way: a log, a long text. */
function scrolls(element: Element | null, direction: Direction): boolean {
  if (element === null || element.getAttribute("tabindex") !== "0") return false;
  const left = element.scrollHeight - element.clientHeight - element.scrollTop;
  return (direction === "up" && element.scrollTop > 1) || (direction === "down" && left > 1);
}

/** A step of a select or a slider by an arrow to the side. */
export function step(element: Element | null, direction: Direction): boolean {
  const by = direction === "right" ? 1 : direction === "left" ? -1 : 0;
  if (by === 0) return false;
  if (element instanceof HTMLSelectElement) {
    const next = Math.min(element.options.length - 1, Math.max(0, element.selectedIndex + by));
    if (next !== element.selectedIndex) {
      element.selectedIndex = next;
      element.dispatchEvent(new Event("change", { bubbles: true }));
    }
    return true;
  }
  if (element instanceof HTMLInputElement && element.type === "range") {
    if (by > 0) element.stepUp();
    else element.stepDown();
    element.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  }
  return false;
}

export function onKey(event: KeyboardEvent): void {
  const direction = ARROWS[event.key];
  if (direction === undefined || event.defaultPrevented) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const active = document.activeElement;
  if (active instanceof HTMLSelectElement && step(active, direction)) {
    event.preventDefault();
    return;
  }
  if (keeps(active, direction)) return;
  if (move(document, direction)) event.preventDefault();
}

/** Listens until the returned function is called. */
export function listen(): () => void {
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
