"""What a call leaves behind: answers, events and usage as rows, written by its scribe; and uses that come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loguru import logger
from sqlalchemy import delete, func, select

from agent import scribe as scribes
from agent.call import Call, Parts
from agent.scribe import MAX_WAITING, Scribe
from api import traffic
from calls import answers, costs, events, log, transcript, usage
from calls.answers import Answer, CallerSide, Timing, bucket_of
from calls.costs import CallUsage, Cost, Usage
from calls.events import CallEvent, Event
from calls.log import CallRecord
from calls.transcript import Turn, TurnRow
from calls.usage import OUR_FAULT
from core.clock import utc_now
from core.db import LOCK_WAIT_S, Database, migrate
from core.errors import Unauthorized
from core.settings import Settings
from identity import otp, users
from identity.actor import SYSTEM
from identity.users import UserRole
from pipelines.banking import AGENT
from pipelines.base import Means
from pipelines.smart_turn import SmartTurnModel
from tests.integration.operators import ADMIN, client, get
from tests.lines import Pigeon

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GREETING = Timing(NOW, {"tts": 90, "output": 10}, greeting=True)
ANSWER = Timing(NOW + timedelta(seconds=5), {"endpointing": 200, "llm": 310, "tts": 80, "other": 7})
TOOL = Event(NOW + timedelta(seconds=5), "tool", "get_balance", 21, "ok")
STT = Usage("stt", "offline", "sphinx", audio_ms=5_120)
LLM = Usage(
    "llm",
    "dear",
    "big",
    input_tokens=900,
    cached_tokens=300,
    cache_write_tokens=100,
    output_tokens=44,
    estimated_answers=2,
    cost_micros=4_321,
)
TTS = Usage("tts", "offline", None, characters=120)


async def open_call(database: Database, call_id: str = "call_1", *, otp_id: str | None = None) -> None:
    async with database.transaction() as db:
        await log.open_call(
            db, call_id=call_id, agent_type="banking", subject="x", role="otp", channel="webrtc", at=NOW, otp_id=otp_id
        )


# --- Rows -------------------------------------------------------------------------------------------------------------


async def test_answers_come_back_in_order_with_their_stages(database: Database) -> None:
    await open_call(database)
    async with database.transaction() as db:
        await answers.append(db, call_id="call_1", timings=[GREETING])
        await answers.append(db, call_id="call_1", timings=[])
    async with database.transaction() as db:
        await answers.append(db, call_id="call_1", timings=[ANSWER, ANSWER])
    async with database.reading() as db:
        first, second, third = await answers.of_call(db, "call_1")
        assert await answers.of_call(db, "call_2") == []
    assert [row.seq for row in (first, second, third)] == [0, 1, 2]
    assert (first.at, first.greeting, first.total_ms) == (GREETING.at, True, 100)
    assert (second.at, second.greeting, second.total_ms) == (ANSWER.at, False, 597)
    assert second.stages == {stage: ANSWER.stages.get(stage, 0) for stage in answers.STAGES}
    assert second.bucket == bucket_of(597)


async def test_what_the_callers_page_measured_joins_its_answer(database: Database) -> None:
    side = CallerSide(rtt_ms=40, jitter_buffer_ms=55, playout_ms=90)
    moment = NOW + timedelta(microseconds=123_457)
    for call_id in ("call_1", "call_2"):
        await open_call(database, call_id)
        async with database.transaction() as db:
            await answers.append(db, call_id=call_id, timings=[GREETING, replace(ANSWER, at=moment)])
    async with database.transaction() as db:
        await answers.add_caller_side(db, call_id="call_1", sides={moment: side, NOW + timedelta(days=1): side})
        await answers.add_caller_side(db, call_id="call_2", sides={NOW: CallerSide(rtt_ms=7)})
    async with database.reading() as db:
        assert [row.caller_side for row in await answers.of_call(db, "call_1")] == [None, side]
        assert [row.caller_side for row in await answers.of_call(db, "call_2")] == [CallerSide(rtt_ms=7), None]


async def test_events_come_back_in_order(database: Database) -> None:
    await open_call(database)
    refused = replace(TOOL, name="send_money", outcome="refused")
    async with database.transaction() as db:
        await events.append(db, call_id="call_1", events=[TOOL])
        await events.append(db, call_id="call_1", events=[refused])
    async with database.reading() as db:
        rows = await events.of_call(db, "call_1")
    assert [(row.seq, row.at, row.kind, row.name, row.took_ms, row.outcome) for row in rows] == [
        (0, TOOL.at, "tool", "get_balance", 21, "ok"),
        (1, TOOL.at, "tool", "send_money", 21, "refused"),
    ]


async def test_usage_is_replaced_and_the_same_again_changes_nothing(database: Database) -> None:
    await open_call(database)
    later = replace(STT, audio_ms=9_000_000_000, model="sphinx \x00 2" + "x" * 200)
    for usages in ([TTS, LLM, STT], [LLM, TTS, STT], [later], [later]):
        async with database.transaction() as db:
            await costs.record(db, call_id="call_1", usages=usages)
    async with database.reading() as db:
        stt, llm, tts = await costs.of_call(db, "call_1")
    assert (stt.kind, stt.provider, stt.audio_ms) == ("stt", "offline", 9_000_000_000)
    assert stt.model == ("sphinx  2" + "x" * 200)[:120]
    assert (llm.input_tokens, llm.cached_tokens, llm.output_tokens, llm.cost_micros) == (900, 300, 44, 4_321)
    assert (llm.cache_write_tokens, llm.estimated_answers) == (100, 2)
    assert (tts.kind, tts.model, tts.characters) == ("tts", None, 120)


async def test_what_has_no_known_price_is_told_from_what_costs_nothing(database: Database) -> None:
    unknown = replace(TTS, cost_micros=None)
    for call_id, usages in {"call_1": [STT, LLM], "call_2": [LLM, unknown], "call_3": [unknown]}.items():
        await open_call(database, call_id)
        async with database.transaction() as db:
            await costs.record(db, call_id=call_id, usages=usages)
    async with database.reading() as db:
        assert [row.cost_micros for row in await costs.of_call(db, "call_2")] == [4_321, None]
        assert await costs.totals(db, ["call_1", "call_2", "call_3", "call_4"]) == {
            "call_1": Cost(4_321, estimated=2),
            "call_2": Cost(4_321, unpriced=1, estimated=2),
            "call_3": Cost(0, unpriced=1),
        }


async def test_what_a_call_left_goes_with_it(database: Database) -> None:
    await open_call(database)
    async with database.transaction() as db:
        await answers.append(db, call_id="call_1", timings=[ANSWER])
        await events.append(db, call_id="call_1", events=[TOOL])
        await costs.record(db, call_id="call_1", usages=[STT])
    async with database.transaction() as db:
        await db.execute(delete(CallRecord).where(CallRecord.id == "call_1"))
    async with database.reading() as db:
        left = [await db.scalar(select(func.count()).select_from(table)) for table in (Answer, CallEvent, CallUsage)]
    assert left == [0, 0, 0]


# --- The scribe -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What was logged meanwhile."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="DEBUG")
    yield lines
    logger.remove(sink)


async def kept(database: Database) -> tuple[list[str], list[int], list[str], dict[str, int]]:
    async with database.reading() as db:
        return (
            [turn.text for turn in await transcript.of_call(db, "call_1")],
            [row.total_ms for row in await answers.of_call(db, "call_1")],
            [row.name for row in await events.of_call(db, "call_1")],
            {row.kind: row.audio_ms + row.characters for row in await costs.of_call(db, "call_1")},
        )


async def test_a_scribe_writes_all_there_is_in_order_and_the_newest_totals(database: Database) -> None:
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    for number in range(3):
        scribe.note("user", f"turn {number}", at=NOW)
        scribe.answered(ANSWER)
        scribe.happened(TOOL)
        scribe.used(replace(STT, audio_ms=1_000 * number))
        scribe.used(TTS)
    scribe.note("user", "  ", at=NOW)
    await scribe.close()
    assert await kept(database) == (
        ["turn 0", "turn 1", "turn 2"],
        [597] * 3,
        ["get_balance"] * 3,
        {"stt": 2_000, "tts": 120},
    )
    assert scribe.dropped == 0


async def test_what_a_page_measured_finds_its_answer_written_or_not(database: Database) -> None:
    side = CallerSide(rtt_ms=40, playout_ms=90)
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    scribe.answered(GREETING)
    async with asyncio.timeout(4):
        while not (await kept(database))[1]:
            await asyncio.sleep(0.05)
    scribe.heard(GREETING.at, side)  # which is in the database
    scribe.answered(ANSWER)
    scribe.heard(ANSWER.at, side)
    await scribe.close()
    async with database.reading() as db:
        assert [row.caller_side for row in await answers.of_call(db, "call_1")] == [side, side]


async def test_what_answers_cost_is_known_later_than_the_answers(database: Database) -> None:
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    scribe.answered(GREETING)
    scribe.charged(GREETING.at, 5)
    scribe.charged(GREETING.at, 7)
    scribe.charged(NOW - timedelta(seconds=1), 1_000)  # there is no such answer
    async with asyncio.timeout(5):
        while (await kept(database))[1] != [100]:
            await asyncio.sleep(0.05)
    scribe.charged(GREETING.at, 9)
    for at in (ANSWER.at, ANSWER.at + timedelta(microseconds=1)):
        scribe.answered(replace(ANSWER, at=at))
    scribe.charged(ANSWER.at, None)
    scribe.charged(ANSWER.at + timedelta(microseconds=1), 40)
    await scribe.close()
    async with database.reading() as db:
        assert [row.cost_micros for row in await answers.of_call(db, "call_1")] == [9, None, 40]


async def test_a_crash_takes_two_seconds_at_most(database: Database) -> None:
    """The process dies; what it knew two seconds before is in the database."""
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    for words in ("first", "second"):
        scribe.note("assistant", words, at=NOW)
        scribe.answered(ANSWER)
        scribe.happened(TOOL)
        scribe.used(STT)
        async with asyncio.timeout(2):
            while words not in (await kept(database))[0]:
                await asyncio.sleep(0.05)
    before = await kept(database)
    assert before == (["first", "second"], [597, 597], ["get_balance", "get_balance"], {"stt": 5_120})
    scribe.note("user", "the last words before the crash", at=NOW)
    scribe.used(TTS)
    scribe._writer.cancel()
    await asyncio.wait([scribe._writer])
    assert await kept(database) == before


async def test_what_comes_while_it_closes_or_writes_is_written_too(database: Database) -> None:
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    for number in range(20):
        scribe.note("user", f"turn {number}", at=NOW)
        await asyncio.sleep(0)
    closing = asyncio.ensure_future(scribe.close())
    while scribe._page.turns:
        await asyncio.sleep(0)
    scribe.note("assistant", "Goodbye.", at=NOW)  # while the first page is being written
    await closing
    assert (await kept(database))[0] == [*(f"turn {number}" for number in range(20)), "Goodbye."]


async def test_a_scribe_holds_so_much_and_counts_what_it_drops(database: Database, lines: list[str]) -> None:
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    for number in range(MAX_WAITING + 30):
        scribe.note("user", f"secret {number}", at=NOW)
        scribe.used(replace(STT, audio_ms=number))
    await scribe.close()
    turns, *_, used = await kept(database)
    assert len(turns) == MAX_WAITING
    assert used == {"stt": MAX_WAITING + 29}, "totals take no room"
    assert scribe.dropped == 30
    assert any("lost 30 lines" in line for line in lines)
    assert not any("secret" in line for line in lines)


async def test_a_record_that_cannot_be_written_is_logged_without_its_words(
    database: Database, lines: list[str]
) -> None:
    scribe = Scribe(database, call_id="call_that_never_was")
    scribe.note("user", "my secret is Ravi", at=NOW)
    scribe.happened(TOOL)
    await scribe.close()
    assert scribe.dropped == 2
    assert any("Could not write the record" in line for line in lines)
    assert not any("Ravi" in line for line in lines)


async def test_a_busy_database_is_asked_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    await asyncio.to_thread(migrate, url)
    database = Database(url)
    await open_call(database)
    scribe = Scribe(database, call_id="call_1")
    async with database.transaction():  # the one writer there is
        scribe.note("user", "first", at=NOW)
        scribe.answered(ANSWER)
        scribe.used(STT)
        await asyncio.sleep(scribes.GATHER_S + LOCK_WAIT_S + 0.3)
        scribe.note("user", "second", at=NOW)
        scribe.used(replace(STT, audio_ms=7_000))
    await scribe.close()
    assert await kept(database) == (["first", "second"], [597], [], {"stt": 7_000})
    assert scribe.dropped == 0
    await database.close()


# --- Uses that come back ----------------------------------------------------------------------------------------------


async def taken_up(database: Database, *, connected: bool, reason: str) -> tuple[str, str]:
    """A call that took the one use of a code, and ended; the ids of code and call."""
    async with database.transaction() as db:
        (code,) = await otp.issue(db, secret=SECRET, fmt="digits6", actor=SYSTEM, max_uses=1, now=NOW)
        await usage.grant_access(db, otp_id=code.id, agent_type="banking", now=NOW)
    await open_call(database, otp_id=code.id)
    async with database.transaction() as db:
        await usage.claim_access(db, otp_id=code.id, agent_type="banking", call_id="call_1", now=NOW)
        if connected:
            await log.connected(db, call_id="call_1", at=NOW)
        if reason != "open":
            await log.close_call(db, call_id="call_1", reason=reason, at=NOW)
    return code.id, "call_1"


async def test_a_call_lost_in_a_crash_ended_when_it_was_last_heard_of(database: Database) -> None:
    """However long the server was away."""
    heard = {
        "call_unconnected": None,
        "call_mute": None,
        "call_turn": Turn("user", "Hello?", NOW + timedelta(seconds=5), ended_at=NOW + timedelta(seconds=7)),
        "call_tool": replace(TOOL, at=NOW + timedelta(seconds=9)),
        "call_answer": replace(ANSWER, at=NOW + timedelta(seconds=11)),
    }
    for call_id, sign in heard.items():
        await open_call(database, call_id)
        async with database.transaction() as db:
            if call_id != "call_unconnected":
                await log.connected(db, call_id=call_id, at=NOW + timedelta(seconds=1))
            if isinstance(sign, Turn):
                await transcript.append(db, call_id=call_id, turns=[sign])
            elif isinstance(sign, Event):
                await events.append(db, call_id=call_id, events=[sign])
            elif isinstance(sign, Timing):
                await answers.append(db, call_id=call_id, timings=[sign])
    async with database.transaction() as db:
        assert sorted(await log.sweep_orphans(db)) == sorted(heard)
    async with database.reading() as db:
        ended = {call_id: (await log.get(db, call_id)).ended_at for call_id in heard}
    assert [(at - NOW).total_seconds() for at in ended.values() if at] == [0, 1, 7, 9, 11]


async def test_every_call_of_a_user_has_its_access(database: Database) -> None:
    async with database.transaction() as db:
        ada = await users.create(db, username="ada", password="lovelace1815", name="Ada", role=UserRole.USER, now=NOW)
        asked = await usage.grant_access(db, user_id=ada.id, agent_type="banking", now=NOW)
        for call_id in ("call_asked", "call_straight"):
            await log.open_call(
                db, call_id=call_id, agent_type="banking", subject=ada.id, role="user", channel="webrtc", at=NOW
            )
            await usage.claim_access(db, user_id=ada.id, agent_type="banking", call_id=call_id, now=NOW)
        rows = {access.call_id: access.id for access, _ in await usage.history(db, limit=10)}
    assert set(rows) == {"call_asked", "call_straight"}
    assert rows["call_asked"] == asked.id


async def test_a_code_withdrawn_since_it_was_looked_at_opens_no_call(database: Database) -> None:
    async with database.transaction() as db:
        (code,) = await otp.issue(db, secret=SECRET, fmt="digits6", actor=SYSTEM, max_uses=1)
        await usage.grant_access(db, otp_id=code.id, agent_type="banking", now=utc_now())
        await otp.remove(db, otp_id=code.id, actor=SYSTEM, now=utc_now())
    settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    parts = Parts(Means(settings, SECRET, Pigeon()), database, SmartTurnModel(own_process=False), "node")
    owner = replace(ADMIN, subject=code.id, role="otp")
    with pytest.raises(Unauthorized):
        await Call.register(parts, call_id="call_1", agent=AGENT, owner=owner)
    async with database.reading() as db:
        assert await log.open_calls(db, limit=10) == []


async def test_the_history_of_uses_goes_on_behind_the_last_one_seen(database: Database) -> None:
    """Also where many were counted in one moment."""
    async with database.transaction() as db:
        (code,) = await otp.issue(db, secret=SECRET, fmt="digits6", actor=SYSTEM, max_uses=9)
        for n in range(7):
            await usage.grant_access(db, otp_id=code.id, agent_type="banking", now=NOW + timedelta(seconds=n // 4))
    async with client(database, traffic.agents) as http:
        whole = [each["id"] for each in await get(http, "/api/agents/usage")]
        assert len(whole) == 7
        pages = [await get(http, "/api/agents/usage", limit=3)]
        while pages[-1]:
            pages.append(await get(http, "/api/agents/usage", limit=3, before=pages[-1][-1]["id"]))
        assert [each["id"] for page in pages for each in page] == whole
        assert (await http.get("/api/agents/usage", params={"before": "acc_none"})).status_code == 404


async def uses_left(database: Database, otp_id: str) -> int:
    async with database.reading() as db:
        return (await db.get_one(otp.OtpCode, otp_id)).remaining


@pytest.mark.parametrize(
    ("connected", "reason", "comes_back"),
    [
        *((True, reason, True) for reason in OUR_FAULT),
        (True, "hung_up", False),
        (True, "vanished", False),
        (True, "abuse", False),
        (False, "hung_up", True),
        (False, "never_connected", True),
        (False, "failed_to_start", True),
        (True, "open", False),
    ],
)
async def test_a_use_comes_back_if_the_agent_never_spoke_and_it_was_our_fault(
    database: Database, connected: bool, reason: str, comes_back: bool
) -> None:
    otp_id, call_id = await taken_up(database, connected=connected, reason=reason)
    for first_time in (True, False):
        async with database.transaction() as db:
            returned = await usage.return_unserved(db, call_ids=[call_id], now=NOW)
        assert returned == int(comes_back and first_time)
    assert await uses_left(database, otp_id) == int(comes_back)


@pytest.mark.parametrize("reason", ["failed", "server_lost"])
@pytest.mark.parametrize("said", ["a turn", "a first sound"])
async def test_a_use_stays_used_once_the_agent_has_said_a_word(database: Database, reason: str, said: str) -> None:
    otp_id, call_id = await taken_up(database, connected=True, reason=reason)
    async with database.transaction() as db:
        if said == "a turn":
            await transcript.append(db, call_id=call_id, turns=[Turn("assistant", "Hello", NOW)])
        else:
            await answers.append(db, call_id=call_id, timings=[GREETING])
    async with database.transaction() as db:
        assert await usage.return_unserved(db, call_ids=[call_id], now=NOW) == 0
    assert await uses_left(database, otp_id) == 0


async def test_after_a_crash_the_uses_of_mute_calls_come_back_once(database: Database) -> None:
    otp_id, call_id = await taken_up(database, connected=True, reason="open")
    async with database.transaction() as db:
        await transcript.append(db, call_id=call_id, turns=[Turn("user", "Hello?", NOW)])
        assert (swept := await log.sweep_orphans(db)) == [call_id]
        assert await usage.return_unserved(db, call_ids=swept, now=NOW) == 1
        assert await usage.return_unserved(db, call_ids=swept, now=NOW) == 0
        assert (await db.scalars(select(TurnRow.text))).all() == ["Hello?"]
    assert await uses_left(database, otp_id) == 1
