// Log lines without their looks: kept in order and bounded, filtered, written as text. Pure.
import { LEVELS, type Level, type LogLine } from "../../api/types";

/** Lines that the page keeps. */
export const KEPT = 2000;

export interface Filter {
  /** This level and everything graver. */
  level: Level;
  target: string;
  text: string;
}

/** Both lists as one: by id, each line once, the newest `KEPT`. */
export function add(old: readonly LogLine[], more: readonly LogLine[]): LogLine[] {
  const newest = old.at(-1)?.id ?? -1;
  if (more.every((line) => line.id > newest)) return [...old, ...more].slice(-KEPT);
  const all = new Map<number, LogLine>();
  for (const line of [...old, ...more]) all.set(line.id, line);
  return [...all.values()].sort((a, b) => a.id - b.id).slice(-KEPT);
}

export function passes(line: LogLine, filter: Filter): boolean {
  if (LEVELS.indexOf(line.level) > LEVELS.indexOf(filter.level)) return false;
  if (!line.target.toLowerCase().includes(filter.target.trim().toLowerCase())) return false;
  const text = filter.text.trim().toLowerCase();
  return text === "" || asText(line).toLowerCase().includes(text);
}

/** One line, as a terminal would show it. */
export function asText(line: LogLine): string {
  const fields = Object.entries(line.fields).map(([name, value]) => ` ${name}=${value}`);
  const at = new Date(line.at_ms).toISOString();
  return `${at} ${line.level.toUpperCase()} ${line.target}: ${line.message}${fields.join("")}`;
}
