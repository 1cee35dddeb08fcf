// The surface of the two pages outside of the console: the mark, a form, and waves of dots.
import type { ReactNode } from "react";
import { Mark, Waves } from "../../parts/signal";
import { LanguageChoice, ThemeChoice } from "../../shell/look";

export function Gate({
  title,
  lead,
  children,
}: {
  title: string;
  lead: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="relative grid min-h-dvh overflow-hidden lg:grid-cols-[minmax(0,1fr)_minmax(0,1.1fr)]">
      <main className="relative z-10 flex flex-col justify-center bg-bg px-6 py-10 sm:px-12 lg:px-16">
        <div className="mx-auto w-full max-w-md">
          <div className="mb-10 flex items-center gap-3">
            <Mark className="size-11 text-accent" live />
            <span className="text-2xl font-semibold tracking-tight">punktfunk</span>
          </div>
          <h1 className="text-3xl font-semibold tracking-tight">{title}</h1>
          <div className="mt-2 mb-7 text-dim">{lead}</div>
          {children}
          <div className="mt-12 flex flex-wrap gap-3">
            <ThemeChoice />
            <LanguageChoice />
          </div>
        </div>
      </main>
      <div className="relative hidden border-l border-line bg-panel lg:block" aria-hidden="true">
        <Waves className="absolute inset-0 size-full text-accent" live />
      </div>
    </div>
  );
}

/** The least length of a password, as the host checks it. */
export const LEAST = 10;
