"""The speaking half of a caller: a track that sends a packet every 20 ms and knows when each one left."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from fractions import Fraction

from aiortc import MediaStreamError, MediaStreamTrack
from av import Packet

from bench.sound import FRAME_S, FRAME_SAMPLES, RATE, Clip, silent_packet

KEPT_LATENESS = 60_000


class Speech:
    """One utterance on its way out; its futures give the time the packet in question was handed to the socket."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.began: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    @property
    def first_voiced_s(self) -> float:
        """When the first voiced sample was sent."""
        return self.began.result()

    @property
    def last_voiced_s(self) -> float:
        """When the last voiced sample was sent."""
        return self.ended.result()

    def sent(self, index: int, at_s: float) -> None:
        """Note that packet `index` has left."""
        for future, due in ((self.began, self.clip.first_voiced), (self.ended, self.clip.last_voiced)):
            if index == due and not future.done():
                future.set_result(at_s)
        if index == len(self.clip.packets) - 1 and not self.done.done():
            self.done.set_result(at_s)

    def cancel(self) -> None:
        """Tell whoever waits that the rest will not be said."""
        for future in (self.began, self.ended, self.done):
            future.cancel()


class Microphone(MediaStreamTrack):
    """A track that sends a packet every 20 ms: what `play` was given, silence otherwise.

    Attributes:
        lateness_ms: How late each packet left, newest last.
    """

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.lateness_ms: deque[float] = deque(maxlen=KEPT_LATENESS)
        self._speech: Speech | None = None
        self._at = 0
        self._sent = 0
        self._due_s = 0.0

    def play(self, clip: Clip) -> Speech:
        """Start saying `clip` with the next packet; what was being said is cut off."""
        self.hush()
        self._speech, self._at = Speech(clip), 0
        return self._speech

    def hush(self) -> None:
        """Stop speaking at once."""
        if self._speech:
            self._speech.cancel()
            self._speech = None

    async def recv(self) -> Packet:
        """The next packet, at its time."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        self._due_s = self._due_s + FRAME_S if self._sent else now
        if self._due_s > now:
            await asyncio.sleep(self._due_s - now)
        now = time.monotonic()
        self.lateness_ms.append((now - self._due_s) * 1000)
        packet = Packet(self._next_payload(now))
        packet.pts = self._sent * FRAME_SAMPLES
        packet.time_base = Fraction(1, RATE)
        self._sent += 1
        return packet

    def _next_payload(self, now: float) -> bytes:
        speech = self._speech
        if speech is None:
            return silent_packet()
        payload = speech.clip.packets[self._at]
        speech.sent(self._at, now)
        self._at += 1
        if self._at == len(speech.clip.packets):
            self._speech = None
        return payload

    def stop(self) -> None:
        """End the track."""
        self.hush()
        super().stop()
