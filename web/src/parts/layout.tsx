// The surfaces that pages are made of: head, panel, empty state, badge, status dot, list of
// facts. They hold no state.
import { type ReactNode, useEffect, useRef } from "react";
import { t } from "../strings";
import { Icon, type IconName } from "./icons";
import { Mark } from "./signal";

/** The head of a page; also what the window's title says. */
export function PageHead({
  title,
  lead,
  children,
}: {
  title: string;
  lead?: ReactNode;
  children?: ReactNode;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · punktfunk`;
  }, [title]);
  return (
    <header className="mb-6 flex flex-wrap items-end justify-between gap-x-6 gap-y-4">
      <div className="max-w-2xl min-w-0">
        <h1 ref={heading} className="text-3xl font-semibold tracking-tight">
          {title}
        </h1>
        {lead && <p className="mt-1.5 text-dim">{lead}</p>}
      </div>
      {children && <div className="flex flex-wrap gap-2">{children}</div>}
    </header>
  );
}

export function Panel({
  title,
  lead,
  actions,
  children,
  className = "",
  id,
}: {
  title?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  className?: string;
  id?: string;
}) {
  return (
    <section
      aria-labelledby={title && id ? id : undefined}
      className={`rounded-panel border border-line bg-panel p-5 sm:p-6 ${className}`}
    >
      {(title || actions) && (
        <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
          <div className="min-w-0 max-w-2xl">
            <h2 id={id} className="text-lg font-semibold">
              {title}
            </h2>
            {lead && <p className="mt-1 text-sm text-dim">{lead}</p>}
          </div>
          {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** What a place says while there is nothing in it: what belongs here, and how it gets here. */
export function Empty({
  title,
  children,
  actions,
  inside = false,
}: {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  /** It stands in a panel, below that panel's heading, and not in the page itself. */
  inside?: boolean;
}) {
  const Heading = inside ? "h3" : "h2";
  return (
    <div className="dots rounded-panel border border-dashed border-line px-5 py-10 text-center">
      <Mark className="mx-auto mb-4 size-10 text-accent" />
      <Heading className="text-lg font-semibold">{title}</Heading>
      {children && <div className="mx-auto mt-2 max-w-lg text-dim">{children}</div>}
      {actions && <div className="mt-5 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

export type Tone = "ok" | "info" | "warning" | "error" | "dim" | "accent";

const TEXT: Record<Tone, string> = {
  ok: "text-ok",
  info: "text-info",
  warning: "text-warning",
  error: "text-error",
  dim: "text-dim",
  accent: "text-accent",
};

export function tone(severity: string): Tone {
  return severity === "ok" || severity === "info" || severity === "warning" || severity === "error"
    ? severity
    : "dim";
}

export function Dot({ tone: t, live = false }: { tone: Tone; live?: boolean }) {
  return (
    <span
      aria-hidden="true"
      className={`dot inline-block size-2.5 shrink-0 rounded-full bg-current ${TEXT[t]} ${live ? "sends" : ""}`}
    />
  );
}

/** A word with a dot before it. */
export function Status({
  tone: t,
  live,
  children,
}: {
  tone: Tone;
  live?: boolean;
  children: ReactNode;
}) {
  return (
    <span
      className={`inline-flex max-w-full items-start gap-2 text-sm font-medium ${TEXT[t]} [&>.dot]:mt-[0.36em]`}
    >
      <Dot tone={t} live={live} />
      {children}
    </span>
  );
}

export function Badge({ children, tone: t = "dim" }: { children: ReactNode; tone?: Tone }) {
  return (
    <span
      className={`inline-block rounded-full border border-current px-2.5 py-0.5 text-xs ${TEXT[t]}`}
    >
      {children}
    </span>
  );
}

/** A note that stands in a page: something to know or to do. */
export function Notice({
  tone: t,
  title,
  children,
  actions,
}: {
  tone: "info" | "warning" | "error" | "ok";
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  const ground = {
    info: "bg-soft",
    ok: "bg-soft",
    warning: "bg-soft-warning",
    error: "bg-soft-error",
  }[t];
  const icon: IconName = t === "ok" ? "check" : t === "info" ? "about" : "warning";
  return (
    <div className={`flex flex-wrap items-center gap-x-4 gap-y-3 rounded-panel p-4 ${ground}`}>
      <div className="flex min-w-0 flex-1 basis-64 items-start gap-3">
        <Icon name={icon} className={`mt-0.5 size-5 ${TEXT[t]}`} />
        <div className="min-w-0">
          <p className="font-semibold">{title}</p>
          {children && <div className="mt-0.5 text-sm">{children}</div>}
        </div>
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </div>
  );
}

/** Names and values in two columns. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[max-content_minmax(0,1fr)]">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-sm text-dim sm:py-0.5">{name}</dt>
          <dd className="mb-1.5 min-w-0 break-words sm:mb-0">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A large figure with its name. */
export function Figure({
  name,
  value,
  note,
}: {
  name: string;
  value: ReactNode;
  note?: ReactNode;
}) {
  return (
    <div className="min-w-0">
      <p className="text-sm text-dim">{name}</p>
      <p className="mt-0.5 text-2xl font-light tracking-tight whitespace-nowrap">{value}</p>
      {note && <p className="text-sm text-dim">{note}</p>}
    </div>
  );
}

/** Something is fetched. */
export function Loading() {
  return (
    <div role="status" className="flex items-center gap-3 py-16 text-dim justify-center">
      <Mark className="size-8 text-accent" live />
      <span>{t("state.loading")}</span>
    </div>
  );
}
