// Pages as a reader uses them: what is typed is checked, sent, refused at the right field, and
// can be taken back.
import { describe, expect, it } from "vitest";
import type { Device, Setting, Settings } from "../src/api/types";
import { DevicesPage } from "../src/pages/devices/page";
import { ClaimPage } from "../src/pages/login/claim";
import { SettingsPage } from "../src/pages/settings/page";
import { t } from "../src/strings";
import { host, Refused, show } from "./page";

const device: Device = {
  id: "ab".repeat(32),
  name: "Living room TV",
  protocol: "gamestream",
  added: 1_700_000_000,
  expired: false,
  access: ["view", "pads"],
  online: true,
};
const nobody = { attempts: [], knocks: [] };

describe("the claim", () => {
  const unclaimed = { name: "den", version: "1", claimed: false, setup_hint: "" };

  it("asks for a long password, twice, and sends it with the secret", async () => {
    const asked = host({
      "GET /host/public": () => unclaimed,
      "POST /claim": () => ({ kind: "browser", scope: "owner" }),
    });
    const { user, screen, history } = await show(ClaimPage, "/claim");
    await user.type(await screen.findByLabelText(t("claim.secret")), " ABCD-EFGH ");
    await user.type(screen.getByLabelText(t("claim.password")), "short");
    await user.click(screen.getByRole("button", { name: t("claim.claim") }));
    expect(screen.getByRole("alert").textContent).toBe(t("password.short", { n: 10 }));
    await user.type(screen.getByLabelText(t("claim.password")), " but longer now");
    await user.type(screen.getByLabelText(t("password.again")), "short but longer");
    expect(screen.getByRole("alert").textContent).toBe(t("password.differ"));
    expect(asked.some((one) => one.method === "POST")).toBe(false);
    await user.type(screen.getByLabelText(t("password.again")), " now");
    await user.click(screen.getByRole("button", { name: t("claim.claim") }));
    await screen.findByText("elsewhere");
    expect(history.location.pathname).toBe("/");
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      secret: "ABCD-EFGH",
      password: "short but longer now",
    });
  });

  it("says what to do about a wrong secret", async () => {
    host({
      "GET /host/public": () => unclaimed,
      "POST /claim": () => new Refused(403, "wrong_secret", "no", "secret"),
    });
    const { user, screen } = await show(ClaimPage, "/claim");
    await user.type(await screen.findByLabelText(t("claim.secret")), "x");
    await user.type(screen.getByLabelText(t("claim.password")), "long enough it is");
    await user.type(screen.getByLabelText(t("password.again")), "long enough it is");
    await user.click(screen.getByRole("button", { name: t("claim.claim") }));
    expect((await screen.findByRole("alert")).textContent).toBe(t("error.wrong_secret"));
  });
});

describe("devices", () => {
  const attempt = {
    id: "a1",
    address: "192.168.1.44",
    fingerprint: "9f31c07be2a4d815",
    waiting: 2,
  };

  it("takes four digits for a Moonlight, and tells that a PIN was wrong", async () => {
    const asked = host({
      "GET /devices": () => ({ devices: [] }),
      "GET /pairing": () => ({ attempts: [attempt], knocks: [] }),
      "POST /pairing/attempts/a1/pin": () => new Refused(422, "wrong_pin", "no", "pin"),
    });
    const { user, screen } = await show(DevicesPage, "/devices");
    const pin = await screen.findByLabelText(t("waiting.pin"));
    await user.type(pin, "1a2b");
    expect((pin as HTMLInputElement).value).toBe("12");
    await user.type(pin, "345");
    expect((pin as HTMLInputElement).value).toBe("1234");
    await user.click(screen.getByRole("button", { name: t("waiting.pair") }));
    await screen.findByText(t("error.wrong_pin"));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({ pin: "1234" });
  });

  it("asks before it revokes", async () => {
    const asked = host({
      "GET /devices": () => ({ devices: [device] }),
      "GET /pairing": () => nobody,
      [`DELETE /devices/${device.id}`]: () => undefined,
    });
    const { user, screen } = await show(DevicesPage, "/devices");
    const name = new RegExp(`^${t("device.revoke")}`);
    await user.click(await screen.findByRole("button", { name }));
    expect(asked.some((one) => one.method === "DELETE")).toBe(false);
    const dialog = screen.getByRole("dialog", {
      name: t("device.revoke_title", { name: device.name }),
    });
    const inside = [...dialog.querySelectorAll("button")];
    await user.click(inside.find((one) => one.textContent === t("device.revoke")) as HTMLElement);
    expect(asked.filter((one) => one.method === "DELETE").map((one) => one.path)).toEqual([
      `/devices/${device.id}`,
    ]);
  });
});

describe("the settings", () => {
  const limit: Setting = {
    key: "sessions.max",
    group: "sessions",
    title: "Players at once",
    help: "How many",
    kind: { type: "integer", min: 1, max: 16 },
    value: 4,
    default: 8,
    source: "state",
    needs_restart: false,
    advanced: false,
    locked: false,
  };
  const list = (value: number): Settings => ({
    settings: [{ ...limit, value }],
    groups: [{ id: "sessions", title: "Sessions" }],
    file: "/x",
    restart_needed: false,
  });

  it("are checked, saved together, and taken back", async () => {
    const asked = host({
      "GET /settings": () => list(4),
      "PATCH /settings": (body) =>
        list((body as { values: Record<string, number> }).values["sessions.max"] ?? 8),
    });
    const { user, screen } = await show(SettingsPage, "/settings");
    const field = await screen.findByLabelText(limit.title);
    await user.clear(field);
    await user.type(field, "99");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    await user.click(screen.getByRole("button", { name: t("action.save") }));
    expect(asked.some((one) => one.method === "PATCH")).toBe(false);
    await user.clear(field);
    await user.type(field, "6");
    await user.click(screen.getByRole("button", { name: t("action.save") }));
    await user.click(await screen.findByRole("button", { name: t("settings.undo") }));
    await screen.findByText(t("settings.undone"));
    expect(asked.filter((one) => one.method === "PATCH").map((one) => one.body)).toEqual([
      { values: { "sessions.max": 6 } },
      { values: { "sessions.max": 4 } },
    ]);
  });

  it("show what the host refuses at its field", async () => {
    host({
      "GET /settings": () => list(4),
      "PATCH /settings": () =>
        new Refused(422, "invalid", "too many for this machine", "sessions.max"),
    });
    const { user, screen } = await show(SettingsPage, "/settings");
    const field = await screen.findByLabelText(limit.title);
    await user.clear(field);
    await user.type(field, "16");
    await user.click(screen.getByRole("button", { name: t("action.save") }));
    await screen.findAllByText("too many for this machine");
    expect(field.getAttribute("aria-invalid")).toBe("true");
  });
});
