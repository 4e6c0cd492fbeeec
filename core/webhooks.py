"""Webhooks: events told to other systems, signed and retried, from an outbox written in the act's transaction.

Each delivery is a POST of JSON `{id, event, created_at, data}` with the headers `X-Parley-Event`, `X-Parley-Delivery`
(the same id at every try: who listens takes each once) and `X-Parley-Signature: t=<Unix time>,v1=<HMAC-SHA256 of
"<t>.<body>" with the webhook's secret, hexadecimal>`. Any 2xx answer will do; 410 ends the webhook. What is not taken
is tried up to 8 times in about a day, in no particular order.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from loguru import logger
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core import egress
from core.clock import utc_now
from core.db import Base, Database, UtcDateTime, before_commit, one_of
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.tasks import spawn
from core.vault import DamagedField, Sealed

MAX_WEBHOOKS = 20
MAX_PENDING = 10_000
AT_ONCE = 8
KEPT = timedelta(days=7)
LEASE = timedelta(seconds=60)
GONE = 410

WAITS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=15),
)
"""Between one try and the next; there is one try more than waits."""

JITTER = 0.2


class Event(StrEnum):
    """What others can be told about."""

    TRANSACTION_COMPLETED = "transaction.completed"
    BALANCE_UPDATED = "balance.updated"
    PASSWORD_FAILED = "password.failed"  # noqa: S105 - an event's name
    TRANSFER_INITIATED = "transfer.initiated"


class DeliveryState(StrEnum):
    """How far telling somebody has come."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Webhook(Base):
    """Somebody who wants to be told.

    Attributes:
        events: Which events, each between commas.
        secret: What deliveries to it are signed with.
        disabled_at: Since when it is told nothing: it answered 410, or nothing good for a whole delivery's tries.
        last_error: Why the last try failed, in a word; None after a success.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(egress.MAX_URL))
    events: Mapped[str] = mapped_column(String(200))
    secret_sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(40))

    secret = Sealed()

    @property
    def listens_to(self) -> tuple[Event, ...]:
        """The events it is told about."""
        return tuple(Event(event) for event in self.events.strip(",").split(","))


class Delivery(Base):
    """One event for one webhook.

    Attributes:
        event_id: Names the event; the same for every webhook and every try.
        body: What is sent, byte for byte.
        next_try_at: When it is due; while somebody is trying, when somebody else may.
        tries: How often it was begun.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_due", "webhook_id", "state", "next_try_at"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(40))
    event: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    state: Mapped[DeliveryState] = mapped_column(one_of(DeliveryState))
    last_status: Mapped[int | None]


# --- The outbox -------------------------------------------------------------------------------------------------------

_PUT = insert(Delivery.__table__).from_select(  # pyright: ignore[reportArgumentType] - a Table
    ["webhook_id", "event_id", "event", "body", "created_at", "next_try_at", "tries", "state"],
    select(
        Webhook.id,
        bindparam("event_id", type_=String),
        bindparam("event", type_=String),
        bindparam("body", type_=Text),
        bindparam("at", type_=UtcDateTime),
        bindparam("at", type_=UtcDateTime),
        literal(0, Integer),
        literal(DeliveryState.PENDING.value, String),
    ).where(Webhook.disabled_at.is_(None), Webhook.events.like(bindparam("listening", type_=String))),
)


_PENDING = "webhooks"


def put(db: AsyncSession, *, event: Event, payload: Mapping[str, Any], at: datetime) -> None:
    """Queue an event for everybody who listens to it: with this transaction, or not at all.

    Args:
        payload: JSON values: ids and amounts, no secrets.
    """
    event_id = new_id("evt")
    moment = at.astimezone(UTC).isoformat()
    body = {"id": event_id, "event": event.value, "created_at": moment, "data": dict(payload)}
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    row = {"event_id": event_id, "event": event.value, "body": text, "at": at, "listening": f"%,{event.value},%"}
    db.info.setdefault(_PENDING, []).append(row)
    before_commit(db, _PENDING, _write)


async def _write(db: AsyncSession) -> None:
    connection = await db.connection()
    await connection.execute(_PUT, db.info.pop(_PENDING))


# --- Who listens ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listener:
    """A webhook and how it is doing."""

    webhook: Webhook
    pending: int


async def add(db: AsyncSession, *, url: str, events: Sequence[Event], secret: str, now: datetime) -> Webhook:
    """Register a webhook; check its address first, outside the transaction (`core.egress.check`).

    Raises: Conflict (code `too_many_webhooks`).
    """
    if (await db.scalar(select(func.count()).select_from(Webhook)) or 0) >= MAX_WEBHOOKS:
        raise Conflict(f"There are {MAX_WEBHOOKS} webhooks already; remove one first.", code="too_many_webhooks")
    webhook = Webhook(id=new_id("whk"), url=url, events=f",{','.join(sorted(set(events)))},", created_at=now)
    webhook.secret = secret
    db.add(webhook)
    await db.flush()
    return webhook


async def remove(db: AsyncSession, webhook_id: str) -> None:
    """Forget a webhook and what it had still to be told.

    Raises: NotFound.
    """
    if await db.scalar(delete(Webhook).where(Webhook.id == webhook_id).returning(Webhook.id)) is None:
        raise NotFound("There is no such webhook.")


async def listeners(db: AsyncSession) -> list[Listener]:
    """Every webhook, the oldest first."""
    waiting = (
        select(func.count())
        .where(Delivery.webhook_id == Webhook.id, Delivery.state == DeliveryState.PENDING)
        .scalar_subquery()
    )
    rows = await db.execute(select(Webhook, waiting).order_by(Webhook.created_at, Webhook.id).limit(MAX_WEBHOOKS))
    return [Listener(webhook, pending) for webhook, pending in rows]


async def prune(db: AsyncSession, *, now: datetime, limit: int = 1000) -> int:
    """Delete what is older than a week, and of a webhook's queue what is beyond its bound, the oldest first.

    Returns how many rows were deleted; call it again while that is `limit` or more.
    """
    old = select(Delivery.id).where(Delivery.created_at < now - KEPT).order_by(Delivery.created_at).limit(limit)
    deleted = list(await db.scalars(delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id)))
    for listener in await listeners(db):
        if (excess := listener.pending - MAX_PENDING) > 0:
            oldest = (
                select(Delivery.id)
                .where(Delivery.webhook_id == listener.webhook.id, Delivery.state == DeliveryState.PENDING)
                .order_by(Delivery.next_try_at)
                .limit(min(excess, limit))
            )
            deleted += await db.scalars(delete(Delivery).where(Delivery.id.in_(oldest)).returning(Delivery.id))
            logger.warning("Dropped {} events of webhook {}: it takes too few", excess, listener.webhook.id)
    return len(deleted)


# --- Delivery ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended: the answer's status, or why there was none."""

    status: int | None
    error: str | None


class Courier:
    """Tells webhooks what is due; any number of processes may do so at once.

    Each webhook is served on its own, so that a slow one holds up nobody else.

    Args:
        allow_private: As `core.egress.check`.
        clock: What time it is.
        resolver: Finds addresses of names.
        timeout_s: For one try.
    """

    def __init__(
        self,
        database: Database,
        *,
        allow_private: bool = False,
        clock: Callable[[], datetime] = utc_now,
        resolver: egress.Resolver = egress.resolve,
        timeout_s: float = egress.TIMEOUT_S,
    ) -> None:
        self._database = database
        self._allow_private = allow_private
        self._clock = clock
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._serving: dict[str, asyncio.Task[None]] = {}

    async def tick(self) -> None:
        """Begin with every webhook that has something due and is not being served already."""
        due = (
            select(Webhook.id)
            .where(
                Webhook.disabled_at.is_(None),
                select(Delivery.id)
                .where(
                    Delivery.webhook_id == Webhook.id,
                    Delivery.state == DeliveryState.PENDING,
                    Delivery.next_try_at <= self._clock(),
                )
                .exists(),
            )
            .limit(MAX_WEBHOOKS)
        )
        async with self._database.reading() as db:
            ids = list(await db.scalars(due))
        for webhook_id in ids:
            if webhook_id not in self._serving:
                task = self._serving[webhook_id] = spawn(self._serve(webhook_id), owner=f"webhook {webhook_id}")
                task.add_done_callback(lambda _task, done=webhook_id: self._serving.pop(done))

    async def idle(self) -> None:
        """Wait until nobody is being told anything."""
        while self._serving:
            await asyncio.wait(set(self._serving.values()))

    async def close(self) -> None:
        """Stop; what was under way is tried again, by whoever runs then."""
        for task in self._serving.values():
            task.cancel()
        await self.idle()

    async def _serve(self, webhook_id: str) -> None:
        while True:
            async with self._database.transaction() as db:
                webhook = await db.get(Webhook, webhook_id)
                batch = await _claim(db, webhook_id, now=self._clock())
            if webhook is None or webhook.disabled_at is not None or not batch:
                return
            tries = [spawn(self._try(webhook, delivery), owner=f"delivery {delivery.id}") for delivery in batch]
            try:
                outcomes = await asyncio.gather(*tries)
            finally:
                for task in tries:
                    task.cancel()
            async with self._database.transaction() as db:
                for delivery, outcome in zip(batch, outcomes, strict=True):
                    await _settle(db, delivery, outcome, now=self._clock())

    async def _try(self, webhook: Webhook, delivery: Delivery) -> Outcome:
        content = delivery.body.encode()
        try:
            secret = webhook.secret
        except DamagedField:
            return Outcome(None, "secret unreadable")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Parley-Webhooks/1",
            "X-Parley-Event": delivery.event,
            "X-Parley-Delivery": delivery.event_id,
            "X-Parley-Signature": signature(secret, content, at=self._clock()),
        }
        try:
            status = await egress.post(
                webhook.url,
                content=content,
                headers=headers,
                allow_private=self._allow_private,
                timeout_s=self._timeout_s,
                resolver=self._resolver,
            )
        except egress.Refused:
            return Outcome(None, "address refused")
        except egress.Unreachable as error:
            return Outcome(None, str(error))
        return Outcome(status, None if 200 <= status < 300 else f"status {status}")


def signature(secret: str, content: bytes, *, at: datetime) -> str:
    """What proves that a body comes from here and when."""
    moment = int(at.timestamp())
    code = hmac.new(secret.encode(), f"{moment}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


async def _claim(db: AsyncSession, webhook_id: str, *, now: datetime) -> Sequence[Delivery]:
    """Take what is due, so that nobody else does until the lease is over: we may die while trying."""
    due = (
        select(Delivery.id)
        .where(Delivery.webhook_id == webhook_id, Delivery.state == DeliveryState.PENDING, Delivery.next_try_at <= now)
        .order_by(Delivery.next_try_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = list(await db.scalars(due))
    if not ids:
        return []
    claim = update(Delivery).where(Delivery.id.in_(ids)).values(next_try_at=now + LEASE, tries=Delivery.tries + 1)
    return (await db.scalars(claim.returning(Delivery))).all()


async def _settle(db: AsyncSession, delivery: Delivery, outcome: Outcome, *, now: datetime) -> None:
    """Write down how a try ended, unless somebody else has begun another since."""
    change: dict[str, Any] = {"last_status": outcome.status}
    given_up = outcome.error is not None and (delivery.tries > len(WAITS) or outcome.status == GONE)
    if outcome.error is None:
        change |= {"state": DeliveryState.DELIVERED}
    elif given_up:
        change |= {"state": DeliveryState.GIVEN_UP}
    else:
        wait = WAITS[delivery.tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        change |= {"next_try_at": now + wait}
    mine = (Delivery.id == delivery.id, Delivery.tries == delivery.tries, Delivery.state == DeliveryState.PENDING)
    await db.execute(update(Delivery).where(*mine).values(**change))

    this = update(Webhook).where(Webhook.id == delivery.webhook_id)
    if outcome.error is None:
        await db.execute(this.values(last_success_at=now, last_error=None))
        return
    await db.execute(this.values(last_error=outcome.error))
    if given_up:
        nothing_since = Webhook.last_success_at.is_(None) | (Webhook.last_success_at < delivery.created_at)
        hopeless = this.where(Webhook.disabled_at.is_(None))
        if outcome.status != GONE:
            hopeless = hopeless.where(nothing_since)
        if await db.scalar(hopeless.values(disabled_at=now).returning(Webhook.id)):
            logger.warning("Webhook {} is told nothing any more: {}", delivery.webhook_id, outcome.error)
