// One way to ask the host: JSON in, JSON out, and every refusal as an `ApiError` with the
// stable code of the contract. It keeps no state and knows no page.

export const BASE = "/api/v1";

/** The event of the window when an answer says that nobody is logged in (any more). */
export const LOGGED_OUT = "punktfunk-logged-out";
/** Where 401 is an answer and no news: a wrong password or secret, or the very question. */
const OPEN = new Set(["/login", "/claim", "/password", "/me"]);

export class ApiError extends Error {
  /** 0: the host could not be reached. */
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  /** Seconds to wait before the next try, where the host said so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, field?: string, retryAfter?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = field;
    this.retryAfter = retryAfter;
  }
}

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

/** Asks the host and reads its JSON; `undefined` for an answer without a body. */
export async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const answer = await ask(method, path, body);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Asks the host for a file. */
export async function download(
  method: Method,
  path: string,
  body?: unknown,
): Promise<{ blob: Blob; name: string | undefined }> {
  const answer = await ask(method, path, body);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await answer.blob(), name };
}

async function ask(method: Method, path: string, body?: unknown): Promise<Response> {
  const changes = method !== "GET";
  const init: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
  if (changes) {
    // Both headers make the browser ask first when another site tries this.
    init.headers = { "Content-Type": "application/json", "X-Punktfunk": "1" };
    init.body = JSON.stringify(body ?? {});
  }
  let answer: Response;
  try {
    answer = await fetch(BASE + path, init);
  } catch {
    throw new ApiError(0, "unreachable", "");
  }
  if (!answer.ok) {
    if (answer.status === 401 && !OPEN.has(path)) window.dispatchEvent(new Event(LOGGED_OUT));
    throw await refusal(answer);
  }
  return answer;
}

async function refusal(answer: Response): Promise<ApiError> {
  const wait = Number(answer.headers.get("Retry-After") ?? "");
  const retryAfter = Number.isFinite(wait) && wait > 0 ? wait : undefined;
  let code = `status_${answer.status}`;
  let message = "";
  let field: string | undefined;
  try {
    const { error } = (await answer.json()) as {
      error?: { code?: string; message?: string; field?: string | null };
    };
    code = error?.code ?? code;
    message = error?.message ?? "";
    field = error?.field ?? undefined;
  } catch {
    // Not ours: a proxy in between, or a host of another version. The status says enough.
  }
  return new ApiError(answer.status, code, message, field, retryAfter);
}
