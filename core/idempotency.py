"""Answers that are kept, so that a request repeated under its key is answered again and not carried out again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, Integer, String, Text, delete, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, insert_if_absent
from core.errors import Conflict, KeyReused

KEPT = timedelta(hours=48)
MAX_KEY = 255


class InFlight(Conflict):
    """The first request with this key has not been answered yet."""

    code = "in_flight"
    retryable = True

    def __init__(self) -> None:
        super().__init__("That request is being carried out. Ask again in a moment.", retry_after_s=1)


class KeptAnswer(Base):
    """What a request was answered.

    Attributes:
        subject: Who asked.
        route: Method and path.
        key: How the asker named the request.
        request_hash: Keyed hash of what was asked.
    """

    __tablename__ = "kept_answers"
    __table_args__ = (Index("ix_kept_answers_created_at", "created_at"),)

    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key; keys of different askers and routes are different keys.

    Attributes:
        request_hash: Keyed hash of what was asked; two requests under one key count as the same until it is looked at.
    """

    subject: str
    route: str
    key: str
    request_hash: str = field(compare=False)


async def lock(db: AsyncSession, asked: Asked) -> None:
    """Hold a request's key until the transaction ends.

    On SQLite every transaction that writes waits for the one before it, so there the key needs no lock.

    Raises: InFlight if another process holds it.
    """
    if db.get_bind().dialect.name == "sqlite":
        return
    name = hashlib.sha256(f"{asked.subject}\n{asked.route}\n{asked.key}".encode()).digest()
    number = literal(int.from_bytes(name[:8], signed=True), BigInteger)
    if not await db.scalar(select(func.pg_try_advisory_xact_lock(number))):
        raise InFlight


async def find(db: AsyncSession, asked: Asked) -> KeptAnswer | None:
    """The answer given before, if any.

    Raises: KeyReused.
    """
    kept = await db.get(KeptAnswer, (asked.subject, asked.route, asked.key))
    if kept is not None and kept.request_hash != asked.request_hash:
        raise KeyReused("This Idempotency-Key was used for another request. Use a new one.")
    return kept


async def keep(db: AsyncSession, asked: Asked, *, status: int, body: str, at: datetime) -> None:
    """Keep an answer, in the transaction of the act that it tells of.

    Raises: InFlight if one has been kept meanwhile.
    """
    kept = await insert_if_absent(
        db,
        KeptAnswer,
        subject=asked.subject,
        route=asked.route,
        key=asked.key,
        request_hash=asked.request_hash,
        status=status,
        body=body,
        created_at=at,
    )
    if kept is None:
        raise InFlight


async def prune(db: AsyncSession, *, now: datetime, limit: int = 1000) -> int:
    """Forget answers that are two days old, at most `limit` at a time; how many."""
    identity = tuple_(KeptAnswer.subject, KeptAnswer.route, KeptAnswer.key)
    old = (
        select(KeptAnswer.subject, KeptAnswer.route, KeptAnswer.key)
        .where(KeptAnswer.created_at < now - KEPT)
        .order_by(KeptAnswer.created_at)
        .limit(limit)
    )
    return len((await db.execute(delete(KeptAnswer).where(identity.in_(old)).returning(KeptAnswer.key))).all())
