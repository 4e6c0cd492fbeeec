"""What happened in a call besides talk: which tools ran, how long, and how they ended; never what was in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ForeignKey, String, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime

EventKind = Literal["tool"]
Outcome = Literal["ok", "refused", "failed"]

MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        at: When it began.
        name: Of the tool.
        outcome: `refused` is an expected no (too little money), `failed` a fault of ours.
    """

    at: datetime
    kind: EventKind
    name: str
    took_ms: int
    outcome: Outcome


class CallEvent(Base):
    """An event at its place in the call."""

    __tablename__ = "call_events"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(SafeStr(64))
    took_ms: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))


async def append(db: AsyncSession, *, call_id: str, events: Sequence[Event]) -> None:
    """Add events behind those a call has; one writer per call."""
    if not events:
        return
    last = await db.scalar(select(func.max(CallEvent.seq)).where(CallEvent.call_id == call_id))
    await db.execute(
        insert(CallEvent),
        [
            {
                "call_id": call_id,
                "seq": seq,
                "at": event.at,
                "kind": event.kind,
                "name": event.name,
                "took_ms": event.took_ms,
                "outcome": event.outcome,
            }
            for seq, event in enumerate(events, start=0 if last is None else last + 1)
        ],
    )


async def of_call(db: AsyncSession, call_id: str) -> Sequence[CallEvent]:
    """The events of a call in order, at most its first 10,000."""
    query = select(CallEvent).where(CallEvent.call_id == call_id).order_by(CallEvent.seq).limit(MAX_EVENTS)
    return (await db.scalars(query)).all()
