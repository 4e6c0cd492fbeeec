import { connectionLost } from "./failures";

export interface Ending {
  title: string;
  explanation: string;
}

const closed = "The line is closed and the microphone is off.";
const fault: Ending = {
  title: "The call ended because of a fault on our side",
  explanation: "We are sorry. What you see below is what was done. Please call again.",
};
const restarting: Ending = {
  title: "The service is being restarted",
  explanation: "The call was closed so that the server could be renewed. It will be back in a moment.",
};
const lost: Ending = { title: connectionLost.title, explanation: connectionLost.advice };

/** By the names under which the server records why calls end. */
const ENDINGS: Record<string, Ending> = {
  hung_up: { title: "You ended the call", explanation: closed },
  agent_ended: { title: "The call has ended", explanation: "The assistant said goodbye and closed the line." },
  silence: {
    title: "The call ended after a silence",
    explanation: "Nobody had spoken for a while, so the assistant said goodbye. Call again whenever you like.",
  },
  too_long: {
    title: "The call reached its longest length",
    explanation: "Calls are limited in time. Call again to go on.",
  },
  over_budget: {
    title: "The call had cost as much as it may",
    explanation: "What calls may cost is limited, so the assistant said goodbye. What was done stays done.",
  },
  withdrawn: {
    title: "Your access was withdrawn",
    explanation: "What you logged in with does not open calls any more. Ask whoever gave it to you.",
  },
  drained: restarting,
  server_stopped: restarting,
  abuse: {
    title: "The call was closed",
    explanation: "This page sent something that the server does not take. Load the page again, then call again.",
  },
  vanished: lost,
  never_connected: lost,
  stuck: fault,
  failed: fault,
  failed_to_start: fault,
  server_lost: fault,
};

const unknown: Ending = { title: "The call has ended", explanation: closed };

/** An end reason of the server in words a caller understands. */
export function ending(reason: string | null): Ending {
  return ENDINGS[reason ?? ""] ?? unknown;
}
