// One paired device: how it stands, and the dialogs that change or revoke it.
import { useState } from "react";
import { devices } from "../../api/api";
import type { Device } from "../../api/types";
import { useAction } from "../../parts/action";
import { note } from "../../parts/announce";
import { Button } from "../../parts/button";
import { Confirm, Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Badge, Status } from "../../parts/layout";
import { t } from "../../strings";
import { ago, day } from "../../strings/format";
import { AccessPicker, accessLine, ExpiryPicker } from "./access";
import { refresh } from "./add";
import { groups } from "./waiting";

export function protocolName(protocol: Device["protocol"]): string {
  return protocol === "native" ? "punktfunk" : "Moonlight";
}

export function DeviceRow({ device }: { device: Device }) {
  const [open, setOpen] = useState<"edit" | "revoke">();
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3 py-4 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-72">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="font-semibold">{device.name}</span>
          <Badge>{protocolName(device.protocol)}</Badge>
          {device.expired && <Badge tone="error">{t("device.expired")}</Badge>}
        </p>
        <p className="mt-1 text-sm text-dim">
          {t("device.may", { access: accessLine(device.access) })}
        </p>
        <p className="mt-1 flex flex-wrap gap-x-3 text-sm text-dim">
          <Seen device={device} />
          {device.expires && !device.expired && (
            <span>{t("device.expires", { when: ago(device.expires) })}</span>
          )}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button icon="edit" onClick={() => setOpen("edit")}>
          {t("action.change")}
          <span className="sr-only">{device.name}</span>
        </Button>
        <Button look="quiet-danger" onClick={() => setOpen("revoke")}>
          {t("device.revoke")}
          <span className="sr-only">{device.name}</span>
        </Button>
      </div>
      {open === "edit" && <EditDialog device={device} onClose={() => setOpen(undefined)} />}
      {open === "revoke" && (
        <Confirm
          title={t("device.revoke_title", { name: device.name })}
          action={t("device.revoke")}
          onClose={() => setOpen(undefined)}
          onConfirm={async () => {
            await devices.revoke(device.id);
            await refresh();
            note(t("device.revoked", { name: device.name }));
          }}
        >
          {t("device.revoke_lead")}
        </Confirm>
      )}
    </li>
  );
}

function Seen({ device }: { device: Device }) {
  if (device.online) {
    return (
      <Status tone="accent" live>
        {t("device.online")}
      </Status>
    );
  }
  return (
    <span>{device.seen ? t("device.seen", { when: ago(device.seen) }) : t("device.never")}</span>
  );
}

function EditDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const [name, setName] = useState(device.name);
  const [access, setAccess] = useState(device.access);
  const [expires, setExpires] = useState(device.expires ?? null);
  // GameStream knows all or nothing.
  const fixed = device.protocol === "gamestream";
  const save = useAction(
    async () => {
      const change = { name: name.trim(), expires };
      await devices.change(device.id, fixed ? change : { ...change, access });
      await refresh();
      onClose();
    },
    { done: t("action.saved") },
  );
  return (
    <Dialog
      wide
      title={device.name}
      lead={t("device.added", { day: day(device.added), protocol: protocolName(device.protocol) })}
      onClose={onClose}
    >
      <form
        className="flex flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          void save.run();
        }}
      >
        <TextField
          label={t("device.name")}
          value={name}
          maxLength={64}
          required
          onText={setName}
          data-first
        />
        {fixed ? (
          <p className="text-sm text-dim">{t("device.all_or_nothing")}</p>
        ) : (
          <AccessPicker value={access} onChange={setAccess} />
        )}
        <ExpiryPicker value={expires} onChange={setExpires} />
        <details className="text-sm text-dim">
          <summary className="w-fit rounded-control">{t("device.fingerprint")}</summary>
          <code className="mt-2 block font-mono break-words">{groups(device.id)}</code>
        </details>
        <ErrorText error={save.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={save.busy}>
            {t("action.save")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}
