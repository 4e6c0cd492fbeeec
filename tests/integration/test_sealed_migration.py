"""Revision 0007 up and down, with people in the database, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import DBAPIError

from banking import accounts, beneficiaries, bills
from banking.customers import Customer
from core import db as core_db
from core import vault
from core.db import Database
from core.vault import DamagedField, Vault
from identity import users
from identity.users import User

MOMENT = "2026-03-01 12:00:00"
MANY = 1234  # payees: more than are sealed at a time
KEYS = {"k": "a key for these tests alone of enough bytes"}
KYC = (
    '{"document": "voter_id", "number": "XXX0000009", "date_of_birth": "1990-02-28", '
    '"address": "Flat 4, \\"Zoë\\", बेंगलुरु 560000"}'
)
SEALED = {
    "users": ("email", "phone"),
    "customers": ("email", "phone", "kyc"),
    "accounts": ("number",),
    "beneficiaries": ("account_number",),
    "bills": ("consumer_number",),
}
VALUES = (
    *("ada@example.com", "zoë@example.com", "+919800000001", "+919800000002", "XXX0000009", "560000"),
    *("100000000001", "opening-INR", "900000000003", "912340001233", "0000110001"),
)

PEOPLE: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    (
        "INSERT INTO users (id, username, email, phone, name, role, password_hash, must_change_password, "
        "token_version, created_at) VALUES (:id, :id, :email, :phone, 'Ada', 'user', '$', false, 3, :at)",
        [
            {"id": "usr_1", "email": "ada@example.com", "phone": "+919800000001"},
            {"id": "usr_2", "email": "zoë@example.com", "phone": None},
            {"id": "usr_3", "email": None, "phone": "+919800000002"},
            {"id": "usr_4", "email": None, "phone": None},
        ],
    ),
    (
        "INSERT INTO customers (id, user_id, name, email, phone, kyc_status, kyc, created_at) "
        "VALUES (:id, :user_id, 'Ada', :email, :phone, 'verified', :kyc, :at)",
        [
            {"id": "cus_1", "user_id": "usr_1", "email": "ada@example.com", "phone": "+919800000001", "kyc": KYC},
            {"id": "cus_2", "user_id": "usr_2", "email": None, "phone": None, "kyc": None},
        ],
    ),
    (
        "INSERT INTO accounts (id, customer_id, kind, number, currency, status, is_primary, balance_minor, held_minor, "
        "floor_minor, opened_at) VALUES (:id, :customer, :kind, :number, 'INR', 'active', :primary, :balance, 0, "
        ":floor, :at)",
        [
            {"id": "acc_1", "customer": "cus_1", "kind": "savings", "number": "100000000001", "primary": True}
            | {"balance": 500, "floor": 0},
            {"id": "acc_house_opening_inr", "customer": None, "kind": "internal", "number": "opening-INR"}
            | {"primary": False, "balance": -500, "floor": None},
        ],
    ),
    (
        "INSERT INTO beneficiaries (id, customer_id, nickname, name, account_number, ifsc, created_at) "
        "VALUES ('ben_ravi', 'cus_1', 'Ravi', 'Ravi Kumar', '900000000003', 'DEMO0000001', :at)",
        [{}],
    ),
    (
        "INSERT INTO beneficiaries (id, customer_id, nickname, name, account_number, created_at, removed_at) "
        "VALUES (:id, 'cus_1', 'Ravi', 'Ravi Kumar', :number, :at, :at)",
        [{"id": f"ben_{n:05d}", "number": f"91234{n:07d}"} for n in range(MANY)],
    ),
    (
        "INSERT INTO bills (id, customer_id, biller_name, category, consumer_number, amount_minor, currency, due_on, "
        "state) VALUES ('bil_1', 'cus_1', 'Sunrise Power', 'water', '0000110001', 100, 'INR', '2026-03-09', 'due')",
        [{}],
    ),
    (
        "INSERT INTO transfers (id, customer_id, account_id, beneficiary_id, payee_name, payee_detail, payee_tail, "
        "payee_alike, amount_minor, currency, mode, note, factor, link, channel, actor, key, request_hash, created_at, "
        "state, expires_at) VALUES ('trf_1', 'cus_1', 'acc_1', 'ben_ravi', 'Ravi', 'Ravi Kumar', '0003', FALSE, 50000, "
        "'INR', 'imps', '', '', 'x', 'web', 'usr_1', 'k', 'x', :at, 'drafted', :at)",
        [{}],
    ),
)


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = vault.vault()
    vault.unlock(Vault(KEYS))
    yield
    vault.unlock(before)


def on(url: str, work: Callable[[sa.Connection], Any]) -> Any:
    return core_db.on_connection(core_db.async_url(url), work)


def to(url: str, revision: str) -> None:
    def run(connection: sa.Connection) -> None:
        config = core_db.alembic_config()
        config.attributes["connection"] = connection
        known = sa.inspect(connection).has_table("alembic_version")
        current = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known else None
        (command.upgrade if (current or "") < revision else command.downgrade)(config, revision)

    on(url, run)


def execute(url: str, *statements: str) -> None:
    def run(connection: sa.Connection) -> None:
        for statement in statements:
            connection.execute(sa.text(statement))

    on(url, run)


def fill(url: str) -> None:
    def run(connection: sa.Connection) -> None:
        for statement, rows in PEOPLE:
            connection.execute(sa.text(statement.replace(":at", f"'{MOMENT}'")), rows)

    on(url, run)


def content(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the five tables as it is stored, without order of columns."""

    def run(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
        return {
            table: [
                dict(sorted(row._asdict().items()))
                for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id"))
            ]
            for table in SEALED
        }

    return on(url, run)


def schema(url: str) -> dict[str, Any]:
    """Columns, constraints and indexes of the five tables."""

    def run(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        return {
            table: {
                "columns": sorted(
                    (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
                ),
                "checks": sorted(str(check["name"]) for check in inspector.get_check_constraints(table)),
                "unique": sorted(str(unique["name"]) for unique in inspector.get_unique_constraints(table)),
                "indexes": sorted(
                    (str(index["name"]), tuple(map(str, index["column_names"])), only(index))
                    for index in inspector.get_indexes(table)
                    if not index.get("duplicates_constraint")
                ),
                "keys": sorted(str(key["name"]) for key in inspector.get_foreign_keys(table)),
            }
            for table in SEALED
        }

    return on(url, run)


def only(index: Any) -> str:
    """The condition of a partial index."""
    return " ".join(str(value) for name, value in index.get("dialect_options", {}).items() if name.endswith("_where"))


def on_disk(url: str) -> bytes:
    """All the bytes in which the five tables and their indexes are kept."""
    parsed = core_db.async_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))

    def run(connection: sa.Connection) -> bytes:
        connection.execute(sa.text("CHECKPOINT"))
        files = connection.scalars(
            sa.text(
                "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class "
                "WHERE relkind IN ('r', 'i', 't') AND pg_relation_filepath(oid) IS NOT NULL"
            )
        )
        return b"".join(files)

    return on(url, run)


def test_every_value_is_kept_both_ways_and_no_trace_of_it_in_clear(empty_database_url: str) -> None:
    url = empty_database_url
    to(url, "0006")
    fill(url)
    before, shape = content(url), schema(url)
    stored = str(before)
    assert [value for value in VALUES if value not in stored] == []
    assert [value for value in VALUES if value.encode() not in on_disk(url)] == [], "what is there is seen"

    to(url, "0007")
    sealed = content(url)
    stored = str(sealed)
    assert [value for value in VALUES if value in stored] == []
    assert [value for value in VALUES if value.encode() in on_disk(url)] == []
    assert b"Sunrise Power" in on_disk(url)
    for table, fields in SEALED.items():
        plain = [{name: value for name, value in row.items() if name not in fields} for row in before[table]]
        kept = [
            {name: value for name, value in row.items() if name not in new_columns(fields)} for row in sealed[table]
        ]
        assert kept == plain
        for old, new in zip(before[table], sealed[table], strict=True):
            for field in fields:
                assert (new[f"{field}_sealed"] is None) == (old[field] is None)

    to(url, "0006")
    assert content(url) == before
    assert schema(url) == shape
    to(url, "0007")
    assert len(content(url)["beneficiaries"]) == MANY + 1


def new_columns(fields: Sequence[str]) -> set[str]:
    return {f"{field}_{kind}" for field in fields for kind in ("sealed", "hash")}


async def test_what_was_there_before_is_read_and_found_afterwards(empty_database_url: str) -> None:
    await asyncio.to_thread(to, empty_database_url, "0006")
    await asyncio.to_thread(fill, empty_database_url)
    await asyncio.to_thread(core_db.migrate, empty_database_url)
    database = Database(empty_database_url)
    try:
        async with database.reading() as db:
            people = {user.id: (user.email, user.phone) for user in await db.scalars(sa.select(User))}
            assert people == {
                "usr_1": ("ada@example.com", "+919800000001"),
                "usr_2": ("zoë@example.com", None),
                "usr_3": (None, "+919800000002"),
                "usr_4": (None, None),
            }
            for email, found in (("ada@example.com", ["usr_1"]), ("Ada@example.com", [])):
                assert list(await db.scalars(sa.select(User.id).where(User.email.is_in(email)))) == found
            customer = await db.get_one(Customer, "cus_1")
            assert (customer.email, customer.phone) == people["usr_1"]
            assert customer.kyc == KYC
            assert (await db.get_one(Customer, "cus_2")).kyc is None
            savings = await accounts.by_number(db, "100000000001")
            assert savings is not None
            assert (savings.id, savings.number, savings.balance_minor) == ("acc_1", "100000000001", 500)
            payee = await beneficiaries.own(db, customer_id="cus_1", beneficiary_id="ben_ravi")
            assert (payee.account_number, payee.tail) == ("900000000003", "0003")
            assert (await bills.own(db, customer_id="cus_1", bill_id="bil_1")).consumer_number == "0000110001"
            assert (await users.get(db, "usr_2")).username == "usr_2"
    finally:
        await database.close()


def test_values_stay_unique_both_ways(empty_database_url: str) -> None:
    url = empty_database_url
    to(url, "0006")
    fill(url)
    to(url, "0007")
    for wrong in (
        "UPDATE users SET email_hash = (SELECT email_hash FROM users WHERE id = 'usr_1') WHERE id = 'usr_2'",
        "UPDATE users SET phone_hash = (SELECT phone_hash FROM users WHERE id = 'usr_1') WHERE id = 'usr_3'",
        "UPDATE accounts SET number_hash = (SELECT number_hash FROM accounts WHERE id = 'acc_1')",
        "UPDATE accounts SET number_sealed = NULL",
        "UPDATE bills SET consumer_number_sealed = NULL",
    ):
        with pytest.raises(DBAPIError):
            execute(url, wrong)
    to(url, "0006")
    for wrong in (
        "UPDATE users SET email = 'x'",
        "UPDATE accounts SET number = 'x'",
        "UPDATE bills SET consumer_number = NULL",
    ):
        with pytest.raises(DBAPIError):
            execute(url, wrong)


def test_without_the_key_nothing_is_lost(empty_database_url: str) -> None:
    url = empty_database_url
    to(url, "0006")
    fill(url)
    to(url, "0007")
    sealed = content(url)
    vault.unlock(Vault({"k": "another key of the same name for these tests"}))
    with pytest.raises(DamagedField):
        to(url, "0006")
    assert content(url) == sealed
    vault.unlock(Vault(KEYS))
    to(url, "0006")
