// What the owner does to a running session: another bitrate, a message on its screen, its end.
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { sessions } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { Session } from "../../api/types";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { Confirm, Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { Field, TextField } from "../../parts/field";
import { t } from "../../strings";
import { rate } from "../../strings/format";

/** Bitrates to choose from, in kbit/s, each about a third more than the one before. */
const RATES = [
  500, 1000, 2000, 3000, 5000, 8000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000, 80_000,
  100_000, 150_000, 200_000, 300_000,
];

export function Controls({ session }: { session: Session }) {
  const [open, setOpen] = useState<"rate" | "message" | "stop">();
  const navigate = useNavigate();
  const close = () => setOpen(undefined);
  return (
    <>
      {session.stream && (
        <Button icon="settings" onClick={() => setOpen("rate")}>
          {t("control.rate")}
        </Button>
      )}
      {session.state === "playing" && (
        <Button icon="edit" onClick={() => setOpen("message")}>
          {t("control.message")}
        </Button>
      )}
      <Button look="danger" icon="stop" onClick={() => setOpen("stop")}>
        {t("control.stop")}
      </Button>
      {open === "rate" && <RateDialog session={session} onClose={close} />}
      {open === "message" && <MessageDialog session={session} onClose={close} />}
      {open === "stop" && (
        <Confirm
          title={t("control.stop_title", { app: session.app.title })}
          action={t("control.stop")}
          onClose={close}
          onConfirm={async () => {
            await sessions.stop(session.id);
            await client.invalidateQueries({ queryKey: queries.sessions.queryKey });
            await navigate({ to: "/sessions" });
          }}
        >
          {t("control.stop_lead", { device: session.device.name })}
        </Confirm>
      )}
    </>
  );
}

function RateDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const now = session.stream?.bitrate_kbps ?? 20_000;
  const nearest = RATES.reduce((best, one) =>
    Math.abs(one - now) < Math.abs(best - now) ? one : best,
  );
  const [at, setAt] = useState(RATES.indexOf(nearest));
  const chosen = RATES[at] ?? nearest;
  const change = useAction(
    async () => {
      client.setQueryData(["session", session.id], await sessions.change(session.id, chosen));
      onClose();
    },
    { done: t("control.rate_done", { rate: rate(chosen) }) },
  );
  return (
    <Dialog title={t("control.rate")} lead={t("control.rate_lead")} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void change.run();
        }}
      >
        <Field label={t("control.rate_at_most")}>
          {(ids) => (
            <div className="flex items-center gap-4">
              <input
                {...ids}
                data-first
                type="range"
                min={0}
                max={RATES.length - 1}
                value={at}
                aria-valuetext={rate(chosen)}
                className="h-11 min-w-0 flex-1 accent-(--accent)"
                onChange={(event) => setAt(Number(event.target.value))}
              />
              <output className="w-28 text-right text-lg">{rate(chosen)}</output>
            </div>
          )}
        </Field>
        <ErrorText error={change.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={change.busy}>
            {t("control.apply")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

function MessageDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const [text, setText] = useState("");
  const send = useAction(
    async () => {
      await sessions.message(session.id, text.trim());
      onClose();
    },
    { done: t("control.message_done") },
  );
  return (
    <Dialog
      title={t("control.message")}
      lead={t("control.message_lead", { device: session.device.name })}
      onClose={onClose}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") void send.run();
        }}
      >
        <TextField
          label={t("control.message_text")}
          help={t("control.message_left", { n: 200 - text.length })}
          placeholder={t("control.message_example")}
          maxLength={200}
          required
          value={text}
          onText={setText}
          data-first
        />
        <ErrorText error={send.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={send.busy} disabled={text.trim() === ""}>
            {t("control.send")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}
