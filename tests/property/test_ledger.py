"""The ledger under random work done at random times by many at once, on both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, holds, ledger
from banking.accounts import Account, AccountKind, AccountStatus, House
from banking.customers import Customer, KycStatus
from banking.ledger import Entry, InsufficientFunds, Leg, Posting, PostingKind
from core.db import Database, before_commit
from core.errors import AppError
from core.ids import new_id

T = TypeVar("T")

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


# --- Beside a model ---------------------------------------------------------------------------------------------------

FLOORS = (0, 0, -300)

who = st.integers(0, PEOPLE - 1)
keys = st.integers(0, 29)
some = st.sampled_from(["a little", "half", "all but one", "all there is", "one more", "what is held too"])


class Crash(Exception):
    """The process is gone before the commit."""


@dataclass
class Side:
    """An account of the model."""

    id: str
    floor: int | None
    balance: int = 0
    held: int = 0
    frozen: bool = False


@dataclass
class Made:
    """A posting of the model, under its key."""

    id: str
    content: tuple[object, ...]
    moves: dict[int, int]
    reversal: bool = False
    reversed: bool = False


@dataclass
class Promise:
    """A hold of the model."""

    id: str
    side: int
    amount: int
    expires_at: datetime
    end: str | None = None


@dataclass
class Books:
    """What the ledger must hold."""

    sides: list[Side] = field(default_factory=list)
    made: dict[int, Made] = field(default_factory=dict)
    promises: dict[str, Promise] = field(default_factory=dict)
    past: list[tuple[object, ...]] = field(default_factory=list)

    def much(self, n: int, how: str) -> int:
        """As much as somebody may ask of an account: around every bound there is."""
        side = self.sides[n]
        free = side.balance - side.held - (side.floor or 0)
        amounts = {
            "a little": 7,
            "half": free // 2,
            "all but one": free - 1,
            "all there is": free,
            "one more": free + 1,
        }
        return max(1, amounts.get(how, side.balance))

    def refusal(self, moves: dict[int, int], freed: tuple[int, int] = (-1, 0)) -> str | None:
        """Why these amounts cannot move, as the first account would say it."""
        for n, amount in moves.items():
            side = self.sides[n]
            if side.frozen:
                return "account_not_active"
            left = side.balance - side.held + amount + (freed[1] if n == freed[0] else 0)
            if amount < 0 and side.floor is not None and left < side.floor:
                return "insufficient_funds"
        return None

    def post(self, key: int, content: tuple[object, ...], moves: dict[int, int], **more: Any) -> str | None:
        """Why it is refused, or None and the balances are what they are then."""
        earlier = self.made.get(key)
        if earlier is not None:
            return None if earlier.content == content else "key_reused"
        refused = self.refusal(moves, **more)
        if refused is None:
            for n, amount in moves.items():
                self.sides[n].balance += amount
            self.made[key] = Made("", content, moves)
        return refused


class Machine(RuleBasedStateMachine):
    """Three people and the bank, who post, reverse, hold, freeze and fall over."""

    promised = Bundle("promised")

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        super().__init__()
        self.runner = runner
        self.database = database
        self.books = Books()
        self.now = NOW
        self.scope = new_id("run")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        ids = self.run(open_accounts(self.database))
        self.books.sides = [Side(id_, floor, OPENING) for id_, floor in zip(ids, FLOORS, strict=True)]
        house = self.run(self.prepare())
        self.books.sides.append(Side(house, None))

    async def prepare(self) -> str:
        async with self.database.transaction() as db:
            for side in self.books.sides:
                (await accounts.get(db, side.id)).floor_minor = side.floor
            account = Account(
                id=new_id("acc"),
                kind=AccountKind.INTERNAL,
                number=new_id("house"),
                currency="INR",
                status=AccountStatus.ACTIVE,
                opened_at=NOW,
            )
            db.add(account)
        return account.id

    # --- Acts ---

    async def post(self, db: AsyncSession, key: int, moves: dict[int, int]) -> Posting:
        return await ledger.post(
            db,
            legs=[Leg(self.books.sides[n].id, amount) for n, amount in moves.items()],
            kind=PostingKind.TRANSFER,
            narration="Moved",
            key=f"{self.scope}:{key}",
            at=self.now,
        )

    async def alone(self, key: int, moves: dict[int, int]) -> str:
        """Post in a transaction of its own; the posting's id, or the code of the refusal."""
        try:
            async with self.database.transaction() as db:
                return (await self.post(db, key, moves)).id
        except AppError as error:
            return error.code

    async def at_once(self, key: int, moves: dict[int, int], times: int) -> list[str]:
        answers, _ = await asyncio.gather(
            asyncio.gather(*(self.alone(key, moves) for _ in range(times))), self.look(self.database)
        )
        return answers

    def expect(self, key: int, expected: str | None, answers: Sequence[str]) -> None:
        """All the same: the refusal that was expected, or the posting that has the key."""
        if expected is not None:
            assert set(answers) == {expected}
            return
        (posted,) = set(answers)
        made = self.books.made[key]
        made.id = made.id or posted
        assert made.id == posted

    @rule(key=keys, source=who, to=who, amount=some, times=st.integers(1, 3))
    def move(self, key: int, source: int, to: int, amount: str, times: int) -> None:
        target = to if to != source else PEOPLE  # the bank's own
        much = self.books.much(source, amount)
        moves = {source: -much, target: much}
        expected = self.books.post(key, tuple(sorted(moves.items())), moves)
        self.expect(key, expected, self.run(self.at_once(key, moves, times)))

    @rule(key=keys, source=who, amount=some)
    def pay_everybody(self, key: int, source: int, amount: str) -> None:
        each = max(1, self.books.much(source, amount) // PEOPLE)
        moves = {n: each for n in range(PEOPLE + 1) if n != source} | {source: -each * PEOPLE}
        expected = self.books.post(key, tuple(sorted(moves.items())), moves)
        self.expect(key, expected, self.run(self.at_once(key, moves, 1)))

    @rule(key=keys, to=who, amount=some, then=st.sampled_from(["crash", "cancel"]))
    def fall_over(self, key: int, to: int, amount: str, then: str) -> None:
        """The money is moved and the hold placed, and then the transaction does not come to its end."""
        with pytest.raises((Crash, asyncio.CancelledError, AppError)):
            much = self.books.much(to, amount)
            self.run(self.broken(key, {PEOPLE: -much, to: much}, then))

    async def broken(self, key: int, moves: dict[int, int], then: str) -> None:
        async def fall(_: AsyncSession) -> None:
            raise Crash if then == "crash" else asyncio.CancelledError

        async with self.database.transaction() as db:
            before_commit(db, "fall", fall)
            await self.post(db, key, moves)
            await holds.place(
                db,
                account_id=self.books.sides[0].id,
                amount_minor=1,
                reason="Lost",
                key=new_id("key"),
                expires_at=self.now + timedelta(days=1),
                now=self.now,
            )

    @rule(first=keys, second=keys, source=who, amount=some)
    def two_in_one_transaction(self, first: int, second: int, source: int, amount: str) -> None:
        """Both or none."""
        much = self.books.much(source, amount)
        there, on = {source: -much, PEOPLE: much}, {PEOPLE: -2 * much, (source + 1) % PEOPLE: 2 * much}
        before = deepcopy((self.books.sides, self.books.made))
        expected = self.books.post(first, tuple(sorted(there.items())), there)
        if expected is None:
            expected = self.books.post(second, tuple(sorted(on.items())), on)
        if expected is not None:
            self.books.sides, self.books.made = before
        ids = self.run(self.both(first, there, second, on))
        if expected is None:
            assert isinstance(ids, tuple)
            for key, id_ in zip((first, second), ids, strict=True):
                self.expect(key, None, [id_])
        else:
            assert ids == expected

    async def both(self, first: int, there: dict[int, int], second: int, on: dict[int, int]) -> tuple[str, str] | str:
        try:
            async with self.database.transaction() as db:
                return (await self.post(db, first, there)).id, (await self.post(db, second, on)).id
        except AppError as error:
            return error.code

    @rule(key=keys, by=keys)
    def reverse(self, key: int, by: int) -> None:
        made = self.books.made.get(key)
        if made is None or not made.id:
            return
        moves = {n: -amount for n, amount in made.moves.items()}
        content = ("reversal", key)
        earlier = self.books.made.get(by)
        if made.reversal:
            expected: str | None = "not_reversible"
        elif earlier is None and made.reversed:
            expected = "already_reversed"
        else:
            expected = self.books.post(by, content, moves)
            if expected is None:
                self.books.made[by].reversal = made.reversed = True
        self.expect(by, expected, [self.run(self.undo(made.id, by))])

    async def undo(self, posting_id: str, key: int) -> str:
        try:
            async with self.database.transaction() as db:
                posting = await ledger.reverse(
                    db, posting_id=posting_id, key=f"{self.scope}:{key}", narration="Moved back", at=self.now
                )
        except AppError as error:
            return error.code
        return posting.id

    @rule(target=promised, side=who, amount=some, minutes=st.sampled_from([10, 60]))
    def hold(self, side: int, amount: str, minutes: int) -> Any:
        much = self.books.much(side, amount)
        expected = self.books.refusal({side: -much})
        expires_at = self.now + timedelta(minutes=minutes)
        answer = self.run(self.place(side, much, expires_at))
        if expected is not None:
            assert answer == expected
            return multiple()
        self.books.promises[answer] = Promise(answer, side, much, expires_at)
        self.books.sides[side].held += much
        return answer

    async def place(self, side: int, amount: int, expires_at: datetime) -> str:
        try:
            async with self.database.transaction() as db:
                hold = await holds.place(
                    db,
                    account_id=self.books.sides[side].id,
                    amount_minor=amount,
                    reason="Promised",
                    key=new_id("key"),
                    expires_at=expires_at,
                    now=self.now,
                )
        except AppError as error:
            return error.code
        return hold.id

    @rule(hold=promised)
    def release(self, hold: str) -> None:
        promise = self.books.promises[hold]
        expected = "hold_captured" if promise.end == "captured" else None
        if promise.end is None:
            self.free(promise, "released")
        assert self.run(self.let_go(hold)) == expected

    async def let_go(self, hold: str) -> str | None:
        try:
            async with self.database.transaction() as db:
                await holds.release(db, hold_id=hold, now=self.now)
        except AppError as error:
            return error.code
        return None

    def free(self, promise: Promise, end: str) -> None:
        promise.end = end
        self.books.sides[promise.side].held -= promise.amount

    @rule(hold=promised, key=keys, times=st.integers(1, 3))
    def capture_all(self, hold: str, key: int, times: int) -> None:
        self.capture(hold, key, 0, times)

    @rule(hold=promised, key=keys, less=st.sampled_from([1, 98]))
    def capture_some(self, hold: str, key: int, less: int) -> None:
        self.capture(hold, key, less, 1)

    def capture(self, hold: str, key: int, less: int, times: int) -> None:
        promise = self.books.promises[hold]
        amount = max(1, promise.amount - less)
        moves, content = {promise.side: -amount, PEOPLE: amount}, ("capture", hold, amount)
        earlier = self.books.made.get(key)
        mine = earlier is not None and earlier.content[:2] == ("capture", hold)
        if promise.end == "released":
            expected: str | None = "hold_released"
        elif promise.end == "captured" and not mine:
            expected = "hold_captured"
        elif promise.end is None and promise.expires_at <= self.now:
            expected = "hold_expired"
        else:
            expected = self.books.post(key, content, moves, freed=(promise.side, promise.amount))
            if expected is None and promise.end is None:
                self.free(promise, "captured")
        self.expect(key, expected, self.run(self.captures(hold, promise.side, key, amount, times)))

    async def captures(self, hold: str, side: int, key: int, amount: int, times: int) -> list[str]:
        async def once() -> str:
            try:
                async with self.database.transaction() as db:
                    posting = await holds.capture(
                        db,
                        hold_id=hold,
                        legs=[Leg(self.books.sides[side].id, -amount), Leg(self.books.sides[PEOPLE].id, amount)],
                        kind=PostingKind.PAYMENT,
                        narration="Paid",
                        key=f"{self.scope}:{key}",
                        at=self.now,
                    )
            except AppError as error:
                return error.code
            return posting.id

        return await asyncio.gather(*(once() for _ in range(times)))

    @rule(minutes=st.sampled_from([1, 10]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.run(self.expire())
        for promise in self.books.promises.values():
            if promise.end is None and promise.expires_at <= self.now:
                self.free(promise, "released")

    async def expire(self) -> None:
        async with self.database.transaction() as db:
            await holds.release_expired(db, now=self.now)

    @rule(side=who, frozen=st.booleans())
    def freeze(self, side: int, frozen: bool) -> None:
        self.books.sides[side].frozen = frozen
        self.run(self.set_status(side, AccountStatus.FROZEN if frozen else AccountStatus.ACTIVE))

    async def set_status(self, side: int, status: AccountStatus) -> None:
        async with self.database.transaction() as db:
            (await accounts.get(db, self.books.sides[side].id)).status = status

    @rule(
        act=st.sampled_from(
            [
                "UPDATE entries SET amount_minor = amount_minor + 1",
                "UPDATE entries SET balance_after_minor = 0",
                "UPDATE postings SET at = '2020-01-01'",
                "DELETE FROM entries",
                "DELETE FROM postings",
            ]
        )
    )
    def tamper(self, act: str) -> None:
        with pytest.raises(DBAPIError, match="append-only"):
            self.run(self.change(act))

    async def change(self, act: str) -> None:
        async with self.database.transaction() as db:
            await db.execute(sa.text(act))

    # --- What must be true ---

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        if len(self.books.sides) > PEOPLE:
            self.run(self.compare())

    async def compare(self) -> None:
        ids = [side.id for side in self.books.sides]
        async with self.database.reading() as db:
            held = {account.id: account for account in await db.scalars(sa.select(Account).where(Account.id.in_(ids)))}
            entries = (
                await db.execute(sa.select(Entry.__table__).where(Entry.account_id.in_(ids)).order_by(Entry.id))
            ).all()
            posted = set(await db.scalars(sa.select(Posting.key).where(Posting.key.startswith(f"{self.scope}:"))))
        assert [(held[side.id].balance_minor, held[side.id].held_minor) for side in self.books.sides] == [
            (side.balance, side.held) for side in self.books.sides
        ]
        assert posted == {f"{self.scope}:{key}" for key in self.books.made}
        past = [tuple(entry) for entry in entries]
        assert past[: len(self.books.past)] == self.books.past, "what was written stays as it was"
        self.books.past = past
        await self.look(self.database)

    @staticmethod
    async def look(database: Database) -> None:
        """Somebody who reads at any moment sees a ledger that adds up."""
        async with database.reading() as db:
            total = await db.scalar(sa.select(sa.func.sum(Account.balance_minor)))
            assert int(total or 0) == 0
            assert await ledger.check(db) == []


def test_whatever_is_done_the_ledger_is_as_the_model_says(shared_database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(shared_database_url)
        try:
            run_state_machine_as_test(
                lambda: Machine(runner, database),  # pyright: ignore[reportArgumentType] - it calls it, no more
                settings=settings(
                    max_examples=15,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                    # Shrinking would take longer than a test may; the steps of one run can be read as they are.
                    phases=[Phase.reuse, Phase.generate],
                    report_multiple_bugs=False,
                ),
            )
        finally:
            runner.run(database.close())
