"""Demo customers for development, their money moved by `ledger.post` like everyone's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, ledger, template
from banking.accounts import AccountKind, House
from banking.bills import BillCategory
from banking.customers import Customer, Kyc, KycDocument, KycStatus
from banking.ledger import Leg, PostingKind
from banking.loans import LoanKind
from banking.template import OPENED_AT, Contact, Demand, Household, Past, Terms
from core.ids import new_id
from identity import users
from identity.passwords import hash_password
from identity.users import UserRole

DEMO_PASSWORD = "password123"  # noqa: S105 - printed in the demonstration API's document, development only


@dataclass(frozen=True, slots=True)
class InOctober:
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
class Person:
    """A demo customer.

    Attributes:
        number: The number by which the demonstration API knows them.
        savings: The rupees the savings account opens with.
        kyc: What they are known by; no such document can exist.
        contacts: Whom they have saved, by first name.
        past: What happened on the savings account.
    """

    number: int
    name: str
    savings: int
    kyc: Kyc
    household: Household
    savings_is_primary: bool = True
    contacts: tuple[str, ...] = ()
    past: tuple[InOctober, ...] = ()

    @property
    def username(self) -> str:
        """By which they log in, and their e-mail begins."""
        return self.name.split()[0].lower()

    @property
    def phone(self) -> str:
        """Invented, as all about them is."""
        return f"+91980000000{self.number}"

    def account_number(self, kind: AccountKind) -> str:
        """Of their account of a kind."""
        return f"{1 if kind is AccountKind.SAVINGS else 2}0000000000{self.number}"


def _demands(person: int, *, mobile: int, electricity: int, water: int, internet: int) -> tuple[Demand, ...]:
    """What is due in a household, in rupees; each person has consumer numbers of their own."""
    return (
        Demand(BillCategory.MOBILE, "Bluebell Mobile", f"980000000{person}", mobile, days=2 + person),
        Demand(BillCategory.ELECTRICITY, "Sunrise Power", f"000011000{person}", electricity, days=5 + person),
        Demand(BillCategory.WATER, "Riverside Water Board", f"000022000{person}", water, days=8 + person),
        Demand(BillCategory.INTERNET, "Quicknet Broadband", f"000033000{person}", internet, days=11 + person),
    )


def _gas(person: int, rupees: int) -> Demand:
    return Demand(BillCategory.GAS, "Hearth Gas", f"000044000{person}", rupees, days=17 + person)


# John comes last: his printed history moves money of people who must be there.
PEOPLE = (
    Person(
        2,
        "Jane Smith",
        savings=42_000,
        kyc=Kyc(KycDocument.PASSPORT, "Z0000002", date(1988, 4, 12), "2 Example Street, Mumbai 400000"),
        household=Household(
            due=_demands(2, mobile=599, electricity=1_840, water=520, internet=1_199),
            paid=_gas(2, 1_240),
            loan=Terms(LoanKind.HOME, 32_00_000, annual_rate_bps=835, months=240, paid=41),
            reminder="Call the builder about the keys",
            current=18_500,
            past=(
                Past(95, 31_000, "Invoice 311", "income", House.OTHER_BANKS),
                Past(64, 29_500, "Invoice 318", "income", House.OTHER_BANKS),
                Past(54, -4_120, "Groceries", "groceries"),
                Past(34, 30_200, "Invoice 326", "income", House.OTHER_BANKS),
                Past(33, -3_870, "Groceries", "groceries"),
                Past(26, -2_750, "Dining", "dining"),
                Past(12, -4_045, "Groceries", "groceries"),
                Past(4, -1_900, "Fuel", "fuel"),
            ),
        ),
        savings_is_primary=False,
        contacts=("John", "Ravi", "Mike"),
        past=(
            InOctober(1, 65_000, "Salary", "salary", House.SALARY),
            InOctober(3, -18_000, "Rent", "rent", House.MERCHANTS),
            InOctober(9, -3_450, "Groceries", "groceries", House.MERCHANTS),
            InOctober(21, -1_280, "Electricity", "electricity", House.MERCHANTS),
        ),
    ),
    Person(
        3,
        "Ravi Kumar",
        savings=24_000,
        kyc=Kyc(KycDocument.PAN, "AAAPK0000A", date(1992, 9, 3), "3 Example Street, Pune 411000"),
        household=Household(
            due=_demands(3, mobile=349, electricity=960, water=310, internet=799),
            paid=_gas(3, 905),
            loan=Terms(LoanKind.CAR, 6_50_000, annual_rate_bps=910, months=60, paid=17),
            reminder="Renew the car insurance",
            current=15_600,
            past=(
                Past(80, 16_000, "Evening classes", "income", House.OTHER_BANKS),
                Past(54, -2_310, "Groceries", "groceries"),
                Past(48, 17_500, "Evening classes", "income", House.OTHER_BANKS),
                Past(40, -1_750, "Fuel", "fuel"),
                Past(33, -2_450, "Groceries", "groceries"),
                Past(22, 16_500, "Evening classes", "income", House.OTHER_BANKS),
                Past(12, -2_280, "Groceries", "groceries"),
            ),
        ),
        contacts=("John", "Mom"),
        past=(
            InOctober(1, 48_000, "Salary", "salary", House.SALARY),
            InOctober(6, -2_100, "Fuel", "fuel", House.MERCHANTS),
            InOctober(18, -899, "Mobile phone", "phone", House.MERCHANTS),
        ),
    ),
    Person(
        4,
        "Mom",
        savings=95_000,
        kyc=Kyc(KycDocument.AADHAAR, "000000000004", date(1962, 1, 26), "1 Example Street, Delhi 110000"),
        household=Household(
            due=_demands(4, mobile=299, electricity=740, water=280, internet=699),
            paid=_gas(4, 620),
            loan=Terms(LoanKind.GOLD, 1_20_000, annual_rate_bps=960, months=24, paid=9),
            reminder="Collect the medicine from the pharmacy",
            current=12_000,
            past=(
                Past(75, 9_000, "Tenant", "rent", House.OTHER_BANKS),
                Past(54, -1_450, "Groceries", "groceries"),
                Past(45, 9_000, "Tenant", "rent", House.OTHER_BANKS),
                Past(33, -1_380, "Groceries", "groceries"),
                Past(27, -1_140, "Pharmacy", "health"),
                Past(15, 9_000, "Tenant", "rent", House.OTHER_BANKS),
                Past(12, -1_520, "Groceries", "groceries"),
            ),
        ),
        contacts=("John", "Jane"),
        past=(
            InOctober(1, 22_000, "Pension", "pension", House.SALARY),
            InOctober(12, -1_640, "Pharmacy", "health", House.MERCHANTS),
        ),
    ),
    Person(
        5,
        "Mike Brown",
        savings=7_250,
        kyc=Kyc(
            KycDocument.DRIVING_LICENCE, "KA0000000000005", date(1985, 11, 30), "5 Example Street, Bengaluru 560000"
        ),
        household=Household(
            due=_demands(5, mobile=499, electricity=1_130, water=390, internet=999),
            paid=_gas(5, 870),
            loan=Terms(LoanKind.PERSONAL, 2_00_000, annual_rate_bps=1250, months=36, paid=5),
            reminder="Send invoice 130",
            current=31_000,
            past=(
                Past(85, 18_000, "Invoice 121", "income", House.OTHER_BANKS),
                Past(54, -1_980, "Groceries", "groceries"),
                Past(50, 15_500, "Invoice 124", "income", House.OTHER_BANKS),
                Past(33, -2_140, "Groceries", "groceries"),
                Past(29, -3_200, "Dining", "dining"),
                Past(18, 17_000, "Invoice 129", "income", House.OTHER_BANKS),
                Past(12, -2_060, "Groceries", "groceries"),
                Past(8, -2_600, "Fuel", "fuel"),
            ),
        ),
        contacts=("Jane", "John"),
        past=(
            InOctober(4, 12_500, "Invoice 118", "income", House.OTHER_BANKS),
            InOctober(15, -4_999, "Headphones", "shopping", House.MERCHANTS),
        ),
    ),
    Person(
        1,
        "John Doe",
        savings=10_000,
        kyc=Kyc(KycDocument.VOTER_ID, "XXX0000001", date(1995, 6, 18), "1 Example Street, Delhi 110000"),
        # His account's history is printed to the last line: what he has paid, he paid before it, and no instalment yet.
        household=Household(
            due=_demands(1, mobile=399, electricity=1_280, water=450, internet=899),
            paid=_gas(1, 780),
            loan=Terms(LoanKind.EDUCATION, 3_00_000, annual_rate_bps=925, months=60, paid=0),
            reminder="Pay the electricity bill",
        ),
        contacts=("Ravi", "Jane", "Mom"),
    ),
)
_BY_FIRST_NAME = {person.name.split()[0]: person for person in PEOPLE}


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
    missing = [person for person in PEOPLE if person.number not in there]
    if not missing:
        return 0
    password_hash = await password_hasher(DEMO_PASSWORD)
    for person in missing:
        await _settle(db, person, password_hash, now)
    return len(missing)


async def _settle(db: AsyncSession, person: Person, password_hash: str, now: datetime) -> None:
    email = f"{person.username}@example.com"
    user = users.User(
        id=new_id("usr"),
        username=person.username,
        email=email,
        phone=person.phone,
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
        phone=person.phone,
        kyc_status=KycStatus.VERIFIED,
        kyc=person.kyc.as_text(),
        created_at=now,
    )
    db.add(user)
    await db.flush()
    db.add(customer)
    await db.flush()
    contacts = tuple(_contact(name) for name in person.contacts)
    if person.number == 1:
        await template.furnish(
            db,
            customer_id=customer.id,
            now=now,
            contacts=contacts,
            people={name: await _savings_of(db, name) for name in ("Ravi", "Mom")},
            number=person.account_number(AccountKind.SAVINGS),
            household=person.household,
        )
    else:
        await _open_savings(db, person, customer.id, now)
        await template.save_contacts(db, customer_id=customer.id, contacts=contacts, now=now)
        await template.furnish_household(
            db,
            customer_id=customer.id,
            household=person.household,
            now=now,
            number=person.account_number(AccountKind.CURRENT),
        )


async def _open_savings(db: AsyncSession, person: Person, customer_id: str, now: datetime) -> None:
    houses = {house: await accounts.house(db, house, now=now) for house in House}
    opened_at = OPENED_AT.replace(month=9)
    account = await accounts.open_account(
        db,
        customer_id=customer_id,
        kind=AccountKind.SAVINGS,
        now=opened_at,
        number=person.account_number(AccountKind.SAVINGS),
        is_primary=person.savings_is_primary,
    )
    await template.bring_forward(
        db,
        account_id=account.id,
        opening_id=houses[House.OPENING],
        amount_minor=person.savings * 100,
        at=opened_at,
        key=f"seed:{customer_id}:savings:forward",
    )
    for n, past in enumerate(person.past):
        await ledger.post(
            db,
            legs=[
                Leg(account.id, past.amount * 100, past.counterparty),
                Leg(houses[past.house], -past.amount * 100),
            ],
            kind=PostingKind.INCOME if past.amount > 0 else PostingKind.PAYMENT,
            category=past.category,
            narration=template.told(past.amount, past.counterparty),
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
