"""Service requests: what a customer asked the bank's people to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import customers
from core.db import Base, SafeStr, UtcDateTime, one_of, storable_text
from core.errors import Conflict
from core.idempotency import KeyReused
from core.ids import new_id
from identity import audit
from identity.actor import Actor

MAX_PER_PAGE = 100
MAX_PER_DAY = 20
MAX_NOTE = 500


class RequestKind(StrEnum):
    """What is asked for."""

    BLOCK_CARD = "block_card"
    PERSON = "person"
    COMPLAINT = "complaint"


class RequestState(StrEnum):
    """Whether somebody still has to see to it."""

    OPEN = "open"
    DONE = "done"


class ServiceRequest(Base):
    """Work for a person at the bank.

    Attributes:
        key: Names the asking; the same key opens one request.
        note: What the customer said about it.
        call_id: The call it was asked for in.
    """

    __tablename__ = "service_requests"
    __table_args__ = (
        UniqueConstraint("customer_id", "key"),
        Index("ix_service_requests_customer_id_created_at", "customer_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    key: Mapped[str] = mapped_column(SafeStr(200))
    kind: Mapped[RequestKind] = mapped_column(one_of(RequestKind))
    note: Mapped[str] = mapped_column(SafeStr(MAX_NOTE))
    state: Mapped[RequestState] = mapped_column(one_of(RequestState))
    call_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TooManyRequests(Conflict):
    """The customer has asked for as much today as people can see to."""

    code = "too_many_requests"
    status = 429


async def open_request(
    db: AsyncSession, *, actor: Actor, customer_id: str, kind: RequestKind, note: str, key: str, now: datetime
) -> ServiceRequest:
    """Ask the bank's people for something; the same key with the same content returns the request made first.

    Raises: KeyReused if the key came with other content; TooManyRequests; NotFound for an unknown
        customer.
    """
    await customers.lock(db, customer_id)
    note = storable_text(" ".join(note.split()), max_length=MAX_NOTE)
    earlier = await db.scalar(
        select(ServiceRequest).where(ServiceRequest.customer_id == customer_id, ServiceRequest.key == key)
    )
    if earlier is not None:
        if (earlier.kind, earlier.note) != (kind, note):
            raise KeyReused
        return earlier
    since = now - timedelta(days=1)
    recent = await db.scalar(
        select(func.count()).where(ServiceRequest.customer_id == customer_id, ServiceRequest.created_at > since)
    )
    if (recent or 0) >= MAX_PER_DAY:
        raise TooManyRequests("You have made many requests today. Please try again tomorrow.")

    request = ServiceRequest(
        id=new_id("req"),
        customer_id=customer_id,
        key=key,
        kind=kind,
        note=note,
        state=RequestState.OPEN,
        call_id=actor.call_id,
        created_at=now,
    )
    db.add(request)
    audit.note(
        db,
        actor=actor,
        act="request.opened",
        subject=request.id,
        customer_id=customer_id,
        details={"kind": kind.value},
        at=now,
    )
    await db.flush()
    return request


async def of_customer(
    db: AsyncSession, *, customer_id: str, page: int = 1, per_page: int = 20
) -> tuple[Sequence[ServiceRequest], int]:
    """One page of a customer's requests, newest first, and how many there are."""
    query = select(ServiceRequest).where(ServiceRequest.customer_id == customer_id)
    total = await db.scalar(select(func.count()).select_from(query.subquery()))
    per_page = max(1, min(per_page, MAX_PER_PAGE))
    rows = await db.scalars(
        query.order_by(ServiceRequest.created_at.desc(), ServiceRequest.id)
        .limit(per_page)
        .offset((max(1, page) - 1) * per_page)
    )
    return rows.all(), total or 0
