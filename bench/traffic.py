"""What an operator waits for with a million calls on record: `python -m bench traffic`.

Accesses, calls, what they used, how they were answered and what was said in them, over 90 days, in SQLite and in
Postgres; then requests over HTTP to a server in a process of its own, one after the other, before the past is summed up
(a lock keeps the server from it) and after. Between the two the summing itself is timed. At the end every statement
behind the requests is printed with its query plan: EXPLAIN QUERY PLAN on SQLite, EXPLAIN ANALYZE on Postgres.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
from loguru import logger
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from bench import machine
from bench.bank import Product
from bench.postgres import Cluster, binaries
from calls import log, traffic
from calls.answers import STAGES, bucket_of
from calls.log import Wanted
from core.clock import utc_now
from core.db import Database, migrate
from core.settings import DEV_ADMIN_PASSWORD

GOAL_P95_MS = 100.0
GOAL_OF = "traffic, 24 h"
DAYS = 90
USES_PER_CODE = 5
BATCH = 20_000
AGENTS = ("banking", "hospital", "realestate")
WARMING = 4
SLOW = ((5.0, 3), (0.5, 20))
"""Requests that take longer than so many seconds are sent so often only, without warming up."""

OUT = Path("build/bench/traffic.json")
SAID = [
    f"{verb} {what} {when}"
    for verb in ("What is", "Tell me", "Please show me", "I would like to know", "Can you look up")
    for what in ("my balance", "the last five payments", "my electricity bill", "the free slots", "two-room flats")
    for when in ("now", "for March", "since Monday", "once more", "and then send five hundred to Ravi")
]


@dataclass(frozen=True, slots=True)
class Figure:
    """How long a request took.

    Attributes:
        refused: Requests that were not answered with 200: the database took longer than a statement may.
    """

    database: str
    summed: bool
    request: str
    requests: int
    p50_ms: float
    p95_ms: float
    refused: int


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Summing up everything at once: in all, and the longest of its transactions, during which SQLite has no writer."""

    database: str
    seconds: float
    transactions: int
    longest_ms: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement and how the database carries it out."""

    database: str
    request: str
    statement: str
    plan: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench traffic", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="calls, and as many accesses")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--no-plans", action="store_true", help="leave the query plans out")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    figures: list[Figure] = []
    caught_up: list[CatchingUp] = []
    plans: list[Plan] = []
    for name in args.databases:
        with _database(name) as url:
            began = time.monotonic()
            asyncio.run(_fill(url, args.rows))
            print(f"{name}: {args.rows:,} calls on record after {time.monotonic() - began:.0f} s", file=sys.stderr)
            asyncio.run(_measure(name, url, args.requests, figures, caught_up))
            if not args.no_plans:
                plans += asyncio.run(_plans(name, url))
    report = {
        "machine": machine.describe(),
        "rows": args.rows,
        "goal_p95_ms": GOAL_P95_MS,
        "figures": [asdict(figure) for figure in figures],
        "caught_up": [asdict(one) for one in caught_up],
        "plans": [asdict(plan) for plan in plans],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    for plan in plans:
        print(
            f"\n-- {plan.database}: {plan.request}\n{plan.statement}", *(f"    {line}" for line in plan.plan), sep="\n"
        )
    print(f"\n{_table(figures)}\n")
    for one in caught_up:
        print(
            f"{one.database}: summed up in {one.seconds:.1f} s, {one.transactions} transactions, "
            f"the longest {one.longest_ms:.0f} ms"
        )
    missed = [figure for figure in figures if _misses(figure)]
    return 1 if missed else 0


# --- Rows -------------------------------------------------------------------------------------------------------------


@contextmanager
def _database(name: str) -> Iterator[str]:
    """An empty migrated database, gone afterwards."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
            url = f"sqlite+aiosqlite:///{folder}/traffic.db"
            migrate(url)
            yield url
    else:
        programs = binaries()
        if programs is None:
            raise SystemExit("no Postgres programs (initdb, pg_ctl) were found; leave them out: --databases sqlite")
        cluster = Cluster(programs)
        try:
            url = cluster.url(cluster.create(migrated=False))
            migrate(url)
            yield url
        finally:
            cluster.stop()


Rows = dict[str, list[tuple[Any, ...]]]

COLUMNS: dict[str, tuple[str, ...]] = {
    "otp_codes": ("id", "code_hash", "label", "max_uses", "uses", "created_at"),
    "calls": (
        *("id", "agent_type", "subject", "role", "otp_id", "channel", "node", "state"),
        *("started_at", "connected_at", "ended_at", "end_reason", "stt", "llm", "tts", "rating"),
    ),
    "accesses": ("id", "otp_id", "agent_type", "at", "call_id"),
    "call_usage": (
        *("call_id", "kind", "provider", "audio_ms", "input_tokens", "cached_tokens", "output_tokens"),
        *("cache_write_tokens", "estimated_answers", "characters", "cost_micros"),
    ),
    "answers": ("call_id", "seq", "at", "greeting", "total_ms", *(f"{stage}_ms" for stage in STAGES), "bucket"),
    "turns": ("call_id", "seq", "role", "text", "interrupted", "started_at"),
}


def _rows(calls: int) -> Iterator[Rows]:
    """Batches of rows for so many calls, the oldest first, evenly over the days until a minute ago."""
    chance = random.Random(4)
    until = utc_now() - timedelta(minutes=1)
    step = timedelta(days=DAYS) / calls
    otp_id = ""
    for first in range(0, calls, BATCH):
        rows: Rows = {table: [] for table in COLUMNS}
        for n in range(first, min(first + BATCH, calls)):
            at = until - (calls - n) * step
            if n % USES_PER_CODE == 0:
                otp_id = _id("otp", chance)
                rows["otp_codes"].append((otp_id, f"{n:064x}", f"lot {n // 1000}", 5, 5, at))
            call_id, agent = _id("call", chance), AGENTS[n % 3]
            connected = None if n % 20 == 0 else at + timedelta(seconds=1)
            ended = at + timedelta(seconds=chance.randint(20, 40))
            reason = "never_connected" if connected is None else "failed" if n % 97 == 0 else "hung_up"
            rows["calls"].append(
                (
                    *(call_id, agent, otp_id, "otp", otp_id, "webrtc", "bench:1", "closed"),
                    *(at, connected, ended, reason, "a", "b", "c", 1 + n % 5 if n % 10 == 0 else None),
                )
            )
            rows["accesses"].append((_id("acc", chance), otp_id, agent, at, call_id))
            rows["call_usage"].append((call_id, "llm", "b", 0, 900, 300, 50, 0, 0, 0, chance.randint(100, 9000)))
            stages = [chance.randint(0, 120) for _ in STAGES]
            total = sum(stages)
            answered = at + timedelta(seconds=5)
            rows["answers"].append((call_id, 0, answered, False, total, *stages, bucket_of(total)))
            for seq, role in enumerate(("assistant", "user")):
                rows["turns"].append((call_id, seq, role, chance.choice(SAID), False, answered))
        yield rows


def _id(prefix: str, chance: random.Random) -> str:
    return f"{prefix}_{chance.getrandbits(80):020x}"


async def _fill(url: str, calls: int) -> None:
    """Write the rows as fast as the database takes them; Postgres gets the statistics that autovacuum would make."""
    if make_url(url).get_backend_name() == "sqlite":
        with sqlite3.connect(str(make_url(url).database)) as database:
            database.execute("PRAGMA synchronous=OFF")
            for rows in _rows(calls):
                for table, columns in COLUMNS.items():
                    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
                    plain = ([_plain(value) for value in row] for row in rows[table])
                    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", plain)
                database.commit()
        database.close()
    else:
        connection = await _connect(url)
        for rows in _rows(calls):
            for table, columns in COLUMNS.items():
                await connection.copy_records_to_table(table, records=rows[table], columns=columns)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()


def _plain(value: Any) -> Any:
    return value.isoformat(" ", "microseconds").removesuffix("+00:00") if isinstance(value, datetime) else value


async def _connect(url: str) -> asyncpg.Connection:
    parsed = make_url(url)
    return await asyncpg.connect(user=parsed.username, database=parsed.database, host=parsed.query["host"])


# --- Requests ---------------------------------------------------------------------------------------------------------


def _requests() -> dict[str, str]:
    """What is asked for, by what it is called in the report."""
    month = (utc_now() - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        GOAL_OF: "/api/agents/traffic",
        "traffic, 90 days": "/api/agents/traffic?hours=2160&bucket_minutes=1440&utc_offset_minutes=330",
        "overview, 30 days": f"/api/v1/analytics/overview?from={month}&bucket_minutes=1440",
        "calls, first page": "/api/v1/call-logs",
        "calls, failed, of one agent": "/api/v1/call-logs?outcome=failed&agent_type=banking",
        "calls, search": "/api/v1/call-logs?q=two-room+flats+since+Monday",
        "usage, last 100": "/api/agents/usage",
        "codes, first page": "/api/otps/",
    }


async def _measure(name: str, url: str, requests: int, figures: list[Figure], caught_up: list[CatchingUp]) -> None:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        product = Product(Path(folder), url)
        for summed in (False, True):
            if summed:
                caught_up.append(await _sum_up(name, url))
                print(json.dumps(asdict(caught_up[-1])), file=sys.stderr, flush=True)
            await product.start()
            try:
                async with httpx.AsyncClient(base_url=product.url, trust_env=False, timeout=120) as http:
                    await _log_in(http)
                    if summed:
                        await _ask(name, http, requests, figures, summed=True)
                    else:
                        async with _nothing_summed(url):
                            await _ask(name, http, requests, figures, summed=False)
            finally:
                product.kill()


async def _log_in(http: httpx.AsyncClient) -> None:
    form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
    login = (await http.post("/api/auth/login/admin", data=form)).raise_for_status()
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"


async def _ask(name: str, http: httpx.AsyncClient, requests: int, figures: list[Figure], *, summed: bool) -> None:
    for request, path in _requests().items():
        if not summed and not request.startswith(("traffic", "overview")):
            continue  # does not depend on it
        first_s, _ = await _timed(http, path)
        count = next((few for seconds, few in SLOW if first_s > seconds), requests)
        for _ in range(WARMING if count == requests else 0):
            await _timed(http, path)
        times = [await _timed(http, path) for _ in range(count)]
        p50, p95 = np.percentile([seconds * 1000 for seconds, _ in times], [50, 95])
        refused = sum(status != 200 for _, status in times)
        figures.append(Figure(name, summed, request, len(times), round(float(p50), 1), round(float(p95), 1), refused))
        print(json.dumps(asdict(figures[-1])), file=sys.stderr, flush=True)


async def _timed(http: httpx.AsyncClient, path: str) -> tuple[float, int]:
    began = time.perf_counter()
    answer = await http.get(path)
    return time.perf_counter() - began, answer.status_code


@asynccontextmanager
async def _nothing_summed(url: str) -> AsyncIterator[None]:
    """Hold the lock that the server's own summing needs; requests only read."""
    until = "SELECT until FROM traffic_summed WHERE id = 1"
    if make_url(url).get_backend_name() == "sqlite":
        database = sqlite3.connect(str(make_url(url).database), isolation_level=None, timeout=30)
        try:
            database.execute("BEGIN IMMEDIATE")
            assert database.execute(until).fetchone() == (None,), "the server was quicker; start again"
            yield
        finally:
            database.close()
    else:
        connection = await _connect(url)
        try:
            async with connection.transaction():
                assert await connection.fetchval(f"{until} FOR UPDATE") is None, "the server was quicker; start again"
                yield
        finally:
            await connection.close()


async def _sum_up(name: str, url: str) -> CatchingUp:
    """Do what the server's job does, while no server runs."""
    database, took_ms, more = Database(url), list[float](), True
    while more:
        began = time.perf_counter()
        async with database.transaction() as db:
            more = await traffic.sum_up(db, now=utc_now())
        took_ms.append((time.perf_counter() - began) * 1000)
    await database.close()
    if name == "postgres":
        connection = await _connect(url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
    return CatchingUp(name, round(sum(took_ms) / 1000, 1), len(took_ms), round(max(took_ms), 1))


# --- Plans ------------------------------------------------------------------------------------------------------------


async def _plans(name: str, url: str) -> list[Plan]:
    """Every statement behind the requests, with its plan."""
    now = utc_now()

    def over(days: int, bucket_s: int, *, timed: bool) -> Callable[[AsyncSession], Awaitable[object]]:
        since = now - timedelta(days=days)
        return lambda db: traffic.over_time(db, since=since, until=now, bucket_s=bucket_s, timed=timed)

    works: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
        "traffic: totals": traffic.totals,
        "traffic: live": traffic.live,
        "traffic: 24 h": over(1, 3600, timed=False),
        "overview: 30 days": over(30, 86_400, timed=True),
        "overview: ratings": lambda db: log.ratings(db, since=now - timedelta(days=30), until=now),
        "calls: first page": lambda db: log.page(db, Wanted()),
        "calls: search": lambda db: log.page(db, Wanted(search="two-room flats since Monday")),
    }
    database, found, asked = Database(url), list[Plan](), list[tuple[str, Any]]()
    engine = database._reader.sync_engine

    def note(_c: Any, _u: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
        asked.append((statement, parameters))

    for request, work in works.items():
        asked.clear()
        event.listen(engine, "before_cursor_execute", note)
        try:
            async with database.reading() as db:
                await work(db)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                found.append(Plan(name, request, _short(statement), await _explain(database, statement, parameters)))
    await database.close()
    return found


async def _explain(database: Database, statement: str, parameters: Any) -> list[str]:
    on_sqlite = database.dialect == "sqlite"
    prefix = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN (ANALYZE, COSTS OFF, SUMMARY ON)"
    async with database.reading() as db:
        connection = await db.connection()
        rows = (await connection.exec_driver_sql(f"{prefix} {statement}", parameters)).fetchall()
    return [str(row[-1]) for row in rows]


def _short(statement: str) -> str:
    """A statement without its list of columns."""
    flat = re.sub(r"\s+", " ", statement)
    return re.sub(r"^SELECT (.{60}).*? FROM (?=\w+(?: |$)|\()", r"SELECT \1… FROM ", flat)


# --- Report -----------------------------------------------------------------------------------------------------------


def _misses(figure: Figure) -> bool:
    return figure.request == GOAL_OF and figure.summed and (figure.p95_ms >= GOAL_P95_MS or figure.refused > 0)


def _table(figures: Sequence[Figure]) -> str:
    lines = ["| request | database | not summed yet, p50 / p95 ms | summed, p50 / p95 ms |", "|---" * 4 + "|"]
    for request in dict.fromkeys(figure.request for figure in figures):
        for database in dict.fromkeys(figure.database for figure in figures):
            cells = [
                next((f for f in figures if (f.request, f.database, f.summed) == (request, database, summed)), None)
                for summed in (False, True)
            ]
            lines.append(f"| {request} | {database} | {' | '.join(_cell(figure) for figure in cells)} |")
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "the same"
    if figure.refused == figure.requests:
        return "refused"
    return f"{figure.p50_ms:,.0f} / {figure.p95_ms:,.0f}{' (!)' if _misses(figure) or figure.refused else ''}"


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
