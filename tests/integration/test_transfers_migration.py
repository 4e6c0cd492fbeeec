"""Revision 0004 up and down, with data in it, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import DBAPIError

from core import db as core_db

MOMENT = "2026-03-01 12:00:00"

PEOPLE = (
    "INSERT INTO customers (id, name, kyc_status, created_at) VALUES ('cus_1', 'John Doe', 'verified', :at)",
    "INSERT INTO accounts (id, customer_id, kind, number, currency, status, is_primary, balance_minor, held_minor, "
    "floor_minor, opened_at) VALUES ('acc_1', 'cus_1', 'savings', '100000000001', 'INR', 'active', TRUE, 0, 0, 0, :at)",
    "INSERT INTO beneficiaries (id, customer_id, nickname, name, account_number, ifsc, created_at) "
    "VALUES ('ben_1', 'cus_1', 'Ravi', 'Ravi Kumar', '900000000003', 'DEMO0000001', :at)",
)
TRANSFER = (
    "INSERT INTO transfers (id, customer_id, account_id, beneficiary_id, payee_name, payee_detail, payee_tail, "
    "payee_alike, amount_minor, currency, mode, note, factor, link, channel, actor, key, request_hash, created_at, "
    "state, expires_at) VALUES ('trf_1', 'cus_1', 'acc_1', 'ben_1', 'Ravi', 'Ravi Kumar', '0003', FALSE, 50000, 'INR', "
    "'imps', '', '', 'x', 'web', 'usr_1', 'k', 'x', :at, 'drafted', :at)"
)
ANOTHER_RAVI = (
    "INSERT INTO beneficiaries (id, customer_id, nickname, name, account_number, created_at) "
    "VALUES ('ben_{n}', 'cus_1', 'Ravi', 'Ravi Kumar', '900000000003', :at)"
)


def to(url: str, revision: str) -> None:
    """Bring the schema up or down to a revision."""

    def run(connection: sa.Connection) -> None:
        config = core_db.alembic_config()
        config.attributes["connection"] = connection
        current = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known(connection) else ""
        (command.upgrade if (current or "") < revision else command.downgrade)(config, revision)

    core_db.on_connection(core_db.async_url(url), run)


def known(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("alembic_version")


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements in one transaction; the rows of the last."""

    def run(connection: sa.Connection) -> list[Any]:
        results = [connection.execute(sa.text(statement.replace(":at", f"'{MOMENT}'"))) for statement in statements]
        return list(results[-1].all()) if results[-1].returns_rows else []

    return core_db.on_connection(core_db.async_url(url), run)


def test_payees_saved_before_are_kept_both_ways(empty_database_url: str) -> None:
    url = empty_database_url
    to(url, "0003")
    execute(url, *PEOPLE)
    to(url, "0004")
    assert execute(url, "SELECT id, nickname, removed_at FROM beneficiaries") == [("ben_1", "Ravi", None)]
    with pytest.raises(DBAPIError):
        execute(url, ANOTHER_RAVI.format(n=2))
    execute(
        url,
        f"UPDATE beneficiaries SET removed_at = '{MOMENT}' WHERE id = 'ben_1'",
        ANOTHER_RAVI.format(n=2),
        TRANSFER,
        "INSERT INTO customer_limits VALUES ('cus_1', 'voice', 1, 1)",
    )
    for change in ("UPDATE transfers SET amount_minor = 1", "DELETE FROM transfers"):
        with pytest.raises(DBAPIError, match="transfers: "):
            execute(url, change)

    to(url, "0003")
    assert execute(url, "SELECT id, nickname FROM beneficiaries") == [("ben_2", "Ravi")]
    with pytest.raises(DBAPIError):
        execute(url, ANOTHER_RAVI.format(n=3))
    to(url, "0004")
    execute(url, TRANSFER.replace("ben_1", "ben_2"))
    assert execute(url, "SELECT count(*) FROM transfers") == [(1,)]
