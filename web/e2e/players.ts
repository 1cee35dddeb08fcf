// Real clients that scenarios need beside what they are about: paired by the API, and seen
// to play.

import type { Window } from "./browser.ts";
import type { Host } from "./host.ts";
import type { Program } from "./process.ts";
import type { Stage } from "./stage.ts";
import { ensure, same, until } from "./wait.ts";

/** The PIN that Moonlight-style clients show. */
export const PIN = "4711";

/** The Test card, small: nobody looks at it. */
export const CARD = ["--app", "Test card", "--mode", "640x360x30", "--seconds", "0", "--no-decode"];

/** Pairs a Moonlight-style client as `name`. */
export async function pairGamestream(stage: Stage, host: Host, window: Window, name: string) {
  const client = host.gamestream(name, "pair", "--pin", PIN);
  const attempt = await until("the client asks to be paired", async () => {
    const { attempts } = (await stage.api(window, "GET", "/pairing")).body;
    return attempts[0]?.id as string | undefined;
  });
  const path = `/pairing/attempts/${encodeURIComponent(attempt)}/pin`;
  const paired = await stage.api(window, "POST", path, { pin: PIN, name });
  ensure(paired.status < 300, `pairing ${name}: ${JSON.stringify(paired.body)}`);
  await client.output();
}

/** Pairs a client of punktfunk/1. */
export async function pairNative(
  stage: Stage,
  host: Host,
  window: Window,
  name: string,
  access?: string[],
) {
  const wish = { name, ...(access && { access }) };
  const opened = await stage.api(window, "POST", "/pairing/window", wish);
  same(opened.status, 201, "opening a window");
  await host.native(name, "pair", "--qr", opened.body.payload).output();
}

/** Plays the Test card as a Moonlight-style client until somebody ends it. */
export function playGamestream(host: Host, name: string, ...more: string[]): Program {
  return host.gamestream(name, "play", ...CARD, "--json", ...more);
}

/** The same as a client of punktfunk/1. */
export function playNative(host: Host, name: string, ...more: string[]): Program {
  return host.native(name, "stream", ...CARD, "--json", ...more);
}

/** Waits until the host says that a device plays; the session's id. */
export async function playing(stage: Stage, window: Window, player: Program): Promise<string> {
  return await until(
    "the device plays",
    async () => {
      if (!player.runs) await player.output();
      const { sessions } = (await stage.api(window, "GET", "/sessions")).body;
      const session = sessions.find((one: { state: string }) => one.state === "playing");
      return session?.id as string | undefined;
    },
    60,
  );
}
