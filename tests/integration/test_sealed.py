"""Personal fields in the database: nowhere in clear, still found, and sealed anew while the bank works."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from loguru import logger
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, bills, customers, ledger, seed
from banking.accounts import Account, AccountKind, House
from banking.beneficiaries import Beneficiary
from banking.bills import Bill
from banking.ledger import Leg, PostingKind
from core import rotation, vault, webhooks
from core.db import Base, Database
from core.errors import Conflict
from core.rotation import rotate
from core.vault import DamagedField, Sealed, Vault
from core.webhooks import Event
from identity import mfa, otp, users
from identity.actor import SYSTEM, Actor
from identity.users import LoginRefused, User, UserRole
from tests.till import SECRET, Person, Till

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "an older key for the tests of enough bytes", "a newer key for the tests of enough bytes"
BEFORE, BOTH, AFTER = {"old": OLD}, {"new": NEW, "old": OLD}, {"new": NEW}
PASSWORD = "lovelace1815"
WEBHOOK_SECRET = "whsec_of_the_tests_0123456789abcdef"

Clear = dict[tuple[str, str, str], str | None]
"""Every sealed value by table, row and field."""


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = vault.vault()
    use(BEFORE)
    yield
    vault.unlock(before)


def use(secrets: dict[str, str]) -> None:
    """Go on as a process with these keys."""
    vault.unlock(Vault(secrets))


@pytest.fixture
async def bank(database: Database) -> Database:
    """A bank in which all kinds of things have happened."""
    await furnish(database)
    return database


async def furnish(database: Database) -> None:
    async with database.transaction() as db:
        await seed.seed(db, now=NOW, password_hasher=no_hash)
        await webhooks.add(db, url="https://example.com/hook", events=list(Event), secret=WEBHOOK_SECRET, now=NOW)
        ada = await users.create(
            db,
            username="ada",
            password=PASSWORD,
            name="Ada",
            role=UserRole.USER,
            email="Ada@Example.com",
            phone="+919811111111",
            now=NOW,
        )
        (code,) = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="crockford8", keep_clear=True, now=NOW)
        await customers.admit_guest(db, code.id, NOW)
        await mfa.enrol(db, user=ada, now=NOW)
    till = Till(database, mfa_above_minor=100_00)
    async with database.reading() as db:
        john = await customers.of_demo_number(db, 1)
        assert john.user_id
        account = await accounts.find_own(db, customer_id=john.id)
        ravi = await beneficiaries.resolve(db, customer_id=john.id, said="Ravi")
        (due, *_), _ = await bills.of_customer(db, customer_id=john.id, state=bills.BillState.DUE)
    person = Person(john.id, account.id, Actor(john.user_id, "user", "web"))
    stranger = await till.payee(person, "Zoya", "Zoya Khan", "912345678901", since=NOW)
    for act in (
        till.send(person, ravi, 50_00),
        till.send(person, ravi, 9_00_000_00),
        till.send(person, stranger, 60_00),
        till.draft_bill(person, due),
    ):
        with suppress(Conflict):
            await act


async def no_hash(password: str) -> str:
    return f"not a hash of {len(password)} characters"


def sealed_fields() -> list[tuple[Any, str]]:
    """Every row class and field that is declared sealed."""
    classes = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda row: row.__tablename__)
    return [(row, name) for row in classes for name, field in vars(row).items() if isinstance(field, Sealed)]


async def opened(database: Database) -> Clear:
    async with database.reading() as db:
        return {
            (row.__tablename__, each.id, name): getattr(each, name)
            for row, name in sealed_fields()
            for each in await db.scalars(sa.select(row))
        }


def personal(clear: Clear) -> set[str]:
    """What must be nowhere: the values, and the parts of what customers are known by."""
    found: set[str] = set()
    for (table, row, name), value in clear.items():
        if value is None or row.startswith("acc_house_"):
            continue
        found.add(value)
        if (table, name) == ("customers", "kyc"):
            kyc = json.loads(value)
            found |= {kyc["number"], kyc["date_of_birth"], kyc["address"]}
    return found


async def raw(database: Database) -> dict[str, list[str]]:
    """Every row of every table as plain SQL shows it."""
    async with database.reading() as db:
        return {
            table: [str(tuple(row)) for row in (await db.execute(sa.text(f"SELECT * FROM {table}"))).all()]
            for table in await tables(db)
        }


async def tables(db: AsyncSession) -> list[str]:
    return await (await db.connection()).run_sync(lambda connection: sa.inspect(connection).get_table_names())


def shown(text: str, values: set[str]) -> list[str]:
    return [value for value in values if value in text]


async def execute(database: Database, statement: str, **values: Any) -> None:
    async with database.transaction() as db:
        await db.execute(sa.text(statement), values)


async def sealed_with(database: Database, kid: str) -> list[bool]:
    """Of every sealed field that is there, whether this key has sealed it."""
    async with database.reading() as db:
        return [
            value.startswith(f"{kid}.")
            for row, name in sealed_fields()
            for value in await db.scalars(sa.select(getattr(row, f"{name}_sealed")))
            if value is not None
        ]


# --- At rest ----------------------------------------------------------------------------------------------------------


def test_every_personal_field_is_declared_sealed() -> None:
    assert {(row.__tablename__, name) for row, name in sealed_fields()} == {
        ("accounts", "number"),
        ("beneficiaries", "account_number"),
        ("bills", "consumer_number"),
        ("customers", "email"),
        ("customers", "kyc"),
        ("customers", "phone"),
        ("otp_codes", "clear"),
        ("totp", "secret"),
        ("users", "email"),
        ("users", "phone"),
        ("webhooks", "secret"),
    }


async def test_no_table_holds_a_personal_field_in_clear(bank: Database) -> None:
    clear = await opened(bank)
    assert {(table, name) for (table, _, name), value in clear.items() if value} == {
        (row.__tablename__, name) for row, name in sealed_fields()
    }
    values = personal(clear)
    assert {"ada@example.com", "+919811111111", "+919800000001", "100000000001", "912345678901"} <= values
    assert {WEBHOOK_SECRET, "john@example.com"} <= values
    rows = await raw(bank)
    for table in ("transfers", "entries", "challenges", "audit_log", "webhook_deliveries", "service_requests"):
        assert table in rows
    assert rows["transfers"] and rows["challenges"] and rows["audit_log"] and rows["webhook_deliveries"]
    assert [row for row in rows["customers"] if "John Doe" in row], "what is not sealed is seen"
    assert {table: found for table, each in rows.items() if (found := shown("\n".join(each), values))} == {}


async def test_errors_and_log_lines_show_no_personal_field(bank: Database) -> None:
    values = personal(await opened(bank))
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE", format="{message}\n{exception}", backtrace=True, diagnose=False)
    try:
        async with bank.reading() as db:
            john = (await db.scalars(sa.select(User).where(User.username == "john"))).one()
            savings = (await db.scalars(sa.select(Account).where(Account.number.is_in("100000000001")))).one()
            customer = await customers.of_demo_number(db, 1)
            payee, bill = (
                (await db.scalars(sa.select(Beneficiary))).first(),
                (await db.scalars(sa.select(Bill))).first(),
            )
        logger.info("{} {} {} {} {} {}", john, savings, customer, seed.PEOPLE[0].kyc, payee, bill)
        for same in ({"email": john.email}, {"phone": john.phone}):
            with pytest.raises(IntegrityError) as caught:
                async with bank.transaction() as db:
                    db.add(a_user("again", **same))
            logger.opt(exception=caught.value).error("Refused")
        await execute(bank, f"UPDATE users SET email_sealed = phone_sealed WHERE id = '{john.id}'")
        async with bank.reading() as db:
            moved = await users.get(db, john.id)
        with pytest.raises(DamagedField) as damaged:
            _ = moved.email
        logger.opt(exception=damaged.value).error("Does not open")
    finally:
        logger.remove(sink)
    text = "".join(lines)
    assert "email_hash" in text and "users.email of usr_" in text
    assert shown(text, values) == []


# --- Still found ------------------------------------------------------------------------------------------------------


def a_user(username: str, **more: Any) -> User:
    given = {"name": "X", "role": UserRole.USER, "password_hash": "$", "created_at": NOW}
    return User(id=f"usr_{username}", username=username, **given | more)


async def test_people_log_in_by_name_address_and_number(bank: Database) -> None:
    for login in ("ada", "ada@example.com", " ADA@example.COM ", "+919811111111"):
        async with bank.reading() as db:
            assert (await users.authenticate(db, login=login, password=PASSWORD)).username == "ada"
    for login in ("ada@example.org", "+919811111112", "", "a\ud800"):
        with pytest.raises(LoginRefused):
            async with bank.reading() as db:
                await users.authenticate(db, login=login, password=PASSWORD)


async def test_an_account_is_found_by_its_number(bank: Database) -> None:
    async with bank.reading() as db:
        johns = await accounts.by_number(db, "100000000001")
        assert johns is not None
        assert johns.customer_id == (await customers.of_demo_number(db, 1)).id
        assert await accounts.by_number(db, "100000000009") is None
        assert await accounts.by_number(db, f"{House.OPENING.value}-INR") is None


@pytest.mark.parametrize("keys", [BEFORE, BOTH], ids=["one key", "two keys"])
async def test_what_is_taken_is_taken_under_every_key(bank: Database, keys: dict[str, str]) -> None:
    use(keys)
    given: dict[str, Any] = {"username": "eve", "password": PASSWORD, "name": "Eve", "role": UserRole.USER, "now": NOW}
    cases: tuple[dict[str, Any], ...] = (
        {"email": "ADA@example.com"},
        {"phone": " +919811111111"},
        {"username": "ada@example.com"},
        {"username": "+919811111111"},
    )
    for taken in cases:
        with pytest.raises(Conflict) as caught:
            async with bank.transaction() as db:
                await users.create(db, **given | taken)
        assert caught.value.code == "already_registered"

    with pytest.raises(Conflict) as caught:
        async with bank.transaction() as db:
            john = await customers.of_demo_number(db, 1)
            await accounts.open_account(
                db, customer_id=john.id, kind=AccountKind.CURRENT, now=NOW, number="100000000001"
            )
    assert caught.value.code == "number_taken"
    assert "100000000001" not in str(caught.value)


async def test_the_database_itself_keeps_values_unique(bank: Database) -> None:
    async with bank.reading() as db:
        savings = await accounts.by_number(db, "100000000001")
    assert savings is not None
    twin = Account(
        id="acc_twin",
        customer_id=savings.customer_id,
        kind=AccountKind.CURRENT,
        number="100000000001",
        currency="INR",
        status=savings.status,
        floor_minor=0,
        opened_at=NOW,
    )
    for row in (a_user("x", email="ada@example.com"), a_user("y", phone="+919811111111"), twin):
        with pytest.raises(IntegrityError, match="_hash"):
            async with bank.transaction() as db:
                db.add(row)
    async with bank.transaction() as db:  # nothing is not a value
        db.add_all([a_user("x"), a_user("y")])


# --- New keys ---------------------------------------------------------------------------------------------------------


async def test_after_a_rotation_the_old_key_is_not_needed(bank: Database) -> None:
    clear = await opened(bank)
    use(BOTH)
    done = await rotate(bank, pause_s=0)
    assert (done.left, done.problems) == (0, [])
    assert done.rows == len({(table, row) for (table, row, _), value in clear.items() if value is not None})
    assert (
        done.told()
        == f"Sealed anew: {done.rows} rows. No server that runs with the new key needs the older ones any more."
    )
    use(AFTER)
    assert all(await sealed_with(bank, "new"))
    assert await opened(bank) == clear
    async with bank.reading() as db:
        assert (await users.authenticate(db, login="Ada@example.com", password=PASSWORD)).username == "ada"
    async with bank.reading() as db:
        assert await accounts.by_number(db, "100000000001") is not None
    assert (await rotate(bank, pause_s=0)).rows == 0
    use(BEFORE)
    with pytest.raises(DamagedField):
        await opened(bank)
    async with bank.reading() as db:
        assert await accounts.by_number(db, "100000000001") is None


async def test_nobody_notices_a_rotation(bank: Database) -> None:
    """People are looked up, come, change and send money, at every step of it."""
    clear = await opened(bank)
    use(BOTH)
    rotating = asyncio.create_task(rotate(bank, batch=3, pause_s=0))
    found = 0
    while not rotating.done():
        async with bank.reading() as db:
            for email in ("john@example.com", "ada@example.com", "mike@example.com"):
                assert (await db.scalars(sa.select(User.email_sealed).where(User.email.is_in(email)))).one()
            for number in ("100000000001", "100000000005"):
                account = await accounts.by_number(db, number)
                assert account is not None
                assert account.number == number
        async with bank.transaction() as db:
            customer = await customers.of_demo_number(db, found % 5 + 1)
            customer.phone = f"+9198000{found:05d}"
            db.add(a_user(f"new{found}", email=f"new{found}@example.com"))
            await move(db, "100000000001", "100000000002", f"rotation:{found}")
            clear["customers", customer.id, "phone"] = customer.phone
            clear["users", f"usr_new{found}", "email"] = f"new{found}@example.com"
            clear["users", f"usr_new{found}", "phone"] = None
        found += 1
    assert found > 5
    done = await rotating
    assert (done.left, done.problems) == (0, [])
    use(AFTER)
    assert await opened(bank) == clear
    async with bank.reading() as db:
        assert await ledger.check(db) == []


async def move(db: AsyncSession, of: str, to: str, key: str) -> None:
    one, other = await accounts.by_number(db, of), await accounts.by_number(db, to)
    assert one and other
    legs = [Leg(one.id, -1), Leg(other.id, 1)]
    await ledger.post(db, legs=legs, kind=PostingKind.TRANSFER, narration="Moved", key=key, at=NOW)


async def test_a_rotation_that_was_stopped_goes_on(bank: Database) -> None:
    clear = await opened(bank)
    use(BOTH)
    rotating = asyncio.create_task(rotate(bank, batch=1, pause_s=0))
    while sum(await sealed_with(bank, "new")) < 20:
        assert not rotating.done()
    rotating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rotating
    by_new = await sealed_with(bank, "new")
    assert 20 <= sum(by_new) < len(by_new)
    assert await opened(bank) == clear
    rest = await rotate(bank)
    assert 0 < rest.rows <= len(by_new) - 20
    assert rest.left == 0
    use(AFTER)
    assert await opened(bank) == clear


async def test_each_transaction_of_a_rotation_is_small(bank: Database) -> None:
    use(BOTH)
    async with bank.reading() as db:
        payees = await db.scalar(sa.select(sa.func.count()).select_from(Beneficiary)) or 0
    assert payees > 15
    seen: set[int] = set()
    rotating = asyncio.create_task(rotate(bank, batch=5, pause_s=0.01))
    while not rotating.done():
        async with bank.reading() as db:
            sealed = await db.scalars(sa.select(Beneficiary.account_number_sealed))
            seen.add(sum(value.startswith("new.") for value in sealed))
        await asyncio.sleep(0)
    assert {count % 5 for count in seen - {payees}} == {0}
    assert len(seen) > 2


async def test_two_rotations_at_once_do_the_work_of_one(bank: Database) -> None:
    clear = await opened(bank)
    use(BOTH)
    both = await asyncio.gather(rotate(bank, batch=7, pause_s=0), rotate(bank, batch=5, pause_s=0))
    assert [done.left for done in both] == [0, 0]
    assert sum(done.rows for done in both) == len({key[:2] for key, value in clear.items() if value is not None})
    use(AFTER)
    assert await opened(bank) == clear


async def test_a_rotation_waits_for_nobody_while_it_holds_others_up(bank: Database) -> None:
    """All but what somebody has locked is done when it waits for them, and they get whatever else they want."""
    if bank.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time, who waits for nobody")
    use(BOTH)
    async with bank.reading() as db:
        first, *_, last = (await db.scalars(sa.select(Account.id).order_by(Account.id))).all()
    async with bank.transaction() as db:
        await accounts.lock(db, [last])
        rotating = asyncio.create_task(rotate(bank, pause_s=0))
        await somebody_waits(bank)
        async with bank.reading() as other:
            rest = sa.select(Account.number_sealed).where(Account.id != last)
            assert all(sealed.startswith("new.") for sealed in await other.scalars(rest))
        await accounts.lock(db, [first])
    assert (await rotating).left == 0


async def somebody_waits(database: Database) -> None:
    """Until a connection waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while True:
        async with database.reading() as db:
            if await db.scalar(sa.text(waiting)):
                return


async def test_transfers_go_on_while_keys_are_rotated(database: Database) -> None:
    till = Till(database)
    shop, *people = [await till.person(f"Person {letter}", holds=1_000_00) for letter in "ABCDEF"]
    payees = [await till.payee_here(person, shop, "Shop") for person in people]
    use(BOTH)
    rotating = asyncio.create_task(rotate(database, pause_s=0))
    rounds = 0
    while not rotating.done() or rounds == 0:
        await asyncio.gather(*(till.send(*pair, 1_00) for pair in zip(people, payees, strict=True)))
        rounds += 1
    assert (await rotating).left == 0
    assert await till.balance(shop.account_id) == 1_000_00 + len(people) * rounds * 1_00
    assert await till.problems() == []


async def test_a_key_whose_name_differs_in_case_alone_is_another(bank: Database) -> None:
    use({"k": OLD})
    async with bank.transaction() as db:
        db.add(a_user("x", email="x@example.com"))
    use({"K": NEW, "k": OLD, "old": OLD})
    assert (await rotate(bank, pause_s=0)).left == 0
    assert all(await sealed_with(bank, "K"))


async def test_a_field_that_does_not_open_is_named_and_the_rest_is_done(bank: Database) -> None:
    values = personal(await opened(bank))
    await execute(bank, "UPDATE users SET email_sealed = 'old.AAAA' WHERE username = 'ada'")
    await execute(bank, "UPDATE users SET email_sealed = phone_sealed WHERE username = 'john'")
    use(BOTH)
    done = await rotate(bank, pause_s=0)
    assert done.left == 2
    assert len(done.problems) == 2
    assert all(re.fullmatch(r"users\.email of usr_\w+ does not open\.", problem) for problem in done.problems)
    assert "Still under an older key: 2 rows. Keep that key." in done.told()
    assert shown(done.told(), values) == []
    by_new = await sealed_with(bank, "new")
    assert by_new.count(False) == 4  # both fields of both rows


async def test_one_value_stored_under_two_keys_is_told_not_hidden(bank: Database) -> None:
    """As two processes could store it that do not agree on the newest key."""
    rows = len({key[:2] for key, value in (await opened(bank)).items() if value is not None})
    use(AFTER)
    async with bank.transaction() as db:
        db.add(a_user("ada2", email="ada@example.com"))
    use(BOTH)
    done = await rotate(bank, pause_s=0)
    assert (done.rows, done.left) == (rows - 1, 1)
    (problem,) = done.problems
    assert re.fullmatch(r"users: another row holds the same value as usr_\w+\.", problem)


async def test_the_problems_named_are_few(bank: Database) -> None:
    await execute(bank, "UPDATE beneficiaries SET account_number_sealed = 'old.AAAA'")
    await execute(bank, "UPDATE bills SET consumer_number_sealed = 'old.AAAA'")
    use(BOTH)
    done = await rotate(bank, pause_s=0)
    assert done.left == (await sealed_with(bank, "old")).count(True) > rotation.MAX_NAMED
    assert len(done.problems) == rotation.MAX_NAMED
