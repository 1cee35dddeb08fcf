// The browser, and a watched page in it: what a page must never do is noted whatever the
// scenario looks at.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type ConsoleMessage,
  chromium,
  type Page,
  type Response,
} from "playwright-core";
import { within } from "./wait.ts";

const BROWSERS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
];

/** Far more than a browser takes to start for the first time on a slow machine. */
const START_MS = 120_000;

/** Starts the machine's own browser. */
export async function launch(): Promise<Browser> {
  const executablePath = BROWSERS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error(`no browser: none of ${BROWSERS.join(", ")}`);
  const start = (...args: string[]) =>
    chromium.launch({
      executablePath,
      args: [...args, "--disable-dev-shm-usage"],
      timeout: START_MS,
    });
  // It sees nothing but our own hosts, so it may do without the sandbox where that does not
  // work: for root, and where nobody may have namespaces of his own.
  if (process.getuid?.() === 0) return await start("--no-sandbox");
  return await start().catch(() => start("--no-sandbox"));
}

/** Why there is no browser that works here; undefined when there is one. */
export async function unusable(): Promise<string | undefined> {
  let why = "";
  for (let tries = 0; tries < 2; tries++) {
    try {
      const browser = await launch();
      try {
        const page = await browser.newPage();
        await page.setContent("<p>works</p>", { timeout: START_MS });
        return undefined;
      } finally {
        await within("the end of the browser", 20, browser.close()).catch(() => {});
      }
    } catch (error) {
      why = error instanceof Error ? error.message : `${error}`;
    }
  }
  // What follows is the whole command, and what the browser said.
  return why.split("\n").slice(0, 2).join(" ").slice(0, 300);
}

/** A browser's window with nothing in it yet, and what it did wrong so far. */
export class Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console, violations of its policy, requests to anybody else. */
  readonly complaints: string[] = [];
  readonly origin: string;
  private readonly expected: Set<number>;
  private mayBeDown = false;

  private constructor(context: BrowserContext, page: Page, origin: string) {
    this.context = context;
    this.page = page;
    this.origin = origin;
    // Who is not logged in yet finds out by asking.
    this.expected = new Set([401]);
    page.on("console", (message) => this.heard(message));
    page.on("pageerror", (error) => this.complaints.push(`exception: ${error.message}`));
    page.on("response", (response) => this.answered(response));
    context.on("request", (request) => {
      const url = request.url();
      const own = url.startsWith(`${origin}/`) || /^(?:data|blob):/.test(url);
      if (!own) this.complaints.push(`a request to somebody else: ${url}`);
    });
  }

  static async open(browser: Browser, origin: string, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({
      baseURL: origin,
      ignoreHTTPSErrors: true,
      viewport: { width: 1280, height: 800 },
      locale: "en-US",
      colorScheme: "dark",
      reducedMotion: "reduce",
      ...options,
    });
    // Generous: what is waited for is on the page, however slow the machine is.
    context.setDefaultTimeout(45_000);
    return new Window(context, await context.newPage(), origin);
  }

  /** Answers with this status belong to the scenario. */
  expect(...statuses: number[]): void {
    for (const status of statuses) this.expected.add(status);
  }

  /** The host goes away in this scenario: what cannot be reached then is no mistake. */
  expectDowntime(): void {
    this.mayBeDown = true;
    this.expect(502, 503);
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  private heard(message: ConsoleMessage): void {
    const text = message.text();
    // What came of a request is judged where its answer is seen.
    if (text.startsWith("Failed to load resource: the server responded with")) return;
    // Somebody else's interface came or went.
    if (text.includes("net::ERR_NETWORK_CHANGED")) return;
    const unreachable = text.includes("net::ERR_");
    if (unreachable && this.mayBeDown) return;
    const policy = text.includes("Content Security Policy") || text.includes("violates");
    if (message.type() === "error" || policy) this.complaints.push(`console: ${text}`);
  }

  private answered(response: Response): void {
    const status = response.status();
    if (status < 400 || this.expected.has(status)) return;
    const path = response.url().slice(this.origin.length);
    this.complaints.push(`${response.request().method()} ${path} was answered with ${status}`);
  }
}

export interface Violation {
  rule: string;
  help: string;
  where: string[];
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with the page as it is now. */
export async function violations(page: Page): Promise<Violation[]> {
  // Evaluated by the debugger and not by the page, whose policy stays as it is.
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, help, nodes }) => ({
      rule: id,
      help,
      where: nodes.map((node) => node.target.join(" ")),
    }));
  });
}
