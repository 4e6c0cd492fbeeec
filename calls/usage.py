"""Accesses: a code's use is counted first, and one counted use starts one call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.log import CallRecord
from core.clock import utc_now
from core.db import Base, SafeStr, UtcDateTime
from core.errors import Forbidden
from core.ids import new_id
from identity import otp


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
        Index("ix_accesses_at", "at"),
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
    db: AsyncSession, *, agent_type: str, now: datetime, otp_id: str | None = None, user_id: str | None = None
) -> Access:
    """Record that a code (a use of it is counted in the same transaction) or a user goes to an agent type.

    Raises: identity.otp.CodeUsedUp; Unauthorized if the code is no longer good.
    """
    assert (otp_id is None) != (user_id is None), "an access belongs to a code or to a user"
    left = await otp.count_use(db, otp_id=otp_id, now=now) if otp_id is not None else None
    record = AccessRecord(id=new_id("acc"), otp_id=otp_id, user_id=user_id, agent_type=agent_type, at=now)
    db.add(record)
    await db.flush()
    return Access(record.id, left)


async def claim_access(db: AsyncSession, *, otp_id: str, agent_type: str, call_id: str) -> None:
    """Let a call take the oldest unused access of a code to an agent type; no two calls take the same one.

    Raises: AccessRequired.
    """
    unused = (
        select(AccessRecord.id)
        .where(
            AccessRecord.otp_id == otp_id,
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
    if claimed is None:
        raise AccessRequired("Choose the agent again: no use of your code has been counted for this call.")


async def return_lost(db: AsyncSession, *, now: datetime) -> int:
    """Give back the uses of calls that a crash ended before they had connected; how many."""
    lost = await db.scalars(
        select(AccessRecord.call_id)
        .join(CallRecord, CallRecord.id == AccessRecord.call_id)
        .where(
            AccessRecord.returned_at.is_(None),
            CallRecord.end_reason == "server_lost",
            CallRecord.connected_at.is_(None),
        )
    )
    return sum([await return_access(db, call_id=call_id, now=now) for call_id in lost.all() if call_id])


async def return_access(db: AsyncSession, *, call_id: str, now: datetime | None = None) -> bool:
    """Give the use back that a call took, for a call that failed through no fault of the caller.

    It happens at most once per call; whether there was something to give back.
    """
    given_back = await db.execute(
        update(AccessRecord)
        .where(AccessRecord.call_id == call_id, AccessRecord.returned_at.is_(None))
        .values(returned_at=now or utc_now())
        .returning(AccessRecord.otp_id)
        .execution_options(synchronize_session=False)
    )
    row = given_back.one_or_none()
    if row is None:
        return False
    if row.otp_id is not None:
        await otp.give_back_use(db, otp_id=row.otp_id)
    return True
