"""OpenAI: language models, and Whisper, which hears; one module a kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from core.settings import Settings
from providers.base import Kind, Prices, Readiness, Tariff
from providers.chat_completions import address, ask_for_models, key_of, readiness

_URL = "https://api.openai.com/v1"


def _tokens(input_: str, cached: str, output: str) -> Prices:
    return Prices(llm_input_mtok=Decimal(input_), llm_cached_mtok=Decimal(cached), llm_output_mtok=Decimal(output))


PRICES = Tariff(
    {
        "gpt-4.1": _tokens("2", "0.50", "8"),
        "gpt-4.1-mini": _tokens("0.40", "0.10", "1.60"),
        "gpt-4.1-nano": _tokens("0.10", "0.025", "0.40"),
        "gpt-4o": _tokens("2.50", "1.25", "10"),
        "gpt-4o-mini": _tokens("0.15", "0.075", "0.60"),
        "gpt-5-mini": _tokens("0.25", "0.025", "2"),
        "gpt-5-nano": _tokens("0.05", "0.005", "0.40"),
        "gpt-5.4-mini": _tokens("0.75", "0.075", "4.50"),
        "gpt-5.6-luna": replace(_tokens("0.20", "0.02", "1.20"), llm_cache_write_mtok=Decimal("0.25")),
        "whisper-1": Prices(stt_minute=Decimal("0.006")),
        "gpt-4o-transcribe": Prices(stt_minute=Decimal("0.006")),
        "gpt-4o-mini-transcribe": Prices(stt_minute=Decimal("0.003")),
        "gpt-transcribe": Prices(stt_minute=Decimal("0.0045")),
    },
    source="https://developers.openai.com/api/docs/pricing",
    as_of=date(2026, 11, 5),
)


def ready(settings: Settings, kind: Kind) -> Readiness:
    """Whether there is a key."""
    model = settings.openai_stt_model if kind == "stt" else settings.openai_model
    return readiness("OPENAI_API_KEY", settings.openai_api_key, model)


async def check(settings: Settings) -> None:
    """Ask which models there are."""
    await ask_for_models(base_url=base_url(settings), api_key=key_of(settings.openai_api_key))


def base_url(settings: Settings) -> str:
    """Where OpenAI's interface is."""
    return address(settings.openai_base_url, _URL)
