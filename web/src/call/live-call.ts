import { LogLevel, PipecatClient, RTVIEvent, type PipecatClientOptions, type RTVIMessage } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";

import { api, body } from "../api/client";
import { ApiError } from "../api/errors";
import type { Agent } from "../api/queries";
import { actsAfter, addressOf, noActs, type Acts } from "./acts";
import { cardKey, parseCard, withCard, type Card } from "./cards";
import { conversationReducer, emptyConversation, type Conversation, type ConversationEvent } from "./conversation";
import { CallFailed, callFailure, connectionFailed, type Failure } from "./failures";
import { listen } from "./heard";
import { MicrophoneMedia } from "./media";
import type { Microphone } from "./microphone";
import { judge, sampleOf, type Quality, type Sample } from "./quality";

/** The agent type that has the bank's pages beside it. */
export const BANK = "banking";

export interface CallState {
  phase: "connecting" | "live" | "ended" | "failed";
  failure: Failure | null;
  endReason: string | null;
  startedAt: number | null;
  endedAt: number | null;
  conversation: Conversation;
  cards: readonly Card[];
  acts: Acts;
  /** Cards (`cardKey`) and committed transfers (their ids) as they came up, the newest first. */
  touched: readonly string[];
  /** How often something may have changed at the bank: whatever shows it is to be read again. */
  changes: number;
  /** The page the agent has asked for, and when: the same one may be asked for twice. */
  shown: { address: string; at: number } | null;
  quality: Quality | null;
  /** The sound coming from the agent's side, once there is any. */
  voice: MediaStreamTrack | null;
  callerSpeaking: boolean;
  agentSpeaking: boolean;
  /** The caller has finished and the agent has not begun. */
  thinking: boolean;
  muted: boolean;
  remainingUses: number | null;
}

const CONNECT_TIMEOUT_MS = 25_000;
/** The transport tries to restore a broken line by itself; after this long the call is given up. */
const LOST_AFTER_MS = 20_000;
const WATCH_EVERY_MS = 1_000;
/** After the server's word that the call ends, its last sentence is heard out; it then closes the line itself. */
const LAST_WORDS_MS = 15_000;
const TELL_MS = 1_000;
const ASK_MS = 2_000;
/** Signs of life are told no oftener; the silence that ends a call is far longer. */
const PRESENT_EVERY_MS = 4_000;

/** One call from its first request to its end. React reads it through `subscribe` and `snapshot`. */
export class LiveCall {
  readonly client: PipecatClient;
  #state: CallState = {
    phase: "connecting",
    failure: null,
    endReason: null,
    startedAt: null,
    endedAt: null,
    conversation: emptyConversation,
    cards: [],
    acts: noActs,
    touched: [],
    changes: 0,
    shown: null,
    quality: null,
    voice: null,
    callerSpeaking: false,
    agentSpeaking: false,
    thinking: false,
    muted: false,
    remainingUses: null,
  };
  readonly #listeners = new Set<() => void>();
  readonly #transport: SmallWebRTCTransport;
  readonly #media: MicrophoneMedia;
  #granted = false;
  #mayCountAgain = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #looking = false;
  #lastSample: Sample | null = null;
  #lostSince: number | null = null;
  #sessionId: string | null = null;
  #presentAt = 0;
  /** Aborted when the agent has finished what it is saying. */
  #speech = new AbortController();
  /** Why the server is about to close the line, or has closed it. */
  #serverReason: string | null = null;

  constructor(
    readonly agent: Agent,
    readonly microphone: Microphone,
    /** False for a call that is typed from the start. */
    readonly withMicrophone: boolean,
  ) {
    this.#media = new MicrophoneMedia(microphone);
    this.#transport = new SmallWebRTCTransport({ mediaManager: this.#media });
    this.client = new TellingClient({ transport: this.#transport, enableMic: withMicrophone, enableCam: false }, () =>
      this.#tell({ type: "cut-off", at: Date.now() }),
    );
    this.client.setLogLevel(LogLevel.ERROR);
    this.#listen();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): CallState => this.#state;

  /** Count a use of the code, ask for a session and connect. Never throws; a failure is in the state. */
  async start(): Promise<void> {
    this.#set({ phase: "connecting", failure: null });
    try {
      if (!this.#granted) {
        const access = body(await api.POST("/api/agents/access", { body: { agent_type: this.agent.id } }));
        this.#granted = true;
        this.#set({ remainingUses: access.remaining_uses });
      }
      const { sessionId, iceConfig } = body(
        await api.POST("/start", { body: { body: { agent_type: this.agent.id } } }),
      );
      this.#sessionId = sessionId;
      await this.#connect({
        webrtcRequestParams: { endpoint: `${window.location.origin}/sessions/${sessionId}/api/offer` },
        iceConfig,
      });
      if (this.#over) return;
      this.#set({ phase: "live", startedAt: Date.now() });
      this.#watch = setInterval(() => void this.#lookOnce(), WATCH_EVERY_MS);
      void this.#lookOnce();
    } catch (error) {
      if (this.#over) return;
      const told = await reasonOf(error);
      // A line that does not come about may be the server's doing, and only the server knows.
      const reason = told instanceof ApiError ? told : ((await this.#faultOfTheServer()) ?? told);
      await this.client.disconnect();
      // A use is counted for one call; once that call has failed, the server asks for the next.
      if (reason instanceof ApiError && reason.code === "access_required" && this.#mayCountAgain) {
        this.#granted = false;
        this.#mayCountAgain = false;
        return this.start();
      }
      this.#set({ phase: "failed", failure: callFailure(reason) });
    }
  }

  /** Start again after a failure. The use already counted serves for this call too, unless the server took it back. */
  retry(): Promise<void> {
    this.#mayCountAgain = true;
    return this.start();
  }

  /** Close the line. The first reason given stays. */
  async end(reason: string): Promise<void> {
    if (this.#over) return;
    const wasLive = this.#state.phase === "live";
    clearInterval(this.#watch);
    this.#speech.abort();
    this.#set({
      phase: "ended",
      endReason: reason,
      endedAt: Date.now(),
      callerSpeaking: false,
      agentSpeaking: false,
      thinking: false,
      voice: null,
      acts: { ...this.#state.acts, draft: null, readBack: null, code: null },
    });
    this.microphone.close();
    void this.#media.disconnect();
    if (reason === "hung_up" && wasLive) await this.#tellServer();
    await this.client.disconnect();
  }

  setMuted(muted: boolean): void {
    if (!this.withMicrophone) return;
    this.client.enableMic(!muted);
    this.#set({ muted, ...(muted ? { callerSpeaking: false } : {}) });
  }

  /** Speak into another microphone, or into the same one after it was gone; whether that could be opened. */
  async useMicrophone(deviceId?: string): Promise<boolean> {
    const open = await this.microphone.open(deviceId);
    if (open && this.#state.phase === "live") await this.#sender?.replaceTrack(this.#media.fresh() ?? null);
    if (this.#over) this.microphone.close();
    return open;
  }

  /** Somebody is there, reading or typing: the agent need not ask. */
  noteActivity(): void {
    const now = Date.now();
    if (this.#state.phase !== "live" || now - this.#presentAt < PRESENT_EVERY_MS) return;
    this.#presentAt = now;
    this.#send("present");
  }

  #send(...message: Parameters<PipecatClient["sendClientMessage"]>): void {
    try {
      this.client.sendClientMessage(...message);
    } catch {
      // The line is broken just now; it is mended or given up elsewhere.
    }
  }

  /** Tell the server how the speech that begins now reaches the caller: it cannot see that. */
  async #measure(): Promise<void> {
    this.#speech.abort();
    const peer = this.#peer;
    const speech = (this.#speech = new AbortController());
    const heard = peer && (await listen(() => peer.getStats(), speech.signal).catch(() => null));
    // What comes too late would be taken for the next speech's.
    if (heard && speech === this.#speech && this.#state.phase === "live") this.#send("heard", heard);
  }

  /** Say something by typing it. */
  say(text: string): void {
    const words = text.trim();
    if (!words || this.#state.phase !== "live") return;
    const at = Date.now();
    if (this.#state.agentSpeaking) this.#tell({ type: "cut-off", at });
    this.#tell({ type: "caller-typed", text: words, at });
    this.#set({ thinking: true });
    void this.client.sendText(words, { run_immediately: true, audio_response: true });
  }

  /** Hand in a code, past the line and all who listen there; what is wrong with it, or null. */
  async enterCode(code: string): Promise<string | null> {
    try {
      const { right, tries_left } = body(
        await api.POST("/sessions/{session_id}/code", { params: this.#sessionParams, body: { code } }),
      );
      const wrong = right === false && tries_left > 0;
      this.#hear({ type: "code-closed", outcome: wrong ? "wrong" : "over", tries_left });
      return wrong ? "That code is not right." : null;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 404 || error.status === 409)) {
        this.#hear({ type: "code-closed", outcome: "over" }); // It is no longer asked for.
        return null;
      }
      return "The code could not be checked. Try again.";
    }
  }

  /** The caller will not type the code: what it was for is dropped. */
  async cancelCode(): Promise<void> {
    this.#hear({ type: "code-closed", outcome: "cancelled" });
    await api.DELETE("/sessions/{session_id}/code", { params: this.#sessionParams }).catch(() => undefined);
  }

  get #sessionParams() {
    return { path: { session_id: this.#sessionId ?? "" } };
  }

  /** The server's name for this call, once it has one. */
  get id(): string | null {
    return this.#sessionId;
  }

  /** Where on the site this call is. */
  get address(): string {
    return `/call/${encodeURIComponent(this.agent.id)}`;
  }

  /** The server notices a closed connection too, but only after a while. Waits for its answer, though not for long. */
  async #tellServer(): Promise<void> {
    if (!this.#sessionId) return;
    const told = fetch(`/sessions/${this.#sessionId}`, { method: "DELETE", keepalive: true }).catch(() => undefined);
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, TELL_MS))]);
  }

  get #over(): boolean {
    return this.#state.phase === "ended";
  }

  async #connect(params: Parameters<PipecatClient["connect"]>[0]): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new CallFailed(connectionFailed)), CONNECT_TIMEOUT_MS);
    });
    try {
      await Promise.race([this.client.connect(params), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  #listen(): void {
    const { client } = this;
    client.on(RTVIEvent.UserTranscript, ({ text, final }) =>
      this.#tell({ type: "caller-text", text, final, at: Date.now() }),
    );
    client.on(RTVIEvent.BotOutput, (output) => {
      if (output.will_be_spoken === false) return;
      this.#tell({
        type: "agent-text",
        segmentId: output.segment_id ?? null,
        text: output.text,
        heardText: output.spoken_progress?.accumulated_text ?? null,
        at: Date.now(),
      });
    });
    client.on(RTVIEvent.UserStartedSpeaking, () => this.#set({ callerSpeaking: true, thinking: false }));
    client.on(RTVIEvent.UserStoppedSpeaking, () =>
      this.#set({ callerSpeaking: false, thinking: !this.#state.agentSpeaking }),
    );
    client.on(RTVIEvent.BotStartedSpeaking, () => {
      void this.#measure();
      this.#set({ agentSpeaking: true, thinking: false });
    });
    client.on(RTVIEvent.TrackStarted, (track, participant) => {
      if (track.kind === "audio" && !participant?.local) this.#set({ voice: track });
    });
    client.on(RTVIEvent.BotStoppedSpeaking, () => {
      this.#speech.abort();
      this.#set({ agentSpeaking: false });
      this.#tell({ type: "agent-silent", at: Date.now() });
    });
    client.on(RTVIEvent.ServerMessage, (message: unknown) => this.#serverSays(message));
    client.on(RTVIEvent.UICommand, ({ command, payload }) => {
      const address = addressOf(command, payload, this.address);
      if (address) this.#set({ shown: { address, at: Date.now() } });
    });
    client.on(RTVIEvent.Disconnected, () => {
      if (this.#state.phase === "live") void this.#lineClosed();
    });
    client.on(RTVIEvent.BotDisconnected, () => {
      this.#serverReason ??= "ended";
    });
    // Without a listener an "error" event would be thrown; what matters reaches us by other ways.
    client.on(RTVIEvent.Error, () => undefined);
  }

  #serverSays(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    this.#hear(message as Record<string, unknown>);
    const { type, name, doing, card, reason } = message as Record<string, unknown>;
    const at = Date.now();
    if (type === "tool-started" && typeof name === "string") {
      this.#tell({ type: "tool-started", name, doing: typeof doing === "string" ? doing : "", at });
    } else if (type === "tool-finished" && typeof name === "string") {
      this.#tell({ type: "tool-finished", name, at });
      this.#set({ changes: this.#state.changes + 1 });
    } else if (type === "call-ended") {
      this.#serverReason = typeof reason === "string" ? reason : "ended";
      setTimeout(() => void this.end(this.#serverReason ?? "ended"), LAST_WORDS_MS);
    }
    const parsed = parseCard(card);
    if (parsed) this.#set({ cards: withCard(this.#state.cards, parsed), touched: this.#touched(cardKey(parsed)) });
  }

  #hear(message: Record<string, unknown>): void {
    if (this.#over) return;
    const acts = actsAfter(this.#state.acts, message);
    if (acts === this.#state.acts) return;
    const [newest] = acts.done;
    const committed = acts.done !== this.#state.acts.done && newest;
    this.#set({
      acts,
      ...(committed ? { changes: this.#state.changes + 1, touched: this.#touched(newest.id) } : {}),
    });
  }

  #touched(key: string): readonly string[] {
    return [key, ...this.#state.touched.filter((other) => other !== key)];
  }

  async #lineClosed(): Promise<void> {
    await this.end(this.#serverReason ?? ((await this.#faultOfTheServer()) ? "server_lost" : "vanished"));
  }

  /** The server's word that the call went down on its side; null if it did not, or nobody can tell. */
  async #faultOfTheServer(): Promise<ApiError | null> {
    if (!this.#sessionId) return null;
    try {
      const nothingNew = { pc_id: "", candidates: [] };
      body(
        await api.PATCH("/sessions/{session_id}/api/offer", {
          params: this.#sessionParams,
          body: nothingNew,
          signal: AbortSignal.timeout(ASK_MS),
        }),
      );
      return null;
    } catch (error) {
      return error instanceof ApiError && error.code === "call_lost" ? error : null;
    }
  }

  /** A look may have to wait for the server; the next one then waits for its own time. */
  async #lookOnce(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#look();
    } finally {
      this.#looking = false;
    }
  }

  /** Once a second: how good the line is, whether it is there at all, and whether it carries a living track. */
  async #look(): Promise<void> {
    const peer = this.#peer;
    if (!peer || this.#over) return;
    if (peer.iceConnectionState === "connected" || peer.iceConnectionState === "completed") {
      this.#lostSince = null;
      const sample = sampleOf(await peer.getStats());
      this.#set({ quality: judge(this.#lastSample, sample) });
      this.#lastSample = sample;
    } else {
      this.#lostSince ??= Date.now();
      this.#lastSample = null;
      this.#set({ quality: { grade: "lost", rttMs: null, lossPercent: null } });
      if (Date.now() - this.#lostSince > LOST_AFTER_MS) return this.end("vanished");
      // The transport tries for long to mend a line that is beyond mending.
      if (await this.#faultOfTheServer()) return this.end("server_lost");
    }
    if (this.#over) return;
    // The transport stops the old connection's track when it makes a new one, and that may be the one in use.
    const sender = this.#sender;
    if (sender?.track?.readyState === "ended" && this.microphone.state.status === "on") {
      await sender.replaceTrack(this.#media.fresh() ?? null);
    }
    // It does not tell of the new one's sound either: the end of the old one's makes it forget both.
    const voice = peer.getReceivers()[0]?.track;
    if (voice && this.#state.voice?.readyState === "ended") this.#set({ voice });
  }

  /** The transport keeps its connection to itself, but offers no statistics of its own. */
  get #peer(): RTCPeerConnection | null {
    return (this.#transport as unknown as { pc: RTCPeerConnection | null }).pc;
  }

  /** What carries the caller's voice: the first section of the offer is sound. */
  get #sender(): RTCRtpSender | undefined {
    return this.#peer?.getTransceivers()[0]?.sender;
  }

  #tell(event: ConversationEvent): void {
    this.#set({ conversation: conversationReducer(this.#state.conversation, event) });
  }

  #set(change: Partial<CallState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** The client library does not yet pass on the server's word that the agent was interrupted; this one does. */
class TellingClient extends PipecatClient {
  constructor(
    options: PipecatClientOptions,
    readonly interrupted: () => void,
  ) {
    super(options);
  }

  protected override handleMessage(message: RTVIMessage): void {
    if (message.type === "bot-interrupted") this.interrupted();
    super.handleMessage(message);
  }
}

/** The transport hides the server's refusal of an offer in the cause of its own error. */
async function reasonOf(error: unknown): Promise<unknown> {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Response ? await ApiError.from(cause) : error;
}
