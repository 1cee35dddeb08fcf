// Numbers and times as people read them, in both languages.
import { afterEach, describe, expect, it } from "vitest";
import { speak } from "../src/strings";
import * as format from "../src/strings/format";

afterEach(() => speak("en"));

describe("formats", () => {
  it("writes rates, sizes and shares with few digits", () => {
    expect(format.rate(640)).toBe("640 kbit/s");
    expect(format.rate(4500)).toBe("4.5 Mbit/s");
    expect(format.rate(34_400)).toBe("34 Mbit/s");
    expect(format.size(0)).toBe("0 B");
    expect(format.size(999)).toBe("999 B");
    expect(format.size(999_999)).toBe("1.0 MB");
    expect(format.size(4_230_000_000)).toBe("4.2 GB");
    expect(format.percent(0.31)).toBe("0.3 %");
    expect(format.percent(9.97)).toBe("10 %");
    expect(format.millis(6.25)).toBe("6.3 ms");
    expect(format.millis(120.4)).toBe("120 ms");
  });

  it("writes spans with the two largest units", () => {
    expect(format.span(-5)).toBe("0 s");
    expect(format.span(59.9)).toBe("59 s");
    expect(format.span(60)).toBe("1 min");
    expect(format.span(3600)).toBe("1 h");
    expect(format.span(7500)).toBe("2 h 5 min");
    expect(format.span(86_400)).toBe("1 d");
    expect(format.span(100_000)).toBe("1 d 3 h");
  });

  it("counts down without showing a second too few", () => {
    expect(format.clock(119.2)).toBe("2:00");
    expect(format.clock(61)).toBe("1:01");
    expect(format.clock(0.1)).toBe("0:01");
    expect(format.clock(-3)).toBe("0:00");
  });

  it("says how long ago", async () => {
    const now = 1_800_000_000;
    expect(format.ago(now - 10, now)).toBe("just now");
    expect(format.ago(now - 300, now)).toBe("5 minutes ago");
    expect(format.ago(now + 86_400 * 3, now)).toBe("in 3 days");
    await speak("de");
    expect(format.ago(now - 7200, now)).toBe("vor 2 Stunden");
    expect(format.rate(4500)).toBe("4,5 Mbit/s");
  });
});
