"""What happens in a call, one thing after the other: rows at their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ForeignKey, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class CallRow(Base):
    """A row at its place in a call.

    Attributes:
        seq: Which place, from 0.
    """

    __abstract__ = True

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


async def append_rows(
    db: AsyncSession, table: type[CallRow], *, call_id: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add rows, in their order, behind those a call has; one writer per call."""
    if not rows:
        return
    last = await db.scalar(select(func.max(table.seq)).where(table.call_id == call_id))
    first = 0 if last is None else last + 1
    await db.execute(
        insert(table), [{"call_id": call_id, "seq": seq, **row} for seq, row in enumerate(rows, start=first)]
    )
