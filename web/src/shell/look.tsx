// The two choices that belong to this browser: its light and its language.
import { useState } from "react";
import { Icon, type IconName } from "../parts/icons";
import { LANGUAGES, type Language, language, speak, t } from "../strings";
import { applyTheme, THEMES, type Theme, theme } from "./theme";

const ICONS: Record<Theme, IconName> = { system: "auto", light: "light", dark: "dark" };

function Choices<T extends string>({
  label,
  values,
  value,
  onPick,
  show,
  name,
  icons = false,
}: {
  label: string;
  values: readonly T[];
  value: T;
  onPick: (value: T) => void;
  show: (value: T) => React.ReactNode;
  name: (value: T) => string;
  /** `show` has no text: `name` is the label. */
  icons?: boolean;
}) {
  return (
    <fieldset className="flex rounded-control border border-line p-0.5">
      <legend className="sr-only">{label}</legend>
      {values.map((one) => (
        <button
          key={one}
          lang={icons ? undefined : one}
          type="button"
          aria-pressed={one === value}
          aria-label={icons ? name(one) : undefined}
          title={name(one)}
          onClick={() => onPick(one)}
          className="flex min-h-9 min-w-9 flex-1 items-center justify-center rounded-[0.5rem] px-1.5 text-xs text-dim aria-pressed:bg-soft aria-pressed:font-semibold aria-pressed:text-ink"
        >
          {show(one)}
        </button>
      ))}
    </fieldset>
  );
}

export function ThemeChoice() {
  const [value, setValue] = useState(theme);
  return (
    <Choices
      label={t("look.theme")}
      values={THEMES}
      icons
      value={value}
      name={(one) => t(`look.${one}`)}
      show={(one) => <Icon name={ICONS[one]} className="size-4.5" />}
      onPick={(next) => {
        applyTheme(next);
        setValue(next);
      }}
    />
  );
}

export function LanguageChoice() {
  return (
    <Choices<Language>
      label={t("look.language")}
      values={LANGUAGES}
      value={language()}
      name={(one) => t(`language.${one}`)}
      show={(one) => one.toUpperCase()}
      onPick={(next) =>
        void speak(next, true).then(() => window.dispatchEvent(new Event("languagechange-chosen")))
      }
    />
  );
}
