"""DeepSeek: language models through an interface like OpenAI's."""

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
    ChatCompletions,
    address,
    ask_for_models,
    key_of,
    load,
    readiness,
)

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_URL = "https://api.deepseek.com/v1"

_FLASH = Prices(llm_input_mtok=Decimal("0.30"), llm_cached_mtok=Decimal("0.006"), llm_output_mtok=Decimal("1.20"))
_PRO = Prices(llm_input_mtok=Decimal("1.32"), llm_cached_mtok=Decimal("0.044"), llm_output_mtok=Decimal("3.96"))

# What it costs in the peak hours (1-4 and 6-10 UTC on working days); half of that at other times.
PRICES = Tariff(
    {"deepseek-flash": _FLASH, "deepseek-v4-flash": _FLASH, "deepseek-v4-pro": _PRO},
    source="https://api-docs.deepseek.com/quick_start/pricing",
    as_of=date(2026, 11, 15),
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("DEEPSEEK_API_KEY", settings.deepseek_api_key, settings.deepseek_model)


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief; pipecat has it answer without thinking first."""
    service = _service()
    return service(
        api_key=key_of(settings.deepseek_api_key),
        base_url=_base_url(settings),
        settings=service.Settings(
            model=settings.deepseek_model,
            system_instruction=brief.instructions,
            temperature=TEMPERATURE,
            max_tokens=ANSWER_TOKENS,
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK."""
    await load(_service)


async def check(settings: Settings) -> None:
    """Ask which models there are."""
    await ask_for_models(base_url=_base_url(settings), api_key=key_of(settings.deepseek_api_key))


def _base_url(settings: Settings) -> str:
    return address(settings.deepseek_base_url, _URL)


@cache
def _service() -> Any:
    from pipecat.services.deepseek.llm import DeepSeekLLMService

    class DeepSeek(ChatCompletions, DeepSeekLLMService):
        """pipecat's service, mended."""

    return DeepSeek
