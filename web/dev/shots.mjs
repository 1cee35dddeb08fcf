// Pictures of every page from a running fake (or host), in every size and both themes, with
// what the browser complained about and what axe found. For looking at them; never shipped.
//
//   node dev/shots.mjs OUT [--base http://localhost:56000] [--only /devices] [--sizes phone,tv]
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const out = process.argv[2] ?? "shots";
const base = option("base", "http://localhost:56000");
const PAGES = [
  "/",
  "/devices",
  "/library",
  "/sessions",
  "/sessions/s1",
  "/displays",
  "/settings",
  "/logs",
  "/diagnostics",
  "/owner",
  "/updates",
  "/about",
  "/more",
  "/login",
  "/claim",
  "/nowhere",
];
const SIZES = {
  phone: { width: 360, height: 740 },
  zoom: { width: 640, height: 450 },
  desktop: { width: 1440, height: 900 },
  tv: { width: 3840, height: 2160 },
};
const pages = option("only")?.split(",") ?? PAGES;
const sizes = option("sizes", "phone,desktop,tv").split(",");
const themes = option("themes", "dark,light").split(",");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
let bad = 0;
const complain = (what) => {
  bad += 1;
  console.log(what);
};
for (const size of sizes) {
  for (const theme of themes) {
    const context = await browser.newContext({
      viewport: SIZES[size],
      colorScheme: theme,
      locale: option("locale", "en-GB"),
      ignoreHTTPSErrors: true,
    });
    const page = await context.newPage();
    let at = "";
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("401"))
        complain(`${at} ${size}: ${message.text()}`);
    });
    page.on("pageerror", (error) => complain(`${at} ${size}: ${error}`));
    for (const path of pages) {
      at = path;
      await page.goto(base + path);
      await page.waitForTimeout(path.includes("sessions/") ? 4000 : 700);
      const name = path === "/" ? "overview" : path.slice(1).replaceAll("/", "-");
      await page.screenshot({
        path: `${out}/${name}-${size}-${theme}.png`,
        fullPage: size !== "tv",
      });
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      if (wide > 0) complain(`${path} ${size}: ${wide} px too wide`);
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run());
      for (const violation of found.violations) {
        complain(
          `${path} ${size} ${theme}: ${violation.id}: ${violation.nodes
            .map((node) => `${node.target} ${node.any[0]?.message ?? ""}`)
            .slice(0, 3)
            .join(" | ")}`,
        );
      }
    }
    await context.close();
  }
}
await browser.close();
console.log(bad === 0 ? "nothing to complain about" : `${bad} complaints`);
process.exitCode = bad === 0 ? 0 : 1;
