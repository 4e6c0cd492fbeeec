"""The bank under fire: clients move money while the server, and Postgres under it, are killed again and again.

The workload and checks of Jepsen's bank test (https://github.com/jepsen-io/jepsen, `jepsen.tests.bank`), over HTTP
and on the product's own tables: `python -m bench bank --clients 32 --minutes 3 --kill-every 15`.

- Every reader, in one snapshot, sees entries that sum to zero per currency and balances whose total never changes.
- Every transfer that was acknowledged is there once; every one that was not is there once or not at all.
- Every account's balance is what it began with and its entries; the audit chain is whole and has a record of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from banking import ledger
from banking.accounts import Account
from banking.ledger import Entry, Posting
from banking.transfers import State, Transfer
from bench.postgres import Cluster, binaries
from bench.process import free_port
from core import vault
from core.db import Database
from core.errors import AppError
from core.settings import Settings
from identity import audit
from identity.audit import Heads

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = ("jane", "ravi", "mom", "mike")
PASSWORD = "password123"
SECRET = "a secret of the bench, long enough to be one"
MAX_RUPEES = 40
FINAL = (200, 201, 400, 401, 403, 404, 409, 422)
START_S = 60.0
GIVE_UP_S = 60.0
READ_EVERY_S = 0.2


@dataclass
class History:
    """What the clients saw.

    Attributes:
        acknowledged: Key to the transfer the server said was posted.
        refused: Keys the server refused for good, and why.
        open: Keys nobody ever got an answer to.
        latencies_s: Of requests that were answered at the first attempt.
    """

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)
    latencies_s: list[float] = field(default_factory=list)
    retries: int = 0
    replays: int = 0
    reads: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)


class Product:
    """The server in a process of its own, to be killed."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self.environment = {
            "PORT": str(self.port),
            "DATA_DIR": str(folder),
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "LOG_LEVEL": "ERROR",
            "SMART_TURN_PROCESS": "false",
            "RATE_FACTOR": "10000",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        """What the server runs with."""
        values = {name.lower(): value for name, value in self.environment.items()}
        return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue, reportArgumentType]

    async def start(self) -> None:
        """Start, and return when it is ready."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        with (self._folder / "server.log").open("ab") as log:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                [sys.executable, str(ROOT / "run.py"), "serve"],
                env={**kept, **self.environment},
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(START_S):
            while True:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the server ended: {(self._folder / 'server.log').read_text()[-2000:]}")
                try:
                    if (await http.get(f"{self.url}/readiness")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


class Client:
    """One customer's program: it never forgets what it asked for until it knows what became of it."""

    def __init__(self, product: Product, history: History, number: int, stop: asyncio.Event) -> None:
        self._product = product
        self._history = history
        self._name = PEOPLE[number % len(PEOPLE)]
        self._stop = stop
        self._random = random.Random(number)
        self._http = httpx.AsyncClient(base_url=product.url, trust_env=False, timeout=8)
        self._headers: dict[str, str] = {}

    async def log_in(self) -> None:
        """Get a token that outlives the run."""
        login = {"username": self._name, "password": PASSWORD}
        answer = await self._http.post("/api/v1/auth/login", json=login)
        answer.raise_for_status()
        self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def run(self) -> None:
        """Move money until told to stop, then until everything asked for is known."""
        try:
            payees = (await self._get("/api/v1/beneficiaries"))["data"]
            accounts = (await self._get("/api/v1/accounts"))["data"]
            while not self._stop.is_set():
                body = {
                    "beneficiary_id": self._random.choice(payees)["id"],
                    "account_id": self._random.choice(accounts)["id"],
                    "amount": self._random.randint(1, MAX_RUPEES),
                    "mode": "IMPS",
                }
                await self._send(body, str(uuid.uuid4()))
        finally:
            await self._http.aclose()

    async def _get(self, path: str) -> Any:
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            try:
                answer = await self._http.get(path, headers=self._headers)
                if answer.status_code == 200:
                    return answer.json()
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        raise TimeoutError(path)

    async def _send(self, body: dict[str, Any], key: str) -> None:
        history = self._history
        history.open.add(key)
        deadline = time.monotonic() + GIVE_UP_S
        first = True
        while time.monotonic() < deadline:
            began = time.monotonic()
            answer = await self._attempt(body, key)
            if answer is not None and answer.status_code in FINAL and not _in_flight(answer):
                if first:
                    history.latencies_s.append(time.monotonic() - began)
                self._settle(key, body, answer)
                if answer.status_code == 201 and self._random.random() < 0.1:
                    await self._again(body, key)
                return
            if answer is not None and answer.status_code >= 500 and answer.status_code != 503:
                history.faults.append(f"{answer.status_code}: {answer.text[:200]}")
            first = False
            history.retries += 1
            await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def _attempt(self, body: dict[str, Any], key: str) -> httpx.Response | None:
        try:
            headers = self._headers | {"Idempotency-Key": key}
            return await self._http.post("/api/v1/transfers", json=body, headers=headers)
        except httpx.TransportError:
            return None

    def _settle(self, key: str, body: dict[str, Any], answer: httpx.Response) -> None:
        history = self._history
        history.open.discard(key)
        if answer.status_code == 201:
            said = answer.json()
            if said["state"] != "posted" or said["amount_minor"] != body["amount"] * 100:
                history.faults.append(f"acknowledged otherwise than asked: {said}")
            history.acknowledged[key] = said
        else:
            history.refused[answer.json().get("error_code", str(answer.status_code))] += 1

    async def _again(self, body: dict[str, Any], key: str) -> None:
        """The same request again gets the same answer."""
        answer = await self._attempt(body, key)
        if answer is not None and answer.status_code == 201:
            self._history.replays += 1
            if answer.json()["id"] != self._history.acknowledged[key]["id"]:
                self._history.faults.append(f"another answer to the same key: {answer.text[:200]}")


def _in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json().get("error_code") == "in_flight"


async def totals(db: Database) -> tuple[dict[str, int], int]:
    """In one snapshot: what all entries sum to per currency, and the total of all customers' balances."""
    async with db.reading() as session:
        sums = select(Posting.currency, func.sum(Entry.amount_minor)).join(Entry, Entry.posting_id == Posting.id)
        rest = {currency: int(total) for currency, total in await session.execute(sums.group_by(Posting.currency))}
        held = await session.scalar(select(func.sum(Account.balance_minor)).where(Account.customer_id.is_not(None)))
        return rest, int(held or 0)


async def read_on(db: Database, history: History, constant: int, stop: asyncio.Event) -> None:
    """Look again and again, whatever dies meanwhile."""
    while not stop.is_set():
        try:
            rest, held = await totals(db)
        except AppError:
            await asyncio.sleep(READ_EVERY_S)
            continue
        history.reads += 1
        if any(rest.values()) or held != constant:
            history.faults.append(f"a reader saw {rest} and {held} instead of {constant}")
        await asyncio.sleep(READ_EVERY_S)


async def check(db: Database, history: History, settings: Settings, began: dict[str, int]) -> list[str]:
    """Hold the history against the database."""
    found = list(history.faults)
    signed = list(Heads.of_settings(settings, secret=SECRET).read())
    async with db.reading() as session:
        found += await ledger.check(session)
        rows = {row.id: row for row in await session.scalars(select(Transfer))}
        ids = {transfer["id"] for transfer in history.acknowledged.values()}
        if len(ids) != len(history.acknowledged):
            found.append("two keys were answered with one transfer")
        for transfer_id in ids:
            row = rows.get(transfer_id)
            if row is None or row.state is not State.POSTED:
                found.append(f"acknowledged, but not posted: {transfer_id}")
        keys = Counter((await session.scalars(select(Posting.key).where(Posting.key.startswith("transfer:")))).all())
        posted = {row.id for row in rows.values() if row.state is State.POSTED}
        if {f"transfer:{id_}" for id_ in posted} != set(keys):
            found.append("the transfers that say they are posted are not the postings there are")
        if len(posted) > len(ids) + len(history.open):
            found.append(f"{len(posted)} transfers for {len(ids)} acknowledged and {len(history.open)} open keys")
        unfinished = [row.id for row in rows.values() if row.state is State.CONFIRMED]
        if unfinished:
            found.append(f"half done: {unfinished[:5]}")
        moved: Counter[str] = Counter()
        for account_id, amount in await session.execute(
            select(Entry.account_id, Entry.amount_minor)
            .join(Posting, Posting.id == Entry.posting_id)
            .where(Posting.key.startswith("transfer:"))
        ):
            moved[account_id] += amount
        for account in await session.scalars(select(Account).where(Account.id.in_(began))):
            if account.balance_minor != began[account.id] + moved[account.id]:
                found.append(f"account {account.id}: {account.balance_minor}, not {began[account.id]} and its entries")
        verdict = await audit.verify(session, signed)
        if not verdict.ok:
            found.append(f"the audit chain is broken at {verdict.first_broken}: {verdict.why}")
        noted = set(await session.scalars(select(audit.Record.subject).where(audit.Record.act == "transfer.posted")))
        if not ids <= noted:
            found.append(f"{len(ids - noted)} acknowledged transfers without an audit record")
    return found


async def run(
    folder: Path, *, cluster: Cluster | None, clients: int, seconds: float, kill_every_s: float
) -> tuple[History, list[str]]:
    """One run; the history and every contradiction found."""
    vault.unlock(vault.Vault({"0": SECRET}))
    url = cluster.url(cluster.create()) if cluster else f"sqlite+aiosqlite:///{folder / 'bank.db'}"
    product = Product(folder, url)
    await product.start()
    db = Database(url)
    history = History()
    try:
        async with db.reading() as session:
            began = {a.id: a.balance_minor for a in await session.scalars(select(Account))}
        _, constant = await totals(db)
        stop = asyncio.Event()
        workers = [Client(product, history, number, stop) for number in range(clients)]
        for each in range(0, clients, 4):
            await asyncio.gather(*(worker.log_in() for worker in workers[each : each + 4]))
        running = [asyncio.create_task(worker.run()) for worker in workers]
        reader = asyncio.create_task(read_on(db, history, constant, stop))
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(left, kill_every_s))
            if time.monotonic() < ends_at:
                await _kill(product, cluster, history)
        stop.set()
        await asyncio.gather(*running, reader)
        await _kill(product, cluster, history)
        return history, await check(db, history, product.settings, began)
    finally:
        product.kill()
        await db.close()


async def _kill(product: Product, cluster: Cluster | None, history: History) -> None:
    """Kill the server; on Postgres every other time the database too, and sometimes the database alone."""
    history.kills += 1
    if cluster is not None and history.kills % 2 == 0:
        await asyncio.to_thread(cluster.kill)
        await asyncio.to_thread(cluster.start)
    product.kill()
    await product.start()


def report(name: str, history: History, found: list[str], seconds: float) -> dict[str, Any]:
    """The run in figures."""
    latencies = sorted(history.latencies_s) or [0.0]
    return {
        "database": name,
        "seconds": round(seconds),
        "kills": history.kills,
        "acknowledged": len(history.acknowledged),
        "refused": dict(history.refused),
        "never_answered": len(history.open),
        "retries": history.retries,
        "replays": history.replays,
        "snapshots_read": history.reads,
        "median_ms": round(statistics.median(latencies) * 1000, 1),
        "p95_ms": round(latencies[int(len(latencies) * 0.95)] * 1000, 1),
        "contradictions": found,
    }


def main() -> int:
    """Run on both databases and print what was found; 0 if nothing contradicts itself."""
    parser = argparse.ArgumentParser(prog="python -m bench bank", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--kill-every", type=float, default=15.0, metavar="S")
    options = parser.parse_args()
    names = ("sqlite", "postgres") if options.database == "both" else (options.database,)
    clean = True
    for name in names:
        with tempfile.TemporaryDirectory(prefix="parley-bank-") as folder:
            programs = binaries() if name == "postgres" else None
            if name == "postgres" and programs is None:
                print("postgres: not installed", file=sys.stderr)
                clean = False
                continue
            vault.unlock(vault.Vault({"0": SECRET}))
            cluster = Cluster(programs) if programs else None
            began = time.monotonic()
            try:
                history, found = asyncio.run(
                    run(
                        Path(folder),
                        cluster=cluster,
                        clients=options.clients,
                        seconds=options.minutes * 60,
                        kill_every_s=options.kill_every,
                    )
                )
            finally:
                if cluster is not None:
                    cluster.stop()
            print(json.dumps(report(name, history, found, time.monotonic() - began), indent=2), flush=True)
            clean = clean and not found
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
