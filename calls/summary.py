"""Calls in a line each: how much was said, how quickly it was answered, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from calls import costs
from calls.answers import Answer, percentile
from calls.costs import UNPRICED, CallUsage, Cost
from calls.log import CallRecord, Wanted
from calls.transcript import TurnRow
from core.db import at_page, epoch_s


@dataclass(slots=True)
class Summary:
    """One call.

    Attributes:
        turns: Turns of caller and agent together.
        answer_p50_ms: The median of its answers' times, to 3 %; None without any.
        last_answer_ms: The newest answer's time.
        last_said_at: When the newest turn began.
    """

    turns: int = 0
    answer_p50_ms: int | None = None
    last_answer_ms: int | None = None
    last_said_at: datetime | None = None
    cost: Cost = field(default_factory=Cost)


async def of_calls(db: AsyncSession, call_ids: Iterable[str]) -> defaultdict[str, Summary]:
    """What there is to say of each of these calls; of one with nothing in it, an empty summary."""
    found: defaultdict[str, Summary] = defaultdict(Summary)
    wanted = list(call_ids)
    if not wanted:
        return found
    turns = select(TurnRow.call_id, func.count(), func.max(TurnRow.started_at)).where(
        TurnRow.call_id.in_(wanted), TurnRow.role != "tool"
    )
    for call_id, count, last in await db.execute(turns.group_by(TurnRow.call_id)):
        found[call_id].turns, found[call_id].last_said_at = count, last
    for call_id, cost in (await costs.totals(db, wanted)).items():
        found[call_id].cost = cost
    histograms: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    timed = select(Answer.call_id, Answer.bucket, Answer.total_ms).where(
        Answer.call_id.in_(wanted), Answer.greeting.is_(False)
    )
    for call_id, bucket, total_ms in await db.execute(timed.order_by(Answer.call_id, Answer.seq)):
        histograms[call_id][bucket] += 1
        found[call_id].last_answer_ms = total_ms
    for call_id, histogram in histograms.items():
        found[call_id].answer_p50_ms = percentile(histogram, 0.5)
    return found


@dataclass(slots=True)
class CallerSum:
    """All calls of one code or user with one agent type.

    Attributes:
        subject: Id of the code or user.
        otp_id: The same for a code.
        seconds: Connected, of calls that are over.
        audio_ms: What speech recognition listened to.
        input_tokens: The cached ones included.
        cost_micros, unpriced: As in `costs.Cost`.
    """

    subject: str
    otp_id: str | None
    agent_type: str
    calls: int
    seconds: int
    audio_ms: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    cost_micros: int = 0
    unpriced: int = 0


_CONSUMED = {
    **{
        column: func.sum(getattr(CallUsage, column))
        for column in ("audio_ms", "input_tokens", "cached_tokens", "output_tokens", "characters", "cost_micros")
    },
    "unpriced": UNPRICED,
}


async def of_callers(
    db: AsyncSession, wanted: Wanted, *, page: int = 1, per_page: int = 20
) -> tuple[Sequence[CallerSum], int]:
    """One page of the sums of these calls per caller and agent type, the most calls first, and how many there are."""
    caller = (CallRecord.subject, CallRecord.otp_id, CallRecord.agent_type)
    seconds = func.sum(epoch_s(CallRecord.ended_at) - epoch_s(CallRecord.connected_at))
    sums = select(*caller, func.count().label("calls"), func.coalesce(seconds, 0).label("seconds"))
    sums = sums.where(*wanted.conditions()).group_by(*caller)
    total = await db.scalar(select(func.count()).select_from(sums.subquery()))
    sums = at_page(sums.order_by(func.count().desc(), *caller), page, per_page)
    found = {
        (row.subject, row.agent_type): CallerSum(
            row.subject, row.otp_id, row.agent_type, int(row.calls), int(row.seconds)
        )
        for row in await db.execute(sums)
    }
    consumed = (
        select(
            CallRecord.subject,
            CallRecord.agent_type,
            *(sum_.label(name) for name, sum_ in _CONSUMED.items()),
        )
        .join_from(CallRecord, CallUsage)
        .where(*wanted.conditions(), tuple_(CallRecord.subject, CallRecord.agent_type).in_(list(found)))
        .group_by(CallRecord.subject, CallRecord.agent_type)
    )
    for row in await db.execute(consumed):
        for name in _CONSUMED:
            setattr(found[row.subject, row.agent_type], name, int(getattr(row, name) or 0))
    return list(found.values()), total or 0
