"""What calls may cost: each of them, all of one portal code, and all that begin on one day (UTC).

Nobody knows beforehand what a call will cost. It is let in while its code and its day have something left, is told how
much, and ends with a sentence once it has cost more: it watches its own total, and asks nobody. So calls that are open
at the same time may each use up the same rest. At most that rest (or what one call may cost, if that is less) is spent
beyond a budget by each of them but one, and by each what it costs from there to its last word. What has no known price
is in no sum.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from calls import traffic
from calls.costs import CallUsage
from calls.log import CallRecord
from core.errors import AppError, Forbidden
from core.settings import Settings


class CodeOverBudget(Forbidden):
    """The calls of the code have cost as much as they may."""

    code = "code_over_budget"

    def __init__(self) -> None:
        super().__init__("The calls of this code have cost as much as they may. Ask for a new code.")


class DayOverBudget(AppError):
    """The calls of the day have cost as much as they may."""

    code = "day_over_budget"
    status = 429
    retryable = True

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "Today's calls have cost as much as they may. Call again after midnight, UTC.", retry_after_s=retry_after_s
        )


async def allowance(db: AsyncSession, settings: Settings, *, otp_id: str | None, now: datetime) -> int | None:
    """How much a call that begins now may cost, in millionths of a US dollar; None: there is no limit.

    Args:
        otp_id: The code it is made with; None for a registered user's call.

    Raises: CodeOverBudget, DayOverBudget.
    """
    limits: list[int] = []
    if settings.max_call_usd:
        limits.append(_micros(settings.max_call_usd))
    if settings.max_code_usd and otp_id is not None:
        left = _micros(settings.max_code_usd) - await _spent_with(db, otp_id)
        if left <= 0:
            raise CodeOverBudget
        limits.append(left)
    if settings.max_day_usd:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        left = _micros(settings.max_day_usd) - (await traffic.cost(db, since=midnight)).micros
        if left <= 0:
            raise DayOverBudget(retry_after_s=int((midnight + timedelta(days=1) - now).total_seconds()) + 1)
        limits.append(left)
    return min(limits, default=None)


async def _spent_with(db: AsyncSession, otp_id: str) -> int:
    """What all calls of a code have cost so far."""
    spent = select(func.sum(CallUsage.cost_micros)).join_from(CallRecord, CallUsage).where(CallRecord.otp_id == otp_id)
    return int(await db.scalar(spent) or 0)


def _micros(dollars: Decimal) -> int:
    return int(dollars * 1_000_000)
