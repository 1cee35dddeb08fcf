// Sessions as the owner watches them: figures that move with the host's, and what is done to
// a session from the console.

import type { Window } from "../browser.ts";
import { button, dialog, noted, open, t } from "../console.ts";
import { pairGamestream, pairNative, playGamestream, playing, playNative } from "../players.ts";
import type { Scenario, Stage } from "../stage.ts";
import { ensure, same, until } from "../wait.ts";

export const SESSIONS: Record<string, Scenario> = {
  "live figures of a Moonlight": (stage) => figures(stage, "gamestream"),
  "live figures of punktfunk/1": (stage) => figures(stage, "native"),
  "a message, another bitrate, the end": controls,
  "seen from the overview": overview,
};

/** What is shown is at most so much older than the host's measurement. */
const BEHIND_MS = 250;
/** So many sets of figures are looked at. */
const SAMPLES = 15;

/** What the page heard and painted: the host's clock, ours, and the number that tells one set
 *  of figures from the next. */
interface Seen {
  heard: { at: number; frames: string; now: number }[];
  painted: { frames: string; now: number }[];
}

/** Runs in the page before its own code: notes each set of figures as it comes. */
function listen(): void {
  const seen: Seen = { heard: [], painted: [] };
  Object.assign(globalThis, { seen });
  const add = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (
    this: EventSource,
    name: string,
    ...rest: unknown[]
  ) {
    if (name === "figures") {
      add.call(this, name, (event: Event) => {
        const now = performance.now();
        const { figures } = JSON.parse((event as MessageEvent<string>).data);
        seen.heard.push({ at: figures.at_ms, frames: figures.frames.toLocaleString("en-US"), now });
      });
    }
    add.apply(this, [name, ...rest] as unknown as Parameters<typeof add>);
  };
}

/** Runs in the page: notes each value of the field with this name once it is painted. */
function watch(name: string): void {
  const { seen } = globalThis as unknown as { seen: Seen };
  let last = "";
  const look = () => {
    const term = [...document.querySelectorAll("dt")].find((one) => one.textContent === name);
    const frames = term?.nextElementSibling?.textContent ?? "";
    const now = performance.now();
    if (frames !== last && frames !== "") seen.painted.push({ frames, now });
    last = frames;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

async function figures(stage: Stage, kind: "gamestream" | "native"): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  if (kind === "gamestream") await pairGamestream(stage, host, window, "tv");
  else await pairNative(stage, host, window, "tv");
  const player = kind === "gamestream" ? playGamestream(host, "tv") : playNative(host, "tv");
  const session = await playing(stage, window, player);
  await page.addInitScript(listen);
  await open(page, `/sessions/${encodeURIComponent(session)}`);
  await page.getByText(t("session.frames"), { exact: true }).waitFor();
  await page.evaluate(watch, t("session.frames"));
  const seen = () => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  // A machine that others share may stop the page for a moment, so that a stretch is looked
  // for without such moments; figures that always come late have none.
  let lags: number[] = [];
  const inTime = () => lags.length === SAMPLES && Math.max(...lags) <= BEHIND_MS;
  await until(
    "figures move",
    async () => {
      const { heard, painted } = await seen();
      lags = behind(heard, painted).slice(-SAMPLES);
      return inTime() || painted.length > 8 * SAMPLES;
    },
    90,
  );
  const worst = Math.max(...lags);
  const middle = [...lags].sort((a, b) => a - b)[Math.floor(lags.length / 2)] ?? 0;
  await stage.screenshot(page, "live");
  ensure(inTime(), `${lags.length} values were painted, up to ${worst.toFixed(0)} ms behind`);
  const { heard } = await seen();
  const [first, last] = [heard[0], heard.at(-1)];
  const every = ((last?.at ?? 0) - (first?.at ?? 0)) / Math.max(1, heard.length - 1);
  ensure(every > 100 && every < 400, `figures come every ${every.toFixed(0)} ms`);
  const shown = (await stage.api(window, "GET", `/sessions/${encodeURIComponent(session)}`)).body;
  same([shown.stream.width, shown.stream.height], [640, 360], "the picture");
  ensure(
    shown.figures.fps > 1 && shown.figures.bytes > 0,
    `figures: ${JSON.stringify(shown.figures)}`,
  );
  return `painted ${middle.toFixed(0)} ms after the measurement, ${worst.toFixed(0)} ms at worst`;
}

/** How long after its measurement each value was painted. The two clocks are compared by the
 *  event that came fastest, which took next to nothing. */
function behind(heard: Seen["heard"], painted: Seen["painted"]): number[] {
  const offset = Math.min(...heard.map(({ at, now }) => now - at));
  const measured = new Map(heard.map(({ frames, at }) => [frames, at + offset]));
  return painted.flatMap(({ frames, now }) => {
    const at = measured.get(frames);
    return at === undefined ? [] : [now - at];
  });
}

async function controls(stage: Stage): Promise<string> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await pairNative(stage, host, window, "tv");
  const player = playNative(host, "tv");
  const session = await playing(stage, window, player);
  await open(page, `/sessions/${encodeURIComponent(session)}`);
  await button(page, "control.message").click();
  await dialog(page)
    .getByLabel(t("control.message_text"), { exact: true })
    .fill("Dinner is ready 🍝");
  await button(dialog(page), "control.send").click();
  await noted(page, t("control.message_done"));
  await button(page, "control.rate").click();
  const slider = dialog(page).getByRole("slider");
  const before = await slider.getAttribute("aria-valuetext");
  await slider.focus();
  for (let step = 0; step < 3; step++) await page.keyboard.press("ArrowLeft");
  ensure((await slider.getAttribute("aria-valuetext")) !== before, "the slider does not move");
  await button(dialog(page), "control.apply").click();
  await dialog(page).waitFor({ state: "detached" });
  await until("the bitrate changes", async () => {
    const { stream } = (await stage.api(window, "GET", `/sessions/${session}`)).body;
    return stream.bitrate_kbps < 10_000;
  });
  ensure(player.runs, "the stream ended");
  await button(page, "control.stop").click();
  const since = performance.now();
  await button(dialog(page), "control.stop").click();
  await player.ended();
  await page.waitForURL("**/sessions");
  await page.getByText(t("sessions.none")).waitFor();
  // Where one was looking says that it is over, and where to go.
  window.expect(404);
  await open(page, `/sessions/${encodeURIComponent(session)}`);
  await page.getByText(t("session.gone_lead")).waitFor();
  return `the stream ended ${((player.endedAt ?? 0) - since).toFixed(0)} ms after the click`;
}

async function overview(stage: Stage): Promise<undefined> {
  const [host, window] = await stage.owned();
  const { page } = window;
  await open(page, "/");
  await page.getByText(t("next.title")).waitFor();
  await pairGamestream(stage, host, window, "tv");
  // Nothing is reloaded: all of this comes with events.
  await page.getByText(t("overview.nobody")).waitFor();
  const player = playGamestream(host, "tv");
  await playing(stage, window, player);
  await card(window).getByText(t("session.playing")).waitFor();
  await card(window).getByText(t("figure.fps")).waitFor();
  await stage.screenshot(page, "plays");
  await player.stop();
  // It left without a word: the host waits for some seconds before it believes that.
  await card(window).getByText(t("session.away")).waitFor({ timeout: 60_000 });
}

function card({ page }: Window) {
  return page.getByRole("listitem").filter({ hasText: "Test card" });
}
