// What a scenario plays on: a host, its console in a browser, and the owner's API. All of
// it ends with the scenario.

import { join } from "node:path";
import {
  type APIResponse,
  type Browser,
  type BrowserContextOptions,
  type Page,
  request,
} from "playwright-core";
import { Window } from "./browser.ts";
import { Host, PASSWORD } from "./host.ts";
import { ensure, within } from "./wait.ts";
import { fileName, type World } from "./world.ts";

/** Plays, and says what it measured. */
export type Scenario = (stage: Stage) => Promise<string | undefined>;

export interface Outcome {
  kind: "passed" | "failed" | "skipped";
  note: string;
  seconds: number;
}

/** Thrown by a scenario that cannot be played here. */
export class Skip extends Error {}

/** An answer of the API. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: foreign JSON, looked at by name
  body: any;
  headers: Record<string, string>;
}

export class Stage {
  readonly world: World;
  readonly name: string;
  readonly browser: Browser;
  /** Claim secrets of this scenario: none may turn up anywhere. */
  readonly secrets: string[] = [];
  private hosts: Host[] = [];
  private windows: Window[] = [];
  private readonly closed: string[] = [];
  private over = false;

  constructor(world: World, browser: Browser, name: string) {
    this.world = world;
    this.browser = browser;
    this.name = name;
  }

  /** A host that nobody has claimed. */
  async unclaimed(config = ""): Promise<Host> {
    const host = await Host.start(this.world, this.name, config);
    this.hosts.push(host);
    if (this.over) await host.stop();
    this.goesOn();
    return host;
  }

  /** A host of ours, and its console with us logged in. */
  async owned(config = "", options?: BrowserContextOptions): Promise<[Host, Window]> {
    const host = await this.unclaimed(config);
    const window = await this.window(host, options);
    const { secret } = await claimLink(host);
    this.secrets.push(secret);
    const claimed = await this.api(window, "POST", "/claim", { secret, password: PASSWORD });
    ensure(claimed.status === 200, `claiming: ${JSON.stringify(claimed.body)}`);
    return [host, window];
  }

  /** A browser's window for this host's console. */
  async window(host: Host, options?: BrowserContextOptions): Promise<Window> {
    const window = await Window.open(this.browser, host.origin, options);
    this.windows.push(window);
    if (this.over) await window.close();
    this.goesOn();
    return window;
  }

  /** Closes a window before the scenario ends; what it did wrong still counts. */
  async close(window: Window): Promise<void> {
    this.closed.push(...window.complaints);
    this.windows = this.windows.filter((one) => one !== window);
    await window.close();
  }

  /** Asks the API as the console in that window would. */
  async api(window: Window, method: string, path: string, body?: unknown): Promise<Answer> {
    const { origin } = window;
    const headers: Record<string, string> = { Origin: origin, "X-Punktfunk": "1" };
    if (method !== "GET") headers["Content-Type"] = "application/json";
    const answer = await window.context.request.fetch(`${origin}/api/v1${path}`, {
      method,
      headers,
      ...(method === "GET" ? {} : { data: JSON.stringify(body ?? {}) }),
    });
    return await read(answer);
  }

  /** Asks the API as a program with a token does. */
  async program(
    host: Host,
    token: string,
  ): Promise<(method: string, path: string) => Promise<Answer>> {
    const context = await request.newContext({ ignoreHTTPSErrors: true });
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    return async (method, path) => {
      const url = `${host.origin}/api/v1${path}`;
      const data = method === "GET" ? {} : { data: "{}" };
      return await read(await context.fetch(url, { method, headers, ...data }));
    };
  }

  /** Keeps what is seen as `SCENARIO-WHAT.png`. */
  async screenshot(page: Page, what: string): Promise<void> {
    const file = `${fileName(this.name)}-${fileName(what)}.png`;
    await page.screenshot({ path: join(this.world.artefacts, file) });
  }

  /** Fails for what any page did that none may do. */
  judge(): void {
    const open = this.windows.flatMap((window) => window.complaints);
    const complaints = [...this.closed, ...open];
    ensure(complaints.length === 0, complaints.slice(0, 4).join(" | "));
  }

  /** Ends everything; before that, keeps what the pages of a failure show. Hosts that did
   *  well end while others play. */
  async end(failed: boolean): Promise<void> {
    this.over = true;
    const { windows } = this;
    const close = async () => {
      for (const [index, window] of windows.entries()) {
        if (failed) await this.screenshot(window.page, `failed-${index}`).catch(() => {});
        await window.close();
      }
    };
    // A browser that hangs is given up with all of its windows.
    await within("the end of the windows", 40, close()).catch(() => {});
    const hosts = Promise.all(this.hosts.map((host) => host.stop()));
    if (failed) await hosts;
    else this.world.leave(hosts);
  }

  /** What goes on after the end, because nobody waits for it any more, gets nothing new. */
  private goesOn(): void {
    ensure(!this.over, "the scenario is over");
  }
}

/** Plays one scenario, whatever becomes of it, within so many seconds. */
export async function play(
  world: World,
  browser: Browser,
  name: string,
  scenario: Scenario,
  seconds: number,
): Promise<Outcome> {
  const stage = new Stage(world, browser, name);
  const started = performance.now();
  const outcome = (kind: Outcome["kind"], note: string): Outcome => ({
    kind,
    note: note.replaceAll("\n", " | "),
    seconds: (performance.now() - started) / 1000,
  });
  let failed = true;
  try {
    const note = (await within("the end of the scenario", seconds, scenario(stage))) ?? "";
    stage.judge();
    failed = false;
    return outcome("passed", note);
  } catch (error) {
    if (error instanceof Skip) return outcome("skipped", error.message);
    // What the browser and its tools draw around their words says nothing here.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are control characters
    const said = (error instanceof Error ? error.message : `${error}`).replace(/\x1b\[\d+m/g, "");
    return outcome("failed", said);
  } finally {
    await stage.end(failed);
  }
}

/** The link that the host prints for its first owner, as one of this machine's neighbours
 *  would type it, and the secret in it. */
export async function claimLink(host: Host): Promise<{ link: string; secret: string }> {
  const said = await host.cli("claim").catch(() => host.said);
  const found = said.match(/(https:\/\/[^\s/]+)\/#claim=([a-z0-9-]+)/);
  ensure(found !== null, `the host names no link to claim it: ${said.slice(-300)}`);
  const [link, origin, secret = ""] = found;
  ensure(origin === host.origin, `the link leads to ${origin} and not to ${host.origin}`);
  return { link, secret };
}

async function read(answer: APIResponse): Promise<Answer> {
  const headers = answer.headers();
  const text = await answer.text();
  const json = headers["content-type"]?.includes("json") ?? false;
  return { status: answer.status(), body: json ? JSON.parse(text) : text, headers };
}
