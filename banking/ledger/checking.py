"""Whether the ledger agrees with itself."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from banking.accounts import Account
from banking.ledger.rows import Entry, Posting


async def check(db: AsyncSession) -> list[str]:
    """Every way in which the ledger contradicts itself, at most 100 of each kind; empty when all is well.

    Call it inside `Database.reading()`: one moment of the whole ledger.
    """
    from banking.holds import Hold  # which knows the ledger

    total = func.sum(Entry.amount_minor)
    unbalanced = (
        select(Posting.id, func.coalesce(total, 0), func.count(Entry.id))
        .outerjoin(Entry, Entry.posting_id == Posting.id)
        .group_by(Posting.id)
        .having((func.coalesce(total, 0) != 0) | (func.count(Entry.id) < 2))
    )
    last = select(Entry.account_id, total.label("total"), func.max(Entry.id).label("last_id"))
    sums = last.group_by(Entry.account_id).subquery()
    final = (
        select(Account.id, Account.balance_minor, func.coalesce(sums.c.total, 0), Entry.balance_after_minor)
        .outerjoin(sums, sums.c.account_id == Account.id)
        .outerjoin(Entry, Entry.id == sums.c.last_id)
        .where(
            (Account.balance_minor != func.coalesce(sums.c.total, 0))
            | (Account.balance_minor != func.coalesce(Entry.balance_after_minor, 0))
        )
    )
    below = select(Account.id).where(Account.balance_minor - Account.held_minor < Account.floor_minor)
    active = (
        select(Hold.account_id, func.sum(Hold.amount_minor).label("total"))
        .where(Hold.released_at.is_(None), Hold.captured_by.is_(None))
        .group_by(Hold.account_id)
        .subquery()
    )
    held = (
        select(Account.id, Account.held_minor, func.coalesce(active.c.total, 0))
        .outerjoin(active, active.c.account_id == Account.id)
        .where(Account.held_minor != func.coalesce(active.c.total, 0))
    )
    foreign = (
        select(Entry.id)
        .join(Posting, Posting.id == Entry.posting_id)
        .join(Account, Account.id == Entry.account_id)
        .where(Posting.currency != Account.currency)
    )
    return [
        *(f"posting {id_}: {n} entries sum to {rest}" for id_, rest, n in await db.execute(unbalanced.limit(100))),
        *(
            f"account {id_}: balance {now}, entries sum to {rest}, last entry says {after}"
            for id_, now, rest, after in await db.execute(final.limit(100))
        ),
        *(f"account {id_}: below its floor" for id_ in await db.scalars(below.limit(100))),
        *(
            f"account {id_}: {now} held, active holds sum to {total}"
            for id_, now, total in await db.execute(held.limit(100))
        ),
        *(f"entry {id_}: not in its account's currency" for id_ in await db.scalars(foreign.limit(100))),
    ]
