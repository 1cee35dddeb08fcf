// What is shipped: the first load stays small, and nothing in it is inline or from elsewhere.
// It looks at `dist/`, which `npm run build` makes; it builds one where there is none.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { beforeAll, describe, expect, it } from "vitest";

const dist = join(__dirname, "../dist");
/** Bytes, gzipped. */
const FIRST_LOAD = 150 * 1024;

interface Chunk {
  file: string;
  imports?: string[];
  css?: string[];
}
type Manifest = Record<string, Chunk>;

beforeAll(async () => {
  if (!existsSync(join(dist, "manifest.json"))) {
    await build({ root: join(__dirname, ".."), logLevel: "error" });
  }
}, 120_000);

const text = (file: string) => readFileSync(join(dist, file), "utf8");
const gzipped = (file: string) => gzipSync(readFileSync(join(dist, file))).length;

/** Every file that has to be there before `entry` can run. */
function needed(manifest: Manifest, entry: string, files = new Set<string>()): Set<string> {
  const chunk = manifest[entry];
  if (!chunk || files.has(chunk.file)) return files;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const other of chunk.imports ?? []) needed(manifest, other, files);
  return files;
}

describe("what is shipped", () => {
  it("loads with at most 150 KB, in German too, with the first page", () => {
    const manifest = JSON.parse(text("manifest.json")) as Manifest;
    const files = needed(manifest, "index.html");
    expect(files.size).toBeGreaterThan(1);
    for (const page of ["src/pages/overview/page.tsx", "src/strings/de.ts"]) {
      expect(manifest).toHaveProperty([page]);
      needed(manifest, page, files);
    }
    const total = [...files].reduce((sum, file) => sum + gzipped(file), gzipped("index.html"));
    expect(total).toBeLessThan(FIRST_LOAD);
  });

  it("has no inline script, style or handler, and asks nobody else", () => {
    const html = text("index.html");
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/i);
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/i);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//i);
    for (const file of readdirSync(join(dist, "assets"))) {
      const source = text(`assets/${file}`);
      if (file.endsWith(".css")) expect(source, file).not.toMatch(/url\((?!#)|@import/);
      // What the libraries say about their own errors is never asked for.
      const hosts = [...source.matchAll(/["'`]https?:\/\/([^/"'`$]+)/g)].map((match) => match[1]);
      const known = ["www.w3.org", "react.dev", "localhost"];
      expect(
        hosts.filter((host) => !known.includes(host ?? "")),
        file,
      ).toEqual([]);
    }
  });
});
