"""What language models reached over HTTP share: deadlines, whole answers and plain errors.

Most of them speak OpenAI's chat completions (`ChatCompletions`); what is said of HTTP alone serves the others as well
(`OverHTTP`). Both stand before one of pipecat's service classes and mend what is wrong with it in a live call.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.utils.errors import ErrorCategory, extract_http_status_code
from pydantic import BaseModel, SecretStr

from providers.base import Readiness

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.frame_processor import FrameProcessorSetup
    from pipecat.services.ai_service import AIService as _Service
    from pipecat.services.openai.base_llm import BaseOpenAILLMService as _ChatService
else:
    _Service = _ChatService = object  # Imported by those who are chosen: it takes a good part of a second.

CONNECT_S = 2.5
SILENT_S = 10.0
"""Longest wait for the next piece of an answer. Whoever can turn to somebody else gives up long before."""

CHECK_S = 5.0

KEPT_OPEN_S = 60.0
"""How long a line is kept between two turns. The SDKs' 5 s would have most turns begin with a TLS handshake."""

ANSWER_TOKENS = 400
"""Enough for anything one would say aloud; a model that rambles is cut off here."""

THOUGHT_TOKENS = 1600
"""Room on top of that for a model that cannot be kept from thinking."""

TEMPERATURE = 0.2
"""Where it may be chosen: at the usual 1.0 small models invent tool arguments."""

BYTES_PER_TOKEN = 4
"""Of UTF-8, for estimates: English has four letters to a token, Hindi a character and a third of three bytes each."""

MAX_WORDS = 200
"""Characters of a vendor's own words that are passed on."""

NO_KEY = "no-key"
"""Sent where there is none, so that a vendor who wants one says so."""


class Unfinished(ConnectionError):
    """An answer broke off before its end."""


class Unusable(Exception):
    """An answer came that nothing can be done with."""


class EstimatedTokens(LLMTokenUsage):
    """Reckoned from lengths: the vendor's own count comes last, and the answer was not heard to its end."""


# For a vendor's file


def readiness(variable: str, key: SecretStr, model: str) -> Readiness:
    """Whether there is a key, named by its environment variable."""
    value = key.get_secret_value().strip()
    if not value:
        return Readiness(False, f"{variable} is not set")
    if not (value.isascii() and value.isprintable()) or " " in value:
        return Readiness(False, f"{variable} holds characters that no key has")
    return Readiness(True, f"{variable} is set; {model}")


def key_of(key: SecretStr) -> str:
    """The key as it is sent."""
    return key.get_secret_value().strip() or NO_KEY


def address(configured: str, usual: str) -> str:
    """Where to ask: the vendor's usual address, or a configured one, which may leave out the usual path."""
    if not configured:
        return usual
    return configured if urlsplit(configured).path else configured + urlsplit(usual).path


def client(*, base_url: str, api_key: str, silent_s: float = SILENT_S) -> AsyncOpenAI:
    """A client that gives up soon and asks once: who asks again, and whom, is decided elsewhere."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    place, login = _apart(base_url)
    return AsyncOpenAI(
        base_url=place,
        api_key=api_key,
        timeout=Timeout(silent_s, connect=CONNECT_S),
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(auth=login, **line()),
    )


def _apart(url: str) -> tuple[str, tuple[str, str] | None]:
    """An address, and the name and password that stood in it: httpx logs addresses as they are."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def line() -> dict[str, Any]:
    """How an SDK's HTTP client is to keep its connections."""
    import httpx2

    return {"verify": tls(), "limits": httpx2.Limits(keepalive_expiry=KEPT_OPEN_S)}


@cache
def tls() -> ssl.SSLContext:
    """The trusted certificates, read once: it takes 20 ms and more, which each call would otherwise stand still for."""
    import httpx2

    return httpx2.create_ssl_context()


async def load(service: Callable[[], object]) -> None:
    """Import what the first call would otherwise wait for: seconds, on a small machine."""
    await asyncio.to_thread(service)
    await asyncio.to_thread(tls)


async def ask_for_models(*, base_url: str, api_key: str) -> None:
    """Ask which models there are, the cheapest question that takes the key; an SDK's error says what is wrong."""
    async with client(base_url=base_url, api_key=api_key) as asking:
        await asking.models.list(timeout=CHECK_S)


# What is wrong


def category_of(error: BaseException) -> ErrorCategory | None:
    """Why a vendor did not answer; None where pipecat reads it from the HTTP status.

    A request that is not taken (400, 413, 422) is UNKNOWN, not INVALID_REQUEST, which pipecat holds to be for good:
    each turn is another request, and what was wrong with this one says nothing about the next. A key or a model that
    the vendor does not know (401, 403, 404) is another matter, and left to pipecat.
    """
    import httpx2

    for cause in _causes(error):
        if isinstance(cause, ConnectionError | TimeoutError | ssl.SSLError | httpx2.TransportError):
            return ErrorCategory.CONNECTIVITY
    if isinstance(error, Unusable):
        return ErrorCategory.SERVER
    names = {str(getattr(error, name, None)) for name in ("code", "type")}
    if names & _NO_CREDIT or any(words in str(error) for words in _NO_CREDIT_WORDS):
        return ErrorCategory.QUOTA
    status = extract_http_status_code(error)
    if status in (400, 413, 422):
        return ErrorCategory.UNKNOWN
    if hasattr(error, "body") and status in (None, 200):  # told in the middle of an answer
        return next((_MID_ANSWER[name] for name in names if name in _MID_ANSWER), ErrorCategory.SERVER)
    return None


_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"})
_NO_CREDIT_WORDS = ("credit balance is too low", "reached your specified API usage limits")  # Anthropic's, with 400
_MID_ANSWER = {
    "authentication_error": ErrorCategory.AUTHENTICATION,
    "permission_error": ErrorCategory.AUTHORIZATION,
    "rate_limit_error": ErrorCategory.RATE_LIMIT,
    "rate_limit_exceeded": ErrorCategory.RATE_LIMIT,
    "invalid_request_error": ErrorCategory.UNKNOWN,
}


def words_of(error: BaseException | None) -> str | None:
    """A vendor's refusal in a line; None if the error is none.

    Of the body only its kind and message: the rest may quote what the caller or the model said.
    """
    if error is None or not hasattr(error, "body"):
        return None
    status, body = extract_http_status_code(error), getattr(error, "body", None)
    if status is None and body is None:
        return None
    inner = body.get("error", body) if isinstance(body, Mapping) else {}
    inner = inner if isinstance(inner, Mapping) else {"message": inner}
    kind, message = inner.get("code") or inner.get("type"), inner.get("message")
    words = (status and f"{status}:", message and str(message)[:MAX_WORDS], kind and f"({str(kind)[:MAX_WORDS]})")
    return " ".join(word for word in words if word)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


# What is used


def estimate(asked: object, said: int) -> EstimatedTokens:
    """What an answer will have taken.

    Args:
        asked: The request.
        said: Bytes of the answer that came.
    """
    prompt = tokens_in(json.dumps(asked, default=str, ensure_ascii=False).encode())
    completion = -(-said // BYTES_PER_TOKEN)
    return EstimatedTokens(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def tokens_in(text: bytes) -> int:
    """About how many tokens a text is."""
    return -(-len(text) // BYTES_PER_TOKEN)


# Services


class OverHTTP(_Service):
    """Stands before one of pipecat's services: plain errors, and no line left behind."""

    _client: Any
    _greeting: asyncio.Task[None] | None = None

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Have a line open by the time the caller has been greeted; the first question would wait for its handshake."""
        await super().setup(setup)
        self._greeting = self.create_task(self._open_line())

    async def _open_line(self) -> None:
        # No vendor has anything at this address. Should there be no line, the first question tells.
        with suppress(Exception):
            await self._client.get("/", cast_to=object)

    def _classify_error(self, exception: Exception) -> ErrorCategory | None:
        return category_of(exception)

    async def push_error(self, error_msg: str, exception: Exception | None = None, *args: Any, **kwargs: Any) -> None:
        """Report an error, without the key and without what was said."""
        text = (words_of(exception) or error_msg).replace(self._client.api_key, "[key]")
        await super().push_error(text, exception, *args, **kwargs)

    async def cleanup(self) -> None:
        """Hang up."""
        if self._greeting is not None:
            await self.cancel_task(self._greeting)
        await super().cleanup()
        await self._client.close()


class ChatCompletions(OverHTTP, _ChatService):
    """Stands before one of pipecat's services for OpenAI's interface.

    pipecat takes what has come for the whole answer if the line ends early, and would run a tool with half its
    arguments or none; it writes arguments that are no JSON into the log and forgets the call; and it tells the calls of
    a turn apart by their numbers, of which many versions of Ollama know only one (ollama/ollama#15457).
    """

    _asked: Any = None

    @property
    def silent_s(self) -> float:
        """Longest wait for the next piece of an answer."""
        return SILENT_S

    def create_client(self, *_args: Any, **kwargs: Any) -> AsyncOpenAI:
        """A client with our deadlines."""
        return client(base_url=kwargs["base_url"], api_key=kwargs["api_key"], silent_s=self.silent_s)

    def build_chat_completion_params(self, params_from_context: Any) -> dict[str, Any]:
        """The request, which is remembered for an estimate."""
        self._asked = super().build_chat_completion_params(params_from_context)
        return self._asked

    async def get_chat_completions(self, context: LLMContext) -> AsyncStream[ChatCompletionChunk]:
        """The answer, which ends with an error if it is not whole."""
        return cast("AsyncStream[ChatCompletionChunk]", self._answer(context))

    async def _answer(self, context: LLMContext) -> AsyncGenerator[ChatCompletionChunk, None]:
        said, counted, asked = 0, False, True
        try:
            try:
                stream = await super().get_chat_completions(context)
            except Exception:
                asked = False  # refused, and not charged for
                raise
            async with stream, aclosing(_whole(stream)) as whole:
                async for chunk in whole:
                    said += _size(chunk)
                    counted = counted or chunk.usage is not None
                    yield chunk
        finally:
            if asked and not counted:
                await self.start_llm_usage_metrics(estimate(self._asked, said))


@dataclass
class _Call:
    """A tool call as far as it has come."""

    id: str | None
    index: int
    name: str = ""
    arguments: str = ""


async def _whole(stream: AsyncStream[ChatCompletionChunk]) -> AsyncGenerator[ChatCompletionChunk, None]:
    """The same stream with its tool calls at the end, each in a chunk of its own and numbered in order.

    Raises: Unfinished, Unusable.
    """
    calls: list[_Call] = []
    finish: str | None = None
    last: ChatCompletionChunk | None = None
    try:
        async for chunk in stream:
            if not isinstance(chunk, BaseModel):
                raise Unusable("the vendor sent what its protocol does not know")
            choice = chunk.choices[0] if chunk.choices else None
            if choice is None or not choice.delta:
                yield chunk
                continue
            last, finish = chunk, choice.finish_reason or finish
            _gather(calls, choice.delta.tool_calls or ())
            yield _with_calls(chunk, None) if choice.delta.tool_calls else chunk
    except ValueError as error:
        raise Unusable("the vendor sent what is no JSON") from error
    if finish is None or last is None:
        raise Unfinished("the answer broke off")
    for number, call in enumerate(calls):
        check_arguments(call.arguments or "{}", broken_off=finish in ("length", "content_filter"))
        yield _with_calls(last, [_as_delta(call, number)])


def _gather(calls: list[_Call], deltas: Iterable[ChoiceDeltaToolCall]) -> None:
    """Add pieces of calls to those they belong to: by their id, which only the first piece of a call may have."""
    for delta in deltas:
        same = (c for c in reversed(calls) if (c.id == delta.id if delta.id else c.index == delta.index))
        call = next(same, None)
        if call is None:
            call = _Call(delta.id, delta.index)
            calls.append(call)
        if delta.function is not None:
            call.name += delta.function.name or ""
            call.arguments += delta.function.arguments or ""


def check_arguments(arguments: str, *, broken_off: bool = False) -> None:
    """Hold a tool call to be whole.

    Raises: Unusable; what is in the arguments is not repeated.
    """
    try:
        usable = not broken_off and isinstance(json.loads(arguments), dict)
    except ValueError:
        usable = False
    if not usable:
        raise Unusable("the model called a tool in a way that cannot be read")


def _as_delta(call: _Call, number: int) -> ChoiceDeltaToolCall:
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall, ChoiceDeltaToolCallFunction

    function = ChoiceDeltaToolCallFunction(name=call.name, arguments=call.arguments)
    return ChoiceDeltaToolCall(index=number, id=call.id, type="function", function=function)


def _with_calls(chunk: ChatCompletionChunk, calls: list[ChoiceDeltaToolCall] | None) -> ChatCompletionChunk:
    choice = chunk.choices[0]
    content = choice.delta.content if calls is None else None
    delta = choice.delta.model_copy(update={"tool_calls": calls, "content": content})
    return chunk.model_copy(update={"choices": [choice.model_copy(update={"delta": delta})]})


def _size(chunk: ChatCompletionChunk) -> int:
    """Bytes of the answer in a chunk."""
    if not chunk.choices or not chunk.choices[0].delta:
        return 0
    delta = chunk.choices[0].delta
    calls = "".join(call.function.arguments or "" for call in delta.tool_calls or () if call.function)
    return len(((delta.content or "") + calls).encode())
