// One setting: its control by its kind, where its value comes from, and the way back to the
// default.
import { useId } from "react";
import type { Setting } from "../../api/types";
import { Button } from "../../parts/button";
import { Badge } from "../../parts/layout";
import { Marked } from "../../parts/marked";
import { t } from "../../strings";
import { effective, type Text, toText } from "./form";

interface Ids {
  id: string;
  "aria-describedby": string;
  "aria-invalid"?: true;
}

export function SettingRow({
  setting,
  edit,
  problem,
  onEdit,
}: {
  setting: Setting;
  edit: Text | null | undefined;
  problem: string | undefined;
  /** Null: back to what it is without being set here; undefined: as it was. */
  onEdit: (value: Text | null | undefined) => void;
}) {
  const id = useId();
  const text =
    edit === undefined
      ? toText(effective(setting))
      : edit === null
        ? toText(setting.default)
        : edit;
  const ids: Ids = {
    id,
    "aria-describedby": `${id}h ${problem ? `${id}e` : ""}`.trim(),
    ...(problem && { "aria-invalid": true as const }),
  };
  return (
    <div className="grid gap-x-8 gap-y-2 py-5 first:pt-0 last:pb-0 md:grid-cols-[minmax(0,1fr)_18rem]">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <label htmlFor={id} className="font-medium">
            {setting.title}
          </label>
          {edit !== undefined && <Badge tone="accent">{t("setting.edited")}</Badge>}
          {setting.needs_restart && <Badge>{t("setting.restart")}</Badge>}
          {setting.pending !== undefined && <Badge tone="warning">{t("setting.pending")}</Badge>}
        </p>
        <p id={`${id}h`} className="mt-1 text-sm text-dim">
          <Marked text={setting.help} />
        </p>
      </div>
      <div className="min-w-0">
        <Control setting={setting} ids={ids} text={text} onText={onEdit} />
        {problem && (
          <p id={`${id}e`} role="alert" className="mt-1.5 text-sm font-medium text-error">
            {problem}
          </p>
        )}
        <p className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-dim">
          <span className="min-w-0 break-words">{origin(setting)}</span>
          {edit !== undefined && (
            <Small label={t("setting.revert")} of={setting} onClick={() => onEdit(undefined)} />
          )}
          {!setting.locked && setting.source === "state" && edit === undefined && (
            <Small label={t("setting.reset")} of={setting} onClick={() => onEdit(null)} />
          )}
        </p>
      </div>
    </div>
  );
}

function Small({ label, of, onClick }: { label: string; of: Setting; onClick: () => void }) {
  return (
    <Button look="quiet" className="min-h-8! px-2! py-0! text-xs" onClick={onClick}>
      {label}
      <span className="sr-only">{of.title}</span>
    </Button>
  );
}

function origin(setting: Setting): string {
  if (setting.locked && setting.source === "flag") return t("setting.locked");
  const from = t(`setting.from.${setting.source}`);
  const line = setting.source_line ? `:${setting.source_line}` : "";
  const where = setting.source_file && setting.source !== "state";
  const said = where ? `${from}: ${setting.source_file}${line}` : from;
  return setting.locked ? `${said}. ${t("setting.file_only")}` : said;
}

function Control({
  setting,
  ids,
  text,
  onText,
}: {
  setting: Setting;
  ids: Ids;
  text: Text;
  onText: (text: Text) => void;
}) {
  const { kind, locked } = setting;
  switch (kind.type) {
    case "bool":
      return (
        <span className="flex min-h-11 items-center gap-3">
          <input
            {...ids}
            type="checkbox"
            role="switch"
            aria-checked={text === true}
            disabled={locked}
            className="switch"
            checked={text === true}
            onChange={(event) => onText(event.target.checked)}
          />
          <span aria-hidden="true">{text === true ? t("word.on") : t("word.off")}</span>
        </span>
      );
    case "choice":
      return (
        <select
          {...ids}
          disabled={locked}
          className="control"
          value={String(text)}
          onChange={(event) => onText(event.target.value)}
        >
          {setting.default === null && <option value="">{t("setting.unset")}</option>}
          {kind.options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.title}
            </option>
          ))}
        </select>
      );
    case "list":
      return (
        <>
          <textarea
            {...ids}
            rows={Math.min(6, Math.max(2, String(text).split("\n").length))}
            disabled={locked}
            spellCheck={false}
            className="control"
            value={String(text)}
            onChange={(event) => onText(event.target.value)}
          />
          <span className="mt-1 block text-xs text-dim">{t("setting.one_a_line")}</span>
        </>
      );
    case "text":
      return (
        <input
          {...ids}
          type="text"
          disabled={locked}
          spellCheck={false}
          autoComplete="off"
          placeholder={setting.default === null ? t("setting.unset") : undefined}
          className="control"
          value={String(text)}
          onChange={(event) => onText(event.target.value)}
        />
      );
    default:
      return (
        <span className="flex items-center gap-3">
          <input
            {...ids}
            type="text"
            inputMode={kind.type === "integer" ? "numeric" : "decimal"}
            disabled={locked}
            autoComplete="off"
            placeholder={setting.default === null ? t("setting.unset") : undefined}
            className="control min-w-0 flex-1"
            value={String(text)}
            onChange={(event) => onText(event.target.value)}
          />
          {kind.unit && <span className="text-dim">{kind.unit}</span>}
        </span>
      );
  }
}
