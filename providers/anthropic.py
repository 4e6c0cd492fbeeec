"""Anthropic: Claude answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from loguru import logger

from core.settings import Settings
from providers.base import Brief, Kind, Prices, Readiness, Tariff
from providers.chat_completions import (
    ANSWER_TOKENS,
    CHECK_S,
    CONNECT_S,
    SILENT_S,
    THOUGHT_TOKENS,
    EstimatedTokens,
    OverHTTP,
    Unfinished,
    Unusable,
    check_arguments,
    estimate,
    key_of,
    line,
    load,
    readiness,
)

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.llm_service import LLMService

_URL = "https://api.anthropic.com"

_ALWAYS_THINK = ("claude-opus-5-5", "claude-fable-5")

_BEFORE_THE_GREETING = {"role": "user", "content": "(the call begins)"}

_ONE_TOOL = {"type": "auto", "disable_parallel_tool_use": True}


def _tokens(input_: str, cached: str, output: str) -> Prices:
    return Prices(
        llm_input_mtok=Decimal(input_),
        llm_cached_mtok=Decimal(cached),
        llm_cache_write_mtok=Decimal(input_) * Decimal("1.25"),
        llm_output_mtok=Decimal(output),
    )


PRICES = Tariff(
    {
        "claude-haiku-4-5": _tokens("1", "0.10", "5"),
        "claude-haiku-5-5": _tokens("0.10", "0.01", "0.50"),  # prompts of up to 100,000 tokens
        "claude-sonnet-4-5": _tokens("3", "0.30", "15"),
        "claude-sonnet-4-6": _tokens("3", "0.30", "15"),
        "claude-sonnet-5": _tokens("2", "0.20", "10"),
        "claude-sonnet-5-5": _tokens("2", "0.10", "10"),
        "claude-opus-4-5": _tokens("5", "0.50", "25"),
        "claude-opus-4-6": _tokens("5", "0.50", "25"),
        "claude-opus-4-7": _tokens("5", "0.50", "25"),
        "claude-opus-4-8": _tokens("5", "0.50", "25"),
        "claude-opus-5": _tokens("5", "0.50", "25"),
        "claude-opus-5-5": _tokens("4", "0.20", "20"),
        "claude-fable-5": _tokens("10", "1", "50"),
        "claude-fable-5-1": _tokens("10", "0.25", "50"),
    },
    source="https://platform.claude.com/docs/en/about-claude/pricing",
    as_of=date(2026, 10, 24),
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("ANTHROPIC_API_KEY", settings.anthropic_api_key, settings.anthropic_model)


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief; pipecat has it think as little as the model allows."""
    service = _service()
    thinks = settings.anthropic_model.startswith(_ALWAYS_THINK)
    return service(
        api_key=key_of(settings.anthropic_api_key),
        client=_client(settings),
        settings=service.Settings(
            model=settings.anthropic_model,
            system_instruction=brief.instructions,
            max_tokens=ANSWER_TOKENS + (THOUGHT_TOKENS if thinks else 0),
            enable_prompt_caching=True,
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK."""
    await load(_service)


async def check(settings: Settings) -> None:
    """Ask which models there are, the cheapest question that takes the key."""
    async with _client(settings) as client:
        await client.models.list(limit=1, timeout=CHECK_S)


def _client(settings: Settings) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, Timeout

    return AsyncAnthropic(
        api_key=key_of(settings.anthropic_api_key),
        base_url=(settings.anthropic_base_url or _URL).removesuffix("/v1"),
        timeout=Timeout(SILENT_S, connect=CONNECT_S),
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(**line()),
    )


@cache
def _service() -> Any:
    from pipecat.services.anthropic.llm import AnthropicLLMService

    class Claude(OverHTTP, AnthropicLLMService):
        """pipecat's service for a live call: one tool at a time, whole answers, errors that are told."""

        # A turn is an answer to the caller, never the rest of a sentence that the agent has begun itself.
        _PREFILL_SUPPORTED_PATTERNS = ()

        _request: Any = None
        _answer: AsyncGenerator[Any, None] | None = None
        _taken = False
        _counted = False
        _said = 0

        async def _process_context(self, context: LLMContext) -> None:
            self._taken, self._counted, self._said = False, False, 0
            try:
                await super()._process_context(context)
            finally:
                if self._answer is not None:
                    await self._answer.aclose()  # pipecat leaves it to the garbage collector
                    self._answer = None

        async def _create_message_stream(self, api_call: Any, params: dict[str, Any]) -> AsyncGenerator[Any, None]:
            if params["tools"]:
                params["tool_choice"] = _ONE_TOOL  # pipecat carries out only the last of several
            if params["messages"] and params["messages"][0]["role"] == "assistant":
                params["messages"].insert(0, _BEFORE_THE_GREETING)  # a conversation has to begin with the user
            self._request = params
            self._answer = self._whole(api_call, params)
            return self._answer

        async def _whole(self, api_call: Any, params: dict[str, Any]) -> AsyncGenerator[Any, None]:
            """The events of an answer, which ends with an error if it is not whole."""
            self._taken = True
            try:
                stream = await super()._create_message_stream(api_call, params)
            except Exception:
                self._taken = False  # refused, and not charged for
                raise
            async with stream, aclosing(_one_tool(stream)) as events:
                async for event in events:
                    if event.type == "content_block_delta":
                        text = getattr(event.delta, "text", None) or getattr(event.delta, "partial_json", None) or ""
                        self._said += len(text.encode())
                    elif event.type == "message_delta":
                        self._counted = True
                    yield event

        async def _report_usage_metrics(
            self,
            prompt_tokens: int,
            completion_tokens: int,
            cache_creation_input_tokens: int,
            cache_read_input_tokens: int,
            reasoning_tokens: int | None = None,
        ) -> None:
            if self._counted or not self._taken:
                await super()._report_usage_metrics(
                    prompt_tokens,
                    completion_tokens,
                    cache_creation_input_tokens,
                    cache_read_input_tokens,
                    reasoning_tokens,
                )
                return
            # The input is counted when an answer begins, the output only when it ends.
            guess = estimate(self._request, self._said)
            cached = cache_creation_input_tokens + cache_read_input_tokens
            prompt = prompt_tokens if prompt_tokens or cached else guess.prompt_tokens
            tokens = EstimatedTokens(
                prompt_tokens=prompt,
                completion_tokens=guess.completion_tokens,
                total_tokens=prompt + cached + guess.completion_tokens,
                cache_creation_input_tokens=cache_creation_input_tokens,
                cache_read_input_tokens=cache_read_input_tokens,
            )
            await self.start_llm_usage_metrics(tokens)

    return Claude


async def _one_tool(stream: Any) -> AsyncGenerator[Any, None]:
    """The same events without all tool calls but the first; the model can ask for the others when it has its result.

    Raises: Unfinished, Unusable, TimeoutError (httpx's own is passed over in silence by pipecat).
    """
    import httpx2

    first: int | None = None
    dropped: set[int] = set()
    arguments = ""
    ended = False
    try:
        async for event in stream:
            index, kind = getattr(event, "index", None), getattr(event, "type", None)
            if kind is None:
                raise Unusable("the vendor sent what its protocol does not know")
            if kind == "content_block_start" and event.content_block.type == "tool_use":
                if first is None:
                    first = index
                elif index is not None:
                    dropped.add(index)
                    logger.warning("Claude called several tools at once; the first is carried out")
            if index in dropped:
                continue
            if kind == "content_block_delta" and index == first:
                arguments += getattr(event.delta, "partial_json", "")
            elif kind == "message_delta" and first is not None and event.delta.stop_reason:
                check_arguments(arguments or "{}", broken_off=event.delta.stop_reason != "tool_use")
            ended = ended or kind == "message_stop"
            yield event
    except httpx2.TimeoutException as error:
        raise TimeoutError("the answer timed out") from error
    except ValueError as error:
        raise Unusable("the vendor sent what is no JSON") from error
    if not ended:
        raise Unfinished("the answer broke off")
