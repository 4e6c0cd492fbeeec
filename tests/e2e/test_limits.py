"""Seats, patience and the ways a call ends by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bench.caller import Refused
from bench.sound import RATE
from tests.e2e.conftest import Dial, end_reason, until
from tests.servers import Server


async def test_a_full_house_says_when_to_try_again(hasty: Server, dial: Dial) -> None:
    first = await dial(hasty)
    second = await dial(hasty, connect=False)
    with pytest.raises(Refused) as refused:
        await second.connect()
    assert refused.value.status == 503
    assert refused.value.body["error_code"] == "server_busy"
    await first.hang_up()
    await end_reason(hasty, first)
    again = await dial(hasty, token=second.token)
    await again.hears(15)


async def test_silence_is_asked_about_and_then_ended(hasty: Server, dial: Dial) -> None:
    caller = await dial(hasty)
    assert await end_reason(hasty, caller, timeout_s=25) == "silence"
    spoken = [line.text for line in caller.transcript if line.who == "bot"]
    assert any("still there" in text for text in spoken)
    assert "Goodbye" in spoken[-1]


async def test_who_types_during_the_farewell_is_answered(hasty: Server, dial: Dial) -> None:
    caller = await dial(hasty)
    await caller.message("bot-output", 20, where=saying("hang up"))
    caller.type("what is my balance")
    await caller.message("bot-output", 10, where=saying("ten thousand"))
    assert hasty.rows("SELECT state FROM calls WHERE id = ?", caller.session_id) == [("open",)]


async def test_who_is_seen_at_the_page_during_the_farewell_is_kept(hasty: Server, dial: Dial) -> None:
    caller = await dial(hasty)
    await caller.message("bot-output", 20, where=saying("hang up"))
    caller.send("client-message", {"t": "present"})
    await caller.message("bot-output", 10, where=saying("still here"))
    await caller.message("bot-output", 10, where=saying("still there"))  # and only then it is asked again
    assert hasty.rows("SELECT state FROM calls WHERE id = ?", caller.session_id) == [("open",)]


async def test_who_reads_on_the_page_is_not_asked(hasty: Server, dial: Dial) -> None:
    caller = await dial(hasty)
    await caller.hears(15)
    for _ in range(8):  # four times as long as a silence is borne
        caller.send("client-message", {"t": "present"})
        await asyncio.sleep(1)
    assert not any(line.who == "bot" and "still there" in line.text for line in caller.transcript)
    await caller.message("bot-output", 10, where=saying("still there"))


async def test_audio_without_end_is_ended_politely(hasty: Server, dial: Dial) -> None:
    """Music all the time: the agent may not understand, but the call has its maximum length."""
    caller = await dial(hasty)
    seconds = np.arange(RATE * 40) / RATE
    tones = np.array([[220.0], [277.0], [330.0]])
    chord = (np.sin(2 * np.pi * tones * seconds) * (1 + np.sin(2 * np.pi * 3 * seconds))).sum(axis=0)
    music = asyncio.ensure_future(caller.say_pcm((chord * 2500).astype(np.int16), RATE))
    try:
        assert await end_reason(hasty, caller, timeout_s=45) in ("too_long", "silence")
    finally:
        music.cancel()
        await asyncio.gather(music, return_exceptions=True)
    assert "Goodbye" in [line.text for line in caller.transcript if line.who == "bot"][-1]
    await until(lambda: hasty.health()["calls"] == 0, timeout_s=5)


async def test_an_offer_that_never_connects_frees_its_seat_and_its_use(hasty: Server, dial: Dial) -> None:
    caller = await dial(hasty, connect=False)
    with pytest.raises(TimeoutError):
        await caller.connect(timeout_s=0.05)
    await caller.vanish()
    # Twenty seconds to connect, then the row is closed.
    query = "SELECT end_reason FROM calls WHERE otp_id = (SELECT otp_id FROM accesses ORDER BY at DESC LIMIT 1)"
    await until(lambda: hasty.rows(query) in ([("never_connected",)], [("vanished",)], []), timeout_s=40)
    await until(lambda: hasty.health()["calls"] == 0, timeout_s=30)


async def test_a_drain_refuses_new_calls_and_ends_running_ones_with_a_sentence(data_dir: Path, dial: Dial) -> None:
    server = Server(data_dir, {"DRAIN_S": "1"}, database="drain.db")
    server.start()
    try:
        caller = await dial(server)
        await caller.hears(15)
        late = await dial(server, connect=False)
        server.terminate()
        await until(lambda: readiness(server) == 503, timeout_s=3)
        with pytest.raises(Refused) as refused:
            await late.connect()
        assert refused.value.status == 503
        assert server.process is not None
        await asyncio.wait_for(caller.ended.wait(), 20)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        spoken = [line.text for line in caller.transcript if line.who == "bot"]
        assert "restarted" in spoken[-1]
        assert server.rows("SELECT state, end_reason FROM calls") == [("closed", "drained")]
    finally:
        server.kill()


async def test_a_crash_leaves_no_call_open(data_dir: Path, dial: Dial) -> None:
    server = Server(data_dir, database="crash.db")
    server.start()
    try:
        caller = await dial(server)
        await caller.hears(15)
        server.kill()
        assert server.rows("SELECT state FROM calls") == [("open",)]
        server.start()
        assert server.rows("SELECT state, end_reason FROM calls") == [("closed", "server_lost")]
    finally:
        server.kill()


def saying(words: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: words in message["data"]["text"]


def readiness(server: Server) -> int:
    return httpx.get(f"{server.url}/readiness", trust_env=False, timeout=5).status_code
