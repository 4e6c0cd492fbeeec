"""Outgoing speech: Opus packets at their own pace, a little ahead, and nothing in silence."""

from __future__ import annotations

import asyncio
import fractions

import numpy as np
from aiortc import MediaStreamError
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext

from core import metrics
from core.clock import monotonic_s

FRAME_S = 0.02
RTP_HZ = 48_000  # The clock of Opus in RTP, whatever the audio's rate (RFC 7587, section 4.1).

LOOK_AHEAD_S = 0.06
"""Audio the track holds beyond what it has sent. pipecat refills only when a chunk is used up, so there any delay of
the event loop is heard as a gap; an interruption drops what is held."""

HANGOVER_FRAMES = 3
"""Silent frames sent after speech: they drain the codec, so that the next answer does not begin with a residue."""

OPUS = {"application": "voip", "compression_level": "5", "frame_duration": "20"}
"""libopus at half its default effort: half the CPU, no audible difference for speech."""

OPUS_BIT_RATE = 32_000


class SpeechTrack(AudioStreamTrack):
    """Outgoing speech as Opus packets.

    Args:
        sample_rate: Of the 16-bit mono PCM it is given, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self._samples = int(sample_rate * FRAME_S)
        self._frame_bytes = self._samples * 2
        self._look_ahead_bytes = int(sample_rate * LOOK_AHEAD_S) * 2
        self._sample_rate = sample_rate
        self._encoder = _opus_encoder(sample_rate)
        self._buffer = bytearray()
        self._room: asyncio.Future[bool] | None = None
        self._sound = asyncio.Event()
        self._hangover = 0
        self._started_at: float | None = None
        self._sent_until = 0.0  # seconds since the start, on the track's clock
        self._encoded = 0

    def add_audio_bytes(self, audio_bytes: bytes) -> asyncio.Future[bool]:
        """Queue PCM; the future is done when there is room for more."""
        self._buffer += audio_bytes
        self._sound.set()
        room = self._room = asyncio.get_running_loop().create_future()
        self._tell_room()
        return room

    def drop(self) -> None:
        """Forget what has not been sent: the caller has interrupted."""
        self._buffer.clear()
        self._tell_room()

    async def recv(self) -> Packet:  # pyright: ignore[reportIncompatibleMethodOverride] - aiortc also takes packets
        """The next 20 ms, when they are due; waits while there is nothing to say."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._hangover == 0:
            await self._wait_for_sound()
        else:
            await self._wait_until_due()
        talking = bool(self._buffer)
        self._hangover = HANGOVER_FRAMES if talking else self._hangover - 1
        pcm = bytes(self._buffer[: self._frame_bytes]).ljust(self._frame_bytes, b"\0")
        del self._buffer[: self._frame_bytes]
        if not self._buffer:
            self._sound.clear()
        packet = self._encode(pcm)
        self._sent_until += FRAME_S
        self._tell_room()
        return packet

    async def _wait_for_sound(self) -> None:
        """Sleep through silence; the clock then jumps, so the first packet of an answer leaves at once."""
        await self._sound.wait()
        if self.readyState != "live":
            raise MediaStreamError
        now = monotonic_s()
        if self._started_at is None:
            self._started_at = now
        self._sent_until = max(self._sent_until, now - self._started_at)

    async def _wait_until_due(self) -> None:
        assert self._started_at is not None
        wait = self._started_at + self._sent_until - monotonic_s()
        if wait > 0:
            await asyncio.sleep(wait)
        elif wait < -FRAME_S:
            metrics.late_packets.inc()

    def _encode(self, pcm: bytes) -> Packet:
        frame = AudioFrame.from_ndarray(np.frombuffer(pcm, np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = self._sample_rate
        frame.pts = self._encoded
        self._encoded += self._samples
        (packet,) = self._encoder.encode(frame)
        packet.pts = round(self._sent_until * RTP_HZ)
        packet.time_base = fractions.Fraction(1, RTP_HZ)
        return packet

    def _tell_room(self) -> None:
        if self._room is not None and len(self._buffer) <= self._look_ahead_bytes:
            if not self._room.done():
                self._room.set_result(True)
            self._room = None

    def stop(self) -> None:
        """End the track and wake whoever waits for it."""
        super().stop()
        self._sound.set()
        self.drop()


def _opus_encoder(sample_rate: int) -> AudioCodecContext:
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate = sample_rate
    encoder.format = "s16"
    encoder.layout = "mono"
    encoder.bit_rate = OPUS_BIT_RATE
    encoder.time_base = fractions.Fraction(1, sample_rate)
    encoder.options = OPUS
    return encoder
