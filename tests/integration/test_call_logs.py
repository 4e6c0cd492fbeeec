"""The record of calls as operators find, open and take it away."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa

from api import call_logs
from api.call_logs import MAX_EXPORTED, Filter, export_calls
from calls import answers, costs, events, log, transcript
from calls.answers import CallerSide, Timing
from calls.costs import Usage
from calls.events import Event
from calls.log import CallRecord, CallState
from calls.transcript import Turn
from core.clock import utc_now
from core.db import Database
from core.ids import new_id
from identity import otp, users
from identity.actor import SYSTEM
from identity.users import UserRole
from tests.integration.operators import Shared, client, get

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONLY_RTT = CallerSide(rtt_ms=31)


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client(database, call_logs.router) as http:
        yield http


async def code(database: Database, label: str | None = None) -> str:
    async with database.transaction() as db:
        (issued,) = await otp.issue(db, actor=SYSTEM, secret="s" * 32, fmt="digits6", label=label)
        return issued.id


async def call(database: Database, minute: int, *, said: str = "", reason: str | None = "hung_up", **more: Any) -> str:
    """A call that began at that minute, was connected a second later and lasted ten more."""
    call_id = new_id("call")
    at = NOW + timedelta(minutes=minute)
    connected = more.pop("connected", True)
    values = {"agent_type": "banking", "subject": "otp_1", "role": "otp", "channel": "webrtc", "at": at} | more
    async with database.transaction() as db:
        await log.open_call(db, call_id=call_id, **values)
        if connected:
            await log.connected(db, call_id=call_id, at=at + timedelta(seconds=1))
        if said:
            await transcript.append(db, call_id=call_id, turns=[Turn("user", said, at)])
        if reason:
            await log.close_call(db, call_id=call_id, reason=reason, at=at + timedelta(seconds=11))
    return call_id


async def found(http: httpx.AsyncClient, **query: Any) -> list[str]:
    return [each["id"] for each in (await get(http, "/call-logs", **query))["data"]]


async def test_calls_are_found_by_what_they_were(database: Database, http: httpx.AsyncClient) -> None:
    fair = await code(database, "Fair")
    going_on = await call(database, 5, reason=None, otp_id=fair, subject=fair)
    unanswered = await call(database, 4, connected=False, reason="never_connected")
    broken = await call(database, 3, connected=False, reason="failed_to_start")
    stuck = await call(database, 2, reason="stuck", agent_type="hospital")
    done = await call(database, 1, otp_id=fair, subject=fair, said="My 100% new_card, please")
    everything = [going_on, unanswered, broken, stuck, done]

    assert await found(http) == everything
    assert await found(http, outcome="live") == [going_on]
    assert await found(http, outcome="not_connected") == [unanswered]
    assert await found(http, outcome="failed") == [broken, stuck]
    assert await found(http, outcome="completed") == [done]
    assert await found(http, otp_id=fair) == [going_on, done]
    assert await found(http, otp_id=fair, outcome="completed") == [done]
    assert await found(http, agent_type="hospital") == [stuck]
    assert await found(http, from_=(NOW + timedelta(minutes=3)).isoformat()) == everything[:3]
    assert await found(http, to=(NOW + timedelta(minutes=3)).isoformat()) == everything[3:]
    assert await found(http, q=stuck) == [stuck]
    for words in ("100% new_card", "MY 100%", "please"):
        assert await found(http, q=words) == [done]
    assert await found(http, q="fai") == [going_on, done], "the label of their code"
    async with database.transaction() as db:
        ada = await users.create(
            db, username="ada", password="lovelace1815", name="Ada L.", role=UserRole.USER, now=NOW
        )
    hers = await call(database, 0, subject=ada.id, role="user")
    assert await found(http, q="ada l") == [hers], "the caller's name"
    everything.append(hers)
    for words in ("0%x", "new-card", "%%", "__", "\\%"):
        assert await found(http, q=words) == [], "what is typed is meant as it stands"
    assert [await found(http, page=n, per_page=2) for n in (1, 2, 3, 4)] == [
        everything[:2],
        everything[2:4],
        everything[4:],
        [],
    ]
    assert (await get(http, "/call-logs", page=2, per_page=2))["pagination"] == {
        "page": 2,
        "per_page": 2,
        "total": 6,
        "pages": 3,
    }


async def test_what_makes_no_sense_is_refused(http: httpx.AsyncClient) -> None:
    for query in (
        {"q": "x"},
        {"q": "ab\x00"},
        {"q": "x" * 121},
        {"otp_id": "\x00"},
        {"agent_type": "\x00"},
        {"outcome": "lost"},
        {"from": "yesterday"},
        {"from": "2026-03-01T12:00:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"page": 0},
        {"per_page": 101},
    ):
        assert (await http.get("/call-logs", params=query)).status_code == 422, query
        if not set(query) & {"page", "per_page"}:
            assert (await http.get("/call-logs/export", params=query)).status_code == 422, query


async def test_a_call_is_shown_in_all_detail(database: Database, http: httpx.AsyncClient) -> None:
    fair = await code(database, "Fair")
    async with database.transaction() as db:
        ada = await users.register(db, username="ada", password_hash="x", name="Ada", role=UserRole.USER, now=NOW)
    hers = await call(database, 0, subject=ada.id, role="user", customer_id="cus_1", stt="a", llm="b", tts="c")
    async with database.transaction() as db:
        turns = [
            Turn("assistant", "Hello.", NOW, interrupted=True),
            Turn("user", "What is my balance?", NOW + timedelta(seconds=4)),
            Turn("tool", "get_balance", NOW + timedelta(seconds=5)),
        ]
        await transcript.append(db, call_id=hers, turns=turns)
        timings = [
            Timing(NOW, {"tts": 90, "output": 10}, greeting=True),
            *(Timing(NOW + timedelta(seconds=n), {"llm": n * 100, "other": 7}) for n in (3, 9, 5)),
        ]
        await answers.append(db, call_id=hers, timings=timings)
        heard = {timings[0].at: CallerSide(rtt_ms=31, jitter_buffer_ms=60, playout_ms=80), timings[1].at: ONLY_RTT}
        await answers.add_caller_side(db, call_id=hers, sides=heard)
        await events.append(db, call_id=hers, events=[Event(NOW, "tool", "get_balance", 21, "refused")])
        await answers.charge(db, call_id=hers, costs={timings[1].at: 1_234})
        used = [
            Usage(
                "llm",
                "dear",
                "big",
                input_tokens=9,
                cached_tokens=3,
                cache_write_tokens=2,
                output_tokens=4,
                estimated_answers=1,
                cost_micros=4_321,
            )
        ]
        await costs.record(db, call_id=hers, usages=[*used, Usage("stt", "near", audio_ms=5_120, cost_micros=9)])
        await log.rate(db, call_id=hers, subject=ada.id, rating=4, comment="Quick")
    told = await get(http, f"/call-logs/{hers}")
    listed = (await get(http, "/call-logs"))["data"][0]
    assert {name: told[name] for name in listed} == listed
    assert listed["user_name"] == "Ada"
    assert (listed["otp_id"], listed["otp_label"], listed["user_id"]) == (None, None, ada.id)
    assert listed["agent_name"] == "Bank"
    assert (listed["seconds"], listed["turns"], listed["rating"]) == (10.0, 2, 4)
    assert listed["answer_p50_ms"] == pytest.approx(507, rel=0.03)
    assert (listed["cost_usd"], listed["unpriced"], listed["estimated"]) == (0.00433, False, True)
    assert listed["providers"] == {"stt": "a", "llm": "b", "tts": "c"}
    assert (listed["outcome"], listed["state"], listed["end_reason"]) == ("completed", "closed", "hung_up")
    assert told["rating_comment"] == "Quick"
    assert [(turn["seq"], turn["role"], turn["interrupted"]) for turn in told["turns_said"]] == [
        (0, "assistant", True),
        (1, "user", False),
        (2, "tool", False),
    ]
    assert [(each["seq"], each["greeting"], each["total_ms"]) for each in told["answers"]] == [
        (0, True, 100),
        (1, False, 307),
        (2, False, 907),
        (3, False, 507),
    ]
    assert all(sum(each["stages"].values()) == each["total_ms"] for each in told["answers"])
    assert [each["caller_side"] for each in told["answers"]] == [
        {"rtt_ms": 31, "jitter_buffer_ms": 60, "playout_ms": 80, "extra_ms": 96},
        {"rtt_ms": 31, "jitter_buffer_ms": None, "playout_ms": None, "extra_ms": None},
        None,
        None,
    ]
    assert [(each["name"], each["took_ms"], each["outcome"]) for each in told["events"]] == [
        ("get_balance", 21, "refused")
    ]
    assert [(each["kind"], each["audio_seconds"], each["cost_usd"]) for each in told["usage"]] == [
        ("stt", 5.12, 0.000009),
        ("llm", 0.0, 0.004321),
    ]

    assert [each["cost_usd"] for each in told["answers"]] == [None, 0.001234, None, None]
    assert [(each["cache_write_tokens"], each["estimated_answers"]) for each in told["usage"]] == [(0, 0), (2, 1)]

    bare = await call(database, 1, otp_id=fair, subject=fair, reason=None)
    told = await get(http, f"/call-logs/{bare}")
    assert (told["otp_label"], told["user_id"], told["user_name"]) == ("Fair", None, None)
    assert (told["ended_at"], told["seconds"], told["answer_p50_ms"], told["cost_usd"]) == (None, None, None, 0)
    async with database.transaction() as db:
        await costs.record(db, call_id=bare, usages=[Usage("tts", "new", characters=9, cost_micros=None)])
    told = await get(http, f"/call-logs/{bare}")
    assert (told["cost_usd"], told["unpriced"], told["estimated"]) == (0, True, False)
    assert [each["cost_usd"] for each in told["usage"]] == [None]
    for call_id in ("call_nothing", "otp_1"):
        assert (await http.get(f"/call-logs/{call_id}")).status_code == 404
    assert (await http.get("/call-logs/%00")).status_code == 422


# --- The file ---------------------------------------------------------------------------------------------------------


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_no_cell_of_the_file_is_a_formula(database: Database, http: httpx.AsyncClient) -> None:
    traps = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", 'say "hi", =1', "harmless", "＝1+1", "＠x"]
    for n, label in enumerate(traps):
        otp_id = await code(database, label)
        await call(database, -n, otp_id=otp_id, subject=otp_id, node=label)
    answer = await http.get("/call-logs/export")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="calls-')
    assert answer.text.startswith("id,agent_type,")
    assert answer.text.count("\r\n") >= len(traps) + 1
    rows = lines(answer.text)
    assert len(rows) == len(traps)
    for row, trap in zip(rows, traps, strict=True):
        expected = trap if trap in ("harmless", 'say "hi", =1') else f"'{trap}"
        assert row["otp_label"] == expected
        assert row["node"] == expected
        assert not [cell for cell in row.values() if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
    assert await found(http) == [row["id"] for row in rows]


async def test_the_file_is_bounded_and_filtered(database: Database, http: httpx.AsyncClient) -> None:
    assert lines((await http.get("/call-logs/export")).text) == []
    async with database.transaction() as db:
        row = {"subject": "x", "role": "otp", "channel": "webrtc", "node": "", "state": CallState.CLOSED}
        await db.execute(
            sa.insert(CallRecord),
            [
                row
                | {
                    "id": f"call_{n:06}",
                    "agent_type": "hospital" if n % 1000 == 0 else "banking",
                    "started_at": NOW + timedelta(seconds=n // 3),
                }
                for n in range(MAX_EXPORTED + 250)
            ],
        )
    ids = [row["id"] for row in lines((await http.get("/call-logs/export")).text)]
    assert len(ids) == MAX_EXPORTED
    assert ids == [f"call_{n:06}" for n in range(MAX_EXPORTED + 249, 249, -1)]
    some = lines((await http.get("/call-logs/export", params={"agent_type": "hospital"})).text)
    assert [row["id"] for row in some] == [f"call_{n:06}" for n in range(10_000, -1, -1000)]


async def test_calls_that_begin_meanwhile_do_not_come_twice(database: Database) -> None:
    for n in range(call_logs.EXPORT_BATCH + 3):
        async with database.transaction() as db:
            await log.open_call(
                db,
                call_id=f"call_{n:04}",
                agent_type="banking",
                subject="x",
                role="otp",
                channel="webrtc",
                at=NOW + timedelta(seconds=n),
            )
    response = await export_calls(app=cast(Any, Shared(database)), wanted=Filter.model_validate({}))
    text = ""
    async for part in response.body_iterator:
        text += cast(str, part)
        await call(database, int((utc_now() - NOW) / timedelta(minutes=1)) + 1)
    ids = [row["id"] for row in lines(text)]
    assert len(ids) == len(set(ids)) == call_logs.EXPORT_BATCH + 3
