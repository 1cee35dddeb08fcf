// The library: an application added, arranged, started for a device, found running by it,
// quit, and removed.

import { button, dialog, noted, open, t } from "../console.ts";
import { pairGamestream } from "../players.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const LIBRARY: Record<string, Scenario> = {
  "add, launch and quit": launch,
  "arrange, hide and find": arrange,
};

/** A red square. */
const ART = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);

async function launch(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await pairGamestream(stage, host, window, "tv");
  await open(page, "/library");
  await button(page, "library.add").click();
  // What cannot be is said beside its field, before anything is sent.
  await button(dialog(page), "action.add").click();
  await dialog(page).getByText(t("edit.needs_name")).waitFor();
  await dialog(page).getByLabel(t("edit.name"), { exact: true }).fill("Long wait");
  await dialog(page).getByLabel(t("edit.command"), { exact: true }).fill("sleep 600");
  await stage.screenshot(page, "add");
  await button(dialog(page), "action.add").click();
  await noted(page, t("action.saved"));
  const card = page.getByRole("button", { name: "Long wait", exact: true });
  await card.click();
  const pick = page.waitForEvent("filechooser");
  await button(dialog(page), "library.art").click();
  await (await pick).setFiles({ name: "art.png", mimeType: "image/png", buffer: ART });
  await dialog(page).locator("img").waitFor();
  await stage.screenshot(page, "opened");
  await button(dialog(page), "library.start").click();
  await noted(page, t("library.started", { title: "Long wait" }));
  await button(dialog(page), "library.quit").waitFor();
  const { apps } = (await stage.api(window, "GET", "/apps")).body;
  const app = apps.find((one: { title: string }) => one.title === "Long wait");
  same([app.running, app.has_art, app.source], [true, true, "custom"], "the application");
  const info = JSON.parse(await host.gamestream("tv", "serverinfo", "--json").output());
  same(`${info.running_app}`, app.id, "what the device finds running");
  await button(dialog(page), "library.quit").click();
  await button(dialog(page), "library.start").waitFor();
  await until("nothing runs", async () => {
    return (await stage.api(window, "GET", "/sessions")).body.sessions.length === 0;
  });
  // Not its art: the application.
  const remove = dialog(page).getByRole("button", { name: t("action.remove"), exact: true });
  await remove.click();
  await dialog(page).getByText(t("library.remove_lead")).waitFor();
  await remove.click();
  await card.waitFor({ state: "detached" });
}

async function arrange(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await pairGamestream(stage, host, window, "tv");
  await open(page, "/library");
  await button(page, "library.arrange").click();
  const up = t("arrange.up", { title: "Test card" });
  await page.getByRole("button", { name: up }).click();
  const titles = async () => {
    const { apps } = (await stage.api(window, "GET", "/apps")).body;
    return apps.map((app: { title: string }) => app.title) as string[];
  };
  await until("the order is kept", async () => (await titles())[0] === "Test card");
  // By keys alone: Alt and an arrow.
  await page.getByRole("button", { name: up }).focus();
  await page.keyboard.press("Alt+ArrowDown");
  await until("the order is kept", async () => (await titles())[0] === "Desktop");
  await button(page, "library.arranged").click();
  await page.getByRole("button", { name: "Test card", exact: true }).click();
  await button(dialog(page), "library.hide").click();
  await noted(page, t("library.hidden_done"));
  await button(dialog(page), "action.close").click();
  const listed = await host.gamestream("tv", "apps").output();
  ensure(!listed.includes("Test card") && listed.includes("Desktop"), `a device sees ${listed}`);
  const search = page.getByRole("searchbox", { name: t("library.search") });
  await search.fill("no such game");
  await page.getByText(t("library.no_match", { text: "no such game" })).waitFor();
  await button(page, "library.clear").click();
  await search.fill("desk");
  await page.getByRole("button", { name: "Desktop", exact: true }).waitFor();
}
