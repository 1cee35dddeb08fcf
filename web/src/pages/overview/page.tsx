// The overview: is the host well, who plays what now, and the next step while nothing is set
// up yet.
import { useQuery } from "@tanstack/react-query";
import { useNewestFigures } from "../../api/live";
import { queries } from "../../api/queries";
import type { Figures, Finding, Host, Session } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { Facts, Figure, Notice, PageHead, Panel, Status, tone } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { Waves } from "../../parts/signal";
import { t, tn } from "../../strings";
import { count, millis, percent, rate, span } from "../../strings/format";
import { sessionState, streamLine } from "../sessions/words";
import { NextSteps } from "./next";

export function OverviewPage() {
  const host = useQuery(queries.host);
  return (
    <Shown query={host}>
      {(data) => (
        <>
          <Hero host={data} />
          <Waiting />
          <div className="mt-6 grid gap-6 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] xl:items-start">
            <div className="flex min-w-0 flex-col gap-6">
              {data.devices === 0 ? <NextSteps host={data} /> : <Playing />}
            </div>
            <div className="flex min-w-0 flex-col gap-6">
              <HealthPanel findings={data.health.findings} state={data.health.state} />
              <Reach host={data} />
            </div>
          </div>
        </>
      )}
    </Shown>
  );
}

const WORDS = {
  ok: "overview.well",
  warning: "overview.warning",
  error: "overview.error",
} as const;

function Hero({ host }: { host: Host }) {
  return (
    <section className="relative overflow-hidden rounded-panel border border-line bg-panel">
      <Waves
        className="absolute inset-y-0 right-0 hidden h-full w-1/2 text-accent opacity-45 md:block"
        live={host.sessions > 0}
      />
      <div className="relative p-5 sm:p-8">
        <PageHead title={host.name} lead={t(WORDS[host.health.state])} />
        <div className="flex flex-wrap gap-x-10 gap-y-4">
          <Figure name={t("overview.playing")} value={count(host.sessions)} />
          <Figure name={t("overview.paired")} value={count(host.devices)} />
          <Figure name={t("overview.uptime")} value={span(host.uptime)} />
          <Figure name={t("overview.version")} value={host.version} />
        </div>
      </div>
    </section>
  );
}

/** Somebody stands at the door. */
function Waiting() {
  const pairing = useQuery(queries.pairing);
  const n = (pairing.data?.attempts.length ?? 0) + (pairing.data?.knocks.length ?? 0);
  return (
    <div role="status" className="mt-6 empty:hidden">
      {n > 0 && (
        <Notice
          tone="info"
          title={tn("overview.waiting", n)}
          actions={
            <LinkButton to="/devices" look="primary">
              {t("overview.let_in")}
            </LinkButton>
          }
        >
          {t("overview.waiting_lead")}
        </Notice>
      )}
    </div>
  );
}

function Playing() {
  const sessions = useQuery(queries.sessions);
  const figures = useNewestFigures();
  return (
    <Panel
      id="playing"
      title={t("overview.now")}
      actions={<LinkButton to="/library">{t("overview.library")}</LinkButton>}
    >
      <Shown query={sessions}>
        {(data) =>
          data.sessions.length === 0 ? (
            <p className="dots rounded-control px-5 py-10 text-center text-dim">
              {t("overview.nobody")}
            </p>
          ) : (
            <ul className="flex flex-col gap-3">
              {data.sessions.map((session) => (
                <Player
                  key={session.id}
                  session={session}
                  figures={figures[session.id] ?? session.figures}
                />
              ))}
            </ul>
          )
        }
      </Shown>
    </Panel>
  );
}

function Player({ session, figures }: { session: Session; figures: Figures | null | undefined }) {
  const state = sessionState(session);
  return (
    <li className="rounded-control border border-line bg-raised p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <p className="text-lg font-semibold">{session.app.title}</p>
          <p className="text-sm text-dim">
            {t("overview.on", { device: session.device.name })}
            {session.stream && ` · ${streamLine(session.stream)}`}
          </p>
          <div className="mt-1.5">
            <Status tone={state.tone} live={session.state === "playing"}>
              {state.text}
            </Status>
          </div>
        </div>
        <LinkButton to="/sessions/$session" params={{ session: session.id }}>
          {t("overview.watch")}
        </LinkButton>
      </div>
      {figures && session.state === "playing" && (
        <div className="mt-4 grid grid-cols-2 gap-x-6 gap-y-3 border-t border-line pt-4 sm:grid-cols-4">
          <Figure name={t("figure.fps")} value={count(figures.fps)} />
          <Figure name={t("figure.bitrate")} value={rate(figures.bitrate_kbps)} />
          <Figure name={t("figure.loss")} value={percent(figures.loss_percent)} />
          <Figure
            name={t("figure.encode")}
            value={figures.latency_ms.encode ? millis(figures.latency_ms.encode.p50) : "–"}
          />
        </div>
      )}
    </li>
  );
}

function HealthPanel({ findings, state }: { findings: Finding[]; state: Host["health"]["state"] }) {
  const bad = findings.filter((one) => one.severity !== "ok");
  return (
    <Panel
      id="health"
      title={t("overview.health")}
      actions={<LinkButton to="/diagnostics">{t("overview.diagnostics")}</LinkButton>}
    >
      {bad.length === 0 ? (
        <Status tone={state}>{t("overview.no_findings")}</Status>
      ) : (
        <ul className="flex flex-col gap-4">
          {bad.map((one) => (
            <li key={one.id}>
              <Status tone={tone(one.severity)}>
                <span className="min-w-0 break-words text-ink">
                  <Marked text={one.title} />
                </span>
              </Status>
              {one.fix && (
                <p className="mt-1 pl-4.5 text-sm break-words text-dim">
                  <Marked text={one.fix} />
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Reach({ host }: { host: Host }) {
  return (
    <Panel id="reach" title={t("overview.reach")} lead={t("overview.reach_lead")}>
      <Facts
        rows={[
          [
            t("overview.addresses"),
            <ul key="a" className="font-mono text-sm">
              {host.addresses.map((address) => (
                <li key={address}>{address}</li>
              ))}
            </ul>,
          ],
          [
            "Moonlight",
            host.gamestream
              ? t("overview.port", { port: host.gamestream_port })
              : t("overview.off"),
          ],
          ["punktfunk", t("overview.port", { port: host.native_port })],
        ]}
      />
    </Panel>
  );
}
