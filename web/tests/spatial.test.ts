// Moving the focus by arrows: geometry, and what keeps its arrows.
import { describe, expect, it } from "vitest";
import { keeps } from "../src/focus/keys";
import { held, Presses } from "../src/focus/pad";
import { type Box, distance, move, nearest } from "../src/focus/spatial";

const box = (left: number, top: number, width = 10, height = 10): Box => ({
  left,
  top,
  right: left + width,
  bottom: top + height,
});

describe("the nearest in a direction", () => {
  const here = box(100, 100);

  it("lies ahead, never behind or on us", () => {
    expect(distance(here, box(80, 100), "right")).toBeUndefined();
    expect(distance(here, box(100, 100), "right")).toBeUndefined();
    expect(nearest(here, [box(80, 100), box(130, 100)], "right")).toBe(1);
    expect(nearest(here, [box(80, 100), box(130, 100)], "left")).toBe(0);
    expect(nearest(here, [box(100, 150), box(100, 60)], "up")).toBe(1);
    expect(nearest(here, [], "down")).toBe(-1);
  });

  it("is in our line rather than a little nearer and aside", () => {
    expect(nearest(here, [box(115, 125), box(140, 100)], "right")).toBe(1);
    expect(nearest(here, [box(60, 115), box(102, 150)], "down")).toBe(1);
  });

  it("reaches every card of a grid", () => {
    const grid = Array.from({ length: 9 }, (_, i) => box((i % 3) * 20, Math.floor(i / 3) * 20));
    const at = (from: number, direction: "up" | "down" | "left" | "right") => {
      const others = grid.filter((_, index) => index !== from);
      const found = others[nearest(grid[from] as Box, others, direction)];
      return grid.indexOf(found as Box);
    };
    expect(at(4, "left")).toBe(3);
    expect(at(4, "right")).toBe(5);
    expect(at(4, "up")).toBe(1);
    expect(at(4, "down")).toBe(7);
  });

  it("is found among neighbours that overlap by a pixel", () => {
    expect(nearest(here, [box(109, 100)], "right")).toBe(0);
  });
});

describe("arrows", () => {
  const element = (html: string) => {
    document.body.innerHTML = html;
    return document.body.firstElementChild;
  };

  it("stay with texts, values and tabs", () => {
    expect(keeps(element("<textarea></textarea>"), "up")).toBe(true);
    expect(keeps(element('<input type="text">'), "left")).toBe(true);
    expect(keeps(element('<input type="text">'), "down")).toBe(false);
    expect(keeps(element('<input type="range">'), "right")).toBe(true);
    expect(keeps(element('<input type="checkbox">'), "right")).toBe(false);
    expect(keeps(element("<select></select>"), "left")).toBe(true);
    expect(keeps(element('<button role="tab">a</button>'), "left")).toBe(true);
    expect(keeps(element("<button>a</button>"), "left")).toBe(false);
    expect(keeps(null, "left")).toBe(false);
  });

  it("go up and down within their part of the page first", () => {
    document.body.innerHTML =
      "<nav><a href='/x'>aside</a></nav><main><header><button>above</button></header><button>here</button></main>";
    const places: Record<string, [number, number]> = {
      aside: [0, 80],
      above: [200, 0],
      here: [40, 100],
    };
    for (const one of document.querySelectorAll<HTMLElement>("a,button")) {
      const rect = new DOMRect(...(places[one.textContent ?? ""] as [number, number]), 30, 10);
      one.getClientRects = () => [rect] as unknown as DOMRectList;
      one.getBoundingClientRect = () => rect;
    }
    document.querySelectorAll("button")[1]?.focus();
    expect(move(document, "up")).toBe(true);
    expect(document.activeElement?.textContent).toBe("above");
    document.querySelectorAll("button")[1]?.focus();
    expect(move(document, "left")).toBe(true);
    expect(document.activeElement?.textContent).toBe("aside");
  });

  it("begin in the page when nothing has the focus", () => {
    document.body.innerHTML = "<a href='/x'>nav</a><main><button>first</button></main>";
    for (const one of document.querySelectorAll("a,button")) {
      one.getClientRects = () => [new DOMRect(0, 0, 5, 5)] as unknown as DOMRectList;
    }
    expect(move(document, "down")).toBe(true);
    expect(document.activeElement?.textContent).toBe("first");
  });
});

describe("a gamepad", () => {
  const pad = (pressed: number[], axes = [0, 0]) => ({
    buttons: Array.from({ length: 16 }, (_, i) => ({ pressed: pressed.includes(i) })),
    axes,
  });

  it("moves by its D-pad and its stick", () => {
    expect([...held(pad([12, 0]))]).toEqual(["up", "a"]);
    expect([...held(pad([], [0.9, -0.2]))]).toEqual(["right"]);
    expect(held(pad([], [0.3, -0.3])).size).toBe(0);
  });

  it("repeats directions that are held, and clicks once", () => {
    const presses = new Presses();
    const both = new Set(["down", "a"] as const);
    expect(presses.take(0, both)).toEqual(["down", "a"]);
    expect(presses.take(300, both)).toEqual([]);
    expect(presses.take(450, both)).toEqual(["down"]);
    expect(presses.take(600, both)).toEqual(["down"]);
    expect(presses.take(610, new Set())).toEqual([]);
    expect(presses.take(620, both)).toEqual(["down", "a"]);
  });
});
