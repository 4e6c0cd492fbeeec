"""Transfers under anything that can be done to them, beside a model that says what must come of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
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
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from banking import ledger, limits
from banking.accounts import Account
from banking.beneficiaries import COOL_OFF, COOL_OFF_MAX_MINOR, Beneficiary
from banking.ledger import Entry, Posting
from banking.transfers import DRAFT_LIFE, Factor, State, Transfer
from core.db import Database
from core.errors import AppError
from core.ids import new_id
from identity import audit
from identity.actor import SYSTEM
from identity.limits import TooManyAttempts
from identity.mfa import CHALLENGE_LIFE, MAX_TRIES
from tests.till import LONG_AGO, NOW, Person, Till

T = TypeVar("T")

HOLDS = 45_000_00
MFA_ABOVE = 15_000_00
PER_TRANSFER = 40_000_00
PER_DAY = 55_000_00

# Around every bound there is: the second factor, what new payees get, one transfer, one day, and all there is.
amounts = st.sampled_from(
    [1, 500_00, 9_000_00, MFA_ABOVE, MFA_ABOVE + 1, COOL_OFF_MAX_MINOR, PER_TRANSFER, PER_TRANSFER + 1]
)
which = st.integers(0, 3)  # of the payees


@dataclass
class Model:
    """What a transfer must look like."""

    id: str
    who: int
    payee: str
    amount: int
    key: str
    factor: bool
    expires_at: datetime
    state: State = State.DRAFTED
    failure: str | None = None
    code: str | None = None
    tries: int = 0
    asked: int = 0


@dataclass
class Payee:
    """A saved payee: of the customer at `who`; `here` is a customer too."""

    row: Beneficiary
    who: int
    since: datetime
    here: int | None
    removed: bool = False


@dataclass
class Books:
    """What the bank must hold after everything that was done."""

    balances: list[int] = field(default_factory=list)
    payees: dict[str, Payee] = field(default_factory=dict)
    drafts: dict[str, Model] = field(default_factory=dict)
    newest_challenge: dict[int, int] = field(default_factory=dict)
    asked: int = 0

    def used(self, who: int) -> int:
        """What a customer has moved today."""
        return sum(one.amount for one in self.drafts.values() if one.who == who and one.state is State.POSTED)

    def to_new(self, who: int, now: datetime) -> int:
        """What a customer has moved to payees who are new now."""
        return sum(
            one.amount
            for one in self.drafts.values()
            if one.who == who and one.state is State.POSTED and now < self.payees[one.payee].since + COOL_OFF
        )

    def obstacle(self, who: int, payee: str, amount: int, now: datetime) -> str | None:
        """Why a transfer cannot be, in the order in which it is looked at."""
        if amount > PER_TRANSFER:
            return "limit_per_transfer"
        if self.used(who) + amount > PER_DAY:
            return "limit_per_day"
        if now < self.payees[payee].since + COOL_OFF and self.to_new(who, now) + amount > COOL_OFF_MAX_MINOR:
            return "limit_new_payee"
        if amount > self.balances[who]:
            return "insufficient_funds"
        return None

    def execute(self, one: Model, now: datetime) -> None:
        """The money moves, or the transfer fails."""
        why = "payee_gone" if self.payees[one.payee].removed else self.obstacle(one.who, one.payee, one.amount, now)
        if why is not None:
            one.state, one.failure = State.FAILED, why
            return
        one.state = State.POSTED
        self.balances[one.who] -= one.amount
        here = self.payees[one.payee].here
        if here is not None:
            self.balances[here] += one.amount

    def confirm(self, one: Model, now: datetime) -> None:
        """A yes."""
        if one.state is not State.DRAFTED:
            return
        if now >= one.expires_at:
            one.state = State.EXPIRED
        elif one.factor and not self.payees[one.payee].removed:
            self.asked += 1
            self.newest_challenge[one.who] = one.asked = self.asked
            one.state, one.expires_at = State.CHALLENGED, now + CHALLENGE_LIFE
        else:
            self.execute(one, now)

    def answer(self, one: Model, right: bool, now: datetime) -> None:
        """A code."""
        if one.state is not State.CHALLENGED:
            return
        if now >= one.expires_at:
            one.state = State.EXPIRED
        elif self.newest_challenge[one.who] != one.asked:
            one.state, one.failure = State.FAILED, "factor_failed"
        elif right:
            self.execute(one, now)
        else:
            one.tries += 1
            if one.tries == MAX_TRIES:
                one.state, one.failure = State.FAILED, "factor_failed"


class Cut(Exception):
    """The process is gone."""


@contextmanager
def cut(database: Database, before: int) -> Iterator[None]:
    """Within this, the process dies before its `before`th statement."""
    engine, seen = database._writer.sync_engine, 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == before:
            raise Cut

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


class Bank(RuleBasedStateMachine):
    """Two customers who pay each other and somebody elsewhere, well and badly."""

    drafted = Bundle("drafted")

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        super().__init__()
        self.runner = runner
        self.database = database
        self.till = Till(database, mfa_above_minor=MFA_ABOVE)
        self.books = Books()
        self.now = NOW
        self.people: list[Person] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(target=drafted, asked=st.lists(st.tuples(which, amounts), min_size=3, max_size=6))
    def open(self, asked: list[tuple[int, int]]) -> Any:
        self.people = [self.run(self.till.person(name, holds=HOLDS)) for name in ("John Doe", "Jane Smith")]
        self.books.balances = [HOLDS, HOLDS]
        for person in self.people:
            self.run(self.limit(person))
        self.save(0, "Ravi", LONG_AGO, None)
        self.save(0, "Jane", LONG_AGO, 1)
        self.save(1, "John", LONG_AGO, 0)
        self.save(0, "Newcomer", NOW, None)
        drafts = [self.ask(n, amount) for n, amount in asked]
        return multiple(*[draft for draft in drafts if draft is not None])

    async def limit(self, person: Person) -> None:
        async with self.database.transaction() as db:
            await limits.set_for(
                db,
                actor=SYSTEM,
                customer_id=person.id,
                channel="web",
                per_transfer_minor=PER_TRANSFER,
                per_day_minor=PER_DAY,
                now=NOW,
            )

    def save(self, who: int, nickname: str, since: datetime, here: int | None) -> None:
        if here is None:
            row = self.run(self.till.payee(self.people[who], nickname, since=since))
        else:
            row = self.run(self.till.payee_here(self.people[who], self.people[here], nickname, since=since))
        self.books.payees[row.id] = Payee(row, who, since, here)

    def ask(self, n: int, amount: int) -> str | None:
        """Ask for a draft to the nth payee; its id, if it could be."""
        payee, to = list(self.books.payees.items())[n]
        key = new_id("key")
        refused = "no_payee" if to.removed else self.books.obstacle(to.who, payee, amount, self.now)
        try:
            row = self.run(self.till.draft(self.people[to.who], to.row, amount, key=key, now=self.now))
        except AppError as error:
            assert error.code == refused
            return None
        assert refused is None
        new = self.now < to.since + COOL_OFF
        assert row.factor is (Factor.NEW_PAYEE if new else Factor.AMOUNT if amount > MFA_ABOVE else Factor.NONE)
        expires_at = self.now + DRAFT_LIFE
        self.books.drafts[row.id] = Model(row.id, to.who, payee, amount, key, row.factor is not Factor.NONE, expires_at)
        return row.id

    # --- What people do ---

    @rule(target=drafted, n=which, amount=amounts)
    def draft(self, n: int, amount: int) -> Any:
        draft = self.ask(n, amount)
        return multiple() if draft is None else draft

    @rule(transfer=drafted, amount=amounts)
    def ask_again_by_the_same_key(self, transfer: str, amount: int) -> None:
        one = self.books.drafts[transfer]
        to = self.books.payees[one.payee].row
        again = self.run(self.till.draft(self.people[one.who], to, one.amount, key=one.key, now=self.now))
        assert again.id == one.id
        if amount != one.amount:
            with pytest.raises(AppError) as caught:
                self.run(self.till.draft(self.people[one.who], to, amount, key=one.key, now=self.now))
            assert caught.value.code == "key_reused"

    @rule(transfer=drafted, times=st.integers(1, 4))
    def confirm(self, transfer: str, times: int) -> None:
        one = self.books.drafts[transfer]
        try:
            rows = self.run(self.confirm_at_once(one, times))
        except TooManyAttempts:
            return
        self.books.confirm(one, self.now)
        self.remember_code(one)
        assert {row.state for row in rows} == {one.state}

    @rule(transfer=drafted)
    def go_through_with(self, transfer: str) -> None:
        self.confirm(transfer, 1)
        self.answer(transfer, True, 1)

    async def confirm_at_once(self, one: Model, times: int) -> list[Transfer]:
        """Several at once, while somebody looks on."""
        confirms = (self.till.confirm(self.people[one.who], self.stub(one), now=self.now) for _ in range(times))
        rows, _ = await asyncio.gather(asyncio.gather(*confirms), self.look())
        return rows

    @rule(transfer=drafted, right=st.booleans(), times=st.integers(1, 3))
    def answer(self, transfer: str, right: bool, times: int) -> None:
        one = self.books.drafts[transfer]
        code = one.code or "000000"
        typed = code if right else f"{(int(code) + 1) % 10**6:06d}"
        self.run(self.answer_at_once(one, typed, times))
        for _ in range(times):
            self.books.answer(one, right, self.now)

    async def answer_at_once(self, one: Model, code: str, times: int) -> None:
        answers = (self.till.answer(self.people[one.who], self.stub(one), code, now=self.now) for _ in range(times))
        await asyncio.gather(*answers, self.look())

    @rule(transfer=drafted)
    def decline(self, transfer: str) -> None:
        one = self.books.drafts[transfer]
        self.run(self.till.decline(self.people[one.who], self.stub(one), now=self.now))
        if one.state in (State.DRAFTED, State.CHALLENGED):
            one.state = State.DECLINED

    @rule(n=which)
    def remove_payee(self, n: int) -> None:
        to = list(self.books.payees.values())[n]
        if not to.removed and sum(not other.removed for other in self.books.payees.values()) > 2:
            self.run(self.till.remove(self.people[to.who], to.row))
            to.removed = True

    # --- What happens to them ---

    @rule(seconds=st.sampled_from([1, 30, 60, 120, 180]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        ended = self.run(self.till.expire(now=self.now))
        over = [
            one
            for one in self.books.drafts.values()
            if one.state in (State.DRAFTED, State.CHALLENGED) and one.expires_at <= self.now
        ]
        assert ended >= len(over)
        for one in over:
            one.state = State.EXPIRED

    @rule(transfer=drafted, statement=st.integers(1, 30))
    def crash(self, transfer: str, statement: int) -> None:
        one = self.books.drafts[transfer]
        challenged = one.state is State.CHALLENGED
        try:
            with cut(self.database, statement):
                if challenged:
                    self.run(self.till.answer(self.people[one.who], self.stub(one), one.code or "", now=self.now))
                else:
                    self.run(self.till.confirm(self.people[one.who], self.stub(one), now=self.now))
        except (Cut, TooManyAttempts):
            return  # and the model stays as it is
        if challenged:
            self.books.answer(one, True, self.now)
        else:
            self.books.confirm(one, self.now)
            self.remember_code(one)

    @rule(
        transfer=drafted,
        change=st.sampled_from(
            ["amount_minor = amount_minor + 1", "payee_name = 'Eve'", "link = 'x'", "account_id = 'x'"]
        ),
        state=st.sampled_from(["drafted", "confirmed", "challenged", "posted"]),
    )
    def tamper(self, transfer: str, change: str, state: str) -> None:
        for sql in (
            f"UPDATE transfers SET {change}, state = '{state}' WHERE id = '{transfer}'",
            "UPDATE entries SET amount_minor = 1",
            "DELETE FROM entries",
            "DELETE FROM postings",
        ):
            with pytest.raises(DBAPIError):
                self.run(self.change(sql))

    async def change(self, sql: str) -> None:
        async with self.database.transaction() as db:
            await db.execute(sa.text(sql))

    # --- What must be true ---

    @invariant()
    def the_bank_holds_what_the_model_holds(self) -> None:
        if self.people:
            self.run(self.compare())

    async def compare(self) -> None:
        async with self.database.reading() as db:
            held = dict((await db.execute(sa.select(Account.id, Account.balance_minor))).all())
            rows = (
                await db.scalars(sa.select(Transfer).where(Transfer.customer_id.in_([one.id for one in self.people])))
            ).all()
            posted = dict(
                (await db.execute(sa.select(Posting.key, Posting.id).where(Posting.key.startswith("transfer:")))).all()
            )
            sides = (
                await db.execute(
                    sa.select(Entry.posting_id, Entry.account_id, Entry.amount_minor).where(
                        Entry.posting_id.in_([row.posting_id for row in rows if row.posting_id])
                    )
                )
            ).all()
        assert [held[person.account_id] for person in self.people] == self.books.balances
        assert {row.id: (row.state, row.failure_code) for row in rows} == {
            one.id: (one.state, one.failure) for one in self.books.drafts.values()
        }
        moved = {(posting_id, account_id): amount for posting_id, account_id, amount in sides}
        for row in rows:
            assert row.posting_id == posted.get(f"transfer:{row.id}"), "one posting for each that says so, and no other"
            if row.posting_id is not None:
                assert moved[row.posting_id, row.account_id] == -row.amount_minor
                assert row.balance_after_minor is not None
                assert row.balance_after_minor >= 0
        assert Counter(posting_id for posting_id, _ in moved) == dict.fromkeys(
            (row.posting_id for row in rows if row.posting_id), 2
        )
        await self.look()

    async def look(self) -> None:
        """Somebody who reads at any moment sees a ledger that adds up."""
        async with self.database.reading() as db:
            total = await db.scalar(sa.select(sa.func.sum(Account.balance_minor)))
            assert int(total or 0) == 0
            assert await ledger.check(db) == []

    def teardown(self) -> None:
        self.run(self.verify())

    async def verify(self) -> None:
        async with self.database.reading() as db:
            assert (await audit.verify(db)).ok
            records, _ = await audit.page(db, act="transfer.posted", per_page=500)
        said_posted = Counter(record.subject for record in records)
        for one in self.books.drafts.values():
            assert said_posted[one.id] == (one.state is State.POSTED)

    def stub(self, one: Model) -> Transfer:
        """As much of a transfer as its id."""
        return Transfer(id=one.id)

    def remember_code(self, one: Model) -> None:
        if one.state is State.CHALLENGED and one.code is None:
            one.code = self.till.phone.code


def test_whatever_is_done_to_transfers_the_bank_is_as_the_model_says(shared_database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(shared_database_url)
        try:
            run_state_machine_as_test(
                lambda: Bank(runner, database),  # pyright: ignore[reportArgumentType] - it calls it, no more
                settings=settings(
                    max_examples=12,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                    # Shrinking would take longer than a test may; the steps of one run can be read as they are.
                    phases=[Phase.reuse, Phase.generate],
                    report_multiple_bugs=False,
                ),
            )
        finally:
            runner.run(database.close())
