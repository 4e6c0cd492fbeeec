/** How the line is doing, judged from the connection's own statistics. */
export type Grade = "good" | "fair" | "poor" | "lost";

export interface Quality {
  grade: Grade;
  rttMs: number | null;
  lossPercent: number | null;
}

export interface Sample {
  rttMs: number | null;
  packetsReceived: number;
  packetsLost: number;
}

/** Read the statistics that matter from a peer connection's report. */
export function sampleOf(report: RTCStatsReport): Sample {
  const sample: Sample = { rttMs: null, packetsReceived: 0, packetsLost: 0 };
  for (const stats of report.values() as Iterable<Record<string, unknown>>) {
    if (stats["type"] === "candidate-pair" && stats["nominated"] && typeof stats["currentRoundTripTime"] === "number") {
      sample.rttMs = Math.round(stats["currentRoundTripTime"] * 1000);
    }
    if (stats["type"] === "inbound-rtp" && stats["kind"] === "audio") {
      sample.packetsReceived += numberOr0(stats["packetsReceived"]);
      sample.packetsLost += numberOr0(stats["packetsLost"]);
    }
  }
  return sample;
}

/** Loss is that of the time between the two samples, so that a bad moment is forgiven once it is over. */
export function judge(before: Sample | null, now: Sample): Quality {
  const lost = Math.max(0, now.packetsLost - (before?.packetsLost ?? 0));
  const received = Math.max(0, now.packetsReceived - (before?.packetsReceived ?? 0));
  const lossPercent = received + lost > 0 ? Math.round((100 * lost) / (received + lost)) : null;
  const { rttMs } = now;
  const worst = Math.max(step(rttMs, 200, 450), step(lossPercent, 3, 10));
  return { grade: (["good", "fair", "poor"] as const)[worst] ?? "poor", rttMs, lossPercent };
}

export function qualityInWords({ grade, rttMs, lossPercent }: Quality): string {
  if (grade === "lost") return "No connection";
  const figures = [
    rttMs === null ? "" : `${rttMs} ms round trip`,
    lossPercent === null ? "" : `${lossPercent} % of the sound lost`,
  ].filter(Boolean);
  return figures.join(", ") || "Measuring";
}

function step(value: number | null, fair: number, poor: number): 0 | 1 | 2 {
  if (value === null || value < fair) return 0;
  return value < poor ? 1 : 2;
}

function numberOr0(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
