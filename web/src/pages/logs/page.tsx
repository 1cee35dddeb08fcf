// The host's log, live: what it kept, then every new line; filtered, held still, copied.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { logs as api } from "../../api/api";
import { useLogLines } from "../../api/live";
import { LEVELS, type Level, type LogLine } from "../../api/types";
import { useAction } from "../../parts/action";
import { note } from "../../parts/announce";
import { Button, LinkButton } from "../../parts/button";
import { ErrorText } from "../../parts/errors";
import { SelectField, TextField } from "../../parts/field";
import { Empty, PageHead } from "../../parts/layout";
import { t, tn } from "../../strings";
import { stamp } from "../../strings/format";
import { add, asText, type Filter, KEPT, passes } from "./lines";

const INK: Record<Level, string> = {
  error: "text-error",
  warn: "text-warning",
  info: "text-info",
  debug: "text-dim",
  trace: "text-dim",
};

export function LogsPage() {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [filter, setFilter] = useState<Filter>({ level: "info", target: "", text: "" });
  const [paused, setPaused] = useState(false);
  const held = useRef<LogLine[]>([]);
  const [waiting, setWaiting] = useState(0);
  const load = useAction(async () => {
    const kept = await api.list({ limit: 1000 });
    setLines((now) => add(kept.lines, now));
  });
  const { run } = load;
  const first = useRef(true);
  useEffect(() => {
    if (first.current) void run();
    first.current = false;
  }, [run]);
  const link = useLogLines(true, (line) => {
    if (paused) {
      held.current = [...held.current, line].slice(-KEPT);
      setWaiting(held.current.length);
    } else setLines((now) => add(now, [line]));
  });
  // A link that came back may have missed lines: the host kept them.
  const before = useRef(link);
  useEffect(() => {
    if (before.current === "lost" && link === "open") void run();
    before.current = link;
  }, [link, run]);
  const go = () => {
    setLines((now) => add(now, held.current));
    held.current = [];
    setWaiting(0);
    setPaused(false);
  };
  const shown = lines.filter((line) => passes(line, filter));
  const copy = async () => {
    await navigator.clipboard.writeText(shown.map(asText).join("\n"));
    note(tn("logs.copied", shown.length));
  };
  return (
    <>
      <PageHead title={t("nav.logs")} lead={t("logs.lead")}>
        <Button
          icon={paused ? "play" : "pause"}
          aria-pressed={paused}
          onClick={() => (paused ? go() : setPaused(true))}
        >
          {paused ? tn("logs.go_on", waiting) : t("logs.pause")}
        </Button>
        <Button icon="copy" onClick={() => void copy()}>
          {t("action.copy")}
        </Button>
        <LinkButton to="/diagnostics" icon="diagnostics">
          {t("logs.bundle")}
        </LinkButton>
      </PageHead>
      <div className="mb-4 grid gap-4 sm:grid-cols-3">
        <SelectField
          label={t("logs.level")}
          value={filter.level}
          options={LEVELS.map((level) => ({ value: level, title: t(`level.${level}`) }))}
          onPick={(level) => setFilter((old) => ({ ...old, level: level as Level }))}
        />
        <TextField
          label={t("logs.target")}
          placeholder="session"
          value={filter.target}
          onText={(target) => setFilter((old) => ({ ...old, target }))}
        />
        <TextField
          label={t("logs.text")}
          type="search"
          value={filter.text}
          onText={(text) => setFilter((old) => ({ ...old, text }))}
        />
      </div>
      <ErrorText error={load.error} />
      {shown.length === 0 ? (
        <Empty title={t("logs.none")}>{t("logs.none_lead")}</Empty>
      ) : (
        <Lines lines={shown} paused={paused} />
      )}
    </>
  );
}

/** The lines, newest at the foot; it follows them until the reader scrolls up. */
function Lines({ lines, paused }: { lines: readonly LogLine[]; paused: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useLayoutEffect(() => {
    if (box.current && follows.current && !paused) box.current.scrollTop = box.current.scrollHeight;
  });
  return (
    <div
      ref={box}
      role="log"
      aria-live="off"
      aria-label={t("nav.logs")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keys
      tabIndex={0}
      onScroll={(event) => {
        const at = event.currentTarget;
        follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
      }}
      className="h-[62dvh] min-h-72 overflow-auto rounded-panel border border-line bg-panel p-4 font-mono text-[0.8125rem] leading-relaxed"
    >
      {lines.map((line) => (
        <div key={line.id} className="flex flex-wrap gap-x-3 py-px sm:flex-nowrap">
          <span className="text-dim">{stamp(line.at_ms)}</span>
          <span className={`w-12 shrink-0 font-semibold uppercase ${INK[line.level]}`}>
            {line.level}
          </span>
          <span className="min-w-0 break-words">
            {line.message}
            {Object.entries(line.fields).map(([name, value]) => (
              <span key={name} className="text-dim">{` ${name}=${value}`}</span>
            ))}
            <span className="text-dim">{` · ${line.target}`}</span>
          </span>
        </div>
      ))}
    </div>
  );
}
