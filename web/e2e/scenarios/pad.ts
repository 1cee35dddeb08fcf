// By gamepad: what a pad of the standard mapping does to the console. None can be plugged
// into this browser, so the page is given one whose buttons the scenario holds; from there
// on everything is the console's own: polling, focus, clicks, the way back.

import type { Page } from "playwright-core";
import { dialog, open, settled, t } from "../console.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, until } from "../wait.ts";

export const PAD: Record<string, Scenario> = { "by gamepad": byGamepad };

/** Buttons of the standard mapping. */
const A = 0;
const B = 1;
const UP = 12;
const DOWN = 13;
const LEFT = 14;
const RIGHT = 15;
/** Presses that lead from anywhere on a page to anywhere else. */
const FAR = 60;

async function byGamepad(stage: Stage): Promise<string> {
  const [, { page }] = await stage.owned();
  await page.addInitScript(plugIn);
  await open(page, "/");
  let presses = 0;
  const go = async (selector: string) => {
    presses += await lead(page, selector);
  };
  // To another page by the menu, and back.
  await go('nav a[href="/devices"]');
  await press(page, A);
  await page.waitForURL("**/devices");
  await settled(page);
  await press(page, B);
  await page.waitForURL((url) => url.pathname === "/");
  await settled(page);
  // Into a dialog, and out of it without doing anything.
  await go('nav a[href="/library"]');
  await press(page, A);
  await page.waitForURL("**/library");
  await settled(page);
  const add = page.getByRole("button", { name: t("library.add") }).first();
  await add.evaluate((button) => button.setAttribute("data-wanted", ""));
  await go("[data-wanted]");
  await press(page, A);
  await dialog(page).waitFor();
  await press(page, B);
  await until("the dialog to be closed", async () => (await dialog(page).count()) === 0);
  // The stick is a D-pad, too.
  const before = await focus(page);
  await hold(page, [], [0, -1]);
  await until("the stick to move the focus", async () => (await focus(page)) !== before);
  await hold(page, []);
  return `${presses} presses`;
}

/** Runs in the page: a pad that is there from the beginning. */
function plugIn(): void {
  const pad = {
    id: "Standard pad",
    index: 0,
    connected: true,
    mapping: "standard",
    axes: [0, 0, 0, 0],
    buttons: Array.from({ length: 17 }, () => ({ pressed: false, touched: false, value: 0 })),
    timestamp: 0,
    polled: 0,
  };
  Object.defineProperty(window, "heldPad", { value: pad });
  navigator.getGamepads = () => {
    pad.polled += 1;
    return [pad as unknown as Gamepad];
  };
}

/** Holds these buttons and no others, until the page has looked twice. */
async function hold(page: Page, buttons: number[], stick: [number, number] = [0, 0]) {
  await page.evaluate(
    ([held, [x, y]]) => {
      const { heldPad: pad } = window as unknown as { heldPad: Pad };
      pad.buttons.forEach((button, number) => {
        button.pressed = held.includes(number);
      });
      [pad.axes[0], pad.axes[1]] = [x, y];
      pad.polled = 0;
    },
    [buttons, stick] as const,
  );
  await page.waitForFunction(() => (window as unknown as { heldPad: Pad }).heldPad.polled >= 2);
}

interface Pad {
  buttons: { pressed: boolean }[];
  axes: number[];
  polled: number;
}

async function press(page: Page, button: number): Promise<void> {
  await hold(page, [button]);
  await hold(page, []);
}

/** Leads the focus to what `selector` finds, as somebody with eyes would; how many presses. */
async function lead(page: Page, selector: string): Promise<number> {
  await page.locator(selector).first().waitFor();
  let last = "";
  for (let count = 0; count < FAR; count += 1) {
    const way = await page.evaluate((wanted) => {
      const [from, to] = [document.activeElement, document.querySelector(wanted)];
      if (from === null || to === null) return null;
      if (from === to) return "there";
      const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
      const x = (b.left + b.right - a.left - a.right) / 2;
      const y = (b.top + b.bottom - a.top - a.bottom) / 2;
      return [x, y] as const;
    }, selector);
    ensure(way !== null, `${selector} is gone`);
    if (way === "there") return count;
    const [x, y] = way;
    const across = x < 0 ? LEFT : RIGHT;
    const along = y < 0 ? UP : DOWN;
    // Where the nearer way led nowhere, the other one.
    const now = await focus(page);
    const [first, second] = Math.abs(x) > Math.abs(y) ? [across, along] : [along, across];
    await press(page, now === last ? second : first);
    last = now;
  }
  throw new Error(`${FAR} presses do not lead to ${selector}: ${await focus(page)}`);
}

/** What has the focus, in words. */
async function focus(page: Page): Promise<string> {
  return page.evaluate(() => {
    const active = document.activeElement;
    const place = active?.getBoundingClientRect();
    return `${active?.tagName} ${active?.textContent?.trim().slice(0, 40)} ${place?.x},${place?.y}`;
  });
}
