"""The record of calls: rows, transcript, and the uses calls take."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from calls import log, transcript, usage
from calls.log import CallState, Outcome, Wanted
from calls.transcript import Turn
from calls.usage import AccessRequired
from core.db import Database
from core.errors import NotFound
from identity import otp, users
from identity.actor import SYSTEM
from identity.otp import CodeUsedUp
from identity.users import UserRole

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def open_call(database: Database, call_id: str, **values: object) -> None:
    defaults = {"agent_type": "banking", "subject": "otp_1", "role": "otp", "channel": "webrtc", "at": NOW}
    async with database.transaction() as db:
        await log.open_call(db, call_id=call_id, **(defaults | values))  # type: ignore[arg-type]


async def issue(database: Database, max_uses: int) -> otp.IssuedCode:
    async with database.transaction() as db:
        (code,) = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6", max_uses=max_uses, now=NOW)
    return code


async def grant(database: Database, otp_id: str, *, agent_type: str = "banking", at: datetime = NOW) -> usage.Access:
    async with database.transaction() as db:
        return await usage.grant_access(db, otp_id=otp_id, agent_type=agent_type, now=at)


async def claim(database: Database, otp_id: str, call_id: str, *, agent_type: str = "banking") -> None:
    async with database.transaction() as db:
        await usage.claim_access(db, otp_id=otp_id, agent_type=agent_type, call_id=call_id, now=NOW)


# --- The log ----------------------------------------------------------------------------------------------------------


async def test_a_call_is_opened_connected_and_closed(database: Database) -> None:
    await open_call(database, "call_1", stt="offline", llm="offline", tts="offline", customer_id="cus_1")
    async with database.transaction() as db:
        await log.connected(db, call_id="call_1", at=NOW + timedelta(seconds=1))
        await log.connected(db, call_id="call_1", at=NOW + timedelta(seconds=9))
        assert await log.close_call(db, call_id="call_1", reason="caller_left", at=NOW + timedelta(seconds=30))
    async with database.reading() as db:
        call = await log.get(db, "call_1")
    assert call.state is CallState.CLOSED
    assert call.connected_at == NOW + timedelta(seconds=1)
    assert (call.end_reason, call.ended_at) == ("caller_left", NOW + timedelta(seconds=30))
    assert (call.stt, call.customer_id) == ("offline", "cus_1")


async def test_the_first_reason_stays(database: Database) -> None:
    await open_call(database, "call_1")
    reasons = [f"reason_{n}" for n in range(20)]

    async def close(reason: str) -> bool:
        async with database.transaction() as db:
            return await log.close_call(db, call_id="call_1", reason=reason, at=NOW)

    closed = await asyncio.gather(*map(close, reasons))
    assert closed.count(True) == 1
    async with database.reading() as db:
        assert (await log.get(db, "call_1")).end_reason == reasons[closed.index(True)]


async def test_a_call_that_never_was_cannot_be_closed(database: Database) -> None:
    async with database.transaction() as db:
        assert not await log.close_call(db, call_id="call_none", reason="x", at=NOW)
    async with database.reading() as db:
        with pytest.raises(NotFound):
            await log.get(db, "call_none")


async def test_a_restart_closes_what_its_process_left_open_and_nothing_else(database: Database) -> None:
    await open_call(database, "mine_1", node="a")
    await open_call(database, "mine_2", node="a")
    await open_call(database, "closed", node="a")
    await open_call(database, "others", node="b")
    async with database.transaction() as db:
        await log.close_call(db, call_id="closed", reason="caller_left", at=NOW)
        assert sorted(await log.sweep_orphans(db, node="a")) == ["mine_1", "mine_2"]
        assert await log.sweep_orphans(db, node="a") == []
    async with database.reading() as db:
        found = {id_: (await log.get(db, id_)).end_reason for id_ in ("mine_1", "mine_2", "closed", "others")}
    assert found == {"mine_1": "server_lost", "mine_2": "server_lost", "closed": "caller_left", "others": None}


async def test_calls_come_newest_first_page_by_page_and_as_wanted(database: Database) -> None:
    for n in range(5):
        await open_call(database, f"call_{n}", at=NOW + timedelta(minutes=n), subject=f"otp_{n % 2}")
    async with database.transaction() as db:
        await log.connected(db, call_id="call_0", at=NOW)
        for call_id, reason in (("call_0", "hung_up"), ("call_1", "stuck"), ("call_2", "never_connected")):
            await log.close_call(db, call_id=call_id, reason=reason, at=NOW + timedelta(minutes=9))
        turn = Turn(role="user", text="100% of it, please", started_at=NOW)
        await transcript.append(db, call_id="call_3", turns=[turn])

    async def ids(wanted: Wanted, **paging: int) -> tuple[list[str], int]:
        async with database.reading() as db:
            rows, total = await log.page(db, wanted, **paging)
        return [row.id.removeprefix("call_") for row in rows], total

    assert await ids(Wanted(), per_page=2) == (["4", "3"], 5)
    assert await ids(Wanted(), per_page=2, page=3) == (["0"], 5)
    assert await ids(Wanted(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=3))) == (["2", "1"], 2)
    assert await ids(Wanted(outcome=Outcome.LIVE)) == (["4", "3"], 2)
    assert await ids(Wanted(outcome=Outcome.COMPLETED)) == (["0"], 1)
    assert await ids(Wanted(outcome=Outcome.FAILED)) == (["1"], 1)
    assert await ids(Wanted(outcome=Outcome.NOT_CONNECTED)) == (["2"], 1)
    assert await ids(Wanted(search="0% OF")) == (["3"], 1)
    assert await ids(Wanted(search="0%%")) == ([], 0)
    assert await ids(Wanted(search="call_2")) == (["2"], 1)
    assert await ids(Wanted(agent_type="nobody")) == ([], 0)


async def test_a_call_is_rated_by_its_caller(database: Database) -> None:
    await open_call(database, "call_1", at=NOW, subject="otp_1")
    async with database.transaction() as db:
        await log.rate(db, call_id="call_1", subject="otp_1", rating=2, comment="Too slow")
        await log.rate(db, call_id="call_1", subject="otp_1", rating=5, comment=None)
        for call_id, subject in (("call_1", "otp_2"), ("call_2", "otp_1")):
            with pytest.raises(NotFound):
                await log.rate(db, call_id=call_id, subject=subject, rating=1, comment=None)
    async with database.reading() as db:
        row = await log.get(db, "call_1")
        assert (row.rating, row.rating_comment) == (5, None)
        assert list((await log.ratings(db, since=NOW, until=NOW + timedelta(hours=1))).values()) == [(1, 5)]
        assert await log.ratings(db, since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=2)) == {}


async def test_a_call_nobody_will_close_is_closed_when_it_is_older_than_any_call_may_be(database: Database) -> None:
    await open_call(database, "call_old", node="a server that is no more")
    await open_call(database, "call_new", at=NOW + timedelta(hours=1))
    async with database.transaction() as db:
        swept = await log.sweep_forgotten(db, at=NOW + timedelta(hours=1, minutes=31), longest=timedelta(minutes=90))
    assert swept == ["call_old"]
    async with database.reading() as db:
        assert [row.id for row in await log.open_calls(db, limit=10)] == ["call_new"]
        assert (await log.get(db, "call_old")).end_reason == "server_lost"


# --- The transcript ---------------------------------------------------------------------------------------------------


async def test_turns_come_back_in_the_order_they_were_added(database: Database) -> None:
    await open_call(database, "call_1")
    await open_call(database, "call_2")
    greeting = Turn("assistant", "Hello, how can I help?", NOW, NOW + timedelta(seconds=2), interrupted=True)
    question = Turn("user", "What is my balance?", NOW + timedelta(seconds=1))
    answer = Turn("tool", "₹10,000.00", NOW + timedelta(seconds=3))
    async with database.transaction() as db:
        await transcript.append(db, call_id="call_1", turns=[greeting, question])
        await transcript.append(db, call_id="call_2", turns=[greeting])
        await transcript.append(db, call_id="call_1", turns=[])
    async with database.transaction() as db:
        await transcript.append(db, call_id="call_1", turns=[answer])
    async with database.reading() as db:
        assert await transcript.of_call(db, "call_1") == [greeting, question, answer]
        assert await transcript.of_call(db, "call_2") == [greeting]


async def test_a_transcript_takes_whatever_was_recognised(database: Database) -> None:
    await open_call(database, "call_1")
    async with database.transaction() as db:
        strange = ["nul \x00 inside", "half \ud800 a character", "x" * 100_000, "Zoe\u0301"]
        await transcript.append(db, call_id="call_1", turns=[Turn("user", text, NOW) for text in strange])
    async with database.reading() as db:
        kept = [turn.text for turn in await transcript.of_call(db, "call_1")]
    assert kept == ["nul  inside", "half ? a character", "x" * transcript.MAX_CHARS, "Zoé"]


# --- Accesses ---------------------------------------------------------------------------------------------------------


async def test_one_counted_use_starts_one_call(database: Database) -> None:
    code = await issue(database, max_uses=2)
    assert (await grant(database, code.id)).remaining_uses == 1
    await claim(database, code.id, "call_1")
    with pytest.raises(AccessRequired) as caught:
        await claim(database, code.id, "call_2")
    assert (caught.value.status, caught.value.code) == (403, "access_required")
    assert (await grant(database, code.id)).remaining_uses == 0
    await claim(database, code.id, "call_2")
    with pytest.raises(CodeUsedUp):
        await grant(database, code.id)


async def test_an_access_is_for_its_code_and_its_agent_type(database: Database) -> None:
    code, other = await issue(database, max_uses=1), await issue(database, max_uses=1)
    await grant(database, code.id, agent_type="banking")
    with pytest.raises(AccessRequired):
        await claim(database, code.id, "call_1", agent_type="hospital")
    with pytest.raises(AccessRequired):
        await claim(database, other.id, "call_1")
    await claim(database, code.id, "call_1")


async def test_the_oldest_access_is_taken_first(database: Database) -> None:
    code = await issue(database, max_uses=2)
    newer = await grant(database, code.id, at=NOW + timedelta(minutes=1))
    older = await grant(database, code.id, at=NOW)
    await claim(database, code.id, "call_1")
    async with database.reading() as db:
        assert (await db.get_one(usage.AccessRecord, older.id)).call_id == "call_1"
        assert (await db.get_one(usage.AccessRecord, newer.id)).call_id is None


async def test_a_refused_code_leaves_no_access_behind(database: Database) -> None:
    code = await issue(database, max_uses=1)
    await grant(database, code.id)
    with pytest.raises(CodeUsedUp):
        await grant(database, code.id)
    await claim(database, code.id, "call_1")
    with pytest.raises(AccessRequired):
        await claim(database, code.id, "call_2")


async def test_twenty_at_once_are_granted_and_start_no_more_calls_than_there_are_uses(database: Database) -> None:
    code = await issue(database, max_uses=3)

    async def start(n: int) -> bool:
        try:
            await grant(database, code.id)
        except CodeUsedUp:
            return False
        await claim(database, code.id, f"call_{n}")
        return True

    async def start_without_access(n: int) -> bool:
        try:
            await claim(database, code.id, f"thief_{n}")
        except AccessRequired:
            return False
        return True

    assert sum(await asyncio.gather(*(start(n) for n in range(20)))) == 3
    assert sum(await asyncio.gather(*(start_without_access(n) for n in range(20)))) == 0


async def test_racing_claims_never_share_an_access(database: Database) -> None:
    code = await issue(database, max_uses=5)
    for n in range(5):
        await grant(database, code.id, at=NOW + timedelta(seconds=n))

    async def start(n: int) -> bool:
        try:
            await claim(database, code.id, f"call_{n}")
        except AccessRequired:
            return False
        return True

    assert sum(await asyncio.gather(*(start(n) for n in range(20)))) == 5


async def test_a_use_is_given_back_once_for_a_call_that_failed_through_our_fault(database: Database) -> None:
    code = await issue(database, max_uses=1)
    await grant(database, code.id)
    await claim(database, code.id, "call_1")

    async def give_back() -> bool:
        async with database.transaction() as db:
            return await usage.return_access(db, call_id="call_1", now=NOW)

    assert sorted(await asyncio.gather(*(give_back() for _ in range(10)))) == [False] * 9 + [True]
    async with database.reading() as db:
        assert await otp.remaining(db, code.id) == 1
        assert (await otp.verify(db, secret=SECRET, code=code.code, now=NOW)).id == code.id
    with pytest.raises(AccessRequired):
        await claim(database, code.id, "call_2")
    await grant(database, code.id)
    await claim(database, code.id, "call_2")


async def test_a_registered_users_access_is_recorded_and_costs_no_use(database: Database) -> None:
    async with database.transaction() as db:
        ada = await users.create(db, username="ada", password="lovelace1815", name="Ada", role=UserRole.USER, now=NOW)
        access = await usage.grant_access(db, user_id=ada.id, agent_type="banking", now=NOW)
    assert access.remaining_uses is None
