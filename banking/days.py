"""Days as the bank's customers live them: India Standard Time, and months that keep their day."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")


def today(now: datetime) -> date:
    """The date in India at a moment."""
    return now.astimezone(IST).date()


def midnight(day: date) -> datetime:
    """When a day begins in India."""
    return datetime.combine(day, time.min, IST)


def add_months(day: date, months: int) -> date:
    """The same day of a later (or, negative, earlier) month; that month's last day where it is shorter."""
    month = day.year * 12 + day.month - 1 + months
    year, month = month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
