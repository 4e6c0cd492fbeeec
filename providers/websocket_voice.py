"""A voice over a websocket in a live call: it fails at once and says why, and claims nothing that was not heard.

pipecat's own services reconnect for half a minute without a word, report what a broken line left unspoken as spoken
(pipecat-ai/pipecat#5305), and stay silent where a vendor refuses in words instead of a status. Whoever stands around a
voice here can rely on: an `ErrorFrame` with its category as soon as something is known to be wrong, one for each fault;
no waiting beyond `CONNECT_S` for a connection and `SILENT_S` for sound; and text frames for what was heard alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

from loguru import logger
from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
    ErrorFrame,
    Frame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.services.tts_service import WebsocketTTSService
from pipecat.services.websocket_service import ReportErrorCallback
from pipecat.utils.context.word_timestamp_tracker import WordTimestamp
from pipecat.utils.errors import ErrorCategory
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, WebSocketException
from websockets.protocol import State

CONNECT_S = 2.5
"""Longest wait for a connection, from the address to the end of the handshake."""

SILENT_S = 2.0
"""Longest wait for more of a reply; vendors send theirs several times faster than it is heard."""

FLAPPING_S = 5.0
"""A connection that is lost so soon after it replaced another is not replaced again."""

_POLICY_VIOLATION = 1008  # how vendors refuse after the handshake
_LONGEST_ERROR = 300  # characters of a vendor's own words


@dataclass
class _Reply:
    """What has become of one context.

    Attributes:
        sounded: Some of it could be heard.
        finished: The vendor says that was all.
        cut_short: Some of its text was never spoken.
        settled: It was given up, and whoever had to know knows.
    """

    sounded: bool = False
    finished: bool = False
    cut_short: bool = False
    settled: bool = False

    @property
    def due(self) -> bool:
        """Whether the vendor owes the rest of it."""
        return not self.finished and not self.settled


class WebsocketVoice(WebsocketTTSService):
    """Stands before a websocket service of pipecat's in the order of base classes, and mends it.

    A vendor's class implements `_read`, and calls `_finish` and `_refuse`.
    """

    _api_key: str
    _receive_task: asyncio.Task[None] | None

    def __init__(self, **kwargs: Any) -> None:
        """Take what the vendor's service of pipecat's takes."""
        # Vendors join the texts of a context as they are, so that each sentence has to bring the space behind it.
        super().__init__(append_trailing_space=True, stop_frame_timeout_s=SILENT_S, **kwargs)
        self._replies: dict[str, _Reply] = {}
        self._connecting = asyncio.Lock()
        self._replaced_at = -FLAPPING_S

    # For the vendor's class

    async def _read(self, message: str | bytes) -> str | bytes | None:
        """A vendor's message as pipecat is to read it; None where it is dealt with. Garbage may raise anything."""
        raise NotImplementedError

    async def _finish(self, context_id: str) -> None:
        """Note that the vendor has sent all of a context."""
        reply = self._replies.get(context_id)
        self._leave(context_id)
        if reply is not None and not reply.settled:
            reply.finished = True
            if not reply.sounded:
                reply.settled = True
                await self._report_error(ErrorFrame("a reply came without sound", category=ErrorCategory.SERVER))

    async def _refuse(self, words: str, category: ErrorCategory, context_id: str | None) -> None:
        """Report a vendor's refusal of one context, or of the whole connection."""
        reply = self._replies.get(context_id) if context_id is not None else None
        if context_id is not None and (reply is None or reply.settled):
            return
        if reply is not None and reply.sounded and category is ErrorCategory.INVALID_REQUEST:
            category = ErrorCategory.SERVER  # voice and model were good enough a moment ago
        await self._fail(ErrorFrame(words[:_LONGEST_ERROR], category=category), context_id)

    def _leave(self, context_id: str | None) -> None:
        """Have what the model is still writing spoken in another context, since this one is closed."""
        if context_id is not None and context_id == self._turn_context_id:
            self._turn_context_id = None
            self._turn_context_id = self.create_context_id()

    # Connection

    async def _websocket_connect(self, uri: str, **kwargs: Any) -> Any:
        return await super()._websocket_connect(uri, open_timeout=CONNECT_S, **kwargs)

    async def _connect_websocket(self) -> None:
        async with self._connecting:  # the sentence at hand and the receive loop may both want one
            await cast("Any", super())._connect_websocket()

    async def _disconnect(self) -> None:
        for reply in self._replies.values():
            reply.settled = True
        await super()._disconnect()

    def _get_websocket(self) -> Any:
        return _Checked(cast("Any", super())._get_websocket(), self)

    async def _receive_task_handler(self, report_error: ReportErrorCallback) -> None:  # noqa: ARG002 - pipecat's
        while (websocket := self._websocket) is not None:
            cause: Exception | None = None
            try:
                await self._receive_messages()
            except Exception as error:  # noqa: BLE001 - the task's root; whatever garbage makes pipecat raise
                cause = error
            if self._disconnecting:
                return
            if self._websocket is websocket:
                await self._lose(cause)
        self._receive_task = None

    async def _lose(self, cause: Exception | None) -> None:
        """Replace a connection that has ended between replies, as idle ones do; else report it."""
        busy = any(reply.due for reply in self._replies.values())
        now = time.monotonic()
        if not busy and _is_harmless(cause) and now - self._replaced_at >= FLAPPING_S:
            logger.debug("{} connects anew: {}", self, cause or "closed by the vendor")
            self._replaced_at, self._websocket = now, None
            await self._connect_websocket()
        elif cause is None or isinstance(cause, ConnectionClosed):
            words = f"the connection was lost: {cause or 'closed by the vendor'}"
            await self._fail(ErrorFrame(words[:_LONGEST_ERROR], exception=cause, category=self._category_of(cause)))
        else:
            words = f"a message made no sense: {type(cause).__name__}"
            await self._fail(ErrorFrame(words, exception=cause, category=ErrorCategory.SERVER))

    async def _fail(self, error: ErrorFrame, context_id: str | None = None) -> None:
        """Report an error and give up the reply it concerns, or the connection with all that is due on it."""
        if context_id is None and (websocket := self._websocket) is not None:
            self._websocket = None
            websocket.transport.abort()
        lost = [name for name, reply in self._replies.items() if context_id in (None, name) and reply.due]
        for name in lost:
            self._replies[name].settled = True
        self._leave(context_id or self._turn_context_id)
        # Before the ends of the replies: whoever takes over must not take them for whole.
        await self._report_error(error)
        for name in lost:
            await self._end(name)

    async def _end(self, context_id: str) -> None:
        """End a reply; what has been heard of it stands."""
        if self.audio_context_available(context_id):
            await self.append_to_audio_context(context_id, TTSStoppedFrame(context_id=context_id))
            await self.remove_audio_context(context_id)

    # Replies

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Give the vendor one sentence; its sound comes by itself.

        Args:
            text: The sentence, in spoken form.
            context_id: The reply it belongs to.
        """
        reply = self._replies.setdefault(context_id, _Reply())
        if self._websocket is None or self._websocket.state is not State.OPEN:
            await cast("Any", self)._connect()
        if self._websocket is None:  # which has been reported
            reply.settled = True
            if self.audio_context_available(context_id):
                await self._end(context_id)
            else:
                await self._apply_force_complete(context_id)
                del self._replies[context_id]
            return
        async for frame in cast("Any", super()).run_tts(text, context_id):
            yield frame

    async def append_to_audio_context(self, context_id: str | None, frame: Frame | WordTimestamp | None) -> None:
        """Take a piece of a reply; empty sound is none."""
        if isinstance(frame, TTSAudioRawFrame):
            if not frame.audio:
                return
            if context_id in self._replies:
                self._replies[context_id].sounded = True
        await super().append_to_audio_context(context_id, frame)

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        """Tell the vendor to stop, and listen to no more of it."""
        self._replies.pop(context_id, None)
        await super().on_audio_context_interrupted(context_id)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """Forget the reply."""
        self._replies.pop(context_id, None)
        await super().on_audio_context_completed(context_id)

    async def _apply_force_complete(self, context_id: str) -> None:
        # pipecat takes all text of a context that has ended for spoken, however it ended.
        reply = self._replies.get(context_id)
        if reply is not None and reply.finished and reply.sounded:
            await super()._apply_force_complete(context_id)
            return
        frames = self._aggregated_frame_sequencer.force_complete(context_id, self._word_timestamp_tracker.last_pts)
        for frame in frames:
            if isinstance(frame, TTSTextFrame):
                if reply is not None:
                    reply.cut_short = True
            elif not isinstance(frame, AggregatedTextProgressFrame):
                await self.push_frame(frame)

    async def _record_context_audio_outcome(self, context_id: str, received_audio: bool) -> None:
        reply = self._replies.get(context_id)
        if reply is None or not reply.due:
            return
        reply.settled = True
        if reply.cut_short or not received_audio:
            words = f"nothing more of a reply has come for {SILENT_S} s"
            await self._fail(ErrorFrame(words, category=ErrorCategory.CONNECTIVITY))
            await self.push_frame(TTSStoppedFrame(context_id=context_id))

    # Errors

    def _classify_error(self, exception: Exception) -> ErrorCategory | None:
        if isinstance(exception, ConnectionClosed):
            return self._category_of(exception)
        # An HTTP status, if there is one, says more.
        answered = getattr(exception, "response", None) is not None
        return (
            None if answered or not isinstance(exception, OSError | WebSocketException) else ErrorCategory.CONNECTIVITY
        )

    def _category_of(self, cause: ConnectionClosed | None) -> ErrorCategory:  # noqa: ARG002 - for the vendor's class
        """What the end of a connection says about its cause."""
        return ErrorCategory.CONNECTIVITY

    async def push_error_frame(self, error: ErrorFrame, force_treat_as_permanent: bool = False) -> None:
        """Report an error, without the key should a vendor have repeated it."""
        if self._api_key:
            error.error = error.error.replace(self._api_key, "[key]")
        await super().push_error_frame(error, force_treat_as_permanent)


class _Checked:
    """A connection whose messages the voice reads before pipecat does."""

    def __init__(self, connection: ClientConnection, voice: WebsocketVoice) -> None:
        self._connection = connection
        self._voice = voice

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    def __aiter__(self) -> _Checked:
        return self

    async def __anext__(self) -> str | bytes:
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosedOK:
                raise StopAsyncIteration from None
            if (read := await self._voice._read(message)) is not None:
                return read


def _is_harmless(cause: Exception | None) -> bool:
    """Whether a connection ended as idle ones do: in order, or without a word."""
    if isinstance(cause, ConnectionClosed):
        return cause.rcvd is None or cause.rcvd.code != _POLICY_VIOLATION
    return cause is None
