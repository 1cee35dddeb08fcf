// What went wrong, in words that say what to do; and the frame that shows a query's data, its
// loading or its error.
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { t, told } from "../strings";
import { Button } from "./button";
import { Loading, Notice } from "./layout";
import { Marked } from "./marked";

/** The text of an error: of the catalogue where it knows the code, else the host's own. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return t("error.unknown");
  if (error.code === "too_many") return t("error.too_many", { seconds: error.retryAfter ?? 60 });
  const known = told(`error.${error.code}`, "");
  // The host's own words name the field, the file, the limit: they come first when there are any.
  if (error.message !== "" && !SAID_BETTER.has(error.code)) return error.message;
  return known || error.message || t("error.unknown");
}

/** Codes whose text in the catalogue says all that the host's does. */
const SAID_BETTER = new Set([
  "unauthenticated",
  "wrong_pin",
  "wrong_password",
  "wrong_secret",
  "unreachable",
  "scope",
]);

/** An error beside what caused it; read out at once. */
export function ErrorText({ error, id }: { error: unknown; id?: string }) {
  if (!error) return null;
  return (
    <p id={id} role="alert" className="mt-2 text-sm font-medium text-error">
      <Marked text={explain(error)} />
    </p>
  );
}

/** The data of a query, or what stands there instead. */
export function Shown<T>({
  query,
  children,
}: {
  query: UseQueryResult<T, unknown>;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) {
    return (
      <Notice
        tone="error"
        title={t("error.title")}
        actions={
          <Button icon="restart" busy={query.isFetching} onClick={() => void query.refetch()}>
            {t("action.retry")}
          </Button>
        }
      >
        <Marked text={explain(query.error)} />
      </Notice>
    );
  }
  return <Loading />;
}
