"""A whole call with the bank, offline, spoken and heard over WebRTC."""

from __future__ import annotations

import asyncio

from bench.caller import Caller
from tests.e2e.conftest import AUDIO, Dial, end_reason, until
from tests.servers import Server


def said(caller: Caller, who: str) -> str:
    return " | ".join(line.text.lower() for line in caller.transcript if line.who == who)


async def greeted(caller: Caller) -> None:
    await caller.hears(15)
    await caller.message("bot-stopped-speaking", timeout_s=20)


async def test_the_bank_tells_the_balance_and_answers_a_second_question(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    await caller.say(AUDIO / "balance.wav")
    await caller.message("bot-stopped-speaking", timeout_s=30)
    assert "balance" in said(caller, "user")
    assert "ten thousand rupees" in said(caller, "bot")

    await caller.say(AUDIO / "transactions.wav")
    await caller.message("bot-stopped-speaking", timeout_s=60)
    assert "transactions" in said(caller, "user")
    assert "five thousand rupees from salary" in said(caller, "bot")

    await caller.hang_up()
    assert await end_reason(server, caller) == "hung_up"
    kept = server.rows("SELECT role, text FROM turns WHERE call_id = ? ORDER BY seq", caller.session_id)
    assert [role for role, _ in kept] == ["assistant", "user", "assistant", "user", "assistant"]
    assert "ten thousand rupees" in kept[2][1]


async def test_talking_over_the_answer_stops_it(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    await caller.say(AUDIO / "transactions.wav")
    await caller.message("bot-started-speaking", timeout_s=30)
    await caller.hears(5)
    speech = caller.begin(AUDIO / "stop.wav")
    await caller.message("bot-stopped-speaking", timeout_s=10)
    silent_from = await caller.silence(0.3, timeout_s=10)
    assert silent_from - speech.first_voiced_s < 3, "the answer went on over the caller"
    await caller.hang_up()
    await end_reason(server, caller)
    interrupted = server.rows(
        "SELECT text FROM turns WHERE call_id = ? AND role = 'assistant' AND interrupted", caller.session_id
    )
    assert interrupted, "the cut answer is not marked"
    assert "groceries" not in interrupted[0][0], "words are kept that nobody heard"


async def test_who_cannot_speak_types(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    caller.type("What's my balance?")
    await caller.message("bot-started-speaking", timeout_s=20)
    await caller.message("bot-stopped-speaking", timeout_s=30)
    assert "ten thousand rupees" in said(caller, "bot")
    await caller.hang_up()
    await end_reason(server, caller)
    kept = server.rows("SELECT text FROM turns WHERE call_id = ? AND role = 'user'", caller.session_id)
    assert kept == [("What's my balance?",)]


async def test_goodbye_ends_the_call(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    await caller.say(AUDIO / "goodbye.wav")
    assert await end_reason(server, caller, timeout_s=30) == "agent_ended"
    assert "goodbye" in said(caller, "bot")


async def test_two_guests_have_money_of_their_own(server: Server, dial: Dial) -> None:
    first, second = await dial(server), await dial(server)
    await asyncio.gather(first.hang_up(), second.hang_up())
    for caller in (first, second):
        await end_reason(server, caller)
    customers = server.rows(
        "SELECT DISTINCT customer_id FROM calls WHERE id IN (?, ?)", first.session_id, second.session_id
    )
    assert len(customers) == 2


async def test_a_vanished_caller_is_noticed_within_ten_seconds(server: Server, dial: Dial) -> None:
    caller = await dial(server)
    await greeted(caller)
    await caller.vanish()
    assert await end_reason(server, caller, timeout_s=10) == "vanished"
    await until(lambda: server.health()["calls"] == 0, timeout_s=5)
