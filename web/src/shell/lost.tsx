// The pages for what is not there and for what broke: both lead on.
import type { ErrorComponentProps } from "@tanstack/react-router";
import { useState } from "react";
import { client } from "../api/queries";
import { Button, LinkButton } from "../parts/button";
import { explain } from "../parts/errors";
import { Mark } from "../parts/signal";
import { t } from "../strings";
import { router } from "./router";

function Alone({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <main className="mx-auto flex min-h-[70dvh] max-w-lg flex-col items-start justify-center p-6">
      <Mark className="mb-6 size-14 text-accent" />
      <h1 className="text-2xl font-semibold">{title}</h1>
      {children}
    </main>
  );
}

export function Missing() {
  return (
    <Alone title={t("missing.title")}>
      <p className="mt-2 mb-6 text-dim">{t("missing.lead")}</p>
      <LinkButton to="/" look="primary" icon="overview">
        {t("nav.overview")}
      </LinkButton>
    </Alone>
  );
}

export function Broken({ error, reset }: ErrorComponentProps) {
  const [busy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    await client.invalidateQueries();
    await router.invalidate();
    reset();
    setBusy(false);
  };
  return (
    <Alone title={t("error.title")}>
      <p className="mt-2 mb-6 text-dim">{explain(error)}</p>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" icon="restart" busy={busy} onClick={() => void again()}>
          {t("action.retry")}
        </Button>
        <Button onClick={() => location.reload()}>{t("action.reload")}</Button>
      </div>
    </Alone>
  );
}
