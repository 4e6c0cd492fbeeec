/** What the operator's routes take and give, by the names the pages use. */
import type { components, paths } from "../api/schema";

type Schemas = components["schemas"];

type Got<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": infer Data } } } };
}
  ? Data
  : never;

type Sent<Operation> = Operation extends { requestBody: { content: { "application/json": infer Data } } }
  ? Data
  : never;

export type Code = Got<"/api/otps/{otp_id}">;
export type CodeState = Code["state"];
export type NewCodes = Sent<paths["/api/otps/"]["post"]>;
export type CodeChange = Sent<paths["/api/otps/{otp_id}"]["put"]>;
export type Access = Got<"/api/agents/usage">[number];
export type UsageSum = Schemas["UsageSumOut"];
export type Traffic = Got<"/api/agents/traffic">[number];
export type TrafficBucket = Traffic["buckets"][number];
export type Overview = Got<"/api/v1/analytics/overview">;
export type Numbers = Schemas["NumbersOut"];
export type Call = Schemas["CallOut"];
export type Outcome = Call["outcome"];
export type CallDetail = Schemas["CallDetailOut"];
export type TurnSaid = CallDetail["turns_said"][number];
export type Answer = CallDetail["answers"][number];
export type CallEvent = CallDetail["events"][number];
export type Usage = CallDetail["usage"][number];
export type System = Got<"/api/v1/system">;
export type Part = System["parts"][number];
export type Worker = System["workers"][number];
export type Admin = Schemas["AdminOut"];
export type AgentConfig = Got<"/api/agents/config/{agent_id}">;
export type Profiles = Got<"/api/v1/agent-profiles">;
export type Profile = Profiles["data"][number];
export type ProfileChange = Sent<paths["/api/v1/agent-profiles/{agent_type}"]["put"]>;
export type ServiceRequest = Schemas["RequestOut"];
export type AuditRecord = Schemas["RecordOut"];
export type Verdict = Got<"/api/v1/audit-logs/verify">;

/** The stages of an answer, in the order in which they usually happen. */
export const STAGES = [
  "endpointing",
  "transcription",
  "turn",
  "llm",
  "tool",
  "sentence",
  "tts",
  "output",
  "other",
] as const;
export type Stage = (typeof STAGES)[number];

/** A call of the stream of what goes on now, which no schema describes. */
export interface LiveCall extends Pick<
  Call,
  "id" | "agent_type" | "agent_name" | "otp_label" | "user_name" | "started_at" | "connected_at" | "turns"
> {
  last_answer_ms: number | null;
  last_said_at: string | null;
}

/** One event of that stream. */
export interface Live {
  at: string;
  seats: number;
  seats_taken: number;
  lag_ms: number;
  calls: LiveCall[];
  today: Numbers;
  budget_usd: number | null;
}
