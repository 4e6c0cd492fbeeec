"""The call log: one row per call, opened once and closed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    and_,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.answers import Answer
from calls.events import CallEvent
from calls.transcript import TurnRow
from core.db import Base, SafeStr, UtcDateTime, one_of, paged
from core.errors import NotFound
from identity.otp import OtpCode
from identity.users import User

FAILED = ("failed", "failed_to_start", "stuck", "server_lost")
"""Reasons for the end of a call that are nobody's wish but our fault."""


class CallState(StrEnum):
    """Whether a call is going on."""

    OPEN = "open"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What became of a call."""

    LIVE = "live"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_CONNECTED = "not_connected"


class CallRecord(Base):
    """One call, from the moment it is admitted.

    Attributes:
        subject: Whose token opened it: a user's id, or the code's.
        customer_id: Who the caller is in the business the agent serves, where there is one.
        channel: How the audio travels: `webrtc`, `websocket`, `phone`.
        node: The process that serves it, `<server>` or `<server>/<worker>`; a restart sweeps its own calls only.
        connected_at: When media first flowed; None for a call that never connected.
        end_reason: Why it ended, snake_case; the first reason given stays.
        rating: What the caller gave it, 1 to 5.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_state_node", "state", "node"),
        Index("ix_calls_subject", "subject"),
        Index("ix_calls_otp_id_started_at", "otp_id", "started_at"),
        Index(
            "ix_calls_rated",
            "started_at",
            sqlite_where=text("rating IS NOT NULL"),
            postgresql_where=text("rating IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    agent_type: Mapped[str] = mapped_column(SafeStr(64))
    subject: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    otp_id: Mapped[str | None] = mapped_column(ForeignKey("otp_codes.id"))
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
    rating: Mapped[int | None] = mapped_column(SmallInteger)
    rating_comment: Mapped[str | None] = mapped_column(SafeStr(500))

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.state is CallState.OPEN:
            return Outcome.LIVE
        if self.end_reason in FAILED:
            return Outcome.FAILED
        return Outcome.NOT_CONNECTED if self.connected_at is None else Outcome.COMPLETED

    @property
    def seconds(self) -> float | None:
        """From connection to end; None for a call that has not both."""
        if self.connected_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.connected_at).total_seconds()


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


async def sweep_orphans(db: AsyncSession, *, node: str = "") -> list[str]:
    """Close calls that a process named `node`, or one of its workers, left open when it died; which.

    They ended when the record last heard of them.
    """
    return await _sweep(db, or_(CallRecord.node == node, CallRecord.node.startswith(f"{node}/", autoescape=True)))


async def sweep_forgotten(db: AsyncSession, *, at: datetime, longest: timedelta) -> list[str]:
    """Close calls that have been open for longer than any call may be: their process never came back; which."""
    return await _sweep(db, CallRecord.started_at < at - longest)


_SIGNS_OF_LIFE = (
    (TurnRow, TurnRow.started_at),
    (TurnRow, TurnRow.ended_at),
    (Answer, Answer.at),
    (CallEvent, CallEvent.at),
)


async def _sweep(db: AsyncSession, which: ColumnElement[bool]) -> list[str]:
    swept = await db.scalars(
        update(CallRecord)
        .where(CallRecord.state == CallState.OPEN, which)
        .values(
            state=CallState.CLOSED,
            end_reason="server_lost",
            ended_at=func.coalesce(CallRecord.connected_at, CallRecord.started_at),
        )
        .returning(CallRecord.id)
        .execution_options(synchronize_session=False)
    )
    lost = list(swept)
    if not lost:
        return lost
    for rows, moment in _SIGNS_OF_LIFE:
        latest = select(func.max(moment)).where(rows.call_id == CallRecord.id).scalar_subquery()
        await db.execute(
            update(CallRecord)
            .where(CallRecord.id.in_(lost), CallRecord.ended_at < latest)
            .values(ended_at=latest)
            .execution_options(synchronize_session=False)
        )
    return lost


async def get(db: AsyncSession, call_id: str) -> CallRecord:
    """Raises: NotFound."""
    record = await db.get(CallRecord, call_id, populate_existing=True)
    if record is None:
        raise NotFound("There is no such call.")
    return record


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: those that all of this is true of.

    Attributes:
        since: They began then or later.
        until: They began before.
        search: Their id, part of the caller's name or of the code's label, or part of what was said.
    """

    since: datetime | None = None
    until: datetime | None = None
    agent_type: str | None = None
    otp_id: str | None = None
    outcome: Outcome | None = None
    search: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for the database."""
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(CallRecord.started_at >= self.since)
        if self.until is not None:
            found.append(CallRecord.started_at < self.until)
        if self.agent_type is not None:
            found.append(CallRecord.agent_type == self.agent_type)
        if self.otp_id is not None:
            found.append(CallRecord.otp_id == self.otp_id)
        if self.outcome is not None:
            found.append(_became(self.outcome))
        if self.search:
            # Not EXISTS: SQLite would look up the turns of one call after the other.
            said = select(TurnRow.call_id).where(TurnRow.text.icontains(self.search, autoescape=True))
            labelled = select(OtpCode.id).where(OtpCode.label.icontains(self.search, autoescape=True))
            named = select(User.id).where(User.name.icontains(self.search, autoescape=True))
            found.append(
                or_(
                    CallRecord.id == self.search,
                    CallRecord.otp_id.in_(labelled),
                    CallRecord.subject.in_(named),
                    CallRecord.id.in_(said),
                )
            )
        return found


async def page(
    db: AsyncSession, wanted: Wanted, *, page: int = 1, per_page: int = 50
) -> tuple[Sequence[CallRecord], int]:
    """One page of calls, the newest first, and how many there are."""
    query = select(CallRecord).where(*wanted.conditions())
    return await paged(db, query, *_NEWEST_FIRST, page=page, per_page=per_page)


async def newest(db: AsyncSession, wanted: Wanted, *, limit: int, skipping: int = 0) -> Sequence[CallRecord]:
    """Calls as in `page`, without the count, which over a long time is most of the work."""
    query = select(CallRecord).where(*wanted.conditions()).order_by(*_NEWEST_FIRST)
    return (await db.scalars(query.limit(limit).offset(skipping))).all()


async def open_calls(db: AsyncSession, *, limit: int) -> Sequence[CallRecord]:
    """The calls that are going on, the oldest first."""
    going_on = select(CallRecord).where(CallRecord.state == CallState.OPEN)
    return (await db.scalars(going_on.order_by(CallRecord.started_at, CallRecord.id).limit(limit))).all()


async def rate(db: AsyncSession, *, call_id: str, subject: str, rating: int, comment: str | None) -> None:
    """Keep what a caller thinks of their call; a later rating replaces it.

    Raises: NotFound for a call that is not theirs.
    """
    rated = await db.scalar(
        update(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.subject == subject)
        .values(rating=rating, rating_comment=comment)
        .returning(CallRecord.id)
        .execution_options(synchronize_session=False)
    )
    if rated is None:
        raise NotFound("There is no such call.")


async def ratings(
    db: AsyncSession, *, since: datetime, until: datetime, agent_type: str | None = None
) -> dict[str, tuple[int, int]]:
    """How many calls of each agent type that began in this time were rated, and the sum of their ratings."""
    query = select(CallRecord.agent_type, func.count().label("count"), func.sum(CallRecord.rating).label("sum")).where(
        CallRecord.rating.is_not(None), *Wanted(since=since, until=until, agent_type=agent_type).conditions()
    )
    return {
        agent: (count, int(total or 0))
        for agent, count, total in await db.execute(query.group_by(CallRecord.agent_type))
    }


_NEWEST_FIRST = (CallRecord.started_at.desc(), CallRecord.id.desc())


def _became(outcome: Outcome) -> ColumnElement[bool]:
    if outcome is Outcome.LIVE:
        return CallRecord.state == CallState.OPEN
    over = CallRecord.state == CallState.CLOSED
    if outcome is Outcome.FAILED:
        return and_(over, CallRecord.end_reason.in_(FAILED))
    connected = CallRecord.connected_at
    other = connected.is_not(None) if outcome is Outcome.COMPLETED else connected.is_(None)
    return and_(over, CallRecord.end_reason.not_in(FAILED), other)
