// Plays every scenario against a real host, real clients and a real browser:
//   node run.ts --programs DIR --artefacts DIR [--rows N] [--list] [NAME…]
// Prints `ok NAME`, `FAILED NAME: why` or `SKIPPED NAME: why` for each, measurements
// indented below it, `again NAME: why` for a try that failed, and the totals in the last line.

import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { unusable } from "./browser.ts";
import { playAll } from "./rows.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import type { Outcome } from "./stage.ts";
import { World } from "./world.ts";

/** Whatever happens, it ends after so many minutes. */
const MINUTES = 25;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    programs: { type: "string", default: "target/ci" },
    artefacts: { type: "string", default: "target/console" },
    rows: { type: "string", default: "2" },
    list: { type: "boolean", default: false },
  },
});

const chosen = Object.keys(SCENARIOS).filter(
  (name) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
const counts = { passed: 0, failed: 0, skipped: 0 };
const missing = new Set(chosen);

if (values.list) {
  for (const name of chosen) console.log(name);
} else {
  // What a scenario no longer waits for, because it failed before, is no failure of its own.
  process.on("unhandledRejection", (error) => console.error(`    nobody waits for: ${error}`));
  process.on("uncaughtException", (error) => giveUp(`the player failed: ${error.stack}`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => giveUp(`it was asked to end (${signal})`));
  }
  setTimeout(() => giveUp(`it is not over after ${MINUTES} minutes`), MINUTES * 60_000).unref();
  await run().catch((error) => giveUp(`the player failed: ${error.stack}`));
  // A browser that hangs would keep us.
  process.exit(total());
}

async function run(): Promise<void> {
  const why = await unusable();
  if (why !== undefined) {
    counts.skipped += 1;
    console.log(`SKIPPED scenarios in the browser: ${oneLine(why)}`);
    return;
  }
  mkdirSync(values.artefacts, { recursive: true });
  const world = new World(values.programs, values.artefacts);
  process.on("exit", () => world.end());
  const rows = Math.max(1, Number(values.rows) || 1);
  await playAll(world, chosen, rows, {
    again: (name, why) => console.log(`again ${name}: ${why}`),
    ended,
  });
}

function ended(name: string, outcome: Outcome): void {
  missing.delete(name);
  counts[outcome.kind] += 1;
  const seconds = `${outcome.seconds.toFixed(1)} s`;
  if (outcome.kind === "passed") console.log(`ok ${name}`);
  if (outcome.kind === "failed") console.log(`FAILED ${name}: ${outcome.note}`);
  if (outcome.kind === "skipped") console.log(`SKIPPED ${name}: ${outcome.note}`);
  if (outcome.kind === "passed")
    console.log(`    ${[outcome.note, seconds].filter(Boolean).join("; ")}`);
}

/** Says so for everything that was not played, and ends. */
function giveUp(why: string): never {
  for (const name of missing) ended(name, { kind: "failed", note: oneLine(why), seconds: 0 });
  // All were played, and it is wrong nevertheless.
  if (counts.failed === 0) ended("the end", { kind: "failed", note: oneLine(why), seconds: 0 });
  process.exit(total());
}

function total(): number {
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 ? 0 : 1;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " | ");
}
