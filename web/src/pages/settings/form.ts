// The settings form without its looks: values as texts, what is wrong with them, what has
// changed, and which settings a search finds. Pure.
import type { Kind, Setting, Value } from "../../api/types";
import { t } from "../../strings";
import { count } from "../../strings/format";
import { plain } from "../library/search";

/** What stands in the control of a setting. */
export type Text = string | boolean;

/** The value that is in force or waits for the restart. */
export function effective(setting: Setting): Value {
  return setting.pending !== undefined ? setting.pending : setting.value;
}

export function toText(value: Value): Text {
  if (typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.join("\n");
  return value === null ? "" : String(value);
}

/** The value of a text, or what is wrong with it. */
export function parse(setting: Setting, text: Text): { value: Value } | { problem: string } {
  const { kind } = setting;
  if (kind.type === "bool") return { value: text === true };
  const typed = String(text).trim();
  // What has no default may be left unset.
  if (typed === "" && setting.default === null) return { value: null };
  switch (kind.type) {
    case "integer":
    case "number": {
      const value = Number(typed.replace(",", "."));
      const whole = kind.type === "number" || Number.isInteger(value);
      if (typed === "" || !Number.isFinite(value) || !whole) {
        return { problem: kind.type === "integer" ? t("setting.whole") : t("setting.number") };
      }
      if (value < kind.min || value > kind.max) {
        return { problem: t("setting.range", { min: count(kind.min), max: count(kind.max) }) };
      }
      return { value };
    }
    case "text": {
      if (new TextEncoder().encode(typed).length > kind.max_bytes) {
        return { problem: t("setting.long", { n: kind.max_bytes }) };
      }
      if (kind.pattern && !matches(kind.pattern, typed)) return { problem: t("setting.pattern") };
      return { value: typed };
    }
    case "choice":
      return { value: typed };
    case "list":
      return parseList(kind, typed);
  }
}

/** One text a line; commas part them too. */
function parseList(kind: Kind & { type: "list" }, typed: string): ReturnType<typeof parse> {
  const items = [...new Set(typed.split(/[\n,]/).map((item) => item.trim()))].filter(Boolean);
  if (items.length > kind.max_items) return { problem: t("setting.many", { n: kind.max_items }) };
  for (const item of items) {
    if (new TextEncoder().encode(item).length > kind.max_bytes) {
      return { problem: t("setting.long", { n: kind.max_bytes }) };
    }
    if (kind.pattern && !matches(kind.pattern, item)) {
      return { problem: t("setting.bad_item", { item }) };
    }
  }
  return { value: items };
}

function same(a: Value, b: Value): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A pattern of the host that this browser does not understand is left to the host. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

export type Edits = Readonly<Record<string, Text | null>>;

/** What the edits mean: values to send (null: back to the default) and what is wrong. */
export function collect(
  settings: readonly Setting[],
  edits: Edits,
): { values: Record<string, Value>; problems: Record<string, string> } {
  const values: Record<string, Value> = {};
  const problems: Record<string, string> = {};
  for (const setting of settings) {
    const edit = edits[setting.key];
    if (edit === undefined) continue;
    if (edit === null) {
      values[setting.key] = null;
      continue;
    }
    const result = parse(setting, edit);
    if ("problem" in result) problems[setting.key] = result.problem;
    else if (!same(result.value, effective(setting))) values[setting.key] = result.value;
  }
  return { values, problems };
}

/** What has to be sent to take back a change: the values from before, or the default where
 *  nothing was set. */
export function inverse(
  before: readonly Setting[],
  values: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const out: Record<string, Value> = {};
  for (const setting of before) {
    if (!(setting.key in values)) continue;
    out[setting.key] = setting.source === "state" ? effective(setting) : null;
  }
  return out;
}

export function find(settings: readonly Setting[], text: string, advanced: boolean): Setting[] {
  const words = plain(text).split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    if (words.length === 0) return advanced || !setting.advanced;
    const where = plain(`${setting.key} ${setting.title} ${setting.help}`);
    return words.every((word) => where.includes(word));
  });
}
