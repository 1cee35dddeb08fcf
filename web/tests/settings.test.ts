// The settings form: what a text means, what is sent, what takes it back.
import { describe, expect, it } from "vitest";
import type { Setting } from "../src/api/types";
import { collect, effective, find, inverse, parse } from "../src/pages/settings/form";

const setting = (part: Partial<Setting>): Setting => ({
  key: "a.b",
  group: "a",
  title: "Größe",
  help: "How large",
  kind: { type: "integer", min: 1, max: 10 },
  value: 4,
  default: 2,
  source: "state",
  needs_restart: false,
  advanced: false,
  locked: false,
  ...part,
});

describe("a setting", () => {
  it("takes whole numbers in its range", () => {
    expect(parse(setting({}), " 7 ")).toEqual({ value: 7 });
    for (const bad of ["", "x", "1.5", "0", "11", "1e99", "Infinity"]) {
      expect(parse(setting({}), bad), bad).toHaveProperty("problem");
    }
  });

  it("takes numbers with a point or a comma", () => {
    const one = setting({ kind: { type: "number", min: 0, max: 5 } });
    expect(parse(one, "2.5")).toEqual({ value: 2.5 });
    expect(parse(one, "2,5")).toEqual({ value: 2.5 });
    expect(parse(one, "5.01")).toHaveProperty("problem");
  });

  it("measures texts in bytes and by their pattern", () => {
    const one = setting({ kind: { type: "text", max_bytes: 4, pattern: "^[a-zß]*$" } });
    expect(parse(one, "abcd")).toEqual({ value: "abcd" });
    expect(parse(one, "ßßß")).toHaveProperty("problem");
    expect(parse(one, "AB")).toHaveProperty("problem");
    const odd = setting({ kind: { type: "text", max_bytes: 4, pattern: "(?P<x>" } });
    expect(parse(odd, "ab")).toEqual({ value: "ab" });
  });

  it("takes lists, one a line, each once", () => {
    const kind = { type: "list", max_items: 2, max_bytes: 5, pattern: "^[a-z]+$" } as const;
    const one = setting({ kind, value: ["a"], default: [] });
    expect(parse(one, " a\nb, a\n\n")).toEqual({ value: ["a", "b"] });
    expect(parse(one, "")).toEqual({ value: [] });
    for (const bad of ["a\nb\nc", "toolong", "A"]) {
      expect(parse(one, bad), bad).toHaveProperty("problem");
    }
    expect(collect([one], { "a.b": "a" }).values).toEqual({});
  });

  it("may be left unset where nothing is the default", () => {
    expect(parse(setting({ default: null }), " ")).toEqual({ value: null });
    expect(parse(setting({}), " ")).toHaveProperty("problem");
  });

  it("counts with what waits for the restart", () => {
    expect(effective(setting({ pending: 9 }))).toBe(9);
    expect(effective(setting({ pending: null }))).toBeNull();
    expect(effective(setting({}))).toBe(4);
    expect(effective(setting({ value: true, pending: false }))).toBe(false);
  });
});

describe("the form", () => {
  const settings = [
    setting({}),
    setting({ key: "c", kind: { type: "bool" }, value: false, default: false, source: "default" }),
    setting({ key: "d", kind: { type: "text", max_bytes: 9 }, value: "x", advanced: true }),
  ];

  it("sends what differs, null for the default, and nothing that is wrong", () => {
    expect(collect(settings, { "a.b": "5", c: true, d: null })).toEqual({
      values: { "a.b": 5, c: true, d: null },
      problems: {},
    });
    expect(collect(settings, { "a.b": "4", c: false })).toEqual({ values: {}, problems: {} });
    const wrong = collect(settings, { "a.b": "400" });
    expect(wrong.values).toEqual({});
    expect(wrong.problems["a.b"]).toContain("10");
  });

  it("takes a change back to what was there before", () => {
    expect(inverse(settings, { "a.b": 5, c: true })).toEqual({ "a.b": 4, c: null });
  });

  it("finds by words without accents, advanced ones too", () => {
    expect(find(settings, "", false).map((one) => one.key)).toEqual(["a.b", "c"]);
    expect(find(settings, "", true)).toHaveLength(3);
    expect(find(settings, "grosse", false)).toHaveLength(0);
    expect(find(settings, "große large", false)).toHaveLength(3);
    expect(find(settings, "GROßE a.b", false).map((one) => one.key)).toEqual(["a.b"]);
  });
});
