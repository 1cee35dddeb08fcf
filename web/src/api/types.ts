// The shapes of the management API, as the contract states them (docs/api.md). Times are
// seconds since 1970, ids are strings. No code and no rules live here.

export type Scope = "view" | "play" | "manage" | "owner" | "metrics";
export type Severity = "ok" | "info" | "warning" | "error";
export type Protocol = "gamestream" | "native";

export const ACCESS = [
  "view",
  "pointer",
  "keyboard",
  "pads",
  "clipboard",
  "microphone",
  "launch",
  "power",
  "manage",
] as const;
export type Access = (typeof ACCESS)[number];

export interface Finding {
  id: string;
  severity: Severity;
  title: string;
  fix?: string | null;
}

export interface Health {
  state: "ok" | "warning" | "error";
  findings: Finding[];
}

export interface PublicHost {
  name: string;
  version: string;
  claimed: boolean;
  setup_hint: string;
}

export interface Host {
  name: string;
  version: string;
  id: string;
  addresses: string[];
  console_port: number;
  native_port: number;
  gamestream: boolean;
  gamestream_port: number;
  uptime: number;
  certificate_sha256: string;
  capabilities: string[];
  health: Health;
  sessions: number;
  devices: number;
  restart_needed: boolean;
}

export interface Me {
  kind: "browser" | "token" | "local";
  scope: Scope;
  expires_idle?: number | null;
  expires_absolute?: number | null;
  name?: string | null;
}

export interface Token {
  id: string;
  name: string;
  scope: Scope;
  created: number;
  expires?: number | null;
  last_used?: number | null;
}

export interface Device {
  id: string;
  name: string;
  protocol: Protocol;
  added: number;
  expires?: number | null;
  seen?: number | null;
  expired: boolean;
  access: string[];
  online: boolean;
}

export interface PairingWindow {
  id: string;
  pin: string;
  payload: string;
  /** Rows of "0" and "1". */
  qr: string[];
  closes: number;
  name?: string | null;
  access: string[];
  expires?: number | null;
}

export interface Attempt {
  id: string;
  address: string;
  fingerprint: string;
  /** Seconds. */
  waiting: number;
}

export interface Knock {
  id: string;
  name: string;
  address: string;
  first: number;
  last: number;
  count: number;
}

export interface Pairing {
  window?: PairingWindow | null;
  attempts: Attempt[];
  knocks: Knock[];
}

export interface Why {
  stage: string;
  choice: string;
  reason: string;
}

export interface Stream {
  width: number;
  height: number;
  fps: number;
  codec: string;
  hdr: boolean;
  encoder: string;
  bitrate_kbps: number;
  started: number;
  audio_channels: number;
  encrypted: boolean;
  why: Why[];
}

export interface Spread {
  p50: number;
  p95: number;
  max: number;
}

export const STAGES = ["capture", "wait", "encode", "send", "network", "decode"] as const;
export type Stage = (typeof STAGES)[number];

export interface Figures {
  /** Monotonic milliseconds of the host. */
  at_ms: number;
  fps: number;
  bitrate_kbps: number;
  frames: number;
  lost_frames: number;
  dropped_batches: number;
  loss_percent: number;
  parity_percent: number;
  repaired: number;
  rtt_ms?: number | null;
  limiter?: string | null;
  latency_ms: Partial<Record<Stage, Spread | null>>;
  bytes: number;
}

export interface Session {
  id: string;
  device: { id: string; name: string; protocol: Protocol };
  app: { id: string; title: string };
  started: number;
  state: "starting" | "playing" | "away";
  stream?: Stream | null;
  figures?: Figures | null;
}

export type AppSource =
  | "builtin"
  | "config"
  | "custom"
  | "steam"
  | "heroic"
  | "lutris"
  | "flatpak"
  | "desktop";

export interface Prefer {
  codec?: string | null;
  width?: number | null;
  height?: number | null;
  fps?: number | null;
  audio_channels?: number | null;
}

export interface Prep {
  do: string;
  undo?: string | null;
}

export interface App {
  id: string;
  title: string;
  source: AppSource;
  launch: string;
  hidden: boolean;
  has_art: boolean;
  running: boolean;
  env: Record<string, string>;
  prep: Prep[];
  prefer: Prefer;
  editable: boolean;
}

/** What is sent to add or change an application. */
export interface AppChange {
  title?: string;
  command?: string;
  dir?: string;
  env?: Record<string, string>;
  prep?: Prep[];
  prefer?: Prefer;
  hidden?: boolean;
}

export interface Scan {
  found: number;
  by_source: Record<string, number>;
  problems: string[];
}

export interface Choice {
  id: string;
  title: string;
  state: "chosen" | "available" | "unavailable";
  reason: string;
}

export interface EncoderChoice extends Choice {
  codec: string;
  bit_depth: number;
  chroma: string;
  hardware: boolean;
  ms_per_frame?: number | null;
}

export type Kind =
  | { type: "bool" }
  | { type: "integer"; min: number; max: number; unit?: string | null }
  | { type: "number"; min: number; max: number; unit?: string | null }
  | { type: "text"; max_bytes: number; pattern?: string | null }
  | { type: "choice"; options: { value: string; title: string }[] }
  | { type: "list"; max_items: number; max_bytes: number; pattern?: string | null };

export type Value = string | number | boolean | string[] | null;

export interface Setting {
  key: string;
  group: string;
  title: string;
  help: string;
  kind: Kind;
  value: Value;
  default: Value;
  source: "default" | "vendor" | "etc" | "user" | "state" | "flag";
  source_file?: string | null;
  source_line?: number | null;
  needs_restart: boolean;
  /** What it will be after the restart; null: not set any more. Absent: as it is. */
  pending?: Value;
  advanced: boolean;
  locked: boolean;
}

export interface Settings {
  settings: Setting[];
  groups: { id: string; title: string }[];
  file: string;
  restart_needed: boolean;
}

export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];

export interface LogLine {
  id: number;
  /** Milliseconds since 1970. */
  at_ms: number;
  level: Level;
  target: string;
  message: string;
  fields: Record<string, string>;
}

export interface Logs {
  lines: LogLine[];
  next: number;
}

export interface Probe {
  id: string;
  area: string;
  title: string;
  severity: Severity | "skipped";
  evidence: string;
  fix?: string | null;
  fix_action?: string | null;
}

export interface Diagnostics {
  ran?: number | null;
  probes: Probe[];
}

export interface PastSession {
  started: number;
  ended: number;
  device: string;
  app: string;
  stream?: Stream | null;
  figures?: Figures | null;
}

export interface Updates {
  version: string;
  channel?: string | null;
  available?: { version: string; notes?: string | null } | null;
  state: "none" | "available" | "staged" | "failed" | "unmanaged";
  detail: string;
}

export interface Licence {
  name: string;
  version: string;
  licence: string;
  text?: string | null;
}
