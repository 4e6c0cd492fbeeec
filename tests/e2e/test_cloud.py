"""Whole calls over the wires of Deepgram, Anthropic and Cartesia, and what a caller hears when one of them fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from agent import selftest
from bench.caller import Caller
from bench.process import free_port
from core.settings import Settings
from pipelines.catalog import load
from providers.base import Brief
from tests.doubles.cloud import KEYS, Cloud
from tests.doubles.hearing import says
from tests.doubles.openai_audio import OpenAIAudio
from tests.doubles.script import Script
from tests.e2e.conftest import AUDIO, Dial, dialling, end_reason, until
from tests.e2e.test_call import greeted
from tests.servers import Server

REACTION_S = 4.0
"""A caller hears an answer, or what bridges the wait for it, within so long; checked loosely, machines may be busy."""

FAULTS = {
    "401": Script(status=401),
    "402": Script(status=402),
    "429": Script(status=429, retry_after_s=30),
    "500": Script(status=500),
    "529": Script(status=529),
    "cut": Script(cut_after=1),
    "stall": Script(stall_after=1),
    "deaf": Script(stall_after=0),
    "garbage": Script(garbage=True),
    "wrong": Script(wrong=True),
    "late": Script(first_byte_s=6.0),
    "drip": Script(pace_s=3.0),
}


def heard(caller: Caller) -> str:
    return " | ".join(line.text.lower() for line in caller.transcript if line.who == "bot")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(data_dir: Path) -> AsyncIterator[Cloud]:
    async with Cloud(cache_dir=data_dir / "cache") as cloud:
        yield cloud


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(cloud: Cloud, data_dir: Path) -> AsyncIterator[Server]:
    server = Server(data_dir, cloud.settings | {"VENDOR_REST_S": "0.1", "LOG_LEVEL": "TRACE"}, database="cloud.db")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture(loop_scope="module")
async def dial() -> AsyncIterator[Dial]:
    """Callers, on the loop of the vendors."""
    async with dialling() as dial:
        yield dial


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def trusted(server: Server) -> None:
    """Wait until every vendor is trusted again."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def vendors() -> dict[str, str]:
            return (await http.get(f"{server.url}/health")).json()["vendors"]

        async with asyncio.timeout(30):
            while set((await vendors()).values()) != {"ok"}:
                await asyncio.sleep(0.1)


async def test_with_three_keys_the_three_vendors_serve_and_are_on_record(
    cloud: Cloud, served: Server, dial: Dial
) -> None:
    cloud.behave()
    for line in ("deepgram: DEEPGRAM_API_KEY is set", "anthropic: ANTHROPIC_API_KEY", "cartesia: CARTESIA_API_KEY"):
        assert line in served.log
    caller = await dial(served)
    await greeted(caller)
    await caller.say(AUDIO / "balance.wav")
    await until(lambda: "ten thousand" in heard(caller), timeout_s=20)
    await caller.message("bot-stopped-speaking", timeout_s=20)
    await caller.hang_up()
    assert await end_reason(served, caller) == "hung_up"
    used = served.rows("SELECT kind, provider, model FROM call_usage WHERE call_id = ?", caller.session_id)
    assert sorted(used) == [
        ("llm", "anthropic", "claude-haiku-5-5"),
        ("stt", "deepgram", "nova-3+keyterms"),
        ("tts", "cartesia", "sonic-3.6"),
    ]
    [cost] = served.rows("SELECT sum(cost_micros) FROM call_usage WHERE call_id = ?", caller.session_id)
    assert cost[0] > 0
    assert not served.rows("SELECT 1 FROM call_events WHERE kind = 'vendor' AND call_id = ?", caller.session_id)


async def test_the_self_test_has_every_vendor_do_its_work(cloud: Cloud) -> None:
    cloud.behave()
    settings = Settings(_env_file=None, **{name.lower(): value for name, value in cloud.settings.items()})  # pyright: ignore[reportCallIssue, reportArgumentType]
    bank = load("banking")
    brief = Brief("banking", bank.instructions, bank.phrases)
    steps = await selftest.loop(settings, brief)
    assert [(step.kind, step.provider, step.ok) for step in steps] == [
        ("tts", "cartesia", True),
        ("stt", "deepgram", True),
        ("llm", "anthropic", True),
    ], steps


# One of each kind of fault; `python -m bench failover` has them all, many times over.
CASES = {"stt": "401 deaf cut wrong", "llm": "529 stall garbage wrong", "tts": "429 cut stall wrong"}
PAIRS = [(kind, fault) for kind, faults in CASES.items() for fault in faults.split()]


@pytest.mark.parametrize(("kind", "fault"), PAIRS)
async def test_a_vendor_that_fails_is_replaced_within_the_turn(
    cloud: Cloud, served: Server, dial: Dial, kind: str, fault: str
) -> None:
    await trusted(served)
    cloud.behave(**{kind: FAULTS[fault]})
    try:
        caller = await dial(served)
        await greeted(caller)
        speech = await caller.say(AUDIO / "balance.wav")
        assert speech.done
        said_at = time.monotonic()
        reacted_s = await caller.hears(timeout_s=12, since_s=said_at + 0.2) - said_at
        await until(lambda: "ten thousand" in heard(caller), timeout_s=20)
        await caller.message("bot-stopped-speaking", timeout_s=20)
        await caller.hang_up()
        await end_reason(served, caller)
    finally:
        cloud.behave()
    print(f"{kind} {fault}: {reacted_s:.2f} s")
    assert reacted_s < 2 * REACTION_S
    tools = served.rows("SELECT name FROM call_events WHERE kind = 'tool' AND call_id = ?", caller.session_id)
    assert tools == [("get_balance",)]


async def test_two_recognisers_in_a_row_that_hear_nothing_leave_no_silence(
    cloud: Cloud, data_dir: Path, dial: Dial
) -> None:
    async with OpenAIAudio(says("")) as whisper:
        both = {"STT_PROVIDER": "fallback:deepgram,openai", "LLM_PROVIDER": "anthropic", "OPENAI_API_KEY": "sk-test"}
        server = Server(data_dir, cloud.settings | both | {"OPENAI_BASE_URL": whisper.url}, database="deaf.db")
        await asyncio.to_thread(server.start)
        try:
            cloud.behave(stt=FAULTS["deaf"])
            whisper.scripts.always = FAULTS["deaf"]
            caller = await dial(server)
            await greeted(caller)
            speech = await caller.say(AUDIO / "balance.wav")
            silent_at = speech.last_voiced_s
            reacted_s = await caller.hears(timeout_s=12, since_s=silent_at) - silent_at
            await until(lambda: "ten thousand" in heard(caller), timeout_s=20)
            answered_s = time.monotonic() - silent_at
            await caller.message("bot-stopped-speaking", timeout_s=20)
            await caller.hang_up()
            await end_reason(server, caller)
        finally:
            cloud.behave()
            await asyncio.to_thread(server.stop)
        print(f"both deaf: {reacted_s:.2f} s, the answer {answered_s:.2f} s")
        assert reacted_s < 2.5
        assert heard(caller).count("one moment") == 1
        assert len(whisper.requests) == 1
        told = server.rows("SELECT name FROM call_events WHERE kind = 'vendor' AND call_id = ?", caller.session_id)
        assert told[:2] == [("stt: deepgram → openai: connectivity",), ("stt: openai → offline: connectivity",)]
        used = server.rows("SELECT provider, audio_ms > 2000 FROM call_usage WHERE kind = 'stt' ORDER BY provider")
        assert used == [("deepgram", 1), ("offline", 1), ("openai", 1)]
        [answer] = server.rows("SELECT total_ms FROM answers WHERE NOT greeting AND call_id = ?", caller.session_id)
        assert answer[0] < 2_500, "it begins with the words that bridge the wait"
        said = server.rows("SELECT text FROM turns WHERE role = 'assistant' AND call_id = ?", caller.session_id)
        assert not any("moment" in text.lower() for (text,) in said), "they are no part of the conversation"


async def test_a_vendor_that_is_down_from_the_start_is_on_record(cloud: Cloud, data_dir: Path, dial: Dial) -> None:
    """One key is wrong, which the check at the start has found; nobody is where another vendor should be."""
    faulty = {"ANTHROPIC_API_KEY": "sk-ant-wrong", "CARTESIA_BASE_URL": f"http://127.0.0.1:{free_port()}"}
    token = "t" * 16
    server = Server(data_dir, cloud.settings | faulty | {"METRICS_TOKEN": token}, database="down.db")
    await asyncio.to_thread(server.start)
    try:
        cloud.behave()
        async with httpx.AsyncClient(trust_env=False, base_url=server.url) as http:
            async with asyncio.timeout(20):
                while (await http.get("/health")).json()["status"] != "degraded":
                    await asyncio.sleep(0.1)
            caller = await dial(server)
            await greeted(caller)
            await caller.say(AUDIO / "balance.wav")
            await until(lambda: "ten thousand" in heard(caller), timeout_s=20)
            await caller.hang_up()
            await end_reason(server, caller)
            figures = (await http.get("/metrics", headers={"Authorization": f"Bearer {token}"})).text
    finally:
        await asyncio.to_thread(server.stop)
    told = server.rows("SELECT name, outcome FROM call_events WHERE kind = 'vendor' ORDER BY name")
    assert told == [
        ("llm: anthropic → offline: authentication", "failed"),
        ("tts: cartesia → offline: connectivity", "failed"),
    ]
    used = server.rows("SELECT kind, provider FROM call_usage ORDER BY kind")
    assert used == [("llm", "offline"), ("stt", "deepgram"), ("tts", "offline")]
    assert 'parley_vendor_takeovers_total{kind="llm",vendor="offline"} 1.0' in figures
    assert 'parley_vendor_at_rest{kind="llm",vendor="anthropic"} 1.0' in figures
    assert 'parley_vendor_failures_total{kind="llm"' not in figures, "nobody has asked it in a call"


async def test_no_key_is_told_anywhere(served: Server) -> None:
    for key in KEYS.values():
        assert key not in served.log
        assert key[-8:] not in served.log
