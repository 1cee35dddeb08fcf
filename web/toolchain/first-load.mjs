// Prints how many bytes a browser fetches before the console's first page is there:
// index.html with the scripts and styles it names and what those import at once, each
// compressed as the host sends it. Not counted: icons, and what pages load later.
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const dist = process.argv[2];
const seen = new Set();

function weigh(name) {
  const file = normalize(name.replace(/^\//, ""));
  if (seen.has(file)) return 0;
  seen.add(file);
  const bytes = readFileSync(join(dist, file));
  let total = gzipSync(bytes, { level: 9 }).length;
  const text = bytes.toString();
  // A static import has a clause or nothing between `import` and the name, a lazy one a bracket.
  const imports = /\bimport\s*(?:[\w$*{},\s]+?\s*from\s*)?["'](\.{1,2}\/[^"']+)["']/g;
  const reexports = /\bexport\s*[\w$*{},\s]+?\s*from\s*["'](\.{1,2}\/[^"']+)["']/g;
  if (file.endsWith(".js")) {
    for (const pattern of [imports, reexports]) {
      for (const [, other] of text.matchAll(pattern)) total += weigh(join(dirname(file), other));
    }
  }
  return total;
}

const page = readFileSync(join(dist, "index.html"));
let total = gzipSync(page, { level: 9 }).length;
for (const [tag] of page.toString().matchAll(/<(?:script|link)\b[^>]*>/g)) {
  if (tag.startsWith("<link") && !/rel="?(?:stylesheet|modulepreload)/.test(tag)) continue;
  const [, name] = tag.match(/(?:src|href)="?([^"\s>]+)/) ?? [];
  if (name && !name.startsWith("data:")) total += weigh(name);
}
console.log(total);
