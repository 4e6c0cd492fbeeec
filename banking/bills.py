"""Bills: what a customer owes to firms, and which of them are paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, case, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Minor, SafeStr, UtcDateTime, one_of, paged
from core.errors import AppError, Conflict, Invalid, NotFound
from core.ids import new_id
from core.money import Money
from core.spoken import hear_digits, say_digits, say_list
from core.vault import Sealed

MAX_DUE = 200


class BillCategory(StrEnum):
    """What a bill is for."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    MOBILE = "mobile"
    LANDLINE = "landline"
    INTERNET = "internet"
    TELEVISION = "television"
    CREDIT_CARD = "credit_card"
    INSURANCE = "insurance"
    EDUCATION = "education"
    TAX = "tax"

    @property
    def words(self) -> str:
        """As people write and say it: credit card."""
        return self.value.replace("_", " ")


# What else people call a bill of a category; "phone" may be either of two.
_ALSO_CALLED = {
    BillCategory.ELECTRICITY: "electric power light lights current",
    BillCategory.GAS: "lpg cylinder",
    BillCategory.MOBILE: "phone cell cellphone",
    BillCategory.LANDLINE: "phone telephone",
    BillCategory.INTERNET: "broadband wifi net",
    BillCategory.TELEVISION: "tv cable dish",
    BillCategory.INSURANCE: "premium policy",
    BillCategory.EDUCATION: "school college tuition fee fees",
    BillCategory.TAX: "taxes property",
}
# What is said around it and tells nothing.
_AROUND = "my the a an this that one bill bills pay please for from to of due number ending in with"


class BillState(StrEnum):
    """Whether it is still to be paid."""

    DUE = "due"
    PAID = "paid"


_PAID = text("paid_by IS NOT NULL")
"""Partial, or Postgres would take paying a bill for a change of its key, against every transfer that refers to it."""


class Bill(Base):
    """One demand of a biller for one amount.

    Attributes:
        consumer_number: By which the biller knows the customer.
        paid_by: The transfer that paid it; None for one paid before the bank kept it.
    """

    __tablename__ = "bills"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid"),
        CheckConstraint("paid_by IS NULL OR state = 'paid'", name="paid_by"),
        Index("ix_bills_customer_id_state_due_on", "customer_id", "state", "due_on"),
        Index("uq_bills_paid_by", "paid_by", unique=True, sqlite_where=_PAID, postgresql_where=_PAID),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    biller_name: Mapped[str] = mapped_column(SafeStr(120))
    category: Mapped[BillCategory] = mapped_column(one_of(BillCategory))
    consumer_number_sealed: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(Minor)
    currency: Mapped[str] = mapped_column(String(3))
    due_on: Mapped[date] = mapped_column(Date)
    state: Mapped[BillState] = mapped_column(one_of(BillState))
    paid_by: Mapped[str | None] = mapped_column(String(40))
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    consumer_number = Sealed(34)

    @property
    def amount(self) -> Money:
        """What is asked for."""
        return Money(self.amount_minor, self.currency)


class WhichBill(AppError):
    """Several due bills fit what the customer said."""

    code = "which_bill"
    status = 409


class BillNotDue(Conflict):
    """The bill has been paid already."""

    code = "bill_not_due"

    def __init__(self) -> None:
        super().__init__("That bill has been paid already.")


async def add(
    db: AsyncSession,
    *,
    customer_id: str,
    biller_name: str,
    category: BillCategory,
    consumer_number: str,
    amount_minor: int,
    due_on: date,
    paid_at: datetime | None = None,
    currency: str = "INR",
) -> Bill:
    """Record a biller's demand; with `paid_at`, one that has been paid already.

    Raises: Invalid for an amount that is not positive.
    """
    if amount_minor <= 0:
        raise Invalid("A bill's amount must be more than zero.", code="bad_amount")
    bill = Bill(
        id=new_id("bil"),
        customer_id=customer_id,
        biller_name=biller_name,
        category=category,
        consumer_number=consumer_number,
        amount_minor=amount_minor,
        currency=currency,
        due_on=due_on,
        state=BillState.DUE if paid_at is None else BillState.PAID,
        paid_at=paid_at,
    )
    db.add(bill)
    await db.flush()
    return bill


async def of_customer(
    db: AsyncSession, *, customer_id: str, state: BillState | None = None, page: int = 1, per_page: int = 20
) -> tuple[Sequence[Bill], int]:
    """One page of a customer's bills and how many there are: those due by their date, then the paid, newest first."""
    query = select(Bill).where(Bill.customer_id == customer_id)
    if state is not None:
        query = query.where(Bill.state == state)
    is_paid = Bill.state == BillState.PAID
    order = (is_paid, case((~is_paid, Bill.due_on)), Bill.paid_at.desc(), Bill.id)
    return await paged(db, query, *order, page=page, per_page=per_page)


async def own(db: AsyncSession, *, customer_id: str, bill_id: str) -> Bill:
    """One of a customer's own bills by its id, as it is now.

    Raises: NotFound, also if it is somebody else's.
    """
    bill = await db.scalar(
        select(Bill)
        .where(Bill.id == bill_id, Bill.customer_id == customer_id)
        .execution_options(populate_existing=True)
    )
    if bill is None:
        raise NotFound("There is no such bill.", code="no_bill", spoken="I can't find that bill.")
    return bill


async def find_own(db: AsyncSession, *, customer_id: str, said: str) -> Bill:
    """The due bill a customer means by what it is for ("electricity", "phone bill") or by the biller's name.

    Raises: NotFound (code `no_bill`), whose spoken sentence tells what is due; WhichBill, whose spoken sentence lists
        the choice.
    """
    rows = await db.scalars(
        select(Bill)
        .where(Bill.customer_id == customer_id, Bill.state == BillState.DUE)
        .order_by(Bill.due_on, Bill.id)
        .limit(MAX_DUE)
    )
    due = rows.all()
    fitting = _fitting(due, said)
    if not fitting:
        raise _no_bill(due)
    if len(fitting) > 1:
        raise WhichBill(f"Which bill: {say_list(_told_apart(fitting), conjunction='or')}?")
    return fitting[0]


async def settle(db: AsyncSession, *, bill_id: str, customer_id: str, transfer_id: str, now: datetime) -> Bill:
    """Mark a due bill as paid by a transfer, once.

    Raises: NotFound, also if it is somebody else's; BillNotDue.
    """
    settled = await db.scalar(
        update(Bill)
        .where(Bill.id == bill_id, Bill.customer_id == customer_id, Bill.state == BillState.DUE)
        .values(state=BillState.PAID, paid_by=transfer_id, paid_at=now)
        .returning(Bill)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if settled is not None:
        return settled
    await own(db, customer_id=customer_id, bill_id=bill_id)
    raise BillNotDue


def _fitting(due: Sequence[Bill], said: str) -> Sequence[Bill]:
    """The bills that all of `said` fits: by category if any does, else by the biller's name, else by both together."""
    words = said.casefold().replace("wi-fi", "wifi").replace("wi fi", "wifi").replace("-", " ").split()
    words = [word.strip(".,;:!?'\"") for word in words]
    tail = ""
    while words and (digits := hear_digits(words[-1])):
        tail = digits + tail
        words.pop()
    if len(tail) > 1:
        due = [bill for bill in due if bill.consumer_number.endswith(tail)]
    meant = {*words} - {"", *_AROUND.split()}

    ways: tuple[Callable[[Bill], set[str]], ...] = (
        _category_words,
        _biller_words,
        lambda bill: _category_words(bill) | _biller_words(bill),
    )
    fits = ([bill for bill in due if meant <= way(bill)] for way in ways)
    return next(filter(None, fits), [])


def _category_words(bill: Bill) -> set[str]:
    return {*bill.category.words.split(), *_ALSO_CALLED.get(bill.category, "").split()}


def _biller_words(bill: Bill) -> set[str]:
    return set(bill.biller_name.casefold().split())


def _no_bill(due: Sequence[Bill]) -> NotFound:
    if not due:
        return NotFound("You have no bills due.", code="no_bill")
    kinds = list(dict.fromkeys(bill.category.words for bill in due))
    return NotFound(f"You have no such bill due. What is due: {say_list(kinds)}.", code="no_bill")


def _told_apart(bills: Sequence[Bill]) -> list[str]:
    """What each is for and from whom, with the last digits where that is the same for two."""
    names = [f"{bill.category.words} from {bill.biller_name}" for bill in bills]
    return [
        f"{name} ending in {say_digits(bill.consumer_number[-4:])}" if names.count(name) > 1 else name
        for name, bill in zip(names, bills, strict=True)
    ]
