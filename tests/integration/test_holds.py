"""Money that is set aside: placed, captured, released, expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from banking import accounts, holds, ledger
from banking.accounts import Account, AccountKind, AccountStatus, House, InsufficientFunds
from banking.customers import Customer, KycStatus
from banking.holds import Hold
from banking.ledger import Leg, Posting, PostingKind
from core.db import Database
from core.errors import AppError, Conflict, Invalid, KeyReused, NotFound
from core.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)


class Desk:
    """An account with 1000 on it, a shop, and what is done with them, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.account = self.shop = ""

    async def open(self) -> None:
        async with self.database.transaction() as db:
            customer = Customer(id=new_id("cus"), name="Ada", kyc_status=KycStatus.VERIFIED, created_at=NOW)
            db.add(customer)
            await db.flush()
            account = await accounts.open_account(db, customer_id=customer.id, kind=AccountKind.SAVINGS, now=NOW)
            self.account, self.shop = account.id, await accounts.house(db, House.MERCHANTS, now=NOW)
            await ledger.post(
                db,
                legs=[Leg(self.account, 1000), Leg(self.shop, -1000)],
                kind=PostingKind.FORWARD,
                narration="Opening",
                key="open",
                at=NOW,
            )

    async def place(self, amount: int, key: str | None = None, **more: object) -> Hold:
        asked = {"account_id": self.account, "reason": "Hotel", "expires_at": LATER, "now": NOW} | more
        async with self.database.transaction() as db:
            return await holds.place(db, amount_minor=amount, key=key or new_id("key"), **asked)  # type: ignore[arg-type]

    async def release(self, hold: Hold) -> Hold:
        async with self.database.transaction() as db:
            return await holds.release(db, hold_id=hold.id, now=NOW)

    async def capture(self, hold: Hold, amount: int, key: str = "capture", at: datetime = NOW) -> Posting:
        async with self.database.transaction() as db:
            return await holds.capture(
                db,
                hold_id=hold.id,
                legs=[Leg(self.account, -amount, "Hotel"), Leg(self.shop, amount)],
                kind=PostingKind.PAYMENT,
                narration="Paid the hotel",
                key=key,
                at=at,
            )

    async def pay(self, amount: int, key: str | None = None) -> Posting:
        async with self.database.transaction() as db:
            return await ledger.post(
                db,
                legs=[Leg(self.account, -amount), Leg(self.shop, amount)],
                kind=PostingKind.PAYMENT,
                narration="Paid",
                key=key or new_id("key"),
                at=NOW,
            )

    async def expire(self, now: datetime, limit: int = 100) -> int:
        async with self.database.transaction() as db:
            return await holds.release_expired(db, now=now, limit=limit)

    async def stands(self) -> tuple[int, int, int]:
        """Balance, held, available; and nothing contradicts itself."""
        async with self.database.reading() as db:
            assert await ledger.check(db) == []
            account = await accounts.get(db, self.account)
            return account.balance_minor, account.held_minor, account.available.minor


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(database)
    await desk.open()
    return desk


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(AppError) as caught:
        await work
    return caught.value.code


async def test_what_is_held_is_there_but_cannot_be_spent(desk: Desk) -> None:
    await desk.place(400)
    assert await desk.stands() == (1000, 400, 600)
    with pytest.raises(InsufficientFunds) as caught:
        await desk.pay(601)
    assert (caught.value.balance.minor, caught.value.available.minor) == (1000, 600)
    await desk.pay(600)
    assert await desk.stands() == (400, 400, 0)


async def test_more_than_is_available_cannot_be_held(desk: Desk) -> None:
    await desk.place(400)
    assert await refused(desk.place(601)) == "insufficient_funds"
    await desk.place(600)
    assert await desk.stands() == (1000, 1000, 0)


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1, True, 1.0, "5"])
async def test_an_impossible_amount_is_not_held(desk: Desk, amount: int) -> None:
    with pytest.raises(Invalid):
        await desk.place(amount)
    assert await desk.stands() == (1000, 0, 1000)


async def test_a_hold_needs_time_and_an_account_that_may_be_used(desk: Desk) -> None:
    assert await refused(desk.place(1, expires_at=NOW)) == "bad_hold"
    with pytest.raises(NotFound):
        await desk.place(1, account_id="acc_nobody")
    async with desk.database.transaction() as db:
        (await accounts.get(db, desk.account)).status = AccountStatus.FROZEN
    assert await refused(desk.place(1)) == "account_not_active"


async def test_the_same_key_holds_once(desk: Desk) -> None:
    rows = await asyncio.gather(*(desk.place(300, "hotel") for _ in range(8)))
    assert len({row.id for row in rows}) == 1
    assert await desk.stands() == (1000, 300, 700)
    assert await refused(desk.place(301, "hotel")) == "key_reused"
    await desk.release(rows[0])
    assert (await desk.place(300, "hotel")).id == rows[0].id
    assert await desk.stands() == (1000, 0, 1000), "a key that was answered holds nothing again"


async def test_one_key_on_two_accounts_at_once_holds_once(desk: Desk) -> None:
    shops: list[str | BaseException] = []

    async def hold(account_id: str) -> str:
        return (await desk.place(10, "k", account_id=account_id)).id

    shops = await asyncio.gather(*(hold(a) for a in (desk.account, desk.shop) * 4), return_exceptions=True)
    assert len({result for result in shops if isinstance(result, str)}) == 1
    assert all(isinstance(error, KeyReused) for error in shops if not isinstance(error, str))
    async with desk.database.reading() as db:
        assert await ledger.check(db) == []


async def test_many_at_once_cannot_hold_the_same_money(desk: Desk) -> None:
    results = await asyncio.gather(
        *(desk.place(400) for _ in range(6)), *(desk.pay(400) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 10
    balance, held, available = await desk.stands()
    assert balance - held == available == 200


async def test_released_money_can_be_spent_and_is_released_once(desk: Desk) -> None:
    hold = await desk.place(400)
    assert (await desk.release(hold)).released_at == NOW
    assert await desk.stands() == (1000, 0, 1000)
    await asyncio.gather(*(desk.release(hold) for _ in range(5)))
    assert await desk.stands() == (1000, 0, 1000)
    assert await refused(desk.capture(hold, 400)) == "hold_released"


async def test_a_capture_takes_the_held_money_and_frees_the_rest(desk: Desk) -> None:
    hold = await desk.place(400)
    await desk.pay(600)
    posting = await desk.capture(hold, 350)
    assert await desk.stands() == (50, 0, 50)
    async with desk.database.reading() as db:
        assert (await db.get_one(Hold, hold.id)).captured_by == posting.id
        (line, _) = await ledger.statement(db, account_id=desk.account)
        assert (line.narration, line.amount.minor, line.balance_after.minor) == ("Paid the hotel", -350, 50)


async def test_a_hold_is_captured_once(desk: Desk) -> None:
    hold = await desk.place(400)
    postings = await asyncio.gather(*(desk.capture(hold, 400) for _ in range(8)))
    assert len({posting.id for posting in postings}) == 1
    assert await desk.stands() == (600, 0, 600)
    assert await refused(desk.capture(hold, 399)) == "key_reused"
    assert await refused(desk.capture(hold, 400, "another")) == "hold_captured"
    assert await refused(desk.release(hold)) == "hold_captured"
    assert await desk.stands() == (600, 0, 600)


async def test_a_key_that_has_posted_otherwise_captures_nothing(desk: Desk) -> None:
    first, second = await desk.place(100), await desk.place(100)
    await desk.pay(100, "paid")
    assert await refused(desk.capture(first, 100, "paid")) == "key_reused"
    await desk.capture(first, 100, "hotel")
    assert await refused(desk.capture(second, 100, "hotel")) == "key_reused"
    assert await desk.stands() == (800, 100, 700)


async def test_a_capture_fits_its_hold(desk: Desk) -> None:
    hold = await desk.place(400)
    assert await refused(desk.capture(hold, 401)) == "bad_hold"
    assert await refused(desk.capture(hold, -400)) == "bad_hold"
    assert await desk.stands() == (1000, 400, 600)


async def test_a_refused_capture_leaves_the_hold_even_if_the_transaction_goes_on(desk: Desk) -> None:
    hold = await desk.place(400)
    async with desk.database.transaction() as db:
        (await accounts.get(db, desk.shop)).status = AccountStatus.FROZEN
        with pytest.raises(Conflict):
            await holds.capture(
                db,
                hold_id=hold.id,
                legs=[Leg(desk.account, -400), Leg(desk.shop, 400)],
                kind=PostingKind.PAYMENT,
                narration="Paid",
                key="capture",
                at=NOW,
            )
    assert await desk.stands() == (1000, 400, 600)


async def test_what_the_session_knows_of_an_account_stays_true(desk: Desk) -> None:
    hold = await desk.place(400)
    async with desk.database.transaction() as db:
        account = await accounts.get(db, desk.account)
        await holds.capture(
            db,
            hold_id=hold.id,
            legs=[Leg(desk.account, -300), Leg(desk.shop, 300)],
            kind=PostingKind.PAYMENT,
            narration="Paid",
            key="capture",
            at=NOW,
        )
        assert (account.balance_minor, account.held_minor) == (700, 0)
        await holds.place(
            db, account_id=account.id, amount_minor=50, reason="Taxi", key="taxi", expires_at=LATER, now=NOW
        )
        assert account.available.minor == 650
    assert await desk.stands() == (700, 50, 650)


async def test_a_hold_ends_by_itself(desk: Desk) -> None:
    short, long = await desk.place(100), await desk.place(200, expires_at=LATER + timedelta(days=1))
    assert await desk.expire(LATER - timedelta(seconds=1)) == 0
    assert await refused(desk.capture(short, 100, at=LATER)) == "hold_expired"
    assert await desk.expire(LATER) == 1
    assert await desk.stands() == (1000, 200, 800)
    await desk.capture(long, 200, at=LATER)
    assert await desk.expire(LATER + timedelta(days=2)) == 0
    assert await desk.stands() == (800, 0, 800)


async def test_holds_end_in_portions_and_once_however_many_look(desk: Desk) -> None:
    for _ in range(5):
        await desk.place(10)
    assert await desk.expire(LATER, limit=2) == 2
    assert sum(await asyncio.gather(*(desk.expire(LATER) for _ in range(4)))) == 3
    assert await desk.stands() == (1000, 0, 1000)


async def test_release_capture_and_expiry_at_once_come_to_one_end(desk: Desk) -> None:
    for n in range(5):
        hold = await desk.place(100)
        results = await asyncio.gather(
            desk.release(hold), desk.capture(hold, 100, f"c{n}"), desk.expire(LATER), return_exceptions=True
        )
        assert all(isinstance(result, Hold | Posting | int | Conflict) for result in results)
        captured = isinstance(results[1], Posting)
        async with desk.database.reading() as db:
            row = await db.get_one(Hold, hold.id)
        assert not row.active
        assert (row.captured_by is not None) is captured
    balance, held, _ = await desk.stands()
    assert held == 0
    assert balance in range(500, 1001, 100)


async def test_the_active_holds_of_an_account_are_listed(desk: Desk) -> None:
    first, second = await desk.place(10), await desk.place(20)
    await desk.release(await desk.place(30))
    async with desk.database.reading() as db:
        assert [hold.id for hold in await holds.of_account(db, desk.account)] == sorted([first.id, second.id])


async def test_an_unknown_hold_is_not_found(desk: Desk) -> None:
    async with desk.database.transaction() as db:
        assert await refused(holds.release(db, hold_id="hld_nobody", now=NOW)) == "no_hold"


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE accounts SET held_minor = -1",
        "UPDATE accounts SET held_minor = balance_minor + 1 WHERE floor_minor IS NOT NULL",
        "UPDATE holds SET amount_minor = 0",
        "UPDATE holds SET released_at = '2026-03-01', captured_by = (SELECT id FROM postings)",
    ],
)
async def test_the_database_itself_refuses_what_cannot_be(desk: Desk, act: str) -> None:
    await desk.place(10)
    with pytest.raises(DBAPIError):
        async with desk.database.transaction() as db:
            await db.execute(sa.text(act))
    assert await desk.stands() == (1000, 10, 990)


async def test_the_check_finds_holds_that_do_not_add_up(desk: Desk) -> None:
    await desk.place(10)
    async with desk.database.transaction() as db:
        await db.execute(sa.update(Account).where(Account.id == desk.account).values(held_minor=15))
    async with desk.database.reading() as db:
        assert await ledger.check(db) == [f"account {desk.account}: 15 held, active holds sum to 10"]
