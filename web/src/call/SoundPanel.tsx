import { Slider, Text } from "@mantine/core";
import { useEffect, useRef, useSyncExternalStore, type KeyboardEvent } from "react";

import { MicrophoneSelect, SpeakerSelect } from "./Devices";
import type { LiveCall } from "./live-call";
import classes from "./SoundPanel.module.css";
import { canSetVolume, speaker } from "./speaker";

/** How loud the agent is, and through which devices it is heard and hears. */
export function SoundPanel({ call, close }: { call: LiveCall; close: () => void }) {
  const { volume } = useSyncExternalStore(speaker.subscribe, speaker.snapshot);
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    panel.current?.querySelector<HTMLElement>("[role=slider], select")?.focus();
  }, []);

  function keyDown(event: KeyboardEvent) {
    if (event.key === "Escape") close();
  }
  return (
    <div ref={panel} role="group" aria-label="Sound" className={classes.panel} onKeyDown={keyDown}>
      <div>
        <Text fw={600} className={classes.volume}>
          Volume{canSetVolume && <span className="figures">{Math.round(volume * 100)} %</span>}
        </Text>
        {canSetVolume ? (
          <Slider
            value={Math.round(volume * 100)}
            onChange={(percent) => speaker.setVolume(percent / 100)}
            step={5}
            size="lg"
            thumbSize={24}
            thumbLabel="Volume of the assistant"
            label={null}
            className={classes.slider}
          />
        ) : (
          <Text c="dimmed">Use the volume keys of your device.</Text>
        )}
      </div>
      {call.withMicrophone && (
        <MicrophoneSelect microphone={call.microphone} choose={(deviceId) => call.useMicrophone(deviceId)} />
      )}
      <SpeakerSelect />
    </div>
  );
}
