// What only the owner does: password, tokens for programs, backup, restore, factory reset.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { login } from "../../api/api";
import { ApiError } from "../../api/client";
import { queries } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { explain } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { PageHead, Panel } from "../../parts/layout";
import { logOut } from "../../shell/frame";
import { t } from "../../strings";
import { moment } from "../../strings/format";
import { LEAST } from "../login/gate";
import { BackupPanel } from "./backup";
import { ResetPanel } from "./reset";
import { TokensPanel } from "./tokens";

export function OwnerPage() {
  const me = useQuery(queries.me);
  return (
    <>
      <PageHead
        title={t("nav.owner")}
        lead={
          me.data?.expires_absolute
            ? t("owner.lead_until", { when: moment(me.data.expires_absolute) })
            : t("owner.lead")
        }
      >
        <Button icon="logout" onClick={() => void logOut()}>
          {t("action.logout")}
        </Button>
      </PageHead>
      <div className="grid gap-6 xl:grid-cols-2 xl:items-start">
        <div className="flex min-w-0 flex-col gap-6">
          <TokensPanel />
          <BackupPanel />
        </div>
        <div className="flex min-w-0 flex-col gap-6">
          <PasswordPanel />
          <ResetPanel />
        </div>
      </div>
    </>
  );
}

function PasswordPanel() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const change = useAction(
    async () => {
      await login.change(current, next);
      setCurrent("");
      setNext("");
      setAgain("");
      setTried(false);
    },
    { done: t("owner.password_done") },
  );
  const short = next.length < LEAST ? t("password.short", { n: LEAST }) : undefined;
  const differ = next !== again ? t("password.differ") : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!short && !differ) void change.run();
  };
  const { error } = change;
  const wrong = error instanceof ApiError && (error.status === 401 || error.field === "current");
  const other = error && !wrong ? explain(error) : undefined;
  return (
    <Panel id="password" title={t("owner.password")} lead={t("owner.password_lead")}>
      <form onSubmit={submit} noValidate className="flex flex-col gap-4">
        <TextField
          label={t("owner.current")}
          type="password"
          autoComplete="current-password"
          value={current}
          error={wrong ? t("error.wrong_password") : undefined}
          onText={setCurrent}
        />
        <TextField
          label={t("claim.password")}
          help={t("password.help", { n: LEAST })}
          type="password"
          autoComplete="new-password"
          value={next}
          error={tried ? (short ?? other) : undefined}
          onText={setNext}
        />
        <TextField
          label={t("password.again")}
          type="password"
          autoComplete="new-password"
          value={again}
          error={tried && !short ? differ : undefined}
          onText={setAgain}
        />
        <div>
          <Button type="submit" busy={change.busy}>
            {t("owner.password_change")}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
