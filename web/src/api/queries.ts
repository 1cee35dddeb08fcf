// What the pages read, with the key under which it is cached. `live.ts` writes events of the
// host into the same keys, so nothing here polls.
import { QueryClient, queryOptions } from "@tanstack/react-query";
import * as api from "./api";
import { ApiError } from "./client";
import type { Me } from "./types";

/** Refused because nobody is logged in (any more). */
export function isLoggedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** Somebody is in now. What was read before may be from before a restart, or for another. */
export function entered(me: Me): void {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "public" });
  client.setQueryData(queries.me.queryKey, me);
}

export const queries = {
  public: queryOptions({ queryKey: ["public"], queryFn: api.host.public }),
  me: queryOptions({ queryKey: ["me"], queryFn: api.login.me, staleTime: 60_000 }),
  host: queryOptions({ queryKey: ["host"], queryFn: api.host.show }),
  devices: queryOptions({ queryKey: ["devices"], queryFn: api.devices.list }),
  pairing: queryOptions({ queryKey: ["pairing"], queryFn: api.pairing.show }),
  sessions: queryOptions({ queryKey: ["sessions"], queryFn: api.sessions.list }),
  apps: queryOptions({ queryKey: ["apps"], queryFn: api.apps.list }),
  displays: queryOptions({ queryKey: ["displays"], queryFn: api.displays.list }),
  settings: queryOptions({ queryKey: ["settings"], queryFn: api.settings.list }),
  diagnostics: queryOptions({ queryKey: ["diagnostics"], queryFn: api.diagnostics.show }),
  statistics: queryOptions({ queryKey: ["statistics"], queryFn: api.diagnostics.statistics }),
  tokens: queryOptions({ queryKey: ["tokens"], queryFn: api.tokens.list }),
  updates: queryOptions({ queryKey: ["updates"], queryFn: api.updates.show }),
  licences: queryOptions({
    queryKey: ["licences"],
    queryFn: api.host.licences,
    staleTime: Number.POSITIVE_INFINITY,
  }),
};

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // The host is on the local network: what it refuses, it refuses again. Only a lost
      // connection is worth another try.
      retry: (count, error) => error instanceof ApiError && error.status === 0 && count < 2,
      retryDelay: 700,
      // An isolated network is not an offline browser.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
