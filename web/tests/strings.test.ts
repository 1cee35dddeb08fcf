// The catalogue: both languages have the same keys, placeholders and plurals, and no page has
// a text of its own.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { speak, t, tn, told } from "../src/strings";
import { de } from "../src/strings/de";
import { en } from "../src/strings/en";

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

describe("the catalogue", () => {
  it("has the same keys in both languages", () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
  });

  it("has the same placeholders in both languages", () => {
    for (const [key, text] of Object.entries(en)) {
      expect(placeholders(de[key as keyof typeof en]), key).toEqual(placeholders(text));
    }
  });

  it("has no empty text, and both forms of every plural", () => {
    for (const [key, text] of [...Object.entries(en), ...Object.entries(de)]) {
      expect(text.trim(), key).not.toBe("");
      if (key.endsWith(".one")) expect(en).toHaveProperty([key.replace(/one$/, "other")]);
    }
  });

  it("fills placeholders, counts, and falls back", async () => {
    await speak("en");
    expect(t("login.lead", { name: "den" })).toBe("This is the console of den.");
    expect(tn("overview.sessions", 1)).toBe("1 session");
    expect(tn("overview.sessions", 1234)).toBe("1,234 sessions");
    expect(told("access.pads", "?")).toBe("use gamepads");
    expect(told("access.teleport", "teleport")).toBe("teleport");
    expect(told("toString", "own keys only")).toBe("own keys only");
    await speak("de", true);
    expect(tn("overview.sessions", 2)).toBe("2 Sitzungen");
    expect(document.documentElement.lang).toBe("de");
    await speak("en");
  });

  it("is where every text of a page stands", () => {
    const found = sources().flatMap(texts);
    expect(found).toEqual([]);
  });

  it("has no key that nothing uses", () => {
    const all = sources()
      .map((path) => readFileSync(path, "utf8"))
      .join("\n");
    // Keys that are built from a word of the host are asked for by their beginning.
    const built = [...all.matchAll(/[`"]([a-z_]+(?:\.[a-z_]+)*\.)\$\{/g)].map((m) => m[1] ?? "");
    const unused = Object.keys(en).filter((key) => {
      const base = key.replace(/\.(one|other)$/, "");
      return !all.includes(`"${base}"`) && !built.some((start) => key.startsWith(start));
    });
    expect(unused).toEqual([]);
  });
});

/** Every source file but the catalogue. */
function sources(folder = join(__dirname, "../src")): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !/strings\/(en|de)/.test(path) ? [path] : [];
  });
}

/** Attributes that a reader sees or hears. */
const SEEN = new Set(["aria-label", "title", "label", "alt", "placeholder", "lead", "help"]);
/** Names that are the same in every language, and examples of what is typed. */
const SAME =
  /^(punktfunk|Moonlight|[A-Z]+|0000|session|MANGOHUD=1|retroarch --fullscreen|\/home\/play\/games|punktfunk-host claim.*|\W*)$/;

/** Texts in the markup of a file that are not from the catalogue. */
function texts(path: string): string[] {
  if (!path.endsWith("x")) return [];
  const file = ts.createSourceFile(
    path,
    readFileSync(path, "utf8"),
    ts.ScriptTarget.Latest,
    true,
    ts.ScriptKind.TSX,
  );
  const out: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node) && !SAME.test(node.text.trim()))
      out.push(`${path}: ${node.text.trim()}`);
    if (ts.isJsxAttribute(node) && SEEN.has(node.name.getText())) {
      const value = node.initializer;
      if (value && ts.isStringLiteral(value) && !SAME.test(value.text)) {
        out.push(`${path}: ${value.text}`);
      }
    }
    if (ts.isJsxExpression(node) && node.expression && ts.isStringLiteral(node.expression)) {
      if (!SAME.test(node.expression.text) && !ts.isJsxAttribute(node.parent)) {
        out.push(`${path}: ${node.expression.text}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return out;
}
