// Buttons and what looks like one. A button that works shows it and cannot be pressed twice.
import { Link, type LinkProps } from "@tanstack/react-router";
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Icon, type IconName } from "./icons";

export type Look = "primary" | "plain" | "quiet" | "danger" | "quiet-danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent border-transparent font-semibold hover:brightness-110",
  plain: "bg-raised text-ink border-edge hover:border-ink",
  quiet: "bg-transparent text-ink border-transparent hover:bg-raised",
  danger: "bg-transparent text-error border-error hover:bg-soft-error",
  "quiet-danger": "bg-transparent text-error border-transparent hover:bg-soft-error",
};

const SHAPE =
  "inline-flex items-center justify-center gap-2 rounded-control border min-h-11 px-4 py-2 text-center transition-[filter,border-color,background-color] disabled:opacity-55 aria-disabled:opacity-55";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: IconName;
  busy?: boolean;
  children?: ReactNode;
}

export function Button({
  look = "plain",
  icon,
  busy,
  className = "",
  children,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      // Not `disabled`: the focus stays where it is while something is done.
      aria-disabled={busy || rest.disabled}
      onClick={busy ? (event) => event.preventDefault() : rest.onClick}
      className={`${SHAPE} ${LOOKS[look]} ${className}`}
    >
      {busy ? <Busy /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button of an icon alone; `label` is what it is called. */
export function IconButton({
  icon,
  label,
  look = "quiet",
  className = "",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { icon: IconName; label: string; look?: Look }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={`inline-flex size-11 shrink-0 items-center justify-center rounded-control border disabled:opacity-40 ${LOOKS[look]} ${className}`}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A way to another page that looks like a button. */
export function LinkButton({
  look = "plain",
  icon,
  children,
  ...rest
}: LinkProps & { look?: Look; icon?: IconName; children: ReactNode; onClick?: () => void }) {
  return (
    <Link {...rest} className={`${SHAPE} ${LOOKS[look]}`}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}

/** Three dots that run. */
export function Busy({ className = "" }: { className?: string }) {
  return (
    <svg
      viewBox="0 0 22 6"
      className={`w-6 shrink-0 ${className}`}
      fill="currentColor"
      aria-hidden="true"
    >
      <circle cx="3" cy="3" r="2.5" className="wave-1" />
      <circle cx="11" cy="3" r="2.5" className="wave-2" />
      <circle cx="19" cy="3" r="2.5" className="wave-3" />
    </svg>
  );
}
