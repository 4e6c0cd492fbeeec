"""Notices: short texts the bank has for a customer, such as a reminder that has come due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, UtcDateTime, paged
from core.errors import NotFound
from core.ids import new_id


class Notice(Base):
    """Something a customer is told on their pages.

    Attributes:
        at: Since when it is there.
        read_at: When they first marked it as read.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_customer_id_at", "customer_id", "at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    text: Mapped[str] = mapped_column(SafeStr(200))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def put(db: AsyncSession, *, customer_id: str, text: str, at: datetime) -> Notice:
    """Leave a notice for a customer; written with the transaction."""
    notice = Notice(id=new_id("ntc"), customer_id=customer_id, text=text, at=at)
    db.add(notice)
    return notice


async def of_customer(
    db: AsyncSession, *, customer_id: str, page: int = 1, per_page: int = 20
) -> tuple[Sequence[Notice], int]:
    """One page of a customer's notices, newest first, and how many there are."""
    query = select(Notice).where(Notice.customer_id == customer_id)
    return await paged(db, query, Notice.at.desc(), Notice.id, page=page, per_page=per_page)


async def mark_read(db: AsyncSession, *, customer_id: str, notice_id: str, now: datetime) -> Notice:
    """Mark one of a customer's own notices as read; again keeps the first time.

    Raises: NotFound, also if it is somebody else's.
    """
    notice = await db.scalar(
        select(Notice).where(Notice.id == notice_id, Notice.customer_id == customer_id).with_for_update()
    )
    if notice is None:
        raise NotFound("There is no such notice.", code="no_notice")
    notice.read_at = notice.read_at or now
    await db.flush()
    return notice
