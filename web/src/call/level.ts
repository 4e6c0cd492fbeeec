import { useEffect, useEffectEvent } from "react";

let context: AudioContext | undefined;

/** One audio context for all meters of the page; browsers let it run only after the person has touched the page. */
function audioContext(): AudioContext {
  if (!context) {
    const created = new AudioContext();
    context = created;
    const resume = () => void created.resume();
    for (const event of ["pointerdown", "keydown"]) window.addEventListener(event, resume, { passive: true });
  }
  if (context.state === "suspended") void context.resume();
  return context;
}

const QUIET_DB = -55;
const LOUD_DB = -12;

/** Loudness of samples in -1..1 as 0 (quiet) to 1 (loud), as the ear judges it: in decibels. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

/** Tell how loud a stream is, about thirty times a second; 0 once there is none. */
export function useLevel(stream: MediaStream | null, onLevel: (level: number) => void): void {
  const tell = useEffectEvent(onLevel);
  useEffect(() => {
    if (!stream) {
      tell(0);
      return;
    }
    const analyser = new AnalyserNode(audioContext(), { fftSize: 1024 });
    const source = new MediaStreamAudioSourceNode(audioContext(), { mediaStream: stream });
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let level = 0;
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      // Rises at once and falls slowly, like the needle of a meter.
      level = Math.max(loudness(samples), level * 0.85);
      tell(level);
    }, 33);
    return () => {
      clearInterval(timer);
      source.disconnect();
    };
  }, [stream]);
}
