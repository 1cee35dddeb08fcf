// Plots, logs, QR codes and the secret in the address: logic without looks.
import { describe, expect, it, vi } from "vitest";
import { ApiError, call } from "../src/api/client";
import type { LogLine } from "../src/api/types";
import { add, asText, KEPT, passes } from "../src/pages/logs/lines";
import { explain } from "../src/parts/errors";
import { path } from "../src/parts/qr";
import { Series, WINDOW_MS } from "../src/parts/series";
import { claimSecret, takeSecret } from "../src/shell/secret";

describe("a series", () => {
  it("keeps a minute, with time as seconds before now", () => {
    const series = new Series(["a", "b"]);
    for (let at = 0; at <= WINDOW_MS + 1000; at += 200) series.push(at, [at, null]);
    const [x, a, b] = series.columns();
    expect(x[0]).toBe(-60);
    expect(x.at(-1)).toBe(0);
    expect(a?.at(-1)).toBe(WINDOW_MS + 1000);
    expect(b?.[0]).toBeNull();
    expect(x).toHaveLength(301);
  });

  it("stacks, takes a measurement once, and begins anew with another clock", () => {
    const series = new Series(["a", "b", "c"]);
    series.push(1000, [1, undefined, 2]);
    series.push(1000, [9, 9, 9]);
    expect(series.columns(true)).toEqual([[0], [1], [1], [3]]);
    series.push(10, [5]);
    expect(series.columns()).toEqual([[0], [5], [null], [null]]);
  });

  it("tells who listens", () => {
    const series = new Series(["a"]);
    const heard = vi.fn();
    const end = series.subscribe(heard);
    series.push(1, [1]);
    end();
    series.push(2, [2]);
    expect(heard).toHaveBeenCalledTimes(1);
  });
});

describe("the log", () => {
  const line = (id: number, part: Partial<LogLine> = {}): LogLine => ({
    id,
    at_ms: 1_800_000_000_000,
    level: "info",
    target: "host::send",
    message: "sent",
    fields: { bytes: "12" },
    ...part,
  });

  it("joins what was kept with what came meanwhile, each line once", () => {
    const ids = (lines: LogLine[]) => lines.map((one) => one.id);
    expect(ids(add([line(1), line(2)], [line(3)]))).toEqual([1, 2, 3]);
    expect(ids(add([line(3), line(4)], [line(1), line(3)]))).toEqual([1, 3, 4]);
    const many = Array.from({ length: KEPT + 5 }, (_, id) => line(id));
    expect(add([], many)).toHaveLength(KEPT);
  });

  it("is filtered by gravity, part and text", () => {
    const filter = { level: "info", target: "", text: "" } as const;
    expect(passes(line(1), filter)).toBe(true);
    expect(passes(line(1, { level: "debug" }), filter)).toBe(false);
    expect(passes(line(1, { level: "error" }), { ...filter, target: "SEND" })).toBe(true);
    expect(passes(line(1), { ...filter, target: "input" })).toBe(false);
    expect(passes(line(1), { ...filter, text: "bytes=12" })).toBe(true);
    expect(passes(line(1), { ...filter, text: "nothing" })).toBe(false);
  });

  it("is copied as a terminal would show it", () => {
    expect(asText(line(1))).toBe("2027-01-15T08:00:00.000Z INFO host::send: sent bytes=12");
  });
});

describe("a QR code", () => {
  it("is drawn from runs", () => {
    expect(path(["110", "001"])).toBe("M0 0h2v1h-2zM2 1h1v1h-1z");
    expect(path([])).toBe("");
  });
});

describe("the claim secret", () => {
  it("is taken out of the address", () => {
    const replaced = vi.fn();
    const where = { hash: "#claim=AB%2DCD", pathname: "/", search: "" } as Location;
    takeSecret(where, { replaceState: replaced } as unknown as History);
    expect(claimSecret()).toBe("AB-CD");
    expect(replaced).toHaveBeenCalledWith(null, "", "/");
    replaced.mockClear();
    takeSecret({ ...where, hash: "#other" }, { replaceState: replaced } as unknown as History);
    expect(replaced).not.toHaveBeenCalled();
  });
});

describe("errors", () => {
  const answer = (status: number, body: string, headers: Record<string, string> = {}) =>
    vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(body, { status, headers }));

  it("say what to do", async () => {
    answer(429, '{"error":{"code":"too_many","message":"m"}}', { "Retry-After": "17" });
    const many = await call("POST", "/login").catch((error: unknown) => error);
    expect(explain(many)).toContain("17");
    answer(422, '{"error":{"code":"invalid","message":"use 3 to 9","field":"a"}}');
    const invalid = await call("PATCH", "/settings").catch((error: unknown) => error);
    expect(invalid).toBeInstanceOf(ApiError);
    expect((invalid as ApiError).field).toBe("a");
    expect(explain(invalid)).toBe("use 3 to 9");
    answer(502, "<html>proxy</html>");
    const proxy = await call("GET", "/host").catch((error: unknown) => error);
    expect(explain(proxy)).not.toBe("");
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no route"));
    const lost = await call("GET", "/host").catch((error: unknown) => error);
    expect((lost as ApiError).code).toBe("unreachable");
    expect(explain(lost)).toContain("does not answer");
  });

  it("of being logged out are heard by the app, but neither those of a wrong password nor of who asks whether one is", async () => {
    const heard = vi.fn();
    window.addEventListener("punktfunk-logged-out", heard);
    answer(401, '{"error":{"code":"unauthenticated","message":"m"}}');
    await call("POST", "/login").catch(() => undefined);
    answer(401, '{"error":{"code":"unauthenticated","message":"m"}}');
    await call("GET", "/me").catch(() => undefined);
    expect(heard).not.toHaveBeenCalled();
    answer(401, '{"error":{"code":"unauthenticated","message":"m"}}');
    await call("GET", "/host").catch(() => undefined);
    expect(heard).toHaveBeenCalledTimes(1);
    window.removeEventListener("punktfunk-logged-out", heard);
  });

  it("carries the two headers that other sites cannot send", async () => {
    const fetched = answer(204, "");
    fetched.mockResolvedValue(new Response(null, { status: 204 }));
    await call("DELETE", "/devices/x");
    const init = fetched.mock.calls[0]?.[1];
    expect(init?.headers).toEqual({ "Content-Type": "application/json", "X-Punktfunk": "1" });
    expect(init?.credentials).toBe("same-origin");
  });
});
