import { MutationCache, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";

import { api, body } from "./client";
import { ApiError } from "./errors";
import type { paths } from "./schema";

type Answer<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": infer Data } } } };
}
  ? Data
  : never;

export type Portal = Answer<"/api/v1/portal">;
export type Me = Answer<"/api/v1/me">;
export type Agent = Answer<"/api/agents/list">[number];

export const portalQuery = queryOptions({
  queryKey: ["portal"],
  queryFn: async () => body(await api.GET("/api/v1/portal")),
  staleTime: Infinity,
});

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async () => body(await api.GET("/api/v1/me")),
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async () => body(await api.GET("/api/v1/me/sessions")),
  select: ({ data }) => data,
});

export const agentsQuery = queryOptions({
  queryKey: ["agents"],
  queryFn: async () => body(await api.GET("/api/agents/list")),
});

/** What would have been sent to a guest's telephone, the newest first. */
export const inboxQuery = queryOptions({
  queryKey: ["inbox"],
  queryFn: async () => body(await api.GET("/api/v1/inbox")),
  select: ({ data }) => data,
  gcTime: 0,
});

export function createQueryClient(): QueryClient {
  // Whoever finds out that nobody is logged in any more has it looked up, and so the frame of the pages learns of it.
  const lookUp = () => void queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
  const queryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, { queryKey }) => {
        if (error instanceof ApiError && error.status === 401 && queryKey[0] !== meQuery.queryKey[0]) lookUp();
      },
    }),
    mutationCache: new MutationCache({
      onError: (error) => {
        if (error instanceof ApiError && error.isLoggedOut) lookUp();
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        // A refusal stays a refusal; only silence and trouble on the server's side are worth another try.
        retry: (failures, error) =>
          failures < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      },
    },
  });
  return queryClient;
}
