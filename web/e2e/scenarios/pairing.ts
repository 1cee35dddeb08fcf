// Letting devices in: a Moonlight by its PIN, a client of ours by the PIN or the code that
// the page shows, one that only knocked.

import { button, dialog, noted, open, t } from "../console.ts";
import { PIN, playGamestream, playing, playNative } from "../players.ts";
import { readQr } from "../qr.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const PAIRING: Record<string, Scenario> = {
  "pair a Moonlight by its PIN": moonlight,
  "pair a Moonlight with a wrong PIN": wrongPin,
  "pair by the PIN that is shown": byPin,
  "pair by the code that is shown": byCode,
  "pair a guest": guest,
  "let in who knocks": knock,
  "refuse who knocks": refused,
};

async function moonlight(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/");
  const client = host.gamestream("tv", "pair", "--pin", PIN);
  // The overview says so by itself, and leads to where it is done.
  await page.getByText(t("overview.waiting.one")).waitFor();
  await page.getByRole("link", { name: t("overview.let_in") }).click();
  await page.getByText(t("waiting.moonlight")).waitFor();
  await stage.screenshot(page, "waits");
  await page.getByLabel(t("waiting.pin"), { exact: true }).fill(PIN);
  await page.getByLabel(t("waiting.name"), { exact: true }).fill("Living room");
  await button(page, "waiting.pair").click();
  await noted(page, t("waiting.paired", { name: "Living room" }));
  await client.output();
  await page.getByRole("listitem").filter({ hasText: "Living room" }).waitFor();
  await stage.screenshot(page, "paired");
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  same(
    [devices.length, devices[0].name, devices[0].protocol],
    [1, "Living room", "gamestream"],
    "devices",
  );
  const player = playGamestream(host, "tv");
  await playing(stage, window, player);
  await page
    .getByRole("listitem")
    .filter({ hasText: t("device.online") })
    .waitFor();
  return "paired in the console, and it plays";
}

async function wrongPin(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  window.expect(422);
  await open(page, "/devices");
  const client = host.gamestream("tv", "pair", "--pin", PIN);
  await page.getByLabel(t("waiting.pin"), { exact: true }).fill("0000");
  await button(page, "waiting.pair").click();
  await page.getByText(t("error.wrong_pin")).waitFor();
  await stage.screenshot(page, "told");
  const ended = await client.ended();
  ensure(ended.code !== 0, "a client with another PIN thinks that it is paired");
  await page.getByText(t("devices.none")).waitFor();
}

async function byPin(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/devices");
  await button(page, "add.show_code").click();
  const shown = page.getByText(/^\d{3} \d{3}$/);
  const pin = ((await shown.textContent()) ?? "").replace(/\D/g, "");
  await host.native("phone", "pair", "--host", host.nativeAddress, "--pin", pin).output();
  // It worked once: the window closes by itself, and the device is there.
  await shown.waitFor({ state: "hidden" });
  const item = page.getByRole("listitem").filter({ hasText: "punktfunk-probe" });
  await item.waitFor();
  await stage.screenshot(page, "paired");
  const player = playNative(host, "phone");
  await playing(stage, window, player);
  await item.filter({ hasText: t("device.online") }).waitFor();
}

async function byCode(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/devices");
  await button(page, "add.show_code").click();
  const code = page.getByRole("img", { name: t("add.qr") });
  const text = await readQr(code);
  await stage.screenshot(page, "code");
  const { window: shown } = (await stage.api(window, "GET", "/pairing")).body;
  same(text, shown.payload, "what the code says");
  await host.native("phone", "pair", "--qr", text).output();
  await code.waitFor({ state: "hidden" });
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  same([devices.length, devices[0].protocol], [1, "native"], "devices");
  return `${text.length} letters read from the picture`;
}

async function guest(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/devices");
  await button(page, "add.with_limits").click();
  await dialog(page).getByLabel(t("device.name"), { exact: true }).fill("Guest");
  await dialog(page)
    .getByLabel(t("expiry.title"))
    .selectOption({ label: t("expiry.hours") });
  await stage.screenshot(page, "limits");
  await button(dialog(page), "add.show_code").click();
  const text = await readQr(page.getByRole("img", { name: t("add.qr") }));
  await host.native("guest", "pair", "--qr", text).output();
  const device = await until("the guest is paired", async () => {
    return (await stage.api(window, "GET", "/devices")).body.devices[0];
  });
  same([device.name, device.access], ["Guest", ["view", "pads"]], "the guest");
  const left = device.expires - Date.now() / 1000;
  ensure(left > 2.9 * 3600 && left < 3.1 * 3600, `it may play for ${left} s`);
}

async function knock(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/devices");
  const { id, name } = await knocks(stage, host, window);
  await page.getByText(name).first().waitFor();
  await stage.screenshot(page, "knocks");
  await button(page, "waiting.approve").click();
  // Its fingerprint is there to be compared.
  const shown = ((await dialog(page).locator("code").textContent()) ?? "").replace(/\s/g, "");
  ensure(id.startsWith(shown) && shown.length >= 16, `the fingerprint shown is ${shown}`);
  await dialog(page).getByLabel(t("device.name"), { exact: true }).fill("Laptop");
  await button(dialog(page), "waiting.approve").click();
  await noted(page, t("waiting.paired", { name: "Laptop" }));
  const player = playNative(host, "laptop");
  await playing(stage, window, player);
}

async function refused(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/devices");
  await knocks(stage, host, window);
  await button(page, "waiting.refuse").click();
  await page.getByText(t("waiting.lead")).waitFor({ state: "hidden" });
  const { knocks: left } = (await stage.api(window, "GET", "/pairing")).body;
  same(left.length, 0, "knocks");
  const again = await playNative(host, "laptop").ended();
  ensure(again.code !== 0, "who was refused plays");
}

/** A client that was paired once and is forgotten by now tries to play. */
async function knocks(
  stage: Stage,
  host: import("../host.ts").Host,
  window: import("../browser.ts").Window,
): Promise<{ id: string; name: string }> {
  const opened = await stage.api(window, "POST", "/pairing/window", {});
  await host.native("laptop", "pair", "--qr", opened.body.payload).output();
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  await stage.api(window, "DELETE", `/devices/${devices[0].id}`);
  const tried = await playNative(host, "laptop").ended();
  ensure(tried.code !== 0, "a device that was revoked plays");
  return await until("the knock is heard", async () => {
    return (await stage.api(window, "GET", "/pairing")).body.knocks[0];
  });
}
