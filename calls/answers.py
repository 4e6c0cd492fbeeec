"""How long callers waited for an answer, and where the time went.

An answer is timed on the server, from the caller's last sound to the first sound sent back; the way through the network
is not in it. What comes on top on the caller's side their page measures, if it does. Only what was said is timed:
somebody who types reads along and does not sit in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Index, SmallInteger, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from calls.rows import CallRow, append_rows
from core.db import UtcDateTime

STAGES = ("endpointing", "transcription", "turn", "llm", "tool", "sentence", "tts", "output", "other")
"""What an answer's time is made of, in the order in which it usually happens.

`endpointing` is the silence that must be heard before speech counts as over, `turn` the decision that the caller has
finished, `sentence` the wait for a whole sentence of the model, `output` the way of the sound to the line, `other` what
none of them took.
"""

MAX_CALLER_SIDE_MS = 60_000
MAX_ANSWERS = 10_000

_EXACT_MS = 100
_GROWTH = 1.05


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer, as measured.

    Attributes:
        at: When the caller fell silent; for the greeting, when there was somebody to greet.
        stages: Milliseconds by the names of `STAGES`; a missing one took none.
        greeting: Whether it is the first words of the call, which answer nobody.
    """

    at: datetime
    stages: Mapping[str, int]
    greeting: bool = False

    @property
    def total_ms(self) -> int:
        """How long the caller waited."""
        return sum(self.stages.values())


@dataclass(frozen=True, slots=True)
class CallerSide:
    """One answer as the caller's page measured it, in milliseconds; None is what it could not tell.

    It is the caller's word: it is kept, and decides nothing.

    Attributes:
        rtt_ms: There and back through the network.
        jitter_buffer_ms: How long the sound lay in the browser's jitter buffer, on average; a part of `playout_ms`.
        playout_ms: From the server's message that the agent speaks to the first sound that could be heard.
    """

    rtt_ms: int | None = None
    jitter_buffer_ms: int | None = None
    playout_ms: int | None = None

    @property
    def extra_ms(self) -> int | None:
        """What comes on top of the server's time: the message's way, which is half the round trip, and the playout."""
        if self.rtt_ms is None or self.playout_ms is None:
            return None
        return round(self.rtt_ms / 2) + self.playout_ms


class Answer(CallRow):
    """A measured answer at its place in the call; the stages sum to `total_ms`.

    Attributes:
        bucket: Where `total_ms` falls in the histogram of `bucket_of`.
        cost_micros: What was used from when its turn was understood until the next one was, in millionths of a US
            dollar; None where that is not known. The greeting's runs from the beginning; what is used for typed turns
            belongs to no answer.
        rtt_ms: Like the next two as in `CallerSide`; None if nobody told.
    """

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_at", "at"),)

    at: Mapped[datetime] = mapped_column(UtcDateTime)
    greeting: Mapped[bool]
    total_ms: Mapped[int]
    endpointing_ms: Mapped[int]
    transcription_ms: Mapped[int]
    turn_ms: Mapped[int]
    llm_ms: Mapped[int]
    tool_ms: Mapped[int]
    sentence_ms: Mapped[int]
    tts_ms: Mapped[int]
    output_ms: Mapped[int]
    other_ms: Mapped[int]
    bucket: Mapped[int] = mapped_column(SmallInteger)
    cost_micros: Mapped[int | None] = mapped_column(BigInteger)
    rtt_ms: Mapped[int | None]
    jitter_buffer_ms: Mapped[int | None]
    playout_ms: Mapped[int | None]

    @property
    def stages(self) -> dict[str, int]:
        """Milliseconds by the names of `STAGES`."""
        return {stage: getattr(self, f"{stage}_ms") for stage in STAGES}

    @property
    def caller_side(self) -> CallerSide | None:
        """What the caller's page told of it, if anything."""
        side = CallerSide(self.rtt_ms, self.jitter_buffer_ms, self.playout_ms)
        return None if side == CallerSide() else side


async def append(db: AsyncSession, *, call_id: str, timings: Sequence[Timing]) -> None:
    """Add answers behind those a call has; one writer per call."""
    rows = [
        {
            "at": timing.at,
            "greeting": timing.greeting,
            "total_ms": timing.total_ms,
            **{f"{stage}_ms": timing.stages.get(stage, 0) for stage in STAGES},
            "bucket": bucket_of(timing.total_ms),
        }
        for timing in timings
    ]
    await append_rows(db, Answer, call_id=call_id, rows=rows)


async def charge(db: AsyncSession, *, call_id: str, costs: Mapping[datetime, int | None]) -> None:
    """Put down what answers have cost so far, in the place of earlier sums.

    Args:
        costs: Millionths of a US dollar by `Timing.at`; None where that is not known.
    """
    for at, micros in costs.items():
        answer = update(Answer).where(Answer.call_id == call_id, Answer.at == at)
        await db.execute(answer.values(cost_micros=micros).execution_options(synchronize_session=False))


async def add_caller_side(db: AsyncSession, *, call_id: str, sides: Mapping[datetime, CallerSide]) -> None:
    """Add what the caller's page measured to answers of a call, by `Timing.at`."""
    for at, side in sides.items():
        answer = update(Answer).where(Answer.call_id == call_id, Answer.at == at)
        await db.execute(answer.values(**asdict(side)).execution_options(synchronize_session=False))


async def of_call(db: AsyncSession, call_id: str) -> Sequence[Answer]:
    """The answers of a call in order, at most its first 10,000."""
    query = select(Answer).where(Answer.call_id == call_id).order_by(Answer.seq).limit(MAX_ANSWERS)
    return (await db.scalars(query)).all()


# --- Percentiles ------------------------------------------------------------------------------------------------------


def bucket_of(total_ms: int) -> int:
    """The histogram bucket of an answer time: its own up to 100 ms, then buckets that grow by 5 %."""
    if total_ms < _EXACT_MS:
        return max(0, total_ms)
    return _EXACT_MS + int(math.log(total_ms / _EXACT_MS, _GROWTH))


def middle_of(bucket: int) -> int:
    """The time in milliseconds that stands for a bucket, within 3 % of each time in it."""
    if bucket < _EXACT_MS:
        return bucket
    low = _EXACT_MS * _GROWTH ** (bucket - _EXACT_MS)
    return round(low * 2 * _GROWTH / (1 + _GROWTH))  # equally far, in per cent, from both ends


def percentile(counts: Mapping[int, int], q: float) -> int | None:
    """The time in milliseconds within which a share of the answers came, to within 3 %; None without any.

    Args:
        counts: How many answers fell into each bucket; those of several periods may be added up.
        q: The share, from 0 to 1; 0.95 for the 95th percentile (nearest rank).
    """
    # A hair less, so that 0.95 of 20 is the 19th in floating point too.
    left = max(1, math.ceil(q * sum(counts.values()) - 1e-9))
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return middle_of(bucket)
    return None
