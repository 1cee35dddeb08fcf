// The frame around every page: the way to all others, the host's name, the state of the
// connection, and what concerns every page (a restart that is due).
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { host as hostApi, login } from "../api/api";
import { useLinkState, useLive } from "../api/live";
import { client, queries } from "../api/queries";
import { useAction } from "../parts/action";
import { Button, IconButton } from "../parts/button";
import { Notice, Status } from "../parts/layout";
import { Mark } from "../parts/signal";
import { t } from "../strings";
import { LanguageChoice, ThemeChoice } from "./look";
import { FootNav, SideNav } from "./nav";
import { router } from "./router";

export async function logOut(): Promise<void> {
  await login.logout();
  client.clear();
  await router.navigate({ to: "/login" });
}

export function Frame() {
  useLive();
  const main = useRef<HTMLElement>(null);
  const path = useLocation({ select: (location) => location.pathname });
  const before = useRef(path);
  useEffect(() => {
    // A new page is read from its beginning, also by a screen reader.
    if (before.current !== path) main.current?.focus({ preventScroll: true });
    before.current = path;
  }, [path]);
  return (
    <div className="mx-auto flex min-h-dvh max-w-[110rem] lg:grid lg:grid-cols-[16.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="skip sr-only z-50 rounded-control bg-accent px-4 py-2 font-semibold text-on-accent focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        {t("nav.skip")}
      </a>
      <Side />
      <div className="flex min-w-0 flex-1 flex-col">
        <Top />
        <Above />
        <main
          id="main"
          ref={main}
          tabIndex={-1}
          className="w-full min-w-0 flex-1 px-4 pt-5 pb-28 outline-none sm:px-8 lg:px-10 lg:pt-9 lg:pb-14"
        >
          <Outlet />
        </main>
      </div>
      <FootNav />
    </div>
  );
}

function Connection() {
  const link = useLinkState();
  const text = { open: t("link.open"), connecting: t("link.connecting"), lost: t("link.lost") };
  const tones = { open: "accent", connecting: "dim", lost: "error" } as const;
  return (
    <Status tone={tones[link]} live={link === "open"}>
      {text[link]}
    </Status>
  );
}

function Brand() {
  const host = useQuery(queries.host);
  return (
    <Link to="/" className="flex min-w-0 items-center gap-3 rounded-control">
      <Mark className="size-9 text-accent" />
      <span className="min-w-0">
        <span className="block text-lg leading-tight font-semibold tracking-tight">punktfunk</span>
        <span className="block truncate text-sm leading-tight text-dim">
          {host.data?.name ?? " "}
        </span>
      </span>
    </Link>
  );
}

function Side() {
  return (
    <header className="sticky top-0 hidden h-dvh flex-col gap-6 overflow-y-auto border-r border-line px-4 py-7 lg:flex">
      <div className="px-2">
        <Brand />
      </div>
      <div className="flex-1">
        <SideNav />
      </div>
      <div className="flex flex-col gap-3 px-1">
        <div className="flex items-center justify-between px-2">
          <Connection />
          <IconButton icon="logout" label={t("action.logout")} onClick={() => void logOut()} />
        </div>
        <div className="flex gap-2">
          <div className="flex-[3]">
            <ThemeChoice />
          </div>
          <div className="flex-[2]">
            <LanguageChoice />
          </div>
        </div>
      </div>
    </header>
  );
}

function Top() {
  return (
    <header className="flex items-center justify-between gap-3 border-b border-line bg-panel px-4 py-2.5 lg:hidden">
      <Brand />
      <Connection />
    </header>
  );
}

/** What every page has to say first. */
function Above() {
  const link = useLinkState();
  const host = useQuery(queries.host);
  const restart = useAction(hostApi.restart, { done: t("restart.begun"), aloud: true });
  const due = host.data?.restart_needed === true;
  return (
    <div className="px-4 empty:hidden sm:px-8 lg:px-10">
      <div role="status" className="empty:hidden">
        {link === "lost" && (
          <div className="pt-5">
            <Notice tone="warning" title={t("link.lost_title")}>
              {t("link.lost_lead")}
            </Notice>
          </div>
        )}
      </div>
      {due && link !== "lost" && (
        <div className="pt-5">
          <Notice
            tone="info"
            title={t("restart.due")}
            actions={
              <Button icon="restart" busy={restart.busy} onClick={() => void restart.run()}>
                {t("restart.now")}
              </Button>
            }
          >
            {t("restart.lead")}
          </Notice>
        </div>
      )}
    </div>
  );
}
