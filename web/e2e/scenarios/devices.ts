// What paired devices may do, changed while they play, and the end of it.

import type { Page } from "playwright-core";
import { button, dialog, noted, open, t } from "../console.ts";
import { pairGamestream, pairNative, playGamestream, playing, playNative } from "../players.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const DEVICES: Record<string, Scenario> = {
  "access changes while it plays": access,
  "revoking ends a Moonlight's stream": (stage) => revoked(stage, "gamestream"),
  "revoking ends a stream of punktfunk/1": (stage) => revoked(stage, "native"),
  "a name and an end": renamed,
};

/** The moment the browser asks, not the one it is told to click. */
async function asked(page: Page, method: string): Promise<number> {
  await page.waitForRequest((request) => request.method() === method);
  return performance.now();
}

async function access(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await pairNative(stage, host, window, "phone");
  const player = playNative(host, "phone");
  await playing(stage, window, player);
  await open(page, "/devices");
  const item = page.getByRole("listitem").filter({ hasText: "phone" });
  // Less than it has now: the stream goes on.
  await button(item, "action.change").click();
  await dialog(page).getByLabel(t("access.keyboard"), { exact: true }).uncheck();
  await stage.screenshot(page, "dialog");
  await button(dialog(page), "action.save").click();
  await noted(page, t("action.saved"));
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  ensure(!devices[0].access.includes("keyboard"), "the keyboard is still allowed");
  ensure(player.runs, "the stream ended with the keyboard");
  // Who may do nothing has no session.
  await button(item, "action.change").click();
  for (const box of await dialog(page).getByRole("checkbox").all()) await box.uncheck();
  const since = asked(page, "PATCH");
  await button(dialog(page), "action.save").click();
  await player.ended();
  const took = (player.endedAt ?? 0) - (await since);
  ensure(took <= 1000, `the stream ended after ${took.toFixed(0)} ms`);
  return `the stream ended ${took.toFixed(0)} ms after nothing is allowed`;
}

async function revoked(stage: Stage, kind: "gamestream" | "native"): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  if (kind === "gamestream") await pairGamestream(stage, host, window, "tv");
  else await pairNative(stage, host, window, "tv");
  const player = kind === "gamestream" ? playGamestream(host, "tv") : playNative(host, "tv");
  await playing(stage, window, player);
  await open(page, "/devices");
  const item = page.getByRole("listitem").filter({ hasText: "tv" });
  await button(item, "device.revoke").click();
  const since = asked(page, "DELETE");
  await button(dialog(page), "device.revoke").click();
  await player.ended();
  const took = (player.endedAt ?? 0) - (await since);
  ensure(took <= 1000, `the stream ended ${took.toFixed(0)} ms after its device was revoked`);
  await noted(page, t("device.revoked", { name: "tv" }));
  await page.getByText(t("devices.none")).waitFor();
  await until("its session is gone", async () => {
    return (await stage.api(window, "GET", "/sessions")).body.sessions.length === 0;
  });
  const again = kind === "gamestream" ? playGamestream(host, "tv") : playNative(host, "tv");
  ensure((await again.ended()).code !== 0, "a revoked device plays");
  return `the stream ended ${took.toFixed(0)} ms after the request`;
}

async function renamed(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await pairGamestream(stage, host, window, "tv");
  await open(page, "/devices");
  await button(page, "action.change", "tv").click();
  await dialog(page).getByLabel(t("device.name"), { exact: true }).fill("Küche 🎮");
  await dialog(page)
    .getByLabel(t("expiry.title"))
    .selectOption({ label: t("expiry.day") });
  await button(dialog(page), "action.save").click();
  await page.getByRole("listitem").filter({ hasText: "Küche 🎮" }).waitFor();
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  const left = devices[0].expires - Date.now() / 1000;
  ensure(left > 23 * 3600 && left <= 24 * 3600 + 5, `it may play for ${left} s`);
  const said = await host.cli("clients", "list");
  ensure(said.includes("Küche 🎮"), `the command line lists ${said}`);
  same(devices[0].name, "Küche 🎮", "the name");
}
