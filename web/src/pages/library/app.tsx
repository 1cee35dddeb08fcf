// One application opened: start or quit it, and the ways to its art and its settings.
import { useQuery } from "@tanstack/react-query";
import { type ChangeEvent, useRef, useState } from "react";
import { apps as api } from "../../api/api";
import { client, queries } from "../../api/queries";
import type { App } from "../../api/types";
import { useAction } from "../../parts/action";
import { Button, LinkButton } from "../../parts/button";
import { Confirm, Dialog } from "../../parts/dialog";
import { ErrorText } from "../../parts/errors";
import { SelectField } from "../../parts/field";
import { base64 } from "../../parts/files";
import { Facts } from "../../parts/layout";
import { t, told } from "../../strings";
import { Art } from "./card";
import { may } from "./draft";
import { EditDialog } from "./edit";
import { refreshApps } from "./page";

/** What the host takes as art, and how large it may be in base64's 8 MiB. */
const TYPES = ["image/png", "image/jpeg", "image/webp"];
const LARGEST = 5_500_000;

export function AppDialog({ app, onClose }: { app: App; onClose: () => void }) {
  const [open, setOpen] = useState<"edit" | "remove">();
  const [version, setVersion] = useState(0);
  const hide = useAction(
    async () => {
      await api.change(app.id, { hidden: !app.hidden });
      await refreshApps();
    },
    { done: app.hidden ? t("library.shown_done") : t("library.hidden_done") },
  );
  if (open === "edit") return <EditDialog app={app} onClose={() => setOpen(undefined)} />;
  if (open === "remove") {
    return (
      <Confirm
        title={t("library.remove_title", { title: app.title })}
        action={t("action.remove")}
        onClose={() => setOpen(undefined)}
        onConfirm={async () => {
          await api.remove(app.id);
          onClose();
          await refreshApps();
        }}
      >
        {t("library.remove_lead")}
      </Confirm>
    );
  }
  return (
    <Dialog
      wide
      title={app.title}
      lead={told(`source.${app.source}`, app.source)}
      onClose={onClose}
    >
      <div className="grid gap-6 sm:grid-cols-[11rem_minmax(0,1fr)]">
        <div className="flex flex-col gap-3">
          <div className="mx-auto w-40 sm:w-full">
            <Art app={app} version={version} />
          </div>
          <ArtControls app={app} onChanged={() => setVersion(Date.now())} />
        </div>
        <div className="flex min-w-0 flex-col gap-6">
          <Run app={app} />
          <Facts
            rows={[
              [
                t("library.starts"),
                <code key="l" className="font-mono text-sm break-all">
                  {app.launch}
                </code>,
              ],
              ...(app.prep.length > 0 ? ([[t("library.before"), steps(app)]] as const) : []),
              ...(prefers(app) ? ([[t("library.prefers"), prefers(app)]] as const) : []),
            ]}
          />
          <div className="flex flex-wrap gap-2">
            {may(app).around && (
              <Button icon="edit" onClick={() => setOpen("edit")}>
                {t("action.change")}
              </Button>
            )}
            <Button
              icon={app.hidden ? "show" : "hide"}
              busy={hide.busy}
              onClick={() => void hide.run()}
            >
              {app.hidden ? t("library.show") : t("library.hide")}
            </Button>
            {app.source === "custom" && (
              <Button look="danger" icon="trash" onClick={() => setOpen("remove")}>
                {t("action.remove")}
              </Button>
            )}
          </div>
          {!may(app).around && <p className="text-sm text-dim">{t("library.in_file")}</p>}
          <ErrorText error={hide.error} />
        </div>
      </div>
    </Dialog>
  );
}

/** What is run before it; a step that only undoes says so. */
function steps(app: App): string {
  return app.prep.map((step) => step.do || step.undo || "").join("; ");
}

function prefers(app: App): string {
  const { codec, width, height, fps, audio_channels } = app.prefer;
  return [
    codec?.toUpperCase(),
    width && height ? `${width} × ${height}` : undefined,
    fps ? `${fps} fps` : undefined,
    audio_channels ? t("session.channels", { n: audio_channels }) : undefined,
  ]
    .filter(Boolean)
    .join(", ");
}

function Run({ app }: { app: App }) {
  const devices = useQuery(queries.devices);
  const sessions = useQuery(queries.sessions);
  const able = (devices.data?.devices ?? []).filter(
    (device) => !device.expired && device.access.includes("launch"),
  );
  const busy = new Set(sessions.data?.sessions.map((one) => one.device.id));
  const [device, setDevice] = useState("");
  // Who plays already has to quit that first.
  const chosen = device || (able.find((one) => !busy.has(one.id)) ?? able[0])?.id;
  const start = useAction(
    async () => {
      await api.launch(app.id, chosen);
      await refreshApps();
      await client.invalidateQueries({ queryKey: queries.sessions.queryKey });
    },
    { done: t("library.started", { title: app.title }) },
  );
  const quit = useAction(async () => {
    await api.quit(app.id);
    await refreshApps();
  });
  const session = sessions.data?.sessions.find((one) => one.app.id === app.id);
  if (app.running) {
    return (
      <div>
        <p className="mb-3 text-dim">{t("library.runs")}</p>
        <div className="flex flex-wrap gap-2">
          {session && (
            <LinkButton look="primary" to="/sessions/$session" params={{ session: session.id }}>
              {t("overview.watch")}
            </LinkButton>
          )}
          <Button look="danger" icon="stop" busy={quit.busy} onClick={() => void quit.run()}>
            {t("library.quit")}
          </Button>
        </div>
        <ErrorText error={quit.error} />
      </div>
    );
  }
  if (devices.data && able.length === 0) {
    return (
      <div>
        <p className="mb-3 text-dim">{t("library.no_device")}</p>
        <LinkButton to="/devices">{t("next.pair_action")}</LinkButton>
      </div>
    );
  }
  return (
    <div>
      <div className="flex flex-wrap items-end gap-3">
        <div className="min-w-48 flex-1">
          <SelectField
            label={t("library.for")}
            value={chosen ?? ""}
            onPick={setDevice}
            options={able.map((one) => ({ value: one.id, title: one.name }))}
          />
        </div>
        <Button look="primary" icon="play" busy={start.busy} onClick={() => void start.run()}>
          {t("library.start")}
        </Button>
      </div>
      <p className="mt-2 text-sm text-dim">{t("library.start_help")}</p>
      <ErrorText error={start.error} />
    </div>
  );
}

function ArtControls({ app, onChanged }: { app: App; onChanged: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string>();
  const set = useAction(async (file: File) => {
    await api.setArt(app.id, file.type, await base64(file));
    onChanged();
    await refreshApps();
  });
  const clear = useAction(async () => {
    await api.clearArt(app.id);
    await refreshApps();
  });
  const picked = (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    event.target.value = "";
    if (!file) return;
    if (!TYPES.includes(file.type)) return setProblem(t("library.art_type"));
    if (file.size > LARGEST) return setProblem(t("library.art_large"));
    setProblem(undefined);
    void set.run(file);
  };
  return (
    <div className="flex flex-col gap-2">
      <input
        ref={input}
        type="file"
        accept={TYPES.join(",")}
        className="hidden"
        aria-label={t("library.art")}
        onChange={picked}
      />
      <Button icon="image" busy={set.busy} onClick={() => input.current?.click()}>
        {t("library.art")}
      </Button>
      {app.has_art && (
        <Button look="quiet" busy={clear.busy} onClick={() => void clear.run()}>
          {t("library.art_clear")}
        </Button>
      )}
      {problem && (
        <p role="alert" className="text-sm text-error">
          {problem}
        </p>
      )}
      <ErrorText error={set.error ?? clear.error} />
    </div>
  );
}
