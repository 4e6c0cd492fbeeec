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
from banking.ledger import InsufficientFunds, Leg, Posting, PostingKind
from core.db import Database
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from core.money import Money
from identity import otp

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
        with pytest.raises(Conflict) as caught:
            await bank.move(source, target, amount, key="transfer:1")
        assert caught.value.code == "key_reused"
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
    refused = [result for result in results if isinstance(result, Conflict)]
    assert len(refused) == 7
    assert {error.code for error in refused} == {"key_reused"}
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
        (code,) = await otp.issue(db, secret=SECRET, fmt="digits6", max_uses=5)
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
        assert [payee.nickname for payee in await beneficiaries.of_customer(db, john.id)] == ["Jane", "Mom", "Ravi"]

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
            for payee in await beneficiaries.of_customer(db, customer.id):
                holder = await db.scalar(
                    sa.select(Customer.name)
                    .join(Account, Account.customer_id == Customer.id)
                    .where(Account.number == payee.account_number)
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
