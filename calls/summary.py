"""Calls in a line each: how much was said, how quickly it was answered, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from calls.answers import Answer, percentile
from calls.costs import CallUsage
from calls.transcript import TurnRow


@dataclass(slots=True)
class Summary:
    """One call.

    Attributes:
        turns: Turns of caller and agent together.
        answer_p50_ms: The median of its answers' times, to 3 %; None without any.
        last_answer_ms: The newest answer's time.
        last_said_at: When the newest turn began.
        cost_micros: Millionths of a US dollar.
    """

    turns: int = 0
    answer_p50_ms: int | None = None
    last_answer_ms: int | None = None
    last_said_at: datetime | None = None
    cost_micros: int = 0


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
    spent = select(CallUsage.call_id, func.sum(CallUsage.cost_micros)).where(CallUsage.call_id.in_(wanted))
    for call_id, micros in await db.execute(spent.group_by(CallUsage.call_id)):
        found[call_id].cost_micros = int(micros)
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
