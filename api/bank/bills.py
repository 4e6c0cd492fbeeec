"""Bills: what is due, and paying it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.bank.asking import MONEY, CustomerId, noun
from api.bank.schemas import BillOut, BillsOut, PayBillIn, TransferOut, masked
from api.bank.transfers import CHALLENGED, Asker, Outcome, outcome
from api.deps import Acting, App
from api.idempotent import Once
from api.paging import Paging
from banking import bills
from banking.bills import Bill, BillCategory, BillState

router = noun()


class BillsIn(Paging):
    """Which bills."""

    state: BillState | None = None


@router.get("/bills")
async def list_bills(app: App, customer_id: CustomerId, wanted: Annotated[BillsIn, Query()]) -> BillsOut:
    """My bills, those due first, and all there are categories for."""
    async with app.db.reading() as db:
        rows, total = await bills.of_customer(
            db, customer_id=customer_id, state=wanted.state, page=wanted.page, per_page=wanted.per_page
        )
    return BillsOut(
        data=[_out(row) for row in rows], pagination=wanted.pagination(total), categories=list(BillCategory)
    )


@router.post("/bills/pay", status_code=201, response_model=TransferOut, responses=CHALLENGED, dependencies=[MONEY])
async def pay_bill(body: PayBillIn, app: App, customer_id: CustomerId, actor: Acting, once: Once) -> Response:
    """Pay a due bill now. Where a second factor is asked for, give it to `/transfers/{id}/verify`."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        drafted = await asker.draft_bill(db, body, key=once.key)
        return await outcome(db, await asker.confirm(db, drafted.id), posted=201)

    return await once.run(work)


def _out(bill: Bill) -> BillOut:
    return BillOut(
        id=bill.id,
        biller_name=bill.biller_name,
        category=bill.category,
        consumer_number_masked=masked(bill.consumer_number),
        amount_minor=bill.amount_minor,
        currency=bill.currency,
        due_on=bill.due_on,
        state=bill.state,
        paid_at=bill.paid_at,
        paid_by=bill.paid_by,
    )
