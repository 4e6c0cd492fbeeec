"""From Opus packets to continuous sound: what was lost is made up, what was left out in silence is put back."""

from __future__ import annotations

from dataclasses import dataclass

from agent.media.opus import Decoder
from core import metrics
from pipelines.voice import RATE

RTP_HZ = 48_000
"""The clock of Opus in RTP, whatever the audio's rate (RFC 7587, section 4.1)."""

_PER_SAMPLE = RTP_HZ // RATE

_STEP = RATE * 5 // 2000
"""2.5 ms: libopus makes sound up in multiples of it."""

MADE_UP = RATE * 60 // 1000
"""Samples that are made up for one gap; beyond them it is silence. What is invented for longer sounds like a voice."""

MAX_GAP = RATE
"""Samples put in for one gap at most. What lasts longer was filled as it went by, or the sender has begun anew."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one RTP packet carries.

    Attributes:
        number: Sequence number.
        timestamp: Of its first sample, in RTP time.
        payload: An Opus packet.
        at: When it came, on the receiver's clock.
    """

    number: int
    timestamp: int
    payload: bytes
    at: float = 0.0


class Unpacker:
    """One stream's sound, 16 kHz mono 16-bit, from its packets in order (`agent.media.order`)."""

    def __init__(self) -> None:
        self._decoder = Decoder(RATE)
        self._until: int | None = None
        """RTP time up to which there is sound."""
        self._last_number = 0
        self._idle = 0
        """Samples put in since the last packet."""

    def take(self, piece: Piece) -> bytes:
        """The sound of a packet, and before it that of what is missing.

        Raises: OpusError; the stream can be gone on with.
        """
        samples = self._decoder.samples(piece.payload)
        missing = 0 if self._until is None else _signed(piece.timestamp - self._until) // _PER_SAMPLE // _STEP * _STEP
        lost = (piece.number - self._last_number - 1) & 0xFFFF
        if lost:  # what was put in meanwhile stood for it
            metrics.concealed_seconds.inc(self._idle / RATE)
        before = self._bridge(missing, piece, samples, lost=bool(lost)) if 0 < missing <= MAX_GAP else b""
        self._until = (piece.timestamp + samples * _PER_SAMPLE) & 0xFFFFFFFF
        self._last_number, self._idle = piece.number, 0
        return before + self._decoder.decode(piece.payload)

    def skip(self, piece: Piece) -> None:
        """Leave out a packet: there is no sound in it, or no room for it.

        Raises: OpusError.
        """
        self._last_number = piece.number
        if piece.payload:
            self._until = (piece.timestamp + self._decoder.samples(piece.payload) * _PER_SAMPLE) & 0xFFFFFFFF

    def idle(self, samples: int) -> bytes:
        """Sound for a while in which nothing has come: the sender saves silence (DTX), or the line is dead.

        Args:
            samples: How much; a multiple of 2.5 ms.
        """
        if self._until is not None:
            self._until = (self._until + samples * _PER_SAMPLE) & 0xFFFFFFFF
        made_up = self._idle < MADE_UP
        self._idle += samples
        return self._decoder.conceal(samples) if made_up else bytes(samples * 2)

    def reset(self) -> None:
        """Another stream begins."""
        self._decoder.reset()
        self._until = None

    def _bridge(self, missing: int, piece: Piece, samples: int, *, lost: bool) -> bytes:
        """Sound for a gap of `missing` samples before `piece`."""
        if not lost:
            return bytes(missing * 2)  # Nothing was sent: silence.
        # The packet after a loss may carry a copy of the last one that is missing.
        copied = min(missing, samples)
        made_up = min(missing - copied, MADE_UP)
        silent = missing - copied - made_up
        metrics.concealed_seconds.inc(missing / RATE)
        parts = [self._decoder.conceal(made_up)] if made_up else []
        return b"".join([*parts, bytes(silent * 2), self._decoder.recover(piece.payload, copied)])


def _signed(step: int) -> int:
    """A step in RTP time, which wraps around at 32 bits."""
    return ((step + 0x80000000) & 0xFFFFFFFF) - 0x80000000
