// What an event of the host means for the cache, and the hooks that listen. The link itself
// is `events.ts`; who draws figures keeps them outside of the cache (they come 5 times a
// second).
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { login } from "./api";
import { BASE, LOGGED_OUT } from "./client";
import { Link, type LinkState } from "./events";
import { client, isLoggedOut, queries } from "./queries";
import type { Figures, LogLine, Session } from "./types";

const TOPICS = [
  "host",
  "pairing",
  "devices",
  "sessions",
  "settings",
  "diagnostics",
  "apps",
] as const;

/** Writes what the host said into the cache. An answer that is on its way may be older and
 *  would replace it: then it is asked for again. */
function put(cache: QueryClient, queryKey: readonly string[], data: unknown): void {
  const asked = cache.isFetching({ queryKey, exact: true }) > 0;
  cache.setQueryData(queryKey, data);
  if (asked) void cache.invalidateQueries({ queryKey, exact: true });
}

/** Writes one event into the cache. */
export function apply(cache: QueryClient, name: string, data: unknown): void {
  switch (name) {
    case "reset":
      void cache.invalidateQueries();
      break;
    case "host":
      put(cache, queries.host.queryKey, data);
      break;
    case "pairing":
      put(cache, queries.pairing.queryKey, data);
      break;
    case "devices":
      put(cache, queries.devices.queryKey, data);
      break;
    case "apps":
      put(cache, queries.apps.queryKey, data);
      break;
    case "sessions":
      put(cache, queries.sessions.queryKey, data);
      refreshSessions(cache, data as { sessions: Session[] });
      break;
    case "settings":
      void cache.invalidateQueries({ queryKey: queries.settings.queryKey });
      break;
    case "diagnostics":
      void cache.invalidateQueries({ queryKey: queries.diagnostics.queryKey });
      break;
  }
}

/** A session that started or ended changes what runs and what was recorded. */
function refreshSessions(cache: QueryClient, data: { sessions: Session[] }): void {
  void cache.invalidateQueries({ queryKey: queries.apps.queryKey });
  void cache.invalidateQueries({ queryKey: queries.statistics.queryKey });
  for (const session of data.sessions) {
    cache.setQueryData(["session", session.id], (old: Session | undefined) =>
      old ? { ...session, figures: session.figures ?? old.figures } : session,
    );
  }
}

async function stillIn(): Promise<boolean> {
  try {
    await login.me();
    return true;
  } catch (error) {
    if (!isLoggedOut(error)) return true;
    window.dispatchEvent(new Event(LOGGED_OUT));
    return false;
  }
}

let state: LinkState = "connecting";
const listeners = new Set<() => void>();

function setState(next: LinkState): void {
  state = next;
  for (const listener of listeners) listener();
}

/** The state of the connection, for everybody who shows it. */
export function useLinkState(): LinkState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/** Keeps the cache alive while a page of the console is open. */
export function useLive(): void {
  useEffect(() => {
    let lost = false;
    const link = new Link({
      url: `${BASE}/events?topics=${TOPICS.join(",")}`,
      names: ["reset", ...TOPICS],
      onEvent: (name, data) => apply(client, name, data),
      onState: (next) => {
        // What is not replayed by id is asked anew.
        if (next === "open" && lost) void client.invalidateQueries();
        if (next !== "connecting") lost = next === "lost";
        if (!(lost && next === "connecting")) setState(next);
      },
      mayRetry: stillIn,
    });
    const hurry = () => link.hurry();
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
      link.close();
    };
  }, []);
}

/** Calls `onFigures` for every set of figures, while mounted. */
export function useFigures(onFigures: (session: string, figures: Figures) => void): void {
  const latest = useRef(onFigures);
  latest.current = onFigures;
  useEffect(() => {
    const link = new Link({
      url: `${BASE}/events?topics=figures`,
      names: ["figures"],
      onEvent: (_, data) => {
        const { session, figures } = data as { session: string; figures: Figures };
        latest.current(session, figures);
      },
      mayRetry: stillIn,
    });
    return () => link.close();
  }, []);
}

/** The newest figures of every session. */
export function useNewestFigures(): Record<string, Figures> {
  const [newest, setNewest] = useState<Record<string, Figures>>({});
  useFigures((session, figures) => setNewest((old) => ({ ...old, [session]: figures })));
  return newest;
}

/** Calls `onLine` for every line the host logs, while mounted and `on`. */
export function useLogLines(on: boolean, onLine: (line: LogLine) => void): LinkState {
  const latest = useRef(onLine);
  latest.current = onLine;
  const [linkState, setLinkState] = useState<LinkState>("connecting");
  useEffect(() => {
    if (!on) return;
    const link = new Link({
      url: `${BASE}/events?topics=log`,
      names: ["log"],
      onEvent: (_, data) => latest.current(data as LogLine),
      onState: setLinkState,
      mayRetry: stillIn,
    });
    return () => link.close();
  }, [on]);
  return linkState;
}
