"""What demo customers have: guests and the five of the seed, alike on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import IntegrityError

from banking import accounts, beneficiaries, bills, customers, ledger, loans, reminders, seed
from banking.bills import BillState
from banking.days import today
from banking.ledger import Entry, PostingKind
from banking.loans import LoanPayment
from core import db as core_db
from core.db import Database, migrate
from identity import otp
from identity.actor import SYSTEM
from identity.users import User

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "a secret of at least thirty-two bytes"


async def no_hash(password: str) -> str:
    return f"hash of {len(password)} characters"


async def seeded(database: Database, now: datetime = NOW) -> int:
    async with database.transaction() as db:
        return await seed.seed(db, now=now, password_hasher=no_hash)


async def new_guest(database: Database, now: datetime = NOW) -> str:
    async with database.transaction() as db:
        (code,) = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6", max_uses=5)
    async with database.transaction() as db:
        return await customers.admit_guest(db, code.id, now)


async def everybody(database: Database) -> list[str]:
    """The five and a guest."""
    await seeded(database)
    guest = await new_guest(database)
    async with database.reading() as db:
        return [*[(await customers.of_demo_number(db, number)).id for number in range(1, 6)], guest]


# The first day of a year, the day before, on and after instalments are due, a leap day.
@pytest.mark.parametrize(
    "now",
    [
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 4, 20, tzinfo=UTC),
        datetime(2026, 3, 5, 20, tzinfo=UTC),
        datetime(2028, 2, 29, 3, tzinfo=UTC),
    ],
)
async def test_whoever_comes_on_whatever_day_the_ledger_agrees(database: Database, now: datetime) -> None:
    assert await seeded(database, now) == 5
    guest = await new_guest(database, now)
    async with database.reading() as db:
        assert await ledger.check(db) == []
        savings, current = await accounts.of_customer(db, customer_id=guest)
        assert (savings.balance.minor, current.balance.minor) == (10_000_00, 50_000_00)
        due, _ = await bills.of_customer(db, customer_id=guest, state=BillState.DUE)
        assert [(bill.due_on - today(now)).days for bill in due] == [3, 6, 9, 12]


async def test_everybody_has_bills_a_loan_a_reminder_and_contacts_of_old(database: Database) -> None:
    for customer_id in await everybody(database):
        async with database.reading() as db:
            due, _ = await bills.of_customer(db, customer_id=customer_id, state=BillState.DUE)
            paid, _ = await bills.of_customer(db, customer_id=customer_id, state=BillState.PAID)
            assert (len(due), len(paid)) == (4, 1)
            assert all(bill.due_on > today(NOW) for bill in due)
            assert all(bill.paid_at is not None and bill.paid_at < NOW for bill in paid)

            (loan,) = await loans.of_customer(db, customer_id=customer_id)
            assert loan.next_due_on is not None
            assert today(NOW) <= loan.next_due_on < today(NOW) + timedelta(days=32)
            assert loan.left > 0

            (reminder,), _ = await reminders.of_customer(db, customer_id=customer_id)
            assert reminder.due_at > NOW

            contacts = await beneficiaries.of_customer(db, customer_id=customer_id)
            assert len(contacts) >= 2
            assert all(contact.created_at < NOW - timedelta(days=30) for contact in contacts)

            customer = await customers.get(db, customer_id)
            assert customer.kyc is not None


async def test_every_instalment_and_bill_paid_from_an_account_here_is_in_the_ledger(database: Database) -> None:
    shown: dict[str, int] = {}
    for customer_id in await everybody(database):
        async with database.reading() as db:
            (view,) = await loans.of_customer(db, customer_id=customer_id)
            instalments = loans.schedule(view.loan)
            rows = (await db.scalars(sa.select(LoanPayment).where(LoanPayment.loan_id == view.loan.id))).all()
            assert sorted(row.n for row in rows) == list(range(1, view.paid + 1))
            posted = [row for row in rows if row.posting_id is not None]
            shown[customer_id] = len(posted)
            for row in posted:
                entry = await db.scalar(
                    sa.select(Entry).where(Entry.posting_id == row.posting_id, Entry.amount_minor < 0)
                )
                assert entry is not None
                assert -entry.amount_minor == instalments[row.n - 1].emi.minor

            held = await accounts.of_customer(db, customer_id=customer_id)
            lines, _ = await ledger.page(db, account_ids=[account.id for account in held], per_page=500)
            (bill,), _ = await bills.of_customer(db, customer_id=customer_id, state=BillState.PAID)
            paid = [line for line in lines if line.kind is PostingKind.BILL]
            assert [(line.at, -line.amount.minor) for line in paid] == (
                [(bill.paid_at, bill.amount_minor)] if len(held) > 1 else []
            )
    assert list(shown.values()) == [0, 3, 3, 3, 3, 3]


async def test_john_has_one_account_and_its_history_is_printed_to_the_last_line(database: Database) -> None:
    await seeded(database)
    async with database.reading() as db:
        john = await customers.of_demo_number(db, 1)
        (account,) = await accounts.of_customer(db, customer_id=john.id)
        lines = await ledger.statement(db, account_id=account.id)
        assert [line.narration for line in lines] == [
            "Received ₹5000 from Salary",
            "Paid ₹2000 for groceries",
            "Sent ₹1000 to Ravi",
            "Received ₹1500 from Mom",
        ]
        (bill,), _ = await bills.of_customer(db, customer_id=john.id, state=BillState.PAID)
        assert bill.paid_at is not None
        assert bill.paid_at < account.opened_at, "so that no line of it is missing"
        (loan,) = await loans.of_customer(db, customer_id=john.id)
        assert loan.paid == 0


async def test_the_five_log_in_by_e_mail_or_phone(database: Database) -> None:
    await seeded(database)
    async with database.reading() as db:
        for number in range(1, 6):
            customer = await customers.of_demo_number(db, number)
            user = await db.get(User, customer.user_id)
            assert user is not None
            assert (user.email, user.phone) == (customer.email, customer.phone)
            assert user.phone == f"+91980000000{number}"


async def test_guests_together_share_nothing(database: Database) -> None:
    guests = await asyncio.gather(*(new_guest(database) for _ in range(4)))
    async with database.reading() as db:
        numbers = [account.number for guest in guests for account in await accounts.of_customer(db, customer_id=guest)]
        assert len(set(numbers)) == 8
        assert await ledger.check(db) == []
        for guest in guests:
            assert (await bills.of_customer(db, customer_id=guest))[1] == 5


# --- A database of the release before ---------------------------------------------------------------------------------


def _seeded_before(connection: sa.Connection) -> None:
    """John as an older release left him: no bills, no loan, nothing he is known by."""
    for statement in (
        "INSERT INTO users (id, username, email, name, role, password_hash, must_change_password, token_version, "
        "created_at) VALUES "
        "('usr_john', 'john', 'john@example.com', 'John Doe', 'user', 'hash', false, 0, '2025-12-01')",
        "INSERT INTO customers (id, demo_number, user_id, name, email, kyc_status, created_at) "
        "VALUES ('cus_john', 1, 'usr_john', 'John Doe', 'john@example.com', 'verified', '2025-12-01')",
        "INSERT INTO accounts (id, customer_id, kind, number, currency, status, is_primary, balance_minor, "
        "floor_minor, opened_at) VALUES "
        "('acc_john', 'cus_john', 'savings', '100000000001', 'INR', 'active', true, 0, 0, '2025-12-01')",
    ):
        connection.execute(sa.text(statement))


async def test_a_database_seeded_by_the_release_before_still_starts(empty_database_url: str) -> None:
    await asyncio.to_thread(migrate, empty_database_url, "0001")
    url = core_db.async_url(empty_database_url)
    await asyncio.to_thread(core_db.on_connection, url, _seeded_before)
    await asyncio.to_thread(migrate, empty_database_url)
    database = Database(empty_database_url)
    try:
        assert await seeded(database) == 4
        assert await seeded(database) == 0
        async with database.reading() as db:
            john = await customers.of_demo_number(db, 1)
            assert john.id == "cus_john"
            assert john.kyc is None
            assert (await bills.of_customer(db, customer_id=john.id))[1] == 0
            assert await loans.of_customer(db, customer_id=john.id) == []
            assert await ledger.check(db) == []
    finally:
        await database.close()


def test_bills_and_all_go_down_and_come_again_and_customers_stay(empty_database_url: str) -> None:
    url = core_db.async_url(empty_database_url)

    def go(revision: str) -> None:
        def run(connection: sa.Connection) -> None:
            config = core_db.alembic_config()
            config.attributes["connection"] = connection
            (command.downgrade if revision == "0002" else command.upgrade)(config, revision)

        core_db.on_connection(url, run)

    def fill(connection: sa.Connection) -> None:
        for statement in (
            "UPDATE customers SET kyc = '{}'",
            "INSERT INTO bills (id, customer_id, biller_name, category, consumer_number, amount_minor, currency, "
            "due_on, state) VALUES "
            "('bil_1', 'cus_john', 'Sunrise Power', 'electricity', '1', 100, 'INR', '2026-03-01', 'due')",
            "INSERT INTO loans (id, customer_id, kind, principal_minor, currency, annual_rate_bps, months, "
            "first_due_on) VALUES ('lon_1', 'cus_john', 'home', 100, 'INR', 900, 12, '2026-03-01')",
            "INSERT INTO loan_payments (loan_id, n, paid_at) VALUES ('lon_1', 1, '2026-03-01')",
            "INSERT INTO reminders (id, customer_id, text, first_at, due_at, repeats, state, created_at) VALUES "
            "('rem_1', 'cus_john', 'x', '2026-03-01', '2026-03-01', 'none', 'scheduled', '2026-03-01')",
            "INSERT INTO notices (id, customer_id, text, at) VALUES ('ntc_1', 'cus_john', 'x', '2026-03-01')",
            "INSERT INTO service_requests (id, customer_id, key, kind, note, state, created_at) "
            "VALUES ('req_1', 'cus_john', 'k', 'person', '', 'open', '2026-03-01')",
        ):
            connection.execute(sa.text(statement))

    def rows(connection: sa.Connection) -> list[tuple[object, ...]]:
        tables = set(sa.inspect(connection).get_table_names())
        assert not tables & {"bills", "loans", "loan_payments", "reminders", "notices", "service_requests"}
        return [tuple(row) for row in connection.execute(sa.text("SELECT id, demo_number, email FROM customers"))]

    def owned_twice(connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE customers SET guest_of = 'otp_1', user_id = 'usr_john'"))

    go("0001")
    core_db.on_connection(url, _seeded_before)
    go("0003")
    core_db.on_connection(url, fill)
    go("0002")
    assert core_db.on_connection(url, rows) == [("cus_john", 1, "john@example.com")]
    with pytest.raises(IntegrityError):
        core_db.on_connection(url, owned_twice)
    go("0003")
    assert core_db.on_connection(url, lambda c: c.execute(sa.text("SELECT kyc FROM customers")).scalar()) is None
