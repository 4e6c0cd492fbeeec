"""pipecat's WebRTC transport, audio only, with a lighter way in and out.

Out: the track encodes Opus itself, 20 ms at a time, holds a little audio ahead and sends nothing in silence; aiortc
takes packets as they are. In: audio enters the pipeline in the 32 ms windows that the voice activity detector wants,
without waiting for packets that a playout clock would need and a recogniser does not.
"""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from aiortc import MediaStreamError
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext
from pipecat.frames.frames import Frame, InputAudioRawFrame, InterruptionFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import (
    SmallWebRTCCallbacks,
    SmallWebRTCClient,
    SmallWebRTCOutputTransport,
    SmallWebRTCTransport,
)

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

WINDOW_BYTES = 1024
"""32 ms of 16 kHz 16-bit mono: what Silero takes at once."""

OUT_CHUNKS = 6
"""10 ms pieces the pipeline hands over at a time."""

JITTER_CAPACITY = 16  # packets, aiortc's own; a gap longer than this is given up


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


class _Client(SmallWebRTCClient):
    """pipecat's client, audio only, with the track above."""

    last_audio_at: float | None = None

    async def read_audio_frame(self) -> AsyncGenerator[InputAudioRawFrame, None]:
        held = bytearray()
        async for frame in super().read_audio_frame():
            self.last_audio_at = monotonic_s()
            held += frame.audio
            while len(held) >= WINDOW_BYTES:
                window = bytes(held[:WINDOW_BYTES])
                del held[:WINDOW_BYTES]
                yield InputAudioRawFrame(audio=window, sample_rate=frame.sample_rate, num_channels=frame.num_channels)

    async def _handle_client_connected(self) -> None:
        if not self._params:
            return  # The pipeline is not set up yet; the connection tells again when it is.
        connection = self._webrtc_connection
        self._audio_input_track = connection.audio_input_track()
        receiver: Any = connection.pc.getTransceivers()[0].receiver
        receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=JITTER_CAPACITY, prefetch=0)
        self._audio_output_track = SpeechTrack(self._out_sample_rate)
        connection.replace_audio_track(self._audio_output_track)
        await self._callbacks.on_client_connected(connection)

    def drop_audio(self) -> None:
        if isinstance(self._audio_output_track, SpeechTrack):
            self._audio_output_track.drop()


class _Output(SmallWebRTCOutputTransport):
    _client: _Client

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._client.drop_audio()


class CallTransport(SmallWebRTCTransport):
    """The audio of one call over one peer connection."""

    _client: _Client

    def __init__(self, connection: SmallWebRTCConnection) -> None:
        # Not pipecat's own constructor: its client would listen to the connection too, and everything come in twice.
        BaseTransport.__init__(self)
        self._params = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_10ms_chunks=OUT_CHUNKS,
            audio_out_end_silence_secs=1,
        )
        self._callbacks = SmallWebRTCCallbacks(
            on_app_message=self._on_app_message,
            on_client_connected=self._on_client_connected,
            on_client_disconnected=self._on_client_disconnected,
            on_track_status=self._on_track_status,
        )
        self._client = _Client(connection, self._callbacks)
        self._input = None
        self._output = None
        for event in ("on_app_message", "on_client_connected", "on_client_disconnected"):
            self._register_event_handler(event)

    @property
    def last_audio_at(self) -> float | None:
        """When audio last came from the caller, on the monotonic clock; None before the first."""
        return self._client.last_audio_at

    def output(self) -> SmallWebRTCOutputTransport:
        """The processor that plays to the caller."""
        if self._output is None:
            self._output = _Output(self._client, self._params, name=self._output_name)
        return self._output
