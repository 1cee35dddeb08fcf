// Fields of forms: a label, the control, help and error tied to it for screen readers.
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";

interface Frame {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
}

/** A label, a control and what belongs to it. The control gets the ids to point at. */
export function Field({
  label,
  help,
  error,
  children,
}: Frame & {
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}) {
  const id = useId();
  const described = [help ? `${id}h` : "", error ? `${id}e` : ""].filter(Boolean).join(" ");
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1.5 block font-medium">
        {label}
      </label>
      {children({
        id,
        ...(described && { "aria-describedby": described }),
        ...(error && { "aria-invalid": true as const }),
      })}
      {help && (
        <p id={`${id}h`} className="mt-1.5 text-sm text-dim">
          {help}
        </p>
      )}
      {error && (
        <p id={`${id}e`} role="alert" className="mt-1.5 text-sm font-medium text-error">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  help,
  error,
  onText,
  className = "",
  ...rest
}: Frame & InputHTMLAttributes<HTMLInputElement> & { onText: (text: string) => void }) {
  return (
    <Field label={label} help={help} error={error}>
      {(ids) => (
        <input
          autoComplete="off"
          spellCheck={false}
          {...rest}
          {...ids}
          className={`control ${className}`}
          onChange={(event) => onText(event.target.value)}
        />
      )}
    </Field>
  );
}

export function SelectField({
  label,
  help,
  error,
  options,
  onPick,
  ...rest
}: Frame &
  SelectHTMLAttributes<HTMLSelectElement> & {
    options: readonly { value: string; title: string }[];
    onPick: (value: string) => void;
  }) {
  return (
    <Field label={label} help={help} error={error}>
      {(ids) => (
        <select
          {...rest}
          {...ids}
          className="control"
          onChange={(event) => onPick(event.target.value)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** A box to tick, with its label and a line of help beside it. */
export function CheckBox({
  label,
  help,
  checked,
  onCheck,
  disabled = false,
}: {
  label: string;
  help?: string | undefined;
  checked: boolean;
  onCheck: (on: boolean) => void;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <div className="flex min-h-11 items-start gap-3 py-2.5">
      <input
        id={id}
        type="checkbox"
        className="mt-0.5 size-5 shrink-0 accent-(--accent)"
        checked={checked}
        disabled={disabled}
        aria-describedby={help ? `${id}h` : undefined}
        onChange={(event) => onCheck(event.target.checked)}
      />
      <div className="min-w-0">
        <label htmlFor={id} className="block">
          {label}
        </label>
        {help && (
          <p id={`${id}h`} className="text-sm text-dim">
            {help}
          </p>
        )}
      </div>
    </div>
  );
}
