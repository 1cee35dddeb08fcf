// What a device may do, as the boxes of its form mean it.
import { describe, expect, it } from "vitest";
import { ACCESS } from "../src/api/types";
import { accessLine, GUEST, picked, USUAL } from "../src/pages/devices/access";
import { t } from "../src/strings";

describe("access", () => {
  it("is nothing without seeing, and seeing comes with everything", () => {
    expect(picked(USUAL, "view", false)).toEqual([]);
    expect(picked([], "pads", true)).toEqual(["view", "pads"]);
    expect(picked([], "view", true)).toEqual(["view"]);
    expect(picked(["view", "pads"], "pads", false)).toEqual(["view"]);
    expect(picked(["view"], "manage", true)).toEqual(["view", "manage"]);
  });

  it("is said in one line", () => {
    expect(accessLine([])).toBe(t("access.none"));
    expect(accessLine(ACCESS)).toBe(t("access.all"));
    expect(accessLine(USUAL)).toBe(t("access.usual"));
    expect(accessLine(GUEST)).toBe("see and hear, use gamepads");
    expect(accessLine(["view", "teleport"])).toBe("see and hear, teleport");
  });
});
