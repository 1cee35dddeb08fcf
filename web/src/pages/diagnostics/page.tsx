// Diagnostics: every probe by area, what mends it, the bundle for a report, and how past
// sessions went.
import * as Tabs from "@radix-ui/react-tabs";
import { useQuery } from "@tanstack/react-query";
import { diagnostics as api } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { Area as AreaName, Diagnostics, Probe } from "../../api/types";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { ErrorText, Shown } from "../../parts/errors";
import { keep } from "../../parts/files";
import { Empty, PageHead, Panel, Status, tone } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { t, tn } from "../../strings";
import { ago } from "../../strings/format";
import { Past } from "./past";

const TAB =
  "min-h-11 rounded-control px-4 font-medium text-dim hover:text-ink data-[state=active]:bg-soft data-[state=active]:text-ink";

export function DiagnosticsPage() {
  const bundle = useAction(
    async () => {
      const { blob, name } = await api.bundle();
      keep(blob, name ?? "punktfunk-support.tar.gz");
    },
    { aloud: true },
  );
  return (
    <>
      <PageHead title={t("nav.diagnostics")} lead={t("diagnostics.lead")}>
        <Button icon="download" busy={bundle.busy} onClick={() => void bundle.run()}>
          {t("diagnostics.bundle")}
        </Button>
      </PageHead>
      <Tabs.Root defaultValue="probes">
        <Tabs.List aria-label={t("nav.diagnostics")} className="mb-5 flex flex-wrap gap-1">
          <Tabs.Trigger value="probes" className={TAB}>
            {t("diagnostics.probes")}
          </Tabs.Trigger>
          <Tabs.Trigger value="past" className={TAB}>
            {t("diagnostics.past")}
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="probes" tabIndex={-1} className="rounded-panel">
          <Probes />
        </Tabs.Content>
        <Tabs.Content value="past" tabIndex={-1} className="rounded-panel">
          <Past />
        </Tabs.Content>
      </Tabs.Root>
      <p className="mt-6 max-w-2xl text-sm text-dim">{t("diagnostics.bundle_lead")}</p>
    </>
  );
}

function set(next: Diagnostics): void {
  client.setQueryData(queries.diagnostics.queryKey, next);
  void client.invalidateQueries({ queryKey: queries.host.queryKey });
}

function Probes() {
  const query = useQuery(queries.diagnostics);
  const run = useAction(async (area?: AreaName) => set(await api.run(area)));
  return (
    <Shown query={query}>
      {(data) => {
        const start = (
          <Button look="primary" icon="diagnostics" busy={run.busy} onClick={() => void run.run()}>
            {run.busy ? t("diagnostics.running") : t("diagnostics.run")}
          </Button>
        );
        if (data.probes.length === 0) {
          return (
            <>
              <Empty title={t("diagnostics.none")} actions={start}>
                {t("diagnostics.none_lead")}
              </Empty>
              <ErrorText error={run.error} />
            </>
          );
        }
        const areas = [...new Set(data.probes.map((probe) => probe.area))];
        return (
          <>
            <div className="mb-5 flex flex-wrap items-center gap-x-6 gap-y-3">
              {start}
              <p className="text-dim" role="status">
                {summary(data)}
              </p>
            </div>
            <ErrorText error={run.error} />
            <div className="gap-6 xl:columns-2">
              {areas.map((area) => (
                <Area
                  key={area}
                  area={area}
                  probes={data.probes.filter((probe) => probe.area === area)}
                  busy={run.busy}
                  onRun={() => void run.run(area)}
                />
              ))}
            </div>
          </>
        );
      }}
    </Shown>
  );
}

function summary(data: Diagnostics): string {
  const bad = data.probes.filter((one) => one.severity === "error").length;
  const warned = data.probes.filter((one) => one.severity === "warning").length;
  const parts = [tn("diagnostics.errors", bad), tn("diagnostics.warnings", warned)];
  if (data.ran) parts.push(ago(data.ran));
  return parts.join(" · ");
}

/** The gravest first. */
const GRAVE = ["error", "warning", "info", "ok", "skipped"];

function Area({
  area,
  probes,
  busy,
  onRun,
}: {
  area: AreaName;
  probes: Probe[];
  busy: boolean;
  onRun: () => void;
}) {
  const name = t(`area.${area}`);
  const sorted = [...probes].sort((a, b) => GRAVE.indexOf(a.severity) - GRAVE.indexOf(b.severity));
  return (
    <Panel
      className="mb-6 break-inside-avoid"
      id={`area-${area}`}
      title={name}
      actions={
        <Button look="quiet" disabled={busy} onClick={onRun}>
          {t("diagnostics.again")}
          <span className="sr-only">{name}</span>
        </Button>
      }
    >
      <ul className="flex flex-col divide-y divide-line">
        {sorted.map((probe) => (
          <ProbeRow key={probe.id} probe={probe} />
        ))}
      </ul>
    </Panel>
  );
}

function ProbeRow({ probe }: { probe: Probe }) {
  const fix = useAction(
    async () => {
      await api.fix(probe.id);
      await client.invalidateQueries({ queryKey: queries.diagnostics.queryKey });
    },
    { done: t("diagnostics.fixed") },
  );
  const bad = probe.severity === "error" || probe.severity === "warning";
  return (
    <li className="py-3 first:pt-0 last:pb-0">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1">
        <h3 className={bad ? "font-semibold" : ""}>{probe.title}</h3>
        <Status tone={tone(probe.severity)}>{t(`severity.${probe.severity}`)}</Status>
      </div>
      <p className="mt-0.5 text-sm break-words text-dim">
        <Marked text={probe.evidence} />
      </p>
      {probe.fix && bad && (
        <p className="mt-1.5 text-sm break-words">
          <Marked text={probe.fix} />
        </p>
      )}
      {probe.fix_action && bad && (
        <Button className="mt-2" busy={fix.busy} onClick={() => void fix.run()}>
          {t("diagnostics.fix")}
          <span className="sr-only">{probe.title}</span>
        </Button>
      )}
      <ErrorText error={fix.error} />
    </li>
  );
}
