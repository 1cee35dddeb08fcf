// Short words about what was just done: shown for a while, and read out by screen readers.
// `announce` alone only reads out (positions while arranging, results of a search).
import { useSyncExternalStore } from "react";
import { t } from "../strings";
import { IconButton } from "./button";
import { Icon } from "./icons";

interface Note {
  id: number;
  text: string;
  tone: "ok" | "error";
}

/** Milliseconds that a note stays; errors stay until they are closed. */
const STAY = 6000;
let notes: readonly Note[] = [];
let spoken = "";
let next = 0;
const listeners = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

export function note(text: string, tone: "ok" | "error" = "ok"): void {
  const id = next++;
  notes = [...notes.slice(-2), { id, text, tone }];
  changed();
  if (tone === "ok") setTimeout(() => dismiss(id), STAY);
}

export function announce(text: string): void {
  spoken = text;
  changed();
}

function dismiss(id: number): void {
  notes = notes.filter((note) => note.id !== id);
  changed();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Where notes stand; once in the page. */
export function Notes() {
  const shown = useSyncExternalStore(subscribe, () => notes);
  const said = useSyncExternalStore(subscribe, () => spoken);
  return (
    <div className="pointer-events-none fixed inset-x-3 bottom-20 z-40 flex flex-col items-center gap-2 lg:bottom-6">
      <p className="sr-only" aria-live="polite">
        {said}
      </p>
      <div role="status" className="contents">
        {shown.map((one) => (
          <div
            key={one.id}
            className={`pointer-events-auto flex max-w-lg items-center gap-3 rounded-panel border border-line bg-raised py-1 pr-1 pl-4 shadow-xl ${one.tone === "error" ? "text-error" : ""}`}
          >
            <Icon
              name={one.tone === "error" ? "warning" : "check"}
              className="size-5 text-accent"
            />
            <p className="min-w-0 text-sm">{one.text}</p>
            <IconButton icon="close" label={t("action.close")} onClick={() => dismiss(one.id)} />
          </div>
        ))}
      </div>
    </div>
  );
}
