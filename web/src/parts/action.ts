// One thing that is done at the host: whether it runs, what went wrong, and the note after
// it. A thin cover over a mutation, so that pages do not repeat themselves.
import { useCallback, useState } from "react";
import { note } from "./announce";
import { explain } from "./errors";

export interface Action<A extends unknown[]> {
  run: (...args: A) => Promise<boolean>;
  busy: boolean;
  error: unknown;
  clear: () => void;
}

/** `aloud`: an error becomes a note, for buttons that have no place for one. */
export function useAction<A extends unknown[]>(
  does: (...args: A) => Promise<unknown>,
  options: { done?: string; aloud?: boolean } = {},
): Action<A> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const { done, aloud } = options;
  const run = async (...args: A) => {
    setBusy(true);
    setError(undefined);
    try {
      await does(...args);
      if (done) note(done);
      return true;
    } catch (refused) {
      if (aloud) note(explain(refused), "error");
      else setError(refused);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error, clear: useCallback(() => setError(undefined), []) };
}
