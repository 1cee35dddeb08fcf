// The login: one password, and the way back to where one was going.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { login } from "../../api/api";
import { entered, isLoggedOut, queries } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { explain } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { t } from "../../strings";
import { Gate } from "./gate";

/** Here 401 has one meaning. */
function wrong(error: unknown): string | undefined {
  if (!error) return undefined;
  return isLoggedOut(error) ? t("error.wrong_password") : explain(error);
}

export function LoginPage() {
  const [password, setPassword] = useState("");
  const { back } = useSearch({ from: "/login" });
  const host = useQuery(queries.public);
  const router = useRouter();
  const navigate = useNavigate();
  const enter = useAction(async () => {
    entered(await login.login(password));
    if (back) router.history.push(back);
    else await navigate({ to: "/" });
  });
  useEffect(() => {
    document.title = `${t("login.title")} · punktfunk`;
  }, []);
  useEffect(() => {
    if (host.data?.claimed === false) void navigate({ to: "/claim" });
  }, [host.data, navigate]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter.run();
  };
  return (
    <Gate
      title={t("login.title")}
      lead={host.data ? t("login.lead", { name: host.data.name }) : " "}
    >
      <form onSubmit={submit} className="flex flex-col gap-5">
        <TextField
          label={t("login.password")}
          type="password"
          name="password"
          autoComplete="current-password"
          required
          autoFocus
          value={password}
          onText={setPassword}
          error={wrong(enter.error)}
        />
        <Button type="submit" look="primary" busy={enter.busy}>
          {t("login.enter")}
        </Button>
      </form>
      <details className="mt-6 text-sm text-dim">
        <summary className="min-h-8 w-fit rounded-control">{t("login.forgot")}</summary>
        <p className="mt-2">{t("login.forgot_lead")}</p>
        <code className="mt-2 block rounded-control bg-raised p-3 font-mono text-ink">
          punktfunk-host claim --reset
        </code>
      </details>
    </Gate>
  );
}
