"""Limits: how much a customer may move at once and in a day, through each door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking.beneficiaries import COOL_OFF, COOL_OFF_MAX_MINOR, Beneficiary
from banking.days import midnight, today
from banking.transfers.row import Transfer
from banking.transfers.words import figures
from core.db import Base, Minor
from core.errors import Conflict
from core.money import Money
from core.spoken import say_money
from identity import audit
from identity.actor import Actor, Channel

CURRENCY = "INR"


@dataclass(frozen=True, slots=True)
class _Default:
    per_transfer_minor: int
    per_day_minor: int


_ON_SCREEN = _Default(5_00_000_00, 10_00_000_00)
_DEFAULTS: Mapping[Channel, _Default] = {
    "voice": _Default(1_00_000_00, 1_00_000_00),
    "web": _ON_SCREEN,
    "api": _ON_SCREEN,
    "assistant": _ON_SCREEN,
    "system": _ON_SCREEN,
}


class CustomerLimit(Base):
    """Another limit than everybody's, for one customer and channel."""

    __tablename__ = "customer_limits"
    __table_args__ = (
        CheckConstraint("per_transfer_minor >= 0", name="per_transfer"),
        CheckConstraint("per_day_minor >= 0", name="per_day"),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    per_transfer_minor: Mapped[int] = mapped_column(Minor)
    per_day_minor: Mapped[int] = mapped_column(Minor)


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one customer and channel now.

    Attributes:
        per_transfer: The most in one transfer.
        per_day: The most in one day, Indian time.
        used_today: What of it is used.
    """

    per_transfer: Money
    per_day: Money
    used_today: Money


async def of(db: AsyncSession, *, customer_id: str, channel: Channel, now: datetime) -> Limits:
    """The limits of a customer for a channel, and what of them is used.

    A day by voice counts what was moved by voice; the other doors share one day, to which voice counts too.
    """
    used = select(func.coalesce(func.sum(Transfer.amount_minor), 0)).where(
        Transfer.customer_id == customer_id, Transfer.posted_at >= midnight(today(now))
    )
    if channel == "voice":
        used = used.where(Transfer.channel == channel)
    special = (CustomerLimit.customer_id == customer_id, CustomerLimit.channel == channel)
    used_minor, per_transfer_minor, per_day_minor = (
        await db.execute(
            select(
                used.scalar_subquery(),
                select(CustomerLimit.per_transfer_minor).where(*special).scalar_subquery(),
                select(CustomerLimit.per_day_minor).where(*special).scalar_subquery(),
            )
        )
    ).one()
    default = _DEFAULTS[channel]
    return Limits(
        Money(default.per_transfer_minor if per_transfer_minor is None else per_transfer_minor, CURRENCY),
        Money(default.per_day_minor if per_day_minor is None else per_day_minor, CURRENCY),
        Money(int(used_minor), CURRENCY),
    )


async def check(db: AsyncSession, *, customer_id: str, channel: Channel, amount_minor: int, now: datetime) -> None:
    """Whether this much may still move; binding only while the customer's row is locked.

    Raises: Conflict (codes `limit_per_transfer`, `limit_per_day`).
    """
    limits = await of(db, customer_id=customer_id, channel=channel, now=now)
    by = "by voice" if channel == "voice" else "here"
    if amount_minor > limits.per_transfer.minor:
        raise _too_much("limit_per_transfer", limits.per_transfer, f"the most you can send at once {by}")
    if amount_minor > limits.per_day.minor - limits.used_today.minor:
        raise _too_much("limit_per_day", limits.per_day, f"the most you can send in a day {by}")


async def check_new_payee(db: AsyncSession, *, customer_id: str, amount_minor: int, now: datetime) -> None:
    """Whether this much may still go to new payees, all of them together; binding only as `check`.

    Removing a payee and saving it again gains nothing: removed ones count too.

    Raises: Conflict (code `limit_new_payee`).
    """
    used = await db.scalar(
        select(func.coalesce(func.sum(Transfer.amount_minor), 0))
        .join(Beneficiary, Beneficiary.id == Transfer.beneficiary_id)
        .where(
            Beneficiary.customer_id == customer_id,
            Beneficiary.created_at > now - COOL_OFF,
            Transfer.posted_at.is_not(None),
        )
    )
    if amount_minor + int(used or 0) > COOL_OFF_MAX_MINOR:
        most = Money(COOL_OFF_MAX_MINOR, CURRENCY)
        raise _too_much("limit_new_payee", most, "the most you can send to payees saved less than a day ago")


async def set_for(
    db: AsyncSession,
    *,
    actor: Actor,
    customer_id: str,
    channel: Channel,
    per_transfer_minor: int,
    per_day_minor: int,
    now: datetime,
) -> None:
    """Give a customer other limits than everybody's for a channel."""
    await db.merge(
        CustomerLimit(
            customer_id=customer_id,
            channel=channel,
            per_transfer_minor=per_transfer_minor,
            per_day_minor=per_day_minor,
        )
    )
    audit.note(
        db,
        actor=actor,
        act="limits.set",
        subject=customer_id,
        customer_id=customer_id,
        details={"channel": channel, "per_transfer_minor": per_transfer_minor, "per_day_minor": per_day_minor},
        at=now,
    )


def _too_much(code: str, most: Money, what: str) -> Conflict:
    return Conflict(
        f"That is too much: {figures(most)} is {what}.",
        code=code,
        spoken=f"That is too much: {say_money(most)} is {what}.",
    )
