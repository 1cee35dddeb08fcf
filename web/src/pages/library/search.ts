// What a search finds in the library, and where something lands that is moved. Pure.
import type { App } from "../../api/types";

/** Lower case and without accents: "fahre" finds "Fähre". */
export function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Applications that have every word in their title or source, in the owner's order. */
export function search(apps: readonly App[], text: string, withHidden: boolean): App[] {
  const words = plain(text).split(/\s+/).filter(Boolean);
  return apps.filter((app) => {
    if (app.hidden && !withHidden) return false;
    const where = plain(`${app.title} ${app.source}`);
    return words.every((word) => where.includes(word));
  });
}

/** The list with the item at `from` taken out and put in at `to`. */
export function moved<T>(items: readonly T[], from: number, to: number): T[] {
  const out = [...items];
  const [item] = out.splice(from, 1);
  if (item === undefined) return out;
  out.splice(Math.max(0, Math.min(to, out.length)), 0, item);
  return out;
}
