// The catalogue of strings: typed keys, placeholders, plurals, and the language in use.
// English is the source of the keys; German is fetched only where it is wanted. Numbers and
// times are written in `format.ts`.
import { en } from "./en";

export type Key = keyof typeof en;
export type Language = "en" | "de";
export const LANGUAGES: readonly Language[] = ["en", "de"];

type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Names<Rest>
  : never;
type Args<K extends Key> = [Names<(typeof en)[K]>] extends [never]
  ? []
  : [Record<Names<(typeof en)[K]>, string | number>];
/** Keys of texts without a placeholder. */
export type PlainKey = { [K in Key]: [Names<(typeof en)[K]>] extends [never] ? K : never }[Key];
type Plural = { [K in Key]: K extends `${infer Base}.one` ? Base : never }[Key];

const STORED = "punktfunk.language";
let catalogue: Record<Key, string> = en;
let current: Language = "en";

/** The text of `key`, with its placeholders filled. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  return fill(catalogue[key], args[0]);
}

/** The text of `key.one` or `key.other`, as the language counts `n`. */
export function tn(base: Plural, n: number): string {
  const form = new Intl.PluralRules(current).select(n) === "one" ? "one" : "other";
  return fill(catalogue[`${base}.${form}` as Key], { n: n.toLocaleString(current) });
}

/** The text of a key that comes from the host (an error's code, a word of access), or
 *  `otherwise` where the catalogue does not have it. */
export function told(key: string, otherwise: string): string {
  return Object.hasOwn(catalogue, key) ? catalogue[key as Key] : otherwise;
}

export function language(): Language {
  return current;
}

/** What the reader chose, else what the browser prefers. */
export function wanted(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === "en" || stored === "de") return stored;
  return navigator.language.toLowerCase().startsWith("de") ? "de" : "en";
}

/** Makes `next` the language in use, and remembers it when it was `chosen` by hand. */
export async function speak(next: Language, chosen = false): Promise<void> {
  catalogue = next === "de" ? (await import("./de")).de : en;
  current = next;
  document.documentElement.lang = next;
  if (chosen) localStorage.setItem(STORED, next);
}

function fill(text: string, values: Record<string, string | number> | undefined): string {
  if (values === undefined) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
