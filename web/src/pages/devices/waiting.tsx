// Who stands at the door: a Moonlight that shows a PIN, and clients of our own that knocked.
import { type FormEvent, useRef, useState } from "react";
import { pairing } from "../../api/api";
import type { Attempt, Knock, Pairing } from "../../api/types";
import { useAction } from "../../parts/action";
import { note } from "../../parts/announce";
import { Button } from "../../parts/button";
import { useNow } from "../../parts/clock";
import { Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText, explain } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Panel } from "../../parts/layout";
import { Mark } from "../../parts/signal";
import { t, tn } from "../../strings";
import { ago } from "../../strings/format";
import { AccessPicker, ExpiryPicker, USUAL } from "./access";
import { refresh } from "./add";

export function Waiting({ pairing: { attempts, knocks } }: { pairing: Pairing }) {
  return (
    <div aria-live="polite" className="contents">
      {(attempts.length > 0 || knocks.length > 0) && (
        <Panel
          id="waiting"
          title={t("waiting.title")}
          lead={t("waiting.lead")}
          className="border-accent"
        >
          <ul className="flex flex-col gap-4">
            {attempts.map((attempt) => (
              <AttemptForm key={attempt.id} attempt={attempt} />
            ))}
            {knocks.map((knock) => (
              <KnockRow key={knock.id} knock={knock} />
            ))}
          </ul>
        </Panel>
      )}
    </div>
  );
}

function AttemptForm({ attempt }: { attempt: Attempt }) {
  const [pin, setPin] = useState("");
  const [name, setName] = useState("");
  const field = useRef<HTMLDivElement>(null);
  // A wrong PIN ends the attempt, and with it this form: what is said has to outlast it.
  const enter = useAction(
    async () => {
      try {
        const device = await pairing.pin(attempt.id, pin, name.trim() || undefined);
        note(t("waiting.paired", { name: device.name }));
      } finally {
        setPin("");
        void refresh();
      }
    },
    { aloud: true },
  );
  const refuse = useAction(async () => {
    await pairing.refuseAttempt(attempt.id);
    await refresh();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (/^\d{4}$/.test(pin)) void enter.run();
    else field.current?.querySelector("input")?.focus();
  };
  return (
    <li className="rounded-control border border-line bg-raised p-4">
      <div className="flex items-center gap-3">
        <Mark className="size-8 text-accent" live />
        <div className="min-w-0">
          <p className="font-semibold">{t("waiting.moonlight")}</p>
          <p className="text-sm text-dim">
            {t("waiting.from", {
              address: attempt.address,
              fingerprint: attempt.fingerprint.slice(0, 8),
            })}
          </p>
        </div>
      </div>
      <form onSubmit={submit} className="mt-4 flex flex-wrap items-start gap-4">
        <div ref={field} className="w-36">
          <TextField
            label={t("waiting.pin")}
            inputMode="numeric"
            pattern="[0-9]*"
            maxLength={4}
            placeholder="0000"
            className="font-mono text-2xl tracking-[0.3em]"
            value={pin}
            onText={(text) => setPin(text.replace(/\D/g, ""))}
          />
        </div>
        <div className="min-w-48 flex-1">
          <TextField
            label={t("waiting.name")}
            placeholder={t("waiting.name_example")}
            maxLength={64}
            className="min-h-[3.15rem]"
            value={name}
            onText={setName}
          />
        </div>
        <div className="flex basis-full flex-wrap gap-2">
          <Button type="submit" look="primary" busy={enter.busy} disabled={pin.length !== 4}>
            {t("waiting.pair")}
          </Button>
          <Button look="quiet" busy={refuse.busy} onClick={() => void refuse.run()}>
            {t("waiting.refuse")}
          </Button>
        </div>
      </form>
      <ErrorText error={refuse.error} />
    </li>
  );
}

function KnockRow({ knock }: { knock: Knock }) {
  const now = useNow(10_000);
  const [asked, setAsked] = useState(false);
  const refuse = useAction(async () => {
    await pairing.refuse(knock.id);
    await refresh();
  });
  return (
    <li className="flex flex-wrap items-center justify-between gap-4 rounded-control border border-line bg-raised p-4">
      <div className="min-w-0">
        <p className="font-semibold">{knock.name || t("waiting.unnamed")}</p>
        <p className="text-sm text-dim">
          {t("waiting.from", { address: knock.address, fingerprint: knock.id.slice(0, 8) })}
          {" · "}
          {tn("waiting.tries", knock.count)}
          {" · "}
          {ago(knock.last, now)}
        </p>
        <ErrorText error={refuse.error} />
      </div>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" icon="check" onClick={() => setAsked(true)}>
          {t("waiting.approve")}
        </Button>
        <Button look="quiet" busy={refuse.busy} onClick={() => void refuse.run()}>
          {t("waiting.refuse")}
        </Button>
      </div>
      {asked && <ApproveDialog knock={knock} onClose={() => setAsked(false)} />}
    </li>
  );
}

function ApproveDialog({ knock, onClose }: { knock: Knock; onClose: () => void }) {
  const [name, setName] = useState(knock.name);
  const [access, setAccess] = useState<string[]>([...USUAL]);
  const [expires, setExpires] = useState<number | null>(null);
  const approve = useAction(async () => {
    const device = await pairing.approve(knock.id, {
      access,
      ...(name.trim() && { name: name.trim() }),
      ...(expires !== null && { expires }),
    });
    note(t("waiting.paired", { name: device.name }));
    await refresh();
    onClose();
  });
  return (
    <Dialog
      wide
      title={t("waiting.approve_title", { name: knock.name || t("waiting.unnamed") })}
      lead={
        <>
          {t("waiting.compare")}
          <code className="mt-2 block font-mono text-base tracking-wider break-words text-ink">
            {groups(knock.id.slice(0, 16))}
          </code>
        </>
      }
      onClose={onClose}
    >
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          void approve.run();
        }}
      >
        <TextField
          label={t("device.name")}
          value={name}
          maxLength={64}
          onText={setName}
          data-first
        />
        <AccessPicker value={access} onChange={setAccess} />
        <ExpiryPicker value={expires} onChange={setExpires} />
        {approve.error ? <p className="text-error">{explain(approve.error)}</p> : null}
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={approve.busy}>
            {t("waiting.approve")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

/** Hex in groups of four: easier to compare by eye. */
export function groups(hex: string): string {
  return hex.replace(/(.{4})(?=.)/g, "$1 ");
}
