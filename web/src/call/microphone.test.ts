import { afterEach, describe, expect, test, vi } from "vitest";

import { MicrophoneMedia } from "./media";
import { Microphone } from "./microphone";

/** A track as the browser makes it, as far as it is used. */
class Track extends EventTarget {
  readonly kind = "audio";
  enabled = true;
  readyState = "live";
  stop() {
    this.readyState = "ended";
  }
  clone() {
    return new Track();
  }
  getSettings() {
    return { deviceId: "built-in" };
  }
}

const devices = [
  { kind: "audioinput", deviceId: "built-in", label: "Built-in" },
  { kind: "videoinput", deviceId: "camera", label: "Camera" },
];

function browser(getUserMedia: () => unknown): Track[] {
  const tracks: Track[] = [];
  vi.stubGlobal("navigator", {
    mediaDevices: {
      getUserMedia: async () => {
        await Promise.resolve();
        getUserMedia();
        const track = new Track();
        tracks.push(track);
        return { getAudioTracks: () => [track], getTracks: () => [track] };
      },
      enumerateDevices: () => Promise.resolve(devices),
    },
  });
  return tracks;
}

afterEach(() => vi.unstubAllGlobals());

describe("the microphone", () => {
  test.each([
    ["NotAllowedError", "denied"],
    ["NotFoundError", "missing"],
    ["OverconstrainedError", "missing"],
    ["NotReadableError", "in-use"],
  ])("%s is told as %s", async (name, trouble) => {
    browser(() => {
      throw new DOMException("", name);
    });
    const microphone = new Microphone();
    await microphone.open();
    expect(microphone.state).toEqual({ status: "trouble", trouble });
  });

  test("a page without media devices is told as unsupported", async () => {
    vi.stubGlobal("navigator", {});
    const microphone = new Microphone();
    await microphone.open();
    expect(microphone.state).toEqual({ status: "trouble", trouble: "unsupported" });
  });

  test("it knows its devices, and changing to another closes the first", async () => {
    const tracks = browser(() => undefined);
    const microphone = new Microphone();
    await microphone.open();
    expect(microphone.state).toMatchObject({ status: "on", deviceId: "built-in", devices: [devices[0]] });
    await microphone.open("built-in");
    expect(tracks.map((track) => track.readyState)).toEqual(["ended", "live"]);
  });

  test("a change that fails leaves the device in use as it is", async () => {
    let broken = false;
    const tracks = browser(() => {
      if (broken) throw new DOMException("", "NotReadableError");
    });
    const microphone = new Microphone();
    expect(await microphone.open()).toBe(true);
    broken = true;
    expect(await microphone.open("other")).toBe(false);
    expect(microphone.state).toMatchObject({ status: "on", deviceId: "built-in" });
    expect(tracks[0]?.readyState).toBe("live");
  });

  test("what is plugged in later can be chosen", async () => {
    browser(() => undefined);
    const microphone = new Microphone();
    await microphone.open();
    const headset = { kind: "audioinput", deviceId: "headset", label: "Headset" } as MediaDeviceInfo;
    vi.spyOn(navigator.mediaDevices, "enumerateDevices").mockResolvedValue([headset]);
    await microphone.look();
    expect(microphone.state).toMatchObject({ status: "on", devices: [headset] });
  });

  test("pulling the plug is noticed", async () => {
    const tracks = browser(() => undefined);
    const microphone = new Microphone();
    await microphone.open();
    tracks[0]?.dispatchEvent(new Event("ended"));
    expect(microphone.state).toEqual({ status: "trouble", trouble: "unplugged" });
  });
});

describe("the transport's media manager", () => {
  test("hands out a clone, so that a closed connection does not silence the next one", async () => {
    const [source] = await opened();
    const outgoing = media.tracks().local.audio;
    outgoing?.stop();
    expect(source?.readyState).toBe("live");
    expect(media.fresh()?.readyState).toBe("live");
  });

  test("stays muted over a new connection", async () => {
    await opened();
    media.enableMic(false);
    expect(media.tracks().local.audio?.enabled).toBe(false);
    expect(media.fresh()?.enabled).toBe(false);
  });

  test("a typed call asks for no microphone and has no track", async () => {
    const tracks = browser(() => undefined);
    const typed = new MicrophoneMedia(new Microphone());
    typed.setClientOptions({ transport: null as never, enableMic: false });
    await typed.initialize();
    await typed.connect();
    expect(tracks).toEqual([]);
    expect(typed.tracks()).toEqual({ local: {} });
  });

  let media: MicrophoneMedia;
  async function opened(): Promise<Track[]> {
    const tracks = browser(() => undefined);
    media = new MicrophoneMedia(new Microphone());
    media.setClientOptions({ transport: null as never, enableMic: true });
    await media.initialize();
    await media.connect();
    return tracks;
  }
});
