"""What happened when, for operators: the usage and traffic of source 003, and the overview of the dashboard."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import App, admin
from api.fields import ESTIMATED, UNPRICED, Id, Moment, dollars
from api.limited import OPERATOR
from api.paging import PageOut, Paging
from calls import costs, summary, traffic, usage
from calls import log as call_log
from calls.costs import Cost
from calls.log import Outcome, Wanted
from calls.traffic import Numbers
from core.clock import utc_now
from core.errors import Invalid
from identity import otp, users
from pipelines import catalog as agent_types

MAX_BUCKETS = 400
MAX_TIMED_BUCKETS = 100
"""With the answers' times there are dozens of rows to a bucket: more would keep the event loop, and the calls on it,
waiting for too long."""

MAX_SPAN = timedelta(days=400)
MAX_HISTORY = 1000
FAILURES_SHOWN = 10
DAY_MINUTES = 24 * 60
QUARTER = timedelta(seconds=traffic.QUARTER_S)
AS_ONE = timedelta(days=100_000)
"""A bucket that holds all time."""

NOTHING = Numbers()

STAGES = {
    "endpointing": "Waiting for the end of speech",
    "transcription": "Recognising the last words",
    "turn": "Deciding that the caller is done",
    "llm": "Thinking",
    "tool": "Doing the work",
    "sentence": "Finishing the first sentence",
    "tts": "Finding the voice",
    "output": "Sending the sound",
    "other": "Everything else",
}
"""The parts of an answer's time, in their order, in words."""

agents = APIRouter(prefix="/api/agents", tags=["agents"], dependencies=[Depends(admin), OPERATOR])
"""Beside the guests' half of the same prefix."""

router = APIRouter(prefix="/analytics", tags=["analytics"], dependencies=[Depends(admin), OPERATOR])

AgentType = Annotated[str, Field(min_length=1, max_length=64)]
Offset = Annotated[int, Field(ge=-DAY_MINUTES, le=DAY_MINUTES, multiple_of=15)]
OFFSET = "Minutes that the reader's zone is ahead of UTC: where days begin"


class AccessRecordOut(BaseModel):
    """A counted use, and the call that came of it."""

    id: str
    agent_type: str
    at: datetime
    otp_id: str | None
    otp_label: str | None
    user_id: str | None
    user_name: str | None
    call_id: str | None = Field(description="Null while no call has taken it")
    returned_at: datetime | None = Field(
        description="When the use was given back: the call failed through no fault of theirs"
    )
    started_at: datetime | None
    connected_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    seconds: float | None
    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)
    estimated: bool = Field(description=ESTIMATED)


class BucketOut(BaseModel):
    """What happened in a stretch of time."""

    at: datetime
    accesses: int
    calls: int
    connected: int
    failed: int
    refused: int = Field(description="Callers turned away because no call could be taken just then")
    minutes: float
    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)

    @classmethod
    def of(cls, at: datetime, numbers: Numbers) -> Self:
        """Numbers as they are shown."""
        return cls(
            at=at,
            accesses=numbers["accesses"],
            calls=numbers["calls"],
            connected=numbers["connected"],
            failed=numbers["failed"],
            refused=numbers["refused"],
            minutes=minutes(numbers),
            cost_usd=dollars(numbers["cost_micros"]),
            unpriced=numbers["unpriced"] > 0,
        )


class CostOut(BaseModel):
    """What calls cost."""

    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)

    @classmethod
    def of(cls, numbers: Numbers) -> Self:
        """The cost among numbers."""
        return cls(cost_usd=dollars(numbers["cost_micros"]), unpriced=numbers["unpriced"] > 0)


class TrafficOut(BaseModel):
    """The traffic of one agent type."""

    agent_type: str
    name: str
    total: int = Field(description="Accesses since the beginning")
    today: int = Field(description="Accesses since midnight")
    live: int = Field(description="Calls that are going on")
    last_access: datetime | None
    cost: CostOut = Field(description="Of all its calls since the beginning")
    cost_today: CostOut = Field(description="Of those since midnight")
    buckets: list[BucketOut] = Field(description="Oldest first, also those in which nothing happened")


class NumbersOut(BaseModel):
    """What happened, in numbers."""

    accesses: int
    calls: int
    connected: int
    failed: int
    refused: int
    minutes: float
    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)
    turns: int = Field(description="Answers whose time was measured")
    answer_p50_ms: int | None = Field(description="From the caller's silence to the first sound of the answer, to 3 %")
    answer_p95_ms: int | None
    answer_p99_ms: int | None
    answered_share: float | None = Field(description="Calls that connected, of all that began")
    rating_mean: float | None
    ratings: int

    @classmethod
    def of(cls, numbers: Numbers, rated: tuple[int, int] = (0, 0), **more: object) -> Self:
        """Numbers as they are shown; `rated` is how many ratings there were, and their sum."""
        count, stars = rated
        return cls.model_validate(
            {
                **{name: numbers[name] for name in ("accesses", "calls", "connected", "failed", "refused", "turns")},
                "minutes": minutes(numbers),
                "cost_usd": dollars(numbers["cost_micros"]),
                "unpriced": numbers["unpriced"] > 0,
                "answer_p50_ms": numbers.answer_ms(0.5),
                "answer_p95_ms": numbers.answer_ms(0.95),
                "answer_p99_ms": numbers.answer_ms(0.99),
                "answered_share": numbers["connected"] / numbers["calls"] if numbers["calls"] else None,
                "rating_mean": stars / count if count else None,
                "ratings": count,
                **more,
            }
        )


class BucketNumbersOut(NumbersOut):
    """The numbers of a stretch of time."""

    at: datetime


class AgentNumbersOut(NumbersOut):
    """The numbers of an agent type."""

    agent_type: str
    name: str


class StageOut(BaseModel):
    """A part of the time an answer takes."""

    key: str
    label: str
    mean_ms: float


class FailedCallOut(BaseModel):
    """A call that failed through our fault."""

    call_id: str
    agent_type: str
    at: datetime
    end_reason: str


class OverviewOut(BaseModel):
    """Everything at a glance."""

    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    bucket_minutes: int
    totals: NumbersOut
    previous: NumbersOut = Field(description="The same for the time before, of equal length")
    buckets: list[BucketNumbersOut]
    agents: list[AgentNumbersOut]
    stages: list[StageOut]
    failures: list[FailedCallOut] = Field(description="The newest")


class UsageWanted(Paging):
    """Whose calls, of which time."""

    since: Moment | None = Field(None, alias="from", description="Null: all there are")
    until: Moment | None = Field(None, alias="to", description="Null: up to now")
    agent_type: AgentType | None = None
    otp_id: Id | None = None


class UsageSumOut(BaseModel):
    """What one caller used of one agent."""

    otp_id: str | None
    otp_label: str | None
    user_id: str | None
    user_name: str | None
    agent_type: str
    calls: int
    minutes: float
    heard_seconds: float = Field(description="What speech recognition listened to")
    input_tokens: int = Field(description="The cached ones included")
    cached_tokens: int
    output_tokens: int
    characters: int = Field(description="Of speech that was synthesised")
    cost_usd: float
    unpriced: bool = Field(description=UNPRICED)


class OverviewIn(BaseModel):
    """Which time."""

    since: Moment | None = Field(None, alias="from", description="Null: a day before the end")
    until: Moment | None = Field(None, alias="to", description="Moved on to a quarter hour. Null: now")
    bucket_minutes: int = Field(60, ge=15, le=31 * DAY_MINUTES, multiple_of=15)
    utc_offset_minutes: Offset = Field(0, description=OFFSET)
    agent_type: AgentType | None = None


# --- Source 003 -------------------------------------------------------------------------------------------------------


@agents.get("/usage")
async def usage_history(
    app: App,
    limit: Annotated[int, Query(ge=1, le=MAX_HISTORY)] = 100,
    before: Annotated[Id | None, Query(description="The last access seen: what is older than it")] = None,
    agent_type: Annotated[str | None, Query(max_length=64)] = None,
    otp_id: Annotated[Id | None, Query()] = None,
) -> list[AccessRecordOut]:
    """Who used which agent, the newest first."""
    async with app.db.reading() as db:
        found = await usage.history(db, limit=limit, before=before, agent_type=agent_type, otp_id=otp_id)
        labels = await otp.labels(db, (access.otp_id for access, _ in found if access.otp_id))
        names = await users.names(db, (access.user_id for access, _ in found if access.user_id))
        spent = await costs.totals(db, [call.id for _, call in found if call is not None])
    costs_of = [spent.get(access.call_id or "", Cost()) for access, _ in found]
    return [
        AccessRecordOut(
            id=access.id,
            agent_type=access.agent_type,
            at=access.at,
            otp_id=access.otp_id,
            otp_label=labels.get(access.otp_id or ""),
            user_id=access.user_id,
            user_name=names.get(access.user_id or ""),
            call_id=access.call_id,
            returned_at=access.returned_at,
            started_at=call and call.started_at,
            connected_at=call and call.connected_at,
            ended_at=call and call.ended_at,
            end_reason=call and call.end_reason,
            seconds=call and call.seconds,
            cost_usd=dollars(cost.micros),
            unpriced=cost.unpriced > 0,
            estimated=cost.estimated > 0,
        )
        for (access, call), cost in zip(found, costs_of, strict=True)
    ]


@agents.get("/traffic")
async def agents_traffic(
    app: App,
    hours: Annotated[int, Query(ge=1, le=2160, description="How far back the buckets reach")] = 24,
    bucket_minutes: Annotated[int, Query(ge=15, le=DAY_MINUTES, multiple_of=15)] = 60,
    utc_offset_minutes: Annotated[Offset, Query(description=OFFSET)] = 0,
) -> list[TrafficOut]:
    """The traffic of every agent type."""
    now, offset = utc_now(), timedelta(minutes=utc_offset_minutes)
    bucket = timedelta(minutes=bucket_minutes)
    _check_buckets(timedelta(hours=hours), bucket, most=MAX_BUCKETS)
    count = -(-timedelta(hours=hours) // bucket)
    begins = _floor(now, bucket, offset) - (count - 1) * bucket
    midnight = _floor(now, timedelta(days=1), offset)
    async with app.db.reading() as db:
        totals, live = await traffic.totals(db), await traffic.live(db)
        today = await traffic.totals(db, since=midnight)
        found = await _over_time(db, begins, now, bucket, offset, timed=False)
    names = _names({agent for _, agent in found} | set(totals) | set(live))

    def shaped() -> list[TrafficOut]:
        return [
            TrafficOut(
                agent_type=agent,
                name=name,
                total=totals[agent]["accesses"] if agent in totals else 0,
                today=today[agent]["accesses"] if agent in today else 0,
                live=live.get(agent, 0),
                last_access=totals[agent].last_access_at if agent in totals else None,
                cost=CostOut.of(totals.get(agent, NOTHING)),
                cost_today=CostOut.of(today.get(agent, NOTHING)),
                buckets=[BucketOut.of(at, found.get((at, agent), NOTHING)) for at in _steps(begins, now, bucket)],
            )
            for agent, name in names.items()
        ]

    return await asyncio.to_thread(shaped)  # hundreds of buckets take longer than the event loop may wait


@router.get("/usage")
async def usage_sums(app: App, wanted: Annotated[UsageWanted, Query()]) -> PageOut[UsageSumOut]:
    """Calls, minutes, vendors' work and cost per code or user and per agent, the most calls first.

    With `from` and `to` it is that of a day.
    """
    calls = Wanted(since=wanted.since, until=wanted.until, agent_type=wanted.agent_type, otp_id=wanted.otp_id)
    async with app.db.reading() as db:
        found, total = await summary.of_callers(db, calls, page=wanted.page, per_page=wanted.per_page)
        labels = await otp.labels(db, (each.otp_id for each in found if each.otp_id))
        names = await users.names(db, (each.subject for each in found if not each.otp_id))
    return wanted.of(
        [
            UsageSumOut(
                otp_id=each.otp_id,
                otp_label=labels.get(each.otp_id or ""),
                user_id=None if each.otp_id else each.subject,
                user_name=names.get(each.subject),
                agent_type=each.agent_type,
                calls=each.calls,
                minutes=round(each.seconds / 60, 2),
                heard_seconds=each.audio_ms / 1000,
                input_tokens=each.input_tokens,
                cached_tokens=each.cached_tokens,
                output_tokens=each.output_tokens,
                characters=each.characters,
                cost_usd=dollars(each.cost_micros),
                unpriced=each.unpriced > 0,
            )
            for each in found
        ],
        total,
    )


# --- The overview -----------------------------------------------------------------------------------------------------


@router.get("/overview")
async def overview(app: App, wanted: Annotated[OverviewIn, Query()]) -> OverviewOut:
    """Calls, answer times, refusals and cost over a time, beside the time before."""
    bucket, offset = timedelta(minutes=wanted.bucket_minutes), timedelta(minutes=wanted.utc_offset_minutes)
    now = utc_now()
    until = min(_quarter_end(min(wanted.until or now, now)), now)
    since = _floor(wanted.since or until - timedelta(days=1), bucket, offset)
    if since >= until:
        raise Invalid("The time must begin before it ends, and before now.", code="bad_period")
    _check_buckets(until - since, bucket, most=MAX_TIMED_BUCKETS)
    agent = wanted.agent_type
    async with app.db.reading() as db:
        found = await _over_time(db, since, until, bucket, offset, agent)
        before = await _over_time(db, since - (until - since), since, AS_ONE, offset, agent)
        rated = await call_log.ratings(db, since=since, until=until, agent_type=agent)
        rated_before = await call_log.ratings(db, since=since - (until - since), until=since, agent_type=agent)
        wanted_failures = Wanted(since=since, until=until, agent_type=agent, outcome=Outcome.FAILED)
        failures = await call_log.newest(db, wanted_failures, limit=FAILURES_SHOWN)
    failed = [
        FailedCallOut(
            call_id=call.id, agent_type=call.agent_type, at=call.started_at, end_reason=call.end_reason or "failed"
        )
        for call in failures
    ]

    def shaped() -> OverviewOut:
        in_bucket, of_agent = defaultdict[datetime, Numbers](Numbers), defaultdict[str, Numbers](Numbers)
        for (at, key), numbers in found.items():
            in_bucket[at].add(numbers)
            of_agent[key].add(numbers)
        totals = _sum(of_agent.values())
        return OverviewOut(
            since=since,
            until=until,
            bucket_minutes=wanted.bucket_minutes,
            totals=NumbersOut.of(totals, _rated(rated)),
            previous=NumbersOut.of(_sum(before.values()), _rated(rated_before)),
            buckets=[BucketNumbersOut.of(in_bucket.get(at, NOTHING), at=at) for at in _steps(since, until, bucket)],
            agents=[
                AgentNumbersOut.of(of_agent.get(key, NOTHING), rated.get(key, (0, 0)), agent_type=key, name=name)
                for key, name in _names(of_agent).items()
                if agent in (None, key)
            ],
            stages=stages(totals),
            failures=failed,
        )

    return await asyncio.to_thread(shaped)  # a hundred histograms take longer to add up than the event loop may wait


async def today(db: AsyncSession, *, now: datetime) -> NumbersOut:
    """The numbers since midnight, UTC."""
    midnight = _floor(now, timedelta(days=1), timedelta(0))
    found = await _over_time(db, midnight, now, timedelta(days=1), timedelta(0))
    return NumbersOut.of(_sum(found.values()), _rated(await call_log.ratings(db, since=midnight, until=now)))


def stages(numbers: Numbers) -> list[StageOut]:
    """Where the time of the answers went, on average."""
    turns = max(1, numbers["turns"])
    return [
        StageOut(key=key, label=label, mean_ms=round(numbers[traffic.STAGE_SUMS[key]] / turns, 1))
        for key, label in STAGES.items()
    ]


async def _over_time(
    db: AsyncSession,
    since: datetime,
    until: datetime,
    bucket: timedelta,
    offset: timedelta,
    agent: str | None = None,
    *,
    timed: bool = True,
) -> dict[tuple[datetime, str], Numbers]:
    return await traffic.over_time(
        db,
        since=since,
        until=_quarter_end(until),  # the whole of the one going on
        bucket_s=int(bucket.total_seconds()),
        offset_s=int(offset.total_seconds()),
        agent_type=agent,
        timed=timed,
    )


def _check_buckets(span: timedelta, bucket: timedelta, *, most: int) -> None:
    if span > MAX_SPAN or span / bucket > most:
        raise Invalid(
            f"Ask for at most {MAX_SPAN.days} days in at most {most} buckets: take longer ones.",
            code="too_many_buckets",
        )


def _steps(since: datetime, until: datetime, bucket: timedelta) -> list[datetime]:
    return [since + n * bucket for n in range(-(-(until - since) // bucket))]


def _floor(moment: datetime, step: timedelta, offset: timedelta) -> datetime:
    whole = (moment + offset - datetime(1970, 1, 1, tzinfo=UTC)) // step
    return datetime(1970, 1, 1, tzinfo=UTC) + whole * step - offset


def _quarter_end(moment: datetime) -> datetime:
    """The end of the quarter hour that goes on until then."""
    return _floor(moment - datetime.resolution, QUARTER, timedelta(0)) + QUARTER


def _sum(numbers: Iterable[Numbers]) -> Numbers:
    total = Numbers()
    for each in numbers:
        total.add(each)
    return total


def _rated(rated: dict[str, tuple[int, int]]) -> tuple[int, int]:
    return sum(count for count, _ in rated.values()), sum(stars for _, stars in rated.values())


def _names(found: Iterable[str]) -> dict[str, str]:
    """Every agent type there is, and those there were, by what they are called."""
    known = {agent.id: agent.name for agent in agent_types.all_types().values()}
    return known | {agent: agent for agent in sorted(set(found) - set(known))}


def minutes(numbers: Numbers) -> float:
    """How long the calls were together."""
    return round(numbers["seconds"] / 60, 2)
