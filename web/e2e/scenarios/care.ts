// Keeping a host well: settings and restarts, logs, diagnostics, the support bundle, backup,
// restore and the way back to nobody's host.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Download, Page } from "playwright-core";
import type { Window } from "../browser.ts";
import { button, dialog, noted, open, t } from "../console.ts";
import { type Host, PASSWORD } from "../host.ts";
import { pairNative, playing, playNative } from "../players.ts";
import { claimLink, type Scenario, type Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const CARE: Record<string, Scenario> = {
  "settings and a restart": settings,
  "settings that are refused": refused,
  "logs as they are written": logs,
  "diagnostics and the bundle": diagnostics,
  "backup and restore": backup,
  "back to nobody's host": reset,
};

const PASSPHRASE = "a passphrase for the file";

interface Setting {
  key: string;
  title: string;
  value: unknown;
  pending?: unknown;
  needs_restart: boolean;
}

async function setting(stage: Stage, window: Window, key: string): Promise<Setting> {
  const { settings } = (await stage.api(window, "GET", "/settings")).body;
  const found = settings.find((one: Setting) => one.key === key);
  ensure(found !== undefined, `there is no setting ${key}`);
  return found;
}

/** After a restart the owner logs in again; the console leads there by itself. */
async function logInAgain(page: Page): Promise<void> {
  await page.waitForURL("**/login**", { timeout: 60_000 });
  await page.getByLabel(t("login.password"), { exact: true }).fill(PASSWORD);
  await button(page, "login.enter").click();
  await button(page, "login.enter").waitFor({ state: "detached" });
}

async function settings(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  window.expectDowntime();
  await pairNative(stage, host, window, "tv");
  const player = playNative(host, "tv");
  const session = await playing(stage, window, player);
  await open(page, "/settings");
  const wish = await setting(stage, window, "sessions.max");
  await page.getByLabel(wish.title, { exact: true }).fill("3");
  const name = await setting(stage, window, "name");
  await page.getByLabel(name.title, { exact: true }).fill("den");
  await stage.screenshot(page, "edited");
  await button(page, "action.save").click();
  await noted(page, t("action.saved"));
  const after = [
    await setting(stage, window, "sessions.max"),
    await setting(stage, window, "name"),
  ];
  for (const one of after) {
    const at = one.needs_restart ? one.pending : one.value;
    same(`${at}`, one.key === "name" ? "den" : "3", `${one.key} after it was saved`);
  }
  await changeForTheNextStart(stage, window);
  await page.getByText(t("restart.due")).waitFor();
  await stage.screenshot(page, "due");
  const since = performance.now();
  await button(page, "restart.now").click();
  await logInAgain(page);
  const took = performance.now() - since;
  await page.getByText(t("restart.due")).waitFor({ state: "detached" });
  same((await stage.api(window, "GET", "/host")).body.name, "den", "the host's name");
  same((await setting(stage, window, "sessions.max")).value, 3, "the limit");
  // What was played goes on, and the device comes back to it.
  const { sessions } = (await stage.api(window, "GET", "/sessions")).body;
  same(sessions.length, 1, "sessions after the restart");
  ensure(session.length > 0, "the session had no id");
  return `back and logged in after ${(took / 1000).toFixed(1)} s; the application went on`;
}

/** Changes a number that counts from the next start, whichever the host has. */
async function changeForTheNextStart(stage: Stage, window: Window): Promise<void> {
  const { settings } = (await stage.api(window, "GET", "/settings")).body;
  const one = settings.find(
    ({ key, kind, needs_restart, locked }: Setting & { kind: { type: string }; locked: boolean }) =>
      needs_restart && !locked && kind.type === "integer" && !key.endsWith("port"),
  );
  ensure(one !== undefined, "no number needs a restart");
  const value = one.value < one.kind.max ? one.value + 1 : one.value - 1;
  const answer = await stage.api(window, "PATCH", "/settings", { values: { [one.key]: value } });
  same(answer.status, 200, `changing ${one.key}`);
}

async function refused(stage: Stage): Promise<undefined> {
  const [, window] = await stage.owned();
  const { page } = window;
  await open(page, "/settings");
  const { title } = await setting(stage, window, "sessions.max");
  const field = page.getByLabel(title, { exact: true });
  await field.fill("1000");
  await until("it is said beside the field", async () => {
    return (await field.getAttribute("aria-invalid")) === "true";
  });
  await stage.screenshot(page, "invalid");
  await button(page, "settings.drop").click();
  await field.fill("2");
  await button(page, "action.save").click();
  await button(page, "settings.undo").click();
  await noted(page, t("settings.undone"));
  const back = await setting(stage, window, "sessions.max");
  same(back.pending ?? back.value, 8, "the limit after it was undone");
}

async function logs(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/logs");
  const log = page.getByRole("log");
  await log.waitFor();
  await page.getByLabel(t("logs.level"), { exact: true }).selectOption("debug");
  await pairNative(stage, host, window, "couch-3141");
  await log.getByText("couch-3141").first().waitFor();
  await stage.screenshot(page, "live");
  await page.getByLabel(t("logs.text"), { exact: true }).fill("couch-3141");
  await until("only what was looked for is shown", async () => {
    const lines = await log.locator(":scope > div").allInnerTexts();
    return lines.length > 0 && lines.every((line) => line.includes("couch-3141"));
  });
  ensure(!(await page.content()).includes(PASSWORD), "the password is in the log");
}

async function diagnostics(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/diagnostics");
  await button(page, "diagnostics.run").click();
  await until(
    "the probes have run",
    async () => {
      const { probes, ran } = (await stage.api(window, "GET", "/diagnostics")).body;
      return ran && probes.length > 0;
    },
    // Some probes try what they look at, one after another.
    240,
  );
  const { probes } = (await stage.api(window, "GET", "/diagnostics")).body;
  for (const probe of probes) {
    await page.getByRole("heading", { name: probe.title, exact: true }).first().waitFor();
    const bad = probe.severity === "error" || probe.severity === "warning";
    ensure(!bad || probe.fix, `${probe.id} does not say what mends it`);
  }
  await stage.screenshot(page, "probes");
  const download = page.waitForEvent("download", { timeout: 60_000 });
  await button(page, "diagnostics.bundle").click();
  const bundle = gunzipSync(await bytes(await download));
  const text = bundle.toString("latin1");
  ensure(text.includes("ustar"), "the bundle is no archive");
  for (const secret of [PASSWORD, ...stage.secrets]) {
    ensure(!text.includes(secret), "a secret is in the bundle");
  }
  ensure(!/-----BEGIN [A-Z ]*PRIVATE KEY/.test(text), "a key is in the bundle");
  ensure(host.said.length > 0, "the host logs nothing");
  return `${probes.length} probes, ${(bundle.length / 1024).toFixed(0)} KiB of bundle`;
}

async function backup(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  window.expectDowntime();
  window.expect(400, 422);
  await pairNative(stage, host, window, "tv");
  await open(page, "/owner");
  await button(page, "backup.save").click();
  await dialog(page).getByLabel(t("backup.passphrase"), { exact: true }).fill(PASSPHRASE);
  const download = page.waitForEvent("download");
  await button(dialog(page), "backup.save_action").click();
  const file = await download;
  const sealed = await bytes(file);
  await noted(page, t("backup.saved"));
  ensure(sealed.length > 500, `the file has ${sealed.length} bytes`);
  ensure(!sealed.toString("latin1").includes("PRIVATE KEY"), "the file is not sealed");
  const { devices } = (await stage.api(window, "GET", "/devices")).body;
  await stage.api(window, "DELETE", `/devices/${devices[0].id}`);
  await restore(page, await file.path(), "not the passphrase");
  await dialog(page).getByRole("alert").waitFor();
  await button(dialog(page), "action.cancel").click();
  await restore(page, await file.path(), PASSPHRASE);
  await noted(page, t("backup.restored"));
  await restarted(page);
  await logInAgain(page);
  const again = (await stage.api(window, "GET", "/devices")).body.devices;
  same(
    again.map((one: { name: string }) => one.name),
    ["tv"],
    "devices after the restore",
  );
  await playing(stage, window, playNative(host, "tv"));
}

async function restore(page: Page, file: string, passphrase: string): Promise<void> {
  await button(page, "backup.restore").click();
  const pick = page.waitForEvent("filechooser");
  await button(dialog(page), "backup.file").click();
  await (await pick).setFiles(file);
  await dialog(page).getByLabel(t("backup.passphrase"), { exact: true }).fill(passphrase);
  await button(dialog(page), "backup.restore_action").click();
}

/** A restore waits for a restart, unless the host does that by itself. */
async function restarted(page: Page): Promise<void> {
  const due = button(page, "restart.now");
  const login = button(page, "login.enter");
  await due.or(login).first().waitFor({ timeout: 60_000 });
  if (await due.isVisible()) await due.click();
}

async function reset(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  window.expectDowntime();
  await pairNative(stage, host, window, "tv");
  await open(page, "/owner");
  await button(page, "reset.action").click();
  const name = dialog(page).getByLabel(t("reset.type", { name: host.name }), { exact: true });
  await name.fill(host.name.toUpperCase());
  ensure(await button(dialog(page), "reset.action").isDisabled(), "a wrong name is enough");
  await name.fill(host.name);
  await stage.screenshot(page, "asked");
  await button(dialog(page), "reset.action").click();
  // It leads there by itself, once the host has started anew.
  await page.waitForURL("**/claim", { timeout: 60_000 });
  const { secret } = await until("there is a new secret", async () => fresh(stage, host), 60);
  await page.getByLabel(t("claim.secret"), { exact: true }).fill(secret);
  await page.getByLabel(t("claim.password"), { exact: true }).fill(PASSWORD);
  await page.getByLabel(t("password.again"), { exact: true }).fill(PASSWORD);
  await button(page, "claim.claim").click();
  await page.getByText(t("next.title")).waitFor();
  same((await stage.api(window, "GET", "/devices")).body.devices.length, 0, "devices");
}

async function fresh(stage: Stage, host: Host) {
  const found = await claimLink(host).catch(() => undefined);
  return found !== undefined && !stage.secrets.includes(found.secret) ? found : undefined;
}

async function bytes(download: Download): Promise<Buffer> {
  return readFileSync(await download.path());
}
