"""Ollama: a language model on this machine or in the house, through its OpenAI-compatible interface."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from loguru import logger

from core.settings import Settings
from providers.base import Brief, Kind, Prices, Readiness

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.llm_service import LLMService

PRICES = Prices()

CONNECT_S = 3.0
SILENT_S = 20.0
"""Longest wait for the next piece of an answer, the first included, before the turn is given up."""

ANSWER_TOKENS = 400
"""Enough for anything one would say aloud; a model that rambles is cut off here."""

TEMPERATURE = 0.2
"""Ollama's own default for this interface is 1.0, at which small models invent tool arguments."""

LOADING_S = 90.0
"""How long start-up waits for Ollama to bring the model into memory."""

MAX_RETRIES = 1


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether it was asked for; it is never chosen by itself, because small models answer less surely than rules."""
    if not _model(settings):
        return Readiness(False, "OLLAMA_MODEL is not set")
    if settings.llm_provider != "ollama":
        return Readiness(False, "LLM_PROVIDER is not ollama")
    return Readiness(True, f"{_model(settings)} at {_place(settings)}")


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief; a server that is down shows at the first turn."""
    service = _service()
    return service(
        base_url=_base_url(settings),
        settings=service.Settings(
            model=_model(settings),
            system_instruction=brief.instructions,
            temperature=TEMPERATURE,
            max_tokens=ANSWER_TOKENS,
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Have Ollama load the model, which takes it up to a minute; without it the first caller would wait."""
    from openai import AsyncOpenAI, OpenAIError, Timeout

    async with AsyncOpenAI(
        base_url=_base_url(settings), api_key="ollama", timeout=Timeout(LOADING_S, connect=CONNECT_S), max_retries=0
    ) as client:
        try:
            await client.chat.completions.create(
                model=_model(settings), messages=[{"role": "user", "content": "Hello"}], max_tokens=1
            )
        except OpenAIError as error:
            # Calls can be taken all the same: Ollama may be started later.
            logger.warning("Ollama at {} is not ready: {}", _place(settings), error)


def _model(settings: Settings) -> str:
    return settings.ollama_model


def _base_url(settings: Settings) -> str:
    url = settings.ollama_base_url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


def _place(settings: Settings) -> str:
    """Its address for people to read, without the name and password that may stand in it."""
    url = urlsplit(_base_url(settings))
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


@cache
def _service() -> Any:
    # Imported when Ollama is chosen: the OpenAI client takes a good part of a second to load.
    from openai import AsyncOpenAI, Timeout
    from pipecat.services.ollama.llm import OLLamaLLMService

    class Ollama(OLLamaLLMService):
        """pipecat's service with deadlines, and with every tool call of a turn."""

        def create_client(self, base_url: str | None = None, api_key: str | None = None, **_kwargs: Any) -> AsyncOpenAI:
            timeout = Timeout(SILENT_S, connect=CONNECT_S)
            return AsyncOpenAI(base_url=base_url, api_key=api_key, timeout=timeout, max_retries=MAX_RETRIES)

        async def get_chat_completions(self, context: LLMContext) -> AsyncStream[ChatCompletionChunk]:
            stream = await super().get_chat_completions(context)
            return cast("AsyncStream[ChatCompletionChunk]", _one_tool_call_each(stream))

        async def cleanup(self) -> None:
            await super().cleanup()
            await self._client.close()

    return Ollama


async def _one_tool_call_each(
    stream: AsyncStream[ChatCompletionChunk],
) -> AsyncGenerator[ChatCompletionChunk, None]:
    """The same stream with each tool call in a chunk of its own, numbered in order.

    pipecat reads the first tool call of a chunk and tells calls apart by their index. Ollama sends whole calls, several
    in a chunk, and many of its versions give them all the index 0 (ollama/ollama#15457): unmended, the second call
    would be lost or its name glued to the first one's.
    """
    number, current = -1, ""
    try:
        async for chunk in stream:
            calls = chunk.choices[0].delta.tool_calls if chunk.choices and chunk.choices[0].delta else None
            if not calls:
                yield chunk
                continue
            for call in calls:
                if call.id and call.id != current:
                    number, current = number + 1, call.id
                yield _with_call(chunk, call.model_copy(update={"index": max(number, 0)}))
    finally:
        await stream.close()


def _with_call(chunk: ChatCompletionChunk, call: ChoiceDeltaToolCall) -> ChatCompletionChunk:
    choice = chunk.choices[0]
    delta = choice.delta.model_copy(update={"tool_calls": [call]})
    return chunk.model_copy(update={"choices": [choice.model_copy(update={"delta": delta})]})
