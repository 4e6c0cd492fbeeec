/**
 * A client as anybody would write it with the published libraries: it knows the server's address and a token.
 *
 * `?token=…` is sent as a bearer token, `?agent=…` (default banking) names the agent type, `?server=…` another origin,
 * and `?autostart` starts without the button. What happens is written into the page for tests to read.
 */
import { LogLevel, PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport, WavMediaManager } from "@pipecat-ai/small-webrtc-transport";

const query = new URLSearchParams(location.search);
const server = query.get("server") ?? location.origin;
const element = (id: string) => document.getElementById(id)!;

function write(list: string, text: string): void {
  const item = document.createElement("li");
  item.textContent = text;
  element(list).append(item);
}

const client = new PipecatClient({
  transport: new SmallWebRTCTransport({ mediaManager: new WavMediaManager() }),
  enableMic: true,
  enableCam: false,
});
client.setLogLevel(LogLevel.WARN);

client.on(RTVIEvent.TransportStateChanged, (state) => {
  element("state").textContent = state;
});
client.on(RTVIEvent.TrackStarted, (track, participant) => {
  if (participant?.local || track.kind !== "audio") return;
  (element("audio") as HTMLAudioElement).srcObject = new MediaStream([track]);
});
client.on(RTVIEvent.UserTranscript, ({ text, final }) => {
  if (final) write("caller", text);
});
client.on(RTVIEvent.BotOutput, ({ text, spoken_status }) => {
  if (spoken_status !== "in-progress") write("agent", text);
});
client.on(RTVIEvent.ServerMessage, (message: unknown) => write("events", `serverMessage ${JSON.stringify(message)}`));
client.on(RTVIEvent.Error, (message) => write("events", `error ${JSON.stringify(message.data)}`));
for (const event of [
  RTVIEvent.Connected,
  RTVIEvent.Disconnected,
  RTVIEvent.BotReady,
  RTVIEvent.BotStartedSpeaking,
  RTVIEvent.BotStoppedSpeaking,
  RTVIEvent.UserStartedSpeaking,
  RTVIEvent.UserStoppedSpeaking,
] as const) {
  client.on(event, () => write("events", event));
}

async function start(): Promise<void> {
  try {
    await client.startBotAndConnect({
      endpoint: `${server}/start`,
      headers: new Headers({ Authorization: `Bearer ${query.get("token") ?? ""}` }),
      requestData: { transport: "webrtc", body: { agent_type: query.get("agent") ?? "banking" } },
    });
  } catch (error) {
    write("events", `failed ${String(error)}`);
  }
}

element("start").addEventListener("click", () => void start());
element("stop").addEventListener("click", () => void client.disconnect());
element("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text") as HTMLInputElement;
  void client.sendText(text.value);
  text.value = "";
});
if (query.has("autostart")) void start();
