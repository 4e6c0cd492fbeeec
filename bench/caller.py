"""A caller made of aiortc: dials in, speaks WAVs in real time, listens, and knows when it heard what.

Times are `time.monotonic()` seconds taken where the packet meets the socket: what is said is encoded beforehand, and
what arrives is decoded as it arrives, without a jitter buffer or a playout delay. All media stays on loopback.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket

from bench.ear import Bell, Ear
from bench.microphone import Microphone, Speech
from bench.relay import Relay
from bench.sound import RATE, Clip, Pcm, encode, load_clip

RTVI_VERSION = "2.0.0"
PING_S = 1.0
KEPT_MESSAGES = 5_000


class Refused(Exception):
    """The server did not take the call.

    Attributes:
        status: HTTP status of the refusal.
        body: What it said, parsed where it is JSON.
        headers: Of the response.
        after_s: How long it took to say so.
    """

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"{response.request.method} {response.request.url.path}: {response.status_code}")
        self.status = response.status_code
        self.headers = response.headers
        self.after_s = response.elapsed.total_seconds()
        try:
            self.body: Any = response.json()
        except ValueError:
            self.body = response.text


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the captions.

    Attributes:
        who: `user` or `bot`.
        text: What was said.
        complete: For the bot, whether all of it has been spoken.
    """

    who: str
    text: str
    complete: bool = True


@dataclass(slots=True)
class Timing:
    """When a call came about; `connected_s` is the data channel's opening."""

    offered_s: float = 0.0
    answered_s: float = 0.0
    connected_s: float = 0.0


@dataclass(slots=True)
class _Inbox:
    messages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    taken: dict[str, int] = field(default_factory=dict)
    count: int = 0
    bell: Bell = field(default_factory=Bell)

    def put(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.count += 1
        self.bell.ring()

    def take(self, kind: str, where: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        oldest = self.count - len(self.messages)
        for number, message in enumerate(self.messages, start=oldest):
            if number >= self.taken.get(kind, 0) and message.get("type") == kind and where(message):
                self.taken[kind] = number + 1
                return message
        return None


class Caller:
    """One person on the line.

        async with Caller(url, token=token) as caller:
            await caller.connect()
            await caller.hears()
            await caller.say(Path("balance.wav"))

    Leaving the block hangs up. Everything that waits is bounded and raises `TimeoutError`.

    Args:
        url: Where the server listens, e.g. `http://127.0.0.1:8000`.
        token: Access token sent as Bearer; `log_in` fetches one.
        agent_type: Whom to talk to.
        plain: Offer to `/api/offer` without `/start`, as to a bare pipecat server.
        trickle: Send candidates by PATCH after the answer, as browsers do.
        record_s: Keep this much of the sound heard, newest last, in `ear.pcm`, and of its packets in `ear.arrivals`.
        relay: What the media goes through; its owner closes it.
        http: A client to share; its owner closes it.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        agent_type: str = "banking",
        plain: bool = False,
        trickle: bool = False,
        record_s: float = 0.0,
        relay: Relay | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.agent_type = agent_type
        self.plain = plain
        self.trickle = trickle
        self.relay = relay
        self.timing = Timing()
        self.ear = Ear(record_s)
        self.microphone = Microphone()
        self.session_id: str | None = None
        self.pc_id: str | None = None
        self.offer_sdp = self.answer_sdp = ""
        self.ended = asyncio.Event()
        self._http = http or new_http()
        self._owns_http = http is None
        self._inbox = _Inbox()
        self._opened = asyncio.Event()
        self._pings: asyncio.Task[None] | None = None
        # No STUN server: aiortc's default would ask one on the internet.
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._channel: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    # Getting through

    async def log_in(self, code: str) -> str:
        """Exchange a portal code for a token and keep it.

        Raises: Refused.
        """
        self.token = (await self._post("/api/auth/login/otp", {"otp_code": code}))["access_token"]
        return str(self.token)

    async def ask_access(self) -> None:
        """Count one use of the code this token was made from; one use is one call.

        Raises: Refused.
        """
        await self._post("/api/agents/access", {"agent_type": self.agent_type})

    async def connect(self, *, timeout_s: float = 15.0) -> None:
        """Dial, and return when the data channel is open and `client-ready` has been sent.

        Raises: Refused, TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            await self._offer()
            await self._opened.wait()
        self.timing.connected_s = time.monotonic()
        self._pings = asyncio.create_task(self._keep_pinging(), name="caller.pings")
        self.send("client-ready", {"version": RTVI_VERSION, "about": {"library": "bench"}})

    def _listen_by(self, receiver: Any) -> None:
        """Hear each packet as it arrives, which is the measurement: before aiortc would queue it for playout."""
        streams: dict[int, StreamStatistics] = receiver._RTCRtpReceiver__remote_streams

        async def hear(packet: RtpPacket, arrival_time_ms: int) -> None:
            # What aiortc's reports then tell the server of lost packets, as a browser's do.
            streams.setdefault(packet.ssrc, StreamStatistics(RATE)).add(packet)
            await self.ear.hear(packet, arrival_time_ms)

        receiver._handle_rtp_packet = hear

    async def _offer(self) -> None:
        self._pc.on("connectionstatechange", self._state_changed)
        # Audio first: aiortc bundles onto the section that comes first in the offer.
        transceiver = self._pc.addTransceiver(self.microphone, "sendrecv")
        self._channel = self._pc.createDataChannel("chat", ordered=True)
        self._channel.on("open", self._opened.set)
        self._channel.on("message", self._received)
        self._listen_by(transceiver.receiver)
        self._stay_on_loopback(transceiver)
        await self._pc.setLocalDescription(await self._pc.createOffer())
        sdp = self.offer_sdp = self._pc.localDescription.sdp
        if self.relay:
            sdp = self.relay.towards_server(sdp)
        offer = {"sdp": _without_candidates(sdp) if self.trickle else sdp, "type": "offer"}
        path = "/api/offer"
        self.timing.offered_s = time.monotonic()
        if not self.plain:
            start = await self._post("/start", {"body": {"agent_type": self.agent_type}})
            self.session_id = start["sessionId"]
            path = f"/sessions/{self.session_id}/api/offer"
        answer = await self._post(path, offer)
        self.timing.answered_s = time.monotonic()
        self.pc_id = answer.get("pc_id")
        self.answer_sdp = str(answer["sdp"])
        sdp_answer = self.relay.towards_caller(self.answer_sdp) if self.relay else self.answer_sdp
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp_answer, answer["type"]))
        if self.trickle:
            await self._send("PATCH", path, {"pc_id": self.pc_id, "candidates": _candidates(sdp)})

    def _stay_on_loopback(self, transceiver: Any) -> None:
        connection = transceiver.sender.transport.transport.iceGatherer._connection
        gather = connection.get_component_candidates

        async def on_loopback(component: int, addresses: list[str], timeout: int = 5) -> Any:  # noqa: ARG001
            return await gather(component=component, addresses=["127.0.0.1"], timeout=timeout)

        connection.get_component_candidates = on_loopback

    # Speaking

    def begin(self, what: Path | Clip) -> Speech:
        """Start saying a WAV file or a clip and return at once."""
        return self.microphone.play(load_clip(what) if isinstance(what, Path) else what)

    async def say(self, what: Path | Clip, *, timeout_s: float = 60.0) -> Speech:
        """Say a WAV file or a clip; returns when its last packet has left."""
        speech = self.begin(what)
        async with asyncio.timeout(timeout_s):
            await speech.done
        return speech

    async def say_pcm(self, pcm: Pcm, rate: int) -> Speech:
        """Say mono 16-bit samples."""
        return await self.say(await asyncio.to_thread(encode, pcm, rate))

    def send(self, kind: str, data: dict[str, Any] | None = None) -> None:
        """Send an RTVI message."""
        message: dict[str, Any] = {"label": "rtvi-ai", "type": kind, "id": f"{kind}-{time.monotonic_ns()}"}
        self.send_raw(json.dumps(message | ({"data": data} if data is not None else {})))

    def send_raw(self, data: str | bytes) -> None:
        """Put anything on the data channel."""
        self._channel.send(data)

    def type(self, text: str) -> None:
        """A typed turn."""
        self.send("send-text", {"content": text, "options": {"run_immediately": True, "audio_response": True}})

    # Listening

    async def hears(self, timeout_s: float = 10.0, *, since_s: float | None = None) -> float:
        """Wait for something audible that arrives at or after `since_s` (now, if not given); when it arrived."""
        since = time.monotonic() if since_s is None else since_s
        async with asyncio.timeout(timeout_s):
            while (at := self.ear.audible_since(since)) is None:
                await self.ear.bell.wait()
        return at

    async def silence(self, for_s: float = 0.3, *, timeout_s: float = 30.0) -> float:
        """Wait until nothing audible has arrived for `for_s`; when the last sound ended."""
        async with asyncio.timeout(timeout_s):
            while (rest := self.ear.last_audible_s + for_s - time.monotonic()) > 0:  # noqa: ASYNC110 - it is about time
                await asyncio.sleep(rest)
        return self.ear.audible_until_s

    async def message(
        self,
        kind: str,
        timeout_s: float = 10.0,
        *,
        where: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> dict[str, Any]:
        """The next message of this type that no earlier call has returned or passed over."""
        async with asyncio.timeout(timeout_s):
            while (found := self._inbox.take(kind, where)) is None:
                await self._inbox.bell.wait()
        return found

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Everything received on the data channel, oldest first."""
        return list(self._inbox.messages)

    @property
    def transcript(self) -> list[Line]:
        """Both sides as the captions have them: final user transcripts, and every segment the bot set out to say."""
        lines: dict[object, Line] = {}
        for number, message in enumerate(self._inbox.messages):
            data = message.get("data") or {}
            if message.get("type") == "user-transcription" and data.get("final"):
                lines[f"user {number}"] = Line("user", data["text"])
            elif message.get("type") == "bot-output" and data.get("will_be_spoken"):
                lines[data.get("segment_id")] = Line("bot", data["text"], data.get("spoken_status") == "completed")
        return list(lines.values())

    # Ending

    async def hang_up(self) -> None:
        """Say goodbye on the wire and give everything back; harmless when repeated."""
        await self._stop_pinging()
        self.microphone.stop()
        async with asyncio.timeout(10):
            await self._pc.close()
        if self._owns_http:
            await self._http.aclose()

    async def vanish(self) -> None:
        """Disappear as if the cable were pulled: from now on nothing leaves and nothing is heard, not even consent."""
        await self._stop_pinging()
        self.microphone.hush()
        ice: Any = self._pc.getTransceivers()[0].sender.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport = _CutCable(protocol.transport)
            protocol.datagram_received = _ignore

    async def _stop_pinging(self) -> None:
        if self._pings:
            self._pings.cancel()
            await asyncio.gather(self._pings, return_exceptions=True)
            self._pings = None

    # Machinery

    async def _keep_pinging(self) -> None:
        while self._channel.readyState == "open":
            self.send_raw(f"ping: {int(time.time() * 1000)}")
            await asyncio.sleep(PING_S)

    def _received(self, data: str | bytes) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            return
        if isinstance(message, dict):
            self._inbox.put(message)

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("closed", "failed"):
            self.ended.set()

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        return await self._send("POST", path, body)

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = await self._http.request(method, self.url + path, json=body, headers=headers)
        if not response.is_success:
            raise Refused(response)
        return response.json()


def new_http() -> httpx.AsyncClient:
    """A client for a server on this machine: no proxy from the environment, no certificates to load."""
    return httpx.AsyncClient(timeout=30, trust_env=False, verify=False)


class _CutCable:
    """Stands in for a datagram transport whose cable is pulled."""

    def __init__(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def sendto(self, data: bytes, addr: Any = None) -> None:
        """Lose the datagram."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _ignore(*_: object) -> None:
    """Hear nothing."""


def _without_candidates(sdp: str) -> str:
    return "".join(
        line for line in sdp.splitlines(keepends=True) if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    )


def _candidates(sdp: str) -> list[dict[str, Any]]:
    """The candidates of an SDP in the shape of a PATCH, ended by the empty one."""
    sections = sdp.split("\nm=")[1:]
    mids = [section.split("a=mid:", 1)[1].split()[0] for section in sections]
    found: list[dict[str, Any]] = [
        {"candidate": line.removeprefix("a=").strip(), "sdp_mid": mids[index], "sdp_mline_index": index}
        for index, section in enumerate(sections)
        for line in section.splitlines()
        if line.startswith("a=candidate:")
    ]
    return [*found, {"candidate": "", "sdp_mid": mids[0], "sdp_mline_index": 0}]


if __name__ == "__main__":
    from bench.load import main

    sys.exit(main())
