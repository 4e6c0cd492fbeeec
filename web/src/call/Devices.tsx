import { NativeSelect } from "@mantine/core";
import { useEffect, useState, useSyncExternalStore } from "react";

import type { Microphone } from "./microphone";
import { canChooseSpeaker, speaker } from "./speaker";

/** The microphone to speak into; there while one is open. */
export function MicrophoneSelect({
  microphone,
  choose,
}: {
  microphone: Microphone;
  /** Whether the one asked for could be opened. */
  choose: (deviceId: string) => Promise<boolean>;
}) {
  const state = useSyncExternalStore(microphone.subscribe, microphone.snapshot);
  const [failed, setFailed] = useState("");
  useDeviceChanges(() => void microphone.look());
  if (state.status !== "on") return null;

  async function change(deviceId: string) {
    const name = state.status === "on" && state.devices.find((device) => device.deviceId === deviceId)?.label;
    setFailed((await choose(deviceId)) ? "" : `${name || "It"} could not be opened. The one before is still in use.`);
  }

  return (
    <NativeSelect
      label="Microphone"
      size="md"
      data={named(state.devices, "Microphone")}
      value={state.deviceId}
      error={failed}
      onChange={(event) => void change(event.currentTarget.value)}
    />
  );
}

/** Where the agent is heard; nothing where the browser leaves that to the system. */
export function SpeakerSelect() {
  const { devices, deviceId } = useSyncExternalStore(speaker.subscribe, speaker.snapshot);
  useDeviceChanges(() => void speaker.look());
  if (!canChooseSpeaker || devices.length === 0) return null;
  const hasDefault = devices.some((device) => device.deviceId === "default");
  return (
    <NativeSelect
      label="Loudspeaker"
      size="md"
      data={[...(hasDefault ? [] : [{ value: "", label: "As the system has it" }]), ...named(devices, "Loudspeaker")]}
      value={deviceId || (hasDefault ? "default" : "")}
      onChange={(event) => speaker.choose(event.currentTarget.value)}
    />
  );
}

/** Look at once, and again when something is plugged in or out. */
function useDeviceChanges(look: () => void): void {
  const [first] = useState(() => look);
  useEffect(() => {
    const media = navigator.mediaDevices as MediaDevices | undefined;
    first();
    media?.addEventListener("devicechange", first);
    return () => media?.removeEventListener("devicechange", first);
  }, [first]);
}

function named(devices: readonly MediaDeviceInfo[], kind: string) {
  return devices.map(({ deviceId, label }, index) => ({ value: deviceId, label: label || `${kind} ${index + 1}` }));
}
