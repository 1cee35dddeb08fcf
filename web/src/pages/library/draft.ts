// The form of an application as texts, and the change it means once every text is valid. Pure.
import type { App, AppChange, NewApp, Prefer } from "../../api/types";
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

/** What of an application the host lets its owner change. */
export interface May {
  /** Its title and its environment. */
  itself: boolean;
  /** Its command and the folder it starts in. */
  command: boolean;
  /** What is done before and after it, and what it is played with. */
  around: boolean;
}

export function may(app?: App): May {
  const source = app?.source ?? "custom";
  return {
    itself: source !== "builtin" && source !== "config",
    command: app?.editable ?? true,
    around: source !== "config",
  };
}

export function draft(app?: App): Draft {
  const number = (value: number | null | undefined) => (value ? String(value) : "");
  return {
    title: app?.title ?? "",
    command: app?.command ?? "",
    dir: app?.dir ?? "",
    env: Object.entries(app?.env ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
    prep: (app?.prep ?? []).map((step) => ({ do: step.do ?? "", undo: step.undo ?? "" })),
    codec: app?.prefer.codec ?? "",
    width: number(app?.prefer.width),
    height: number(app?.prefer.height),
    fps: number(app?.prefer.fps),
    audio_channels: number(app?.prefer.audio_channels),
  };
}

type Problems = Partial<Record<keyof Draft, string>>;

/** What to send for a new application, or what is wrong with which field. */
export function added(form: Draft): { body: NewApp } | { problems: Problems } {
  const result = read(form, may());
  if ("problems" in result) return result;
  const { title, command, dir, env, prep, prefer } = result.read;
  return { body: { title, command, env, prep, prefer, ...(dir && { dir }) } };
}

/** What to send to change `app`: what is not as it was; or what is wrong with which field. */
export function changed(form: Draft, app: App): { body: AppChange } | { problems: Problems } {
  const able = may(app);
  const [next, was] = [read(form, able), read(draft(app), { ...able, command: false })];
  if ("problems" in next) return next;
  const old: Partial<Read> = "read" in was ? was.read : {};
  const parts = Object.entries(next.read).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old[name as keyof Read]),
  );
  return { body: Object.fromEntries(parts) };
}

interface Read {
  title: string;
  command: string;
  dir: string;
  env: Record<string, string>;
  prep: { do: string; undo?: string }[];
  prefer: Prefer;
}

/** Every field as the host takes it. */
function read(form: Draft, able: May): { read: Read } | { problems: Problems } {
  const problems: Problems = {};
  if (form.title.trim() === "") problems.title = t("edit.needs_name");
  if (able.command && form.command.trim() === "") problems.command = t("edit.needs_command");
  if (able.command && !/^(\/|$)/.test(form.dir.trim())) problems.dir = t("edit.bad_dir");
  const env = environment(form.env);
  if (typeof env === "string") problems.env = env;
  const prefer = preferred(form, problems);
  if (Object.keys(problems).length > 0 || typeof env === "string") return { problems };
  const steps = form.prep.map((step) => ({ do: step.do.trim(), undo: step.undo.trim() }));
  const prep = steps
    .filter((step) => step.do !== "" || step.undo !== "")
    .map((step) => ({ do: step.do, ...(step.undo && { undo: step.undo }) }));
  const [title, command, dir] = [form.title.trim(), form.command.trim(), form.dir.trim()];
  return { read: { title, command, dir, env, prep, prefer } };
}

/** What it is played with; what is wrong goes to `problems`. */
function preferred(form: Draft, problems: Problems): Prefer {
  const prefer: Prefer = {};
  if (form.codec !== "") prefer.codec = form.codec;
  for (const [field, least, most] of [
    ["width", 64, 16_384],
    ["height", 64, 16_384],
    ["fps", 1, 480],
    ["audio_channels", 2, 8],
  ] as const) {
    const text = form[field].trim();
    if (text === "") continue;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      problems[field] = t("edit.range", { least, most });
    } else prefer[field] = value;
  }
  for (const [one, other] of [
    ["width", "height"],
    ["height", "width"],
  ] as const) {
    const alone = form[one].trim() === "" && form[other].trim() !== "";
    if (alone) problems[one] = t("edit.both");
  }
  return prefer;
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
