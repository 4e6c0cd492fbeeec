/**
 * What can be known of a call's way before the call: whether the server answers and how soon, and whether this browser lets
 * a page send sound at all. Whether the network in between lets it through is only known once a call is tried.
 */
export type Verdict = "good" | "slow" | "offline" | "no-answer" | "no-calls" | "no-way-out";

export interface Connection {
  verdict: Verdict;
  /** From question to answer, the best of several; null if there was no answer. */
  roundTripMs: number | null;
}

const TRIES = 4;
const ANSWER_TIMEOUT_MS = 5_000;
const GATHER_TIMEOUT_MS = 4_000;
const SLOW_MS = 400;

export async function checkConnection(): Promise<Connection> {
  const [roundTripMs, wayOut] = await Promise.all([roundTrip(), hasWayOut()]);
  return { verdict: judge(roundTripMs, wayOut), roundTripMs };
}

function judge(roundTripMs: number | null, wayOut: boolean | null): Verdict {
  if (roundTripMs === null) return navigator.onLine ? "no-answer" : "offline";
  if (wayOut === null) return "no-calls";
  if (!wayOut) return "no-way-out";
  return roundTripMs > SLOW_MS ? "slow" : "good";
}

/** The first try may have to open a connection, so that the best counts. */
async function roundTrip(): Promise<number | null> {
  let best: number | null = null;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const asked = performance.now();
    try {
      const answer = await fetch("/liveness", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      if (!answer.ok) return null;
      await answer.arrayBuffer();
    } catch {
      return null;
    }
    best = Math.min(best ?? Infinity, performance.now() - asked);
  }
  return best === null ? null : Math.round(best);
}

/** Whether the browser offers an address that sound may be sent from over UDP; null if it knows no calls at all. */
async function hasWayOut(): Promise<boolean | null> {
  if (typeof RTCPeerConnection !== "function") return null;
  const peer = new RTCPeerConnection();
  try {
    return await new Promise<boolean>((resolve, reject) => {
      setTimeout(() => resolve(false), GATHER_TIMEOUT_MS);
      peer.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate === null) resolve(false);
        else if (candidate.protocol === "udp") resolve(true);
      });
      peer.addTransceiver("audio");
      peer.setLocalDescription().catch(reject);
    });
  } catch {
    return null;
  } finally {
    peer.close();
  }
}

export interface VerdictWords {
  title: string;
  /** Why, or what to do. */
  advice: string;
}

export function verdictInWords({ verdict, roundTripMs }: Connection): VerdictWords {
  const after = roundTripMs === null ? "" : `${new Intl.NumberFormat().format(roundTripMs)} ms`;
  switch (verdict) {
    case "good":
      return {
        title: "The connection is good",
        advice: `The server answers in ${after} and your browser can make calls.`,
      };
    case "slow":
      return {
        title: "The connection is slow",
        advice: `The server takes ${after} to answer, so the assistant will seem late. Another network may be better.`,
      };
    case "offline":
      return { title: "You are offline", advice: "Connect to a network, then check again." };
    case "no-answer":
      return {
        title: "The server does not answer",
        advice: "If other pages open, it may be restarting: check again in a minute.",
      };
    case "no-calls":
      return {
        title: "This browser cannot make calls",
        advice: "Open this page in a current Chrome, Edge, Firefox or Safari.",
      };
    case "no-way-out":
      return {
        title: "This browser does not let calls out",
        advice:
          "A privacy setting, an extension or a rule of your company keeps it from sending sound. Allow calls (WebRTC) for this page, or use another browser.",
      };
  }
}
