"""Posting: the one way in which money moves.

What is done is the same on both databases and happens in one trip to each, because all who wait for an account wait for
this: lock the accounts in the order of their ids, see whether the money may move, write the posting unless its key is
taken, change the balances, write the entries. Postgres does it in one statement; on SQLite, where one connection
writes, plain statements follow each other in that connection's thread.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import Connection, exc, select
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from banking import accounts
from banking.accounts import Account, AccountNotActive, AccountStatus, InsufficientFunds
from banking.ledger.rows import (
    MAX_AMOUNT_MINOR,
    MAX_CATEGORY,
    MAX_COUNTERPARTY,
    MAX_KEY,
    MAX_LEGS,
    MAX_NARRATION,
    Entry,
    Leg,
    Posting,
    PostingKind,
)
from core.db import UtcDateTime, safe_text
from core.errors import AppError, Busy, Conflict, Invalid, KeyReused, NotFound
from core.ids import new_id

if TYPE_CHECKING:
    from banking.holds import Hold

T = TypeVar("T")

# So far from what 64 bits hold that no sum along the way leaves them.
MAX_BALANCE_MINOR = 9 * 10**18

_UTC = UtcDateTime()


async def post(
    db: AsyncSession,
    *,
    legs: Sequence[Leg],
    kind: PostingKind,
    narration: str,
    key: str,
    at: datetime,
    category: str | None = None,
    reverses: str | None = None,
    hold: Hold | None = None,
) -> Posting:
    """Move money: change every account's balance and write its entry, all or nothing with the transaction.

    The same key with the same content returns the posting made first, whatever has happened since. The posting is
    returned as it was written, not as a part of the session.

    Args:
        legs: Two or more, on different accounts of one currency, none zero, summing to zero.
        key: Names the request; scoped by the caller ("transfer:<draft id>").
        hold: Money set aside for this, used up by it; only for `holds.capture`, which keeps the hold itself in step.

    Raises: Invalid for legs that cannot be; KeyReused if the key came with other content;
        InsufficientFunds; AccountNotActive; NotFound for an unknown account.
    """
    _check(legs)
    narration = safe_text(narration, max_length=MAX_NARRATION)
    row = {
        "id": new_id("pst"),
        "key": safe_text(key, max_length=MAX_KEY),
        "content_hash": _content_hash(legs, kind, narration, category, reverses, hold),
        "kind": kind.value,
        "category": None if category is None else safe_text(category, max_length=MAX_CATEGORY),
        "narration": narration,
        "reverses": reverses,
        "at": at,
    }
    sides = [
        _Side(
            leg.account_id,
            leg.amount_minor,
            hold.amount_minor if hold is not None and hold.account_id == leg.account_id else 0,
            safe_text(leg.counterparty, max_length=MAX_COUNTERPARTY),
            safe_text(leg.narration, max_length=MAX_NARRATION) or narration,
        )
        for leg in legs
    ]
    posting = Posting(**row | {"kind": kind})
    moved = await db.run_sync(_move, row, sides)
    if not moved:
        return await _earlier(db, row, sides)
    posting.currency = moved[0].currency
    return posting


async def reverse(db: AsyncSession, *, posting_id: str, key: str, narration: str, at: datetime) -> Posting:
    """Undo a posting with one that is its mirror; each can be undone once, and an undoing stands.

    Raises: NotFound; Conflict (code `already_reversed`, `not_reversible`); otherwise as `post`.
    """
    original = await db.get(Posting, posting_id)
    if original is None:
        raise NotFound("There is no such posting.", code="no_posting")
    if original.kind is PostingKind.REVERSAL:
        raise Conflict("A reversal cannot be reversed.", code="not_reversible")
    entries = await db.scalars(select(Entry).where(Entry.posting_id == posting_id).order_by(Entry.id).limit(MAX_LEGS))
    return await post(
        db,
        legs=[Leg(entry.account_id, -entry.amount_minor, entry.counterparty) for entry in entries],
        kind=PostingKind.REVERSAL,
        narration=narration,
        key=key,
        at=at,
        category=original.category,
        reverses=posting_id,
    )


# --- Moving -----------------------------------------------------------------------------------------------------------


class _Side(NamedTuple):
    """A leg as the databases take it; `freed_minor` is what is no longer held on its account."""

    account_id: str
    amount_minor: int
    freed_minor: int
    counterparty: str
    narration: str


class _Moved(NamedTuple):
    """An account after a posting."""

    account_id: str
    currency: str
    balance_minor: int
    held_minor: int


def _move(session: Session, row: dict[str, Any], sides: Sequence[_Side]) -> list[_Moved]:
    """Do it all; empty, with nothing changed, if this cannot be or the key is taken."""
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        moved = _move_on_sqlite(connection, row, sides)
    else:
        moved = _move_on_postgres(connection, row, sides)
    for now in moved:
        # What the session has loaded of these accounts stays true.
        account = session.identity_map.get((Account, (now.account_id,), None))
        if account is not None:
            set_committed_value(account, "balance_minor", now.balance_minor)
            set_committed_value(account, "held_minor", now.held_minor)
    return moved


def _move_on_postgres(connection: Connection, row: dict[str, Any], sides: Sequence[_Side]) -> list[_Moved]:
    row = row | {"at": _UTC.process_bind_param(row["at"], connection.dialect)}
    columns = (list(column) for column in zip(*sides, strict=True))
    return [
        _Moved(*moved)
        for moved in connection.exec_driver_sql(_ON_POSTGRES, (*row.values(), *columns, MAX_BALANCE_MINOR))
    ]


# Rows that changed while they were waited for are `locked` as they are then, and only that may be reckoned with:
# `moved` meets them first as they were when the statement began, and the constraints are checked on that too. `locked`
# is complete before anything is written, since `made` needs its sums.
_ON_POSTGRES = """
WITH leg AS MATERIALIZED (
    SELECT * FROM unnest($9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::text[]) WITH ORDINALITY
        AS leg (account_id, amount, freed, counterparty, narration, n)
), locked AS MATERIALIZED (
    SELECT id, status, currency, balance_minor, held_minor, floor_minor
    FROM accounts WHERE id = ANY ($9::text[]) ORDER BY id FOR NO KEY UPDATE
), made AS (
    INSERT INTO postings (id, key, content_hash, kind, category, narration, reverses, at, currency)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz, min(currency)
    FROM locked JOIN leg ON leg.account_id = locked.id
    HAVING count(*) = cardinality($9::text[]) AND min(currency) = max(currency) AND bool_and(
        status = 'active'
        AND abs(balance_minor + amount) <= $14
        AND (amount > 0 OR floor_minor IS NULL OR balance_minor - held_minor + freed + amount >= floor_minor)
    )
    ON CONFLICT DO NOTHING
    RETURNING id, currency
), moved AS (
    UPDATE accounts
    SET balance_minor = locked.balance_minor + amount, held_minor = locked.held_minor - freed
    FROM made, locked JOIN leg ON leg.account_id = locked.id
    WHERE accounts.id = locked.id AND accounts.id = ANY ($9::text[])
    RETURNING accounts.id, accounts.currency, accounts.balance_minor, accounts.held_minor,
        made.id AS posting_id, amount, counterparty, leg.narration, n
), written AS (
    INSERT INTO entries (posting_id, account_id, amount_minor, balance_after_minor, counterparty, narration)
    SELECT posting_id, id, amount, balance_minor, counterparty, narration FROM moved ORDER BY n
)
SELECT id, currency, balance_minor, held_minor FROM moved
"""


def _move_on_sqlite(connection: Connection, row: dict[str, Any], sides: Sequence[_Side]) -> list[_Moved]:
    at = _UTC.process_bind_param(row["at"], connection.dialect)
    assert at is not None
    # As SQLAlchemy writes it.
    return _in_one_trip(connection, _in_thread, row | {"at": at.isoformat(" ", "microseconds")}, sides)


def _in_one_trip(connection: Connection, work: Callable[..., T], *arguments: Any) -> T:
    """Have `work` done by the connection's own thread as a whole, not in one trip there for every statement."""

    async def trip(driver: Any) -> T:
        return await driver._execute(work, driver._conn, *arguments)

    adapted = connection.connection.dbapi_connection
    assert isinstance(adapted, AdaptedConnection)
    try:
        return adapted.run_async(trip)
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(None, None, error, sqlite3.Error) from error


def _in_thread(connection: sqlite3.Connection, row: dict[str, Any], sides: Sequence[_Side]) -> list[_Moved]:
    """All of it on the driver's connection, whose transaction shuts out every other writer."""
    moved: list[_Moved] = []
    for side in sides:
        found = connection.execute(
            "SELECT currency, status, balance_minor, held_minor, floor_minor FROM accounts WHERE id = ?",
            (side.account_id,),
        ).fetchone()
        if found is None:
            return []
        currency, status, balance_minor, held_minor, floor_minor = found
        after = _Moved(side.account_id, currency, balance_minor + side.amount_minor, held_minor - side.freed_minor)
        if (
            status != AccountStatus.ACTIVE
            or abs(after.balance_minor) > MAX_BALANCE_MINOR
            or not _covered(side.amount_minor, after.balance_minor, after.held_minor, floor_minor)
        ):
            return []
        moved.append(after)
    if len({after.currency for after in moved}) != 1:
        return []
    # Nobody else writes meanwhile, so what is not there now is not there when it is inserted.
    if connection.execute("SELECT 1 FROM postings WHERE key = :key OR reverses = :reverses", row).fetchone():
        return []
    connection.execute(
        "INSERT INTO postings (id, key, content_hash, kind, category, narration, reverses, at, currency) VALUES "
        "(:id, :key, :content_hash, :kind, :category, :narration, :reverses, :at, :currency)",
        row | {"currency": moved[0].currency},
    )
    connection.executemany(
        "UPDATE accounts SET balance_minor = ?, held_minor = ? WHERE id = ?",
        [(after.balance_minor, after.held_minor, after.account_id) for after in moved],
    )
    connection.executemany(
        "INSERT INTO entries (posting_id, account_id, amount_minor, balance_after_minor, counterparty, narration) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (row["id"], side.account_id, side.amount_minor, after.balance_minor, side.counterparty, side.narration)
            for side, after in zip(sides, moved, strict=True)
        ],
    )
    return moved


# --- Rules ------------------------------------------------------------------------------------------------------------


def _check(legs: Sequence[Leg]) -> None:
    possible = (
        2 <= len(legs) <= MAX_LEGS
        and all(type(leg.amount_minor) is int and 0 < abs(leg.amount_minor) <= MAX_AMOUNT_MINOR for leg in legs)
        and len({leg.account_id for leg in legs}) == len(legs)
        and sum(leg.amount_minor for leg in legs) == 0
    )
    if not possible:
        raise Invalid("That movement of money is not possible.", code="bad_posting")


def _content_hash(
    legs: Sequence[Leg],
    kind: PostingKind,
    narration: str,
    category: str | None,
    reverses: str | None,
    hold: Hold | None = None,
) -> str:
    sides = sorted([leg.account_id, leg.amount_minor, leg.counterparty, leg.narration] for leg in legs)
    content = [sides, kind.value, narration, category, reverses, *([hold.id] if hold is not None else [])]
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def _earlier(db: AsyncSession, row: dict[str, Any], sides: Sequence[_Side]) -> Posting:
    """The posting that was made under this key before; where there is none, the reason why there cannot be one now.

    Looked up under the locks: whoever posts the same was first and is committed, or waits for us.
    """
    locked = await accounts.lock(db, (side.account_id for side in sides))
    if len({account.currency for account in locked.values()}) != 1:
        raise Invalid("Money cannot move between currencies.", code="currency_mismatch")
    earlier = await db.scalar(select(Posting).where(Posting.key == row["key"]))
    if earlier is not None:
        if earlier.content_hash != row["content_hash"]:
            raise KeyReused
        return earlier
    undone = select(Posting.id).where(Posting.reverses == row["reverses"])
    if row["reverses"] is not None and await db.scalar(undone) is not None:
        raise Conflict("That posting has been reversed already.", code="already_reversed")
    for side in sides:
        if refusal := _refusal(locked[side.account_id], side):
            raise refusal
    # Only if an account was opened after the statement had begun that did not see it.
    raise Busy("The account is not ready yet. Please try again.", retry_after_s=1)


def _refusal(account: Account, side: _Side) -> AppError | None:
    """Why this much cannot move on an account now, or None if it can."""
    if account.status is not AccountStatus.ACTIVE:
        return AccountNotActive(account)
    balance_minor, held_minor = account.balance_minor + side.amount_minor, account.held_minor - side.freed_minor
    if abs(balance_minor) > MAX_BALANCE_MINOR:
        return Invalid("That amount is not possible.", code="bad_amount")
    if not _covered(side.amount_minor, balance_minor, held_minor, account.floor_minor):
        return InsufficientFunds(account)
    return None


def _covered(amount_minor: int, balance_minor: int, held_minor: int, floor_minor: int | None) -> bool:
    """Whether an account may be left like this; money coming in is welcome even where there is too little."""
    return amount_minor > 0 or floor_minor is None or balance_minor - held_minor >= floor_minor
