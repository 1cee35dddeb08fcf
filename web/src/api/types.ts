// The shapes of the management API under the names that the pages use. They come from the
// host's own description (`schema.d.ts`, made by `npm run types`); only what that leaves open,
// and the words in the order in which they are shown, is written here. No rules live here.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Scope = Schemas["Scope"];

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

export type Finding = Schemas["Finding"];
export type PublicHost = Schemas["PublicHost"];
export type Host = Schemas["Host"];
export type Me = Schemas["Me"];

export type Token = Schemas["Token"];
export type NewToken = Schemas["NewToken"];
export type TokenRequest = Schemas["TokenRequest"];

export type Device = Schemas["Device"];
export type DeviceChange = Schemas["DeviceChange"];

export type Pairing = Schemas["Pairing"];
export type PairingWindow = Schemas["PairingWindow"];
export type PairingTerms = Schemas["PairingTerms"];
export type Attempt = Schemas["PairingAttempt"];
export type Knock = Schemas["PairingKnock"];

export type Session = Schemas["Session"];
export type Stream = Schemas["StreamInfo"];
export type Figures = Schemas["Figures"];
export type PastSession = Schemas["Played"];

export const STAGES = [
  "capture",
  "wait",
  "encode",
  "send",
  "network",
  "decode",
] as const satisfies readonly (keyof Schemas["Stages"])[];
export type Stage = (typeof STAGES)[number];

export type App = Schemas["App"];
export type NewApp = Schemas["NewApp"];
export type AppChange = Schemas["AppChange"];
export type Prefer = Schemas["Prefer"];
export type Scan = Schemas["ScanReport"];

export type Choice = Schemas["DisplayChoice"];
export type EncoderChoice = Schemas["EncoderChoice"];
export type Choices = Schemas["Choices"];

export type Kind = Schemas["SettingKind"];
/** The description says nothing of values: their kind does. */
export type Value = string | number | boolean | string[] | null;
export type Setting = Omit<Schemas["Setting"], "value" | "default" | "pending"> & {
  value: Value;
  default: Value;
  /** What it will be after the restart; null: not set any more. Absent: as it is. */
  pending?: Value;
};
export type Settings = Omit<Schemas["Settings"], "settings"> & { settings: Setting[] };

export const LEVELS = [
  "error",
  "warn",
  "info",
  "debug",
  "trace",
] as const satisfies readonly Schemas["LogLevel"][];
export type Level = Schemas["LogLevel"];
export type LogLine = Schemas["LogLine"];
export type Logs = Schemas["LogPage"];

export type Area = Schemas["Area"];
export type Probe = Schemas["Probe"];
export type Diagnostics = Schemas["Diagnostics"];

export type Updates = Schemas["Updates"];
export type Licence = Schemas["Licence"];
