"""Dates and times of day as people say them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence, Set
from datetime import date, datetime, timedelta

from core.spoken import hear_number
from providers.expand import DAYS, MONTHS, TEENS, TENS, UNITS, WEEKDAYS

LONGEST = 8
"""Words of the longest date or time."""

_NEAR = {
    "today": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "tomorrow": 1,
    "tmrw": 1,
    "yesterday": -1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "day before yesterday": -2,
    "the day before yesterday": -2,
    "next week": 7,
}
_DAY_OF_MONTH = {word: number for number, word in enumerate(DAYS, start=1)}
_MONTH = {name: number for number, month in enumerate(MONTHS, start=1) for name in (month, month[:3])} | {"sept": 9}
_BEFORE_WEEKDAY = frozenset(("on", "next", "this", "last", "coming", "upcoming", "every", "each", "the"))
_WHICH_MONTH = {"this month": 0, "the month": 0, "next month": 1, "the next month": 1}
_MONTH_ENDS = ("end of", "the end of", "last day of", "the last day of", "last of", "the last of")
_MORNING = ("a m", "in the morning", "this morning", "morning")
_LATER = ("p m", "in the afternoon", "in the evening", "this afternoon", "this evening", "at night", "tonight")
_HALVES = (*_MORNING, *_LATER, "in the night", "afternoon", "evening", "night")
_USUAL = {"morning": "09:00", "afternoon": "14:00", "evening": "18:00", "night": "20:00", "tonight": "20:00"}
_WRITTEN = re.compile(r"(\d{1,2})[:.](\d\d)")
_WORKING_DAY_FROM = 8
"""An hour said without its half of the day is the one between 8:00 and 19:59."""

# Without one of these nothing is a date, or a time; most words of a turn are looked at no further.
_SPANS = frozenset(("day", "days", "week", "weeks", "month", "months", "hour", "hours", "minute", "minutes"))
_OF_DATES = (
    _SPANS
    | {word for day in (*DAYS, *_NEAR, *_WHICH_MONTH, "weekend") for word in day.split()}
    | {day for name in WEEKDAYS for day in (name, f"{name}s")}
    | _MONTH.keys()
) - {"the", "this", "next"}
_OF_TIMES = _SPANS | {*UNITS, *TEENS, *TENS, "noon", "midday", "midnight", "half", "quarter"}


def date_in(words: Sequence[str], now: datetime) -> str | None:
    """The day that all of `words` name, as YYYY-MM-DD; the next such day unless they say "last". None if no day.

    Args:
        words: As from `hearing.words_of`.
        now: Where the caller is.
    """
    if not _has_any(_OF_DATES, words):
        return None
    today = now.date()
    text = " ".join(words)
    if text in _NEAR:
        return (today + timedelta(days=_NEAR[text])).isoformat()
    found = _weekday(words, today) or _month_end(text, today) or _ahead(words, now) or _day_and_month(words, today)
    return found.isoformat() if found else None


def time_in(words: Sequence[str], now: datetime) -> str | None:
    """The time of day that all of `words` name, as HH:MM on the 24-hour clock; None if no time.

    Args:
        words: As from `hearing.words_of`.
        now: Where the caller is.
    """
    if not _has_any(_OF_TIMES, words):
        return None
    text = " ".join(words)
    if text in ("noon", "midday", "at noon", "midnight", "at midnight"):
        return "00:00" if text.endswith("midnight") else "12:00"
    if (moment := _moment(words, now)) is not None:
        return f"{moment:%H:%M}"
    half = next((part for part in _HALVES if text.endswith(f" {part}")), None)
    clock = text.removesuffix(half).split() if half else list(words)
    found = _clock([word for word in clock if word not in ("o'clock", "oclock", "at", "sharp")])
    if found is None or (half is None and len(words) == 1 and ":" not in text):
        return None
    hour, minute = found
    if half in _MORNING:
        hour %= 12
    elif hour < 12 and (half is not None or 0 < hour < _WORKING_DAY_FROM):
        hour += 12
    return f"{hour:02d}:{minute:02d}"


def _has_any(telling: Set[str], words: Sequence[str]) -> bool:
    return any(word in telling or word[0].isdigit() for word in words)


def half_in(words: Sequence[str]) -> str | None:
    """The usual hour of the part of the day that all of `words` name ("this evening"), as HH:MM; None if they don't."""
    return _USUAL[words[-1]] if " ".join(words) in _HALVES and words[-1] in _USUAL else None


def next_day_at(time: str, now: datetime) -> str:
    """The day, as YYYY-MM-DD, on which a time of day, HH:MM, comes next."""
    return (now.date() + timedelta(days=time <= f"{now:%H:%M}")).isoformat()


def _weekday(words: Sequence[str], today: date) -> date | None:
    day = words[-1].removesuffix("s")
    if day not in WEEKDAYS or len(words) > 3 or not _BEFORE_WEEKDAY.issuperset(words[:-1]):
        return None
    ahead = (WEEKDAYS.index(day) - today.weekday() - 1) % 7 + 1
    if "last" in words:
        ahead = ahead - 7 or -7
    return today + timedelta(days=ahead)


def _month_end(text: str, today: date) -> date | None:
    if text in ("month end", "the month end"):
        return _in_month(today, 0, 31)
    if text in ("this weekend", "the weekend", "weekend"):
        return today + timedelta(days=(5 - today.weekday()) % 7)
    if text in ("next month", "the next month"):
        return _in_month(today, 1, 1)
    for end in _MONTH_ENDS:
        if text.startswith(f"{end} ") and (text.removeprefix(f"{end} ") in _WHICH_MONTH or text == f"{end} month"):
            return _in_month(today, _WHICH_MONTH.get(text.removeprefix(f"{end} "), 0), 31)
    return None


def _ahead(words: Sequence[str], now: datetime) -> date | None:
    """In so many days, weeks, months or hours."""
    if (moment := _moment(words, now)) is not None:
        return moment.date()
    count, unit = _counted(words)
    if not count:
        return None
    match unit.removesuffix("s"):
        case "day":
            return now.date() + timedelta(days=count)
        case "week":
            return now.date() + timedelta(weeks=count)
        case "month":
            return _in_month(now.date(), count, now.day)
        case _:
            return None


def _moment(words: Sequence[str], now: datetime) -> datetime | None:
    """In so many hours or minutes."""
    count, unit = _counted(words)
    if unit in ("hour", "hours") and tuple(words[1:4]) == ("half", "an", "hour"):
        return now + timedelta(minutes=30)
    if not count or unit not in ("hour", "hours", "minute", "minutes"):
        return None
    return now + (timedelta(hours=count) if unit.startswith("hour") else timedelta(minutes=count))


def _counted(words: Sequence[str]) -> tuple[int, str]:
    """The count and the unit of "in three days", "three days from now"; the count is 0 where it says nothing such."""
    if words[0] in ("in", "after"):
        rest = words[1:]
    elif tuple(words[-2:]) in (("from", "now"), ("from", "today")):
        rest = words[:-2]
    elif words[-1] == "later":
        rest = words[:-1]
    else:
        return 0, ""
    if len(rest) < 2:
        return 0, ""
    count = 1 if list(rest[:-1]) in (["a"], ["an"]) else hear_number(" ".join(rest[:-1]))
    return count if count is not None and 0 < count <= 366 else 0, rest[-1]


def _day_and_month(words: Sequence[str], today: date) -> date | None:
    """The twenty first, the fifth of next month, of every month, of May; with a year or without."""
    text = " ".join(words)
    which = next((name for name in _WHICH_MONTH if text.endswith(f" of {name}")), None)
    if which is not None:
        day = _day_of_month([word for word in text.removesuffix(f" of {which}").split() if word not in ("the", "on")])
        return _in_month(today, _WHICH_MONTH[which], day) if day else None
    text = text.removesuffix(" of every month").removesuffix(" of each month")
    rest = [word for word in text.split() if word not in ("the", "of", "on", "day")]
    year = int(rest.pop()) if len(rest) == 3 and rest[-1].isdecimal() and 2000 <= int(rest[-1]) < 2100 else None
    months = [word for word in rest if word in _MONTH]
    day = _day_of_month([word for word in rest if word not in _MONTH])
    if day is None or len(months) > 1 or words[-1] in ("the", "of", "on", "day") or words[0] in ("of", "day"):
        return None
    if not months and words[0] not in ("the", "on"):
        return None
    if year is not None:
        month = _MONTH[months[0]] if months else 0
        return date(year, month, day) if month and day <= calendar.monthrange(year, month)[1] else None
    return _next_such_day(day, _MONTH[months[0]] if months else None, today)


def _in_month(day: date, months: int, number: int) -> date:
    """A day of the month so many months on, its last where it is shorter."""
    months += day.year * 12 + day.month - 1
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(number, calendar.monthrange(year, month)[1]))


def _day_of_month(words: Sequence[str]) -> int | None:
    text = " ".join(words)
    if text in _DAY_OF_MONTH:
        return _DAY_OF_MONTH[text]
    number = hear_number(text) if text else None
    return number if number is not None and 1 <= number <= 31 else None


def _next_such_day(day: int, month: int | None, today: date) -> date | None:
    for ahead in range(366 * 8 if month else 62):
        candidate = today + timedelta(days=ahead)
        if candidate.day == day and month in (None, candidate.month):
            return candidate
    return None


def _clock(words: Sequence[str]) -> tuple[int, int] | None:
    if len(words) == 1 and (written := _WRITTEN.fullmatch(words[0])):
        hour, minute = int(written[1]), int(written[2])
        return (hour, minute) if hour < 24 and minute < 60 else None
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
