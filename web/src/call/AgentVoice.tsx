import { useEffect, useRef, useSyncExternalStore } from "react";

import { speaker } from "./speaker";

/** Plays the agent's side of the call: nothing to see. */
export function AgentVoice({ track }: { track: MediaStreamTrack | null }) {
  const audio = useRef<HTMLAudioElement>(null);
  const { volume, deviceId } = useSyncExternalStore(speaker.subscribe, speaker.snapshot);

  useEffect(() => {
    const element = audio.current;
    if (!element || !track) return;
    element.srcObject = new MediaStream([track]);
    const play = () =>
      element.play().then(
        () => speaker.setBlocked(false),
        (error: unknown) => speaker.setBlocked(error instanceof DOMException && error.name === "NotAllowedError"),
      );
    const whenTouched = () => void (speaker.snapshot().blocked && play());
    void play();
    window.addEventListener("click", whenTouched);
    window.addEventListener("keydown", whenTouched);
    return () => {
      window.removeEventListener("click", whenTouched);
      window.removeEventListener("keydown", whenTouched);
      element.srcObject = null;
    };
  }, [track]);

  useEffect(() => {
    if (audio.current) audio.current.volume = volume;
  }, [volume]);

  useEffect(() => {
    // A device that has gone is given up for the system's own.
    if (deviceId || audio.current?.sinkId) void audio.current?.setSinkId(deviceId).catch(() => speaker.choose(""));
  }, [deviceId]);

  return <audio ref={audio} hidden />;
}
