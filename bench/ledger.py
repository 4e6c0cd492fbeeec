"""Postings per second, beside the bare cost of writing the same two rows: SQLite and Postgres, 1 and 32 clients.

Three ways take turns in every cell, each on a database of its own with the same tables and the same settings:

- `driver`: BEGIN, one INSERT of two entries, COMMIT, by aiosqlite or asyncpg alone.
- `bare`: the same INSERT inside `Database.transaction()`.
- `post`: `ledger.post` inside `Database.transaction()`: accounts locked, money checked, posting, balances, entries.

`spread` takes each posting from another account, `hot` takes all of them from one. Clients ask again as soon as they
are answered. Both databases write to the disk as in production: SQLite with `synchronous=FULL`, Postgres with its
defaults.

Beside them, whole requests: `POST /api/v1/transfers` to a server in a process of its own, from the token to the
committed answer: log-in, limits, draft, consent, posting, audit record, kept answer. `spread` has four customers
sending, `hot` one of them, from one account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

import aiosqlite
import asyncpg
import httpx
import numpy as np
import sqlalchemy as sa
from loguru import logger

from banking import accounts, ledger
from banking.accounts import AccountKind, House
from banking.customers import Customer, KycStatus
from banking.ledger import Leg, Posting, PostingKind
from bench import machine
from bench.bank import PASSWORD, PEOPLE, Product
from bench.postgres import Cluster, binaries
from core.db import _SQLITE_PRAGMAS, POOL_SIZE, Database, migrate
from core.ids import new_id
from core.vault import Vault, unlock

GOAL = 2.0
CLIENTS = (1, 32)
PATTERNS = ("spread", "hot")
ACCOUNTS = 256
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUT = Path("build/bench/ledger.json")

INSERT = (
    "INSERT INTO entries (posting_id, account_id, amount_minor, balance_after_minor, counterparty, narration) "
    "VALUES ({}, {}, {}, {}, {}, {}), ({}, {}, {}, {}, {}, {})"
)


@dataclass(frozen=True, slots=True)
class Move:
    """One unit of work: an amount from one account to another, under a posting's id that nobody used."""

    posting_id: str
    source: str
    target: str

    @property
    def row(self) -> tuple[object, ...]:
        """Two entries as a posting would write them."""
        sent = (self.posting_id, self.source, -5, 100, "Jane Smith", "Sent ₹0.05 to Jane")
        received = (self.posting_id, self.target, 5, 100, "John Doe", "Received ₹0.05 from John Doe")
        return *sent, *received


Way = Callable[[Move], Awaitable[object]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Round:
    """One way, so many times: how long it took as a whole and each time."""

    seconds: float
    took_ms: list[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one way came to in one cell.

    Attributes:
        per_s: Units of work a second.
        p50_ms: From asking to the end of the commit, median.
        p95_ms: The same, 95th percentile.
    """

    per_s: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of database, number of clients and pattern.

    Attributes:
        ways: Way to its figure.
        post_to_bare: How many times as long as `bare` `post` takes: the median over the rounds, each beside its own.
        post_to_driver: The same beside `driver`.
    """

    database: str
    clients: int
    pattern: str
    ways: dict[str, Figure]
    post_to_bare: float
    post_to_driver: float


@dataclass(frozen=True, slots=True)
class Served:
    """Requests for a transfer in one combination of database, number of clients and pattern."""

    database: str
    clients: int
    pattern: str
    figure: Figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench ledger`; where posting takes more than twice as long as `bare`, it says so."""
    parser = argparse.ArgumentParser(prog="python -m bench ledger", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--work", type=int, default=1000, help="units of work per way and round")
    parser.add_argument("--requests", type=int, default=400, help="transfers over HTTP in each cell; 0: none")
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    unlock(Vault({"bench": "a key for measuring alone, of enough bytes"}))
    cells: list[Cell] = []
    served: list[Served] = []
    for name in args.databases:
        with _databases(name) as (*urls, bank), _runner() as runner:
            cells += runner.run(_measure(name, urls, rounds=args.rounds, work=args.work))
            if args.requests:
                served += runner.run(_serve(name, bank, requests=args.requests))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": machine.describe(),
        "goal": GOAL,
        "cells": [asdict(cell) for cell in cells],
        "served": [asdict(one) for one in served],
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(_table(cells))
    if served:
        print(f"\n{_served_table(served)}")
    return 0


def _runner() -> asyncio.Runner:
    """On the event loop the server runs on."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _measure(name: str, urls: Sequence[str], *, rounds: int, work: int) -> list[Cell]:
    async with _opened(urls[0]) as by_driver, _opened(urls[1]) as bare, _opened(urls[2]) as posting:
        async with _driver(by_driver) as driver:
            ways: dict[str, tuple[Database, Way]] = {
                "driver": (by_driver, driver),
                "bare": (bare, _bare(bare)),
                "post": (posting, _post(posting)),
            }
            people = {way: await _people(database) for way, (database, _) in ways.items()}
            cells = [
                await _cell(name, clients, pattern, ways, people, rounds=rounds, work=work)
                for clients in CLIENTS
                for pattern in PATTERNS
            ]
        async with posting.reading() as db:
            assert await ledger.check(db) == []
    return cells


async def _cell(
    name: str,
    clients: int,
    pattern: str,
    ways: dict[str, tuple[Database, Way]],
    people: dict[str, list[str]],
    *,
    rounds: int,
    work: int,
) -> Cell:
    took: dict[str, list[Round]] = {way: [] for way in ways}
    for n in range(-1, rounds):  # the first one warms up
        for way, (database, do) in ways.items():
            moves = _moves(people[way], work, pattern)
            if way != "post":
                await _postings_for(database, moves)
            result = await _round(do, moves, clients)
            if n >= 0:
                took[way].append(result)
    cell = Cell(
        database=name,
        clients=clients,
        pattern=pattern,
        ways={way: _figure(results) for way, results in took.items()},
        post_to_bare=_ratio(took["post"], took["bare"]),
        post_to_driver=_ratio(took["post"], took["driver"]),
    )
    print(json.dumps(asdict(cell)), file=sys.stderr, flush=True)
    return cell


async def _round(do: Callable[[T], Awaitable[object]], work: Sequence[T], clients: int) -> Round:
    waiting, took_ms = iter(work), list[float]()

    async def client() -> None:
        for unit in waiting:
            began = time.perf_counter()
            await do(unit)
            took_ms.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Round(time.perf_counter() - began, took_ms)


def _moves(people: Sequence[str], work: int, pattern: str) -> list[Move]:
    moves: list[Move] = []
    for _ in range(work):
        source, target = random.sample(people, 2)
        if pattern == "hot":
            source, target = people[0], random.choice(people[1:])
        moves.append(Move(new_id("pst"), source, target))
    return moves


# --- The ways ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _driver(database: Database) -> AsyncIterator[Way]:
    """The two rows by the driver alone, on as many connections as `Database` has for writing."""
    if database.dialect == "sqlite":
        sql, turn = INSERT.format(*"?" * 12), asyncio.Lock()
        async with aiosqlite.connect(str(database.url.database), isolation_level=None) as connection:
            for pragma in _SQLITE_PRAGMAS:
                await connection.execute(f"PRAGMA {pragma}")

            async def write(move: Move) -> None:
                async with turn:
                    await connection.execute("BEGIN IMMEDIATE")
                    await connection.execute(sql, move.row)
                    await connection.commit()

            yield write
    else:
        sql, url = INSERT.format(*(f"${n}" for n in range(1, 13))), database.url
        connect = {"user": url.username, "database": url.database, "host": url.query["host"]}
        async with asyncpg.create_pool(**connect, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:

            async def write_pooled(move: Move) -> None:
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute(sql, *move.row)

            yield write_pooled


async def _serve(name: str, url: str, *, requests: int) -> list[Served]:
    """Transfers over HTTP; the clients share this process, the server has its own."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        product = Product(Path(folder), url)
        await product.start()
        try:
            limits = httpx.Limits(max_connections=max(CLIENTS))
            async with httpx.AsyncClient(base_url=product.url, trust_env=False, timeout=60, limits=limits) as http:
                senders = [await _sender(http, person) for person in PEOPLE]
                await _round(lambda sender: sender(), senders * 10, 4)  # warms up
                cells: list[Served] = []
                for clients in CLIENTS:
                    for pattern, who in zip(PATTERNS, (senders, senders[:1]), strict=True):
                        work = [who[n % len(who)] for n in range(requests)]
                        result = await _round(lambda sender: sender(), work, clients)
                        cells.append(Served(name, clients, pattern, _figure([result])))
                        print(json.dumps(asdict(cells[-1])), file=sys.stderr, flush=True)
                return cells
        finally:
            product.kill()


async def _sender(http: httpx.AsyncClient, person: str) -> Callable[[], Awaitable[None]]:
    """What sends one rupee from one account of a demonstration customer to another customer."""
    login = await http.post("/api/v1/auth/login", json={"username": person, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
    payees = (await http.get("/api/v1/beneficiaries", headers=headers)).raise_for_status().json()["data"]
    held = (await http.get("/api/v1/accounts", headers=headers)).raise_for_status().json()["data"]
    body = {"beneficiary_id": payees[0]["id"], "account_id": held[0]["id"], "amount": 1, "mode": "IMPS"}

    async def send() -> None:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = await http.post("/api/v1/transfers", json=body, headers=headers | key)
        assert answer.status_code == 201, answer.text

    return send


def _bare(database: Database) -> Way:
    """The two rows in a transaction of ours."""
    statement = sa.text(INSERT.format(*(f":v{n}" for n in range(12))))

    async def write(move: Move) -> None:
        async with database.transaction() as db:
            await db.execute(statement, {f"v{n}": value for n, value in enumerate(move.row)})

    return write


def _post(database: Database) -> Way:
    """A whole posting in a transaction of ours."""

    async def write(move: Move) -> None:
        async with database.transaction() as db:
            await ledger.post(
                db,
                legs=[
                    Leg(move.source, -5, "Jane Smith", "Sent ₹0.05 to Jane"),
                    Leg(move.target, 5, "John Doe", "Received ₹0.05 from John Doe"),
                ],
                kind=PostingKind.TRANSFER,
                narration="Transfer",
                key=f"transfer:{move.posting_id}",
                at=NOW,
            )

    return write


# --- Databases --------------------------------------------------------------------------------------------------------


@contextmanager
def _databases(name: str) -> Iterator[list[str]]:
    """Four empty migrated databases of a kind, gone afterwards."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
            urls = [f"sqlite:///{folder}/{n}.db" for n in range(4)]
            for url in urls:
                migrate(url)
            yield urls
    else:
        programs = binaries()
        if programs is None:
            raise SystemExit("no Postgres programs (initdb, pg_ctl) were found; leave them out: --databases sqlite")
        cluster = Cluster(programs)  # with its own defaults: it loses nothing when the power fails
        try:
            urls = [cluster.url(cluster.create(migrated=False)) for _ in range(4)]
            for url in urls:
                migrate(url)
            yield urls
        finally:
            cluster.stop()


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def _people(database: Database) -> list[str]:
    """Accounts with money enough for every round."""
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="John Doe", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
        await db.flush()
        opening = await accounts.house(db, House.OPENING, now=NOW)
        opened = [
            await accounts.open_account(db, customer_id=customer.id, kind=AccountKind.SAVINGS, now=NOW)
            for _ in range(ACCOUNTS)
        ]
        for account in opened:
            await ledger.post(
                db,
                legs=[Leg(account.id, 10**9), Leg(opening, -(10**9))],
                kind=PostingKind.FORWARD,
                narration="Opening",
                key=f"open:{account.id}",
                at=NOW,
            )
    if database.dialect == "postgresql":
        async with database.transaction() as db:
            await db.execute(sa.text("ANALYZE"))
    return [account.id for account in opened]


async def _postings_for(database: Database, moves: Sequence[Move]) -> None:
    """The postings to which the bare entries refer; not part of what is measured."""
    same = {
        "content_hash": "0" * 64,
        "kind": PostingKind.TRANSFER,
        "narration": "Transfer",
        "currency": "INR",
        "at": NOW,
    }
    async with database.transaction() as db:
        await db.execute(
            sa.insert(Posting),
            [{"id": move.posting_id, "key": f"transfer:{move.posting_id}", **same} for move in moves],
        )


# --- Figures ----------------------------------------------------------------------------------------------------------


def _figure(rounds: Sequence[Round]) -> Figure:
    took_ms = [each for one in rounds for each in one.took_ms]
    p50, p95 = np.percentile(took_ms, [50, 95])
    return Figure(
        per_s=round(len(took_ms) / sum(one.seconds for one in rounds), 1),
        p50_ms=round(float(p50), 2),
        p95_ms=round(float(p95), 2),
    )


def _ratio(rounds: Sequence[Round], beside: Sequence[Round]) -> float:
    return round(median(one.seconds / other.seconds for one, other in zip(rounds, beside, strict=True)), 2)


def _table(cells: Sequence[Cell]) -> str:
    ways = list(cells[0].ways)
    lines = [
        "| database | clients | accounts | "
        + " | ".join(f"{way}/s | {way} p50 / p95 ms" for way in ways)
        + " | post ÷ bare | post ÷ driver |",
        "|---" * (5 + 2 * len(ways)) + "|",
    ]
    for cell in cells:
        figures = " | ".join(
            f"{cell.ways[way].per_s:.0f} | {cell.ways[way].p50_ms:.2f} / {cell.ways[way].p95_ms:.2f}" for way in ways
        )
        over = " (!)" if cell.post_to_bare > GOAL else ""
        lines.append(
            f"| {cell.database} | {cell.clients} | {cell.pattern} | {figures} | {cell.post_to_bare:.2f}{over} | "
            f"{cell.post_to_driver:.2f} |"
        )
    return "\n".join(lines)


def _served_table(served: Sequence[Served]) -> str:
    lines = ["| database | clients | accounts | transfers/s | p50 / p95 ms |", "|---" * 5 + "|"]
    for one in served:
        figure = one.figure
        lines.append(
            f"| {one.database} | {one.clients} | {one.pattern} | {figure.per_s:.0f} | "
            f"{figure.p50_ms:.1f} / {figure.p95_ms:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
