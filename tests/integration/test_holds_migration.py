"""Revision 0002 up and down, with data in it, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import DBAPIError

from core import db as core_db

MOMENT = "'2026-03-01 12:00:00'"
BEFORE = (
    f"INSERT INTO customers (id, name, kyc_status, created_at) VALUES ('cus_1', 'John Doe', 'verified', {MOMENT})",
    "INSERT INTO accounts (id, customer_id, kind, number, currency, status, is_primary, balance_minor, floor_minor, "
    f"opened_at) VALUES ('acc_1', 'cus_1', 'savings', '100000000001', 'INR', 'active', TRUE, 1000, 0, {MOMENT}), "
    f"('acc_2', NULL, 'internal', 'cash', 'INR', 'active', FALSE, -1000, NULL, {MOMENT})",
    "INSERT INTO postings (id, key, content_hash, kind, narration, currency, at) "
    f"VALUES ('pst_1', 'open', 'x', 'forward', 'Opening', 'INR', {MOMENT})",
    "INSERT INTO entries (posting_id, account_id, amount_minor, balance_after_minor, counterparty, narration) "
    "VALUES ('pst_1', 'acc_1', 1000, 1000, '', 'Opening'), ('pst_1', 'acc_2', -1000, -1000, '', 'Opening')",
)
POSTING_BUT_ID = "key, content_hash, kind, category, narration, currency, reverses, at"
HOLD = (
    "INSERT INTO holds (id, account_id, amount_minor, reason, key, placed_at, expires_at) "
    f"VALUES ('hld_1', 'acc_1', 400, 'Hotel', 'hotel', {MOMENT}, {MOMENT})",
    "UPDATE accounts SET held_minor = 400 WHERE id = 'acc_1'",
)
ANOTHER_PRIMARY = (
    "INSERT INTO accounts (id, customer_id, kind, number, currency, status, is_primary, balance_minor, {held}"
    f"floor_minor, opened_at) VALUES ('acc_3', 'cus_1', 'current', '3', 'INR', 'active', TRUE, 0, {{zero}}0, {MOMENT})"
)


def to(url: str, revision: str) -> None:
    """Bring the schema up or down to a revision."""

    def run(connection: sa.Connection) -> None:
        config = core_db.alembic_config()
        config.attributes["connection"] = connection
        down = sa.inspect(connection).has_table("holds")
        (command.downgrade if down else command.upgrade)(config, revision)

    core_db.on_connection(core_db.async_url(url), run)


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements in one transaction; the rows of the last."""

    def run(connection: sa.Connection) -> list[Any]:
        results = [connection.execute(sa.text(statement)) for statement in statements]
        return list(results[-1].all()) if results[-1].returns_rows else []

    return core_db.on_connection(core_db.async_url(url), run)


def refused(url: str, *statements: str) -> None:
    with pytest.raises(DBAPIError):
        execute(url, *statements)


def test_money_and_what_guards_it_are_kept_both_ways(empty_database_url: str) -> None:
    url = empty_database_url
    balances = "SELECT id, balance_minor FROM accounts ORDER BY id"
    entries = "SELECT id, account_id, amount_minor FROM entries ORDER BY id"
    to(url, "0001")
    execute(url, *BEFORE)
    kept = [("acc_1", 1000), ("acc_2", -1000)]
    written = execute(url, entries)
    assert len(written) == 2

    to(url, "0002")
    assert execute(url, balances) == kept
    assert execute(url, entries) == written
    assert execute(url, "SELECT DISTINCT held_minor FROM accounts") == [(0,)]
    execute(url, *HOLD)
    refused(url, "UPDATE accounts SET balance_minor = 399 WHERE id = 'acc_1'")
    refused(url, "UPDATE accounts SET held_minor = 1001 WHERE id = 'acc_1'")
    refused(url, "UPDATE accounts SET held_minor = -1 WHERE id = 'acc_2'")
    refused(url, "UPDATE accounts SET floor_minor = NULL WHERE id = 'acc_1'")
    refused(url, ANOTHER_PRIMARY.format(held="held_minor, ", zero="0, "))
    refused(url, "UPDATE entries SET amount_minor = 1")
    refused(url, "INSERT INTO accounts SELECT * FROM accounts WHERE id = 'acc_1'")
    if url.startswith("sqlite"):
        refused(url, "REPLACE INTO entries SELECT * FROM entries")
        refused(url, "REPLACE INTO postings SELECT * FROM postings")
        refused(url, f"REPLACE INTO postings SELECT 'new', {POSTING_BUT_ID} FROM postings")
        assert execute(url, entries) == written

    to(url, "0001")
    assert execute(url, balances) == kept
    assert execute(url, entries) == written
    refused(url, "UPDATE accounts SET balance_minor = -1 WHERE id = 'acc_1'")
    refused(url, ANOTHER_PRIMARY.format(held="", zero=""))
    refused(url, "DELETE FROM postings")
    execute(url, "UPDATE accounts SET balance_minor = 399 WHERE id = 'acc_1'")

    to(url, "0002")
    assert execute(url, balances) == [("acc_1", 399), ("acc_2", -1000)]
    refused(url, "UPDATE accounts SET held_minor = 400 WHERE id = 'acc_1'")
