"""Reading the ledger: balances, statements, what was spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from banking import accounts
from banking.accounts import Account
from banking.ledger.rows import MAX_LINES, Entry, Posting, PostingKind
from core.db import at_page
from core.errors import Invalid
from core.money import Money

_SPENDING = (PostingKind.PAYMENT, PostingKind.BILL, PostingKind.TRANSFER, PostingKind.FEE, PostingKind.LOAN)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement.

    Attributes:
        entry_id: Where the next, older page begins.
        amount: Positive came in, negative went out.
    """

    entry_id: int
    posting_id: str
    account_id: str
    at: datetime
    amount: Money
    balance_after: Money
    kind: PostingKind
    category: str | None
    counterparty: str
    narration: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines of a statement are wanted; every condition that is given must hold.

    Attributes:
        since: From this moment on.
        until: Before this moment.
        category: What it was for, in any case of letters.
        direction: Only money that came `in`, or went `out`.
        min_minor: At least this much, whichever way it went.
        max_minor: At most this much.
        text: Part of the narration or of the other side's name; letters A to Z in any case.
    """

    since: datetime | None = None
    until: datetime | None = None
    category: str | None = None
    direction: Literal["in", "out"] | None = None
    kind: PostingKind | None = None
    min_minor: int | None = None
    max_minor: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """Money that went to others.

    Attributes:
        count: How many payments it was.
        by_category: The same total by what it was for; `other` where that is unknown.
    """

    total: Money
    count: int
    by_category: dict[str, Money]


async def balance(db: AsyncSession, account_id: str) -> Money:
    """What an account holds now.

    Raises: NotFound.
    """
    return (await accounts.get(db, account_id)).balance


async def statement(
    db: AsyncSession,
    *,
    account_id: str,
    limit: int = 50,
    before: int | None = None,
    with_forward: bool = False,
    only: Filter | None = None,
) -> list[Line]:
    """What happened on an account, newest first.

    Args:
        limit: At most this many lines, up to 500.
        before: Only lines older than this entry id (the last one of the page before).
        with_forward: Also lines that brought a balance in, without which the others may not add up.
        only: Which of the lines.
    """
    query = _lines([account_id], only or Filter(), with_forward=with_forward)
    if before is not None:
        query = query.where(Entry.id < before)
    return await _read(db, query.order_by(Entry.id.desc()).limit(max(1, min(limit, MAX_LINES))))


async def page(
    db: AsyncSession, *, account_ids: Sequence[str], page: int = 1, per_page: int = 20, only: Filter | None = None
) -> tuple[list[Line], int]:
    """One page of what happened on several accounts together, newest first, and how many lines there are in all.

    The lines of a single account stand in the order in which the account saw them.

    Args:
        page: From 1.
        per_page: At most 500.
    """
    query = _lines(account_ids, only or Filter(), with_forward=False)
    total = await db.scalar(select(func.count()).select_from(query.subquery()))
    order = (Entry.id.desc(),) if len(account_ids) == 1 else (Posting.at.desc(), Entry.id.desc())
    return await _read(db, at_page(query.order_by(*order), page, per_page, most=MAX_LINES)), total or 0


def _lines(account_ids: Sequence[str], only: Filter, *, with_forward: bool) -> Select[Entry, Posting]:
    size = func.abs(Entry.amount_minor)
    wanted: list[ColumnElement[bool]] = [Entry.account_id.in_(account_ids)]
    if not with_forward:
        wanted.append(Posting.kind != PostingKind.FORWARD)
    if only.since is not None:
        wanted.append(Posting.at >= only.since)
    if only.until is not None:
        wanted.append(Posting.at < only.until)
    if only.category is not None:
        wanted.append(func.lower(Posting.category) == only.category.strip().lower())
    if only.direction is not None:
        wanted.append(Entry.amount_minor > 0 if only.direction == "in" else Entry.amount_minor < 0)
    if only.kind is not None:
        wanted.append(Posting.kind == only.kind)
    if only.min_minor is not None:
        wanted.append(size >= only.min_minor)
    if only.max_minor is not None:
        wanted.append(size <= only.max_minor)
    if only.text and (text := only.text.strip()):
        wanted.append(
            Entry.narration.icontains(text, autoescape=True) | Entry.counterparty.icontains(text, autoescape=True)
        )
    return select(Entry, Posting).join(Posting, Posting.id == Entry.posting_id).where(*wanted)


async def _read(db: AsyncSession, query: Select[Entry, Posting]) -> list[Line]:
    return [
        Line(
            entry_id=entry.id,
            posting_id=posting.id,
            account_id=entry.account_id,
            at=posting.at,
            amount=Money(entry.amount_minor, posting.currency),
            balance_after=Money(entry.balance_after_minor, posting.currency),
            kind=posting.kind,
            category=posting.category,
            counterparty=entry.counterparty,
            narration=entry.narration,
        )
        for entry, posting in await db.execute(query)
    ]


async def spent(
    db: AsyncSession, *, account_ids: Sequence[str], since: datetime, until: datetime, category: str | None = None
) -> Spending:
    """What left these accounts for others from `since` to before `until`.

    Payments that were reversed, whenever that was, and money between accounts of one customer are no spending.

    Raises: Invalid (code `currency_mismatch`) for accounts of several currencies.
    """
    currencies = set(await db.scalars(select(Account.currency).where(Account.id.in_(account_ids)).distinct()))
    if len(currencies) > 1:
        raise Invalid("Money of several currencies cannot be added up.", code="currency_mismatch")
    currency = currencies.pop() if currencies else "INR"

    # What the customers lost as a whole bounds what went to others: the rest stayed with them.
    theirs = select(Account.id).where(
        Account.customer_id.in_(select(Account.customer_id).where(Account.id.in_(account_ids)))
    )
    left = func.sum(case((Entry.account_id.in_(account_ids), -Entry.amount_minor), else_=0))
    lost = -func.sum(Entry.amount_minor)
    undone = aliased(Posting)
    purpose = func.lower(Posting.category).label("purpose")
    each = (
        select(purpose, case((left < lost, left), else_=lost).label("amount"))
        .join(Entry, Entry.posting_id == Posting.id)
        .outerjoin(undone, undone.reverses == Posting.id)
        .where(
            Posting.kind.in_(_SPENDING),
            Posting.at >= since,
            Posting.at < until,
            undone.id.is_(None),
            Entry.account_id.in_(theirs),
        )
        .group_by(Posting.id, purpose)
        .having((left > 0) & (lost > 0))
    )
    if category is not None:
        each = each.where(purpose == category.strip().lower())
    each = each.subquery()
    total = func.sum(each.c.amount)
    rows = (
        await db.execute(
            select(each.c.purpose, total, func.count()).group_by(each.c.purpose).order_by(total.desc(), each.c.purpose)
        )
    ).all()
    return Spending(
        total=Money(sum(int(amount) for _, amount, _ in rows), currency),
        count=sum(count for *_, count in rows),
        by_category={purpose or "other": Money(int(amount), currency) for purpose, amount, _ in rows},
    )
