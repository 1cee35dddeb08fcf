// Dialogs on the browser's own <dialog>: it holds the focus, closes by Escape and leaves the
// rest inert. No style is injected, which the host's rules would refuse.
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { t } from "../strings";
import { Button, IconButton, type Look } from "./button";
import { ErrorText } from "./errors";

export function Dialog({
  title,
  lead,
  onClose,
  children,
  wide = false,
}: {
  title: string;
  lead?: ReactNode;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      className={`max-h-[92dvh] w-[calc(100%-1.5rem)] overflow-y-auto rounded-panel border border-line bg-panel p-0 shadow-2xl ${wide ? "max-w-3xl" : "max-w-lg"}`}
    >
      <div className="flex items-start justify-between gap-4 p-5 pb-0 sm:p-6 sm:pb-0">
        <div className="min-w-0">
          <h2 id={id} className="text-xl font-semibold">
            {title}
          </h2>
          {lead && <div className="mt-1.5 text-sm text-dim">{lead}</div>}
        </div>
        <IconButton
          icon="close"
          label={t("action.close")}
          onClick={onClose}
          className="-mt-2 -mr-2"
        />
      </div>
      <div className="p-5 sm:p-6">{children}</div>
    </dialog>
  );
}

/** The row of buttons at a dialog's end: what is done stands first, a way out beside it. */
export function DialogEnd({ children, onClose }: { children: ReactNode; onClose: () => void }) {
  return (
    <div className="mt-6 flex flex-wrap-reverse justify-end gap-2">
      <Button look="quiet" onClick={onClose}>
        {t("action.cancel")}
      </Button>
      {children}
    </div>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm({
  title,
  children,
  action,
  look = "danger",
  onConfirm,
  onClose,
}: {
  title: string;
  children: ReactNode;
  action: string;
  look?: Look;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="text-dim">{children}</div>
      <ErrorText error={error} />
      <DialogEnd onClose={onClose}>
        <Button look={look} busy={busy} onClick={() => void confirm()}>
          {action}
        </Button>
      </DialogEnd>
    </Dialog>
  );
}
