// The claim of a new host: the secret that it showed on its own machine, and a password.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { login } from "../../api/api";
import { client, entered, queries } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Button, LinkButton } from "../../parts/button";
import { ErrorText } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Notice } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { claimSecret, dropSecret } from "../../shell/secret";
import { t } from "../../strings";
import { Gate, LEAST } from "./gate";

export function ClaimPage() {
  const host = useQuery(queries.public);
  useEffect(() => {
    document.title = `${t("claim.title")} · punktfunk`;
  }, []);
  if (host.data?.claimed) {
    return (
      <Gate title={t("claim.done_title")} lead={t("claim.done_lead")}>
        <LinkButton to="/login" look="primary" onClick={dropSecret}>
          {t("login.title")}
        </LinkButton>
      </Gate>
    );
  }
  return (
    <Gate
      title={host.data ? t("claim.welcome", { name: host.data.name }) : t("claim.title")}
      lead={t("claim.lead")}
    >
      <ClaimForm hint={host.data?.setup_hint ?? ""} />
    </Gate>
  );
}

function ClaimForm({ hint }: { hint: string }) {
  const [secret, setSecret] = useState(claimSecret);
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const navigate = useNavigate();
  const claim = useAction(async () => {
    const me = await login.claim(secret.trim(), password);
    dropSecret();
    entered(me);
    await navigate({ to: "/" });
    void client.invalidateQueries({ queryKey: queries.public.queryKey });
  });
  const short = password.length < LEAST ? t("password.short", { n: LEAST }) : undefined;
  const other = again !== password ? t("password.differ") : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!short && !other) void claim.run();
  };
  const fromLink = claimSecret() !== "";
  return (
    <form onSubmit={submit} className="flex flex-col gap-5" noValidate>
      {fromLink ? (
        <Notice tone="ok" title={t("claim.from_link")} />
      ) : (
        <TextField
          label={t("claim.secret")}
          help={<Marked text={hint || t("claim.secret_help")} />}
          name="secret"
          className="font-mono"
          required
          autoFocus
          value={secret}
          onText={setSecret}
        />
      )}
      <TextField
        label={t("claim.password")}
        help={t("password.help", { n: LEAST })}
        type="password"
        name="password"
        autoComplete="new-password"
        autoFocus={fromLink}
        value={password}
        onText={setPassword}
        error={tried ? short : undefined}
      />
      <TextField
        label={t("password.again")}
        type="password"
        name="again"
        autoComplete="new-password"
        value={again}
        onText={setAgain}
        error={tried && !short ? other : undefined}
      />
      <div>
        <Button type="submit" look="primary" busy={claim.busy} className="w-full">
          {t("claim.claim")}
        </Button>
        <ErrorText error={claim.error} />
      </div>
    </form>
  );
}
