/** The transport's published types refer to a package that is not published: this is the part of it that is used. */
declare module "@pipecat-ai/transport-lib" {
  import type { PipecatClientOptions, Tracks } from "@pipecat-ai/client-js";

  type Device = MediaDeviceInfo | Record<string, never>;

  /** What the transport asks of the one who holds the devices. */
  export interface MediaManager {
    setClientOptions(options: PipecatClientOptions): void;
    initialize(): Promise<void>;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    getAllMics(): Promise<MediaDeviceInfo[]>;
    getAllCams(): Promise<MediaDeviceInfo[]>;
    getAllSpeakers(): Promise<MediaDeviceInfo[]>;
    updateMic(deviceId: string): Promise<void>;
    updateCam(deviceId: string): void;
    updateSpeaker(deviceId: string): void;
    readonly selectedMic: Device;
    readonly selectedCam: Device;
    readonly selectedSpeaker: Device;
    enableMic(enable: boolean): void;
    enableCam(enable: boolean): void;
    enableScreenShare(enable: boolean): void;
    readonly isMicEnabled: boolean;
    readonly isCamEnabled: boolean;
    readonly isSharingScreen: boolean;
    readonly supportsScreenShare: boolean;
    tracks(): Tracks;
  }

  export const WavMediaManager: new (chunkSize?: number, sampleRate?: number) => MediaManager;
  export const DailyMediaManager: new () => MediaManager;
}
