"""RTVI, the protocol between the page and the call, with the page as what it is: a stranger.

pipecat lets any client put tool results, audio, key presses, files and interface events into the pipeline, keeps its
messages without bound, and answers with the text of exceptions. Here a client may say that it is ready, type a turn,
hang up, and send the application messages the call declares. Everything else is refused in general words and counted.
"""

from __future__ import annotations

import inspect
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, TypeGuard

import pipecat.processors.frameworks.rtvi.models as RTVI  # noqa: N812  pipecat's own name for it
from loguru import logger
from pipecat.frames.frames import EndWorkerFrame, ErrorFrame, InputTransportMessageFrame
from pipecat.processors.frameworks.rtvi import (
    RTVIFunctionCallReportLevel,
    RTVIObserverParams,
    RTVIProcessor,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.bucket import TokenBucket
from agent.datachannel import BURST, MAX_BYTES, MAX_VIOLATIONS, RATE_PER_S
from calls.answers import MAX_CALLER_SIDE_MS
from core.clock import monotonic_s
from core.errors import AppError
from core.fit import require_fit

PRESENT = "present"
"""The client message of a page somebody is at, reading or typing; it carries nothing."""

HEARD = "heard"
"""The client message of a page that has measured how the agent's speech reached it; it carries `HeardData`."""

MAX_TEXT_CHARS = 1_000
MAX_ID_CHARS = 64
MAX_QUEUED = 32
TEXTS_PER_S = 1.0
TEXT_BURST = 5

refused: Counter[str] = Counter()
"""Messages refused since the process started, by reason, for the metrics."""

_SENTENCES = {
    "not_allowed": "This kind of message is not accepted in a call.",
    "invalid_message": "The message could not be understood.",
    "message_too_large": "The message is too large.",
    "text_too_long": f"The text is too long; {MAX_TEXT_CHARS} characters at most.",
    "too_many": "Too many messages at once. Wait a moment and try again.",
    "internal": "Something went wrong on our side. The call goes on; please try again.",
}
_ZERO_WIDTH_JOINERS = frozenset("\u200c\u200d")  # written in Hindi, Persian and emoji


_Milliseconds = Annotated[int, Field(ge=0, le=MAX_CALLER_SIDE_MS)]


class HeardData(BaseModel):
    """What `heard` carries: the fields of `calls.answers.CallerSide`, at least one of them known."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rtt_ms: _Milliseconds | None = None
    jitter_buffer_ms: _Milliseconds | None = None
    playout_ms: _Milliseconds | None = None

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if self.rtt_ms is None and self.jitter_buffer_ms is None and self.playout_ms is None:
            raise ValueError("nothing is told")
        return self


class _Problem(BaseModel):
    error: str
    code: str
    fatal: bool | None = None


class _ErrorMessage(BaseModel):
    """RTVI's `error-response` (with the `id` of a message) or `error`, plus a stable name for programs, `code`."""

    label: str = RTVI.MESSAGE_LABEL
    type: Literal["error-response", "error"]
    id: str | None = None
    data: _Problem


class GuardedRTVIProcessor(RTVIProcessor):
    """The RTVI processor of a call: a few client messages, at a bounded rate; errors without their text.

    Give it to `PipelineWorker(rtvi_processor=…)`. The event `on_client_ready` fires once for each call; a client that
    comes back after a reconnect is only told again that the bot is ready.
    """

    def __init__(
        self,
        *,
        client_messages: Mapping[str, type[BaseModel] | None] | None = None,
        withhold: Callable[[str], bool] = lambda _: False,
        on_abuse: Callable[[], None] | None = None,
        clock: Callable[[], float] = monotonic_s,
        **kwargs: Any,
    ) -> None:
        """Prepare the processor.

        Args:
            client_messages: Types (`t`) of `client-message` to pass on as `on_client_message` and as frames, each with
                what its data (`d`) must be; None where nobody reads that.
            withhold: Asked with each typed turn; True takes it out of the call (a code typed into the wrong field).
            on_abuse: Called once when a client keeps sending what is refused; it should end the call.
            clock: Seconds, for the rate limits.
            **kwargs: For the frame processor.
        """
        super().__init__(**kwargs)
        self._client_messages = client_messages or {}
        self._withhold = withhold
        self._on_abuse = on_abuse
        self._messages = TokenBucket(rate_per_s=RATE_PER_S, burst=BURST, clock=clock)
        self._texts = TokenBucket(rate_per_s=TEXTS_PER_S, burst=TEXT_BURST, clock=clock)
        self._forgiveness = TokenBucket(rate_per_s=1.0, burst=MAX_VIOLATIONS, clock=clock)

    # The way in

    async def handle_message(self, message: RTVI.Message, user_id: str | None = None) -> None:
        """Take a parsed message, as far as the queue has room."""
        if self._message_task is None:  # before the start or after the end of the pipeline
            self._count("not_running")
        elif self._message_queue.qsize() >= MAX_QUEUED:
            await self._refuse(message.id, "too_many")
        else:
            await super().handle_message(message, user_id)

    async def _handle_transport_message(self, frame: InputTransportMessageFrame) -> None:
        if not self._messages.take():
            self._count("too_many")  # no answer: it would only add to the flood
            return
        raw = frame.message
        if not isinstance(raw, dict) or raw.get("label") != RTVI.MESSAGE_LABEL:
            self._count("invalid_message")  # not RTVI, so there is nobody to answer
            return
        message_id = raw.get("id")
        if not _is_id(message_id):
            await self._refuse("", "invalid_message")
        elif not _is_small(raw):
            await self._refuse(message_id, "message_too_large")
        elif not isinstance(raw.get("type"), str) or not isinstance(raw.get("data"), dict | None):
            await self._refuse(message_id, "invalid_message")
        else:
            message = RTVI.Message(type=raw["type"], id=message_id, data=raw.get("data"))
            await self.handle_message(message, getattr(frame, "participant_id", None))

    async def _handle_message(self, message: RTVI.Message, user_id: str | None = None) -> None:
        try:
            match message.type:
                case "client-ready":
                    await self._client_is_ready(message.id, message.data or {})
                case "disconnect-bot":
                    await self.push_frame(EndWorkerFrame())
                case "send-text":
                    await self._text(message.id, message.data or {}, user_id)
                case "client-message":
                    await self._client_message(message.id, message.data or {})
                case _:
                    await self._refuse(message.id, "not_allowed")
        except Exception as error:  # noqa: BLE001  the root of the task that reads messages
            logger.error("A client message could not be handled: {}", type(error).__name__)
            logger.opt(exception=error).debug("What a client message led to")
            await self._refuse(message.id, "internal")

    async def _client_is_ready(self, message_id: str, data: Mapping[str, Any]) -> None:
        if self._client_ready:
            self._client_ready_id = message_id
            await self._send_bot_ready()
            return
        version = data.get("version")
        ready = RTVI.ClientReadyData(version=version, about=_about(data.get("about"))) if _is_version(version) else None
        await self._handle_client_ready(message_id, ready)

    async def _text(self, message_id: str, data: Mapping[str, Any], user_id: str | None) -> None:
        content, options = data.get("content"), data.get("options")
        if not isinstance(content, str) or not (text := plain_text(content[: 2 * MAX_TEXT_CHARS])):
            return await self._refuse(message_id, "invalid_message")
        if len(content) > MAX_TEXT_CHARS or len(text) > MAX_TEXT_CHARS:
            return await self._refuse(message_id, "text_too_long")
        if not self._texts.take():
            return await self._refuse(message_id, "too_many")
        if self._withhold(text):
            return None
        # The answer is always spoken: what the caller must hear before agreeing cannot be switched off by the page.
        at_once = not isinstance(options, dict) or options.get("run_immediately") is not False
        sent = RTVI.SendTextData(
            content=text, options=RTVI.SendTextOptions(run_immediately=at_once, audio_response=True)
        )
        return await self._handle_send_text(sent, message_id, user_id)

    async def _client_message(self, message_id: str, data: Mapping[str, Any]) -> None:
        kind = data.get("t")
        if not isinstance(kind, str) or kind not in self._client_messages:
            return await self._refuse(message_id, "not_allowed")
        form, content = self._client_messages[kind], data.get("d")
        if form is not None:
            try:
                form.model_validate(content)
            except ValidationError:
                return await self._refuse(message_id, "invalid_message")
        return await self._handle_client_message(message_id, RTVI.RawClientMessageData(t=kind, d=content))

    # The way out

    async def _refuse(self, message_id: str, code: str) -> None:
        self._count(code)
        await self._send_error_response(message_id, code)

    async def _send_error_response(self, id: str, error: str) -> None:  # noqa: A002  the base class's name
        """Answer with a code of ours; any other text is replaced, because pipecat passes exceptions in here."""
        code = error if error in _SENTENCES else "invalid_message"
        problem = _Problem(error=_SENTENCES[code], code=code)
        await self.push_transport_message(_ErrorMessage(type="error-response", id=id or "unknown", data=problem))

    async def _send_error_frame(self, frame: ErrorFrame) -> None:
        """Tell the page that something failed, not what: only an `AppError` has a text made for people."""
        error = frame.exception
        code, text = (
            (error.code, error.message) if isinstance(error, AppError) else ("internal", _SENTENCES["internal"])
        )
        problem = _Problem(error=text, code=code, fatal=frame.fatal)
        await self.push_transport_message(_ErrorMessage(type="error", data=problem))

    async def _send_bot_ready(self, about: Mapping[str, Any] | None = None) -> None:
        await super()._send_bot_ready(about or {"library": "parley"})

    def _count(self, code: str) -> None:
        refused[code] += 1
        if not self._forgiveness.take() and self._on_abuse is not None:
            logger.warning("A client keeps sending messages that are refused; last: {}", code)
            on_abuse, self._on_abuse = self._on_abuse, None
            on_abuse()


def verify() -> None:
    """Check that the guard fits the installed pipecat; call it at start-up.

    Raises:
        RuntimeError: pipecat has renamed what is overridden here, so the guard would stand open.
    """
    methods = (
        "_handle_message",
        "_handle_transport_message",
        "_send_error_response",
        "_send_error_frame",
        "_send_bot_ready",
    )
    source = inspect.getsource(RTVIProcessor)
    missing = [name for name in methods if not callable(getattr(RTVIProcessor, name, None))]
    missing += [name for name in ("_message_queue", "_message_task", "_client_ready") if name not in source]
    require_fit("RTVI guard", "pipecat", missing=missing, file="agent/rtvi.py")


def observer_params() -> RTVIObserverParams:
    """What the page is told about the call: who speaks, and the words of both sides.

    Not told: tool calls, the context given to the language model, metrics and logs.
    """
    return RTVIObserverParams(
        bot_llm_enabled=False,  # what the model wrote is told when it has been checked and is spoken
        user_llm_enabled=False,
        metrics_enabled=False,
        system_logs_enabled=False,
        function_call_report_level={"*": RTVIFunctionCallReportLevel.DISABLED},
    )


def plain_text(text: str) -> str:
    """Typed text as one line in Unicode form NFC, without control, bidirectional, private and unassigned characters."""
    kept = (
        character if character in _ZERO_WIDTH_JOINERS or unicodedata.category(character)[0] != "C" else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isascii() and value.isprintable()


def _is_version(value: object) -> TypeGuard[str]:
    """Whether `value` is three small numbers with dots, the only thing pipecat does not complain about in the log."""
    if not isinstance(value, str) or len(value) > 20:
        return False
    parts = value.split(".")
    return len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts)


def _about(value: object) -> RTVI.AboutClientData:
    """What the client says it is, as short plain words."""
    given = value if isinstance(value, dict) else {}
    words = {
        name: plain_text(word[:MAX_ID_CHARS])
        for name in ("library", "library_version", "platform", "platform_version")
        if isinstance(word := given.get(name), str)
    }
    return RTVI.AboutClientData(**{"library": "unknown", **words})


def _is_small(message: Mapping[str, Any]) -> bool:
    try:
        return len(json.dumps(message).encode()) <= MAX_BYTES
    except (TypeError, ValueError, RecursionError):
        return False
