"""Beneficiaries: the people and firms a customer has saved to pay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime
from core.ids import new_id

MAX_PER_CUSTOMER = 200


class Beneficiary(Base):
    """A saved payee.

    Attributes:
        nickname: What the customer calls them.
        name: As the account is held.
        account_number: At this bank or, with `ifsc`, at another.
        ifsc: The other bank's branch code; None for an account here.
    """

    __tablename__ = "beneficiaries"
    __table_args__ = (UniqueConstraint("customer_id", "nickname"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    nickname: Mapped[str] = mapped_column(SafeStr(64))
    name: Mapped[str] = mapped_column(SafeStr(120))
    account_number: Mapped[str] = mapped_column(SafeStr(34))
    ifsc: Mapped[str | None] = mapped_column(String(11))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


async def add(
    db: AsyncSession,
    *,
    customer_id: str,
    nickname: str,
    name: str,
    account_number: str,
    ifsc: str | None,
    now: datetime,
) -> Beneficiary:
    """Save a payee."""
    payee = Beneficiary(
        id=new_id("ben"),
        customer_id=customer_id,
        nickname=nickname,
        name=name,
        account_number=account_number,
        ifsc=ifsc,
        created_at=now,
    )
    db.add(payee)
    await db.flush()
    return payee


async def of_customer(db: AsyncSession, customer_id: str) -> Sequence[Beneficiary]:
    """A customer's payees by nickname."""
    return (
        await db.scalars(
            select(Beneficiary)
            .where(Beneficiary.customer_id == customer_id)
            .order_by(Beneficiary.nickname)
            .limit(MAX_PER_CUSTOMER)
        )
    ).all()


async def names(db: AsyncSession, customer_id: str) -> tuple[str, ...]:
    """Every name the customer may say: nicknames first, then full names, each once."""
    payees = await of_customer(db, customer_id)
    return tuple(dict.fromkeys([payee.nickname for payee in payees] + [payee.name for payee in payees]))
