// How past sessions went, as the host recorded them.
import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { PastSession } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { Empty, Figure, Panel } from "../../parts/layout";
import { t } from "../../strings";
import { count, millis, moment, percent, rate, size, span } from "../../strings/format";
import { streamLine } from "../sessions/words";

export function Past() {
  const past = useQuery(queries.statistics);
  return (
    <Shown query={past}>
      {(data) =>
        data.sessions.length === 0 ? (
          <Empty
            title={t("past.none")}
            actions={<LinkButton to="/library">{t("overview.library")}</LinkButton>}
          >
            {t("past.none_lead")}
          </Empty>
        ) : (
          <ul className="flex flex-col gap-4">
            {[...data.sessions].reverse().map((session) => (
              <li key={`${session.started} ${session.device.id}`}>
                <Record session={session} />
              </li>
            ))}
          </ul>
        )
      }
    </Shown>
  );
}

function Record({ session }: { session: PastSession }) {
  const { figures, stream } = session;
  const encode = figures?.latency_ms.encode;
  return (
    <Panel
      title={session.app.title}
      lead={[
        t("overview.on", { device: session.device.name }),
        moment(session.started),
        span(session.ended - session.started),
        ...(stream ? [streamLine(stream)] : []),
      ].join(" · ")}
    >
      {figures && (
        <div className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3 lg:grid-cols-6">
          <Figure name={t("figure.fps")} value={count(figures.fps)} />
          <Figure name={t("figure.bitrate")} value={rate(figures.bitrate_kbps)} />
          <Figure name={t("figure.loss")} value={percent(figures.loss_percent)} />
          <Figure name={t("session.lost")} value={count(figures.lost_frames)} />
          <Figure name={t("figure.encode")} value={encode ? millis(encode.p50) : "–"} />
          <Figure name={t("session.sent")} value={size(figures.bytes)} />
        </div>
      )}
    </Panel>
  );
}
