// How the pages are: readable for everybody, on every screen, by every key, in both
// languages. A device is paired and plays meanwhile, so that there is something on them.

import type { BrowserContextOptions } from "playwright-core";
import type { Window } from "../browser.ts";
import { de, en, open, PAGES, settled, t } from "../console.ts";
import type { Host } from "../host.ts";
import { flaws, strandedByArrows, texts, walk } from "../look.ts";
import { pairGamestream, playGamestream, playing } from "../players.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, same } from "../wait.ts";

export const LOOKS: Record<string, Scenario> = {
  "accessible on a TV": (stage) => accessible(stage, "tv"),
  "accessible on a desktop": (stage) => accessible(stage, "desktop"),
  "accessible on a phone": (stage) => accessible(stage, "phone"),
  "accessible at 200 %": (stage) => accessible(stage, "zoomed"),
  "accessible before anybody is in": gates,
  "by keyboard alone": byKeyboard,
  "by arrow keys alone": byArrows,
  "in German": inGerman,
  "offered in the browser's light": themes,
};

const SIZES = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: {
    viewport: { width: 360, height: 740 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
  // 1280 × 800 at 200 %.
  zoomed: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  tv: { viewport: { width: 3840, height: 2160 } },
} satisfies Record<string, BrowserContextOptions>;

const SCHEMES = ["dark", "light"] as const;

/** A console with something on every page: a paired device that plays. */
async function busy(stage: Stage, options?: BrowserContextOptions): Promise<[Host, Window]> {
  const [host, window] = await stage.owned("", options);
  await pairGamestream(stage, host, window, "tv");
  await playing(stage, window, playGamestream(host, "tv"));
  return [host, window];
}

/** The addresses of all pages, those of the session that plays included. */
async function pages(stage: Stage, window: Window): Promise<[string, string][]> {
  const { sessions } = (await stage.api(window, "GET", "/sessions")).body;
  const session = sessions[0]?.id;
  ensure(session !== undefined, "nothing plays");
  return [...Object.entries(PAGES), ["session", `/sessions/${encodeURIComponent(session)}`]];
}

/** Everything wrong with the page in the schemes that are looked at; a picture of either is
 *  kept. */
async function looks(stage: Stage, window: Window, view: string, schemes: readonly string[]) {
  const found: string[] = [];
  for (const colorScheme of SCHEMES) {
    await window.page.emulateMedia({ colorScheme });
    await stage.screenshot(window.page, `${view}-${colorScheme}`);
    if (!schemes.includes(colorScheme)) continue;
    const flawed = await flaws(window.page);
    found.push(...flawed.map((flaw) => `${view} in the ${colorScheme}: ${flaw}`));
  }
  return found;
}

async function accessible(stage: Stage, size: keyof typeof SIZES): Promise<string> {
  const [, window] = await busy(stage, SIZES[size]);
  const found: string[] = [];
  const all = await pages(stage, window);
  // Colours are the same on every screen, so that one screen is looked at in both schemes.
  const schemes = size === "desktop" ? SCHEMES : [size === "phone" ? "light" : "dark"];
  for (const [name, path] of all) {
    await open(window.page, path);
    found.push(...(await looks(stage, window, name, schemes)));
  }
  ensure(found.length === 0, `${found.length} flaws: ${found.slice(0, 6).join(" | ")}`);
  return `${all.length * schemes.length} views without a flaw`;
}

async function gates(stage: Stage): Promise<string> {
  const host = await stage.unclaimed();
  const found: string[] = [];
  const sizes = Object.entries(SIZES);
  for (const [size, options] of sizes) {
    const window = await stage.window(host, options);
    await open(window.page, "/claim");
    found.push(...(await looks(stage, window, `claim-${size}`, SCHEMES)));
    await stage.close(window);
  }
  ensure(found.length === 0, `${found.length} flaws: ${found.slice(0, 6).join(" | ")}`);
  return `${sizes.length * SCHEMES.length} views without a flaw`;
}

async function byKeyboard(stage: Stage): Promise<string> {
  const [, window] = await busy(stage);
  const { page } = window;
  const wrong: string[] = [];
  for (const [name, path] of await pages(stage, window)) {
    await open(page, path);
    const { missed, unseen } = await walk(page);
    wrong.push(...missed.map((one) => `${name}: Tab does not reach "${one}"`));
    wrong.push(...unseen.map((one) => `${name}: one does not see the focus on "${one}"`));
  }
  ensure(wrong.length === 0, `${wrong.length}: ${wrong.slice(0, 6).join(" | ")}`);
  // From the first page to another, and past what is the same on every page.
  await open(page, "/");
  await page.keyboard.press("Tab");
  same(
    await page.evaluate(() => document.activeElement?.textContent),
    t("nav.skip"),
    "the first stop",
  );
  await page.keyboard.press("Enter");
  same(await page.evaluate(() => document.activeElement?.id), "main", "what it leads to");
  await page
    .getByRole("link", { name: t("nav.devices") })
    .first()
    .focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/devices");
  return "every stop of every page is reached and seen";
}

async function byArrows(stage: Stage): Promise<string> {
  const [, window] = await busy(stage);
  const stranded: string[] = [];
  for (const [name, path] of await pages(stage, window)) {
    await open(window.page, path);
    const missed = await strandedByArrows(window.page);
    stranded.push(...missed.map((one) => `${name}: no arrow leads to "${one}"`));
  }
  ensure(stranded.length === 0, `${stranded.length}: ${stranded.slice(0, 6).join(" | ")}`);
  return "arrow keys lead everywhere";
}

async function inGerman(stage: Stage): Promise<string> {
  const [, window] = await busy(stage, { locale: "de-DE" });
  const english = new Map(
    Object.entries(en)
      .filter(([key, text]) => text !== de[key as keyof typeof de] && !text.includes("{"))
      .map(([key, text]) => [text as string, key]),
  );
  // Words that a German page may have for another reason: German ones, and the host's own.
  for (const word of Object.values(de)) english.delete(word);
  for (const path of ["/host", "/settings", "/diagnostics", "/displays", "/apps", "/devices"]) {
    for (const word of words((await stage.api(window, "GET", path)).body)) english.delete(word);
  }
  const left: string[] = [];
  for (const [name, path] of await pages(stage, window)) {
    await open(window.page, path);
    await window.page.getByRole("link", { name: de["nav.devices"] }).first().waitFor();
    for (const text of await texts(window.page)) {
      const key = english.get(text);
      if (key !== undefined) left.push(`${name}: ${key}`);
    }
    await stage.screenshot(window.page, name);
  }
  same(
    await window.page.evaluate(() => document.documentElement.lang),
    "de",
    "the page's language",
  );
  ensure(left.length === 0, `English texts: ${left.slice(0, 8).join(" | ")}`);
  return `${Object.keys(de).length} texts, none of them left in English`;
}

async function themes(stage: Stage): Promise<undefined> {
  const [, { page }] = await stage.owned("", { colorScheme: "light" });
  const brightness = () =>
    page.evaluate(() => {
      const canvas = document
        .createElement("canvas")
        .getContext("2d", { willReadFrequently: true });
      if (canvas === null) return -1;
      canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data[1] ?? -1;
    });
  await open(page, "/");
  ensure((await brightness()) > 200, "a light system has a dark console");
  await page.emulateMedia({ colorScheme: "dark" });
  ensure((await brightness()) < 60, "a dark system has a light console");
  await page
    .getByRole("button", { name: t("look.light"), exact: true })
    .first()
    .click();
  ensure((await brightness()) > 200, "what was chosen does not win");
  // It is remembered, and there before the first page is drawn.
  await page.reload();
  await settled(page);
  ensure((await brightness()) > 200, "the choice is forgotten");
}

/** Every text in a piece of JSON. */
function words(json: unknown): string[] {
  if (typeof json === "string") return [json];
  return json !== null && typeof json === "object" ? Object.values(json).flatMap(words) : [];
}
