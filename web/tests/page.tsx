// Shows one page by itself, with a host that answers as a test says.
import { QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { vi } from "vitest";
import { client } from "../src/api/queries";
import { Notes } from "../src/parts/announce";

export interface Asked {
  method: string;
  path: string;
  body: unknown;
}

type Answer = (body: unknown) => unknown;
export class Refused {
  readonly status: number;
  readonly error: { code: string; message: string; field?: string };
  constructor(status: number, code: string, message: string, field?: string) {
    this.status = status;
    this.error = { code, message, ...(field && { field }) };
  }
}

/** Answers by "METHOD /path"; what is asked is in the list that comes back. */
export function host(answers: Record<string, Answer>): Asked[] {
  const asked: Asked[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const path = String(input).replace("/api/v1", "");
    const method = init?.method ?? "GET";
    const body = init?.body ? JSON.parse(String(init.body)) : undefined;
    asked.push({ method, path, body });
    const answer = answers[`${method} ${path}`];
    if (answer === undefined) return new Response("{}", { status: 404 });
    const value = answer(body);
    if (value instanceof Refused) {
      return new Response(JSON.stringify({ error: value.error }), { status: value.status });
    }
    return value === undefined
      ? new Response(null, { status: 204 })
      : new Response(JSON.stringify(value), { status: 200 });
  });
  return asked;
}

export async function show(Page: () => ReactNode, path = "/") {
  client.clear();
  const root = createRootRoute();
  const page = createRoute({ getParentRoute: () => root, path, component: Page });
  const rest = createRoute({
    getParentRoute: () => root,
    path: "$",
    component: () => <p>elsewhere</p>,
  });
  const history = createMemoryHistory({ initialEntries: [path] });
  const router = createRouter({ routeTree: root.addChildren([page, rest]), history });
  await router.load();
  render(
    <QueryClientProvider client={client}>
      {/* biome-ignore lint/suspicious/noExplicitAny: the app's own router is another type */}
      <RouterProvider router={router as any} />
      <Notes />
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), history, screen };
}
