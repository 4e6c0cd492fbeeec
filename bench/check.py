"""Is the caller to be believed? It calls a mirror whose delays and faults are known, and every reading is compared.

The mirror answers the end of an utterance after a set delay with a reply that may hold quiet, stops a set time after
being talked over, and can hold packets back. It notes its own truth on the same clock; what differs is the error.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import Packet
from fastapi import FastAPI

from bench.caller import Caller
from bench.ear import Ear, Heard
from bench.load import OVER_S, UTTERANCES, examine
from bench.microphone import Microphone, Speech
from bench.sound import (
    FRAME_S,
    FRAME_SAMPLES,
    STEP_MS,
    VOICE,
    Clip,
    Codec,
    Decoder,
    Pcm,
    encode,
    load_clip,
    pilot,
    step_levels,
)

REPLY_DELAY_S = 0.4
STOP_DELAY_S = 0.25
REPLY_S = 2.0
HOLE_MS = 60
STALL_S = 0.2
TIMING_TOLERANCE_MS = 8.0
STALL_TOLERANCE_MS = 40.0  # A busy machine stalls on its own account.
CODECS = {
    "stereo 96k voip (aiortc)": Codec(96_000, "stereo"),
    "mono 48k voip": Codec(48_000),
    "mono 32k voip": Codec(32_000),
    "mono 24k voip, complexity 5": Codec(24_000, complexity=5),
    "mono 24k low delay": Codec(24_000, application="lowdelay"),
}
RATE = 24_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure the caller took, and what the mirror knows it to be."""

    name: str
    measured: float
    truth: float
    tolerance: float

    @property
    def good(self) -> bool:
        """Whether the two agree."""
        return abs(self.measured - self.truth) <= self.tolerance


class _Stalling(Microphone):
    """A microphone that can hold its packets back for a moment, as a blocked event loop does."""

    stall_s = 0.0

    async def recv(self) -> Packet:
        packet = await super().recv()
        if self.stall_s:
            stall_s, self.stall_s = self.stall_s, 0.0
            await asyncio.sleep(stall_s)
        return packet


class Mirror:
    """A server of one call with known behaviour.

    Attributes:
        reply: What it says next.
        heard_last_s: When the last audible packet of the utterance it answers arrived.
        answering: The reply being said.
        heard_first_s: When the first audible packet of an interruption arrived.
        stopped_s: When it fell silent for it.
    """

    def __init__(self) -> None:
        self.ear = Ear()
        self.microphone = _Stalling()
        self.reply: Clip = pilot_clip()
        self.answering: Speech | None = None
        self.heard_last_s = 0.0
        self.heard_first_s = 0.0
        self.stopped_s = 0.0
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._task: asyncio.Task[None] | None = None

    def app(self) -> FastAPI:
        """Its signalling."""
        app = FastAPI()

        @app.post("/api/offer")
        async def offer(body: dict[str, Any]) -> dict[str, str]:
            await self._pc.setRemoteDescription(RTCSessionDescription(body["sdp"], body["type"]))
            transceiver: Any = self._pc.getTransceivers()[0]
            transceiver.direction = "sendrecv"
            transceiver.sender.replaceTrack(self.microphone)
            transceiver.receiver._handle_rtp_packet = self.ear.hear
            await self._pc.setLocalDescription(await self._pc.createAnswer())
            self._task = asyncio.create_task(self._listen(), name="mirror")
            return {"sdp": self._pc.localDescription.sdp, "type": "answer", "pc_id": "mirror"}

        return app

    async def close(self) -> None:
        """End the call."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.microphone.stop()
        await self._pc.close()

    async def _listen(self) -> None:
        while True:
            first_s = await self._audible(self.ear.last_audible_s + 0.001)
            if self.answering and not self.answering.done.done():
                self.heard_first_s = first_s
                await asyncio.sleep(first_s + STOP_DELAY_S - time.monotonic())
                self.microphone.hush()
                self.stopped_s = time.monotonic()
            while (rest := self.ear.last_audible_s + REPLY_DELAY_S - time.monotonic()) > 0:  # noqa: ASYNC110 - about time
                await asyncio.sleep(rest)
            self.heard_last_s = self.ear.last_audible_s
            self.answering = self.microphone.play(self.reply)

    async def _audible(self, since_s: float) -> float:
        while (at := self.ear.audible_since(since_s)) is None:
            await self.ear.bell.wait()
        return at


def pilot_clip(hole_ms: int = 0) -> Clip:
    """A reply, with this much quiet after its first second."""
    return encode(_with_hole(hole_ms), RATE)


def _with_hole(hole_ms: int) -> Pcm:
    pcm = np.frombuffer(pilot(REPLY_S, RATE), np.int16).copy()
    pcm[RATE : RATE + RATE * hole_ms // 1000] = 0
    return pcm


async def check() -> list[Reading]:
    """Call the mirror and take every reading the load run takes."""
    mirror = Mirror()
    http = httpx.AsyncClient(transport=httpx.ASGITransport(mirror.app()))
    readings: list[Reading] = []
    try:
        async with Caller("http://mirror", plain=True, http=http) as caller:
            await caller.connect()
            for name in UTTERANCES:
                readings += await _turn(caller, mirror, name)
            readings += await _interruption(caller, mirror)
            readings += await _fault(caller, mirror, "hole", HOLE_MS, 0)
            readings += await _fault(caller, mirror, "stall", 0, STALL_S)
    finally:
        await http.aclose()
        await mirror.close()
    return readings


async def _turn(caller: Caller, mirror: Mirror, name: str) -> list[Reading]:
    clip = load_clip(VOICE / name)
    speech = caller.begin(clip)
    last_voiced_s = await speech.ended
    reply_s = await caller.hears(since_s=last_voiced_s)
    quiet_s = await caller.silence(OVER_S)
    assert mirror.answering
    reply = examine(caller.ear.between(reply_s, quiet_s))
    assert reply
    answered_s = mirror.answering.first_voiced_s
    arrived_s = next(heard.at_s for heard in mirror.ear.heard if heard.at_s >= last_voiced_s)
    voiced_ms = (mirror.heard_last_s - last_voiced_s) * 1000
    return [
        # Voiced to the sender and audible to the receiver may differ by a packet, for a faint last sound.
        Reading(f"last voice, {name}", voiced_ms, 0, TIMING_TOLERANCE_MS + 20),
        Reading(
            f"voice to voice, {name}",
            (reply_s - last_voiced_s) * 1000,
            (answered_s - arrived_s) * 1000,
            TIMING_TOLERANCE_MS,
        ),
        Reading(f"reply length, {name}", reply.audible_s * 1000, REPLY_S * 1000, 2 * STEP_MS),
        Reading(f"silence in a whole reply, {name}", reply.silence_ms, 0, 0),
        Reading(f"underrun in a punctual reply, {name}", reply.underrun_ms, 0, STALL_TOLERANCE_MS),
    ]


async def _interruption(caller: Caller, mirror: Mirror) -> list[Reading]:
    clip = load_clip(VOICE / UTTERANCES[0])
    first = await caller.say(clip)
    await caller.hears(since_s=first.last_voiced_s)
    await asyncio.sleep(0.5)
    began_s = await caller.begin(clip).began
    quiet_s = await caller.silence(0.3)
    truth_ms = (mirror.stopped_s - mirror.heard_first_s) * 1000
    await caller.hears(since_s=quiet_s)
    await caller.silence(OVER_S)
    return [Reading("barge-in", (quiet_s - began_s) * 1000, truth_ms, TIMING_TOLERANCE_MS + 20)]


async def _fault(caller: Caller, mirror: Mirror, name: str, hole_ms: int, stall_s: float) -> list[Reading]:
    mirror.reply = await asyncio.to_thread(pilot_clip, hole_ms)
    speech = await caller.say(load_clip(VOICE / UTTERANCES[0]))
    reply_s = await caller.hears(since_s=speech.last_voiced_s)
    if stall_s:
        await asyncio.sleep(0.3)
        mirror.microphone.stall_s = stall_s
    quiet_s = await caller.silence(OVER_S)
    reply = examine(caller.ear.between(reply_s, quiet_s))
    assert reply
    underrun_ms = max(0.0, stall_s * 1000 - 60)
    return [
        Reading(f"silence in a reply with a {name}", reply.silence_ms, hole_ms, 2 * STEP_MS),
        Reading(f"underrun in a reply with a {name}", reply.underrun_ms, underrun_ms, STALL_TOLERANCE_MS),
    ]


def codec_readings() -> list[Reading]:
    """Does any codec setting in use make a whole reply look broken, or hide a hole? No network involved."""
    readings: list[Reading] = []
    for name, codec in CODECS.items():
        for hole_ms in (0, 10, 20, HOLE_MS):
            decoder = Decoder()
            clip = encode(_with_hole(hole_ms), RATE, codec)
            packets = [
                Heard(index * FRAME_S, index * FRAME_SAMPLES, step_levels(decoder.decode(payload)))
                for index, payload in enumerate(clip.packets)
            ]
            reply = examine(packets)
            assert reply
            readings.append(
                Reading(f"{hole_ms} ms hole, {name}", reply.silence_ms, hole_ms, 2 * STEP_MS if hole_ms else 0)
            )
    return readings


def main() -> int:
    """Print every reading beside the truth; 1 if any is off."""
    readings = [*codec_readings(), *asyncio.run(check())]
    for reading in readings:
        mark = "ok " if reading.good else "OFF"
        print(f"{mark} {reading.name:48} measured {reading.measured:8.1f}  truth {reading.truth:8.1f}")
    return 0 if all(reading.good for reading in readings) else 1


if __name__ == "__main__":
    sys.exit(main())
