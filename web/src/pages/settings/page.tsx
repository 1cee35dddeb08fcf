// The settings: a form made from what the host says it has. Changes are collected, sent
// together, and can be taken back.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { settings as api } from "../../api/api";
import { ApiError } from "../../api/client";
import { client, queries } from "../../api/queries";
import type { Setting, Settings, Value } from "../../api/types";
import { useAction } from "../../parts/action";
import { note } from "../../parts/announce";
import { Button } from "../../parts/button";
import { ErrorText, explain, Shown } from "../../parts/errors";
import { CheckBox } from "../../parts/field";
import { Icon } from "../../parts/icons";
import { Empty, PageHead, Panel } from "../../parts/layout";
import { t, tn } from "../../strings";
import { collect, type Edits, find, inverse, type Text } from "./form";
import { SettingRow } from "./row";

export function SettingsPage() {
  const settings = useQuery(queries.settings);
  return (
    <>
      <PageHead title={t("nav.settings")} lead={t("settings.lead")} />
      <Shown query={settings}>{(data) => <Form data={data} />}</Shown>
    </>
  );
}

function Form({ data }: { data: Settings }) {
  const [edits, setEdits] = useState<Edits>({});
  const [text, setText] = useState("");
  const [advanced, setAdvanced] = useState(false);
  const [undo, setUndo] = useState<Record<string, Value>>();
  const { values, problems } = collect(data.settings, edits);
  const send = useAction(async (changes: Record<string, Value>, back: boolean) => {
    const next = await api.change(changes);
    setUndo(back ? undefined : inverse(data.settings, changes));
    setEdits({});
    client.setQueryData(queries.settings.queryKey, next);
    void client.invalidateQueries({ queryKey: queries.host.queryKey });
    note(back ? t("settings.undone") : t("action.saved"));
  });
  const refused =
    send.error instanceof ApiError && send.error.field
      ? { [send.error.field]: explain(send.error) }
      : {};
  const edit = (key: string, value: Text | null | undefined) => {
    send.clear();
    setEdits(({ [key]: _, ...others }) =>
      value === undefined ? others : { ...others, [key]: value },
    );
  };
  const shown = find(data.settings, text, advanced);
  const changed = Object.keys(values).length;
  const invalid = Object.keys(problems).length;
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (invalid === 0 && changed > 0) void send.run(values, false);
        else focusInvalid();
      }}
    >
      <div className="mb-5 flex flex-wrap items-center gap-x-6 gap-y-2">
        <div className="relative w-full max-w-sm">
          <Icon name="search" className="absolute top-3 left-3 size-5 text-dim" />
          <input
            type="search"
            aria-label={t("settings.search")}
            placeholder={t("settings.search")}
            className="control pl-10"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <CheckBox label={t("settings.advanced")} checked={advanced} onCheck={setAdvanced} />
      </div>
      <p className="sr-only" role="status">
        {text && tn("settings.matches", shown.length)}
      </p>
      {shown.length === 0 && (
        <Empty
          title={t("settings.no_match", { text })}
          actions={<Button onClick={() => setText("")}>{t("library.clear")}</Button>}
        />
      )}
      <div className="flex flex-col gap-6">
        {data.groups.map((group) => (
          <Group
            key={group.id}
            title={group.title}
            id={`group-${group.id}`}
            settings={shown.filter((setting) => setting.group === group.id)}
            edits={edits}
            problems={{ ...problems, ...refused }}
            onEdit={edit}
          />
        ))}
      </div>
      <p className="mt-5 text-sm text-dim">{t("settings.file", { file: data.file })}</p>
      <Bar
        changed={changed}
        invalid={invalid}
        busy={send.busy}
        error={send.error}
        onDrop={() => {
          send.clear();
          setEdits({});
        }}
        undo={undo && changed === 0 && invalid === 0 ? () => void send.run(undo, true) : undefined}
      />
    </form>
  );
}

function focusInvalid(): void {
  document.querySelector<HTMLElement>("form [aria-invalid]")?.focus();
}

function Group({
  title,
  id,
  settings,
  edits,
  problems,
  onEdit,
}: {
  title: string;
  id: string;
  settings: Setting[];
  edits: Edits;
  problems: Record<string, string>;
  onEdit: (key: string, value: Text | null | undefined) => void;
}) {
  if (settings.length === 0) return null;
  return (
    <Panel id={id} title={title}>
      <div className="flex flex-col divide-y divide-line">
        {settings.map((setting) => (
          <SettingRow
            key={setting.key}
            setting={setting}
            edit={edits[setting.key]}
            problem={problems[setting.key]}
            onEdit={(value) => onEdit(setting.key, value)}
          />
        ))}
      </div>
    </Panel>
  );
}

/** What is to be saved, or can be taken back; stays in sight. */
function Bar({
  changed,
  invalid,
  busy,
  error,
  onDrop,
  undo,
}: {
  changed: number;
  invalid: number;
  busy: boolean;
  error: unknown;
  onDrop: () => void;
  undo: (() => void) | undefined;
}) {
  if (changed === 0 && invalid === 0 && !undo) return null;
  const dirty = changed > 0 || invalid > 0;
  return (
    <div className="sticky bottom-18 z-20 mt-6 rounded-panel border border-edge bg-raised p-3 shadow-xl lg:bottom-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="px-2 font-medium" role="status">
          {invalid > 0
            ? tn("settings.invalid", invalid)
            : dirty
              ? tn("settings.changed", changed)
              : t("settings.saved")}
        </p>
        <div className="flex flex-wrap gap-2">
          {dirty ? (
            <>
              <Button look="quiet" onClick={onDrop}>
                {t("settings.drop")}
              </Button>
              <Button type="submit" look="primary" busy={busy}>
                {t("action.save")}
              </Button>
            </>
          ) : (
            <Button icon="undo" busy={busy} onClick={undo}>
              {t("settings.undo")}
            </Button>
          )}
        </div>
      </div>
      <ErrorText error={error} />
    </div>
  );
}
