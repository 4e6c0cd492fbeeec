"""The bank in the database: accounts, ledger, customers, seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from banking import accounts, beneficiaries, customers, ledger, seed
from banking.accounts import Account, AccountKind, AccountStatus, House, WhichAccount
from banking.customers import Customer, KycStatus
from banking.ledger import Entry, Filter, InsufficientFunds, Leg, Posting, PostingKind
from core.db import Database
from core.errors import Conflict, Invalid, KeyReused, NotFound
from core.ids import new_id
from core.money import Money
from identity import otp
from identity.actor import SYSTEM

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "a secret of at least thirty-two bytes"


class Bank:
    """Short words for what the tests do again and again, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def customer(self, name: str = "Ada") -> str:
        async with self.database.transaction() as db:
            row = Customer(id=new_id("cus"), name=name, kyc_status=KycStatus.VERIFIED, created_at=NOW)
            db.add(row)
        return row.id

    async def account(
        self,
        customer_id: str | None = None,
        *,
        holds: int = 0,
        kind: AccountKind = AccountKind.SAVINGS,
        is_primary: bool = False,
        currency: str = "INR",
    ) -> str:
        customer_id = customer_id or await self.customer()
        async with self.database.transaction() as db:
            account = await accounts.open_account(
                db, customer_id=customer_id, kind=kind, now=NOW, is_primary=is_primary, currency=currency
            )
            opening = await accounts.house(db, House.OPENING, now=NOW, currency=currency)
            if holds:
                await ledger.post(
                    db,
                    legs=[Leg(account.id, holds), Leg(opening, -holds)],
                    kind=PostingKind.FORWARD,
                    narration="Opening",
                    key=f"open:{account.id}",
                    at=NOW,
                )
        return account.id

    async def move(self, source: str, target: str, amount: int, key: str | None = None, **more: object) -> Posting:
        return await self.post([Leg(source, -amount), Leg(target, amount)], key, **more)

    async def post(self, legs: Sequence[Leg], key: str | None = None, **more: object) -> Posting:
        options = {"kind": PostingKind.TRANSFER, "narration": "Moved", "at": NOW} | more
        async with self.database.transaction() as db:
            return await ledger.post(db, legs=legs, key=key or new_id("key"), **options)  # type: ignore[arg-type]

    async def balance(self, account_id: str) -> int:
        async with self.database.reading() as db:
            return (await ledger.balance(db, account_id)).minor

    async def problems(self) -> list[str]:
        async with self.database.reading() as db:
            return await ledger.check(db)

    async def postings(self) -> int:
        async with self.database.reading() as db:
            return (await db.scalar(sa.select(sa.func.count()).select_from(Posting))) or 0


@pytest.fixture
async def bank(database: Database) -> Bank:
    return Bank(database)


# --- The ledger -------------------------------------------------------------------------------------------------------


async def test_money_leaves_one_account_and_arrives_on_the_other(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    posting = await bank.move(ada, bob, 300)
    assert (await bank.balance(ada), await bank.balance(bob)) == (700, 300)
    async with bank.database.reading() as db:
        (line,) = await ledger.statement(db, account_id=bob)
    assert (line.posting_id, line.amount, line.balance_after, line.at) == (posting.id, Money(300), Money(300), NOW)
    assert await bank.problems() == []


async def test_each_side_has_its_own_words(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    await bank.post(
        [Leg(ada, -5, "Bob", "Sent to Bob"), Leg(bob, 5, "Ada")], kind=PostingKind.TRANSFER, category="gift"
    )
    async with bank.database.reading() as db:
        (sent,) = await ledger.statement(db, account_id=ada)
        (received,) = await ledger.statement(db, account_id=bob)
    assert (sent.counterparty, sent.narration, sent.category) == ("Bob", "Sent to Bob", "gift")
    assert (received.counterparty, received.narration) == ("Ada", "Moved")


async def test_the_same_key_posts_once_and_returns_the_same_posting(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    first = await bank.move(ada, bob, 900, key="transfer:1")
    again = await bank.move(ada, bob, 900, key="transfer:1", at=NOW + timedelta(hours=1))
    assert again.id == first.id, "although the money for a second one is not there"
    assert await bank.balance(bob) == 900


async def test_the_same_key_with_other_content_is_refused(bank: Bank) -> None:
    ada, bob, eve = await bank.account(holds=1000), await bank.account(), await bank.account(holds=1000)
    await bank.move(ada, bob, 100, key="transfer:1")
    for source, target, amount in ((ada, bob, 101), (ada, eve, 100), (eve, bob, 100), (bob, ada, 100)):
        with pytest.raises(KeyReused):
            await bank.move(source, target, amount, key="transfer:1")
    assert [await bank.balance(account) for account in (ada, bob, eve)] == [900, 100, 1000]


async def test_fifty_retries_at_once_post_once(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    ids = {posting.id for posting in await asyncio.gather(*(bank.move(ada, bob, 700, key="t:1") for _ in range(50)))}
    assert len(ids) == 1
    assert (await bank.balance(ada), await bank.balance(bob)) == (300, 700)
    assert await bank.problems() == []


async def test_one_key_on_different_accounts_at_once_posts_once(bank: Bank) -> None:
    sources = [await bank.account(holds=100) for _ in range(8)]
    target = await bank.account()
    results = await asyncio.gather(*(bank.move(s, target, 100, key="t:1") for s in sources), return_exceptions=True)
    refused = [result for result in results if isinstance(result, KeyReused)]
    assert len(refused) == 7
    assert await bank.balance(target) == 100


async def test_an_account_is_never_overdrawn(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    with pytest.raises(InsufficientFunds) as caught:
        await bank.move(ada, bob, 1001)
    assert (caught.value.code, caught.value.status, caught.value.balance) == ("insufficient_funds", 409, Money(1000))
    await bank.move(ada, bob, 1000)
    assert await bank.balance(ada) == 0
    assert await bank.problems() == []


async def test_a_refused_posting_leaves_nothing_behind_even_if_the_transaction_goes_on(bank: Bank) -> None:
    ada, bob = await bank.account(holds=10), await bank.account()
    before = await bank.postings()
    async with bank.database.transaction() as db:
        with pytest.raises(InsufficientFunds):
            await ledger.post(
                db,
                legs=[Leg(ada, -11), Leg(bob, 11)],
                kind=PostingKind.TRANSFER,
                narration="Too much",
                key="t:1",
                at=NOW,
            )
    assert await bank.postings() == before
    assert await bank.problems() == []
    await bank.move(ada, bob, 10, key="t:1")


async def test_many_at_once_cannot_spend_the_last_money_twice(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    results = await asyncio.gather(*(bank.move(ada, bob, 400) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(result, Posting) for result in results) == 2
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 18
    assert await bank.balance(ada) == 200


async def test_transfers_in_opposite_directions_do_not_block_each_other(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100_000), await bank.account(holds=100_000)
    there = (bank.move(ada, bob, 7) for _ in range(25))
    back = (bank.move(bob, ada, 5) for _ in range(25))
    await asyncio.gather(*there, *back)
    assert (await bank.balance(ada), await bank.balance(bob)) == (100_000 - 50, 100_000 + 50)
    assert await bank.problems() == []


async def test_a_frozen_account_takes_no_part(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account(holds=100)
    async with bank.database.transaction() as db:
        (await accounts.get(db, bob)).status = AccountStatus.FROZEN
    for source, target in ((ada, bob), (bob, ada)):
        with pytest.raises(Conflict) as caught:
            await bank.move(source, target, 10)
        assert caught.value.code == "account_not_active"


async def test_money_does_not_change_its_currency(bank: Bank) -> None:
    rupees, dollars = await bank.account(holds=100), await bank.account(currency="USD")
    with pytest.raises(Invalid) as caught:
        await bank.move(rupees, dollars, 10)
    assert caught.value.code == "currency_mismatch"


async def test_an_unknown_account_is_not_found(bank: Bank) -> None:
    ada = await bank.account(holds=100)
    with pytest.raises(NotFound):
        await bank.move(ada, "acc_nobody", 10)


async def test_a_posting_is_reversed_once(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    posting = await bank.move(ada, bob, 40)
    await bank.move(bob, ada, 40, key="undo:1", kind=PostingKind.REVERSAL, reverses=posting.id)
    await bank.move(ada, bob, 50)
    with pytest.raises(Conflict) as caught:
        await bank.move(bob, ada, 40, key="undo:2", kind=PostingKind.REVERSAL, reverses=posting.id)
    assert caught.value.code == "already_reversed"
    assert await bank.balance(bob) == 50


@pytest.mark.parametrize("table", ["entries", "postings"])
async def test_the_database_itself_refuses_to_change_the_past(bank: Bank, table: str) -> None:
    ada = await bank.account(holds=100)
    acts = [f"UPDATE {table} SET narration = 'x'", f"DELETE FROM {table}"]
    if bank.database.dialect == "postgresql":
        acts.append(f"TRUNCATE {table} CASCADE")
    for act in acts:
        with pytest.raises(DBAPIError, match="append-only"):
            async with bank.database.transaction() as db:
                await db.execute(sa.text(act))
    assert await bank.balance(ada) == 100
    assert await bank.problems() == []


async def test_the_database_itself_refuses_a_balance_below_the_floor(bank: Bank) -> None:
    ada = await bank.account(holds=100)
    with pytest.raises(DBAPIError):
        async with bank.database.transaction() as db:
            await db.execute(sa.update(Account).where(Account.id == ada).values(balance_minor=-1))


async def test_the_check_finds_what_is_wrong(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    await bank.move(ada, bob, 10)
    assert await bank.problems() == []
    async with bank.database.transaction() as db:
        await db.execute(sa.update(Account).where(Account.id == ada).values(balance_minor=95))
        await db.execute(
            sa.text(
                "INSERT INTO postings (id, key, content_hash, kind, narration, currency, at) "
                "SELECT 'pst_forged', 'forged', content_hash, kind, narration, 'USD', at FROM postings LIMIT 1"
            )
        )
        await db.execute(
            sa.text(
                "INSERT INTO entries (posting_id, account_id, amount_minor, balance_after_minor, counterparty, "
                "narration) VALUES ('pst_forged', :bob, 5, 15, '', '')"
            ),
            {"bob": bob},
        )
    problems = " | ".join(await bank.problems())
    assert "posting pst_forged: 1 entries sum to 5" in problems
    assert f"account {ada}: balance 95, entries sum to 90" in problems
    assert f"account {bob}: balance 10, entries sum to 15" in problems
    assert "not in its account's currency" in problems


async def test_a_statement_is_read_page_by_page(bank: Bank) -> None:
    ada, bob = await bank.account(holds=1000), await bank.account()
    for amount in range(1, 8):
        await bank.move(ada, bob, amount)
    seen: list[int] = []
    before: int | None = None
    async with bank.database.reading() as db:
        while page := await ledger.statement(db, account_id=bob, limit=3, before=before):
            assert len(page) <= 3
            seen += [line.amount.minor for line in page]
            before = page[-1].entry_id
        assert len(await ledger.statement(db, account_id=ada, with_forward=True)) == 8
        assert len(await ledger.statement(db, account_id=ada)) == 7
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_a_posting_sees_what_another_did_while_it_waited(bank: Bank) -> None:
    """Both ways: money that came makes it possible, money that left makes it impossible."""
    for came, expected in ((200, "posted"), (-200, "insufficient_funds")):
        ada, bob = await bank.account(holds=1000), await bank.account(holds=1000)
        async with bank.database.transaction() as db:
            await ledger.post(
                db,
                legs=[Leg(ada, came), Leg(bob, -came)],
                kind=PostingKind.TRANSFER,
                narration="Moved",
                key=new_id("key"),
                at=NOW,
            )
            waiting = asyncio.create_task(bank.move(ada, bob, 1000 + came // 2))
            await somebody_waits(bank)
        if expected == "posted":
            await waiting
        else:
            with pytest.raises(InsufficientFunds):
                await waiting
    assert await bank.problems() == []


async def somebody_waits(bank: Bank) -> None:
    """Come back when a transaction stands before a lock; on SQLite others wait before they begin."""
    if bank.database.dialect == "sqlite":
        return
    waiting = 0
    while not waiting:
        async with bank.database.reading() as db:
            waiting = await db.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_what_the_session_has_not_yet_written_counts(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    async with bank.database.transaction() as db:
        account = await accounts.get(db, ada)
        account.status = AccountStatus.FROZEN
        with pytest.raises(Conflict) as caught:
            await ledger.post(
                db,
                legs=[Leg(ada, -1), Leg(bob, 1)],
                kind=PostingKind.TRANSFER,
                narration="Moved",
                key="k",
                at=NOW,
            )
        assert caught.value.code == "account_not_active"


async def test_what_the_session_has_loaded_follows_the_money(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    async with bank.database.transaction() as db:
        loaded = await accounts.lock(db, [ada, bob])
        posting = await ledger.post(
            db, legs=[Leg(ada, -30), Leg(bob, 30)], kind=PostingKind.TRANSFER, narration="Moved", key="k", at=NOW
        )
        assert (loaded[ada].balance_minor, loaded[bob].balance_minor) == (70, 30)
        stored = await db.get_one(Posting, posting.id)
        columns = [column.name for column in Posting.__table__.columns]
        assert [getattr(posting, name) for name in columns] == [getattr(stored, name) for name in columns]
    assert (await bank.balance(ada), await bank.balance(bob)) == (70, 30)


async def test_many_legs_move_together(bank: Bank) -> None:
    employer = await bank.account(holds=1000)
    people = [await bank.account() for _ in range(49)]
    posting = await bank.post([Leg(employer, -490), *(Leg(person, 10) for person in people)])
    async with bank.database.reading() as db:
        entries = list(await db.scalars(sa.select(Entry).where(Entry.posting_id == posting.id).order_by(Entry.id)))
    assert [entry.account_id for entry in entries] == [employer, *people], "in the order in which they were given"
    assert await bank.problems() == []


@pytest.mark.parametrize("text", ["\x00", "x" * 201, "\ud800"])
async def test_text_that_cannot_be_kept_is_refused(bank: Bank, text: str) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    for legs, more in (
        ([Leg(ada, -1), Leg(bob, 1)], {"narration": text}),
        ([Leg(ada, -1), Leg(bob, 1)], {"category": text}),
        ([Leg(ada, -1, text), Leg(bob, 1)], {}),
        ([Leg(ada, -1, "", text), Leg(bob, 1)], {}),
    ):
        with pytest.raises(Invalid):
            await bank.post(legs, **more)
    with pytest.raises(Invalid):
        await bank.post([Leg(ada, -1), Leg(bob, 1)], key=text)
    assert await bank.balance(ada) == 100


async def test_a_moment_without_a_zone_is_refused(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    with pytest.raises(ValueError, match="naive"):
        await bank.move(ada, bob, 1, at=datetime(2026, 3, 1))  # noqa: DTZ001
    assert await bank.balance(ada) == 100


async def test_a_balance_cannot_leave_what_the_database_holds(bank: Bank) -> None:
    ada = await bank.account()
    async with bank.database.transaction() as db:
        opening = await accounts.house(db, House.OPENING, now=NOW)
        await db.execute(sa.update(Account).where(Account.id == opening).values(balance_minor=-(9 * 10**18)))
    with pytest.raises(Invalid) as caught:
        await bank.move(opening, ada, 1)
    assert caught.value.code == "bad_amount"
    assert await bank.balance(ada) == 0


async def test_a_posting_is_undone_by_its_mirror(bank: Bank) -> None:
    ada, bob = await bank.account(holds=100), await bank.account()
    posting = await bank.post([Leg(ada, -40, "Bob", "Sent to Bob"), Leg(bob, 40, "Ada")], category="gift")

    async def undo(key: str, posting_id: str = posting.id) -> Posting:
        async with bank.database.transaction() as db:
            return await ledger.reverse(db, posting_id=posting_id, key=key, narration="Sent back", at=NOW)

    undoing = await undo("undo:1")
    assert (undoing.kind, undoing.reverses, undoing.category) == (PostingKind.REVERSAL, posting.id, "gift")
    assert (await bank.balance(ada), await bank.balance(bob)) == (100, 0)
    assert (await undo("undo:1")).id == undoing.id
    with pytest.raises(Conflict) as caught:
        await undo("undo:2")
    assert caught.value.code == "already_reversed"
    with pytest.raises(Conflict) as caught:
        await undo("undo:3", undoing.id)
    assert caught.value.code == "not_reversible"
    with pytest.raises(NotFound):
        await undo("undo:4", "pst_nobody")
    async with bank.database.reading() as db:
        (newest, _) = await ledger.statement(db, account_id=ada)
    assert (newest.narration, newest.counterparty, newest.amount) == ("Sent back", "Bob", Money(40))
    assert await bank.problems() == []


async def test_money_that_was_spent_cannot_be_taken_back(bank: Bank) -> None:
    ada, bob, eve = await bank.account(holds=100), await bank.account(), await bank.account()
    posting = await bank.move(ada, bob, 40)
    await bank.move(bob, eve, 1)
    async with bank.database.transaction() as db:
        with pytest.raises(InsufficientFunds):
            await ledger.reverse(db, posting_id=posting.id, key="undo", narration="Sent back", at=NOW)
    assert await bank.balance(bob) == 39


async def test_every_reader_sees_money_that_sums_to_zero(bank: Bank) -> None:
    ring = [await bank.account(holds=1000) for _ in range(4)]
    done = asyncio.Event()
    seen = 0

    async def watch() -> None:
        nonlocal seen
        while not done.is_set():
            async with bank.database.reading() as db:
                total = await db.scalar(sa.select(sa.func.sum(Account.balance_minor)))
                assert int(total or 0) == 0
                assert await ledger.check(db) == []
            seen += 1

    watcher = asyncio.create_task(watch())
    for _ in range(10):
        await asyncio.gather(*(bank.move(ring[n], ring[(n + 1) % 4], 10 + n) for n in range(4)))
    done.set()
    await watcher
    assert seen > 0


# --- Statements and spending ------------------------------------------------------------------------------------------


DAY = timedelta(days=1)


async def shopping(bank: Bank) -> tuple[str, str, str]:
    """Ada's savings and current account after some days, and a shop."""
    ada = await bank.customer()
    savings, current = await bank.account(ada, holds=10_000), await bank.account(ada, kind=AccountKind.CURRENT)
    shop = await bank.account(holds=10_000)
    events = (
        (savings, shop, 500, 0, PostingKind.PAYMENT, "groceries", "Paid for groceries", "Corner Shop"),
        (savings, shop, 300, 1, PostingKind.PAYMENT, "Groceries", "Paid 100%_off", "Market"),
        (shop, savings, 5000, 2, PostingKind.INCOME, "salary", "Received salary", "Acme"),
        (savings, current, 2000, 3, PostingKind.TRANSFER, None, "Between my accounts", ""),
        (current, shop, 700, 4, PostingKind.BILL, "electricity", "Paid the electricity bill", "Power & Light"),
        (savings, shop, 50, 5, PostingKind.FEE, None, "Fee", ""),
    )
    for source, target, amount, day, kind, category, narration, other in events:
        legs = [Leg(source, -amount, other), Leg(target, amount, other)]
        await bank.post(legs, kind=kind, category=category, narration=narration, at=NOW + day * DAY)
    return savings, current, shop


@pytest.mark.parametrize(
    ("only", "amounts"),
    [
        (Filter(), [-50, -2000, 5000, -300, -500]),
        (Filter(since=NOW + DAY, until=NOW + 3 * DAY), [5000, -300]),
        (Filter(category=" GROCERIES "), [-300, -500]),
        (Filter(direction="in"), [5000]),
        (Filter(direction="out", min_minor=300, max_minor=500), [-300, -500]),
        (Filter(kind=PostingKind.FEE), [-50]),
        (Filter(text="paid"), [-300, -500]),
        (Filter(text="corner"), [-500]),
        (Filter(text="100%_o"), [-300]),
        (Filter(text="100x_o"), []),
        (Filter(text="  "), [-50, -2000, 5000, -300, -500]),
        (Filter(category="groceries", text="market", direction="in"), []),
    ],
)
async def test_a_statement_holds_what_is_asked_for(bank: Bank, only: Filter, amounts: list[int]) -> None:
    savings, _, _ = await shopping(bank)
    async with bank.database.reading() as db:
        lines = await ledger.statement(db, account_id=savings, only=only)
        paged, total = await ledger.page(db, account_ids=[savings], only=only)
    assert [line.amount.minor for line in lines] == amounts
    assert (paged, total) == (lines, len(amounts))


async def test_several_accounts_are_read_together_by_time(bank: Bank) -> None:
    savings, current, _ = await shopping(bank)
    async with bank.database.reading() as db:
        pages = [await ledger.page(db, account_ids=[savings, current], page=n, per_page=3) for n in range(1, 5)]
        assert await ledger.page(db, account_ids=[]) == ([], 0)
        assert await ledger.page(db, account_ids=[savings, current], page=2**62, per_page=2**62) == ([], 7)
    assert [total for _, total in pages] == [7] * 4
    lines = [line for lines, _ in pages for line in lines]
    assert [len(lines) for lines, _ in pages] == [3, 3, 1, 0]
    assert [(line.account_id, line.amount.minor) for line in lines] == [
        (savings, -50),
        (current, -700),
        (current, 2000),
        (savings, -2000),
        (savings, 5000),
        (savings, -300),
        (savings, -500),
    ]


async def test_spending_is_what_went_to_others(bank: Bank) -> None:
    savings, current, shop = await shopping(bank)
    async with bank.database.reading() as db:

        async def spent(*ids: str, days: int = 10, category: str | None = None) -> ledger.Spending:
            until = NOW + days * DAY
            return await ledger.spent(db, account_ids=ids, since=NOW, until=until, category=category)

        both, alone, early = await spent(savings, current), await spent(savings), await spent(savings, days=1)
        food = await spent(savings, current, category="groceries")
        none, theirs = await spent(), await spent(shop)
    assert (both.total, both.count) == (Money(1550), 4)
    assert both.by_category == {
        "groceries": Money(800),
        "electricity": Money(700),
        "other": Money(50),
    }
    assert (alone.total, alone.count) == (Money(850), 3), "what went to the current account is still hers"
    assert (food.total, food.count) == (Money(800), 2)
    assert (early.total, early.count) == (Money(500), 1)
    assert (none.total, none.count, none.by_category) == (Money(0), 0, {})
    assert theirs.total == Money(0), "a salary is no spending of the one who is paid from"


async def test_what_came_back_was_not_spent(bank: Bank) -> None:
    ada, shop = await bank.account(holds=1000), await bank.account()
    kept = await bank.move(ada, shop, 100, kind=PostingKind.PAYMENT)
    gone = await bank.move(ada, shop, 200, kind=PostingKind.PAYMENT)
    async with bank.database.transaction() as db:
        await ledger.reverse(db, posting_id=gone.id, key="undo", narration="Sent back", at=NOW + 40 * DAY)
    async with bank.database.reading() as db:
        spending = await ledger.spent(db, account_ids=[ada], since=NOW, until=NOW + DAY)
    assert (spending.total, spending.count) == (Money(100), 1)
    assert kept.reverses is None


async def test_a_payment_shared_with_an_own_account_counts_what_left(bank: Bank) -> None:
    ada = await bank.customer()
    savings, current = await bank.account(ada, holds=1000), await bank.account(ada, kind=AccountKind.CURRENT)
    shop = await bank.account(holds=10_000)
    await bank.post([Leg(savings, -100), Leg(current, 40), Leg(shop, 60)], kind=PostingKind.PAYMENT)
    async with bank.database.reading() as db:
        for ids in ([savings], [savings, current]):
            spending = await ledger.spent(db, account_ids=ids, since=NOW, until=NOW + DAY)
            assert spending.total == Money(60)


async def test_money_of_several_currencies_is_not_added_up(bank: Bank) -> None:
    ada = await bank.customer()
    ids = [await bank.account(ada), await bank.account(ada, currency="USD", kind=AccountKind.CURRENT)]
    async with bank.database.reading() as db:
        with pytest.raises(Invalid) as caught:
            await ledger.spent(db, account_ids=ids, since=NOW, until=NOW + DAY)
    assert caught.value.code == "currency_mismatch"


# --- Accounts ---------------------------------------------------------------------------------------------------------


async def find(bank: Bank, customer_id: str, kind: str | None = None) -> str:
    async with bank.database.reading() as db:
        return (await accounts.find_own(db, customer_id=customer_id, kind=kind)).id


async def test_the_only_account_needs_no_name(bank: Bank) -> None:
    ada = await bank.customer()
    only = await bank.account(ada)
    assert await find(bank, ada) == only
    assert await find(bank, ada, " Savings ") == only


async def test_the_account_that_is_named_is_found(bank: Bank) -> None:
    ada = await bank.customer()
    savings, current = await bank.account(ada), await bank.account(ada, kind=AccountKind.CURRENT)
    assert await find(bank, ada, "savings") == savings
    assert await find(bank, ada, "current") == current
    with pytest.raises(WhichAccount) as caught:
        await find(bank, ada)
    assert caught.value.code == "which_account"
    assert "your savings account" in caught.value.spoken
    assert "your current account" in caught.value.spoken


async def test_the_primary_account_is_meant_when_none_is_named(bank: Bank) -> None:
    ada = await bank.customer()
    await bank.account(ada)
    primary = await bank.account(ada, kind=AccountKind.CURRENT, is_primary=True)
    assert await find(bank, ada) == primary
    with pytest.raises(IntegrityError):
        await bank.account(ada, is_primary=True)


async def test_two_of_a_kind_are_told_apart_by_their_last_digits(bank: Bank) -> None:
    ada = await bank.customer()
    ids = [await bank.account(ada) for _ in range(2)]
    async with bank.database.reading() as db:
        digits = [" ".join((await accounts.get(db, id_)).number[-4:]) for id_ in ids]
    with pytest.raises(WhichAccount) as caught:
        await find(bank, ada, "savings")
    assert all(each in caught.value.spoken for each in digits)


async def test_an_account_that_is_not_there_is_not_found(bank: Bank) -> None:
    ada, nobody = await bank.customer(), await bank.customer()
    await bank.account(ada)
    for customer_id, kind in ((ada, "current"), (ada, "internal"), (ada, "x" * 1000), (nobody, None)):
        with pytest.raises(NotFound) as caught:
            await find(bank, customer_id, kind)
        assert caught.value.code == "no_account"
        assert "xxx" not in caught.value.spoken


async def pays_from(bank: Bank, customer_id: str, amount: int, kind: str | None = None) -> str:
    async with bank.database.reading() as db:
        return (await accounts.to_pay_from(db, customer_id=customer_id, amount_minor=amount, kind=kind)).id


async def test_the_account_that_pays_is_the_usual_one_if_it_can(bank: Bank) -> None:
    ada = await bank.customer()
    savings = await bank.account(ada, holds=100, is_primary=True)
    current = await bank.account(ada, holds=500, kind=AccountKind.CURRENT)
    assert await pays_from(bank, ada, 100) == savings
    assert await pays_from(bank, ada, 101) == current
    assert await pays_from(bank, ada, 101, "savings") == savings, "named is meant"
    with pytest.raises(InsufficientFunds) as caught:
        await pays_from(bank, ada, 501)
    assert caught.value.balance == Money(100), "of the usual one"


async def test_another_account_pays_only_if_there_is_one_way(bank: Bank) -> None:
    ada = await bank.customer()
    await bank.account(ada, holds=10, is_primary=True)
    others = [await bank.account(ada, holds=500, kind=AccountKind.CURRENT) for _ in range(2)]
    with pytest.raises(InsufficientFunds):
        await pays_from(bank, ada, 100)
    async with bank.database.transaction() as db:
        (await accounts.get(db, others[0])).status = AccountStatus.FROZEN
    assert await pays_from(bank, ada, 100) == others[1]


async def test_without_a_usual_account_one_must_be_named(bank: Bank) -> None:
    ada = await bank.customer()
    await bank.account(ada, holds=500)
    current = await bank.account(ada, kind=AccountKind.CURRENT, holds=500)
    with pytest.raises(WhichAccount):
        await pays_from(bank, ada, 100)
    assert await pays_from(bank, ada, 100, "current") == current


async def test_a_customers_account_is_found_by_its_number(bank: Bank) -> None:
    ada = await bank.account()
    async with bank.database.transaction() as db:
        account = await accounts.get(db, ada)
        house = await accounts.get(db, await accounts.house(db, House.CASH, now=NOW))
        found = await accounts.by_number(db, account.number)
        assert found is not None
        assert found.id == ada
        assert await accounts.by_number(db, house.number) is None
        assert await accounts.by_number(db, "000000000000") is None
        account.status = AccountStatus.CLOSED
        assert await accounts.by_number(db, account.number) is None


async def test_what_can_be_spent_goes_down_to_the_floor(bank: Bank) -> None:
    ada = await bank.account(holds=100)
    async with bank.database.transaction() as db:
        account = await accounts.get(db, ada)
        account.floor_minor = -50
        assert account.available == Money(150)
    bob = await bank.account()
    await bank.move(ada, bob, 150)
    with pytest.raises(InsufficientFunds) as caught:
        await bank.move(ada, bob, 1)
    assert (caught.value.balance, caught.value.available) == (Money(-50), Money(0))


async def test_nobody_reaches_anothers_account(bank: Bank) -> None:
    ada, eve = await bank.customer(), await bank.customer()
    account_id = await bank.account(ada)
    async with bank.database.reading() as db:
        assert (await accounts.own(db, customer_id=ada, account_id=account_id)).id == account_id
        with pytest.raises(NotFound):
            await accounts.own(db, customer_id=eve, account_id=account_id)


async def test_a_house_account_is_opened_once(bank: Bank) -> None:
    async def open_it() -> str:
        async with bank.database.transaction() as db:
            return await accounts.house(db, House.CASH, now=NOW)

    assert len(set(await asyncio.gather(*(open_it() for _ in range(10))))) == 1


# --- Guests -----------------------------------------------------------------------------------------------------------


async def new_code(bank: Bank) -> str:
    async with bank.database.transaction() as db:
        (code,) = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6", max_uses=5)
    return code.id


async def admit(bank: Bank, otp_id: str) -> str:
    async with bank.database.transaction() as db:
        return await customers.admit_guest(db, otp_id, NOW)


PRINTED = [
    ("credit", 5000, "Received ₹5000 from Salary", "2025-11-20 09:30", 10000),
    ("debit", 2000, "Paid ₹2000 for groceries", "2025-11-19 14:15", 8000),
    ("debit", 1000, "Sent ₹1000 to Ravi", "2025-11-18 11:45", 7000),
    ("credit", 1500, "Received ₹1500 from Mom", "2025-11-17 16:20", 8500),
]


def as_printed(lines: list[ledger.Line]) -> list[tuple[str, int, str, str, int]]:
    """Statement lines in the words of the demonstration API's document."""
    return [
        (
            "credit" if line.amount.minor > 0 else "debit",
            abs(line.amount.minor) // 100,
            line.narration,
            f"{line.at:%Y-%m-%d %H:%M}",
            line.balance_after.minor // 100,
        )
        for line in lines
    ]


async def test_a_guest_gets_a_customer_of_their_own_at_first_use(bank: Bank) -> None:
    otp_id = await new_code(bank)
    customer_id = await admit(bank, otp_id)
    assert await admit(bank, otp_id) == customer_id
    async with bank.database.reading() as db:
        account = await accounts.find_own(db, customer_id=customer_id)
        assert account.balance == Money(10_000_00)
        assert as_printed(await ledger.statement(db, account_id=account.id)) == PRINTED
        assert {"Ravi", "Jane", "John", "Mom", "Mike"} <= set(await beneficiaries.names(db, customer_id))
    assert await bank.problems() == []


async def test_two_first_uses_at_once_make_one_customer(bank: Bank) -> None:
    otp_id = await new_code(bank)
    assert len(set(await asyncio.gather(*(admit(bank, otp_id) for _ in range(8))))) == 1
    async with bank.database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Customer)) == 1
    assert await bank.problems() == []


async def test_guests_are_admitted_together_and_never_share_money(bank: Bank) -> None:
    codes = [await new_code(bank) for _ in range(6)]
    guests = await asyncio.gather(*(admit(bank, otp_id) for otp_id in codes))
    assert len(set(guests)) == 6
    first, second = await find(bank, guests[0]), await find(bank, guests[1])
    async with bank.database.transaction() as db:
        merchants = await accounts.house(db, House.MERCHANTS, now=NOW)
    await bank.move(first, merchants, 10_000_00)
    assert (await bank.balance(first), await bank.balance(second)) == (0, 10_000_00)
    assert await bank.problems() == []


# --- The seed ---------------------------------------------------------------------------------------------------------


async def no_hash(password: str) -> str:
    return f"hash of {len(password)} characters"


async def test_the_five_demo_customers_are_as_the_document_prints_them(bank: Bank) -> None:
    async with bank.database.transaction() as db:
        assert await seed.seed(db, now=NOW, password_hasher=no_hash) == 5
    async with bank.database.reading() as db:
        people = [await customers.of_demo_number(db, number) for number in range(1, 6)]
        assert [(person.name, person.email) for person in people] == [
            ("John Doe", "john@example.com"),
            ("Jane Smith", "jane@example.com"),
            ("Ravi Kumar", "ravi@example.com"),
            ("Mom", "mom@example.com"),
            ("Mike Brown", "mike@example.com"),
        ]
        john = people[0]
        assert john.user_id is not None
        assert (await customers.of_user(db, john.user_id)).id == john.id
        account = await accounts.find_own(db, customer_id=john.id)
        assert account.balance == Money(10_000_00)
        assert as_printed(await ledger.statement(db, account_id=account.id)) == PRINTED
        payees = await beneficiaries.of_customer(db, customer_id=john.id)
        assert [payee.nickname for payee in payees] == ["Jane", "Mom", "Ravi"]

        ravi = await accounts.find_own(db, customer_id=people[2].id)
        newest = (await ledger.statement(db, account_id=ravi.id, limit=1))[0]
        assert (newest.narration, newest.amount) == ("Received ₹1000 from John", Money(1000_00))
    assert await bank.problems() == []


async def test_a_contact_at_this_bank_is_the_account_it_names(bank: Bank) -> None:
    async with bank.database.transaction() as db:
        await seed.seed(db, now=NOW, password_hasher=no_hash)
    async with bank.database.reading() as db:
        for number in range(1, 6):
            customer = await customers.of_demo_number(db, number)
            for payee in await beneficiaries.of_customer(db, customer_id=customer.id):
                holder = await db.scalar(
                    sa.select(Customer.name)
                    .join(Account, Account.customer_id == Customer.id)
                    .where(Account.number.is_in(payee.account_number))
                )
                assert (holder, payee.ifsc) == (payee.name, None)


async def test_seeding_again_changes_nothing(bank: Bank) -> None:
    for expected in (5, 0, 0):
        async with bank.database.transaction() as db:
            assert await seed.seed(db, now=NOW, password_hasher=no_hash) == expected
    async with bank.database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Customer)) == 5
    assert await bank.problems() == []


async def test_production_has_no_demo_customers(bank: Bank) -> None:
    async with bank.database.transaction() as db:
        assert await seed.seed(db, now=NOW, production=True) == 0
    async with bank.database.reading() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0
        with pytest.raises(NotFound):
            await customers.of_demo_number(db, 1)


async def test_demo_customers_log_in_with_the_printed_password(bank: Bank) -> None:
    from identity import users

    async with bank.database.transaction() as db:
        await seed.seed(db, now=NOW)
    async with bank.database.reading() as db:
        user = await users.authenticate(db, login="john@example.com", password="password123")
        assert (await customers.of_user(db, user.id)).demo_number == 1
