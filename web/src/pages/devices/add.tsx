// Adding a device: how Moonlight is paired, and the window in which a client of our own may
// pair, with its PIN, its QR code and the time that is left.
import { type ReactNode, useEffect, useState } from "react";
import { pairing } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { PairingWindow } from "../../api/types";
import { useAction } from "../../parts/action";
import { announce, note } from "../../parts/announce";
import { Button } from "../../parts/button";
import { useNow } from "../../parts/clock";
import { Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Panel } from "../../parts/layout";
import { Qr } from "../../parts/qr";
import { t } from "../../strings";
import { clock } from "../../strings/format";
import { AccessPicker, accessLine, ExpiryPicker, GUEST, USUAL } from "./access";

export function refresh(): Promise<void> {
  void client.invalidateQueries({ queryKey: queries.devices.queryKey });
  return client.invalidateQueries({ queryKey: queries.pairing.queryKey });
}

export function AddDevice({ open }: { open: PairingWindow | undefined }) {
  return (
    <Panel id="add" title={t("add.title")}>
      <h3 className="font-semibold">{t("add.native")}</h3>
      {open ? <OpenWindow window={open} /> : <ClosedWindow />}
      <hr className="my-6 border-line" />
      <h3 className="font-semibold">{t("add.moonlight")}</h3>
      <ol className="mt-2 flex list-decimal flex-col gap-1.5 pl-5 text-dim marker:text-accent">
        <li>{t("add.moonlight_1")}</li>
        <li>{t("add.moonlight_2")}</li>
        <li>{t("add.moonlight_3")}</li>
      </ol>
    </Panel>
  );
}

function ClosedWindow() {
  const [asked, setAsked] = useState(false);
  const open = useAction(async () => {
    await pairing.open({ access: [...USUAL] });
    await refresh();
  });
  return (
    <>
      <p className="mt-1 mb-4 text-dim">{t("add.native_lead")}</p>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" icon="plus" busy={open.busy} onClick={() => void open.run()}>
          {t("add.show_code")}
        </Button>
        <Button onClick={() => setAsked(true)}>{t("add.with_limits")}</Button>
      </div>
      <ErrorText error={open.error} />
      {asked && <LimitsDialog onClose={() => setAsked(false)} />}
    </>
  );
}

/** A window with a name, less access or an end: for a guest. */
function LimitsDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [access, setAccess] = useState<string[]>([...GUEST]);
  const [expires, setExpires] = useState<number | null>(null);
  const open = useAction(async () => {
    await pairing.open({
      access,
      ...(name.trim() && { name: name.trim() }),
      ...(expires !== null && { expires }),
    });
    await refresh();
    onClose();
  });
  return (
    <Dialog title={t("add.limits_title")} lead={t("add.limits_lead")} onClose={onClose} wide>
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          void open.run();
        }}
      >
        <TextField
          label={t("device.name")}
          help={t("add.name_help")}
          value={name}
          maxLength={64}
          onText={setName}
          data-first
        />
        <AccessPicker value={access} onChange={setAccess} />
        <ExpiryPicker value={expires} onChange={setExpires} />
        <ErrorText error={open.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={open.busy}>
            {t("add.show_code")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

function OpenWindow({ window }: { window: PairingWindow }) {
  const now = useNow(1000);
  const left = window.closes - now;
  const close = useAction(async () => {
    await pairing.close();
    await refresh();
  });
  useEffect(() => announce(t("add.opened", { pin: spaced(window.pin) })), [window.pin]);
  const over = left <= 0;
  useEffect(() => {
    if (over) void refresh();
  }, [over]);
  const share = async () => {
    await navigator.clipboard.writeText(window.payload);
    note(t("action.copied"));
  };
  return (
    <div className="mt-3">
      <div className="flex flex-wrap items-center gap-5">
        <Qr
          rows={window.qr}
          label={t("add.qr")}
          className="w-44 rounded-control border border-line"
        />
        <div className="min-w-0">
          <Line name={t("add.pin")}>
            <span className="font-mono text-4xl font-semibold tracking-widest whitespace-nowrap">
              <span aria-hidden="true">{`${window.pin.slice(0, 3)} ${window.pin.slice(3)}`}</span>
              <span className="sr-only">{spaced(window.pin)}</span>
            </span>
          </Line>
          <Line name={t("add.left")}>
            <span role="timer" className="text-2xl font-light">
              {clock(left)}
            </span>
          </Line>
        </div>
      </div>
      <p className="mt-4 text-sm text-dim">{t("add.scan")}</p>
      <p className="mt-1 text-sm text-dim">
        {t("add.gets", { name: window.name ?? t("add.device"), access: accessLine(window.access) })}
      </p>
      <div className="mt-4 flex flex-wrap gap-2">
        <Button icon="copy" onClick={() => void share()}>
          {t("add.copy")}
        </Button>
        <Button look="quiet" busy={close.busy} onClick={() => void close.run()}>
          {t("add.stop")}
        </Button>
      </div>
      <ErrorText error={close.error} />
    </div>
  );
}

/** Digits one by one, for screen readers. */
function spaced(pin: string): string {
  return pin.split("").join(" ");
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="mb-2">
      <p className="text-sm text-dim">{name}</p>
      {children}
    </div>
  );
}
