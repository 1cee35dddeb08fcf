// What a device may do and until when: the fields of every form that grants access.
import { useId, useState } from "react";
import { ACCESS, type Access } from "../../api/types";
import { CheckBox, Field } from "../../parts/field";
import { type PlainKey, t, told } from "../../strings";
import { day } from "../../strings/format";

/** What a new device gets unless said otherwise: all of playing, nothing of managing. */
export const USUAL: readonly Access[] = [
  "view",
  "pointer",
  "keyboard",
  "pads",
  "clipboard",
  "microphone",
  "launch",
];

/** A pad and nothing else. */
export const GUEST: readonly Access[] = ["view", "pads"];

export function accessName(word: string): string {
  return told(`access.${word}`, word);
}

/** All, some, one: in one line. */
export function accessLine(words: readonly string[]): string {
  if (words.length === 0) return t("access.none");
  if (ACCESS.every((word) => words.includes(word))) return t("access.all");
  if (words.length === USUAL.length && USUAL.every((word) => words.includes(word))) {
    return t("access.usual");
  }
  return words.map(accessName).join(", ");
}

/** What is allowed after a box was ticked or cleared. Without `view` there is no session, so
 *  whoever may do anything may see, and who may not see may do nothing. */
export function picked(value: readonly string[], word: Access, on: boolean): string[] {
  if (!on && word === "view") return [];
  return ACCESS.filter((one) => {
    if (one === word) return on;
    return value.includes(one) || (on && one === "view");
  });
}

export function AccessPicker({
  value,
  onChange,
}: {
  value: readonly string[];
  onChange: (next: string[]) => void;
}) {
  return (
    <fieldset>
      <legend className="mb-1 font-medium">{t("access.title")}</legend>
      <div className="grid gap-x-6 sm:grid-cols-2">
        {ACCESS.map((word) => (
          <CheckBox
            key={word}
            label={accessName(word)}
            help={t(`access.${word}_help`)}
            checked={value.includes(word)}
            onCheck={(on) => onChange(picked(value, word, on))}
          />
        ))}
      </div>
    </fieldset>
  );
}

const SPANS: readonly { seconds: number; title: PlainKey }[] = [
  { seconds: 3 * 3600, title: "expiry.hours" },
  { seconds: 86_400, title: "expiry.day" },
  { seconds: 7 * 86_400, title: "expiry.week" },
  { seconds: 30 * 86_400, title: "expiry.month" },
];

/** Until when: never, or a while from now. `value` is a time, null for never. */
export function ExpiryPicker({
  value,
  onChange,
}: {
  value: number | null;
  onChange: (next: number | null) => void;
}) {
  const [kept] = useState(value);
  const [choice, setChoice] = useState(value === null ? "never" : "kept");
  const name = useId();
  return (
    <Field label={t("expiry.title")} help={t("expiry.help")}>
      {(ids) => (
        <select
          {...ids}
          name={name}
          className="control"
          value={choice}
          onChange={(event) => {
            const next = event.target.value;
            setChoice(next);
            if (next === "never") onChange(null);
            else if (next === "kept") onChange(kept);
            else onChange(Math.floor(Date.now() / 1000) + Number(next));
          }}
        >
          <option value="never">{t("expiry.never")}</option>
          {kept !== null && <option value="kept">{t("expiry.until", { day: day(kept) })}</option>}
          {SPANS.map((one) => (
            <option key={one.seconds} value={one.seconds}>
              {t(one.title)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
