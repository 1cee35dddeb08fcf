// Plays scenarios in rows: each row has a browser of its own and plays one scenario after
// another. A scenario that fails is played once more, with nothing left of the first try.

import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { launch } from "./browser.ts";
import { isAlone, SCENARIOS, seconds } from "./scenarios/all.ts";
import { type Outcome, play } from "./stage.ts";
import { within } from "./wait.ts";
import { fileName, type World } from "./world.ts";

/** Told of every scenario's end, and of a try that failed. */
export interface Listener {
  again(name: string, why: string): void;
  ended(name: string, outcome: Outcome): void;
}

/** Plays them all: first those that need the machine for themselves. */
export async function playAll(world: World, names: string[], rows: number, listener: Listener) {
  const first = new Row(world, listener);
  const others = Array.from({ length: rows - 1 }, () => new Row(world, listener));
  try {
    for (const name of names.filter(isAlone)) {
      await world.calm();
      await first.play(name);
    }
    const waiting = names.filter((name) => !isAlone(name));
    await Promise.all([first, ...others].map((row) => row.playFrom(waiting)));
  } finally {
    await Promise.all([first, ...others].map((row) => row.end()));
    await world.calm();
  }
}

class Row {
  private readonly world: World;
  private readonly listener: Listener;
  private browser: Browser | undefined;

  constructor(world: World, listener: Listener) {
    this.world = world;
    this.listener = listener;
  }

  /** Plays whatever nobody has begun yet. */
  async playFrom(waiting: string[]): Promise<void> {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      await this.play(name);
    }
  }

  async play(name: string): Promise<void> {
    let outcome = await this.once(name);
    // Real clocks on a machine that others share: once more, and said.
    if (outcome.kind === "failed") {
      this.listener.again(name, outcome.note);
      await this.end();
      this.keepLog(name);
      outcome = await this.once(name);
      if (outcome.kind === "failed") await this.end();
    }
    this.listener.ended(name, outcome);
  }

  /** Ends its browser, or leaves it: a browser that hangs is killed when we end. */
  async end(): Promise<void> {
    const { browser } = this;
    this.browser = undefined;
    if (browser === undefined) return;
    await within("the end of the browser", 20, browser.close()).catch(() => {});
  }

  private async once(name: string): Promise<Outcome> {
    const scenario = SCENARIOS[name];
    try {
      if (scenario === undefined) throw new Error("there is no such scenario");
      if (!this.browser?.isConnected()) this.browser = await launch();
      return await play(this.world, this.browser, name, scenario, seconds(name));
    } catch (error) {
      return { kind: "failed", note: `${error}`.replaceAll("\n", " | "), seconds: 0 };
    }
  }

  /** What the host said in the first try, beside what it says in the second. */
  private keepLog(name: string): void {
    const log = join(this.world.artefacts, `${fileName(name)}.log`);
    if (existsSync(log)) renameSync(log, log.replace(/log$/, "first.log"));
  }
}
