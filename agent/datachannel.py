"""The data channel of a call: pipecat's WebRTC connection, with bounds on what a browser may send through it.

pipecat parses whatever arrives, logs what it cannot parse word for word, and keeps messages without bound until the
pipeline is ready. Here a message is measured before it is parsed, what does not fit is dropped and counted, and
nothing a caller sends is ever logged.
"""

from __future__ import annotations

import inspect
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCDataChannel
from loguru import logger
from pipecat.transports.smallwebrtc.connection import SIGNALLING_TYPE, IceServer, SmallWebRTCConnection

from agent.bucket import TokenBucket
from core.clock import monotonic_s
from core.fit import require_fit

MAX_BYTES = 16_384
RATE_PER_S = 20.0
BURST = 40
MAX_PENDING = 32
MAX_UNSENT_BYTES = 1_000_000
MAX_VIOLATIONS = 100  # at once; one is forgiven every second

refused: Counter[str] = Counter()
"""Messages and channels refused since the process started, by reason, for the metrics."""


class GuardedConnection(SmallWebRTCConnection):
    """A peer connection whose data channel takes small JSON objects at a bounded rate, and whose media is audio only.

    Only the first data channel counts. Binary messages, large ones, what is not a JSON object with a `type`, and what
    comes too fast is dropped. A caller who goes on like that is reported once.
    """

    def __init__(
        self,
        ice_servers: list[str] | list[IceServer] | None = None,
        connection_timeout_secs: int = 60,
        *,
        on_abuse: Callable[[], None] | None = None,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        """Prepare a connection.

        Args:
            ice_servers: As in pipecat.
            connection_timeout_secs: After this long in the state `connecting` the connection closes. ICE alone never
                gives up, because browsers may be found without having named a candidate.
            on_abuse: Called once when a caller keeps sending what is not allowed; it should end the call.
            clock: Seconds, for the rate limits.
        """
        # The base class sets up its listeners, which use these, in its own __init__.
        self._messages = TokenBucket(rate_per_s=RATE_PER_S, burst=BURST, clock=clock)
        self._forgiveness = TokenBucket(rate_per_s=1.0, burst=MAX_VIOLATIONS, clock=clock)
        self._on_abuse = on_abuse
        super().__init__(ice_servers, connection_timeout_secs)

    async def connect(self) -> None:
        """Tell the pipeline of the connection and hand over the messages that waited for it.

        pipecat hands them over only if the last ping is not late, and then again at every call.
        """
        waiting, self._pending_app_messages = self._pending_app_messages, []
        await super().connect()
        for message in waiting:
            await self._call_event_handler("app-message", message)

    def video_input_track(self) -> None:
        """No video: none is negotiated, and asking for a keyframe would cost a renegotiation in every call."""

    def screen_video_input_track(self) -> None:
        """No video either."""

    def send_app_message(self, message: Any) -> None:
        """Send a message, unless the browser has stopped taking them."""
        channel = self._data_channel
        if channel is not None and channel.bufferedAmount > MAX_UNSENT_BYTES:
            refused["unsent"] += 1
            return
        super().send_app_message(message)

    def _setup_listeners(self) -> None:
        super()._setup_listeners()
        self._pc.remove_all_listeners("datachannel")
        self._pc.on("datachannel", self._accept_channel)

    def _accept_channel(self, channel: RTCDataChannel) -> None:
        current = self._data_channel
        if current is not None and current.readyState in ("connecting", "open"):
            self._violation("extra_channel")
            channel.close()
            return
        self._data_channel = channel
        channel.on("message", self._receive)
        channel.on("open", self._flush_message_queue)
        if channel.readyState == "open":  # as it is when the browser made it: no event follows
            self._flush_message_queue()

    def _receive(self, message: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Take a message; the emitter runs what is returned as a task, and a refused message costs none."""
        if not self._messages.take():
            return self._violation("rate")
        if not isinstance(message, str):
            return self._violation("binary")
        if len(message) > MAX_BYTES or len(message.encode(errors="surrogatepass")) > MAX_BYTES:
            return self._violation("size")
        if message.startswith("ping"):
            self._last_received_time = time.time()
            return None
        parsed = _json_object(message)
        if parsed is None or not isinstance(parsed.get("type"), str):
            return self._violation("format")
        if self._last_received_time is not None:
            self._last_received_time = time.time()
        if parsed["type"] == SIGNALLING_TYPE:
            return self._signalling(parsed.get("message"))
        if self._connect_invoked:
            return self._call_event_handler("app-message", parsed)
        if len(self._pending_app_messages) >= MAX_PENDING:
            return self._violation("pending")
        self._pending_app_messages.append(parsed)
        return None

    def _signalling(self, message: object) -> Coroutine[Any, Any, None] | None:
        """`trackStatus` is the one signal there is; pipecat's own check would raise with the content in the text."""
        match message:
            case {"type": "trackStatus", "receiver_index": int() as index, "enabled": bool() as enabled} if (
                0 <= index <= 2 and not isinstance(index, bool)
            ):
                signal = {"type": "trackStatus", "receiver_index": index, "enabled": enabled}
                return self._handle_signalling_message(signal)
        return self._violation("format")

    def _violation(self, reason: str) -> None:
        refused[reason] += 1
        if not self._forgiveness.take() and self._on_abuse is not None:
            logger.warning("A caller keeps sending what the data channel does not take; last: {}", reason)
            on_abuse, self._on_abuse = self._on_abuse, None
            on_abuse()


def _json_object(text: str) -> dict[str, Any] | None:
    """The JSON object in `text`; None for anything else, including `NaN`, endless numbers and bottomless nesting."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def verify() -> None:
    """Check that the guard fits the installed pipecat; call it at start-up.

    Raises:
        RuntimeError: pipecat has changed what is overridden here.
    """
    source = inspect.getsource(SmallWebRTCConnection)
    needed = (
        'self._pc.on("datachannel")',
        "self._setup_listeners()",
        "self._pending_app_messages",
        "self._last_received_time",
        "self._connect_invoked",
    )
    missing = [text for text in needed if text not in source]
    methods = ("_flush_message_queue", "_handle_signalling_message", "send_app_message", "video_input_track")
    missing += [name for name in methods if not callable(getattr(SmallWebRTCConnection, name, None))]
    require_fit("data channel guard", "pipecat", missing=missing, file="agent/datachannel.py")
