"""Dates and times of day as people say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from core.spoken import hear_number
from providers.expand import DAYS, MONTHS, WEEKDAYS

_NEAR = {
    "today": 0,
    "tonight": 0,
    "tomorrow": 1,
    "yesterday": -1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "day before yesterday": -2,
    "the day before yesterday": -2,
}
_DAY_OF_MONTH = {word: number for number, word in enumerate(DAYS, start=1)}
_MORNING = ("a m", "in the morning", "morning")
_LATER = ("p m", "in the afternoon", "in the evening", "at night", "afternoon", "evening")
_WORKING_DAY_FROM = 8
"""An hour said without its half of the day is the one between 8:00 and 19:59."""


def date_in(words: Sequence[str], today: date) -> str | None:
    """The day that all of `words` name, as YYYY-MM-DD; the next such day unless they say "last". None if no day."""
    text = " ".join(words)
    if text in _NEAR:
        return (today + timedelta(days=_NEAR[text])).isoformat()
    if words[-1] in WEEKDAYS and (len(words) == 1 or (len(words) == 2 and words[0] in ("next", "this", "last", "on"))):
        ahead = (WEEKDAYS.index(words[-1]) - today.weekday() - 1) % 7 + 1
        if words[0] == "last":
            ahead = ahead - 7 or -7
        return (today + timedelta(days=ahead)).isoformat()
    rest = [word for word in words if word not in ("the", "of", "on")]
    months = [word for word in rest if word in MONTHS]
    day = _day_of_month([word for word in rest if word not in MONTHS])
    if day is None or len(months) > 1 or (not months and words[0] not in ("the", "on")):
        return None
    return _next_such_day(day, MONTHS.index(months[0]) + 1 if months else None, today)


def time_in(words: Sequence[str]) -> str | None:
    """The time of day that all of `words` name, as HH:MM on the 24-hour clock; None if no time."""
    text = " ".join(words)
    if text in ("noon", "midday", "at noon", "midnight"):
        return "00:00" if text == "midnight" else "12:00"
    half = next((part for part in (*_MORNING, *_LATER) if text.endswith(f" {part}")), None)
    clock = text.removesuffix(half).split() if half else list(words)
    found = _clock([word for word in clock if word not in ("o'clock", "at")])
    if found is None or (half is None and len(words) == 1 and ":" not in text):
        return None
    hour, minute = found
    if half in _MORNING:
        hour %= 12
    elif hour < 12 and (half in _LATER or 0 < hour < _WORKING_DAY_FROM):
        hour += 12
    return f"{hour:02d}:{minute:02d}"


def _day_of_month(words: Sequence[str]) -> int | None:
    text = " ".join(words)
    if text in _DAY_OF_MONTH:
        return _DAY_OF_MONTH[text]
    number = hear_number(text) if text else None
    return number if number is not None and 1 <= number <= 31 else None


def _next_such_day(day: int, month: int | None, today: date) -> str | None:
    for ahead in range(366 * 8 if month else 62):
        candidate = today + timedelta(days=ahead)
        if candidate.day == day and month in (None, candidate.month):
            return candidate.isoformat()
    return None


def _clock(words: Sequence[str]) -> tuple[int, int] | None:
    if len(words) == 1 and ":" in words[0]:
        hour, _, minute = words[0].partition(":")
        return (int(hour), int(minute)) if int(hour) < 24 and int(minute) < 60 else None
    if len(words) == 3 and words[1] in ("past", "to"):
        minute = {"half": 30, "quarter": 15}.get(words[0]) or _below(words[:1], 60)
        hour = _below(words[2:], 13)
        if not minute or not hour:
            return None
        return (hour, minute) if words[1] == "past" else ((hour - 1) or 12, 60 - minute)
    hour = _below(words[:1], 24)
    minute = 0 if len(words) == 1 else _below(words[1:], 60)
    if hour is None or minute is None or (0 < minute < 10 and len(words) > 1):
        return None
    return hour, minute


def _below(words: Sequence[str], limit: int) -> int | None:
    number = hear_number(" ".join(words)) if words else None
    return number if number is not None and 0 <= number < limit else None
