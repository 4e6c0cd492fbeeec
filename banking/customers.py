"""Customers of the bank: people with accounts, and portal guests with a demo customer of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime, insert_if_absent, one_of
from core.errors import Forbidden, NotFound
from core.ids import new_id
from core.vault import Sealed
from identity import audit
from identity.actor import SYSTEM
from identity.tokens import Claims


class KycStatus(StrEnum):
    """How far "know your customer" has come."""

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


class KycDocument(StrEnum):
    """By what a customer was identified."""

    AADHAAR = "aadhaar"
    PAN = "pan"
    PASSPORT = "passport"
    VOTER_ID = "voter_id"
    DRIVING_LICENCE = "driving_licence"


@dataclass(frozen=True, slots=True, repr=False)
class Kyc:
    """What a customer showed to be known."""

    document: KycDocument
    number: str
    date_of_birth: date
    address: str

    def as_text(self) -> str:
        """For one column."""
        return json.dumps(asdict(self) | {"date_of_birth": self.date_of_birth.isoformat()}, ensure_ascii=False)


class Customer(Base):
    """A client of the bank.

    Attributes:
        demo_number: The number by which the demonstration API knows one of its five customers.
        user_id: Who logs in as this customer.
        guest_of: The portal code this demo customer was made for.
        kyc: What they showed to be known: a `Kyc` as text.
    """

    __tablename__ = "customers"
    __table_args__ = (CheckConstraint("user_id IS NULL OR guest_of IS NULL", name="one_owner"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    demo_number: Mapped[int | None] = mapped_column(unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), unique=True)
    guest_of: Mapped[str | None] = mapped_column(ForeignKey("otp_codes.id"), unique=True)
    name: Mapped[str] = mapped_column(SafeStr(120))
    email_sealed: Mapped[str | None] = mapped_column(Text)
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    kyc_status: Mapped[KycStatus] = mapped_column(one_of(KycStatus))
    kyc_sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    email = Sealed(254)
    phone = Sealed(32)
    kyc = Sealed(2000)


async def get(db: AsyncSession, customer_id: str) -> Customer:
    """Raises: NotFound."""
    return _found(await db.get(Customer, customer_id))


async def lock(db: AsyncSession, customer_id: str) -> Customer:
    """Load a customer as they are now and keep others from locking them until the transaction ends.

    What must hold over all of a customer's rows (a limit, a number of things) is checked and changed under it. Rows
    that only refer to the customer can still be added by others.

    Raises: NotFound.
    """
    return _found(
        await db.scalar(
            select(Customer)
            .where(Customer.id == customer_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


async def names(db: AsyncSession, customer_ids: Iterable[str]) -> dict[str, str]:
    """What customers are called, by their ids."""
    found = await db.execute(select(Customer.id, Customer.name).where(Customer.id.in_(set(customer_ids))))
    return {row.id: row.name for row in found}


async def of_user(db: AsyncSession, user_id: str) -> Customer:
    """The customer a registered user is.

    Raises: NotFound.
    """
    return _found(await db.scalar(select(Customer).where(Customer.user_id == user_id)))


async def of_demo_number(db: AsyncSession, number: int) -> Customer:
    """One of the five demonstration customers.

    Raises: NotFound.
    """
    return _found(await db.scalar(select(Customer).where(Customer.demo_number == number)))


async def of_login(db: AsyncSession, who: Claims) -> Customer | None:
    """The customer a log-in is, or None: administrators never are one, portal guests from their first use on."""
    if who.role == "admin":
        return None
    owner = Customer.guest_of if who.role == "otp" else Customer.user_id
    return await db.scalar(select(Customer).where(owner == who.subject))


async def admit(db: AsyncSession, who: Claims, now: datetime) -> str:
    """The id of the customer a log-in is; a portal guest's is made at its first use.

    Raises: Forbidden (code `not_a_customer`) for administrators; NotFound for a user without a customer.
    """
    if who.role == "otp":
        return await admit_guest(db, who.subject, now)
    if who.role == "user":
        return (await of_user(db, who.subject)).id
    raise Forbidden("Administrators have no bank account; log in as a customer", code="not_a_customer")


async def admit_guest(db: AsyncSession, otp_id: str, now: datetime) -> str:
    """The id of the demo customer of a portal code, made from the template at the code's first use.

    Any number of first uses at once make one customer.
    """
    from banking import template  # what it furnishes with knows of customers

    known = await db.scalar(select(Customer.id).where(Customer.guest_of == otp_id))
    if known is not None:
        return known
    guest = await insert_if_absent(
        db,
        Customer,
        id=new_id("cus"),
        guest_of=otp_id,
        name=template.GUEST_NAME,
        kyc_status=KycStatus.VERIFIED,
        created_at=now,
    )
    if guest is None:  # another request made it in the meantime; it is committed now
        return (await db.scalars(select(Customer.id).where(Customer.guest_of == otp_id))).one()
    guest.kyc = template.GUEST_KYC.as_text()
    await template.furnish(db, customer_id=guest.id, now=now)
    audit.note(
        db,
        actor=SYSTEM,
        act="customer.opened",
        subject=guest.id,
        customer_id=guest.id,
        details={"guest_of": otp_id},
        at=now,
    )
    return guest.id


def _found(customer: Customer | None) -> Customer:
    if customer is None:
        raise NotFound(
            "There is no such customer.",
            spoken="I can't find a bank customer for this log-in.",
        )
    return customer
