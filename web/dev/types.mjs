// Writes src/api/schema.d.ts, the host's own shapes, from openapi.json:
//
//   node dev/types.mjs
//
// A test (tests/types.test.ts) makes the same text and compares. Never shipped.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapi, { astToString } from "openapi-typescript";

const web = fileURLToPath(new URL("..", import.meta.url));
/** What is written. */
export const FILE = `${web}src/api/schema.d.ts`;
const HEAD =
  "// Made from openapi.json by `npm run types`; a test compares. Not to be changed by hand.\n\n";

/** The text of the file as openapi.json gives it. */
export async function types() {
  const document = JSON.parse(readFileSync(`${web}openapi.json`, "utf8"));
  // The operations are functions of api.ts; what they take and give is all that is needed.
  const shapes = { ...document, paths: {} };
  // What has a default may be left out of a request.
  return HEAD + astToString(await openapi(shapes, { defaultNonNullable: false }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await types();
  writeFileSync(FILE, text);
  console.log(`${FILE}: ${text.split("\n").length} lines`);
}
