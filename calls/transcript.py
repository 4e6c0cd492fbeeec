"""What was said in a call, turn by turn, as far as it was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.rows import CallRow, append_rows
from core.db import UtcDateTime, storable_text

Speaker = Literal["user", "assistant", "tool"]

MAX_CHARS = 20_000
MAX_TURNS = 10_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn.

    Attributes:
        role: Who spoke, or `tool` for what a tool found.
        text: For the assistant, only what was heard before an interruption.
        started_at: Aware UTC.
        ended_at: None where the end is not known.
        interrupted: Whether the caller cut it off.
    """

    role: Speaker
    text: str
    started_at: datetime
    ended_at: datetime | None = None
    interrupted: bool = False


class TurnRow(CallRow):
    """A turn at its place in the call."""

    __tablename__ = "turns"
    __table_args__ = (CheckConstraint("role IN ('user', 'assistant', 'tool')", name="role"),)

    role: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    interrupted: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


async def append(db: AsyncSession, *, call_id: str, turns: Sequence[Turn]) -> None:
    """Add turns to the end of a call's transcript; one writer per call."""
    rows = [asdict(turn) | {"text": storable_text(turn.text, max_length=MAX_CHARS)} for turn in turns]
    await append_rows(db, TurnRow, call_id=call_id, rows=rows)


async def of_call(db: AsyncSession, call_id: str) -> list[Turn]:
    """The transcript of a call in order, at most its first 10,000 turns."""
    rows = await db.scalars(select(TurnRow).where(TurnRow.call_id == call_id).order_by(TurnRow.seq).limit(MAX_TURNS))
    return [
        Turn(
            role=row.role,  # type: ignore[arg-type]
            text=row.text,
            started_at=row.started_at,
            ended_at=row.ended_at,
            interrupted=row.interrupted,
        )
        for row in rows
    ]
