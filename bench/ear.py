"""The listening half of a caller: packets decoded as they arrive, and when they were audible."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

import numpy as np
from aiortc.rtp import RtpPacket

from bench.playout import Arrival
from bench.sound import AUDIBLE_RMS, FRAME_S, RATE, STEP_MS, Decoder, Pcm, step_levels

KEPT_PACKETS = 60_000  # 20 minutes of continuous speech.
QUIET_S = 0.3
"""This long without sound, and what was being said has stopped."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One audio packet that arrived.

    Attributes:
        at_s: When it arrived.
        timestamp: RTP time in 48 kHz samples, unwrapped.
        levels: Loudness of its 5 ms steps.
    """

    at_s: float
    timestamp: int
    levels: tuple[float, ...]

    @property
    def audible(self) -> bool:
        """Whether a person would hear something in it."""
        return max(self.levels, default=0.0) > AUDIBLE_RMS


class Bell:
    """Wakes everyone who waits, each time it rings."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake all who wait now."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Sleep until the next ring."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class Ear:
    """Decodes what arrives as it arrives and remembers when it was audible.

    Attributes:
        heard: Every packet, oldest first, as far as they are kept.
        first_packet_s: When the first packet arrived.
        last_audible_s: When the last audible packet arrived.
        audible_until_s: When its last audible 5 ms were over, had they been played at once.
        broken_off_s: When sound last ended with at least QUIET_S left out of RTP time after it.
        lost: Packets missing from the sequence.
        arrivals: The last packets as they came, repeats and stragglers too, as far as recording was asked for.
        bell: Rings for every packet.
    """

    def __init__(self, record_s: float = 0.0) -> None:
        self.heard: deque[Heard] = deque(maxlen=KEPT_PACKETS)
        self.first_packet_s: float | None = None
        self.last_audible_s = 0.0
        self.audible_until_s = 0.0
        self.broken_off_s = 0.0
        self.lost = 0
        self.arrivals: deque[Arrival] = deque(maxlen=round(record_s / FRAME_S))
        self.bell = Bell()
        self._audible_at: list[float] = []
        self._pcm: deque[Pcm] = deque(maxlen=round(record_s / FRAME_S))
        self._decoder = Decoder()
        self._sequence: int | None = None
        self._timestamp = 0

    async def hear(self, packet: RtpPacket, arrival_time_ms: int) -> None:  # noqa: ARG002 - aiortc's signature
        """Take one RTP packet, in place of aiortc's jitter buffer and decoder thread."""
        now = time.monotonic()
        self.arrivals.append(Arrival(now, packet.sequence_number, packet.timestamp, packet.payload))
        if self._sequence is None:
            self.first_packet_s, self._timestamp = now, packet.timestamp
        else:
            step = (packet.sequence_number - self._sequence) & 0xFFFF
            if step == 0 or step > 0x8000:
                return  # A repeat, or too late to be played.
            self.lost += step - 1
            skipped = ((packet.timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            self._timestamp += skipped
            if skipped >= QUIET_S * RATE:
                self.broken_off_s = self.audible_until_s
        self._sequence = packet.sequence_number
        pcm = self._decoder.decode(packet.payload)
        heard = Heard(now, self._timestamp, step_levels(pcm))
        self.heard.append(heard)
        self._pcm.append(pcm)
        if heard.audible:
            self.last_audible_s = now
            loud = max(step for step, level in enumerate(heard.levels) if level > AUDIBLE_RMS)
            self.audible_until_s = now + (loud + 1) * STEP_MS / 1000
            self._audible_at.append(now)
            if len(self._audible_at) > KEPT_PACKETS:
                del self._audible_at[: KEPT_PACKETS // 2]
        self.bell.ring()

    def audible_since(self, since_s: float) -> float | None:
        """When the first audible packet at or after `since_s` arrived, if one has."""
        index = bisect_left(self._audible_at, since_s)
        return self._audible_at[index] if index < len(self._audible_at) else None

    def between(self, start_s: float, end_s: float) -> list[Heard]:
        """The packets that arrived from `start_s` up to `end_s`."""
        return [heard for heard in self.heard if start_s <= heard.at_s <= end_s]

    @property
    def pcm(self) -> Pcm:
        """The last seconds of decoded sound, 48 kHz mono, as far as recording was asked for."""
        return np.concatenate([*self._pcm, np.zeros(0, np.int16)])
