// The factory reset: everything is moved aside and the host is claimed anew. Asked twice, and
// the host's name has to be typed.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { backup, host as hostApi } from "../../api/api";
import { client, queries } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/button";
import { Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { TextField } from "../../parts/field";
import { Panel } from "../../parts/layout";
import { t } from "../../strings";

export function ResetPanel() {
  const [open, setOpen] = useState(false);
  return (
    <Panel id="reset" title={t("reset.title")} lead={t("reset.lead")}>
      <Button look="danger" onClick={() => setOpen(true)}>
        {t("reset.action")}
      </Button>
      {open && <ResetDialog onClose={() => setOpen(false)} />}
    </Panel>
  );
}

/** Waits until the host has started anew and is nobody's: before that, its page would say that
 *  it has an owner. After a minute it is left to the reader. */
async function nobodys(): Promise<void> {
  for (let tries = 0; tries < 120; tries++) {
    const claimed = await hostApi.public().then(
      (host) => host.claimed,
      () => true,
    );
    if (!claimed) return;
    await new Promise((done) => setTimeout(done, 500));
  }
}

function ResetDialog({ onClose }: { onClose: () => void }) {
  const host = useQuery(queries.host);
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const wanted = host.data?.name ?? "";
  const reset = useAction(async () => {
    await backup.reset(name.trim());
    await nobodys();
    client.clear();
    await navigate({ to: "/claim" });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === wanted) void reset.run();
  };
  return (
    <Dialog title={t("reset.title")} lead={t("reset.warning")} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <TextField
          label={t("reset.type", { name: wanted })}
          value={name}
          onText={setName}
          data-first
        />
        <ErrorText error={reset.error} />
        <DialogEnd onClose={onClose}>
          <Button
            type="submit"
            look="danger"
            busy={reset.busy}
            disabled={wanted === "" || name.trim() !== wanted}
          >
            {t("reset.action")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}
