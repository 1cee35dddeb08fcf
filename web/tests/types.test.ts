// @vitest-environment node
// The types of the console are those of the host: made from its description and from nothing
// else. This does not look at what pages do with them; TypeScript does.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FILE, types } from "../dev/types.mjs";
import description from "../openapi.json";
import { ACCESS, LEVELS, STAGES } from "../src/api/types";
import { de } from "../src/strings/de";
import { en } from "../src/strings/en";

const { schemas } = description.components;

describe("the types", () => {
  it("are what openapi.json gives: `npm run types` writes them", async () => {
    expect(readFileSync(FILE, "utf8")).toBe(await types());
  });

  it("follow the description", async () => {
    const text = await types();
    for (const name of Object.keys(schemas))
      expect(text).toMatch(new RegExp(`^ {8}${name}: `, "m"));
    expect(text).toContain("command?: string | null;");
  });

  it("leave no word out of the lists that are shown in an order", () => {
    expect([...LEVELS].sort()).toEqual([...schemas.LogLevel.enum].sort());
    expect([...STAGES].sort()).toEqual(Object.keys(schemas.Stages.properties).sort());
    for (const word of ACCESS) expect(schemas.Device.properties.access.description).toContain(word);
  });
});

describe("words of the host", () => {
  const words: Record<string, string[]> = {
    area: schemas.Area.enum,
    severity: schemas.Severity.enum,
    level: schemas.LogLevel.enum,
    scope: schemas.Scope.enum.filter((word) => word !== "public"),
    updates: schemas.UpdateState.enum,
    displays: schemas.ChoiceState.enum,
    "setting.from": schemas.SettingSource.enum,
    session: schemas.SessionState.enum,
    // Those that the description tells in a sentence.
    stage: quoted(schemas.Why.properties.stage.description),
    source: quoted(schemas.App.properties.source.description),
  };

  it.each(Object.entries(words))("of %s have a text in both languages", (start, all) => {
    expect(all.length).toBeGreaterThan(2);
    for (const word of all) {
      expect(en).toHaveProperty([`${start}.${word}`]);
      expect(de).toHaveProperty([`${start}.${word}`]);
    }
  });

  it("are all that has a heading in the diagnostics", () => {
    const headed = Object.keys(en).filter((key) => key.startsWith("area."));
    expect(headed.sort()).toEqual(schemas.Area.enum.map((word) => `area.${word}`).sort());
  });
});

/** The words in backticks. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
}
