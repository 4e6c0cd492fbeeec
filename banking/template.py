"""What a demo customer starts with: the balance, history and contacts that the demonstration API prints.

The balances it prints beside the transactions do not follow from each other (8500 less 1000 is not 7000). The ledger
only tells the truth, so between them it brings balances forward; those postings are no transactions and appear on no
list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, ledger
from banking.accounts import AccountKind, House
from banking.ledger import Leg, PostingKind

GUEST_NAME = "Guest"
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


async def furnish(
    db: AsyncSession,
    *,
    customer_id: str,
    now: datetime,
    contacts: tuple[Contact, ...] = GUEST_CONTACTS,
    people: Mapping[str, str] | None = None,
    number: str | None = None,
) -> None:
    """Give a new customer a savings account with the printed history, and contacts.

    Args:
        people: Account ids of contacts who are customers here, by nickname: the money came from and went to those.
        number: The account's number; random if None.
    """
    people = people or {}
    account = await accounts.open_account(
        db, customer_id=customer_id, kind=AccountKind.SAVINGS, now=OPENED_AT, number=number, is_primary=True
    )
    houses = {house: await accounts.house(db, house, now=now) for house in House}
    await accounts.lock(db, [account.id, *houses.values(), *people.values()])

    for n, event in enumerate(HISTORY):
        gap = (event.balance_after - event.amount) * 100 - account.balance_minor
        if gap:
            await bring_forward(
                db,
                account_id=account.id,
                opening_id=houses[House.OPENING],
                amount_minor=gap,
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
    for contact in contacts:
        await beneficiaries.add(
            db,
            customer_id=customer_id,
            nickname=contact.nickname,
            name=contact.name,
            account_number=contact.account_number,
            ifsc=contact.ifsc,
            now=now,
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
