"""What a demo customer starts with.

The balance, history and contacts are those that the demonstration API's document prints; bills, a loan, a reminder and
a current account are dated from today, so that something is due and last month has been lived.

The balances it prints beside the transactions do not follow from each other (8500 less 1000 is not 7000). The ledger
only tells the truth, so between them it brings balances forward; those postings are no transactions and appear on no
list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, bills, ledger, loans, reminders
from banking.accounts import AccountKind, House
from banking.bills import BillCategory
from banking.customers import Kyc, KycDocument
from banking.days import IST, add_months, today
from banking.ledger import Leg, PostingKind
from banking.loans import Loan, LoanKind, LoanPayment
from identity.actor import SYSTEM

GUEST_NAME = "Guest"
# No document has such a number.
GUEST_KYC = Kyc(KycDocument.PASSPORT, "Z0000000", date(1990, 1, 1), "1 Example Street, Bengaluru 560000")
OPENED_AT = datetime(2025, 11, 1, 9, 0, tzinfo=UTC)

# Contacts of a guest bank elsewhere, at a bank that does not exist: nobody's real account can be meant.
OTHER_BANK_IFSC = "DEMO0000001"


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody a demo customer may pay."""

    nickname: str
    name: str
    account_number: str
    ifsc: str | None = OTHER_BANK_IFSC


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the printed history, in whole rupees.

    Attributes:
        amount: Positive came in.
        balance_after: As printed.
        house: The other side, unless the counterparty is a customer here.
        other_narration: The statement text for such a customer.
    """

    at: datetime
    amount: int
    balance_after: int
    narration: str
    counterparty: str
    kind: PostingKind
    category: str | None
    house: House
    other_narration: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A line of a current account's last weeks, in whole rupees.

    Attributes:
        amount: Positive came in.
    """

    days_ago: int
    amount: int
    counterparty: str
    category: str
    house: House = House.MERCHANTS


@dataclass(frozen=True, slots=True)
class Demand:
    """A bill, in whole rupees.

    Attributes:
        days: How long until it is due, or, for one that has been paid, since then.
    """

    category: BillCategory
    biller: str
    consumer_number: str
    amount: int
    days: int


@dataclass(frozen=True, slots=True)
class Terms:
    """A loan of so many whole rupees, and how many of its instalments have been paid."""

    kind: LoanKind
    principal: int
    annual_rate_bps: int
    months: int
    paid: int


@dataclass(frozen=True, slots=True)
class Household:
    """What a demo customer has beside the savings account, seen from today.

    Attributes:
        current: The rupees on their current account; None without one, and then nothing of the past may have been paid
            from it.
        past: What happened on it, beside the latest instalments of the loan and the bill that is paid.
        paid: The bill that is paid; from the current account, or else before the bank kept it.
        reminder: What they asked to be told in a few days.
    """

    due: tuple[Demand, ...]
    paid: Demand
    loan: Terms
    reminder: str
    current: int | None = None
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A movement on the current account, ready to be posted."""

    at: datetime
    minor: int
    counterparty: str
    narration: str
    kind: PostingKind
    category: str
    house: House
    instalment: int | None = None


GUEST_CONTACTS = (
    Contact("Ravi", "Ravi Kumar", "900000000003"),
    Contact("Jane", "Jane Smith", "900000000002"),
    Contact("John", "John Doe", "900000000001"),
    Contact("Mom", "Mary Doe", "900000000004"),
    Contact("Mike", "Mike Brown", "900000000005"),
)

HISTORY = (
    Event(
        datetime(2025, 11, 17, 16, 20, tzinfo=UTC),
        amount=1500,
        balance_after=8500,
        narration="Received ₹1500 from Mom",
        counterparty="Mom",
        kind=PostingKind.TRANSFER,
        category="transfer",
        house=House.OTHER_BANKS,
        other_narration="Sent ₹1500 to John",
    ),
    Event(
        datetime(2025, 11, 18, 11, 45, tzinfo=UTC),
        amount=-1000,
        balance_after=7000,
        narration="Sent ₹1000 to Ravi",
        counterparty="Ravi",
        kind=PostingKind.TRANSFER,
        category="transfer",
        house=House.OTHER_BANKS,
        other_narration="Received ₹1000 from John",
    ),
    Event(
        datetime(2025, 11, 19, 14, 15, tzinfo=UTC),
        amount=-2000,
        balance_after=8000,
        narration="Paid ₹2000 for groceries",
        counterparty="Groceries",
        kind=PostingKind.PAYMENT,
        category="groceries",
        house=House.MERCHANTS,
    ),
    Event(
        datetime(2025, 11, 20, 9, 30, tzinfo=UTC),
        amount=5000,
        balance_after=10000,
        narration="Received ₹5000 from Salary",
        counterparty="Salary",
        kind=PostingKind.INCOME,
        category="salary",
        house=House.SALARY,
    ),
)


GUEST_HOUSEHOLD = Household(
    due=(
        Demand(BillCategory.MOBILE, "Bluebell Mobile", "9800000000", 399, days=3),
        Demand(BillCategory.ELECTRICITY, "Sunrise Power", "0000110000", 1280, days=6),
        Demand(BillCategory.WATER, "Riverside Water Board", "0000220000", 450, days=9),
        Demand(BillCategory.INTERNET, "Quicknet Broadband", "0000330000", 899, days=12),
    ),
    paid=Demand(BillCategory.GAS, "Hearth Gas", "0000440000", 1105, days=20),
    loan=Terms(LoanKind.HOME, 15_00_000, annual_rate_bps=850, months=180, paid=26),
    reminder="Pay the electricity bill",
    current=50_000,
    past=(
        Past(85, 42_000, "Invoice 204", "income", House.OTHER_BANKS),
        Past(54, -1_850, "Groceries", "groceries"),
        Past(47, -2_200, "Fuel", "fuel"),
        Past(38, 45_000, "Invoice 207", "income", House.OTHER_BANKS),
        Past(33, -1_640, "Groceries", "groceries"),
        Past(25, -2_350, "Dining", "dining"),
        Past(12, -1_975, "Groceries", "groceries"),
        Past(5, -1_200, "Fuel", "fuel"),
    ),
)

# How long the current account's history reaches back, the day instalments are due, how many of them it shows.
HISTORY_DAYS = 100
_INSTALMENT_DAY = 5
_INSTALMENTS_SHOWN = 3
_MORNING = time(10, 0, tzinfo=IST)


async def furnish(
    db: AsyncSession,
    *,
    customer_id: str,
    now: datetime,
    contacts: tuple[Contact, ...] = GUEST_CONTACTS,
    people: Mapping[str, str] | None = None,
    number: str | None = None,
    household: Household = GUEST_HOUSEHOLD,
) -> None:
    """Give a new customer a savings account with the printed history, contacts and a household.

    Args:
        people: Account ids of contacts who are customers here, by nickname: the money came from and went to those.
        number: The savings account's number; random if None.
    """
    people = people or {}
    account = await accounts.open_account(
        db, customer_id=customer_id, kind=AccountKind.SAVINGS, now=OPENED_AT, number=number, is_primary=True
    )
    await save_contacts(db, customer_id=customer_id, contacts=contacts, now=now)
    loan = await _agree(db, customer_id, household, now)
    # Money comes last: the bank's own accounts are locked no longer than they must be.
    houses = await _locked_houses(db, now, *people.values())

    balance = 0
    for n, event in enumerate(HISTORY):
        gap = event.balance_after - event.amount - balance
        if gap:
            await bring_forward(
                db,
                account_id=account.id,
                opening_id=houses[House.OPENING],
                amount_minor=gap * 100,
                at=OPENED_AT if n == 0 else event.at.replace(hour=0, minute=0),
                key=f"template:{customer_id}:forward:{n}",
            )
        minor = event.amount * 100
        other = people.get(event.counterparty, houses[event.house])
        await ledger.post(
            db,
            legs=[
                Leg(account.id, minor, event.counterparty, event.narration),
                Leg(other, -minor, "John" if other in people.values() else "", event.other_narration),
            ],
            kind=event.kind,
            category=event.category,
            narration=event.narration,
            key=f"template:{customer_id}:{n}",
            at=event.at,
        )
        balance = event.balance_after
    await _live(db, customer_id, household, loan, houses, now)


async def furnish_household(
    db: AsyncSession, *, customer_id: str, household: Household, now: datetime, number: str | None = None
) -> None:
    """Give a new customer bills, a loan, a reminder and, where the household has one, a current account.

    Args:
        number: The current account's number; random if None.
    """
    loan = await _agree(db, customer_id, household, now)
    await _live(db, customer_id, household, loan, await _locked_houses(db, now), now, number)


async def save_contacts(db: AsyncSession, *, customer_id: str, contacts: tuple[Contact, ...], now: datetime) -> None:
    """Save contacts that have been known for long."""
    for contact in contacts:
        await beneficiaries.add(
            db,
            actor=SYSTEM,
            customer_id=customer_id,
            nickname=contact.nickname,
            name=contact.name,
            account_number=contact.account_number,
            ifsc=contact.ifsc,
            now=now,
            since=OPENED_AT,
        )


async def bring_forward(
    db: AsyncSession, *, account_id: str, opening_id: str, amount_minor: int, at: datetime, key: str
) -> None:
    """Bring a balance in from elsewhere (or, negative, take it there)."""
    await ledger.post(
        db,
        legs=[Leg(account_id, amount_minor), Leg(opening_id, -amount_minor)],
        kind=PostingKind.FORWARD,
        narration="Balance brought forward",
        key=key,
        at=at,
    )


def moves(household: Household, loan: Loan, day: date) -> list[Move]:
    """What happened on a household's current account until a day, oldest first."""
    paid = household.paid
    found = [
        Move(
            datetime.combine(day - timedelta(days=paid.days), _MORNING),
            -paid.amount * 100,
            paid.biller,
            f"Paid ₹{paid.amount} to {paid.biller}",
            PostingKind.BILL,
            paid.category.value,
            House.MERCHANTS,
        )
    ]
    for past in household.past:
        came_in = past.amount > 0
        found.append(
            Move(
                datetime.combine(day - timedelta(days=past.days_ago), _MORNING),
                past.amount * 100,
                past.counterparty,
                told(past.amount, past.counterparty),
                PostingKind.INCOME if came_in else PostingKind.PAYMENT,
                past.category,
                past.house,
            )
        )
    shown = loans.schedule(loan)[max(0, household.loan.paid - _INSTALMENTS_SHOWN) : household.loan.paid]
    found += [
        Move(
            datetime.combine(instalment.due_on, _MORNING),
            -instalment.emi.minor,
            f"{loan.kind.value.capitalize()} loan",
            f"Paid instalment {instalment.n} of the {loan.kind.value} loan",
            PostingKind.LOAN,
            "loan",
            House.OTHER_BANKS,
            instalment.n,
        )
        for instalment in shown
    ]
    return sorted(found, key=lambda move: move.at)


def next_instalment_day(day: date) -> date:
    """The first day from `day` on on which instalments are due."""
    here = day.replace(day=_INSTALMENT_DAY)
    return here if here >= day else add_months(here, 1)


def told(amount: int, counterparty: str) -> str:
    """A line of history as the demonstration API's document words it."""
    if amount > 0:
        return f"Received ₹{amount} from {counterparty}"
    return f"Paid ₹{-amount} for {counterparty.lower()}"


async def _agree(db: AsyncSession, customer_id: str, household: Household, now: datetime) -> Loan:
    """Write down the household's bills, reminder and loan; the loan."""
    day = today(now)
    for demand in household.due:
        await _add_bill(db, customer_id, demand, due_on=day + timedelta(days=demand.days), paid_at=None)
    paid_on = (OPENED_AT.date() if household.current is None else day) - timedelta(days=household.paid.days)
    await _add_bill(
        db, customer_id, household.paid, due_on=paid_on + timedelta(days=3), paid_at=datetime.combine(paid_on, _MORNING)
    )
    await reminders.add(
        db,
        actor=SYSTEM,
        customer_id=customer_id,
        text=household.reminder,
        due_at=datetime.combine(day + timedelta(days=4), _MORNING),
        now=now,
    )
    terms = household.loan
    return await loans.open_loan(
        db,
        customer_id=customer_id,
        kind=terms.kind,
        principal_minor=terms.principal * 100,
        annual_rate_bps=terms.annual_rate_bps,
        months=terms.months,
        first_due_on=add_months(next_instalment_day(day), -terms.paid),
    )


async def _locked_houses(db: AsyncSession, now: datetime, *others: str) -> dict[House, str]:
    """The ids of the bank's own accounts, locked with `others`: all at once, so that nobody waits in a ring."""
    houses = {house: await accounts.house(db, house, now=now) for house in House}
    await accounts.lock(db, [*houses.values(), *others])
    return houses


async def _live(
    db: AsyncSession,
    customer_id: str,
    household: Household,
    loan: Loan,
    houses: Mapping[House, str],
    now: datetime,
    number: str | None = None,
) -> None:
    """Open the current account, if there is one, with its history, and record the instalments that have been paid."""
    postings: dict[int, str] = {}
    if household.current is not None:
        opened_at = now - timedelta(days=HISTORY_DAYS)
        account = await accounts.open_account(
            db, customer_id=customer_id, kind=AccountKind.CURRENT, now=opened_at, number=number
        )
        history = moves(household, loan, today(now))
        await bring_forward(
            db,
            account_id=account.id,
            opening_id=houses[House.OPENING],
            amount_minor=household.current * 100 - sum(move.minor for move in history),
            at=opened_at,
            key=f"household:{customer_id}:forward",
        )
        for n, move in enumerate(history):
            posting = await ledger.post(
                db,
                legs=[Leg(account.id, move.minor, move.counterparty), Leg(houses[move.house], -move.minor)],
                kind=move.kind,
                category=move.category,
                narration=move.narration,
                key=f"household:{customer_id}:{n}",
                at=move.at,
            )
            if move.instalment is not None:
                postings[move.instalment] = posting.id
    for instalment in loans.schedule(loan)[: household.loan.paid]:
        db.add(
            LoanPayment(
                loan_id=loan.id,
                n=instalment.n,
                paid_at=datetime.combine(instalment.due_on, _MORNING),
                posting_id=postings.get(instalment.n),
            )
        )
    await db.flush()


async def _add_bill(
    db: AsyncSession, customer_id: str, demand: Demand, *, due_on: date, paid_at: datetime | None
) -> None:
    await bills.add(
        db,
        customer_id=customer_id,
        biller_name=demand.biller,
        category=demand.category,
        consumer_number=demand.consumer_number,
        amount_minor=demand.amount * 100,
        due_on=due_on,
        paid_at=paid_at,
    )
