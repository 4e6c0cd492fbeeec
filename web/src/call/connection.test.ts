import { afterEach, describe, expect, test, vi } from "vitest";

import { serve } from "../testing/server";
import { checkConnection, verdictInWords, type Verdict } from "./connection";

/** A browser's calls, as far as the check goes: it offers these candidates, then says that there are no more. */
function browserOffers(...protocols: ("udp" | "tcp")[]): void {
  class Peer extends EventTarget {
    addTransceiver() {}
    setLocalDescription() {
      queueMicrotask(() => {
        for (const protocol of [...protocols, null]) {
          const candidate = protocol && { protocol };
          this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate }));
        }
      });
      return Promise.resolve();
    }
    close() {}
  }
  vi.stubGlobal("RTCPeerConnection", Peer);
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("the check before a call", () => {
  test("is good where the server answers and the browser offers a way", async () => {
    const asked = serve({ "GET /liveness": [{ body: { status: "alive" } }] });
    browserOffers("tcp", "udp");
    expect((await checkConnection()).verdict).toBe("good");
    expect(new Set(asked.map(({ path }) => path))).toEqual(new Set(["/liveness"])); // It uses up nothing.
  });

  test("takes the best of several answers: the first may have opened the connection", async () => {
    serve({ "GET /liveness": [{}] });
    browserOffers("udp");
    const clock = [0, 900, 1000, 1030, 2000, 2600, 3000, 3500];
    vi.spyOn(performance, "now").mockImplementation(() => clock.shift() ?? 0);
    expect(await checkConnection()).toEqual({ verdict: "good", roundTripMs: 30 });
  });

  test("tells a slow server, and one that does not answer or is in trouble", async () => {
    browserOffers("udp");
    serve({ "GET /liveness": [{}] });
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 450));
    expect((await checkConnection()).verdict).toBe("slow");
    serve({ "GET /liveness": ["no answer"] });
    expect(await checkConnection()).toEqual({ verdict: "no-answer", roundTripMs: null });
    serve({ "GET /liveness": [{ status: 502 }] });
    expect((await checkConnection()).verdict).toBe("no-answer");
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    expect((await checkConnection()).verdict).toBe("offline");
  });

  test("tells a browser without calls from one that keeps them in", async () => {
    serve({ "GET /liveness": [{}] });
    vi.stubGlobal("RTCPeerConnection", undefined);
    expect((await checkConnection()).verdict).toBe("no-calls");
    browserOffers();
    expect((await checkConnection()).verdict).toBe("no-way-out");
    browserOffers("tcp");
    expect((await checkConnection()).verdict).toBe("no-way-out");
  });

  test("every verdict has words, with the figure where it explains something", () => {
    const verdicts: Verdict[] = ["good", "slow", "offline", "no-answer", "no-calls", "no-way-out"];
    const words = verdicts.map((verdict) => verdictInWords({ verdict, roundTripMs: 640 }));
    expect(new Set(words.map(({ title }) => title)).size).toBe(verdicts.length);
    expect(words[1]?.advice).toContain("640 ms");
  });
});
