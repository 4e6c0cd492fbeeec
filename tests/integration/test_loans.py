"""Loans: where each stands, by what has been paid."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from banking import loans
from banking.customers import Customer, KycStatus
from banking.loans import LoanKind, LoanPayment, LoanView
from core.db import Database
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.money import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def new_customer(database: Database) -> str:
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="Ada", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
    return customer.id


async def new_loan(
    database: Database,
    customer_id: str,
    *,
    principal: int = 1_000_00,
    rate_bps: int = 1200,
    months: int = 3,
    first_due_on: date = date(2026, 1, 31),
) -> str:
    async with database.transaction() as db:
        loan = await loans.open_loan(
            db,
            customer_id=customer_id,
            kind=LoanKind.PERSONAL,
            principal_minor=principal,
            annual_rate_bps=rate_bps,
            months=months,
            first_due_on=first_due_on,
        )
    return loan.id


async def pay(database: Database, loan_id: str, n: int) -> None:
    async with database.transaction() as db:
        db.add(LoanPayment(loan_id=loan_id, n=n, paid_at=NOW))


async def view(database: Database, customer_id: str, loan_id: str) -> LoanView:
    async with database.reading() as db:
        return await loans.own(db, customer_id=customer_id, loan_id=loan_id)


async def test_where_a_loan_stands_follows_from_what_has_been_paid(database: Database) -> None:
    ada = await new_customer(database)
    loan_id = await new_loan(database, ada)
    seen: list[tuple[int, int, Money, Money, date | None]] = []
    for n in range(4):
        if n:
            await pay(database, loan_id, n)
        now = await view(database, ada, loan_id)
        seen.append((now.paid, now.left, now.outstanding, now.emi, now.next_due_on))
    assert seen == [
        (0, 3, Money(1_000_00), Money(340_02), date(2026, 1, 31)),
        (1, 2, Money(669_98), Money(340_02), date(2026, 2, 28)),
        (2, 1, Money(336_66), Money(340_03), date(2026, 3, 31)),
        (3, 0, Money(0), Money(340_03), None),
    ]


async def test_a_customers_loans_are_listed_the_oldest_first(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    newer = await new_loan(database, ada, first_due_on=date(2026, 2, 1))
    older = await new_loan(database, ada, first_due_on=date(2024, 2, 1))
    await new_loan(database, eve)
    await pay(database, older, 1)
    async with database.reading() as db:
        listed = await loans.of_customer(db, customer_id=ada)
    assert [(each.loan.id, each.paid) for each in listed] == [(older, 1), (newer, 0)]


async def test_nobody_sees_anothers_loan(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    loan_id = await new_loan(database, ada)
    assert (await view(database, ada, loan_id)).loan.id == loan_id
    for customer_id, asked in ((eve, loan_id), (ada, "lon_nothing")):
        with pytest.raises(NotFound) as caught:
            await view(database, customer_id, asked)
        assert caught.value.code == "no_loan"
    async with database.reading() as db:
        assert await loans.of_customer(db, customer_id=eve) == []


@pytest.mark.parametrize(
    ("principal", "rate_bps", "months"),
    [(0, 900, 12), (-1, 900, 12), (100, -1, 12), (100, 10_001, 12), (100, 900, 0), (100, 900, 481)],
)
async def test_terms_that_cannot_be_are_refused(database: Database, principal: int, rate_bps: int, months: int) -> None:
    ada = await new_customer(database)
    with pytest.raises(Invalid) as caught:
        await new_loan(database, ada, principal=principal, rate_bps=rate_bps, months=months)
    assert caught.value.code == "bad_loan"


async def test_an_instalment_is_paid_once(database: Database) -> None:
    ada = await new_customer(database)
    loan_id = await new_loan(database, ada)
    await pay(database, loan_id, 1)
    with pytest.raises(IntegrityError):
        await pay(database, loan_id, 1)
