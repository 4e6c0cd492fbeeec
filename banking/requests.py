"""Service requests: what a customer asked the bank's people to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import customers
from core.db import Base, SafeStr, UtcDateTime, one_of, paged, storable_text
from core.errors import Conflict, KeyReused, NotFound
from core.ids import new_id
from identity import audit
from identity.actor import Actor

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
        Index("ix_service_requests_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    key: Mapped[str] = mapped_column(SafeStr(200))
    kind: Mapped[RequestKind] = mapped_column(one_of(RequestKind))
    note: Mapped[str] = mapped_column(SafeStr(MAX_NOTE))
    state: Mapped[RequestState] = mapped_column(one_of(RequestState))
    call_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TooManyToday(Conflict):
    """The customer has asked for as much today as people can see to."""

    code = "too_many_today"
    status = 429


async def open_request(
    db: AsyncSession, *, actor: Actor, customer_id: str, kind: RequestKind, note: str, key: str, now: datetime
) -> ServiceRequest:
    """Ask the bank's people for something; the same key with the same content returns the request made first.

    Raises: KeyReused if the key came with other content; TooManyToday; NotFound for an unknown
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
        raise TooManyToday("You have made many requests today. Please try again tomorrow.")

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


async def close(db: AsyncSession, *, actor: Actor, request_id: str, now: datetime) -> ServiceRequest:
    """Mark a request as seen to; again changes nothing.

    Raises: NotFound.
    """
    closed = await db.scalar(
        update(ServiceRequest)
        .where(ServiceRequest.id == request_id, ServiceRequest.state == RequestState.OPEN)
        .values(state=RequestState.DONE)
        .returning(ServiceRequest)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if closed is not None:
        audit.note(db, actor=actor, act="request.closed", subject=closed.id, customer_id=closed.customer_id, at=now)
        return closed
    request = await db.get(ServiceRequest, request_id, populate_existing=True)
    if request is None:
        raise NotFound("There is no such request.", code="no_request")
    return request


async def page(
    db: AsyncSession,
    *,
    state: RequestState | None = None,
    kind: RequestKind | None = None,
    page: int = 1,
    per_page: int = 20,
) -> tuple[Sequence[ServiceRequest], int]:
    """One page of all customers' requests, newest first, and how many there are."""
    query = select(ServiceRequest)
    if state is not None:
        query = query.where(ServiceRequest.state == state)
    if kind is not None:
        query = query.where(ServiceRequest.kind == kind)
    return await paged(db, query, ServiceRequest.created_at.desc(), ServiceRequest.id, page=page, per_page=per_page)
