"""Loans: what a customer owes, and by when."""

from __future__ import annotations

from api.bank.asking import CustomerId, noun
from api.bank.schemas import InstalmentOut, LoanOut
from api.deps import App
from api.fields import PathId
from api.paging import Page, PageOut
from banking import loans
from banking.loans import LoanView

router = noun()


@router.get("/loans")
async def list_loans(app: App, customer_id: CustomerId, page: Page) -> PageOut[LoanOut]:
    """My loans as they stand."""
    async with app.db.reading() as db:
        return page.cut([_out(view) for view in await loans.of_customer(db, customer_id=customer_id)])


@router.get("/loans/{loan_id}/schedule")
async def get_schedule(loan_id: PathId, app: App, customer_id: CustomerId, page: Page) -> PageOut[InstalmentOut]:
    """Every instalment of one of my loans, the first one first."""
    async with app.db.reading() as db:
        view = await loans.own(db, customer_id=customer_id, loan_id=loan_id)
    return page.cut(
        [
            InstalmentOut(
                n=each.n,
                due_on=each.due_on,
                emi_minor=each.emi.minor,
                principal_minor=each.principal.minor,
                interest_minor=each.interest.minor,
                balance_after_minor=each.balance_after.minor,
                paid=each.n <= view.paid,
            )
            for each in loans.schedule(view.loan)
        ]
    )


def _out(view: LoanView) -> LoanOut:
    whole, hundredths = divmod(view.loan.annual_rate_bps, 100)
    return LoanOut(
        id=view.loan.id,
        kind=view.loan.kind,
        principal_minor=view.loan.principal_minor,
        annual_rate_percent=f"{whole}.{hundredths:02d}",
        months=view.loan.months,
        emi_minor=view.emi.minor,
        outstanding_minor=view.outstanding.minor,
        next_due_on=view.next_due_on,
        instalments_left=view.left,
        currency=view.loan.currency,
    )
