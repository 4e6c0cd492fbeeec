/** Why there is no sound from a microphone. */
export type MicrophoneTrouble = "denied" | "missing" | "in-use" | "unsupported" | "unplugged";

export type MicrophoneState =
  | { status: "off" }
  | { status: "asking" }
  | { status: "on"; stream: MediaStream; deviceId: string; devices: MediaDeviceInfo[] }
  | { status: "trouble"; trouble: MicrophoneTrouble };

/** The one microphone of the page: asked for once, kept from the check before a call to its end. */
export class Microphone {
  #state: MicrophoneState = { status: "off" };
  readonly #listeners = new Set<() => void>();

  get state(): MicrophoneState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): MicrophoneState => this.#state;

  /** Whether it can be opened without a question to the person. */
  static async isAllowed(): Promise<boolean> {
    try {
      const permission = await navigator.permissions.query({ name: "microphone" });
      return permission.state === "granted";
    } catch {
      return false; // Some browsers do not tell; the person is asked by the button then.
    }
  }

  /**
   * Open it, or change to another device. Never throws: the outcome is in `state`. When a change fails, the device in use
   * stays; the answer is whether the one asked for is open.
   */
  async open(deviceId?: string): Promise<boolean> {
    const open = this.#stream;
    if (!open) this.#set({ status: "asking" });
    try {
      // Absent on pages that are not served securely.
      const media = navigator.mediaDevices as MediaDevices | undefined;
      if (!media) throw new DOMException("", "NotSupportedError");
      const stream = await media.getUserMedia({
        audio: {
          echoCancellation: true,
          noiseSuppression: true,
          autoGainControl: true,
          ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        },
      });
      const [track] = stream.getAudioTracks();
      if (!track) throw new DOMException("", "NotFoundError");
      const devices = (await media.enumerateDevices()).filter((device) => device.kind === "audioinput");
      stopTracks(open);
      track.addEventListener("ended", () => {
        if (this.#stream === stream) this.#set({ status: "trouble", trouble: "unplugged" });
      });
      this.#set({ status: "on", stream, deviceId: track.getSettings().deviceId ?? "", devices });
      return true;
    } catch (error) {
      if (!open || this.#stream !== open) this.#set({ status: "trouble", trouble: troubleOf(error) });
      return false;
    }
  }

  /** See again what there is to choose from, as something was plugged in or out. */
  async look(): Promise<void> {
    const state = this.#state;
    if (state.status !== "on") return;
    const found = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const devices = found.filter((device) => device.kind === "audioinput");
    if (this.#state === state) this.#set({ ...state, devices });
  }

  close(): void {
    stopTracks(this.#stream);
    this.#set({ status: "off" });
  }

  get #stream(): MediaStream | undefined {
    return this.#state.status === "on" ? this.#state.stream : undefined;
  }

  #set(state: MicrophoneState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

function stopTracks(stream: MediaStream | undefined): void {
  stream?.getTracks().forEach((track) => track.stop());
}

function troubleOf(error: unknown): MicrophoneTrouble {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotReadableError":
    case "AbortError":
      return "in-use";
    case "NotSupportedError":
      return "unsupported";
    default:
      return "missing";
  }
}

export const troubleWords: Record<MicrophoneTrouble, { title: string; advice: string }> = {
  denied: {
    title: "The microphone is blocked",
    advice:
      "This page may not use it. Open the site settings beside the address, allow the microphone, then try again.",
  },
  missing: {
    title: "No microphone was found",
    advice: "Plug one in or switch it on, then try again. You can also type instead of speaking.",
  },
  "in-use": {
    title: "The microphone is in use",
    advice: "Another program is holding it. Close that program, then try again.",
  },
  unsupported: {
    title: "This page cannot use a microphone",
    advice: "Browsers allow it only on secure addresses (https). Open the page that way, or type instead of speaking.",
  },
  unplugged: {
    title: "The microphone has gone",
    advice: "It was unplugged or switched off. Plug it in again, or type instead of speaking.",
  },
};
