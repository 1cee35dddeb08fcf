// Numbers, sizes, rates and times as people of the chosen language write them. Pure, except
// that the language and the clock are asked.
import { language, t } from "./index";

function number(value: number, digits: number): string {
  return value.toLocaleString(language(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** 12,345 */
export function count(value: number): string {
  return number(value, 0);
}

/** One digit after the point below 10, none above. */
export function short(value: number): string {
  return number(value, Math.abs(value) < 9.95 ? 1 : 0);
}

/** Milliseconds of a latency, always with one digit: they are compared below each other. */
export function millis(value: number): string {
  return `${number(value, value < 99.5 ? 1 : 0)} ms`;
}

/** 24.5 Mbit/s */
export function rate(kbps: number): string {
  return kbps < 1000 ? `${count(kbps)} kbit/s` : `${short(kbps / 1000)} Mbit/s`;
}

/** 1.2 % */
export function percent(value: number): string {
  return `${short(value)} %`;
}

/** 4.2 GB, with powers of ten. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  let rest = bytes;
  while (rest >= 999.5 && step < units.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return `${step === 0 ? count(rest) : short(rest)} ${units[step]}`;
}

/** 2 h 5 min; 3 d 4 h; 12 s */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const unit = (value: number, key: "unit.d" | "unit.h" | "unit.min" | "unit.s") =>
    `${value} ${t(key)}`;
  const [d, h, min] = [Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d > 0) return h > 0 ? `${unit(d, "unit.d")} ${unit(h, "unit.h")}` : unit(d, "unit.d");
  if (h > 0) return min > 0 ? `${unit(h, "unit.h")} ${unit(min, "unit.min")}` : unit(h, "unit.h");
  return min > 0 ? unit(min, "unit.min") : unit(s, "unit.s");
}

/** 1:05, for countdowns. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

/** "5 minutes ago", "in 3 days". */
export function ago(time: number, now = Date.now() / 1000): string {
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  const away = time - now;
  const size = Math.abs(away);
  if (size < 45) return t("time.now");
  if (size < 3570) return relative.format(Math.round(away / 60), "minute");
  if (size < 84_600) return relative.format(Math.round(away / 3600), "hour");
  return relative.format(Math.round(away / 86_400), "day");
}

/** Date and time, short. */
export function moment(time: number): string {
  return new Date(time * 1000).toLocaleString(language(), {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

/** Date alone. */
export function day(time: number): string {
  return new Date(time * 1000).toLocaleDateString(language(), { dateStyle: "medium" });
}

/** 14:03:27.123, for log lines. */
export function stamp(at_ms: number): string {
  const at = new Date(at_ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}
