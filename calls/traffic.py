"""Traffic: what happened when, per agent type, out of the rows that record it.

Nothing here is a counter that could drift. Quarter hours in which nothing can change any more are summed once, from
their rows, into `traffic` and `traffic_answers`; whatever is younger is read from the rows themselves. So the answer
over a year costs as little as the one over an hour, and summing all anew gives the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SmallInteger,
    case,
    cast,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from calls.answers import STAGES, Answer, percentile
from calls.costs import UNPRICED, CallUsage, Cost
from calls.log import FAILED, CallRecord, CallState
from calls.refusals import Refusal
from calls.usage import AccessRecord
from core.db import Base, SafeStr, UtcDateTime, epoch_s, insert_if_absent

QUARTER_S = 900
SETTLED_AFTER = timedelta(minutes=15)
"""Rows are written within seconds of the moment they tell of; then nothing of that moment changes."""

MOST_AT_ONCE = timedelta(days=1)
ROWS_AT_ONCE = 500
"""Of histograms, which have many, before the event loop takes its turn."""


class TrafficRow(Base):
    """What happened to one agent type in one quarter hour that is over and settled.

    Attributes:
        quarter: Which: seconds since 1970, divided by 900.
        calls: That began in it; how they went on counts here too, whenever they ended.
        seconds: Their length, from connection to end.
        cost_micros, unpriced: As in `costs.Cost`.
        answer_ms: Sum over `turns` answers; each stage likewise.
    """

    __tablename__ = "traffic"

    quarter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agent_type: Mapped[str] = mapped_column(SafeStr(64), primary_key=True)
    accesses: Mapped[int] = mapped_column(BigInteger, default=0)
    last_access_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    connected: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    unpriced: Mapped[int] = mapped_column(BigInteger, default=0)
    turns: Mapped[int] = mapped_column(BigInteger, default=0)
    answer_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    endpointing_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    transcription_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    turn_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    llm_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    tool_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    sentence_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    tts_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    output_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    other_ms: Mapped[int] = mapped_column(BigInteger, default=0)


class TrafficAnswers(Base):
    """How many answers of a settled quarter hour took how long: one bucket of their histogram."""

    __tablename__ = "traffic_answers"

    quarter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agent_type: Mapped[str] = mapped_column(SafeStr(64), primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    turns: Mapped[int]


class Summed(Base):
    """The one row that says up to which moment everything is summed."""

    __tablename__ = "traffic_summed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)


STAGE_SUMS = {stage: f"{stage}_ms" for stage in STAGES}
_COUNTS = ("accesses", "calls", "connected", "failed", "refused", "seconds", "cost_micros", "unpriced")
_SUMS = (*_COUNTS, "turns", "answer_ms", *STAGE_SUMS.values())


@dataclass(slots=True)
class Numbers:
    """What happened to one agent type, or to several, in some time.

    Attributes:
        sums: Whole numbers by the names of `TrafficRow`'s columns.
        answers: How many answers fell into each bucket of `calls.answers`.
        last_access_at: The last time anybody came.
    """

    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0))
    answers: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    last_access_at: datetime | None = None

    def __getitem__(self, name: str) -> int:
        return self.sums[name]

    def add(self, other: Numbers) -> None:
        """Count what another counts."""
        self.take(other.sums)
        self.last_access_at = _later(self.last_access_at, other.last_access_at)
        for bucket, turns in other.answers.items():
            self.answers[bucket] += turns

    def take(self, found: Mapping[Any, Any]) -> None:
        """Count a row of sums; what it does not name stays."""
        found = dict(found)  # a row looks every name up anew, and raises for what it has not
        for name in _SUMS:
            self.sums[name] += int(found.get(name) or 0)
        self.last_access_at = _later(self.last_access_at, found.get("last_access_at"))

    def answer_ms(self, share: float) -> int | None:
        """The time within which this share of the answers came, to within 3 %; None without any."""
        return percentile(self.answers, share)


Key = tuple[int, str]
"""A bucket of time, and an agent type."""


# --- Summing up -------------------------------------------------------------------------------------------------------


async def sum_up(db: AsyncSession, *, now: datetime) -> bool:
    """Sum the quarter hours that have settled since the last time, at most a day of them.

    Returns: whether there is more to do.
    """
    await insert_if_absent(db, Summed, id=1)
    summed = await db.get_one(Summed, 1, with_for_update=True, populate_existing=True)
    since = summed.until or await _first(db)
    settled = _floor(now - SETTLED_AFTER)
    oldest_open = await db.scalar(select(func.min(CallRecord.started_at)).where(CallRecord.state == CallState.OPEN))
    if oldest_open is not None:
        settled = min(settled, _floor(oldest_open))
    if since is None or since >= settled:
        return False
    until = min(settled, _floor(since) + MOST_AT_ONCE)
    found = await _from_rows(db, since=_floor(since), until=until, bucket_s=QUARTER_S)
    for table in (TrafficRow, TrafficAnswers):  # who empties the moment alone has all summed anew
        await db.execute(delete(table).where(table.quarter >= _quarter(since), table.quarter < _quarter(until)))
    rows = [
        {"quarter": quarter, "agent_type": agent_type, "last_access_at": numbers.last_access_at, **numbers.sums}
        for (quarter, agent_type), numbers in found.items()
    ]
    answers = [
        {"quarter": quarter, "agent_type": agent_type, "bucket": bucket, "turns": turns}
        for (quarter, agent_type), numbers in found.items()
        for bucket, turns in numbers.answers.items()
    ]
    if rows:
        await db.execute(insert(TrafficRow), rows)
    if answers:
        await db.execute(insert(TrafficAnswers), answers)
    summed.until = until
    await db.flush()
    return until < settled


async def _first(db: AsyncSession) -> datetime | None:
    moments = (AccessRecord.at, CallRecord.started_at, Refusal.at)
    return min(filter(None, [await db.scalar(select(func.min(moment))) for moment in moments]), default=None)


# --- Asking -----------------------------------------------------------------------------------------------------------


async def over_time(
    db: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    bucket_s: int,
    offset_s: int = 0,
    agent_type: str | None = None,
    timed: bool = True,
) -> dict[tuple[datetime, str], Numbers]:
    """What happened from `since` to `until`, both moved back to a quarter hour, in buckets and per agent type.

    Args:
        bucket_s: Length of a bucket, a multiple of 900.
        offset_s: What the zone that days begin in is ahead of UTC, a multiple of 900.
        timed: Whether to count answers and their times as well, which is most of the work over a long time.

    Returns: the buckets in which anything happened, by their beginnings.
    """
    assert bucket_s % QUARTER_S == 0, "a bucket is made of quarter hours"
    since, until = _floor(since), _floor(until)
    summed_until = await db.scalar(select(Summed.until).where(Summed.id == 1))
    found: defaultdict[Key, Numbers] = defaultdict(Numbers)
    if summed_until is None or until > summed_until:
        fresh_since = since if summed_until is None else max(since, summed_until)
        found |= await _from_rows(
            db, since=fresh_since, until=until, bucket_s=bucket_s, offset_s=offset_s, agent_type=agent_type, timed=timed
        )
    if summed_until is not None and since < summed_until:
        await _add_summed(db, found, since, min(until, summed_until), bucket_s, offset_s, agent_type, timed)
    return {
        (datetime.fromtimestamp(bucket * bucket_s - offset_s, UTC), agent): numbers
        for (bucket, agent), numbers in sorted(found.items())
    }


async def totals(db: AsyncSession, *, since: datetime | None = None) -> dict[str, Numbers]:
    """Each agent type's accesses, the last one, cost; of all time or since a moment, moved back to a quarter hour."""
    found: defaultdict[str, Numbers] = defaultdict(Numbers)
    summed_until = await db.scalar(select(Summed.until).where(Summed.id == 1))
    summed = select(
        TrafficRow.agent_type,
        func.max(TrafficRow.last_access_at).label("last_access_at"),
        *(func.sum(getattr(TrafficRow, name)).label(name) for name in ("accesses", "cost_micros", "unpriced")),
    )
    if since is not None:
        summed = summed.where(TrafficRow.quarter >= _quarter(since))
    queries = [summed.group_by(TrafficRow.agent_type)]
    fresh_since = max(filter(None, (summed_until, since and _floor(since))), default=None)
    for moment, agent, fresh in (
        (AccessRecord.at, AccessRecord.agent_type, _ACCESSES),
        (CallRecord.started_at, CallRecord.agent_type, _COSTS),
    ):
        fresh = fresh.add_columns(agent.label("agent_type")).group_by(agent)
        queries.append(fresh if fresh_since is None else fresh.where(moment >= fresh_since))
    for query in queries:
        for row in (await db.execute(query)).mappings():
            found[row["agent_type"]].take(row)
    return dict(found)


async def cost(db: AsyncSession, *, since: datetime) -> Cost:
    """What the calls cost that began since a moment, moved back to a quarter hour; an open one's so far."""
    of_agents = (await totals(db, since=since)).values()
    return Cost(sum(agent["cost_micros"] for agent in of_agents), sum(agent["unpriced"] for agent in of_agents))


async def live(db: AsyncSession) -> dict[str, int]:
    """How many calls are open, per agent type."""
    query = select(CallRecord.agent_type, func.count().label("calls")).where(CallRecord.state == CallState.OPEN)
    return {row.agent_type: row.calls for row in await db.execute(query.group_by(CallRecord.agent_type))}


async def _add_summed(
    db: AsyncSession,
    found: defaultdict[Key, Numbers],
    since: datetime,
    until: datetime,
    bucket_s: int,
    offset_s: int,
    agent_type: str | None,
    timed: bool,
) -> None:
    def narrowed(table: type[TrafficRow] | type[TrafficAnswers], *columns: Any) -> Any:
        bucket = (cast(table.quarter, BigInteger) * QUARTER_S + offset_s) // bucket_s
        query = select(bucket.label("bucket_of_time"), table.agent_type, *columns)
        query = query.where(table.quarter >= _quarter(since), table.quarter < _quarter(until))
        return query if agent_type is None else query.where(table.agent_type == agent_type)

    sums = [func.sum(getattr(TrafficRow, name)).label(name) for name in (_SUMS if timed else _COUNTS)]
    query = narrowed(TrafficRow, *sums, func.max(TrafficRow.last_access_at).label("last_access_at"))
    for row in (await db.execute(query.group_by("bucket_of_time", TrafficRow.agent_type))).mappings():
        found[row["bucket_of_time"], row["agent_type"]].take(row)
    if not timed:
        return
    query = narrowed(TrafficAnswers, TrafficAnswers.bucket, func.sum(TrafficAnswers.turns).label("turns"))
    query = query.group_by("bucket_of_time", TrafficAnswers.agent_type, TrafficAnswers.bucket)
    for rows in (await db.execute(query)).partitions(ROWS_AT_ONCE):
        for row in rows:
            found[row.bucket_of_time, row.agent_type].answers[row.bucket] += int(row.turns)
        await asyncio.sleep(0)


# --- From the rows ----------------------------------------------------------------------------------------------------


async def _from_rows(
    db: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    bucket_s: int,
    offset_s: int = 0,
    agent_type: str | None = None,
    timed: bool = True,
) -> defaultdict[Key, Numbers]:
    found: defaultdict[Key, Numbers] = defaultdict(Numbers)

    async def read(moment: Moment, agent: InstrumentedAttribute[str], query: Any, *by: Any) -> Any:
        bucket = ((epoch_s(moment) + offset_s) // bucket_s).label("bucket_of_time")
        query = query.add_columns(bucket, agent.label("agent_type")).where(moment >= since, moment < until)
        if agent_type is not None:
            query = query.where(agent == agent_type)
        return (await db.execute(query.group_by("bucket_of_time", agent, *by))).mappings()

    for moment, agent, query in (
        (AccessRecord.at, AccessRecord.agent_type, _ACCESSES),
        (CallRecord.started_at, CallRecord.agent_type, _CALLS),
        (CallRecord.started_at, CallRecord.agent_type, _COSTS),
        (Refusal.at, Refusal.agent_type, _REFUSALS),
        *([(Answer.at, CallRecord.agent_type, _ANSWERS)] if timed else []),
    ):
        for row in await read(moment, agent, query):
            found[row["bucket_of_time"], row["agent_type"]].take(row)
    if timed:
        for row in await read(Answer.at, CallRecord.agent_type, _BUCKETS, Answer.bucket):
            found[row["bucket_of_time"], row["agent_type"]].answers[row["bucket"]] += row["turns"]
    return found


Moment = InstrumentedAttribute[datetime]


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


_ACCESSES = select(func.count().label("accesses"), func.max(AccessRecord.at).label("last_access_at"))
_CALLS = select(
    func.count().label("calls"),
    _count_if(CallRecord.connected_at.is_not(None)).label("connected"),
    _count_if(CallRecord.end_reason.in_(FAILED)).label("failed"),
    func.sum(epoch_s(CallRecord.ended_at) - epoch_s(CallRecord.connected_at)).label("seconds"),
)
_COST = (func.sum(CallUsage.cost_micros).label("cost_micros"), UNPRICED.label("unpriced"))
_COSTS = select(*_COST).join_from(CallRecord, CallUsage)
_REFUSALS = select(func.sum(Refusal.count).label("refused"))
_ANSWERS = (
    select(
        func.count().label("turns"),
        func.sum(Answer.total_ms).label("answer_ms"),
        *(func.sum(getattr(Answer, column)).label(column) for column in STAGE_SUMS.values()),
    )
    .join_from(Answer, CallRecord)
    .where(Answer.greeting.is_(False))
)
_BUCKETS = (
    select(Answer.bucket, func.count().label("turns")).join_from(Answer, CallRecord).where(Answer.greeting.is_(False))
)


def _floor(moment: datetime) -> datetime:
    return datetime.fromtimestamp(_quarter(moment) * QUARTER_S, UTC)


def _quarter(moment: datetime) -> int:
    return int(moment.timestamp()) // QUARTER_S


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)
