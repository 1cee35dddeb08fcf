// Plays every scenario against a real host, real clients and a real browser:
//   node run.ts --programs DIR --artefacts DIR [--list] [NAME…]
// Prints `ok NAME`, `FAILED NAME: why` or `SKIPPED NAME: why` for each, measurements
// indented below it, and the totals in the last line.

import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { launch } from "./browser.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { play } from "./stage.ts";
import { World } from "./world.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    programs: { type: "string", default: "target/ci" },
    artefacts: { type: "string", default: "target/console" },
    list: { type: "boolean", default: false },
  },
});

const chosen = Object.entries(SCENARIOS).filter(
  ([name]) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
if (values.list) {
  for (const [name] of chosen) console.log(name);
} else {
  process.exitCode = (await run()) ? 0 : 1;
}

async function run(): Promise<boolean> {
  mkdirSync(values.artefacts, { recursive: true });
  const browser = await launch();
  const world = new World(values.programs, values.artefacts, browser);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const [name, scenario] of chosen) {
      const outcome = await play(world, name, scenario);
      counts[outcome.kind] += 1;
      const seconds = `${outcome.seconds.toFixed(1)} s`;
      if (outcome.kind === "passed") console.log(`ok ${name}`);
      if (outcome.kind === "failed") console.log(`FAILED ${name}: ${outcome.note}`);
      if (outcome.kind === "skipped") console.log(`SKIPPED ${name}: ${outcome.note}`);
      if (outcome.kind === "passed")
        console.log(`    ${[outcome.note, seconds].filter(Boolean).join("; ")}`);
    }
  } finally {
    await browser.close();
    world.end();
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0;
}
