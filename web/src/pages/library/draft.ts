// The form of an application as texts, and the change it means once every text is valid. Pure.
import type { App, AppChange, Prefer } from "../../api/types";
import { t } from "../../strings";

export interface Draft {
  title: string;
  command: string;
  dir: string;
  /** NAME=VALUE, one a line. */
  env: string;
  prep: { do: string; undo: string }[];
  codec: string;
  width: string;
  height: string;
  fps: string;
  audio_channels: string;
}

export function draft(app?: App): Draft {
  const number = (value: number | null | undefined) => (value ? String(value) : "");
  return {
    title: app?.title ?? "",
    command: "",
    dir: "",
    env: Object.entries(app?.env ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
    prep: (app?.prep ?? []).map((step) => ({ do: step.do, undo: step.undo ?? "" })),
    codec: app?.prefer.codec ?? "",
    width: number(app?.prefer.width),
    height: number(app?.prefer.height),
    fps: number(app?.prefer.fps),
    audio_channels: number(app?.prefer.audio_channels),
  };
}

type Problems = Partial<Record<keyof Draft, string>>;

/** What to send, or what is wrong with which field. */
export function change(form: Draft, app?: App): { body: AppChange } | { problems: Problems } {
  const problems: Problems = {};
  if (form.title.trim() === "") problems.title = t("edit.needs_name");
  if (!app && form.command.trim() === "") problems.command = t("edit.needs_command");
  const env = environment(form.env);
  if (typeof env === "string") problems.env = env;
  const prefer: Prefer = {};
  if (form.codec !== "") prefer.codec = form.codec;
  for (const [field, least, most] of [
    ["width", 320, 7680],
    ["height", 200, 4320],
    ["fps", 10, 480],
    ["audio_channels", 1, 8],
  ] as const) {
    const text = form[field].trim();
    if (text === "") continue;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      problems[field] = t("edit.range", { least, most });
    } else prefer[field] = value;
  }
  if (Object.keys(problems).length > 0 || typeof env === "string") return { problems };
  const body: AppChange = {
    title: form.title.trim(),
    env,
    prep: form.prep
      .filter((step) => step.do.trim() !== "")
      .map((step) => ({ do: step.do, ...(step.undo.trim() && { undo: step.undo }) })),
    prefer,
  };
  if (form.command.trim() !== "") body.command = form.command.trim();
  if (form.dir.trim() !== "") body.dir = form.dir.trim();
  return { body };
}

/** The environment, or what is wrong with its text. */
function environment(text: string): Record<string, string> | string {
  const out: Record<string, string> = {};
  for (const line of text.split("\n").filter((one) => one.trim() !== "")) {
    const [, name, value] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name === undefined) return t("edit.bad_env", { line: line.trim() });
    out[name] = value ?? "";
  }
  return out;
}
