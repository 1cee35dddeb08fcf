// Tokens for programs: what each may do, until when, and the secret, which is shown once.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { tokens as api } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { Scope, Token } from "../../api/types";
import { useAction } from "../../parts/action";
import { note } from "../../parts/announce";
import { Button } from "../../parts/button";
import { Confirm, Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText, Shown } from "../../parts/errors";
import { SelectField, TextField } from "../../parts/field";
import { Badge, Empty, Panel } from "../../parts/layout";
import { t, told } from "../../strings";
import { ago } from "../../strings/format";
import { ExpiryPicker } from "../devices/access";

const SCOPES = ["view", "play", "manage", "owner", "metrics"] as const satisfies readonly Scope[];
type Given = (typeof SCOPES)[number];

function refresh(): Promise<void> {
  return client.invalidateQueries({ queryKey: queries.tokens.queryKey });
}

export function TokensPanel() {
  const tokens = useQuery(queries.tokens);
  const [creating, setCreating] = useState(false);
  return (
    <Panel
      id="tokens"
      title={t("tokens.title")}
      lead={t("tokens.lead")}
      actions={
        <Button icon="plus" onClick={() => setCreating(true)}>
          {t("tokens.create")}
        </Button>
      }
    >
      <Shown query={tokens}>
        {(data) =>
          data.tokens.length === 0 ? (
            <Empty inside title={t("tokens.none")}>
              {t("tokens.none_lead")}
            </Empty>
          ) : (
            <ul className="flex flex-col divide-y divide-line">
              {data.tokens.map((token) => (
                <Row key={token.id} token={token} />
              ))}
            </ul>
          )
        }
      </Shown>
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
    </Panel>
  );
}

function Row({ token }: { token: Token }) {
  const [asked, setAsked] = useState(false);
  return (
    <li className="flex flex-wrap items-center justify-between gap-3 py-3 first:pt-0 last:pb-0">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{token.name}</span>
          <Badge>{told(`scope.${token.scope}`, token.scope)}</Badge>
        </p>
        <p className="mt-0.5 text-sm text-dim">
          {token.last_used ? t("tokens.used", { when: ago(token.last_used) }) : t("tokens.unused")}
          {token.expires && ` · ${t("device.expires", { when: ago(token.expires) })}`}
        </p>
      </div>
      <Button look="quiet-danger" onClick={() => setAsked(true)}>
        {t("device.revoke")}
        <span className="sr-only">{token.name}</span>
      </Button>
      {asked && (
        <Confirm
          title={t("tokens.revoke_title", { name: token.name })}
          action={t("device.revoke")}
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await api.revoke(token.id);
            await refresh();
          }}
        >
          {t("tokens.revoke_lead")}
        </Confirm>
      )}
    </li>
  );
}

function CreateDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Given>("view");
  const [expires, setExpires] = useState<number | null>(null);
  const [secret, setSecret] = useState<string>();
  const create = useAction(async () => {
    const made = await api.create({
      name: name.trim(),
      scope,
      ...(expires !== null && { expires }),
    });
    setSecret(made.secret);
    await refresh();
  });
  if (secret !== undefined) return <SecretDialog secret={secret} onClose={onClose} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void create.run();
  };
  return (
    <Dialog title={t("tokens.create")} lead={t("tokens.create_lead")} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-5">
        <TextField
          label={t("device.name")}
          placeholder={t("tokens.name_example")}
          required
          maxLength={64}
          value={name}
          onText={setName}
          data-first
        />
        <SelectField
          label={t("tokens.scope")}
          help={t(`scope.${scope}_help`)}
          value={scope}
          options={SCOPES.map((one) => ({ value: one, title: t(`scope.${one}`) }))}
          onPick={(next) => setScope(next as Given)}
        />
        <ExpiryPicker value={expires} onChange={setExpires} />
        <ErrorText error={create.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={create.busy}>
            {t("tokens.create")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

function SecretDialog({ secret, onClose }: { secret: string; onClose: () => void }) {
  const copy = async () => {
    await navigator.clipboard.writeText(secret);
    note(t("action.copied"));
  };
  return (
    <Dialog title={t("tokens.secret")} lead={t("tokens.secret_lead")} onClose={onClose}>
      <code className="block rounded-control border border-line bg-raised p-4 font-mono break-all select-all">
        {secret}
      </code>
      <div className="mt-6 flex flex-wrap justify-end gap-2">
        <Button look="quiet" onClick={onClose}>
          {t("tokens.kept")}
        </Button>
        <Button look="primary" icon="copy" data-first onClick={() => void copy()}>
          {t("action.copy")}
        </Button>
      </div>
    </Dialog>
  );
}
