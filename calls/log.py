"""The call log: one row per call, opened once and closed once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime, one_of
from core.errors import NotFound

MAX_PAGE = 500


class CallState(StrEnum):
    """Whether a call is going on."""

    OPEN = "open"
    CLOSED = "closed"


class CallRecord(Base):
    """One call, from the moment it is admitted.

    Attributes:
        subject: Whose token opened it: a user's id, or the code's.
        customer_id: Who the caller is in the business the agent serves, where there is one.
        channel: How the audio travels: `webrtc`, `websocket`, `phone`.
        node: The process that serves it; a restart sweeps its own calls only.
        connected_at: When media first flowed; None for a call that never connected.
        end_reason: Why it ended, snake_case; the first reason given stays.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_state_node", "state", "node"),
        Index("ix_calls_subject", "subject"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    agent_type: Mapped[str] = mapped_column(SafeStr(64))
    subject: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    otp_id: Mapped[str | None] = mapped_column(ForeignKey("otp_codes.id"), index=True)
    channel: Mapped[str] = mapped_column(String(20))
    node: Mapped[str] = mapped_column(SafeStr(120), default="")
    state: Mapped[CallState] = mapped_column(one_of(CallState))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(SafeStr(64))
    stt: Mapped[str | None] = mapped_column(SafeStr(64))
    llm: Mapped[str | None] = mapped_column(SafeStr(64))
    tts: Mapped[str | None] = mapped_column(SafeStr(64))


async def open_call(
    db: AsyncSession,
    *,
    call_id: str,
    agent_type: str,
    subject: str,
    role: str,
    channel: str,
    at: datetime,
    customer_id: str | None = None,
    otp_id: str | None = None,
    node: str = "",
    stt: str | None = None,
    llm: str | None = None,
    tts: str | None = None,
) -> CallRecord:
    """Write the row of a new call."""
    record = CallRecord(
        id=call_id,
        agent_type=agent_type,
        subject=subject,
        role=role,
        customer_id=customer_id,
        otp_id=otp_id,
        channel=channel,
        node=node,
        state=CallState.OPEN,
        started_at=at,
        stt=stt,
        llm=llm,
        tts=tts,
    )
    db.add(record)
    await db.flush()
    return record


async def connected(db: AsyncSession, *, call_id: str, at: datetime) -> None:
    """Note the moment media first flowed; later ones change nothing."""
    await db.execute(
        update(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.connected_at.is_(None), CallRecord.state == CallState.OPEN)
        .values(connected_at=at)
        .execution_options(synchronize_session=False)
    )


async def close_call(db: AsyncSession, *, call_id: str, reason: str, at: datetime) -> bool:
    """Close a call if it is open; whether this was the one that closed it."""
    closed = await db.scalar(
        update(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.state == CallState.OPEN)
        .values(state=CallState.CLOSED, end_reason=reason, ended_at=at)
        .returning(CallRecord.id)
        .execution_options(synchronize_session=False)
    )
    return closed is not None


async def sweep_orphans(db: AsyncSession, *, at: datetime, node: str = "") -> int:
    """Close calls that a process named `node` left open when it died; how many there were."""
    swept = await db.scalars(
        update(CallRecord)
        .where(CallRecord.state == CallState.OPEN, CallRecord.node == node)
        .values(state=CallState.CLOSED, end_reason="server_lost", ended_at=at)
        .returning(CallRecord.id)
        .execution_options(synchronize_session=False)
    )
    return len(swept.all())


async def get(db: AsyncSession, call_id: str) -> CallRecord:
    """Raises: NotFound."""
    record = await db.get(CallRecord, call_id, populate_existing=True)
    if record is None:
        raise NotFound("There is no such call.")
    return record


async def recent(
    db: AsyncSession, *, limit: int = 50, before: datetime | None = None, subject: str | None = None
) -> Sequence[CallRecord]:
    """The latest calls, newest first.

    Args:
        limit: At most this many, up to 500.
        before: Only calls that started earlier.
        subject: Only calls of this user or code.
    """
    query = select(CallRecord).order_by(CallRecord.started_at.desc(), CallRecord.id.desc())
    if before is not None:
        query = query.where(CallRecord.started_at < before)
    if subject is not None:
        query = query.where(CallRecord.subject == subject)
    return (await db.scalars(query.limit(max(1, min(limit, MAX_PAGE))))).all()
