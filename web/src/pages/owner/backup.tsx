// Backup and restore: one sealed file with everything the host remembers.
import { type FormEvent, useRef, useState } from "react";
import { backup } from "../../api/api";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { base64, keep } from "../../parts/files";
import { Panel } from "../../parts/layout";
import { t } from "../../strings";

/** The least length of a passphrase, as the host checks it. */
const LEAST = 8;

export function BackupPanel() {
  const [open, setOpen] = useState<"save" | "restore">();
  const close = () => setOpen(undefined);
  return (
    <Panel id="backup" title={t("backup.title")} lead={t("backup.lead")}>
      <div className="flex flex-wrap gap-2">
        <Button icon="download" onClick={() => setOpen("save")}>
          {t("backup.save")}
        </Button>
        <Button icon="undo" onClick={() => setOpen("restore")}>
          {t("backup.restore")}
        </Button>
      </div>
      {open === "save" && <SaveDialog onClose={close} />}
      {open === "restore" && <RestoreDialog onClose={close} />}
    </Panel>
  );
}

function SaveDialog({ onClose }: { onClose: () => void }) {
  const [passphrase, setPassphrase] = useState("");
  const [tried, setTried] = useState(false);
  const save = useAction(
    async () => {
      const { blob, name } = await backup.save(passphrase);
      keep(blob, name ?? `punktfunk-${new Date().toISOString().slice(0, 10)}.backup`);
      onClose();
    },
    { done: t("backup.saved") },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (passphrase.length >= LEAST) void save.run();
  };
  return (
    <Dialog title={t("backup.save")} lead={t("backup.save_lead")} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <TextField
          label={t("backup.passphrase")}
          help={t("backup.passphrase_help", { n: LEAST })}
          type="password"
          autoComplete="new-password"
          value={passphrase}
          error={tried && passphrase.length < LEAST ? t("password.short", { n: LEAST }) : undefined}
          onText={setPassphrase}
          data-first
        />
        <ErrorText error={save.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={save.busy}>
            {t("backup.save_action")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

function RestoreDialog({ onClose }: { onClose: () => void }) {
  const [passphrase, setPassphrase] = useState("");
  const [file, setFile] = useState<File>();
  const [missing, setMissing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const restore = useAction(
    async (from: File) => {
      await backup.restore(passphrase, await base64(from));
      onClose();
    },
    { done: t("backup.restored") },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(!file);
    if (file) void restore.run(file);
  };
  return (
    <Dialog title={t("backup.restore")} lead={t("backup.restore_lead")} onClose={onClose}>
      <form onSubmit={submit} noValidate className="flex flex-col gap-5">
        <div>
          <input
            ref={input}
            type="file"
            className="hidden"
            aria-label={t("backup.file")}
            onChange={(event) => setFile(event.target.files?.[0])}
          />
          <Button icon="logs" onClick={() => input.current?.click()} data-first>
            {file ? file.name : t("backup.file")}
          </Button>
          {missing && !file && (
            <p role="alert" className="mt-1.5 text-sm font-medium text-error">
              {t("backup.needs_file")}
            </p>
          )}
        </div>
        <TextField
          label={t("backup.passphrase")}
          type="password"
          autoComplete="off"
          value={passphrase}
          onText={setPassphrase}
        />
        <ErrorText error={restore.error} />
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="danger" busy={restore.busy}>
            {t("backup.restore_action")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}
