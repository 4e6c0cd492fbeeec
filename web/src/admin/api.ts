/** The operator's routes. Everything read is kept under the key `admin`, each noun below it. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api, body } from "../api/client";
import type { paths } from "../api/schema";
import type { CodeChange, NewCodes, ProfileChange } from "./types";

type Query<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Of } } }
  ? NonNullable<Of>
  : never;

// --- Overview ---

export interface Window {
  from: string;
  to: string;
  bucket_minutes: number;
}

/** East of Greenwich is positive; days and hours begin where the reader is. */
const utcOffset = () => -new Date().getTimezoneOffset();

export const overviewQuery = (window: Window) =>
  queryOptions({
    queryKey: ["admin", "overview", window],
    queryFn: async () =>
      body(
        await api.GET("/api/v1/analytics/overview", {
          params: { query: { ...window, utc_offset_minutes: utcOffset() } },
        }),
      ),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
  });

export const trafficQuery = (hours: number, bucket_minutes: number) =>
  queryOptions({
    queryKey: ["admin", "traffic", hours, bucket_minutes],
    queryFn: async () =>
      body(
        await api.GET("/api/agents/traffic", {
          params: { query: { hours, bucket_minutes, utc_offset_minutes: utcOffset() } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

// --- Codes ---

export type CodeFilter = Omit<Query<"/api/otps/">, "page" | "per_page">;

export const codesQuery = (filter: CodeFilter, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["admin", "codes", "list", filter, page, per_page],
    queryFn: async () => {
      const answer = await api.GET("/api/otps/", { params: { query: { ...filter, page, per_page } } });
      const codes = body(answer);
      return { codes, total: Number(answer.response.headers.get("X-Total-Count") ?? codes.length) };
    },
    placeholderData: keepPreviousData,
  });

export const codeQuery = (otp_id: string) =>
  queryOptions({
    queryKey: ["admin", "codes", "one", otp_id],
    queryFn: async () => body(await api.GET("/api/otps/{otp_id}", { params: { path: { otp_id } } })),
  });

export const issueCodes = async (codes: NewCodes) => body(await api.POST("/api/otps/", { body: codes }));

export const changeCode = async (otp_id: string, change: CodeChange) =>
  body(await api.PUT("/api/otps/{otp_id}", { params: { path: { otp_id } }, body: change }));

export const deleteCode = (otp_id: string) => api.DELETE("/api/otps/{otp_id}", { params: { path: { otp_id } } });

/** What a code was used for, the newest first. */
export const usageQuery = (otp_id: string, limit: number) =>
  queryOptions({
    queryKey: ["admin", "usage", otp_id, limit],
    queryFn: async () => body(await api.GET("/api/agents/usage", { params: { query: { otp_id, limit } } })),
    placeholderData: keepPreviousData,
  });

/** What a code has used in all, agent by agent, the most calls first. */
export const usageSumsQuery = (otp_id: string) =>
  queryOptions({
    queryKey: ["admin", "usage-sums", otp_id],
    queryFn: async () =>
      body(await api.GET("/api/v1/analytics/usage", { params: { query: { otp_id, per_page: 100 } } })),
    select: ({ data }) => data,
  });

// --- Calls ---

export type CallFilter = Query<"/api/v1/call-logs/export">;

export const callsQuery = (filter: CallFilter, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["admin", "calls", "list", filter, page, per_page],
    queryFn: async () => body(await api.GET("/api/v1/call-logs", { params: { query: { ...filter, page, per_page } } })),
    placeholderData: keepPreviousData,
  });

export const callQuery = (call_id: string) =>
  queryOptions({
    queryKey: ["admin", "calls", "one", call_id],
    queryFn: async () => body(await api.GET("/api/v1/call-logs/{call_id}", { params: { path: { call_id } } })),
    refetchInterval: ({ state }) => (state.data?.state === "open" ? 2_000 : false),
  });

/** The address of the same calls as a file for spreadsheets. */
export function callsExport(filter: CallFilter): string {
  const query = new URLSearchParams(Object.entries(filter).flatMap(([name, value]) => (value ? [[name, value]] : [])));
  return `/api/v1/call-logs/export${query.size > 0 ? `?${query}` : ""}`;
}

// --- Agents, requests, system, audit ---

export const agentConfigQuery = (agent_id: string) =>
  queryOptions({
    queryKey: ["admin", "agent", agent_id],
    queryFn: async () => body(await api.GET("/api/agents/config/{agent_id}", { params: { path: { agent_id } } })),
  });

/** What counts for the next calls of each agent, and the vendors there are. */
export const profilesQuery = queryOptions({
  queryKey: ["admin", "agent-profiles"],
  queryFn: async () => body(await api.GET("/api/v1/agent-profiles")),
});

export const saveProfile = async (agent_type: string, profile: ProfileChange) =>
  body(await api.PUT("/api/v1/agent-profiles/{agent_type}", { params: { path: { agent_type } }, body: profile }));

export type RequestFilter = Omit<Query<"/api/v1/requests">, "page" | "per_page">;

export const requestsQuery = (filter: RequestFilter, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["admin", "requests", filter, page, per_page],
    queryFn: async () => body(await api.GET("/api/v1/requests", { params: { query: { ...filter, page, per_page } } })),
    placeholderData: keepPreviousData,
  });

export const closeRequest = async (request_id: string) =>
  body(await api.POST("/api/v1/requests/{request_id}/done", { params: { path: { request_id } } }));

export const systemQuery = queryOptions({
  queryKey: ["admin", "system"],
  queryFn: async () => body(await api.GET("/api/v1/system")),
});

export type AuditFilter = Omit<Query<"/api/v1/audit-logs">, "page" | "per_page">;

export const auditQuery = (filter: AuditFilter, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["admin", "audit", filter, page, per_page],
    queryFn: async () =>
      body(await api.GET("/api/v1/audit-logs", { params: { query: { ...filter, page, per_page } } })),
    placeholderData: keepPreviousData,
  });

export const verifyChain = async () => body(await api.GET("/api/v1/audit-logs/verify"));

// --- Administrators ---

export const adminsQuery = (page: number, per_page: number) =>
  queryOptions({
    queryKey: ["admin", "admins", page, per_page],
    queryFn: async () => body(await api.GET("/api/v1/admins", { params: { query: { page, per_page } } })),
    placeholderData: keepPreviousData,
  });

export const adminSessionsQuery = (admin_id: string) =>
  queryOptions({
    queryKey: ["admin", "admin-sessions", admin_id],
    queryFn: async () => body(await api.GET("/api/v1/admins/{admin_id}/sessions", { params: { path: { admin_id } } })),
    select: ({ data }) => data,
  });

export const addAdmin = async (who: { username: string; name: string }) =>
  body(await api.POST("/api/v1/admins", { body: who }));

export const disableAdmin = async (admin_id: string, disabled: boolean) =>
  body(await api.PATCH("/api/v1/admins/{admin_id}", { params: { path: { admin_id } }, body: { disabled } }));

export const resetPassword = async (admin_id: string, remove_totp: boolean) =>
  body(
    await api.POST("/api/v1/admins/{admin_id}/reset-password", {
      params: { path: { admin_id } },
      body: { remove_totp },
    }),
  );

export const endSession = (admin_id: string, session_id: string) =>
  api.DELETE("/api/v1/admins/{admin_id}/sessions/{session_id}", { params: { path: { admin_id, session_id } } });
