// Waiting for what is to come: conditions with deadlines, never a time that should do.

import { setTimeout as pause } from "node:timers/promises";

/** Looks every 20 ms until `found` gives something that is not undefined, null or false. */
export async function until<T>(
  what: string,
  found: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  seconds = 30,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const thing = await found();
    if (thing !== undefined && thing !== null && thing !== false) return thing;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await pause(20);
  }
}

/** The promise, or an error once its time is up. */
export async function within<T>(what: string, seconds: number, promise: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = pause(seconds * 1000, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`${what}: not within ${seconds} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    ended.abort();
    late.catch(() => {});
  }
}

/** Fails with `what` unless it is so. */
export function ensure(so: unknown, what: string): asserts so {
  if (!so) throw new Error(what);
}

/** Fails unless both are the same JSON. */
export function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}
