"""Values as people say them: lower-case words without digits or symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal

from core.money import Money

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_INDIAN_SCALES = ((10**7, "crore"), (10**5, "lakh"), (1000, "thousand"), (100, "hundred"))
_WESTERN_SCALES = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
    (100, "hundred"),
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = (  # not the calendar module's, which follow the machine's locale
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

# Singular and plural of the major and of the minor unit.
UNITS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "INR": (("rupee", "rupees"), ("paisa", "paise")),
    "USD": (("dollar", "dollars"), ("cent", "cents")),
    "EUR": (("euro", "euros"), ("cent", "cents")),
    "GBP": (("pound", "pounds"), ("penny", "pence")),
}


def say_number(value: int | Decimal, *, indian: bool = True) -> str:
    """`value` in words: 250000 is "two lakh fifty thousand", Decimal("7.25") is "seven point two five".

    Args:
        value: Any whole number, or a decimal whose digits after the point are read one by one.
        indian: Count in lakh and crore; False counts in millions and billions.
    """
    if value < 0:
        return f"minus {say_number(-value, indian=indian)}"
    whole, _, decimals = (str(value) if isinstance(value, int) else f"{value:f}").partition(".")
    words = _whole(int(whole), _INDIAN_SCALES if indian else _WESTERN_SCALES)
    return f"{words} point {say_digits(decimals)}" if decimals else words


def _whole(value: int, scales: Sequence[tuple[int, str]]) -> str:
    if value < 20:
        return SMALL[value]
    if value < 100:
        return TENS[value // 10] + (f" {SMALL[value % 10]}" if value % 10 else "")
    size, name = next(scale for scale in scales if scale[0] <= value)
    rest = value % size
    return f"{_whole(value // size, scales)} {name}" + (f" {_whole(rest, scales)}" if rest else "")


def say_ordinal(value: int) -> str:
    """A position in words: 21 is "twenty first".

    Raises:
        ValueError: `value` is negative.
    """
    if value < 0:
        raise ValueError("an ordinal is not negative")
    *head, last = _whole(value, _WESTERN_SCALES).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last += "th"
    return " ".join([*head, last])


def say_digits(text: str) -> str:
    """Each digit of `text` as a word ("1234" is "one two three four"); anything else in it is left out."""
    return " ".join(SMALL[int(char)] for char in text if char in "0123456789")


def say_code(text: str) -> str:
    """A code letter by letter and digit by digit: "HDFC0001" is "H D F C zero zero zero one"."""
    return " ".join(
        SMALL[int(char)] if char.isdigit() else char.upper() for char in text if char.isascii() and char.isalnum()
    )


def say_money(amount: Money) -> str:
    """An amount in words: "one lakh rupees", "five dollars and one cent", "fifty paise", "minus two rupees"."""
    sign = "minus " if amount.minor < 0 else ""
    (one, many), (one_minor, many_minor) = UNITS[amount.currency]
    major, minor = abs(amount.major), amount.minor_part
    majors = f"{say_number(major, indian=amount.currency == 'INR')} {one if major == 1 else many}"
    minors = f"{say_number(minor)} {one_minor if minor == 1 else many_minor}"
    if not minor:
        return sign + majors
    return sign + (f"{majors} and {minors}" if major else minors)


def say_year(year: int) -> str:
    """A year the way it is read: 2026 is "twenty twenty six", 2005 "two thousand five", 1905 "nineteen oh five"."""
    century, rest = divmod(year, 100)
    if not 10 <= century <= 99 or (century % 10 == 0 and rest < 10):
        return say_number(year, indian=False)
    if rest == 0:
        return f"{say_number(century)} hundred"
    return f"{say_number(century)} {'oh ' if rest < 10 else ''}{say_number(rest)}"


def say_date(day: date, *, today: date | None = None) -> str:
    """A day as an adverb: "today", "yesterday", "tomorrow", "on the eighteenth of November".

    Args:
        day: The day.
        today: The listener's day. The year is said where it differs from this one, and always without it.
    """
    if today is not None:
        near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((day - today).days)
        if near:
            return near
    same_year = today is not None and today.year == day.year
    return f"on {say_calendar_day(day.day, day.month, None if same_year else day.year)}"


def say_calendar_day(day: int, month: int, year: int | None) -> str:
    """A calendar day: "the eighteenth of November", with the year unless it is None."""
    return f"the {say_ordinal(day)} of {MONTHS[month - 1]}" + (f" {say_year(year)}" if year else "")


def say_time(moment: time) -> str:
    """A time of day to the minute: "noon", "two thirty in the afternoon", "nine oh five in the morning"."""
    if moment.minute == 0 and moment.hour in (0, 12):
        return "midnight" if moment.hour == 0 else "noon"
    part = (
        "in the morning"
        if moment.hour < 12
        else "in the afternoon"
        if moment.hour < 17
        else "in the evening"
        if moment.hour < 21
        else "at night"
    )
    minutes = f" {'oh ' if moment.minute < 10 else ''}{say_number(moment.minute)}" if moment.minute else ""
    return f"{say_number(moment.hour % 12 or 12)}{minutes} {part}"


def say_list(items: Sequence[str], *, conjunction: str = "and") -> str:
    """Items as one phrase: "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"
