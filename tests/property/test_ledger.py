"""The ledger under random work done at random times by many at once, on both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banking import accounts, ledger
from banking.accounts import Account, AccountKind, House
from banking.customers import Customer, KycStatus
from banking.ledger import Entry, InsufficientFunds, Leg, PostingKind
from core.db import Database
from core.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = 3
OPENING = 1000

# Every example works on accounts of its own in one database: so it also sees what the others left.
several_examples = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Move:
    """Somebody asks for a transfer, as often as `times` says, each time after some turns of the loop."""

    source: int
    target: int
    amount: int
    times: int
    delay: int


moves = st.lists(
    st.builds(
        Move,
        source=st.integers(0, PEOPLE - 1),
        target=st.integers(0, PEOPLE - 2),
        amount=st.integers(1, OPENING + 200),
        times=st.integers(1, 3),
        delay=st.integers(0, 6),
    ).map(
        # The target is one of the others.
        lambda move: Move(move.source, (move.source + 1 + move.target) % PEOPLE, move.amount, move.times, move.delay)
    ),
    min_size=1,
    max_size=12,
)


async def open_accounts(database: Database) -> list[str]:
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="Somebody", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
        await db.flush()
        opened = [
            await accounts.open_account(db, customer_id=customer.id, kind=AccountKind.SAVINGS, now=NOW)
            for _ in range(PEOPLE)
        ]
        opening = await accounts.house(db, House.OPENING, now=NOW)
        await ledger.post(
            db,
            legs=[Leg(opening, -OPENING * PEOPLE), *(Leg(account.id, OPENING) for account in opened)],
            kind=PostingKind.FORWARD,
            narration="Opening",
            key=new_id("key"),
            at=NOW,
        )
    return [account.id for account in opened]


async def ask(database: Database, ids: list[str], move: Move, key: str) -> str | None:
    """One attempt; the posting's id, or None if the money was not there."""
    for _ in range(move.delay):
        await asyncio.sleep(0)
    try:
        async with database.transaction() as db:
            posting = await ledger.post(
                db,
                legs=[Leg(ids[move.source], -move.amount), Leg(ids[move.target], move.amount)],
                kind=PostingKind.TRANSFER,
                narration="Moved",
                key=key,
                at=NOW,
            )
    except InsufficientFunds:
        return None
    return posting.id


@several_examples
@given(asked=moves)
async def test_whatever_is_asked_the_ledger_stays_true(database: Database, asked: list[Move]) -> None:
    ids = await open_accounts(database)
    keys = {new_id("key"): move for move in asked}
    attempts = [(key, move) for key, move in keys.items() for _ in range(move.times)]
    answers = await asyncio.gather(*(ask(database, ids, move, key) for key, move in attempts))

    posted: dict[str, set[str]] = {}
    for (key, _), answer in zip(attempts, answers, strict=True):
        if answer is not None:
            posted.setdefault(key, set()).add(answer)
    assert all(len(answer) == 1 for answer in posted.values()), "one key, one posting"

    # What was acknowledged is exactly what the balances say.
    expected = Counter(dict.fromkeys(ids, OPENING))
    for key in posted:
        move = keys[key]
        expected[ids[move.source]] -= move.amount
        expected[ids[move.target]] += move.amount
    async with database.reading() as db:
        held = dict((await db.execute(sa.select(Account.id, Account.balance_minor).where(Account.id.in_(ids)))).all())
        lowest = await db.scalar(sa.select(sa.func.min(Entry.balance_after_minor)).where(Entry.account_id.in_(ids)))
        assert await ledger.check(db) == []
    assert held == dict(expected)
    assert lowest is not None
    assert lowest >= 0, "not even for a moment below zero"


@several_examples
@given(asked=moves, cancel_after=st.lists(st.integers(0, 60), min_size=12, max_size=12))
async def test_transfers_cancelled_at_any_moment_happen_whole_or_not_at_all(
    database: Database, asked: list[Move], cancel_after: list[int]
) -> None:
    ids = await open_accounts(database)
    keys = [new_id("key") for _ in asked]
    tasks = [asyncio.create_task(ask(database, ids, move, key)) for move, key in zip(asked, keys, strict=True)]
    for turns, task in zip(cancel_after, tasks, strict=False):
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
    acknowledged = {
        key
        for key, result in zip(keys, await asyncio.gather(*tasks, return_exceptions=True), strict=True)
        if isinstance(result, str)
    }
    async with database.reading() as db:
        kept = set(await db.scalars(sa.select(ledger.Posting.key).where(ledger.Posting.key.in_(keys))))
        assert await ledger.check(db) == []
    assert acknowledged <= kept

    # Whoever was cut off asks again and gets one posting, whatever had happened.
    again = await asyncio.gather(*(ask(database, ids, move, key) for move, key in zip(asked, keys, strict=True)))
    async with database.reading() as db:
        kept_now = set(await db.scalars(sa.select(ledger.Posting.key).where(ledger.Posting.key.in_(keys))))
        assert await ledger.check(db) == []
    assert kept <= kept_now
    assert kept_now == {key for key, answer in zip(keys, again, strict=True) if answer is not None}
