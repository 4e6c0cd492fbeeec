/** What the record's names are called on the operator's pages. */
import { heading } from "../components/format";
import type { CodeState, Outcome, Stage } from "./types";

const ENDS: Record<string, string> = {
  hung_up: "The caller hung up",
  agent_ended: "The agent said goodbye",
  silence: "Nobody spoke for a while",
  too_long: "It reached the longest length",
  over_budget: "It had cost as much as it may",
  withdrawn: "The code or log-in was withdrawn",
  drained: "The server was being restarted",
  server_stopped: "The server was stopped",
  abuse: "The page sent what the server does not take",
  vanished: "The caller's line was lost",
  stuck: "The agent had stopped answering",
  never_connected: "The line was never made",
  failed: "A fault on our side",
  failed_to_start: "It could not be started",
  server_lost: "The server was lost",
};

/** Why a call ended. */
export function endInWords(reason: string | null): string {
  return reason === null ? "" : (ENDS[reason] ?? heading(reason));
}

export const OUTCOMES: Record<Outcome, string> = {
  live: "Live",
  completed: "Completed",
  failed: "Failed",
  not_connected: "Not connected",
};

export const CODE_STATES: Record<CodeState, string> = {
  active: "Active",
  used_up: "Used up",
  expired: "Expired",
  disabled: "Disabled",
};

/** What an answer's time goes into, in the order in which it happens. */
export const STAGE_WORDS: Record<Stage, string> = {
  endpointing: "End of speech",
  transcription: "Transcription",
  turn: "Turn decision",
  llm: "Language model",
  tool: "Tools",
  sentence: "First sentence",
  tts: "Voice",
  output: "Sending",
  other: "Other",
};

/** What comes on top of the stages, by the caller's own measure. */
export const EAR = "To the caller’s ear";

export const stageInWords = (key: string): string | undefined => (STAGE_WORDS as Record<string, string>)[key];

const LINES: Record<string, string> = { webrtc: "Browser (WebRTC)", socket: "WebSocket", phone: "Telephone" };

/** What carried the sound. */
export const lineInWords = (channel: string) => LINES[channel] ?? heading(channel);

const KINDS: Record<string, string> = { stt: "Speech to text", llm: "Language model", tts: "Text to speech" };

export const kindInWords = (kind: string) => KINDS[kind] ?? heading(kind);

const TROUBLES: Record<string, string> = {
  authentication: "Key not accepted",
  authorization: "Not allowed with the key",
  quota: "Credit used up",
  rate_limit: "Asked too much",
  connectivity: "Out of reach, or no answer",
  server: "Fault at the vendor",
  invalid_request: "Cannot serve this call",
};

/** Why a vendor had to be replaced. */
export const troubleInWords = (category: string) => TROUBLES[category] ?? "Failed";

/** Who called, by the name the operator knows them by. */
export function callerInWords(call: {
  otp_id?: string | null;
  otp_label?: string | null;
  user_name?: string | null;
}): string {
  return call.user_name ?? call.otp_label ?? (call.otp_id === null ? "A customer" : "A code without a label");
}

/** What became of a draft once something was done to it. */
const BECAME: Record<string, string> = {
  open: "still waiting",
  done: "carried out",
  declined: "not carried out",
  expired: "too late",
  failed: "it could not be carried out",
};

/** "confirmed: done", as an act on a draft stands in the transcript, as "Confirmed, carried out". */
export function actInWords(text: string): string {
  const [act = "", state = ""] = text.split(": ");
  return Object.hasOwn(BECAME, state) ? `${heading(act)}, ${BECAME[state]}` : text;
}

/** "get_balance" as "Get balance". */
export const toolInWords = heading;
