"""Prices: whole millionths of a dollar, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers import catalog
from providers.base import Prices

CLOUD = Prices(
    stt_minute=Decimal("0.0077"),
    llm_input_mtok=Decimal(3),
    llm_cached_mtok=Decimal("0.30"),
    llm_cache_write_mtok=Decimal("3.75"),
    llm_output_mtok=Decimal(15),
    tts_mchar=Decimal("37.5"),
)


@pytest.mark.parametrize(
    ("used", "micros"),
    [
        ({"audio_ms": 60_000}, 7_700),
        ({"audio_ms": 1}, 0),
        ({"audio_ms": 4}, 1),  # 0.513 of a millionth
        ({"input_tokens": 1_000, "output_tokens": 100}, 4_500),
        ({"input_tokens": 1_000, "cached_tokens": 900, "output_tokens": 100}, 2_070),
        ({"input_tokens": 1_000, "cached_tokens": 600, "cache_write_tokens": 200}, 600 + 180 + 750),
        ({"characters": 414}, 15_525),
        ({"characters": 1}, 38),  # 37.5
        ({}, 0),
    ],
)
def test_what_is_used_is_priced_to_the_millionth(used: dict[str, int], micros: int) -> None:
    assert CLOUD.micros(**used) == micros


def test_cached_tokens_cost_what_others_do_unless_they_have_a_price() -> None:
    plain = Prices(llm_input_mtok=Decimal(3))
    for cached in ({}, {"cached_tokens": 900}, {"cache_write_tokens": 900}):
        assert plain.micros(input_tokens=1_000, **cached) == 3_000


def test_whoever_runs_on_this_machine_costs_nothing() -> None:
    for name in ("offline", "moonshine", "whisper", "kokoro", "piper", "ollama"):
        used = {"audio_ms": 10**9, "input_tokens": 10**9, "output_tokens": 10**9, "characters": 10**9}
        assert catalog.load(name).PRICES.of(None).micros(**used) == 0
