"""Traffic held against a naive model of it, whatever is summed when: its numbers are those of the rows.

A simulated clock drives an office: people come, calls open, are answered, cost, fail, last for hours; others are
refused. Each row is written within seconds of the moment it tells of, as the server does it. The model keeps the same
facts in lists.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api import traffic as traffic_routes
from calls import answers, costs, log, traffic
from calls.answers import STAGES, Timing
from calls.costs import Usage
from calls.log import FAILED, CallRecord
from calls.refusals import Refusal, Refusals
from calls.traffic import Numbers, Summed, TrafficAnswers, TrafficRow, over_time, sum_up
from calls.usage import AccessRecord
from core.clock import utc_now
from core.db import Database
from core.ids import new_id
from identity import otp
from identity.actor import SYSTEM
from tests.integration.operators import client, get

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGENTS = ("banking", "hospital", "realestate")
REASONS = ("hung_up", "agent_ended", "silence", "vanished", *FAILED)
ZONES_S = (0, 19_800, -12_600, 20_700)
"""UTC, +5:30, -3:30, +5:45."""

COUNTS = ("accesses", "calls", "connected", "failed", "refused", "seconds", "cost_micros", "unpriced")
BUCKETS_S = (900, 3600, 7200, 86_400)


# --- The model --------------------------------------------------------------------------------------------------------


@dataclass
class Call:
    """A call as its row has it."""

    id: str
    agent: str
    started: datetime
    connected: datetime | None = None
    ended: datetime | None = None
    reason: str | None = None
    cost_micros: int = 0
    unpriced: int = 0


@dataclass
class Facts:
    """What the model counts of one agent type in one bucket."""

    sums: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    times_ms: list[int] = field(default_factory=list)
    last_access: datetime | None = None


@dataclass
class Model:
    """Everything that has happened, in lists."""

    accesses: list[tuple[str, datetime]] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    answers: list[tuple[str, Timing]] = field(default_factory=list)
    refusals: list[tuple[str, datetime, int]] = field(default_factory=list)

    def over_time(
        self, *, since: datetime, until: datetime, bucket_s: int, offset_s: int = 0, agent_type: str | None = None
    ) -> dict[tuple[datetime, str], Facts]:
        since, until = floor(since), floor(until)
        found: dict[tuple[datetime, str], Facts] = {}

        def at(moment: datetime, agent: str) -> Facts | None:
            if not since <= moment < until or agent_type not in (None, agent):
                return None
            return found.setdefault((floor(moment, bucket_s, offset_s), agent), Facts())

        for agent, moment in self.accesses:
            if facts := at(moment, agent):
                facts.sums["accesses"] += 1
                facts.last_access = max(moment, facts.last_access or moment)
        for call in self.calls.values():
            if facts := at(call.started, call.agent):
                facts.sums["calls"] += 1
                facts.sums["connected"] += call.connected is not None
                facts.sums["failed"] += call.reason in FAILED
                facts.sums["cost_micros"] += call.cost_micros
                facts.sums["unpriced"] += call.unpriced
                if call.connected and call.ended:
                    facts.sums["seconds"] += int(call.ended.timestamp()) - int(call.connected.timestamp())
        for agent, moment, count in self.refusals:
            if facts := at(moment, agent):
                facts.sums["refused"] += count
        for call_id, timing in self.answers:
            if not timing.greeting and (facts := at(timing.at, self.calls[call_id].agent)):
                facts.sums["turns"] += 1
                facts.sums["answer_ms"] += timing.total_ms
                for stage in STAGES:
                    facts.sums[f"{stage}_ms"] += timing.stages.get(stage, 0)
                facts.times_ms.append(timing.total_ms)
        return found

    @property
    def moments(self) -> list[datetime]:
        return [at for _, at in self.accesses] + [call.started for call in self.calls.values()] or [NOW]


def floor(moment: datetime, step_s: int = 900, offset_s: int = 0) -> datetime:
    offset, step = timedelta(seconds=offset_s), timedelta(seconds=step_s)
    return EPOCH + (moment + offset - EPOCH) // step * step - offset


def same(found: dict[tuple[datetime, str], Numbers], expected: dict[tuple[datetime, str], Facts]) -> None:
    """Every number is exact; percentiles are within 3 % of the nearest rank."""
    assert set(found) == set(expected)
    for key, facts in expected.items():
        numbers = found[key]
        assert {name: value for name, value in numbers.sums.items() if value} == {
            name: value for name, value in facts.sums.items() if value
        }, key
        assert numbers.last_access_at == facts.last_access, key
        times = sorted(facts.times_ms)
        for share in (0.5, 0.95, 0.99):
            told = numbers.answer_ms(share)
            if not times:
                assert told is None
                continue
            true = times[max(1, math.ceil(round(share * len(times), 6))) - 1]
            assert told is not None
            assert abs(told - true) <= 0.03 * true, (key, share, told, true)


def counts(found: Mapping[tuple[datetime, str], Numbers | Facts]) -> dict[tuple[datetime, str], dict[str, int]]:
    """What is not about answers, where there is any."""
    told = {key: {name: each.sums[name] for name in COUNTS if each.sums[name]} for key, each in found.items()}
    return {key: each for key, each in told.items() if each}


# --- The office -------------------------------------------------------------------------------------------------------

Act = Callable[[datetime], Awaitable[None]]


class Office:
    """What the server would write, at the moments of a simulated clock."""

    def __init__(self, database: Database, seed: int) -> None:
        self.db = database
        self.model = Model()
        self.random = random.Random(seed)
        self.otp_id = ""
        self._agenda: list[tuple[datetime, int, Act]] = []
        self._order = itertools.count()

    async def prepare(self) -> None:
        async with self.db.transaction() as db:
            (code,) = await otp.issue(db, actor=SYSTEM, secret="s" * 32, fmt="digits6")
            self.otp_id = code.id

    def at(self, moment: datetime, act: Act) -> None:
        heapq.heappush(self._agenda, (moment, next(self._order), act))

    def moment(self, since: datetime, hours: float) -> datetime:
        """Some moment, often one on an edge."""
        moment = since + timedelta(seconds=self.random.uniform(0, hours * 3600))
        edge = self.random.choice((None, None, 0, -1, 1, -400, -600, 999_999))
        return moment if edge is None else floor(moment) + QUARTER + timedelta(microseconds=edge)

    def soon(self) -> timedelta:
        """How long a row takes to be written."""
        return timedelta(seconds=self.random.uniform(0, 10))

    def plan(self, since: datetime, *, hours: float, accesses: int, calls: int, refusals: int) -> None:
        for _ in range(accesses):
            at = self.moment(since, hours)
            self.at(at + self.soon(), self._access(self.random.choice(AGENTS), at))
        for _ in range(calls):
            self._plan_call(self.moment(since, hours))
        for _ in range(refusals):
            self.at(self.moment(since, hours), self._refuse)

    async def run(self, every: Callable[[datetime], Awaitable[None]] | None = None) -> datetime:
        """Let everything happen that is planned, asking `every` about it each time; the moment when it is over."""
        now = NOW
        while self._agenda:
            now, _, act = heapq.heappop(self._agenda)
            await act(now)
            if every is not None:
                await every(now)
        return now

    def _access(self, agent: str, at: datetime) -> Act:
        async def write(_now: datetime) -> None:
            async with self.db.transaction() as db:
                db.add(AccessRecord(id=new_id("acc"), otp_id=self.otp_id, agent_type=agent, at=at))
            self.model.accesses.append((agent, at))

        return write

    async def _refuse(self, now: datetime) -> None:
        agent, count = self.random.choice(AGENTS), self.random.randint(1, 30)
        refusals = Refusals("here")
        for _ in range(count):
            refusals.count(agent, "server_busy")
        async with self.db.transaction() as db:
            await refusals.write(db, now=now)
        self.model.refusals.append((agent, now, count))

    def _plan_call(self, started: datetime) -> None:
        call = Call(new_id("call"), self.random.choice(AGENTS), started)
        connects = self.random.random() < 0.8
        length = timedelta(seconds=self.random.choice((20, self.random.uniform(5, 1800), self.random.uniform(5, 9000))))
        opened = started + self.soon() / 10

        async def open_(_now: datetime) -> None:
            async with self.db.transaction() as db:
                await log.open_call(
                    db, call_id=call.id, agent_type=call.agent, subject="x", role="otp", channel="webrtc", at=started
                )
            self.model.calls[call.id] = call

        async def connect(now: datetime) -> None:
            async with self.db.transaction() as db:
                await log.connected(db, call_id=call.id, at=now)
            call.connected = now

        async def close(now: datetime) -> None:
            reason = self.random.choice(REASONS) if connects else "never_connected"
            async with self.db.transaction() as db:
                assert await log.close_call(db, call_id=call.id, reason=reason, at=now)
            call.ended, call.reason = now, reason

        self.at(opened, open_)
        if connects:
            self.at(opened + timedelta(seconds=1), connect)
            for _ in range(self.random.randint(0, 6)):
                spoken = opened + timedelta(seconds=2) + self.random.random() * length
                self.at(spoken + timedelta(seconds=3), self._answer(call, spoken))
                self.at(spoken + timedelta(seconds=3), self._spend(call))
        self.at(opened + timedelta(seconds=6) + length, close)

    def _answer(self, call: Call, at: datetime) -> Act:
        stages = {stage: int(self.random.expovariate(1 / 90)) for stage in STAGES}
        timing = Timing(at, stages, greeting=self.random.random() < 0.2)

        async def write(_now: datetime) -> None:
            async with self.db.transaction() as db:
                await answers.append(db, call_id=call.id, timings=[timing])
            self.model.answers.append((call.id, timing))

        return write

    def _spend(self, call: Call) -> Act:
        async def write(_now: datetime) -> None:
            call.cost_micros += self.random.randint(1, 10**7)
            usages = [Usage("llm", "dear", cost_micros=call.cost_micros)]
            if call.cost_micros % 10 == 0:
                call.unpriced = 1
                usages.append(Usage("tts", "dear", cost_micros=None))
            async with self.db.transaction() as db:
                await costs.record(db, call_id=call.id, usages=usages)

        return write

    # Asking

    async def ask(self, now: datetime, *, times: int = 1) -> None:
        """Ask for some time, in some zone, and hold the answer against the model."""
        for _ in range(times):
            days = (now - NOW).total_seconds() / 86_400 + 1
            since = NOW - timedelta(days=0.5) + self.random.random() * timedelta(days=days)
            wanted: dict[str, Any] = {
                "since": since,
                "until": since
                + self.random.choice((QUARTER, timedelta(hours=5), timedelta(days=1), timedelta(days=9))),
                "bucket_s": self.random.choice(BUCKETS_S),
                "offset_s": self.random.choice(ZONES_S),
                "agent_type": self.random.choice((None, None, *AGENTS, "nobody")),
            }
            expected = self.model.over_time(**wanted)
            async with self.db.reading() as db:
                same(await over_time(db, **wanted), expected)
                untimed = await over_time(db, **wanted, timed=False)
            assert counts(untimed) == counts(expected)
            assert not any(numbers["turns"] or numbers.answers for numbers in untimed.values())
        await self.ask_totals()

    async def ask_everything(self) -> None:
        """All of it, in one bucket and in the smallest."""
        since, until = min(self.model.moments) - QUARTER, max(self.model.moments) + timedelta(days=2)
        for bucket_s in (900, 86_400):
            async with self.db.reading() as db:
                found = await over_time(db, since=since, until=until, bucket_s=bucket_s)
            same(found, self.model.over_time(since=since, until=until, bucket_s=bucket_s))
        await self.ask_totals()

    async def ask_totals(self) -> None:
        async with self.db.reading() as db:
            totals, live = await traffic.totals(db), await traffic.live(db)
        came: dict[str, list[datetime]] = defaultdict(list)
        for agent, at in self.model.accesses:
            came[agent].append(at)
        told = {agent: (each["accesses"], each.last_access_at) for agent, each in totals.items() if each["accesses"]}
        assert told == {agent: (len(moments), max(moments)) for agent, moments in came.items()}
        since = self.random.choice(list(itertools.chain(*came.values())) or [NOW])
        async with self.db.reading() as db:
            later = await traffic.totals(db, since=since)
        assert {agent: each["accesses"] for agent, each in later.items() if each["accesses"]} == {
            agent: count for agent, moments in came.items() if (count := sum(at >= floor(since) for at in moments))
        }
        await self._ask_cost(None, totals)
        await self._ask_cost(since, later)
        going_on = [call.agent for call in self.model.calls.values() if call.ended is None]
        assert live == {agent: going_on.count(agent) for agent in set(going_on)}

    async def _ask_cost(self, since: datetime | None, told: Mapping[str, Numbers]) -> None:
        cost: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for call in self.model.calls.values():
            if since is None or call.started >= floor(since):
                cost[call.agent] += Counter(cost_micros=call.cost_micros, unpriced=call.unpriced)
        for agent in {*cost, *told}:
            known = told.get(agent, Numbers())
            assert {name: known[name] for name in ("cost_micros", "unpriced") if known[name]} == dict(cost[agent])
        if since is not None:
            async with self.db.reading() as db:
                together = await traffic.cost(db, since=since)
            expected = sum(cost.values(), Counter())
            assert (together.micros, together.unpriced) == (expected["cost_micros"], expected["unpriced"])


@pytest.fixture
async def database(database: Database) -> AsyncIterator[Database]:
    """As it is after the migration: Postgres was emptied."""
    async with database.transaction() as db:
        if await db.get(Summed, 1) is None:
            db.add(Summed(id=1))
    yield database


async def summed_until(database: Database) -> datetime | None:
    async with database.reading() as db:
        return await db.scalar(sa.select(Summed.until).where(Summed.id == 1))


async def sum_all(database: Database, *, now: datetime) -> int:
    """Sum until nothing is left; how often."""
    for n in itertools.count(1):
        async with database.transaction() as db:
            if not await sum_up(db, now=now):
                return n
    raise AssertionError


async def rows(database: Database) -> list[tuple[Any, ...]]:
    """Everything that is summed."""
    async with database.reading() as db:
        found: list[tuple[Any, ...]] = []
        for table in (TrafficRow, TrafficAnswers):
            found += [
                tuple(row)
                for row in await db.execute(sa.select(table.__table__).order_by(*table.__table__.primary_key))
            ]
        return found


# --- Whatever is summed when ------------------------------------------------------------------------------------------


class _Crash(Exception):
    """The process dies before the commit."""


@pytest.mark.parametrize("seed", range(3))
async def test_the_numbers_are_the_rows_whenever_they_are_summed_and_asked_for(database: Database, seed: int) -> None:
    office = Office(database, seed)
    await office.prepare()
    office.plan(NOW, hours=50, accesses=60, calls=45, refusals=12)
    chance = office.random
    held, summed = 0, [NOW]

    async def every(now: datetime) -> None:
        nonlocal held
        if chance.random() < (0.25, 0.05, 0.01)[seed]:  # each minute or so, or after days
            crash = chance.random() < 0.2
            try:
                async with database.transaction() as db:
                    await sum_up(db, now=now)
                    if crash:
                        raise _Crash
            except _Crash:
                pass
            until = await summed_until(database)
            if until is not None:
                assert until >= summed[-1]
                assert until == floor(until)
                assert until <= now - QUARTER
                still_open = [call.started for call in office.model.calls.values() if call.ended is None]
                assert all(until <= started for started in still_open), "an open call can still change its quarter hour"
                held += bool(still_open) and floor(min(still_open)) == until < floor(now - QUARTER)
                summed.append(until)
        if chance.random() < 0.15:
            await office.ask(now)

    over = await office.run(every)
    assert held, "no open call ever held the sums back: the test is too easy"
    await office.ask_everything()
    await sum_all(database, now=over + timedelta(hours=1))
    await office.ask_everything()
    await office.ask(over, times=30)


async def test_a_history_tells_the_same_before_while_and_after_it_is_summed(database: Database) -> None:
    office = Office(database, 7)
    await office.prepare()
    office.plan(NOW, hours=100, accesses=150, calls=60, refusals=30)
    now = await office.run() + timedelta(hours=1)
    await office.ask_everything()
    await office.ask(now, times=30)
    steps, more = 0, True
    while more:
        async with database.transaction() as db:
            more = await sum_up(db, now=now)
        steps += 1
        await office.ask_everything()
        await office.ask(now, times=10)
    assert steps >= 4, "a day at a time"
    assert await summed_until(database) == floor(now - QUARTER)

    first = await rows(database)
    assert await sum_all(database, now=now) == 1
    assert await rows(database) == first, "there was nothing more to sum"
    async with database.transaction() as db:
        for table in (TrafficRow, TrafficAnswers):
            await db.execute(sa.delete(table))
        await db.execute(sa.update(Summed).values(until=None))
    await sum_all(database, now=now)
    assert await rows(database) == first, "sums do not depend on when they are made"


async def test_the_last_instant_of_a_quarter_hour_belongs_to_it(database: Database) -> None:
    """SQLite rounds a moment to milliseconds before it counts seconds."""
    office = Office(database, 1)
    await office.prepare()
    for micros in (-1, -400, -600, 0, 1):
        at = NOW + QUARTER + timedelta(microseconds=micros)
        await office._access("banking", at)(at)
    await office.ask_everything()
    async with database.transaction() as db:
        await sum_up(db, now=NOW + 2 * QUARTER)
    await office.ask_everything()
    async with database.transaction() as db:
        await sum_up(db, now=NOW + 8 * QUARTER)
    await office.ask_everything()


async def test_days_begin_where_the_reader_is(database: Database) -> None:
    office = Office(database, 1)
    await office.prepare()
    at = datetime(2026, 3, 1, 18, 31, tzinfo=UTC)  # 2 March, 00:01 in India; 1 March, 15:01 in Newfoundland
    await office._access("banking", at)(at)
    wanted = {"since": at - timedelta(days=3), "until": at + timedelta(days=3), "bucket_s": 86_400}
    for _ in range(2):
        async with database.reading() as db:
            ((begin, _),) = await over_time(db, **wanted, offset_s=19_800)
            assert begin == datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
            ((begin, _),) = await over_time(db, **wanted, offset_s=-12_600)
            assert begin == datetime(2026, 3, 1, 3, 30, tzinfo=UTC)
            ((begin, _),) = await over_time(db, **wanted, offset_s=20_700)
            assert begin == datetime(2026, 3, 1, 18, 15, tzinfo=UTC)
        await sum_all(database, now=at + timedelta(days=1))


async def test_numbers_are_right_after_2038(database: Database) -> None:
    """Seconds since 1970 outgrow 32 bits on 19 January 2038."""
    office = Office(database, 1)
    await office.prepare()
    at = datetime(2038, 3, 1, 12, tzinfo=UTC)
    await office._access("banking", at)(at)
    for _ in range(2):
        await office.ask_everything()
        await sum_all(database, now=at + timedelta(hours=1))


# --- Many at once -----------------------------------------------------------------------------------------------------


async def test_two_processes_sum_up_while_rows_arrive_and_people_ask(database: Database) -> None:
    office = Office(database, 11)
    await office.prepare()
    office.plan(NOW, hours=80, accesses=120, calls=30, refusals=10)
    now = await office.run() + timedelta(hours=1)
    other = Database(str(database.url))
    done = asyncio.Event()
    told: list[int] = []
    fresh = 0

    async def summer(db: Database) -> int:
        """As the job does it, over and over; how often there was something to do."""
        worked = 0
        while not done.is_set():
            async with db.transaction() as session:
                before = await session.scalar(sa.select(Summed.until).where(Summed.id == 1))
                await sum_up(session, now=now + fresh * timedelta(minutes=1))
                worked += await session.scalar(sa.select(Summed.until).where(Summed.id == 1)) != before
            await asyncio.sleep(0)
        return worked

    async def arrive() -> None:
        nonlocal fresh
        for n in range(60):
            at = now + n * timedelta(minutes=1)
            await office._access(AGENTS[n % 3], at)(at)
            fresh = n + 1
            await asyncio.sleep(0)
        done.set()

    async def ask(db: Database) -> None:
        while not done.is_set():
            least = len(office.model.accesses)
            async with db.reading() as session:
                found = await over_time(session, since=NOW - QUARTER, until=now + timedelta(days=2), bucket_s=86_400)
                totals = await traffic.totals(session)
            counted = sum(numbers["accesses"] for numbers in found.values())
            assert counted == sum(numbers["accesses"] for numbers in totals.values()), "one moment, two answers"
            assert least <= counted <= len(office.model.accesses) + 1
            told.append(counted)

    try:
        worked, also_worked, *_ = await asyncio.gather(
            summer(database), summer(other), arrive(), ask(database), ask(other)
        )
        assert worked + also_worked >= 4
        assert len(set(told)) > 1, "nobody asked while rows arrived"
        await office.ask_everything()
        await sum_all(other, now=now + timedelta(hours=3))
        await office.ask_everything()
    finally:
        await other.close()


async def test_two_processes_find_nothing_summed_yet(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(sa.delete(Summed))
    office = Office(database, 3)
    await office.prepare()
    await office._access("banking", NOW)(NOW)
    other = Database(str(database.url))

    async def summed(db: Database) -> None:
        async with db.transaction() as session:
            await sum_up(session, now=NOW + timedelta(hours=2))

    try:
        await asyncio.gather(*(summed(db) for db in (database, other, database, other)))
    finally:
        await other.close()
    await office.ask_everything()
    async with database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Summed)) == 1


async def test_nothing_is_nothing(database: Database) -> None:
    async with database.transaction() as db:
        assert not await sum_up(db, now=NOW)
    async with database.reading() as db:
        assert await over_time(db, since=NOW, until=NOW + timedelta(days=1), bucket_s=3600) == {}
        assert await traffic.totals(db) == {}
        assert await traffic.live(db) == {}
    assert Numbers().answer_ms(0.5) is None


# --- Refusals ---------------------------------------------------------------------------------------------------------


async def refused(database: Database) -> dict[tuple[str, str], int]:
    async with database.reading() as db:
        query = sa.select(Refusal.agent_type, Refusal.reason, sa.func.sum(Refusal.count))
        found = await db.execute(query.group_by(Refusal.agent_type, Refusal.reason))
        return {(agent, reason): count for agent, reason, count in found}


def count(refusals: Refusals, pairs: Iterable[tuple[str, str]]) -> None:
    for agent, reason in pairs:
        refusals.count(agent, reason)


BUSY, MANY = ("banking", "server_busy"), ("hospital", "too_many_calls")


async def test_a_storm_of_refusals_makes_few_rows(database: Database) -> None:
    refusals = Refusals("here")
    assert not refusals.waiting
    count(refusals, [BUSY] * 1000 + [MANY])
    assert refusals.waiting
    for _ in range(2):
        async with database.transaction() as db:
            await refusals.write(db, now=NOW)
        assert not refusals.waiting
    assert await refused(database) == {BUSY: 1000, MANY: 1}
    async with database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Refusal)) == 2


async def test_refusals_that_were_not_committed_are_written_again_and_once(database: Database) -> None:
    refusals = Refusals("here")
    count(refusals, [BUSY] * 3)
    with pytest.raises(_Crash):
        async with database.transaction() as db:
            await refusals.write(db, now=NOW)
            count(refusals, [BUSY, MANY])  # somebody calls meanwhile
            raise _Crash
    assert await refused(database) == {}
    assert refusals.waiting
    async with database.transaction() as db:
        await refusals.write(db, now=NOW)
        count(refusals, [MANY])
    assert await refused(database) == {BUSY: 4, MANY: 1}
    async with database.transaction() as db:
        await refusals.write(db, now=NOW)
    assert await refused(database) == {BUSY: 4, MANY: 2}
    assert not refusals.waiting


async def test_refusals_outlive_a_statement_that_fails(database: Database) -> None:
    refusals = Refusals("x" * 121)  # longer than its column
    count(refusals, [BUSY] * 2)
    for _ in range(2):
        with pytest.raises(Exception, match="longer than 120"):
            async with database.transaction() as db:
                await refusals.write(db, now=NOW)
        assert refusals.waiting
    assert await refused(database) == {}


async def test_a_call_row_is_all_that_summing_needs(database: Database) -> None:
    """A call nobody answered, accessed or paid for is still a call."""
    office = Office(database, 1)
    await office.prepare()
    async with database.transaction() as db:
        await log.open_call(
            db, call_id="call_1", agent_type="banking", subject="x", role="user", channel="webrtc", at=NOW
        )
        await log.close_call(db, call_id="call_1", reason="failed", at=NOW + timedelta(seconds=3))
    office.model.calls["call_1"] = Call("call_1", "banking", NOW, None, NOW + timedelta(seconds=3), "failed")
    async with database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(CallRecord)) == 1
    for _ in range(2):
        await office.ask_everything()
        await sum_all(database, now=NOW + timedelta(hours=1))


# --- The routes -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client(database, traffic_routes.agents, traffic_routes.router) as http:
        yield http


async def test_a_period_ends_where_the_next_begins(database: Database, http: httpx.AsyncClient) -> None:
    office = Office(database, 1)
    await office.prepare()
    since, until = NOW, NOW + timedelta(hours=2)
    minute, instant = timedelta(minutes=1), timedelta(microseconds=1)
    for at in (since - minute, since - instant, since, since + minute, until - instant, until, until + minute):
        await office._access("banking", at)(at)
    for _ in range(2):
        told = await get(http, "/analytics/overview", from_=since.isoformat(), to=until.isoformat())
        assert told["totals"]["accesses"] == 3
        assert told["previous"]["accesses"] == 2
        assert [bucket["accesses"] for bucket in told["buckets"]] == [2, 1]
        assert sum(agent["accesses"] for agent in told["agents"]) == 3
        after = await get(
            http, "/analytics/overview", from_=until.isoformat(), to=(until + timedelta(hours=2)).isoformat()
        )
        assert (after["totals"]["accesses"], after["previous"]["accesses"]) == (2, 3)
        await sum_all(database, now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("hours", "bucket_minutes", "buckets"),
    [(24, 60, 24), (1, 15, 4), (1, 60, 1), (24, 1440, 1), (1, 1440, 1), (2160, 1440, 90), (7, 120, 4)],
)
async def test_traffic_reaches_back_as_far_as_asked_and_ends_now(
    database: Database, http: httpx.AsyncClient, hours: int, bucket_minutes: int, buckets: int
) -> None:
    office = Office(database, 1)
    await office.prepare()
    now = utc_now()
    await office._access("banking", now)(now)
    for offset in (0, 330, -210, 345, -720, 840):
        told = await get(
            http, "/api/agents/traffic", hours=hours, bucket_minutes=bucket_minutes, utc_offset_minutes=offset
        )
        (bank,) = [each for each in told if each["agent_type"] == "banking"]
        assert (bank["total"], bank["today"], bank["live"]) == (1, 1, 0)
        assert datetime.fromisoformat(bank["last_access"]) == now
        assert [bucket["accesses"] for bucket in bank["buckets"]] == [0] * (buckets - 1) + [1]
        begins = [datetime.fromisoformat(bucket["at"]) for bucket in bank["buckets"]]
        assert begins[-1] <= now < begins[-1] + timedelta(minutes=bucket_minutes)
        assert {later - at for at, later in itertools.pairwise(begins)} <= {timedelta(minutes=bucket_minutes)}
        assert begins == [floor(begin, bucket_minutes * 60, offset * 60) for begin in begins]


async def test_what_an_agents_calls_cost_in_all_and_today(database: Database, http: httpx.AsyncClient) -> None:
    now = utc_now()
    async with database.transaction() as db:
        for n, (ago, micros) in enumerate(((timedelta(days=2), 1), (timedelta(days=2), None), (timedelta(0), 10))):
            call_id, at = f"call_{n}", now - ago
            await log.open_call(
                db, call_id=call_id, agent_type="banking", subject="x", role="otp", channel="webrtc", at=at
            )
            await costs.record(db, call_id=call_id, usages=[Usage("llm", "dear", cost_micros=micros)])
            await log.close_call(db, call_id=call_id, reason="hung_up", at=at)
    for _ in range(2):
        (bank,) = [each for each in await get(http, "/api/agents/traffic") if each["agent_type"] == "banking"]
        assert bank["cost"] == {"cost_usd": 0.000011, "unpriced": True}
        assert bank["cost_today"] == {"cost_usd": 0.00001, "unpriced": False}
        await sum_all(database, now=now + timedelta(hours=1))


async def test_agents_nobody_has_called_and_agents_that_are_gone_are_told(
    database: Database, http: httpx.AsyncClient
) -> None:
    office = Office(database, 1)
    await office.prepare()
    now = utc_now()
    await office._access("dentist", now)(now)
    traffic_told = {each["agent_type"]: each["total"] for each in await get(http, "/api/agents/traffic")}
    assert traffic_told == {"banking": 0, "dentist": 1}
    overview = await get(http, "/analytics/overview")
    assert {each["agent_type"]: each["accesses"] for each in overview["agents"]} == traffic_told
    overview = await get(http, "/analytics/overview", agent_type="banking")
    assert (overview["totals"]["accesses"], [each["agent_type"] for each in overview["agents"]]) == (0, ["banking"])


async def test_the_overview_is_that_of_the_rows(database: Database, http: httpx.AsyncClient) -> None:
    office = Office(database, 5)
    await office.prepare()
    office.plan(NOW, hours=60, accesses=60, calls=40, refusals=10)
    now = await office.run() + timedelta(hours=1)
    (rated, also) = sorted(office.model.calls)[:2]
    async with database.transaction() as db:
        await log.rate(db, call_id=rated, subject="x", rating=5, comment=None)
        await log.rate(db, call_id=also, subject="x", rating=2, comment="meh")
    since, until = NOW - timedelta(hours=1), now + timedelta(days=1)
    (facts,) = collapse(office.model.over_time(since=since, until=until, bucket_s=86_400))
    for _ in range(2):
        told = await get(
            http, "/analytics/overview", from_=since.isoformat(), to=until.isoformat(), bucket_minutes=1440
        )
        totals = told["totals"]
        for name in ("accesses", "calls", "connected", "failed", "refused", "turns"):
            assert totals[name] == facts.sums[name]
            assert sum(bucket[name] for bucket in told["buckets"]) == totals[name]
            assert sum(agent[name] for agent in told["agents"]) == totals[name]
        assert totals["minutes"] == round(facts.sums["seconds"] / 60, 2)
        assert totals["cost_usd"] == facts.sums["cost_micros"] / 1_000_000
        assert totals["unpriced"] is (facts.sums["unpriced"] > 0)
        assert any(bucket["unpriced"] for bucket in told["buckets"]) is totals["unpriced"]
        assert any(agent["unpriced"] for agent in told["agents"]) is totals["unpriced"]
        assert totals["answered_share"] == facts.sums["connected"] / facts.sums["calls"]
        assert (totals["ratings"], totals["rating_mean"]) == (2, 3.5)
        assert {stage["key"]: stage["mean_ms"] for stage in told["stages"]} == {
            stage: round(facts.sums[f"{stage}_ms"] / facts.sums["turns"], 1) for stage in STAGES
        }
        failed = sorted(
            (call for call in office.model.calls.values() if call.reason in FAILED),
            key=lambda call: (call.started, call.id),
            reverse=True,
        )
        assert [failure["call_id"] for failure in told["failures"]] == [call.id for call in failed[:10]]
        assert told["previous"]["calls"] == 0
        assert told["previous"]["answered_share"] is None
        assert told["previous"]["answer_p50_ms"] is None
        await sum_all(database, now=until)


def collapse(found: dict[tuple[datetime, str], Facts]) -> list[Facts]:
    """All of it as one."""
    total = Facts()
    for facts in found.values():
        for name, value in facts.sums.items():
            total.sums[name] += value
        total.times_ms += facts.times_ms
    return [total]


async def test_calls_minutes_vendors_and_cost_per_caller_and_agent(database: Database, http: httpx.AsyncClient) -> None:
    async with database.transaction() as db:
        fair, expo = await otp.issue(db, secret="s" * 32, fmt="digits6", actor=SYSTEM, count=2, label="Fair")
        for n, (code, agent, hour) in enumerate(
            [(fair, "banking", 0), (fair, "banking", 30), (fair, "hospital", 1), (expo, "banking", 2)]
        ):
            at = NOW + timedelta(hours=hour)
            opened = {"call_id": f"call_{n}", "agent_type": agent, "at": at, "otp_id": code.id, "subject": code.id}
            await log.open_call(db, **opened, role="otp", channel="webrtc")
            await log.connected(db, call_id=f"call_{n}", at=at)
            spent = [
                Usage("stt", "dear", audio_ms=1_500, cost_micros=None if code is expo else 0),
                Usage("llm", "dear", input_tokens=900, cached_tokens=300, output_tokens=40, cost_micros=2_000),
                Usage("tts", "dear", characters=120, cost_micros=500),
            ]
            await costs.record(db, call_id=f"call_{n}", usages=spent)
            await log.close_call(db, call_id=f"call_{n}", reason="hung_up", at=at + timedelta(seconds=90))
        await log.open_call(
            db,
            call_id="call_live",
            agent_type="banking",
            subject=expo.id,
            otp_id=expo.id,
            role="otp",
            channel="webrtc",
            at=NOW + timedelta(hours=50),
        )

    async def sums(**query: Any) -> list[tuple[Any, ...]]:
        names = ("otp_id", "agent_type", "calls", "minutes", "heard_seconds", "input_tokens", "characters", "cost_usd")
        return [tuple(each[name] for name in names) for each in (await get(http, "/analytics/usage", **query))["data"]]

    once = (1, 1.5, 1.5, 900, 120, 0.0025)
    twice = (2, 3.0, 3.0, 1800, 240, 0.005)
    day = {"from_": NOW.isoformat(), "to": (NOW + timedelta(days=1)).isoformat()}
    assert set(await sums()) == {
        (fair.id, "banking", *twice),
        (fair.id, "hospital", *once),
        (expo.id, "banking", 2, *once[1:]),
    }
    assert set(await sums(**day)) == {
        (fair.id, "banking", *once),
        (fair.id, "hospital", *once),
        (expo.id, "banking", *once),
    }
    assert await sums(otp_id=fair.id, agent_type="banking") == [(fair.id, "banking", *twice)]
    assert await sums(otp_id=fair.id, from_=(NOW + timedelta(days=2)).isoformat()) == []
    first = await get(http, "/analytics/usage", per_page=2)
    assert (len(first["data"]), first["pagination"]["total"]) == (2, 3)
    assert {each["calls"] for each in first["data"]} == {2}, "the most calls first"
    assert {each["otp_label"] for each in first["data"]} == {"Fair"}
    whole = (await get(http, "/analytics/usage"))["data"]
    assert {(each["otp_id"], each["unpriced"]) for each in whole} == {(fair.id, False), (expo.id, True)}


async def test_what_makes_no_sense_is_refused(http: httpx.AsyncClient) -> None:
    for path, query in (
        ("/api/agents/traffic", {"hours": 2160, "bucket_minutes": 15}),
        ("/api/agents/traffic", {"hours": 2161}),
        ("/api/agents/traffic", {"bucket_minutes": 20}),
        ("/api/agents/traffic", {"utc_offset_minutes": 7}),
        ("/analytics/overview", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}),
        ("/analytics/overview", {"from": "2026-03-01T00:00:00"}),
        ("/analytics/overview", {"from": "2020-03-01T00:00:00Z", "bucket_minutes": 1440}),
        (
            "/analytics/overview",
            {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T01:15:00Z", "bucket_minutes": 15},
        ),
        ("/analytics/overview", {"from": "2999-03-01T00:00:00Z"}),
        ("/analytics/overview", {"from": "0001-01-01T00:00:00Z", "to": "0001-01-02T00:00:00Z"}),
        ("/analytics/overview", {"from": "9999-12-31T23:59:59-14:00"}),
        ("/analytics/overview", {"agent_type": "\x00"}),
        ("/api/agents/usage", {"before": "\x00"}),
        ("/api/agents/usage", {"otp_id": "\x00"}),
        ("/api/agents/usage", {"agent_type": "\x00"}),
    ):
        assert (await http.get(path, params=query)).status_code == 422, query
