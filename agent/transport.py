"""pipecat's WebRTC transport with an output that keeps a little ahead, and a note of when the caller was last heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from av import AudioFrame
from pipecat.frames.frames import Frame, InputAudioRawFrame, InterruptionFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import (
    RawAudioTrack,
    SmallWebRTCCallbacks,
    SmallWebRTCClient,
    SmallWebRTCOutputTransport,
    SmallWebRTCTransport,
)

from core.clock import monotonic_s

LOOK_AHEAD_MS = 60
"""Audio the track holds beyond what it is playing. pipecat refills only when a chunk is used up, so there any delay of
the event loop is heard as a gap; an interruption drops what is held."""

LATE_S = 0.03
"""An idle track later than this jumps its clock instead of sending the missed silence in a burst."""


class LookAheadTrack(RawAudioTrack):
    """Outgoing audio in 10 ms pieces; accepts the next chunk while up to `LOOK_AHEAD_MS` are still unplayed."""

    def __init__(self, sample_rate: int, auto_silence: bool = True) -> None:
        super().__init__(sample_rate, auto_silence)
        self._room: asyncio.Future[bool] | None = None

    def add_audio_bytes(self, audio_bytes: bytes) -> asyncio.Future[bool]:
        """Queue 16-bit mono PCM, a multiple of 10 ms; the future is done when there is room for more."""
        size = self._bytes_per_10ms
        if len(audio_bytes) % size:
            raise ValueError(f"Audio must be a multiple of {size} bytes (10 ms), got {len(audio_bytes)}")
        self._chunk_queue.extend((audio_bytes[i : i + size], None) for i in range(0, len(audio_bytes), size))
        room = self._room = asyncio.get_running_loop().create_future()
        self._tell_room()
        return room

    def drop(self) -> None:
        """Forget what has not been played: the caller has interrupted."""
        self._chunk_queue.clear()
        self._tell_room()

    async def recv(self) -> AudioFrame:
        """The next 10 ms."""
        if not self._chunk_queue and self._timestamp > 0:
            self._catch_up()
        frame = await super().recv()
        self._tell_room()
        return frame

    def _catch_up(self) -> None:
        late_s = time.time() - (self._start + self._timestamp / self._sample_rate)
        if late_s > LATE_S:
            self._timestamp += int(late_s * 100) * self._samples_per_10ms

    def _tell_room(self) -> None:
        if self._room is not None and len(self._chunk_queue) * 10 <= LOOK_AHEAD_MS:
            if not self._room.done():
                self._room.set_result(True)
            self._room = None


class _Client(SmallWebRTCClient):
    """pipecat's client, audio only, with the track above."""

    last_audio_at: float | None = None

    async def read_audio_frame(self) -> AsyncGenerator[InputAudioRawFrame, None]:
        async for frame in super().read_audio_frame():
            self.last_audio_at = monotonic_s()
            yield frame

    async def _handle_client_connected(self) -> None:
        if not self._params:
            return  # The pipeline is not set up yet; the connection tells again when it is.
        connection = self._webrtc_connection
        self._audio_input_track = connection.audio_input_track()
        self._audio_output_track = LookAheadTrack(self._out_sample_rate, self._params.audio_out_auto_silence)
        connection.replace_audio_track(self._audio_output_track)
        await self._callbacks.on_client_connected(connection)

    def drop_audio(self) -> None:
        if isinstance(self._audio_output_track, LookAheadTrack):
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
        self._params = TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=1)
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
