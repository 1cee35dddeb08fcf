// All sessions: who plays what, and the way to watch one.
import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { Session } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { useNow } from "../../parts/clock";
import { Shown } from "../../parts/errors";
import { Empty, PageHead, Status } from "../../parts/layout";
import { t } from "../../strings";
import { span } from "../../strings/format";
import { sessionState, streamLine } from "./words";

export function SessionsPage() {
  const sessions = useQuery(queries.sessions);
  return (
    <>
      <PageHead title={t("nav.sessions")} lead={t("sessions.lead")} />
      <Shown query={sessions}>
        {(data) =>
          data.sessions.length === 0 ? (
            <Empty
              title={t("sessions.none")}
              actions={
                <>
                  <LinkButton to="/library" look="primary">
                    {t("overview.library")}
                  </LinkButton>
                  <LinkButton to="/devices">{t("next.pair_action")}</LinkButton>
                </>
              }
            >
              {t("sessions.none_lead")}
            </Empty>
          ) : (
            <ul className="flex flex-col gap-4">
              {data.sessions.map((session) => (
                <Row key={session.id} session={session} />
              ))}
            </ul>
          )
        }
      </Shown>
      <p className="mt-6 text-sm text-dim">{t("sessions.past")}</p>
      <div className="mt-2">
        <LinkButton to="/diagnostics">{t("sessions.past_action")}</LinkButton>
      </div>
    </>
  );
}

function Row({ session }: { session: Session }) {
  const now = useNow(10_000);
  const state = sessionState(session);
  return (
    <li className="flex flex-wrap items-center justify-between gap-4 rounded-panel border border-line bg-panel p-5">
      <div className="min-w-0">
        <h2 className="text-lg font-semibold">{session.app.title}</h2>
        <p className="text-sm text-dim">
          {t("overview.on", { device: session.device.name })}
          {" · "}
          {t("sessions.for", { span: span(now - session.started) })}
          {session.stream && ` · ${streamLine(session.stream)}`}
        </p>
        <div className="mt-1.5">
          <Status tone={state.tone} live={session.state === "playing"}>
            {state.text}
          </Status>
        </div>
      </div>
      <LinkButton look="primary" to="/sessions/$session" params={{ session: session.id }}>
        {t("overview.watch")}
      </LinkButton>
    </li>
  );
}
