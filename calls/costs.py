"""What a call used of each vendor, and what that cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, String, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, SafeStr, storable_text, upsert

UsageKind = Literal["stt", "llm", "tts"]

MAX_MODEL_CHARS = 120


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call has used of one vendor so far.

    Attributes:
        audio_ms: Of the caller's audio, heard by a recogniser.
        input_tokens: All that a language model read, the cached ones among them.
        cached_tokens: Those of them that it found in its cache.
        cache_write_tokens: Those of them that it put there.
        estimated_answers: How many of its answers were cut off before it had counted their tokens, which are estimated.
        characters: Given to a voice.
        cost_micros: Millionths of a US dollar, at the prices of the moment; None where no price is known.
    """

    kind: UsageKind
    provider: str
    model: str | None = None
    audio_ms: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    estimated_answers: int = 0
    characters: int = 0
    cost_micros: int | None = 0


class CallUsage(Base):
    """The `Usage` of a call; a lower bound while it goes on."""

    __tablename__ = "call_usage"

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    provider: Mapped[str] = mapped_column(SafeStr(64), primary_key=True)
    model: Mapped[str | None] = mapped_column(String(MAX_MODEL_CHARS))
    audio_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    estimated_answers: Mapped[int] = mapped_column(BigInteger, default=0)
    characters: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_micros: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(slots=True)
class Cost:
    """What something cost, as far as that is known.

    Attributes:
        micros: Millionths of a US dollar.
        unpriced: How many vendors were used whose price is not known; with any, `micros` is a lower bound.
        estimated: How many answers of language models are in it whose tokens were estimated.
    """

    micros: int = 0
    unpriced: int = 0
    estimated: int = 0


UNPRICED = func.count() - func.count(CallUsage.cost_micros)
"""`Cost.unpriced` of the rows that are summed; a sum of their `cost_micros` passes over those."""


async def record(db: AsyncSession, *, call_id: str, usages: Iterable[Usage]) -> None:
    """Put down a call's totals in the place of earlier ones; the same again changes nothing."""
    for usage in usages:
        model = None if usage.model is None else storable_text(usage.model, max_length=MAX_MODEL_CHARS)
        values = asdict(usage) | {"call_id": call_id, "model": model}
        await upsert(db, CallUsage, unique=("call_id", "kind", "provider"), **values)


async def totals(db: AsyncSession, call_ids: Collection[str]) -> dict[str, Cost]:
    """What each of these calls cost; one that used nothing is left out."""
    query = select(
        CallUsage.call_id, func.sum(CallUsage.cost_micros), UNPRICED, func.sum(CallUsage.estimated_answers)
    ).where(CallUsage.call_id.in_(call_ids))
    return {
        call_id: Cost(int(micros or 0), unpriced, int(estimated))
        for call_id, micros, unpriced, estimated in await db.execute(query.group_by(CallUsage.call_id))
    }


async def of_call(db: AsyncSession, call_id: str) -> Sequence[CallUsage]:
    """What a call used: first to hear, then to think, then to speak."""
    order = case({"stt": 1, "llm": 2, "tts": 3}, value=CallUsage.kind)
    query = select(CallUsage).where(CallUsage.call_id == call_id).order_by(order, CallUsage.provider)
    return (await db.scalars(query)).all()
