// The console as its readers know it: its pages, its words, and what one does on them.

import { registerHooks } from "node:module";
import type { Locator, Page } from "playwright-core";
import { until } from "./wait.ts";

// The catalogue is written for a bundler, which adds the ending by itself.
registerHooks({
  resolve: (name, context, next) =>
    next(/^\.\.?\/[^.]*$/.test(name) ? `${name}.ts` : name, context),
});
const { en } = await import("../src/strings/en.ts");
const { de } = await import("../src/strings/de.ts");

export { de, en };

type Key = keyof typeof en;

/** The English text of `key`, with its placeholders filled. */
export function t(key: Key, args: Record<string, string | number> = {}): string {
  return en[key].replace(/\{(\w+)\}/g, (whole, name: string) => `${args[name] ?? whole}`);
}

/** Every page of a console that one is logged in to, but those with an id in their address. */
export const PAGES = {
  overview: "/",
  devices: "/devices",
  library: "/library",
  sessions: "/sessions",
  displays: "/displays",
  settings: "/settings",
  diagnostics: "/diagnostics",
  logs: "/logs",
  owner: "/owner",
  updates: "/updates",
  about: "/about",
  more: "/more",
} as const;

/** Opens a page by its address, and waits until everything on it is there. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await settled(page);
}

/** The page has its heading, and nothing on it is still being fetched. */
export async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  const loading = page.getByText(t("state.loading"), { exact: true });
  await until("everything on the page is there", async () => (await loading.count()) === 0);
  // Box art and the catalogue of another language may still be on their way.
  await page.waitForLoadState("load");
}

/** A button by the beginning of its name: some say after it what they belong to. */
export function button(place: Page | Locator, key: Key, of = ""): Locator {
  const name = new RegExp(`^${escaped(t(key))}\\s*${escaped(of)}`);
  return place.getByRole("button", { name }).first();
}

/** The dialog that is open. */
export function dialog(page: Page): Locator {
  return page.locator("dialog[open]");
}

/** The note that says what was just done. */
export async function noted(page: Page, text: string): Promise<void> {
  await page.getByRole("status").getByText(text).first().waitFor();
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
