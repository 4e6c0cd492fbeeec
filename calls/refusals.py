"""Callers who were turned away before there was a call: how many, when, and why."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime, after_commit
from core.ids import new_id


class Refusal(Base):
    """Calls to one agent type that one process refused for one reason within a few seconds.

    Attributes:
        reason: The error's code: `server_busy`, `too_many_calls`, `day_over_budget`, `out_of_order`.
        count: How many; a storm of callers makes no more rows than a trickle does.
    """

    __tablename__ = "refusals"
    __table_args__ = (CheckConstraint("count > 0", name="count"), Index("ix_refusals_at", "at"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    agent_type: Mapped[str] = mapped_column(SafeStr(64))
    reason: Mapped[str] = mapped_column(String(40))
    count: Mapped[int]
    node: Mapped[str] = mapped_column(SafeStr(120))


class Refusals:
    """The refusals of one process that are not written yet: a few seconds' worth."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._waiting: Counter[tuple[str, str]] = Counter()

    @property
    def waiting(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._waiting)

    def count(self, agent_type: str, reason: str) -> None:
        """Count one; never waits."""
        self._waiting[agent_type, reason] += 1

    async def write(self, db: AsyncSession, *, now: datetime) -> None:
        """Write what has been counted; what is not committed stays, for the next time. One at a time."""
        written = self._waiting.copy()
        if not written:
            return
        rows = [
            {
                "id": new_id("rfs"),
                "at": now,
                "agent_type": agent_type,
                "reason": reason,
                "count": count,
                "node": self._node,
            }
            for (agent_type, reason), count in written.items()
        ]
        await db.execute(insert(Refusal), rows)
        after_commit(db, lambda: self._forget(written))

    def _forget(self, written: Counter[tuple[str, str]]) -> None:
        self._waiting -= written  # keeps what has been counted meanwhile, and no zeros
