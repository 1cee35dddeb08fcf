// One session, live: figures as they are measured, why each choice was made, and what the
// owner can do about it.
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { sessions } from "../../api/api";
import { ApiError } from "../../api/client";
import { useFigures } from "../../api/live";
import type { Figures, Session, Stream } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { Empty, Facts, Figure, Notice, PageHead, Panel, Status } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { t, told } from "../../strings";
import { count, millis, percent, rate, size, span } from "../../strings/format";
import { Controls } from "./controls";
import { Plots, useHistory } from "./plots";
import { sessionState } from "./words";

export function SessionPage() {
  const { session: id } = useParams({ from: "/inside/sessions/$session" });
  const session = useQuery({ queryKey: ["session", id], queryFn: () => sessions.show(id) });
  if (session.error instanceof ApiError && session.error.status === 404) return <Gone />;
  return <Shown query={session}>{(data) => <Live key={id} session={data} />}</Shown>;
}

function Gone() {
  return (
    <>
      <PageHead title={t("session.gone")} />
      <Empty
        title={t("session.gone_lead")}
        actions={
          <>
            <LinkButton look="primary" to="/sessions">
              {t("nav.sessions")}
            </LinkButton>
            <LinkButton to="/diagnostics">{t("sessions.past_action")}</LinkButton>
          </>
        }
      />
    </>
  );
}

function Live({ session }: { session: Session }) {
  const [figures, setFigures] = useState<Figures | undefined>(session.figures ?? undefined);
  const history = useHistory();
  useFigures((of, next) => {
    if (of !== session.id) return;
    setFigures(next);
    history.push(next);
  });
  const state = sessionState(session);
  return (
    <>
      <PageHead
        title={session.app.title}
        lead={
          <span className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <span>{t("overview.on", { device: session.device.name })}</span>
            <Status tone={state.tone} live={session.state === "playing"}>
              {state.text}
            </Status>
          </span>
        }
      >
        <Controls session={session} />
      </PageHead>
      {session.state === "away" && (
        <div className="mb-6">
          <Notice tone="info" title={t("session.away_title")}>
            {t("session.away_lead")}
          </Notice>
        </div>
      )}
      {figures && session.state === "playing" && (
        <>
          <Numbers figures={figures} />
          <Plots history={history} figures={figures} />
        </>
      )}
      {session.stream && <Choices stream={session.stream} figures={figures} />}
    </>
  );
}

function Numbers({ figures }: { figures: Figures }) {
  const limiter = figures.limiter;
  return (
    <div className="mb-6 grid grid-cols-2 gap-x-6 gap-y-5 rounded-panel border border-line bg-panel p-5 sm:grid-cols-3 sm:p-6 xl:grid-cols-6">
      <Figure name={t("figure.fps")} value={count(figures.fps)} />
      <Figure
        name={t("figure.bitrate")}
        value={rate(figures.bitrate_kbps)}
        note={
          limiter ? t("figure.limited", { by: told(`limiter.${limiter}`, limiter) }) : undefined
        }
      />
      <Figure name={t("figure.loss")} value={percent(figures.loss_percent)} />
      <Figure name={t("figure.parity")} value={percent(figures.parity_percent)} />
      <Figure
        name={t("figure.rtt")}
        value={typeof figures.rtt_ms === "number" ? millis(figures.rtt_ms) : "–"}
      />
      <Figure name={t("figure.repaired")} value={count(figures.repaired)} />
    </div>
  );
}

function Choices({ stream, figures }: { stream: Stream; figures: Figures | undefined }) {
  return (
    <div className="mt-6 grid gap-6 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] xl:items-start">
      <Panel id="why" title={t("session.why")} lead={t("session.why_lead")}>
        {stream.why.length === 0 ? (
          <p className="text-dim">{t("session.why_none")}</p>
        ) : (
          <dl className="flex flex-col divide-y divide-line">
            {stream.why.map((why) => (
              <div
                key={why.stage}
                className="grid gap-x-6 gap-y-0.5 py-3 first:pt-0 last:pb-0 sm:grid-cols-[7rem_minmax(0,1fr)]"
              >
                <dt className="text-sm text-dim sm:pt-0.5">
                  {told(`stage.${why.stage}`, why.stage)}
                </dt>
                <dd>
                  <p className="font-medium">{why.choice}</p>
                  <p className="text-sm text-dim">
                    <Marked text={why.reason} />
                  </p>
                </dd>
              </div>
            ))}
          </dl>
        )}
      </Panel>
      <Panel id="stream" title={t("session.facts")}>
        <Facts
          rows={[
            [
              t("session.picture"),
              t("session.size", { width: stream.width, height: stream.height, fps: stream.fps }),
            ],
            [t("session.codec"), `${stream.codec}${stream.hdr ? ", HDR" : ""}`],
            [t("session.encoder"), stream.encoder],
            [t("session.target"), rate(stream.bitrate_kbps)],
            [t("session.sound"), t("session.channels", { n: stream.audio_channels })],
            [t("session.encrypted"), stream.encrypted ? t("word.yes") : t("word.no")],
            [t("session.since"), span(Date.now() / 1000 - stream.started)],
            ...(figures
              ? ([
                  [t("session.frames"), count(figures.frames)],
                  [t("session.lost"), count(figures.lost_frames)],
                  [t("session.sent"), size(figures.bytes)],
                ] as const)
              : []),
          ]}
        />
      </Panel>
    </div>
  );
}
