"""What a person hears of the packets that arrived: a fixed playout buffer, and concealment of what is missing.

libopus itself decodes, as in a browser: a missing packet is taken from the redundancy in the one after it, where the
sender put any there, else guessed from what came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.media.opus import Decoder, OpusError, carries_copy
from bench.sound import FRAME_SAMPLES, Pcm
from bench.sound import RATE as RTP_HZ

SAMPLE_RATE = 16_000
BUFFER_S = 0.06
LATE_IN_A_ROW = 3
"""So many packets too late one after another, and the player waits for the sender instead."""

MAX_SILENCE_S = 1.0
_FRAME = SAMPLE_RATE // 50


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet as it came from the network.

    Attributes:
        at_s: When.
        sequence: RTP sequence number, 16 bits.
        timestamp: RTP time, 32 bits of 48 kHz samples.
        payload: Opus.
    """

    at_s: float
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Played:
    """What came out of the loudspeaker.

    Attributes:
        pcm: 16 kHz mono; pauses the sender made are in it, up to a second each.
        packets: How many should have been played.
        concealed: How many of them were guessed.
        restored: How many were taken from redundancy.
    """

    pcm: Pcm
    packets: int
    concealed: int
    restored: int


def play(arrivals: Sequence[Arrival], *, buffer_s: float = BUFFER_S) -> Played:
    """Play packets that follow one another, repeats and stragglers among them."""
    stream = _unwrapped(arrivals)
    if not stream:
        return Played(np.zeros(0, np.int16), 0, 0, 0)
    decoder, parts = _Decoder(), list[Pcm]()
    first, last = min(stream), max(stream)
    clock = _Clock(stream[first], buffer_s)
    concealed = restored = 0
    due = stream[first].timestamp  # RTP time that is played next
    for sequence in range(first, last + 1):
        packet, following = stream.get(sequence), stream.get(sequence + 1)
        if packet is not None and packet.timestamp > due:
            parts.append(_silence(packet.timestamp - due))
            due = packet.timestamp
            clock.start(packet)
        if packet is not None and clock.in_time(packet):
            parts.append(decoder.decode(packet.payload))
        elif following is not None and clock.arrives_for(following, due) and carries_copy(following.payload):
            parts.append(decoder.restore(following.payload))
            restored += 1
        else:
            parts.append(decoder.conceal())
            concealed += 1
        due += FRAME_SAMPLES
    return Played(np.concatenate(parts), last - first + 1, concealed, restored)


class _Clock:
    """When what must be there."""

    def __init__(self, first: Arrival, buffer_s: float) -> None:
        self._buffer_s = buffer_s
        self._late = 0
        self.start(first)

    def start(self, packet: Arrival) -> None:
        """A spurt begins: the buffer fills anew."""
        self._zero_s = packet.at_s + self._buffer_s - packet.timestamp / RTP_HZ

    def arrives_for(self, packet: Arrival, timestamp: int) -> bool:
        """Whether the packet is there when this RTP time is played."""
        return packet.at_s <= self._zero_s + timestamp / RTP_HZ

    def in_time(self, packet: Arrival) -> bool:
        """Whether the packet is there when its own time is played; too many that are not move the clock."""
        if self.arrives_for(packet, packet.timestamp):
            self._late = 0
            return True
        self._late += 1
        if self._late >= LATE_IN_A_ROW:
            self._late = 0
            self.start(packet)
            return True
        return False


def _unwrapped(arrivals: Sequence[Arrival]) -> dict[int, Arrival]:
    """The first copy of each packet, by a sequence number that does not wrap, with such a timestamp."""
    stream: dict[int, Arrival] = {}
    if not arrivals:
        return stream
    zero = arrivals[0]
    for each in arrivals:
        sequence = ((each.sequence - zero.sequence + 0x8000) & 0xFFFF) - 0x8000
        timestamp = ((each.timestamp - zero.timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        stream.setdefault(sequence, Arrival(each.at_s, sequence, timestamp, each.payload))
    return stream


def _silence(timestamp: int) -> Pcm:
    return np.zeros(min(timestamp * SAMPLE_RATE // RTP_HZ, round(MAX_SILENCE_S * SAMPLE_RATE)), np.int16)


class _Decoder:
    """The product's decoder, which guesses what cannot be decoded."""

    def __init__(self) -> None:
        self._opus = Decoder(SAMPLE_RATE)

    def decode(self, payload: bytes) -> Pcm:
        """Samples of a packet; a guess if it is not Opus."""
        try:
            return _samples(self._opus.decode(payload))
        except OpusError:
            return self.conceal()

    def restore(self, payload: bytes) -> Pcm:
        """The packet before this one."""
        try:
            return _samples(self._opus.recover(payload, _FRAME))
        except OpusError:
            return self.conceal()

    def conceal(self) -> Pcm:
        """A guess."""
        return _samples(self._opus.conceal(_FRAME))


def _samples(pcm: bytes) -> Pcm:
    return np.frombuffer(pcm, np.int16)
