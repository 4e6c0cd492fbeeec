// Runs in a page before its own scripts: keeps what the browser knows of its calls, and what they sound like.
(() => {
  const LOOK_EVERY_MS = 100; // Chromium makes a new report no oftener than every 50 ms.
  const STEP_S = 0.005;
  const KINDS = ["inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "candidate-pair", "media-playout"];

  const lines = [];
  let looks = [];
  let sound = [];

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      lines.push(this);
      this.addEventListener("track", ({ track }) => void listen(track));
    }
  };

  // Every 10 ms the jitter buffer hands on: when, and the root mean square of each 5 ms of it.
  async function listen(track) {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1000 }).readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const at_ms = performance.now();
      const pcm = new Float32Array(value.numberOfFrames);
      value.copyTo(pcm, { planeIndex: 0, format: "f32-planar" });
      const step = Math.round(value.sampleRate * STEP_S);
      const levels = [];
      for (let from = 0; from + step <= pcm.length; from += step) {
        let energy = 0;
        for (let i = from; i < from + step; i++) energy += pcm[i] * pcm[i];
        levels.push(Math.round(Math.sqrt(energy / step) * 1e4) / 1e4);
      }
      sound.push({ at_ms, levels });
      value.close();
    }
  }

  async function look() {
    const line = lines.at(-1);
    if (!line || line.connectionState !== "connected") return;
    const found = { at_ms: performance.now() };
    for (const stats of (await line.getStats()).values()) {
      const ours = stats.kind === undefined || stats.kind === "audio";
      if (!KINDS.includes(stats.type) || !ours || (stats.type === "candidate-pair" && !stats.nominated)) continue;
      for (const [name, value] of Object.entries(stats)) {
        if (typeof value === "number") found[`${stats.type}.${name}`] = value;
      }
    }
    const [source] = line.getReceivers()[0]?.getSynchronizationSources() ?? [];
    if (source) Object.assign(found, { rtp: source.rtpTimestamp, rtp_at_ms: source.timestamp - performance.timeOrigin });
    looks.push(found);
  }
  setInterval(() => void look(), LOOK_EVERY_MS);

  globalThis.bench = {
    /** What has come together since it was last taken. */
    take() {
      const taken = { now_ms: performance.now(), looks, sound };
      [looks, sound] = [[], []];
      return taken;
    },
    /** What was agreed on. */
    async agreed() {
      const report = await lines.at(-1).getStats();
      const all = [...report.values()];
      const fmtp = (type) => {
        const stats = all.find((each) => each.type === type && each.kind === "audio");
        const codec = stats && report.get(stats.codecId);
        return codec ? `${codec.mimeType} ${codec.sdpFmtpLine ?? ""}` : "";
      };
      const pair = all.find((each) => each.type === "candidate-pair" && each.nominated);
      const name = (id) => {
        const { candidateType, protocol, address } = report.get(id) ?? {};
        return `${candidateType} ${protocol} ${address ?? ""}`;
      };
      return {
        sends: fmtp("outbound-rtp"),
        receives: fmtp("inbound-rtp"),
        pair: pair ? `${name(pair.localCandidateId)} / ${name(pair.remoteCandidateId)}` : "",
      };
    },
  };
})();
