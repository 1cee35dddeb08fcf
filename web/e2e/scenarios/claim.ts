// Who gets in: the first owner, once; whoever knows the password; programs with a token.

import type { Window } from "../browser.ts";
import { button, dialog, noted, open, settled, t } from "../console.ts";
import { type Host, PASSWORD } from "../host.ts";
import { claimLink, type Scenario, type Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const CLAIM: Record<string, Scenario> = {
  "claim from the network": claimed,
  "claim by typing the secret": typed,
  "claim only once": once,
  "claim with a wrong secret": wrongSecret,
  "login and its limits": limits,
  "another password": changed,
  "tokens for programs": tokens,
};

/** Fills the form of a new owner. */
async function choosePassword({ page }: Window, password: string): Promise<void> {
  await page.getByLabel(t("claim.password"), { exact: true }).fill(password);
  await page.getByLabel(t("password.again"), { exact: true }).fill(password);
  await button(page, "claim.claim").click();
}

async function logIn({ page }: Window, password: string): Promise<void> {
  await page.getByLabel(t("login.password"), { exact: true }).fill(password);
  await button(page, "login.enter").click();
}

async function inside(window: Window, host: Host): Promise<void> {
  await window.page.getByRole("heading", { level: 1, name: host.name, exact: true }).waitFor();
  await settled(window.page);
}

async function claimed(stage: Stage): Promise<string> {
  const host = await stage.unclaimed();
  const window = await stage.window(host);
  const { page } = window;
  const { link, secret } = await claimLink(host);
  await page.goto(link);
  await page.getByText(t("claim.from_link")).waitFor();
  ensure(!page.url().includes(secret), "the secret stays in the address bar");
  await stage.screenshot(page, "claim");
  await choosePassword(window, PASSWORD);
  await inside(window, host);
  await stage.screenshot(page, "first-overview");
  same((await stage.api(window, "GET", "/me")).body.scope, "owner", "the scope of who claimed it");
  const [cookie, ...others] = await window.context.cookies();
  ensure(cookie !== undefined && others.length === 0, "there is not exactly one cookie");
  const { name, secure, httpOnly, sameSite } = cookie;
  same(
    [name, secure, httpOnly, sameSite],
    ["__Host-punktfunk", true, true, "Strict"],
    "the cookie",
  );
  ensure(!host.said.includes(PASSWORD), "the password is in the log");
  return `from ${new URL(link).host}, first try`;
}

async function typed(stage: Stage): Promise<undefined> {
  const host = await stage.unclaimed();
  const window = await stage.window(host);
  // Nobody's host leads everybody to the claim.
  await window.page.goto("/devices");
  await window.page.waitForURL("**/claim");
  const { secret } = await claimLink(host);
  const sloppy = ` ${secret.toUpperCase().replaceAll("-", " ")} `;
  await window.page.getByLabel(t("claim.secret"), { exact: true }).fill(sloppy);
  await choosePassword(window, PASSWORD);
  await inside(window, host);
}

async function once(stage: Stage): Promise<undefined> {
  const host = await stage.unclaimed();
  const [first, second] = [await stage.window(host), await stage.window(host)];
  const { link, secret } = await claimLink(host);
  second.expect(409);
  await second.page.goto(link);
  await second.page.getByText(t("claim.from_link")).waitFor();
  await first.page.goto(link);
  await choosePassword(first, PASSWORD);
  await inside(first, host);
  // Who was there at the same time is told, and gets nothing.
  await choosePassword(second, "another password");
  const told = second.page.getByRole("alert").or(second.page.getByText(t("claim.done_title")));
  await told.first().waitFor();
  const again = await stage.api(second, "POST", "/claim", { secret, password: "another password" });
  same(again.status, 409, "claiming it again");
  await second.page.goto("/claim");
  await second.page.getByText(t("claim.done_title")).waitFor();
  same((await stage.api(second, "GET", "/me")).status, 401, "who came second");
  const said = await host.cli("claim").catch((error: Error) => error.message);
  ensure(!said.includes(secret), "`punktfunk-host claim` still shows the secret");
}

async function wrongSecret(stage: Stage): Promise<undefined> {
  const host = await stage.unclaimed();
  const window = await stage.window(host);
  window.expect(403);
  await window.page.goto("/claim");
  const field = window.page.getByLabel(t("claim.secret"), { exact: true });
  await field.fill("aaaaa-bbbbb-ccccc-ddddd-eeeee");
  await choosePassword(window, PASSWORD);
  await window.page.getByText(t("error.wrong_secret")).waitFor();
  same((await stage.api(window, "GET", "/host/public")).body.claimed, false, "claimed");
}

async function limits(stage: Stage): Promise<string> {
  const [host, owner] = await stage.owned();
  const window = await stage.window(host);
  window.expect(403, 429);
  await window.page.goto("/devices");
  await window.page.waitForURL("**/login**");
  await stage.screenshot(window.page, "login");
  let tries = 0;
  // Five in a minute are allowed; what claimed the host may count as one of them.
  await until("a login is refused for a while", async () => {
    tries += 1;
    ensure(tries <= 7, "nobody stops the seventh try");
    const answered = window.page.waitForResponse("**/api/v1/login");
    await logIn(window, `wrong ${tries}`);
    const status = (await answered).status();
    if (status === 429) return true;
    same(status, 403, "a wrong password");
    await window.page.getByText(t("error.wrong_password")).waitFor();
    return false;
  });
  ensure(tries >= 4, `try ${tries} is refused already`);
  await window.page.getByText(/Wait \d+ seconds/).waitFor();
  await stage.screenshot(window.page, "too-many");
  // Who is in stays in, and the right password has to wait as well.
  same((await stage.api(owner, "GET", "/me")).status, 200, "the owner meanwhile");
  const right = await stage.api(window, "POST", "/login", { password: PASSWORD });
  same(right.status, 429, "the right password meanwhile");
  ensure(Number(right.headers["retry-after"]) > 0, "there is no Retry-After");
  return `try ${tries} is refused for ${right.headers["retry-after"]} s`;
}

async function changed(stage: Stage): Promise<undefined> {
  const [host, here] = await stage.owned();
  const there = await stage.window(host);
  await there.page.goto("/logs");
  await there.page.waitForURL("**/login**");
  await logIn(there, PASSWORD);
  // Back to where one was going.
  await there.page.waitForURL("**/logs");
  const next = "another long password";
  await open(here.page, "/owner");
  const current = here.page.getByLabel(t("owner.current"), { exact: true });
  await current.fill("not this one");
  await here.page.getByLabel(t("claim.password"), { exact: true }).fill(next);
  await here.page.getByLabel(t("password.again"), { exact: true }).fill(next);
  here.expect(403, 422);
  await button(here.page, "owner.password_change").click();
  await here.page.getByText(t("error.wrong_password")).waitFor();
  await current.fill(PASSWORD);
  await button(here.page, "owner.password_change").click();
  await noted(here.page, t("owner.password_done"));
  same((await stage.api(here, "GET", "/me")).status, 200, "who changed it");
  same((await stage.api(there, "GET", "/me")).status, 401, "another browser");
  await there.page.reload();
  await there.page.waitForURL("**/login**");
  await logIn(there, next);
  await there.page.waitForURL("**/logs");
  await open(there.page, "/owner");
  await button(there.page.locator("main"), "action.logout").click();
  await there.page.waitForURL("**/login**");
  same((await stage.api(there, "GET", "/me")).status, 401, "who logged out");
}

async function tokens(stage: Stage): Promise<undefined> {
  const [host, { page }] = await stage.owned();
  await open(page, "/owner");
  await button(page, "tokens.create").click();
  await dialog(page).getByLabel(t("device.name"), { exact: true }).fill("dashboard");
  await dialog(page).getByLabel(t("tokens.scope"), { exact: true }).selectOption("view");
  await button(dialog(page), "tokens.create").click();
  const shown = dialog(page).locator("code").filter({ hasText: /^pf_/ });
  const secret = ((await shown.textContent()) ?? "").trim();
  await stage.screenshot(page, "secret");
  await button(dialog(page), "tokens.kept").click();
  await shown.waitFor({ state: "detached" });
  ensure(!(await page.content()).includes(secret), "the token is still in the page");
  const program = await stage.program(host, secret);
  same((await program("GET", "/host")).status, 200, "a token that may look");
  same((await program("POST", "/host/restart")).status, 403, "a token that may look, changing");
  const wrong = await stage.program(host, `${secret}0`);
  same((await wrong("GET", "/host")).status, 401, "a wrong token");
  await page.reload();
  await page.getByText("dashboard").first().waitFor();
  await button(page, "device.revoke", "dashboard").click();
  await button(dialog(page), "device.revoke").click();
  await until("the token is refused", async () => (await program("GET", "/host")).status === 401);
}
