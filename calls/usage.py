"""Accesses: a code's use is counted first, and one counted use starts one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.answers import Answer
from calls.log import FAILED, CallRecord, CallState
from calls.transcript import TurnRow
from core.db import Base, SafeStr, UtcDateTime
from core.errors import Forbidden, NotFound
from core.ids import new_id
from identity import otp

OUR_FAULT = (*FAILED, "drained", "server_stopped")
"""Reasons for the end of a call for which a caller who has heard nothing yet need not pay with a use."""

# A transcript holds what was heard to its end or interruption, the answers each first sound: a crash in the middle of
# the greeting leaves only the latter.
_UNSERVED = and_(
    or_(CallRecord.connected_at.is_(None), CallRecord.end_reason.in_(OUR_FAULT)),
    ~exists().where(TurnRow.call_id == CallRecord.id, TurnRow.role == "assistant"),
    ~exists().where(Answer.call_id == CallRecord.id),
)


class AccessRecord(Base):
    """One granted access to an agent type.

    Attributes:
        otp_id: The code whose use was counted; None for a registered user.
        user_id: The registered user; None for a code.
        call_id: The call that took it, None while it is unused.
        returned_at: When the use was given back.
    """

    __tablename__ = "accesses"
    __table_args__ = (
        CheckConstraint("(otp_id IS NULL) <> (user_id IS NULL)", name="one_bearer"),
        Index("ix_accesses_otp_id_agent_type", "otp_id", "agent_type", "at"),
        Index("ix_accesses_at_agent_type", "at", "agent_type"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    otp_id: Mapped[str | None] = mapped_column(ForeignKey("otp_codes.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    agent_type: Mapped[str] = mapped_column(SafeStr(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    call_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    returned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Access:
    """A granted access.

    Attributes:
        id: Its record.
        remaining_uses: What the code has left; None for a registered user, who needs no uses.
    """

    id: str
    remaining_uses: int | None


class AccessRequired(Forbidden):
    """No use of the code has been counted for this call."""

    code = "access_required"


async def grant_access(
    db: AsyncSession,
    *,
    agent_type: str,
    now: datetime,
    otp_id: str | None = None,
    user_id: str | None = None,
    call_id: str | None = None,
) -> Access:
    """Record that a code (a use of it is counted in the same transaction) or a user goes to an agent type.

    Args:
        call_id: The call that takes it at once.

    Raises: identity.otp.CodeUsedUp; Unauthorized if the code is no longer good.
    """
    assert (otp_id is None) != (user_id is None), "an access belongs to a code or to a user"
    left = await otp.count_use(db, otp_id=otp_id, now=now) if otp_id is not None else None
    record = AccessRecord(
        id=new_id("acc"), otp_id=otp_id, user_id=user_id, agent_type=agent_type, at=now, call_id=call_id
    )
    db.add(record)
    await db.flush()
    return Access(record.id, left)


async def claim_access(
    db: AsyncSession,
    *,
    agent_type: str,
    call_id: str,
    now: datetime,
    otp_id: str | None = None,
    user_id: str | None = None,
) -> None:
    """Let a call take the oldest unused access of a code or user to an agent type; no two calls take the same one.

    A user, whose calls are not counted down, is granted one where there is none.

    Raises: AccessRequired for a code.
    """
    unused = (
        select(AccessRecord.id)
        .where(
            AccessRecord.otp_id == otp_id if user_id is None else AccessRecord.user_id == user_id,
            AccessRecord.agent_type == agent_type,
            AccessRecord.call_id.is_(None),
            AccessRecord.returned_at.is_(None),
        )
        .order_by(AccessRecord.at, AccessRecord.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claimed = await db.scalar(
        update(AccessRecord)
        .where(AccessRecord.id == unused, AccessRecord.call_id.is_(None))
        .values(call_id=call_id)
        .returning(AccessRecord.id)
        .execution_options(synchronize_session=False)
    )
    if claimed is None and user_id is not None:
        await grant_access(db, agent_type=agent_type, now=now, user_id=user_id, call_id=call_id)
    elif claimed is None:
        raise AccessRequired("Choose the agent again: no use of your code has been counted for this call.")


async def last_used(db: AsyncSession, otp_ids: Iterable[str]) -> dict[str, datetime]:
    """When a use of each code was last counted; codes that were never used are left out."""
    wanted = set(otp_ids)
    if not wanted:
        return {}
    query = select(AccessRecord.otp_id, func.max(AccessRecord.at).label("at")).where(AccessRecord.otp_id.in_(wanted))
    return {row.otp_id: row.at for row in await db.execute(query.group_by(AccessRecord.otp_id))}


async def history(
    db: AsyncSession,
    *,
    limit: int,
    before: str | None = None,
    agent_type: str | None = None,
    otp_id: str | None = None,
) -> list[tuple[AccessRecord, CallRecord | None]]:
    """Accesses, the newest first, with the calls that took them; only what is older than the access `before`.

    Raises: NotFound if there is no such access.
    """
    query = select(AccessRecord, CallRecord).outerjoin(CallRecord, CallRecord.id == AccessRecord.call_id)
    if before is not None:
        last = await db.get(AccessRecord, before)
        if last is None:
            raise NotFound("There is no such access.")
        same_moment = and_(AccessRecord.at == last.at, AccessRecord.id < last.id)
        query = query.where(or_(AccessRecord.at < last.at, same_moment))
    if agent_type is not None:
        query = query.where(AccessRecord.agent_type == agent_type)
    if otp_id is not None:
        query = query.where(AccessRecord.otp_id == otp_id)
    query = query.order_by(AccessRecord.at.desc(), AccessRecord.id.desc()).limit(limit)
    return [(access, call) for access, call in await db.execute(query)]


async def return_unserved(db: AsyncSession, *, call_ids: Sequence[str], now: datetime) -> int:
    """Give the uses of closed calls back that were no use; how many.

    Either the call never connected, whoever is to blame, or it failed through our fault before the agent had said a
    word.
    """
    unserved = await db.scalars(
        select(CallRecord.id).where(CallRecord.id.in_(call_ids), CallRecord.state == CallState.CLOSED, _UNSERVED)
    )
    return sum([await return_access(db, call_id=call_id, now=now) for call_id in unserved.all()])


async def return_access(db: AsyncSession, *, call_id: str, now: datetime) -> bool:
    """Give the use back that a call took, for a call that failed through no fault of the caller.

    It happens at most once per call; whether there was something to give back.
    """
    given_back = await db.execute(
        update(AccessRecord)
        .where(AccessRecord.call_id == call_id, AccessRecord.returned_at.is_(None))
        .values(returned_at=now)
        .returning(AccessRecord.otp_id)
        .execution_options(synchronize_session=False)
    )
    row = given_back.one_or_none()
    if row is None:
        return False
    if row.otp_id is not None:
        await otp.give_back_use(db, otp_id=row.otp_id)
    return True
