import type { Participant, PipecatClientOptions, RTVIEventCallbacks, Tracks } from "@pipecat-ai/client-js";
import type { MediaManager } from "@pipecat-ai/transport-lib";

import type { Microphone } from "./microphone";

const LOCAL: Participant = { id: "local", name: "", local: true };

/**
 * The transport's media manager for a microphone that is already open.
 *
 * The transport's own managers either load a script from another host or pull every sample through an audio worklet
 * that WebRTC does not need (and that a strict content security policy forbids). This one hands out a track and no
 * more. It hands out a clone, because the transport stops the tracks of every peer connection it closes, also when it
 * replaces a broken connection by a new one.
 */
export class MicrophoneMedia implements MediaManager {
  readonly supportsScreenShare = false;
  readonly isCamEnabled = false;
  readonly isSharingScreen = false;
  readonly selectedCam = {};
  readonly selectedSpeaker = {};
  isMicEnabled = true;

  #callbacks: RTVIEventCallbacks = {};
  #outgoing: MediaStreamTrack | undefined;

  constructor(readonly microphone: Microphone) {}

  setClientOptions(options: PipecatClientOptions): void {
    this.#callbacks = options.callbacks ?? {};
    this.isMicEnabled = options.enableMic ?? true;
  }

  async initialize(): Promise<void> {
    if (this.isMicEnabled && this.microphone.state.status === "off") await this.microphone.open();
    const device = this.#device;
    if (device) this.#callbacks.onMicUpdated?.(device);
  }

  connect(): Promise<void> {
    const track = this.fresh();
    if (track) this.#callbacks.onTrackStarted?.(track, LOCAL);
    return Promise.resolve();
  }

  disconnect(): Promise<void> {
    this.#outgoing?.stop();
    this.#outgoing = undefined;
    return Promise.resolve();
  }

  tracks(): Tracks {
    return { local: this.#outgoing ? { audio: this.#outgoing } : {} };
  }

  /** A live track of the microphone as it is now, for the next or the present connection. */
  fresh(): MediaStreamTrack | undefined {
    const { state } = this.microphone;
    this.#outgoing?.stop();
    this.#outgoing = state.status === "on" ? state.stream.getAudioTracks()[0]?.clone() : undefined;
    if (this.#outgoing) this.#outgoing.enabled = this.isMicEnabled;
    return this.#outgoing;
  }

  enableMic(enable: boolean): void {
    this.isMicEnabled = enable;
    if (this.#outgoing) this.#outgoing.enabled = enable;
  }

  getAllMics(): Promise<MediaDeviceInfo[]> {
    const { state } = this.microphone;
    return Promise.resolve(state.status === "on" ? state.devices : []);
  }

  get selectedMic(): MediaDeviceInfo | Record<string, never> {
    return this.#device ?? {};
  }

  async updateMic(deviceId: string): Promise<void> {
    await this.microphone.open(deviceId);
    const device = this.#device;
    if (device) this.#callbacks.onMicUpdated?.(device);
  }

  // A call has no pictures, and the page's audio element plays the agent.
  getAllCams = (): Promise<MediaDeviceInfo[]> => Promise.resolve([]);
  getAllSpeakers = (): Promise<MediaDeviceInfo[]> => Promise.resolve([]);
  updateCam(): void {}
  updateSpeaker(): void {}
  enableCam(): void {}
  enableScreenShare(): void {}

  get #device(): MediaDeviceInfo | undefined {
    const { state } = this.microphone;
    return state.status === "on" ? state.devices.find((device) => device.deviceId === state.deviceId) : undefined;
  }
}
