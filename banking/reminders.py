"""Reminders: what a customer wants to be told at a time, once or again and again."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, case, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import customers, notices
from banking.days import IST, add_months
from core.db import Base, SafeStr, UtcDateTime, one_of, paged, safe_text
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from identity import audit
from identity.actor import Actor

MAX_PER_CUSTOMER = 50
MAX_TEXT = 200
MAX_AHEAD = timedelta(days=5 * 366)


class Repeats(StrEnum):
    """How often it comes back."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ReminderState(StrEnum):
    """Whether it is still to come."""

    SCHEDULED = "scheduled"
    FIRED = "fired"
    CANCELLED = "cancelled"


class Reminder(Base):
    """Something to be told at a time.

    Attributes:
        first_at: When it was to come first; a repeating one keeps that time, and that day of the month.
        due_at: When it comes next, or came last.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        Index("ix_reminders_state_due_at", "state", "due_at"),
        Index("ix_reminders_customer_id_state_due_at", "customer_id", "state", "due_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    text: Mapped[str] = mapped_column(SafeStr(MAX_TEXT))
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    repeats: Mapped[Repeats] = mapped_column(one_of(Repeats))
    state: Mapped[ReminderState] = mapped_column(one_of(ReminderState))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Fired:
    """A reminder that has just come due, and the notice that tells of it."""

    reminder_id: str
    notice_id: str
    customer_id: str
    text: str
    due_at: datetime


async def add(
    db: AsyncSession,
    *,
    actor: Actor,
    customer_id: str,
    text: str,
    due_at: datetime,
    now: datetime,
    repeats: Repeats = Repeats.NONE,
) -> Reminder:
    """Schedule a reminder; one that is there already, equal in all, is returned as it is.

    Raises: Invalid (codes `bad_text`, `bad_time`); Conflict (code `too_many_reminders`); NotFound for an unknown
        customer.
    """
    text = safe_text(" ".join(text.split()), max_length=MAX_TEXT)
    if not text or not all(_is_plain(char) for char in text):
        raise Invalid("A reminder needs a text of plain letters.", code="bad_text")
    if not now < due_at <= now + MAX_AHEAD:
        raise Invalid(
            "A reminder's time must be in the future, within five years.",
            code="bad_time",
            spoken="That time has passed, or is more than five years away.",
        )
    await customers.lock(db, customer_id)
    theirs = select(Reminder).where(Reminder.customer_id == customer_id, Reminder.state == ReminderState.SCHEDULED)
    scheduled = (await db.scalars(theirs.limit(MAX_PER_CUSTOMER))).all()
    for reminder in scheduled:
        if (reminder.text, reminder.due_at, reminder.repeats) == (text, due_at, repeats):
            return reminder
    if len(scheduled) >= MAX_PER_CUSTOMER:
        raise Conflict(
            f"You have {MAX_PER_CUSTOMER} reminders, which is as many as there can be. Cancel one first.",
            code="too_many_reminders",
        )
    reminder = Reminder(
        id=new_id("rem"),
        customer_id=customer_id,
        text=text,
        first_at=due_at,
        due_at=due_at,
        repeats=repeats,
        state=ReminderState.SCHEDULED,
        created_at=now,
    )
    db.add(reminder)
    audit.note(db, actor=actor, act="reminder.added", subject=reminder.id, customer_id=customer_id, at=now)
    await db.flush()
    return reminder


async def of_customer(
    db: AsyncSession, *, customer_id: str, state: ReminderState | None = None, page: int = 1, per_page: int = 20
) -> tuple[Sequence[Reminder], int]:
    """One page of a customer's reminders and how many there are: the next ones first, then the past, newest first."""
    query = select(Reminder).where(Reminder.customer_id == customer_id)
    if state is not None:
        query = query.where(Reminder.state == state)
    is_past = Reminder.state != ReminderState.SCHEDULED
    order = (is_past, case((~is_past, Reminder.due_at)), Reminder.due_at.desc(), Reminder.id)
    return await paged(db, query, *order, page=page, per_page=per_page)


async def cancel(db: AsyncSession, *, actor: Actor, customer_id: str, reminder_id: str, now: datetime) -> Reminder:
    """Have a reminder not come any more; again changes nothing.

    Raises: NotFound, also if it is somebody else's; Conflict (code `reminder_over`) if it has come already.
    """
    reminder = await db.scalar(
        select(Reminder)
        .where(Reminder.id == reminder_id, Reminder.customer_id == customer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if reminder is None:
        raise NotFound("There is no such reminder.", code="no_reminder", spoken="I can't find that reminder.")
    if reminder.state is ReminderState.FIRED:
        raise Conflict("That reminder has come already.", code="reminder_over")
    if reminder.state is ReminderState.SCHEDULED:
        reminder.state = ReminderState.CANCELLED
        audit.note(db, actor=actor, act="reminder.cancelled", subject=reminder.id, customer_id=customer_id, at=now)
    await db.flush()
    return reminder


async def fire_due(db: AsyncSession, *, now: datetime, limit: int = 100) -> list[Fired]:
    """Turn reminders that have come due into notices: each once, over any number of processes and restarts.

    A repeating one moves on to its next time after `now`, so that one missed many times is told once. Fewer than
    `limit` answered means that no more are due, or that another process is at them.
    """
    due = await db.scalars(
        select(Reminder)
        .where(Reminder.state == ReminderState.SCHEDULED, Reminder.due_at <= now)
        .order_by(Reminder.due_at, Reminder.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    fired: list[Fired] = []
    for reminder in due:
        notice = notices.put(db, customer_id=reminder.customer_id, text=reminder.text, at=now)
        fired.append(Fired(reminder.id, notice.id, reminder.customer_id, reminder.text, reminder.due_at))
        if reminder.repeats is Repeats.NONE:
            reminder.state = ReminderState.FIRED
        else:
            reminder.due_at = _next(reminder, now)
    await db.flush()
    return fired


def _next(reminder: Reminder, now: datetime) -> datetime:
    """When a repeating reminder comes next after `now`, counted from its first time."""
    if reminder.repeats is Repeats.MONTHLY:
        first = reminder.first_at.astimezone(IST)
        here = now.astimezone(IST)
        months = (here.year - first.year) * 12 + here.month - first.month
        times = (datetime.combine(add_months(first.date(), months + more), first.time(), IST) for more in (0, 1))
        return next(at for at in times if at > now).astimezone(UTC)
    step = timedelta(weeks=1) if reminder.repeats is Repeats.WEEKLY else timedelta(days=1)
    return reminder.first_at + ((now - reminder.first_at) // step + 1) * step


def _is_plain(char: str) -> bool:
    """Whether a character can be shown and said; joiners are part of how Indian languages are written."""
    return char in "\u200c\u200d" or unicodedata.category(char)[0] != "C"
