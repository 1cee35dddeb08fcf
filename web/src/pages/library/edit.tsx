// The form that adds an application or changes one. What the host found by itself keeps its
// command, what is part of the host its title too.
import { type FormEvent, useState } from "react";
import { apps as api } from "../../api/api";
import { ApiError } from "../../api/client";
import type { App } from "../../api/types";
import { useAction } from "../../parts/action";
import { Button, IconButton } from "../../parts/button";
import { Dialog, DialogEnd } from "../../parts/dialog";
import { ErrorText, explain } from "../../parts/errors";
import { Field, SelectField, TextField } from "../../parts/field";
import { t } from "../../strings";
import { added, changed, type Draft, draft, may } from "./draft";
import { refreshApps } from "./page";

/** Fields that are folded away at first. */
const INSIDE = ["dir", "env", "width", "height", "fps", "audio_channels"] as const;
/** Fields that say themselves what is wrong with them. */
const SAYING: readonly string[] = ["title", "command", ...INSIDE];
const CODECS = ["", "h264", "hevc", "av1"];
const CHANNELS = ["", "2", "6", "8"];

export function EditDialog({ app, onClose }: { app?: App; onClose: () => void }) {
  const [form, setForm] = useState(() => draft(app));
  const [tried, setTried] = useState(false);
  const set = (part: Partial<Draft>) => setForm((old) => ({ ...old, ...part }));
  const result = app ? changed(form, app) : added(form);
  const problems = "problems" in result ? result.problems : {};
  const save = useAction(
    async (send: () => Promise<App>) => {
      await send();
      await refreshApps();
      onClose();
    },
    { done: t("action.saved") },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    const send = sender(form, app);
    if (send) void save.run(send);
  };
  const refused = save.error instanceof ApiError ? save.error.field?.replace("prefer.", "") : "";
  const at = (field: keyof Draft) => {
    if (refused === field) return explain(save.error);
    return tried ? problems[field] : undefined;
  };
  const able = may(app);
  return (
    <Dialog
      wide
      title={app ? t("edit.title", { title: app.title }) : t("edit.new")}
      lead={app ? undefined : t("edit.new_lead")}
      onClose={onClose}
    >
      <form onSubmit={submit} noValidate className="flex flex-col gap-5">
        {able.itself && (
          <TextField
            label={t("edit.name")}
            value={form.title}
            maxLength={100}
            error={at("title")}
            onText={(title) => set({ title })}
            data-first
          />
        )}
        {able.command && (
          <TextField
            label={t("edit.command")}
            help={t("edit.command_help")}
            placeholder="retroarch --fullscreen"
            className="font-mono"
            value={form.command}
            error={at("command")}
            onText={(text) => set({ command: text })}
          />
        )}
        <details
          className="rounded-control border border-line p-4"
          open={app !== undefined || INSIDE.some((field) => at(field) !== undefined)}
        >
          <summary className="rounded-control font-medium">{t("edit.more")}</summary>
          <div className="mt-4 flex flex-col gap-5">
            {able.command && (
              <TextField
                label={t("edit.dir")}
                placeholder="/home/play/games"
                className="font-mono"
                value={form.dir}
                error={at("dir")}
                onText={(dir) => set({ dir })}
              />
            )}
            {able.itself && (
              <Field label={t("edit.env")} help={t("edit.env_help")} error={at("env")}>
                {(ids) => (
                  <textarea
                    {...ids}
                    rows={3}
                    spellCheck={false}
                    placeholder={"MANGOHUD=1"}
                    className="control font-mono"
                    value={form.env}
                    onChange={(event) => set({ env: event.target.value })}
                  />
                )}
              </Field>
            )}
            <PrepFields form={form} set={set} />
            <PreferFields form={form} set={set} at={at} />
          </div>
        </details>
        {!SAYING.includes(refused ?? "") && <ErrorText error={save.error} />}
        <DialogEnd onClose={onClose}>
          <Button type="submit" look="primary" busy={save.busy}>
            {app ? t("action.save") : t("action.add")}
          </Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

/** Asks the host for what the form says; nothing while something in it is wrong. */
function sender(form: Draft, app?: App): (() => Promise<App>) | undefined {
  if (app === undefined) {
    const result = added(form);
    return "body" in result ? () => api.add(result.body) : undefined;
  }
  const result = changed(form, app);
  return "body" in result ? () => api.change(app.id, result.body) : undefined;
}

function PrepFields({ form, set }: { form: Draft; set: (part: Partial<Draft>) => void }) {
  const put = (index: number, part: { do?: string; undo?: string }) =>
    set({ prep: form.prep.map((step, at) => (at === index ? { ...step, ...part } : step)) });
  return (
    <fieldset className="min-w-0">
      <legend className="font-medium">{t("edit.prep")}</legend>
      <p className="mt-1 mb-3 text-sm text-dim">{t("edit.prep_help")}</p>
      <ul className="flex flex-col gap-3">
        {form.prep.map((step, index) => (
          <li key={index} className="flex items-end gap-2">
            <div className="grid min-w-0 flex-1 gap-2 sm:grid-cols-2">
              <TextField
                label={t("edit.do", { n: index + 1 })}
                className="font-mono"
                value={step.do}
                onText={(text) => put(index, { do: text })}
              />
              <TextField
                label={t("edit.undo", { n: index + 1 })}
                className="font-mono"
                value={step.undo}
                onText={(text) => put(index, { undo: text })}
              />
            </div>
            <IconButton
              icon="trash"
              label={t("edit.drop", { n: index + 1 })}
              onClick={() => set({ prep: form.prep.filter((_, at) => at !== index) })}
            />
          </li>
        ))}
      </ul>
      <Button
        icon="plus"
        className="mt-3"
        onClick={() => set({ prep: [...form.prep, { do: "", undo: "" }] })}
      >
        {t("edit.add_prep")}
      </Button>
    </fieldset>
  );
}

function PreferFields({
  form,
  set,
  at,
}: {
  form: Draft;
  set: (part: Partial<Draft>) => void;
  at: (field: keyof Draft) => string | undefined;
}) {
  const number = (field: "width" | "height" | "fps", label: string) => (
    <TextField
      label={label}
      inputMode="numeric"
      placeholder={t("edit.as_device")}
      value={form[field]}
      error={at(field)}
      onText={(text) => set({ [field]: text })}
    />
  );
  return (
    <fieldset className="min-w-0">
      <legend className="font-medium">{t("edit.prefer")}</legend>
      <p className="mt-1 mb-3 text-sm text-dim">{t("edit.prefer_help")}</p>
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        <SelectField
          label={t("session.codec")}
          value={form.codec}
          options={CODECS.map((codec) => ({
            value: codec,
            title: codec === "" ? t("edit.as_device") : codec.toUpperCase(),
          }))}
          onPick={(codec) => set({ codec })}
        />
        {number("width", t("edit.width"))}
        {number("height", t("edit.height"))}
        {number("fps", t("figure.fps"))}
        <SelectField
          label={t("edit.channels")}
          value={form.audio_channels}
          error={at("audio_channels")}
          options={CHANNELS.map((n) => ({ value: n, title: n === "" ? t("edit.as_device") : n }))}
          onPick={(audio_channels) => set({ audio_channels })}
        />
      </div>
    </fieldset>
  );
}
