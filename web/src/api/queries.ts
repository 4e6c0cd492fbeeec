import { QueryClient, queryOptions } from "@tanstack/react-query";

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

export const agentsQuery = queryOptions({
  queryKey: ["agents"],
  queryFn: async () => body(await api.GET("/api/agents/list")),
});

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        // A refusal stays a refusal; only silence and trouble on the server's side are worth another try.
        retry: (failures, error) =>
          failures < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      },
    },
  });
}
