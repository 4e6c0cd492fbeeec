"""What a call is allowed to cost when it begins: less what others have cost, from the rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from agent.call import Call, Parts
from calls import budgets, costs, log, usage
from calls.budgets import CodeOverBudget, DayOverBudget
from calls.costs import Usage
from calls.log import CallRecord
from calls.traffic import sum_up
from calls.usage import AccessRecord
from core.clock import utc_now
from core.db import Database
from core.settings import Settings
from identity import otp
from identity.actor import SYSTEM
from pipelines.banking import AGENT
from pipelines.base import Means
from pipelines.smart_turn import SmartTurnModel
from tests.integration.operators import ADMIN
from tests.lines import Pigeon

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)


def limits(**dollars: str) -> Settings:
    values: dict[str, Any] = {f"max_{name}_usd": Decimal(value) for name, value in dollars.items()}
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]


async def code(database: Database) -> str:
    async with database.transaction() as db:
        (issued,) = await otp.issue(db, secret=SECRET, fmt="digits6", actor=SYSTEM, max_uses=9, now=NOW)
    return issued.id


async def spend(
    database: Database, call_id: str, *micros: int | None, otp_id: str | None = None, at: datetime = NOW
) -> None:
    """A call that is still open, and what its vendors have charged so far."""
    async with database.transaction() as db:
        await log.open_call(
            db, call_id=call_id, agent_type="banking", subject="x", role="otp", channel="webrtc", at=at, otp_id=otp_id
        )
        used = [Usage("llm", f"vendor {n}", cost_micros=each) for n, each in enumerate(micros)]
        await costs.record(db, call_id=call_id, usages=used)


async def allowance(
    database: Database, settings: Settings, *, otp_id: str | None = None, now: datetime = NOW
) -> int | None:
    async with database.reading() as db:
        return await budgets.allowance(db, settings, otp_id=otp_id, now=now)


async def test_without_a_budget_calls_may_cost_anything(database: Database) -> None:
    fair = await code(database)
    await spend(database, "call_1", 10**12, otp_id=fair)
    assert await allowance(database, limits(), otp_id=fair) is None


async def test_a_call_gets_what_is_left_wherever_that_is_least(database: Database) -> None:
    fair, expo = await code(database), await code(database)
    await spend(database, "call_1", 300_000, 50_000, otp_id=fair)
    await spend(database, "call_2", 100_000, otp_id=expo)
    assert await allowance(database, limits(call="0.5"), otp_id=fair) == 500_000
    assert await allowance(database, limits(code="1"), otp_id=fair) == 650_000
    assert await allowance(database, limits(code="1"), otp_id=expo) == 900_000
    assert await allowance(database, limits(code="1")) is None, "a registered user's call is made with no code"
    assert await allowance(database, limits(day="1"), otp_id=fair) == 550_000
    assert await allowance(database, limits(day="1")) == 550_000
    for least in ({"call": "0.1"}, {"code": "0.45"}, {"day": "0.55"}):
        assert (
            await allowance(database, limits(**({"call": "9", "code": "9", "day": "9"} | least)), otp_id=fair)
            == 100_000
        )


@pytest.mark.parametrize("spent", [1_000_000, 1_000_001])
async def test_what_is_spent_to_the_last_millionth_opens_no_call(database: Database, spent: int) -> None:
    fair = await code(database)
    await spend(database, "call_1", spent - 1_000_000, 999_999, otp_id=fair)
    if spent == 1_000_000:
        assert await allowance(database, limits(code="1", day="1"), otp_id=fair) == 1
    await spend(database, "call_2", 1, otp_id=fair)
    with pytest.raises(CodeOverBudget):
        await allowance(database, limits(code="1"), otp_id=fair)
    with pytest.raises(DayOverBudget) as refused:
        await allowance(database, limits(day="1"))
    assert refused.value.retry_after_s == 12 * 3600 + 1, "at midnight UTC it is another day"


async def test_what_has_no_known_price_is_in_no_sum(database: Database) -> None:
    fair = await code(database)
    await spend(database, "call_1", None, 400_000, otp_id=fair)
    assert await allowance(database, limits(code="1"), otp_id=fair) == 600_000
    assert await allowance(database, limits(day="1")) == 600_000


async def test_a_call_counts_to_the_day_on_which_it_began(database: Database) -> None:
    """Also once the traffic of the day has been summed."""
    instant = timedelta(microseconds=1)
    for n, at in enumerate((MIDNIGHT - instant, MIDNIGHT, NOW - timedelta(hours=2), NOW)):
        await spend(database, f"call_{n}", 10**n, at=at)
        async with database.transaction() as db:
            await log.close_call(db, call_id=f"call_{n}", reason="hung_up", at=NOW)
    budget = limits(day="1")
    for _ in range(2):
        for now, spent in ((NOW, 1_110), (MIDNIGHT + timedelta(hours=23, minutes=59), 1_110)):
            assert await allowance(database, budget, now=now) == 1_000_000 - spent
        more = True
        while more:
            async with database.transaction() as db:
                more = await sum_up(db, now=NOW + timedelta(minutes=20))
    late = (MIDNIGHT + timedelta(hours=23)).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert await allowance(database, budget, now=late) == 1_000_000 - 1_110, "days are UTC's, whatever the zone"


# --- Calls that begin -------------------------------------------------------------------------------------------------


def begin(database: Database, settings: Settings, otp_id: str, call_id: str) -> Any:
    parts = Parts(Means(settings, SECRET, Pigeon()), database, SmartTurnModel(own_process=False), "node")
    owner = replace(ADMIN, subject=otp_id, role="otp")
    return Call.register(parts, call_id=call_id, agent=AGENT, owner=owner)


async def test_a_call_that_is_refused_leaves_nothing_behind_and_keeps_its_use(database: Database) -> None:
    fair = await code(database)
    async with database.transaction() as db:
        await usage.grant_access(db, otp_id=fair, agent_type="banking", now=utc_now())
    await spend(database, "call_1", 1_000_000, otp_id=fair, at=utc_now())
    for settings, error in ((limits(code="1"), CodeOverBudget), (limits(day="1"), DayOverBudget)):
        with pytest.raises(error):
            await begin(database, settings, fair, "call_2")
    async with database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(CallRecord)) == 1
        assert (await db.scalars(select(AccessRecord.call_id))).all() == [None]
    await begin(database, limits(code="1.1", day="1.1"), fair, "call_2")
    async with database.reading() as db:
        assert (await db.scalars(select(AccessRecord.call_id))).all() == ["call_2"]


async def test_calls_that_begin_at_once_may_each_spend_the_same_rest(database: Database) -> None:
    """So a budget is overspent by the others' rests at most; whoever comes later gets what is left then."""
    fair = await code(database)
    async with database.transaction() as db:
        for _ in range(4):
            await usage.grant_access(db, otp_id=fair, agent_type="banking", now=utc_now())
    await spend(database, "call_0", 900_000, otp_id=fair, at=utc_now())
    settings = limits(code="1")
    calls = await asyncio.gather(*(begin(database, settings, fair, f"call_{n}") for n in (1, 2)))
    assert [call.allowance_micros for call in calls] == [100_000, 100_000]
    async with database.transaction() as db:
        await costs.record(db, call_id="call_1", usages=[Usage("llm", "dear", cost_micros=60_000)])
    assert (await begin(database, settings, fair, "call_3")).allowance_micros == 40_000, "an open call's costs count"
    async with database.transaction() as db:
        for call_id in ("call_1", "call_2"):
            await costs.record(db, call_id=call_id, usages=[Usage("llm", "dear", cost_micros=100_000)])
    with pytest.raises(CodeOverBudget):
        await begin(database, settings, fair, "call_4")
