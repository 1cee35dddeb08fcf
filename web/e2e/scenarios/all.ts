// The scenarios by their names, and how they are played: what takes long begins first, so
// that both rows end together.

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
  ...DEVICES,
  ...SESSIONS,
  ...CARE,
  ...LOOKS,
  ...PAD,
  ...LIBRARY,
  ...PAIRING,
  ...CLAIM,
};

/** What these promise is counted in milliseconds: nothing else is played meanwhile. */
const ALONE = [
  "access changes while it plays",
  "revoking ends a Moonlight's stream",
  "revoking ends a stream of punktfunk/1",
  "live figures of a Moonlight",
  "live figures of punktfunk/1",
];

/** Far more than a scenario takes on a slow machine: whoever needs longer hangs. */
const SECONDS = 240;

/** Those that need longer. */
const LONGER: Record<string, number> = { "diagnostics and the bundle": 420 };

for (const name of [...ALONE, ...Object.keys(LONGER)]) {
  if (!(name in SCENARIOS)) throw new Error(`there is no scenario "${name}"`);
}

/** Whether a scenario is played by itself. */
export function isAlone(name: string): boolean {
  return ALONE.includes(name);
}

/** After so many seconds a scenario is ended. */
export function seconds(name: string): number {
  return LONGER[name] ?? SECONDS;
}
