/** How the agent's speech reaches the caller, measured from the connection's own statistics. */

/** As it is told to the server: whole milliseconds, null for what could not be measured. */
export interface Heard {
  /** There and back through the network. */
  rtt_ms: number | null;
  /** How long the sound lay in the jitter buffer, on average. */
  jitter_buffer_ms: number | null;
  /** From the server's word that the agent speaks to the first sound that can be heard. */
  playout_ms: number | null;
}

/** Chrome makes a new report no oftener than every 50 ms. */
const LOOK_EVERY_MS = 60;
/** Between two looks that came later than this, too little is known: the page was hidden or busy. */
const LATE_MS = 200;
/** How much of the speech is measured: what a late packet does to its end delays no answer. */
const LISTEN_MS = 2_000;
/** About -50 dB of full scale, below the quietest word and above silence. */
const AUDIBLE = 0.003;
const MOST_MS = 60_000;

interface Sample {
  rttMs: number | null;
  energy: number;
  seconds: number;
  bufferedS: number;
  emitted: number;
}

/**
 * Measure the speech that begins now.
 *
 * @param over Aborted when it has come to its end.
 * @returns null where nothing could be measured.
 */
export async function listen(stats: () => Promise<RTCStatsReport>, over: AbortSignal): Promise<Heard | null> {
  const began = performance.now();
  const first = sampleOf(await stats());
  let before = { sample: first, at: 0 };
  let playout: number | null = null;
  let heard = false;
  do {
    await pause(LOOK_EVERY_MS, over);
    const sample = sampleOf(await stats());
    const at = performance.now() - began;
    if (!heard && levelBetween(before.sample, sample) > AUDIBLE) {
      heard = true;
      // It began somewhere between the two looks.
      if (at - before.at < LATE_MS) playout = (before.at + at) / 2;
    }
    before = { sample, at };
  } while (!over.aborted && before.at < LISTEN_MS);
  const last = before.sample;
  const buffered = (1000 * (last.bufferedS - first.bufferedS)) / (last.emitted - first.emitted);
  const told = {
    rtt_ms: whole(last.rttMs),
    jitter_buffer_ms: whole(last.emitted > first.emitted ? buffered : null),
    playout_ms: whole(playout),
  };
  return Object.values(told).some((ms) => ms !== null) ? told : null;
}

function sampleOf(report: RTCStatsReport): Sample {
  const sample: Sample = { rttMs: null, energy: 0, seconds: 0, bufferedS: 0, emitted: 0 };
  for (const stats of report.values() as Iterable<Record<string, unknown>>) {
    const { type, kind, nominated, currentRoundTripTime } = stats;
    if (type === "candidate-pair" && nominated && typeof currentRoundTripTime === "number") {
      sample.rttMs = currentRoundTripTime * 1000;
    }
    if (type === "inbound-rtp" && kind === "audio") {
      sample.energy += number(stats["totalAudioEnergy"]);
      sample.seconds += number(stats["totalSamplesDuration"]);
      sample.bufferedS += number(stats["jitterBufferDelay"]);
      sample.emitted += number(stats["jitterBufferEmittedCount"]);
    }
  }
  return sample;
}

/** The loudness of what was played between two looks, as the share of full scale that `audioLevel` is. */
function levelBetween(before: Sample, now: Sample): number {
  const seconds = now.seconds - before.seconds;
  return seconds > 0 ? Math.sqrt(Math.max(0, now.energy - before.energy) / seconds) : 0;
}

function pause(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (over.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      over.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    over.addEventListener("abort", done);
  });
}

const number = (value: unknown) => (typeof value === "number" ? value : 0);
const whole = (ms: number | null) => (ms === null ? null : Math.min(MOST_MS, Math.max(0, Math.round(ms))));
