// The link to the host's events: it comes back by itself, after the id it saw last.
import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Link, type LinkState, pause } from "../src/api/events";
import { apply } from "../src/api/live";

class Source {
  static made: Source[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private readonly heard = new Map<string, (event: MessageEvent) => void>();
  readonly url: string;
  constructor(url: string) {
    this.url = url;
    Source.made.push(this);
  }
  addEventListener(name: string, listener: (event: MessageEvent) => void) {
    this.heard.set(name, listener);
  }
  close() {
    this.closed = true;
  }
  say(name: string, data: string, id = "") {
    this.heard.get(name)?.(new MessageEvent(name, { data, lastEventId: id }));
  }
}
const newest = () => Source.made.at(-1) as Source;

function link(mayRetry?: () => Promise<boolean>) {
  const events: [string, unknown][] = [];
  const states: LinkState[] = [];
  const it = new Link({
    url: "/events?topics=host",
    names: ["host", "reset"],
    onEvent: (name, data) => events.push([name, data]),
    onState: (state) => states.push(state),
    mayRetry,
    make: (url) => new Source(url) as unknown as EventSource,
  });
  return { it, events, states };
}

beforeEach(() => {
  vi.useFakeTimers();
  Source.made = [];
});
afterEach(() => vi.useRealTimers());

describe("the link", () => {
  it("comes back after the last id it saw", async () => {
    const { it: one, events, states } = link();
    newest().onopen?.();
    newest().say("host", '{"name":"den"}', "41");
    expect(events).toEqual([["host", { name: "den" }]]);
    newest().onerror?.();
    expect(newest().closed).toBe(true);
    await vi.advanceTimersByTimeAsync(pause(0));
    expect(Source.made).toHaveLength(2);
    expect(newest().url).toBe("/events?topics=host&after=41");
    newest().onopen?.();
    expect(states).toEqual(["connecting", "open", "lost", "connecting", "open"]);
    one.close();
  });

  it("waits longer each time, and not for ever", () => {
    expect([0, 1, 2, 3, 4, 9, 99].map(pause)).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000]);
  });

  it("does not come back when nobody is logged in, nor after it was closed", async () => {
    link(async () => false);
    newest().onerror?.();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Source.made).toHaveLength(1);
    const { it: closed } = link();
    newest().onerror?.();
    closed.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Source.made).toHaveLength(2);
  });

  it("forgets ids of before a reset, and survives what is not JSON", () => {
    const { it: one, events } = link();
    newest().say("host", "1", "90");
    newest().say("reset", "", "3");
    expect(one.lastId).toBe("3");
    newest().say("host", "{broken", "4");
    expect(events).toEqual([
      ["host", 1],
      ["reset", undefined],
    ]);
    one.close();
  });

  it("hurries when it is asked to", async () => {
    const { it: one } = link();
    newest().onerror?.();
    one.hurry();
    expect(Source.made).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Source.made).toHaveLength(2);
    one.close();
  });
});

describe("an event", () => {
  it("replaces what is cached, and a reset asks for everything anew", () => {
    const cache = new QueryClient();
    cache.setQueryData(["devices"], { devices: [] });
    apply(cache, "devices", { devices: [{ id: "a" }] });
    expect(cache.getQueryData(["devices"])).toEqual({ devices: [{ id: "a" }] });
    apply(cache, "reset", undefined);
    expect(cache.getQueryState(["devices"])?.isInvalidated).toBe(true);
  });

  it("is not replaced by an older answer that was on its way", async () => {
    const cache = new QueryClient();
    const answers: ((host: unknown) => void)[] = [];
    const observer = new QueryObserver(cache, {
      queryKey: ["host"],
      queryFn: () => new Promise((resolve) => answers.push(resolve)),
    });
    const stop = observer.subscribe(() => {});
    apply(cache, "host", { restart_needed: true });
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers[0]?.({ restart_needed: false });
    await Promise.resolve();
    expect(cache.getQueryData(["host"])).toEqual({ restart_needed: true });
    answers[1]?.({ restart_needed: true, again: 1 });
    await vi.waitFor(() => expect(cache.getQueryData(["host"])).toMatchObject({ again: 1 }));
    stop();
  });

  it("keeps the figures of a session that is told without them", () => {
    const cache = new QueryClient();
    cache.setQueryData(["session", "s"], { id: "s", state: "playing", figures: { fps: 60 } });
    apply(cache, "sessions", { sessions: [{ id: "s", state: "away" }] });
    expect(cache.getQueryData(["session", "s"])).toEqual({
      id: "s",
      state: "away",
      figures: { fps: 60 },
    });
  });
});
