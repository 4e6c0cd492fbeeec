"""pipecat's WebRTC transport, audio only, with a lighter way in and out.

Out: a track that encodes Opus itself (`agent.track`); aiortc takes its packets as they are. In: packets decoded where
they arrive (`agent.hearing`); audio enters the pipeline in the 32 ms windows that the voice activity detector wants.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

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

from agent.hearing import Hearing
from agent.track import SpeechTrack
from pipelines.build import AUDIO_IN_HZ

OUT_CHUNKS = 6
"""10 ms pieces the pipeline hands over at a time."""


class _Client(SmallWebRTCClient):
    """pipecat's client, audio only, with our track and our ears."""

    def __init__(self, connection: SmallWebRTCConnection, callbacks: SmallWebRTCCallbacks) -> None:
        super().__init__(connection, callbacks)
        self.hearing = Hearing()

    async def read_audio_frame(self) -> AsyncGenerator[InputAudioRawFrame, None]:
        while True:
            window = await self.hearing.windows.get()
            yield InputAudioRawFrame(audio=window, sample_rate=AUDIO_IN_HZ, num_channels=1)

    async def _handle_client_connected(self) -> None:
        if not self._params:
            return  # The pipeline is not set up yet; the connection tells again when it is.
        connection = self._webrtc_connection
        receiver: Any = connection.pc.getTransceivers()[0].receiver
        self.hearing.listen(receiver)
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
        return self._client.hearing.last_at

    def output(self) -> SmallWebRTCOutputTransport:
        """The processor that plays to the caller."""
        if self._output is None:
            self._output = _Output(self._client, self._params, name=self._output_name)
        return self._output
