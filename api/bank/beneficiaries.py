"""Beneficiaries: whom a customer may pay."""

from __future__ import annotations

from datetime import datetime

from api.bank.asking import CustomerId, noun
from api.bank.schemas import BeneficiaryIn, BeneficiaryOut, masked
from api.deps import Acting, App
from api.fields import PathId
from api.paging import Page, PageOut
from banking import beneficiaries
from banking.beneficiaries import Beneficiary
from core.clock import utc_now

router = noun()


@router.get("/beneficiaries")
async def list_beneficiaries(app: App, customer_id: CustomerId, page: Page) -> PageOut[BeneficiaryOut]:
    """My payees by nickname."""
    now = utc_now()
    async with app.db.reading() as db:
        return page.cut([_out(payee, now) for payee in await beneficiaries.of_customer(db, customer_id=customer_id)])


@router.post("/beneficiaries", status_code=201)
async def add_beneficiary(body: BeneficiaryIn, app: App, customer_id: CustomerId, actor: Acting) -> BeneficiaryOut:
    """Save a payee. For a day, sending to them takes a second factor and a lower limit holds."""
    now = utc_now()
    async with app.db.transaction() as db:
        payee = await beneficiaries.add(
            db,
            actor=actor,
            customer_id=customer_id,
            nickname=body.nickname,
            name=body.name,
            account_number=body.account_number,
            ifsc=body.ifsc,
            now=now,
        )
    return _out(payee, now)


@router.delete("/beneficiaries/{beneficiary_id}", status_code=204)
async def remove_beneficiary(beneficiary_id: PathId, app: App, customer_id: CustomerId, actor: Acting) -> None:
    """Forget a payee; what was sent to them stays on the statement."""
    async with app.db.transaction() as db:
        await beneficiaries.remove(
            db, actor=actor, customer_id=customer_id, beneficiary_id=beneficiary_id, now=utc_now()
        )


def _out(payee: Beneficiary, now: datetime) -> BeneficiaryOut:
    return BeneficiaryOut(
        id=payee.id,
        nickname=payee.nickname,
        name=payee.name,
        account_masked=masked(payee.tail),
        ifsc=payee.ifsc,
        created_at=payee.created_at,
        is_new=payee.is_new(now),
    )
