/** Where the agent is heard and how loud, from one call to the next. */
export interface SpeakerState {
  /** 0 (silent) to 1. */
  volume: number;
  /** Empty: the one the system has chosen. */
  deviceId: string;
  /** What can be chosen from; empty where the browser leaves that to the system. */
  devices: readonly MediaDeviceInfo[];
  /** The browser plays nothing before the person touches the page. */
  blocked: boolean;
}

const KEPT = "parley.volume";

/** Some browsers leave the loudspeaker, and those of iPhones the volume too, to the system. */
export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;
export const canSetVolume = volumeCanBeSet();

/** The one loudspeaker of the page, for every call. */
export class Speaker {
  #state: SpeakerState = { volume: keptVolume(), deviceId: "", devices: [], blocked: false };
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): SpeakerState => this.#state;

  /** Find out what there is to choose from; browsers name devices only once they may use the microphone. */
  async look(): Promise<void> {
    const media = navigator.mediaDevices as MediaDevices | undefined;
    if (!canChooseSpeaker || !media) return;
    const found = await media.enumerateDevices().catch(() => []);
    const devices = found.filter(({ kind, label }) => kind === "audiooutput" && label);
    const { deviceId } = this.#state;
    this.#set({ devices, deviceId: devices.some((device) => device.deviceId === deviceId) ? deviceId : "" });
  }

  choose(deviceId: string): void {
    this.#set({ deviceId });
  }

  setVolume(volume: number): void {
    this.#set({ volume });
    try {
      localStorage.setItem(KEPT, String(volume));
    } catch {
      // It is kept for this page only, then.
    }
  }

  setBlocked(blocked: boolean): void {
    if (blocked !== this.#state.blocked) this.#set({ blocked });
  }

  #set(change: Partial<SpeakerState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

export const speaker = new Speaker();

function keptVolume(): number {
  try {
    const kept = localStorage.getItem(KEPT);
    const volume = kept === null ? 1 : Number(kept);
    return volume >= 0 && volume <= 1 ? volume : 1;
  } catch {
    return 1;
  }
}

function volumeCanBeSet(): boolean {
  const trial = document.createElement("audio");
  trial.volume = 0.5;
  return trial.volume === 0.5;
}
