"""Who may read the figures, and what keeps them few."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from calls.answers import STAGES
from core import metrics
from core.settings import Settings

TOKEN = "0123456789abcdef"


@asynccontextmanager
async def asking(folder: Path, token: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(_env_file=None, data_dir=folder, metrics_token=token, media_workers=0)  # pyright: ignore[reportCallIssue, reportArgumentType]
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        yield http
    await app.state.shared.db.close()


async def test_without_a_token_set_there_is_no_such_page(tmp_path: Path) -> None:
    async with asking(tmp_path, "") as http:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
            assert (await http.get("/metrics", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN]
)
async def test_without_the_token_nothing_is_shown_not_even_on_this_machine(tmp_path: Path, shown: str) -> None:
    async with asking(tmp_path, TOKEN) as http:
        answer = await http.get("/metrics", headers={"Authorization": shown})
        assert answer.status_code == 401
        assert "parley_" not in answer.text


async def test_with_the_token_everything_is_shown_and_described(tmp_path: Path) -> None:
    async with asking(tmp_path, TOKEN) as http:
        answer = await http.get("/metrics", headers={"Authorization": f"bearer {TOKEN}"})
        assert answer.status_code == 200
        assert "parley_seats 8.0" in answer.text
        assert 'parley_calls_open{agent_type="banking"} 0.0' in answer.text
        assert "# TYPE parley_client_messages_refused_total counter" in answer.text
        assert "/metrics" not in (await http.get("/openapi.json")).json()["paths"]


def test_a_greeting_is_no_answer_and_what_took_no_time_is_no_stage() -> None:
    def seen(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0.0

    metrics.answered("test", dict.fromkeys(STAGES, 0) | {"llm": 700, "tts": 50}, greeting=False)
    metrics.answered("test", {"tts": 90}, greeting=True)
    assert seen("parley_answer_seconds_sum", agent_type="test") == 0.75
    assert seen("parley_answer_seconds_bucket", agent_type="test", le="0.8") == 1
    assert seen("parley_answer_seconds_bucket", agent_type="test", le="0.6") == 0
    assert seen("parley_greeting_seconds_sum", agent_type="test") == 0.09
    assert seen("parley_answer_stage_seconds_count", agent_type="test", stage="llm") == 1
    assert (
        metrics.registry.get_sample_value("parley_answer_stage_seconds_count", {"agent_type": "test", "stage": "tool"})
        is None
    )


async def test_a_tally_that_grows_while_it_is_read_is_shown() -> None:
    tally: Counter[str] = Counter({str(n): n for n in range(2_000)})
    metrics.show("test_tally", "Of a test", "which", tally)

    async def grow() -> None:
        for n in range(2_000, 200_000):
            tally[str(n % 50_000)] += 1
            if n % 500 == 0:
                await asyncio.sleep(0)

    growing = asyncio.create_task(grow())
    while not growing.done():
        await asyncio.to_thread(metrics.text)
    assert metrics.registry.get_sample_value("parley_test_tally_total", {"which": "7"}) == tally["7"]
