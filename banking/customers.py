"""Customers of the bank: people with accounts, and portal guests with a demo customer of their own."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import template
from core.db import Base, SafeStr, UtcDateTime, insert_if_absent, one_of
from core.errors import NotFound
from core.ids import new_id


class KycStatus(StrEnum):
    """How far "know your customer" has come."""

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


class Customer(Base):
    """A client of the bank.

    Attributes:
        demo_number: The number by which the demonstration API knows one of its five customers.
        user_id: Who logs in as this customer.
        guest_of: The portal code this demo customer was made for.
    """

    __tablename__ = "customers"
    __table_args__ = (CheckConstraint("user_id IS NULL OR guest_of IS NULL", name="one_owner"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    demo_number: Mapped[int | None] = mapped_column(unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), unique=True)
    guest_of: Mapped[str | None] = mapped_column(ForeignKey("otp_codes.id"), unique=True)
    name: Mapped[str] = mapped_column(SafeStr(120))
    email: Mapped[str | None] = mapped_column(SafeStr(254))
    phone: Mapped[str | None] = mapped_column(SafeStr(32))
    kyc_status: Mapped[KycStatus] = mapped_column(one_of(KycStatus))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


async def get(db: AsyncSession, customer_id: str) -> Customer:
    """Raises: NotFound."""
    return _found(await db.get(Customer, customer_id))


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


async def admit_guest(db: AsyncSession, otp_id: str, now: datetime) -> str:
    """The id of the demo customer of a portal code, made from the template at the code's first use.

    Any number of first uses at once make one customer.
    """
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
    await template.furnish(db, customer_id=guest.id, now=now)
    return guest.id


def _found(customer: Customer | None) -> Customer:
    if customer is None:
        raise NotFound(
            "There is no such customer.",
            spoken="I can't find a bank customer for this log-in.",
        )
    return customer
