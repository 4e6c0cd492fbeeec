import { connectionLost } from "./failures";

export interface Ending {
  title: string;
  explanation: string;
}

const ENDINGS: Record<string, Ending> = {
  hangup: { title: "You ended the call", explanation: "The line is closed and the microphone is off." },
  goodbye: { title: "The call has ended", explanation: "You said goodbye, and the assistant closed the line." },
  idle: {
    title: "The call ended after a silence",
    explanation: "Nobody had spoken for a while, so the assistant said goodbye. Call again whenever you like.",
  },
  "max-length": {
    title: "The call reached its longest length",
    explanation: "Calls are limited in time. Call again to go on.",
  },
  drain: {
    title: "The service is being restarted",
    explanation: "The call was closed so that the server could be renewed. It will be back in a moment.",
  },
  lost: { title: connectionLost.title, explanation: connectionLost.advice },
  error: {
    title: "The call ended because of a fault on our side",
    explanation: "We are sorry. Nothing you asked for was left half done. Please call again.",
  },
  ended: { title: "The call has ended", explanation: "The line is closed and the microphone is off." },
};

/** Servers and clients name the same causes a little differently. */
const SAME: Record<string, keyof typeof ENDINGS> = {
  "hung-up": "hangup",
  "hang-up": "hangup",
  "caller-left": "hangup",
  "caller-hung-up": "hangup",
  "agent-ended": "goodbye",
  "agent-goodbye": "goodbye",
  silence: "idle",
  "idle-timeout": "idle",
  "max-duration": "max-length",
  "too-long": "max-length",
  length: "max-length",
  "time-limit": "max-length",
  shutdown: "drain",
  draining: "drain",
  drained: "drain",
  "server-stopping": "drain",
  vanished: "lost",
  "connection-lost": "lost",
  failed: "error",
  abuse: "error",
  "server-lost": "error",
  "never-connected": "lost",
  fault: "error",
};

/** An end reason of the server in words a caller understands. */
export function ending(reason: string): Ending {
  const name = reason.toLowerCase().replaceAll("_", "-");
  return ENDINGS[SAME[name] ?? name] ?? ENDINGS["ended"]!;
}
