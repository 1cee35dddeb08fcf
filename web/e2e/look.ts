// Looking at a page as a reader would: what axe says of it, whether it fits, what can be
// reached by keys, which language it speaks.

import type { Page } from "playwright-core";
import { violations } from "./browser.ts";

/** Everything wrong with how the page is now: what axe says, and what is cut off or has to
 *  be scrolled to the side. */
export async function flaws(page: Page): Promise<string[]> {
  const found = (await violations(page)).map(
    ({ rule, help, where }) => `${rule} (${help}) at ${where.slice(0, 3).join(", ")}`,
  );
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return undefined;
    const past = [...document.body.querySelectorAll("*")].filter(
      (element) => element.getBoundingClientRect().right > clientWidth + 1,
    );
    const widest = past.at(-1);
    return `${scrollWidth} px wide in ${clientWidth}, by <${widest?.tagName} ${widest?.className}>`;
  });
  if (wide !== undefined) found.push(wide);
  return found;
}

/** What can be reached by keys, as short descriptions in the page's order. */
export async function reachable(page: Page): Promise<string[]> {
  return await page.evaluate(mark);
}

/** Goes through the page with Tab: what was never focused, and what was without showing it. */
export async function walk(page: Page): Promise<{ missed: string[]; unseen: string[] }> {
  const wanted = await reachable(page);
  const [reached, unseen] = [new Set<string>(), new Set<string>()];
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  // A group of radio buttons or tabs is one stop, so there are at most so many.
  for (let steps = 0; steps < wanted.length + 5; steps++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(focused);
    if (at === undefined) continue;
    reached.add(at.name);
    if (!at.visible) unseen.add(at.name);
  }
  return { missed: wanted.filter((name) => !reached.has(name)), unseen: [...unseen] };
}

/** What no chain of arrow keys leads to, beginning at any element that has the focus. */
export async function strandedByArrows(page: Page): Promise<string[]> {
  const wanted = await reachable(page);
  const first = wanted[0];
  if (first === undefined) return [];
  const [reached, waiting] = [new Set([first]), [first]];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (reached.size === wanted.length) return [];
    for (const key of ["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"]) {
      await page.evaluate(
        (mark) => document.querySelector<HTMLElement>(`[data-walk="${mark}"]`)?.focus(),
        name,
      );
      await page.keyboard.press(key);
      const at = await page.evaluate(focused);
      if (at === undefined || reached.has(at.name)) continue;
      reached.add(at.name);
      waiting.push(at.name);
    }
  }
  return wanted.filter((name) => !reached.has(name));
}

/** Texts of the page, one for each piece that stands by itself, names for screen readers
 *  included. */
export async function texts(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const found = new Set<string>();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      found.add(node.textContent?.trim() ?? "");
    }
    for (const element of document.body.querySelectorAll("[aria-label], [placeholder], [title]")) {
      for (const name of ["aria-label", "placeholder", "title"]) {
        found.add(element.getAttribute(name)?.trim() ?? "");
      }
    }
    found.delete("");
    return [...found];
  });
}

/** Runs in the page: gives everything that can be focused a name of its own. */
function mark(): string[] {
  const focusable =
    'a[href], button, input:not([type="hidden"]), select, textarea, summary, [tabindex="0"]';
  const dialogs = document.querySelectorAll("dialog[open]");
  const root = dialogs[dialogs.length - 1] ?? document.body;
  const names: string[] = [];
  for (const element of root.querySelectorAll<HTMLElement>(focusable)) {
    const off = element.matches(":disabled") || element.closest("[inert]") !== null;
    const seen = element.checkVisibility({ visibilityProperty: true });
    // Who has the focus of a list of tabs is one of its tabs.
    const aside = element.matches(".skip, [role=tablist]") || element.tabIndex < 0;
    if (off || !seen || aside || element.getClientRects().length === 0) continue;
    const said = element.getAttribute("aria-label") ?? element.textContent ?? "";
    const words = said
      .trim()
      .replace(/["\\\s]+/g, " ")
      .slice(0, 40);
    const name = `${names.length} ${element.tagName.toLowerCase()} ${words}`.trim();
    element.dataset.walk = name;
    names.push(name);
  }
  return names;
}

/** Runs in the page: what has the focus, and whether one sees that it does. */
function focused(): { name: string; visible: boolean } | undefined {
  const element = document.activeElement as HTMLElement | null;
  const name = element?.dataset.walk;
  if (element === null || name === undefined) return undefined;
  // Some show it around themselves: a label around its field, a card around its link.
  for (let at: HTMLElement | null = element, up = 0; at !== null && up < 3; up++) {
    const style = getComputedStyle(at);
    const outlined = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 1;
    if (outlined || style.boxShadow !== "none") return { name, visible: true };
    at = at.parentElement;
  }
  return { name, visible: false };
}
