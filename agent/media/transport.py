"""pipecat's WebRTC transport, audio only, over the media plane; and as it is, for comparison and as a way back."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from typing import Any

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.capabilities import BotCapabilities
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import (
    SmallWebRTCCallbacks,
    SmallWebRTCClient,
    SmallWebRTCInputTransport,
    SmallWebRTCOutputTransport,
    SmallWebRTCTransport,
)

from agent.media.receiver import Receiver, payload_type_of
from agent.media.sender import Sender
from core.clock import monotonic_s
from core.fit import require_fit, unset

OUT_CHUNKS = 6
"""10 ms pieces the pipeline hands over at a time."""


def _deaf(_window: bytes) -> None:
    """Until somebody listens."""


class _Client(SmallWebRTCClient):
    """pipecat's client, audio only, whose sound goes in and out beside it."""

    _sender: Sender | None = None

    def __init__(self, connection: SmallWebRTCConnection, callbacks: SmallWebRTCCallbacks) -> None:
        super().__init__(connection, callbacks)
        self.hear: Callable[[bytes], None] = _deaf
        self.receiver = Receiver(lambda window: self.hear(window), loss=self._expect_loss)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        if not self._can_send() or self._sender is None:
            return False
        await self._sender.write(frame.audio)
        return True

    def finish_audio(self) -> None:
        if self._sender is not None:
            self._sender.finish()

    def drop_audio(self) -> None:
        if self._sender is not None:
            self._sender.drop()

    def close(self) -> None:
        self.receiver.close()
        if self._sender is not None:
            self._sender.close()

    def _expect_loss(self, share: float) -> None:
        if self._sender is not None:
            self._sender.expect_loss(share)

    async def _handle_client_connected(self) -> None:
        if not self._params:
            return  # The pipeline is not set up yet; the connection tells again when it is.
        connection = self._webrtc_connection
        transceiver: Any = connection.pc.getTransceivers()[0]
        self.receiver.listen(transceiver.receiver)
        self._sender = self._sender or Sender(self._out_sample_rate)
        self._sender.speak(transceiver.sender, payload_type_of(transceiver))
        await self._callbacks.on_client_connected(connection)


class _Input(SmallWebRTCInputTransport):
    @property
    def capabilities(self) -> BotCapabilities:
        """What it hears does not come through it."""
        return super().capabilities.override(BotCapabilities(audio_in=True))


class _Output(SmallWebRTCOutputTransport):
    _client: _Client

    async def set_transport_ready(self, frame: StartFrame) -> None:
        """Five times a second pipecat tells every processor that the agent still speaks; here none wants to know."""
        await super().set_transport_ready(frame)
        for sender in self._media_senders.values():
            sender._bot_speaking_frame_period = math.inf

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._client.drop_audio()

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """What comes out here has been written, and so has all before it."""
        if isinstance(frame, TTSStoppedFrame):
            self._client.finish_audio()
        await super().push_frame(frame, direction)

    async def cleanup(self) -> None:
        await super().cleanup()
        self._client.close()


def verify() -> None:
    """Check that pipecat's output still has the places that `_Output` takes; call it at start-up.

    Raises:
        RuntimeError: It has not.
    """
    missing = unset(BaseOutputTransport, "_media_senders")
    missing += unset(BaseOutputTransport.MediaSender, "_bot_speaking_frame_period")
    require_fit("transport of calls", "pipecat", missing=missing, file="agent/media/transport.py")


class _Transport(SmallWebRTCTransport):
    """What both transports have in common."""

    def __init__(
        self,
        connection: SmallWebRTCConnection,
        params: TransportParams,
        client: Callable[[SmallWebRTCConnection, SmallWebRTCCallbacks], SmallWebRTCClient],
    ) -> None:
        # Not pipecat's own constructor: its client would listen to the connection too, and everything come in twice.
        BaseTransport.__init__(self)
        self._params = params
        self._callbacks = SmallWebRTCCallbacks(
            on_app_message=self._on_app_message,
            on_client_connected=self._on_client_connected,
            on_client_disconnected=self._on_client_disconnected,
            on_track_status=self._on_track_status,
        )
        self._client = client(connection, self._callbacks)
        self._input = None
        self._output = None
        for event in ("on_app_message", "on_client_connected", "on_client_disconnected"):
            self._register_event_handler(event)


class MediaTransport(_Transport):
    """The audio of one call over one peer connection: in by direct call, out on the media plane's timer."""

    _client: _Client

    def __init__(self, connection: SmallWebRTCConnection) -> None:
        params = TransportParams(audio_out_enabled=True, audio_out_10ms_chunks=OUT_CHUNKS, audio_out_end_silence_secs=1)
        super().__init__(connection, params, _Client)

    def heard_by(self, hear: Callable[[bytes], None]) -> None:
        """Give the caller's sound to `hear`, in windows of 32 ms."""
        self._client.hear = hear

    @property
    def last_audio_at(self) -> float | None:
        """When audio last came from the caller, on the monotonic clock; None before the first."""
        return self._client.receiver.last_at

    def input(self) -> SmallWebRTCInputTransport:
        """Where the caller comes into the pipeline; their sound does not."""
        if self._input is None:
            self._input = _Input(self._client, self._params, name=self._input_name)
        return self._input

    def output(self) -> SmallWebRTCOutputTransport:
        """The processor that plays to the caller."""
        if self._output is None:
            self._output = _Output(self._client, self._params, name=self._output_name)
        return self._output


class _StockClient(SmallWebRTCClient):
    last_at: float | None = None

    async def read_audio_frame(self) -> AsyncGenerator[InputAudioRawFrame, None]:
        async for frame in super().read_audio_frame():
            self.last_at = monotonic_s()
            yield frame


class StockTransport(_Transport):
    """pipecat's own way: every 20 ms of the caller's sound walk the pipeline as a frame."""

    _client: _StockClient

    def __init__(self, connection: SmallWebRTCConnection) -> None:
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=1)
        super().__init__(connection, params, _StockClient)

    def heard_by(self, hear: Callable[[bytes], None]) -> None:
        """The pipeline hears the caller itself."""

    @property
    def last_audio_at(self) -> float | None:
        """When audio last came from the caller, on the monotonic clock; None before the first."""
        return self._client.last_at


CallTransport = MediaTransport | StockTransport
"""How the audio of a call comes in and goes out."""
