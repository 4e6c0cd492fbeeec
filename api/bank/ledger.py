"""The statement: what happened on a customer's accounts, and what was spent."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from api.bank.asking import CustomerId, noun
from api.bank.schemas import Category, CategorySpendingOut, LedgerLineOut, Since, SpendingOut, Until
from api.deps import App
from api.fields import Id, Text
from api.paging import PageOut, Paging
from banking import accounts, ledger
from banking.days import midnight, today
from banking.ledger import Filter, Line
from core.clock import utc_now
from core.db import MAX_PER_PAGE

router = noun()
transactions = noun()


class StatementIn(Paging):
    """Which lines."""

    limit: int | None = Field(None, ge=1, le=MAX_PER_PAGE, description="Only so many, the newest; as per_page")
    account_id: Id | None = Field(None, description="One account; else all of them together")
    category: Category | None = None
    direction: Literal["in", "out"] | None = None
    since: Since | None = None
    until: Until | None = Field(None, description="Before this moment; of a date, to the end of that day in India")
    text: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Part of the description or of the other side's name"
    )


class SpendingIn(BaseModel):
    """Which time, and for what."""

    since: Since | None = Field(None, description="From then on; else from the first of this month in India")
    until: Until | None = Field(None, description="Before then; else now")
    category: Category | None = None


async def statement(
    app: App, customer_id: CustomerId, wanted: Annotated[StatementIn, Query()]
) -> PageOut[LedgerLineOut]:
    """What happened on my accounts, newest first."""
    page = Paging(page=wanted.page, per_page=wanted.limit or wanted.per_page)
    only = Filter(
        since=wanted.since,
        until=wanted.until,
        category=wanted.category,
        direction=wanted.direction,
        text=wanted.text,
    )
    async with app.db.reading() as db:
        ids = await _accounts(db, customer_id, wanted.account_id)
        lines, total = await ledger.page(db, account_ids=ids, page=page.page, per_page=page.per_page, only=only)
    return page.of([_out(line) for line in lines], total)


router.get("/ledger")(statement)
transactions.get("/transactions")(statement)


@router.get("/ledger/spending")
async def spending(app: App, customer_id: CustomerId, wanted: Annotated[SpendingIn, Query()]) -> SpendingOut:
    """What went out to others; money between my own accounts, and payments that came back, do not count."""
    now = utc_now()
    since = wanted.since or midnight(today(now).replace(day=1))
    until = wanted.until or now
    async with app.db.reading() as db:
        ids = await _accounts(db, customer_id, None)
        spent = await ledger.spent(db, account_ids=ids, since=since, until=until, category=wanted.category)
    return SpendingOut(
        since=since,
        until=until,
        total_minor=spent.total.minor,
        count=spent.count,
        currency=spent.total.currency,
        by_category=sorted(
            (CategorySpendingOut(category=name, total_minor=total.minor) for name, total in spent.by_category.items()),
            key=lambda each: (-each.total_minor, each.category),
        ),
    )


async def _accounts(db: AsyncSession, customer_id: str, account_id: str | None) -> list[str]:
    if account_id is not None:
        return [(await accounts.own(db, customer_id=customer_id, account_id=account_id)).id]
    return [account.id for account in await accounts.of_customer(db, customer_id=customer_id)]


def _out(line: Line) -> LedgerLineOut:
    return LedgerLineOut(
        entry_id=line.entry_id,
        posting_id=line.posting_id,
        account_id=line.account_id,
        at=line.at,
        amount_minor=line.amount.minor,
        balance_after_minor=line.balance_after.minor,
        currency=line.amount.currency,
        kind=line.kind,
        category=line.category,
        counterparty=line.counterparty,
        description=line.narration,
    )
