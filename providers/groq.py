"""Groq: open language models, answered fast, through an interface like OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from providers.base import Brief, Kind, Prices, Readiness, Tariff
from providers.chat_completions import (
    ANSWER_TOKENS,
    TEMPERATURE,
    THOUGHT_TOKENS,
    ChatCompletions,
    address,
    ask_for_models,
    key_of,
    load,
    readiness,
)

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_URL = "https://api.groq.com/openai/v1"


def _tokens(input_: str, output: str, cached: str | None = None) -> Prices:
    read = None if cached is None else Decimal(cached)
    return Prices(llm_input_mtok=Decimal(input_), llm_cached_mtok=read, llm_output_mtok=Decimal(output))


PRICES = Tariff(
    {
        "openai/gpt-oss-120b": _tokens("0.15", "0.60", cached="0.075"),
        "openai/gpt-oss-20b": _tokens("0.075", "0.30", cached="0.0375"),
        "llama-3.3-70b-versatile": _tokens("0.59", "0.79"),
        "llama-3.1-8b-instant": _tokens("0.05", "0.08"),
        "qwen/qwen3-32b": _tokens("0.29", "0.59"),
    },
    source="https://groq.com/pricing",
    as_of=date(2026, 6, 4),
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("GROQ_API_KEY", settings.groq_api_key, settings.groq_model)


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief."""
    service = _service()
    return service(
        api_key=key_of(settings.groq_api_key),
        base_url=_base_url(settings),
        settings=service.Settings(
            model=settings.groq_model,
            system_instruction=brief.instructions,
            temperature=TEMPERATURE,
            **_manner(settings.groq_model),
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK."""
    await load(_service)


async def check(settings: Settings) -> None:
    """Ask which models there are."""
    await ask_for_models(base_url=_base_url(settings), api_key=key_of(settings.groq_api_key))


def _base_url(settings: Settings) -> str:
    return address(settings.groq_base_url, _URL)


def _manner(model: str) -> dict[str, Any]:
    """How little each family can be told to think; the others do not know the word."""
    if model.startswith("openai/gpt-oss"):
        return {"reasoning_effort": "low", "max_completion_tokens": ANSWER_TOKENS + THOUGHT_TOKENS}
    if model.startswith("qwen/"):
        return {"reasoning_effort": "none", "max_completion_tokens": ANSWER_TOKENS}
    return {"max_completion_tokens": ANSWER_TOKENS}


@cache
def _service() -> Any:
    from pipecat.services.groq.llm import GroqLLMService

    class Groq(ChatCompletions, GroqLLMService):
        """pipecat's service, mended."""

    return Groq
