"""What happened in a call besides talk: which tools ran, how long, and how they ended, never what was in them; and
which vendor took over from which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.rows import CallRow, append_rows
from core.db import SafeStr, UtcDateTime

EventKind = Literal["tool", "vendor"]
ToolOutcome = Literal["ok", "refused", "failed"]
"""How a tool ended: as asked, with an expected no (too little money), or with a fault of ours."""

MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        at: When it began.
        name: Of the tool; for a vendor that took over from another one, both, and what was wrong with the other:
            "tts: cartesia → offline: rate_limit" (the reasons are pipecat's `ErrorCategory`).
    """

    at: datetime
    kind: EventKind
    name: str
    took_ms: int
    outcome: ToolOutcome


class CallEvent(CallRow):
    """An event at its place in the call."""

    __tablename__ = "call_events"

    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(SafeStr(64))
    took_ms: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))


async def append(db: AsyncSession, *, call_id: str, events: Sequence[Event]) -> None:
    """Add events behind those a call has; one writer per call."""
    await append_rows(db, CallEvent, call_id=call_id, rows=[asdict(event) for event in events])


async def of_call(db: AsyncSession, call_id: str) -> Sequence[CallEvent]:
    """The events of a call in order, at most its first 10,000."""
    query = select(CallEvent).where(CallEvent.call_id == call_id).order_by(CallEvent.seq).limit(MAX_EVENTS)
    return (await db.scalars(query)).all()
