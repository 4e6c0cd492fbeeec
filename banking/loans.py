"""Loans: what a customer borrowed, and the instalments that pay it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ColumnElement, Date, ForeignKey, Integer, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking.days import add_months
from core.db import Base, Minor, UtcDateTime, one_of
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.money import Money

MAX_PER_CUSTOMER = 20
MAX_MONTHS = 480
MAX_RATE_BPS = 10_000
MONTHLY_BPS = 12 * 10_000  # a yearly rate in hundredths of a percent, over this, is the monthly one


class LoanKind(StrEnum):
    """What the money is for."""

    HOME = "home"
    PERSONAL = "personal"
    CAR = "car"
    EDUCATION = "education"
    GOLD = "gold"


class Loan(Base):
    """Money lent, paid back in equal monthly instalments.

    Attributes:
        annual_rate_bps: Interest a year in hundredths of a percent.
        months: How many instalments there are.
        first_due_on: When the first is due; the others on that day of the months after it.
    """

    __tablename__ = "loans"
    __table_args__ = (
        CheckConstraint("principal_minor > 0", name="principal"),
        CheckConstraint(f"annual_rate_bps BETWEEN 0 AND {MAX_RATE_BPS}", name="rate"),
        CheckConstraint(f"months BETWEEN 1 AND {MAX_MONTHS}", name="months"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    kind: Mapped[LoanKind] = mapped_column(one_of(LoanKind))
    principal_minor: Mapped[int] = mapped_column(Minor)
    currency: Mapped[str] = mapped_column(String(3))
    annual_rate_bps: Mapped[int]
    months: Mapped[int]
    first_due_on: Mapped[date] = mapped_column(Date)

    @property
    def principal(self) -> Money:
        """What was lent."""
        return Money(self.principal_minor, self.currency)


class LoanPayment(Base):
    """An instalment that has been paid.

    Attributes:
        n: Which one, from 1.
        posting_id: The movement of money; None for one paid before the bank kept it.
    """

    __tablename__ = "loan_payments"
    __table_args__ = (CheckConstraint("n >= 1", name="n"),)

    loan_id: Mapped[str] = mapped_column(ForeignKey("loans.id"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    paid_at: Mapped[datetime] = mapped_column(UtcDateTime)
    posting_id: Mapped[str | None] = mapped_column(ForeignKey("postings.id"), unique=True)


@dataclass(frozen=True, slots=True)
class Instalment:
    """One month of a loan.

    Attributes:
        n: Which one, from 1.
        emi: What is to be paid: principal and interest.
        balance_after: What is owed then.
    """

    n: int
    due_on: date
    emi: Money
    principal: Money
    interest: Money
    balance_after: Money


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan and where it stands.

    Attributes:
        emi: The next instalment; the last one when none is left.
        paid: How many instalments have been paid.
        left: How many are still to be paid.
        outstanding: The principal still owed.
        next_due_on: None when nothing is left.
    """

    loan: Loan
    emi: Money
    paid: int
    left: int
    outstanding: Money
    next_due_on: date | None


async def open_loan(
    db: AsyncSession,
    *,
    customer_id: str,
    kind: LoanKind,
    principal_minor: int,
    annual_rate_bps: int,
    months: int,
    first_due_on: date,
    currency: str = "INR",
) -> Loan:
    """Record a loan that has been paid out.

    Raises: Invalid for terms that cannot be.
    """
    if not (principal_minor > 0 and 0 <= annual_rate_bps <= MAX_RATE_BPS and 1 <= months <= MAX_MONTHS):
        raise Invalid("A loan cannot have such terms.", code="bad_loan")
    loan = Loan(
        id=new_id("lon"),
        customer_id=customer_id,
        kind=kind,
        principal_minor=principal_minor,
        currency=currency,
        annual_rate_bps=annual_rate_bps,
        months=months,
        first_due_on=first_due_on,
    )
    db.add(loan)
    await db.flush()
    return loan


def schedule(loan: Loan) -> tuple[Instalment, ...]:
    """Every instalment of a loan, by the annuity formula in whole minor units; the last one squares it."""
    emi, owed = _emi_minor(loan), loan.principal_minor
    rate_bps, months, currency, first_due_on = loan.annual_rate_bps, loan.months, loan.currency, loan.first_due_on
    instalments: list[Instalment] = []
    for n in range(1, months + 1):
        interest = _rounded(owed * rate_bps, MONTHLY_BPS)
        principal = owed if n == months else min(emi - interest, owed)
        owed -= principal
        instalments.append(
            Instalment(
                n=n,
                due_on=add_months(first_due_on, n - 1),
                emi=Money(principal + interest, currency),
                principal=Money(principal, currency),
                interest=Money(interest, currency),
                balance_after=Money(owed, currency),
            )
        )
    return tuple(instalments)


async def of_customer(db: AsyncSession, *, customer_id: str) -> list[LoanView]:
    """A customer's loans, the oldest first, and where each stands."""
    return await _views(db, Loan.customer_id == customer_id)


async def own(db: AsyncSession, *, customer_id: str, loan_id: str) -> LoanView:
    """One of a customer's own loans by its id.

    Raises: NotFound, also if it is somebody else's.
    """
    found = await _views(db, Loan.customer_id == customer_id, Loan.id == loan_id)
    if not found:
        raise NotFound("There is no such loan.", code="no_loan", spoken="I can't find that loan.")
    return found[0]


async def _views(db: AsyncSession, *which: ColumnElement[bool]) -> list[LoanView]:
    paid = select(func.count()).where(LoanPayment.loan_id == Loan.id).scalar_subquery()
    rows = await db.execute(
        select(Loan, paid).where(*which).order_by(Loan.first_due_on, Loan.id).limit(MAX_PER_CUSTOMER)
    )
    return [_view(loan, count) for loan, count in rows]


def _view(loan: Loan, paid: int) -> LoanView:
    instalments = schedule(loan)
    is_over = paid >= loan.months
    return LoanView(
        loan=loan,
        emi=instalments[-1 if is_over else paid].emi,
        paid=paid,
        left=0 if is_over else loan.months - paid,
        outstanding=instalments[paid - 1].balance_after if paid else loan.principal,
        next_due_on=None if is_over else instalments[paid].due_on,
    )


def _emi_minor(loan: Loan) -> int:
    """P·r·(1+r)ⁿ / ((1+r)ⁿ − 1), exactly, rounded once."""
    if loan.annual_rate_bps == 0:
        return _rounded(loan.principal_minor, loan.months)
    grown = (MONTHLY_BPS + loan.annual_rate_bps) ** loan.months
    return _rounded(
        loan.principal_minor * loan.annual_rate_bps * grown, MONTHLY_BPS * (grown - MONTHLY_BPS**loan.months)
    )


def _rounded(numerator: int, denominator: int) -> int:
    """A quotient to the nearest whole, half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)
