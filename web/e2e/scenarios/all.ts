// The scenarios by their names, in the order they are played.

import type { Scenario } from "../stage.ts";
import { CARE } from "./care.ts";
import { CLAIM } from "./claim.ts";
import { DEVICES } from "./devices.ts";
import { LIBRARY } from "./library.ts";
import { LOOKS } from "./looks.ts";
import { PAD } from "./pad.ts";
import { PAIRING } from "./pairing.ts";
import { SESSIONS } from "./sessions.ts";

export const SCENARIOS: Record<string, Scenario> = {
  ...CLAIM,
  ...PAIRING,
  ...DEVICES,
  ...SESSIONS,
  ...LIBRARY,
  ...CARE,
  ...LOOKS,
  ...PAD,
};
