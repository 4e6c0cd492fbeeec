"""Whole calls with Deepgram's Flux, which rules the turns itself and lets the model begin before they are over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bench.caller import Caller
from tests.doubles.cloud import Cloud
from tests.e2e.conftest import AUDIO, dialling, end_reason
from tests.e2e.test_spoken_transfer import STATE, hears
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

EAGER_S, END_S = 0.3, 1.2
"""Silence after which Flux guesses, and after which it is sure: longer than our own detectors take."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(data_dir: Path) -> AsyncIterator[Cloud]:
    async with Cloud(cache_dir=data_dir / "cache") as cloud:
        cloud.ears.eager_s, cloud.ears.end_s = EAGER_S, END_S
        yield cloud


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(cloud: Cloud, data_dir: Path) -> AsyncIterator[Server]:
    settings = cloud.settings | {"DEEPGRAM_MODEL": "flux", "VENDOR_REST_S": "60"}
    server = Server(data_dir, settings, database="flux.db")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture(loop_scope="module")
async def caller(cloud: Cloud, served: Server) -> AsyncIterator[Caller]:
    """Somebody who has been greeted."""
    cloud.behave()
    async with dialling() as dial:
        caller = await dial(served)
        await hears(caller, "how can i help")
        yield caller


async def test_the_answer_is_ready_when_the_turn_is_over(cloud: Cloud, served: Server, caller: Caller) -> None:
    asked = len(cloud.head.requests)
    await caller.say(AUDIO / "payee.wav")
    await hears(caller, "i can tell you your balance")
    assert len(cloud.head.requests) == asked + 1
    await caller.hang_up()
    await end_reason(served, caller)
    [(total, endpointing, llm)] = served.rows(
        "SELECT total_ms, endpointing_ms, llm_ms FROM answers WHERE NOT greeting AND call_id = ?", caller.session_id
    )
    assert total >= END_S * 1000 - 200, "the turn was ended by our own detectors"
    used = served.rows("SELECT model FROM call_usage WHERE kind = 'stt' AND call_id = ?", caller.session_id)
    assert used == [("flux-general-en+keyterms",)]
    print(total, endpointing, llm)


async def test_a_guess_moves_no_money_and_a_yes_does_once(served: Server, caller: Caller) -> None:
    await caller.say(AUDIO / "send.wav")
    await hears(caller, "shall i go ahead")
    assert served.rows(STATE, caller.session_id) == [("drafted", 50_000, None)]
    await caller.say(AUDIO / "yes.wav")
    await hears(caller, "new balance")
    assert [row[:2] for row in served.rows(STATE, caller.session_id)] == [("posted", 50_000)]
    await caller.hang_up()
    await end_reason(served, caller)
    tools = served.rows("SELECT name FROM call_events WHERE kind = 'tool' AND call_id = ?", caller.session_id)
    assert tools == [("send_money",)]


async def test_what_was_said_is_answered_though_flux_fell_silent(cloud: Cloud, served: Server, caller: Caller) -> None:
    speech = caller.begin(AUDIO / "balance.wav")
    await speech.began
    await asyncio.sleep(0.6)
    cloud.ears.cut()
    await speech.done
    await hears(caller, "ten thousand")
    await caller.say(AUDIO / "transactions.wav")  # our own detectors have this turn from the beginning
    await hears(caller, "transaction")
    await caller.hang_up()
    await end_reason(served, caller)
    took = served.rows("SELECT name FROM call_events WHERE kind = 'vendor' AND call_id = ?", caller.session_id)
    assert took
