// The list of pages, for the side of a wide window, the foot of a narrow one and the page
// "more".

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queries } from "../api/queries";
import { Icon, type IconName } from "../parts/icons";
import { type PlainKey, t, tn } from "../strings";

export interface Entry {
  to:
    | "/"
    | "/devices"
    | "/library"
    | "/sessions"
    | "/displays"
    | "/settings"
    | "/logs"
    | "/diagnostics"
    | "/owner"
    | "/updates"
    | "/about"
    | "/more";
  icon: IconName;
  title: PlainKey;
  lead?: PlainKey;
}

export const MAIN: readonly Entry[] = [
  { to: "/", icon: "overview", title: "nav.overview" },
  { to: "/devices", icon: "devices", title: "nav.devices" },
  { to: "/library", icon: "library", title: "nav.library" },
  { to: "/sessions", icon: "sessions", title: "nav.sessions" },
];

export const REST: readonly Entry[] = [
  { to: "/displays", icon: "displays", title: "nav.displays", lead: "more.displays" },
  { to: "/settings", icon: "settings", title: "nav.settings", lead: "more.settings" },
  { to: "/diagnostics", icon: "diagnostics", title: "nav.diagnostics", lead: "more.diagnostics" },
  { to: "/logs", icon: "logs", title: "nav.logs", lead: "more.logs" },
  { to: "/owner", icon: "owner", title: "nav.owner", lead: "more.owner" },
  { to: "/updates", icon: "updates", title: "nav.updates", lead: "more.updates" },
  { to: "/about", icon: "about", title: "nav.about", lead: "more.about" },
];

/** How much waits for the owner behind an entry. */
export function useWaiting(): Partial<Record<Entry["to"], number>> {
  const pairing = useQuery(queries.pairing);
  const sessions = useQuery(queries.sessions);
  return {
    "/devices": (pairing.data?.attempts.length ?? 0) + (pairing.data?.knocks.length ?? 0),
    "/sessions": sessions.data?.sessions.length ?? 0,
  };
}

function Count({ n, label }: { n: number; label: string }) {
  if (n === 0) return null;
  return (
    <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-semibold text-on-accent">
      <span aria-hidden="true">{n}</span>
      <span className="sr-only">{label}</span>
    </span>
  );
}

function counted(to: Entry["to"], n: number): string {
  return to === "/devices" ? tn("nav.waiting", n) : tn("overview.sessions", n);
}

export function SideNav() {
  const waiting = useWaiting();
  const line = (entry: Entry) => {
    const n = waiting[entry.to] ?? 0;
    return (
      <li key={entry.to}>
        <Link
          to={entry.to}
          activeOptions={{ exact: entry.to === "/" }}
          className="flex min-h-11 items-center gap-3 rounded-control px-3 text-dim hover:bg-raised hover:text-ink aria-[current=page]:bg-soft aria-[current=page]:font-semibold aria-[current=page]:text-ink"
        >
          <Icon name={entry.icon} />
          <span className="flex-1 whitespace-nowrap">{t(entry.title)}</span>
          <Count n={n} label={counted(entry.to, n)} />
        </Link>
      </li>
    );
  };
  return (
    <nav aria-label={t("nav.label")} className="flex flex-col gap-5">
      <ul className="flex flex-col gap-0.5">{MAIN.map(line)}</ul>
      <ul className="flex flex-col gap-0.5 border-t border-line pt-5">{REST.map(line)}</ul>
    </nav>
  );
}

export function FootNav() {
  const waiting = useWaiting();
  const entries: readonly Entry[] = [...MAIN, { to: "/more", icon: "more", title: "nav.more" }];
  return (
    <nav
      aria-label={t("nav.label")}
      className="fixed inset-x-0 bottom-0 z-30 border-t border-line bg-panel pb-[env(safe-area-inset-bottom)] lg:hidden"
    >
      <ul className="mx-auto grid max-w-xl grid-cols-5">
        {entries.map((entry) => (
          <li key={entry.to}>
            <Link
              to={entry.to}
              activeOptions={{ exact: entry.to === "/" }}
              className="relative flex min-h-14 flex-col items-center justify-center gap-0.5 px-0.5 text-[0.6875rem] text-dim -outline-offset-3 aria-[current=page]:font-semibold aria-[current=page]:text-accent"
            >
              <Icon name={entry.icon} />
              <span className="max-w-full truncate">{t(entry.title)}</span>
              <span className="absolute top-1 left-1/2 ml-2">
                <Count
                  n={waiting[entry.to] ?? 0}
                  label={counted(entry.to, waiting[entry.to] ?? 0)}
                />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
