// The library's logic: search, order, and the form of an application.
import { describe, expect, it } from "vitest";
import type { App } from "../src/api/types";
import { added, changed, draft, may } from "../src/pages/library/draft";
import { moved, search } from "../src/pages/library/search";
import { quarter, seed } from "../src/parts/signal";

const app = (part: Partial<App>): App => ({
  id: "1",
  title: "Sternenfähre",
  source: "steam",
  launch: "steam 1",
  hidden: false,
  has_art: false,
  running: false,
  env: {},
  prep: [],
  prefer: {},
  editable: part.source === "custom",
  ...part,
});

describe("the library", () => {
  it("is searched by words, without accents, without what is hidden", () => {
    const apps = [app({}), app({ id: "2", title: "Kart", hidden: true })];
    expect(search(apps, "fahre steam", false)).toHaveLength(1);
    expect(search(apps, "kart", false)).toHaveLength(0);
    expect(search(apps, "kart", true)).toHaveLength(1);
    expect(search(apps, "  ", true)).toHaveLength(2);
  });

  it("is arranged without losing anything", () => {
    expect(moved([1, 2, 3], 0, 2)).toEqual([2, 3, 1]);
    expect(moved([1, 2, 3], 2, 0)).toEqual([3, 1, 2]);
    expect(moved([1, 2, 3], 1, 99)).toEqual([1, 3, 2]);
    expect(moved([1, 2, 3], 9, 0)).toEqual([1, 2, 3]);
  });

  it("draws the same cover for the same title", () => {
    expect(seed("Kart")).toBe(seed("Kart"));
    expect(seed("Kart")).not.toBe(seed("Cart"));
    expect(quarter(2, 10)).toHaveLength(7);
  });
});

describe("the form of an application", () => {
  it("means what was typed", () => {
    const form = {
      ...draft(),
      title: " Shelf ",
      command: "retroarch",
      env: "A=1\n\nB=x=y",
      prep: [
        { do: "stop", undo: "start" },
        { do: " ", undo: "" },
      ],
      fps: "60",
    };
    expect(added(form)).toEqual({
      body: {
        title: "Shelf",
        command: "retroarch",
        env: { A: "1", B: "x=y" },
        prep: [{ do: "stop", undo: "start" }],
        prefer: { fps: 60 },
      },
    });
  });

  it("says at which field something is wrong", () => {
    const form = { ...draft(), env: "no equals", fps: "1000", width: "wide", dir: "games" };
    const result = added(form);
    expect("problems" in result && Object.keys(result.problems).sort()).toEqual([
      "command",
      "dir",
      "env",
      "fps",
      "height",
      "title",
      "width",
    ]);
  });

  const own = app({
    source: "custom",
    command: "retroarch --fullscreen",
    dir: "/srv/games",
    env: { A: "1", B: "x=y" },
    prep: [{ do: "stop", undo: "start" }, { undo: "only afterwards" }],
    prefer: { codec: "hevc", width: 1280, height: 800, fps: 60, audio_channels: 6 },
  });

  it("is filled with what the application has", () => {
    expect(draft(own)).toEqual({
      title: "Sternenfähre",
      command: "retroarch --fullscreen",
      dir: "/srv/games",
      env: "A=1\nB=x=y",
      prep: [
        { do: "stop", undo: "start" },
        { do: "", undo: "only afterwards" },
      ],
      codec: "hevc",
      width: "1280",
      height: "800",
      fps: "60",
      audio_channels: "6",
    });
  });

  it("changes only what is not as it was", () => {
    expect(changed(draft(own), own)).toEqual({ body: {} });
    const form = { ...draft(own), command: "dolphin", dir: "", fps: "" };
    const { fps: _, ...prefer } = own.prefer;
    expect(changed(form, own)).toEqual({ body: { command: "dolphin", dir: "", prefer } });
    expect(changed({ ...draft(own), command: " " }, own)).toHaveProperty("problems.command");
  });

  it("leaves what the host keeps to the host", () => {
    const found = app({ source: "steam", editable: false, dir: "steamapps" });
    expect(may(found)).toEqual({ itself: true, command: false, around: true });
    expect(changed({ ...draft(found), title: "Ferry" }, found)).toEqual({
      body: { title: "Ferry" },
    });
    expect(may(app({ source: "builtin", editable: false }))).toMatchObject({
      itself: false,
      around: true,
    });
    expect(may(app({ source: "config", editable: false }))).toMatchObject({
      itself: false,
      around: false,
    });
  });
});
