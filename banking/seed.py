"""Demo customers for development, their money moved by `ledger.post` like everyone's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, ledger, template
from banking.accounts import AccountKind, House
from banking.customers import Customer, KycStatus
from banking.ledger import Leg, PostingKind
from banking.template import OPENED_AT, Contact
from core.ids import new_id
from identity import users
from identity.passwords import hash_password
from identity.users import UserRole

DEMO_PASSWORD = "password123"  # noqa: S105 - printed in the demonstration API's document, development only


@dataclass(frozen=True, slots=True)
class _Past:
    """A line of somebody's history on their savings account.

    Attributes:
        day: In October 2025.
        amount: In rupees; positive came in.
    """

    day: int
    amount: int
    counterparty: str
    category: str
    house: House


@dataclass(frozen=True, slots=True)
class _Person:
    """A demo customer; the accounts' figures are the rupees they open with.

    Attributes:
        number: The number by which the demonstration API knows them.
        contacts: Whom they have saved, by first name.
    """

    number: int
    name: str
    savings: int
    current: int | None = None
    savings_is_primary: bool = True
    contacts: tuple[str, ...] = ()
    past: tuple[_Past, ...] = ()

    @property
    def username(self) -> str:
        return self.name.split()[0].lower()

    def account_number(self, kind: AccountKind) -> str:
        return f"{1 if kind is AccountKind.SAVINGS else 2}0000000000{self.number}"


# John comes last: his printed history moves money of people who must be there.
_PEOPLE = (
    _Person(
        2,
        "Jane Smith",
        savings=42_000,
        current=18_500,
        savings_is_primary=False,
        contacts=("John", "Ravi", "Mike"),
        past=(
            _Past(1, 65_000, "Salary", "salary", House.SALARY),
            _Past(3, -18_000, "Rent", "rent", House.MERCHANTS),
            _Past(9, -3_450, "Groceries", "groceries", House.MERCHANTS),
            _Past(21, -1_280, "Electricity", "electricity", House.MERCHANTS),
        ),
    ),
    _Person(
        3,
        "Ravi Kumar",
        savings=24_000,
        contacts=("John", "Mom"),
        past=(
            _Past(1, 48_000, "Salary", "salary", House.SALARY),
            _Past(6, -2_100, "Fuel", "fuel", House.MERCHANTS),
            _Past(18, -899, "Mobile phone", "phone", House.MERCHANTS),
        ),
    ),
    _Person(
        4,
        "Mom",
        savings=95_000,
        contacts=("John", "Jane"),
        past=(
            _Past(1, 22_000, "Pension", "pension", House.SALARY),
            _Past(12, -1_640, "Pharmacy", "health", House.MERCHANTS),
        ),
    ),
    _Person(
        5,
        "Mike Brown",
        savings=7_250,
        current=31_000,
        contacts=("Jane", "John"),
        past=(
            _Past(4, 12_500, "Invoice 118", "income", House.OTHER_BANKS),
            _Past(15, -4_999, "Headphones", "shopping", House.MERCHANTS),
        ),
    ),
    _Person(1, "John Doe", savings=10_000, contacts=("Ravi", "Jane", "Mom")),
)
_BY_FIRST_NAME = {person.name.split()[0]: person for person in _PEOPLE}


async def seed(
    db: AsyncSession,
    *,
    now: datetime,
    production: bool = False,
    password_hasher: Callable[[str], Awaitable[str]] = hash_password,
) -> int:
    """Make the five demo customers that are missing, with users who log in by `DEMO_PASSWORD`; how many were made.

    In production it makes nobody.
    """
    if production:
        return 0
    there = set(await db.scalars(select(Customer.demo_number).where(Customer.demo_number.is_not(None))))
    missing = [person for person in _PEOPLE if person.number not in there]
    if not missing:
        return 0
    password_hash = await password_hasher(DEMO_PASSWORD)
    for person in missing:
        await _settle(db, person, password_hash, now)
    return len(missing)


async def _settle(db: AsyncSession, person: _Person, password_hash: str, now: datetime) -> None:
    email = f"{person.username}@example.com"
    user = users.User(
        id=new_id("usr"),
        username=person.username,
        email=email,
        name=person.name,
        role=UserRole.USER,
        password_hash=password_hash,
        created_at=now,
    )
    customer = Customer(
        id=new_id("cus"),
        demo_number=person.number,
        user_id=user.id,
        name=person.name,
        email=email,
        kyc_status=KycStatus.VERIFIED,
        created_at=now,
    )
    db.add(user)
    await db.flush()
    db.add(customer)
    await db.flush()
    if person.number == 1:
        await template.furnish(
            db,
            customer_id=customer.id,
            now=now,
            contacts=tuple(_contact(name) for name in person.contacts),
            people={name: await _savings_of(db, name) for name in ("Ravi", "Mom")},
            number=person.account_number(AccountKind.SAVINGS),
        )
    else:
        await _open_accounts(db, person, customer.id, now)
        for contact in map(_contact, person.contacts):
            await beneficiaries.add(
                db,
                customer_id=customer.id,
                nickname=contact.nickname,
                name=contact.name,
                account_number=contact.account_number,
                ifsc=contact.ifsc,
                now=now,
            )


async def _open_accounts(db: AsyncSession, person: _Person, customer_id: str, now: datetime) -> None:
    houses = {house: await accounts.house(db, house, now=now) for house in House}
    opened_at = OPENED_AT.replace(month=9)
    for kind, rupees in ((AccountKind.SAVINGS, person.savings), (AccountKind.CURRENT, person.current)):
        if rupees is None:
            continue
        account = await accounts.open_account(
            db,
            customer_id=customer_id,
            kind=kind,
            now=opened_at,
            number=person.account_number(kind),
            is_primary=kind is AccountKind.SAVINGS and person.savings_is_primary,
        )
        await template.bring_forward(
            db,
            account_id=account.id,
            opening_id=houses[House.OPENING],
            amount_minor=rupees * 100,
            at=opened_at,
            key=f"seed:{customer_id}:{kind.value}:forward",
        )
    savings = await accounts.find_own(db, customer_id=customer_id, kind=AccountKind.SAVINGS.value)
    for n, past in enumerate(person.past):
        came_in = past.amount > 0
        rupees = f"₹{abs(past.amount)}"
        await ledger.post(
            db,
            legs=[
                Leg(savings.id, past.amount * 100, past.counterparty),
                Leg(houses[past.house], -past.amount * 100),
            ],
            kind=PostingKind.INCOME if came_in else PostingKind.PAYMENT,
            category=past.category,
            narration=f"Received {rupees} from {past.counterparty}"
            if came_in
            else f"Paid {rupees} for {past.counterparty.lower()}",
            key=f"seed:{customer_id}:{n}",
            at=datetime(2025, 10, past.day, 10, 0, tzinfo=UTC),
        )


def _contact(first_name: str) -> Contact:
    person = _BY_FIRST_NAME[first_name]
    return Contact(first_name, person.name, person.account_number(AccountKind.SAVINGS), ifsc=None)


async def _savings_of(db: AsyncSession, first_name: str) -> str:
    customer_id = await db.scalar(select(Customer.id).where(Customer.demo_number == _BY_FIRST_NAME[first_name].number))
    assert customer_id is not None
    return (await accounts.find_own(db, customer_id=customer_id, kind=AccountKind.SAVINGS.value)).id
