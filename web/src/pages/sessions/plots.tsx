// The moving plots of a session: one minute of frames, bitrate, loss and parity, and latency
// by stage; with the newest values as text beside them.
import { useState } from "react";
import { type Figures, STAGES, type Stage } from "../../api/types";
import { colour, Plot } from "../../parts/plot";
import { Series } from "../../parts/series";
import { t } from "../../strings";
import { count, millis, percent, rate, short } from "../../strings/format";

/** The last minute of a session. */
export class History {
  readonly fps = new Series(["fps"]);
  readonly bitrate = new Series(["bitrate"]);
  readonly loss = new Series(["loss", "parity"]);
  readonly latency = new Series(STAGES);

  push(figures: Figures): void {
    const at = figures.at_ms;
    this.fps.push(at, [figures.fps]);
    this.bitrate.push(at, [figures.bitrate_kbps]);
    this.loss.push(at, [figures.loss_percent, figures.parity_percent]);
    this.latency.push(
      at,
      STAGES.map((stage) => figures.latency_ms[stage]?.p50),
    );
  }
}

export function useHistory(): History {
  return useState(() => new History())[0];
}

/** A colour of a plot, as a class name each: built class names would not be found. */
const SWATCH = [
  "bg-(--plot-1)",
  "bg-(--plot-2)",
  "bg-(--plot-3)",
  "bg-(--plot-4)",
  "bg-(--plot-5)",
  "bg-(--plot-6)",
];

function Swatch({ index }: { index: number }) {
  return (
    <span
      aria-hidden="true"
      data-colour={colour(index)}
      className={`dot inline-block size-2.5 shrink-0 rounded-full ${SWATCH[index]}`}
    />
  );
}

export function Plots({ history, figures }: { history: History; figures: Figures }) {
  return (
    <div className="grid gap-6 lg:grid-cols-2 xl:grid-cols-3">
      <Card title={t("figure.fps")} value={count(figures.fps)}>
        <Plot
          series={history.fps}
          label={t("plot.fps", { value: count(figures.fps) })}
          format={count}
          least={30}
        />
      </Card>
      <Card title={t("figure.bitrate")} value={rate(figures.bitrate_kbps)}>
        <Plot
          series={history.bitrate}
          label={t("plot.bitrate", { value: rate(figures.bitrate_kbps) })}
          format={rateMark}
          least={1000}
        />
      </Card>
      <Card
        className="lg:col-span-2 xl:col-span-1"
        title={t("plot.loss_title")}
        value={
          <span className="flex flex-wrap gap-x-4">
            <span className="flex items-center gap-2">
              <Swatch index={0} /> {t("figure.loss")} {percent(figures.loss_percent)}
            </span>
            <span className="flex items-center gap-2">
              <Swatch index={1} /> {t("figure.parity")} {percent(figures.parity_percent)}
            </span>
          </span>
        }
      >
        <Plot
          series={history.loss}
          label={t("plot.loss", {
            loss: percent(figures.loss_percent),
            parity: percent(figures.parity_percent),
          })}
          format={percentMark}
          least={5}
        />
      </Card>
      <Latency history={history} figures={figures} />
    </div>
  );
}

/** Marks of the axes need no digits after the point, unless they lie between whole numbers. */
const percentMark = (value: number) => `${count(value)} %`;
const millisMark = (value: number) => `${Number.isInteger(value) ? count(value) : short(value)} ms`;
const rateMark = (value: number) => (value === 0 ? "0" : rate(value));

function Card({
  title,
  value,
  className = "",
  children,
}: {
  title: string;
  className?: string;
  value: React.ReactNode;
  children: React.ReactNode;
}) {
  return (
    <section
      className={`flex min-w-0 flex-col rounded-panel border border-line bg-panel p-5 ${className}`}
    >
      <div className="mb-3 flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h2 className="font-semibold">{title}</h2>
        <div className="text-sm text-dim">{value}</div>
      </div>
      {/* Plots beside each other end at one line, whatever stands above them. */}
      <div className="mt-auto">{children}</div>
    </section>
  );
}

function Latency({ history, figures }: { history: History; figures: Figures }) {
  const stages = STAGES.filter((stage) => figures.latency_ms[stage]);
  const total = stages.reduce((sum, stage) => sum + (figures.latency_ms[stage]?.p50 ?? 0), 0);
  return (
    <Card
      className="lg:col-span-2 xl:col-span-3"
      title={t("plot.latency_title")}
      value={t("plot.total", { value: millis(total) })}
    >
      <div className="grid gap-x-8 gap-y-3 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] xl:items-center">
        <Plot
          series={history.latency}
          label={t("plot.latency", { value: millis(total) })}
          format={millisMark}
          least={10}
          stacked
        />
        <table className="w-full text-sm">
          <thead className="text-dim">
            <tr>
              <th className="pb-1 text-left font-normal">{t("plot.stage")}</th>
              <th className="pb-1 text-right font-normal">{t("plot.p50")}</th>
              <th className="pb-1 text-right font-normal">{t("plot.p95")}</th>
              <th className="pb-1 text-right font-normal">{t("plot.max")}</th>
            </tr>
          </thead>
          <tbody>
            {stages.map((stage) => (
              <StageRow key={stage} stage={stage} figures={figures} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function StageRow({ stage, figures }: { stage: Stage; figures: Figures }) {
  const spread = figures.latency_ms[stage];
  if (!spread) return null;
  return (
    <tr className="border-t border-line">
      <th scope="row" className="py-1 text-left font-normal">
        <span className="flex items-center gap-2">
          <Swatch index={STAGES.indexOf(stage)} />
          {t(`stage.${stage}`)}
        </span>
      </th>
      <td className="text-right">{millis(spread.p50)}</td>
      <td className="text-right">{millis(spread.p95)}</td>
      <td className="text-right">{millis(spread.max)}</td>
    </tr>
  );
}
