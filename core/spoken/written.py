"""Written text made speakable: amounts, dates, times, codes, numbers, symbols and mark-up become words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal

from core.money import MINOR_PER_MAJOR, Money
from core.spoken.say import (
    MONTHS,
    UNITS,
    say_calendar_day,
    say_code,
    say_digits,
    say_money,
    say_number,
    say_ordinal,
    say_time,
    say_year,
)

# Said letter by letter. Other capitals are when they have no vowel (HDFC, KYC); PAN, PIN and NEFT are words.
_SPELLED = frozenset((
    "AI", "API", "ATM", "ECG", "EMI", "FAQ", "GPA", "ICU", "ID", "IFSC", "IMPS", "IPO", "ISO", "IVF", "IVR", "KYC",
    "MICR", "NRE", "NRO", "OPD", "OTP", "PDF", "RTGS", "SBI", "SIP", "UAN", "UK", "UPI", "URL", "USA", "USB", "USSD",
))  # fmt: skip
_ABBREVIATIONS = {
    "a/c": "account",
    "approx.": "approximately",
    "dept.": "department",
    "dr.": "Doctor",
    "e.g.": "for example",
    "i.e.": "that is",
    "mr.": "Mister",
    "mrs.": "Missus",
    "ms.": "Miz",
    "sq. ft.": "square feet",
    "sq.": "square",
    "vs.": "versus",
}
_CURRENCIES = {"₹": "INR", "rs": "INR", "inr": "INR", "$": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP"}
_CURRENCIES |= {"gbp": "GBP"}
_SCALES = {"k": "thousand", "lac": "lakh", "lacs": "lakh", "lakhs": "lakh", "cr": "crore", "crores": "crore"}
_SCALES |= {"m": "million", "mn": "million", "bn": "billion"}
_MONTHS_BY_PREFIX = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}

_NUMBER = r"\d{1,40}(?:,\d{1,5}){0,8}(?:\.\d{1,40})?(?![.,]?\d)"
_NAMES = r"(?:Rs|INR|USD|EUR|GBP)\b"
_CODE = rf"₹|\$|€|£|\b{_NAMES}\.?"
_SCALE = r"thousand|k|lakhs?|lacs?|crores?|cr|million|mn|m|billion|bn"
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_YEAR = r"(?P<year>(?:19|20)\d\d)\b"
_HALF = r"(?P<half>[ap](?:\.m\.(?=,|\s+(?-i:[a-z]))|\.?m\b))"

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def normalise(text: str) -> str:
    """`text` as it would be read aloud, without digits, symbols and mark-up.

    "Paid ₹1,23,456.50 on 12 Nov at 14:30 from XXXX1234" becomes "Paid one lakh twenty three thousand four hundred
    fifty six rupees and fifty paise on the twelfth of November at two thirty in the afternoon from ending one two
    three four". Text in spoken form comes back unchanged. Ambiguous dates (03/04/2026) are read day first.
    """
    if not text.isascii():  # digits of other scripts count as digits too
        text = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    # Emoji and other pictures have names a voice would read out.
    text = "".join(char for char in text if unicodedata.category(char) not in ("So", "Sk", "Cf", "Co", "Cs", "Cn"))
    return re.sub(r"\s+([.,!?;:])", r"\1", " ".join(text.split()))


def _money(found: re.Match[str]) -> str:
    currency = _CURRENCIES[found["code"].lower().rstrip(".")]
    sign = "minus " if found["sign"] or "-" in found[0].partition(found["number"])[0] else ""
    number, scale = Decimal(found["number"].replace(",", "")), (found["scale"] or "").lower()
    if scale:
        return f"{sign}{say_number(number)} {_SCALES.get(scale, scale)} {UNITS[currency][0][1]}"
    minor = number * MINOR_PER_MAJOR[currency]
    if minor != int(minor):
        return f"{sign}{say_number(number, indian=currency == 'INR')} {UNITS[currency][0][1]}"
    return sign + say_money(Money(int(minor), currency))


def _date(found: re.Match[str]) -> str:
    month = found["month"]
    number = int(month) if month.isdigit() else _MONTHS_BY_PREFIX[month[:3].lower()]
    year = found.groupdict().get("year")
    try:
        day = date(int(year or 2000), number, int(found["day"]))  # 2000: any day may exist in a leap year
    except ValueError:
        return found[0]
    return say_calendar_day(day.day, day.month, day.year if year else None)


def _month_name(found: re.Match[str]) -> str:
    return MONTHS[_MONTHS_BY_PREFIX[found["month"][:3].lower()] - 1]


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), (found["half"] or "").lower()[:1]
    if half:
        if not 1 <= hour <= 12:
            return found[0]
        hour = hour % 12 + (12 if half == "p" else 0)
    return say_time(time(hour, minute))


def _number(found: re.Match[str]) -> str:
    number = found["number"]
    digits = number.replace(",", "")
    whole = digits.partition(".")[0]
    if "." not in digits and ((whole != "0" and whole[0] == "0") or ("," not in number and len(whole) > 6)):
        return say_digits(whole)
    if len(whole) > 15:
        return say_digits(digits)
    western = re.fullmatch(r"\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?", number) is not None
    return ("minus " if found["sign"] else "") + say_number(Decimal(digits), indian=not western)


def _capitals(found: re.Match[str]) -> str:
    word = found["word"]
    if word not in _SPELLED and set(word) & set("AEIOUY"):
        return found[0]
    return " ".join(word) + ("'s" if found["plural"] else "")


def _abbreviation(found: re.Match[str]) -> str:
    return _ABBREVIATIONS[found[0].lower()]


def _rule(pattern: str, replacement: str | Callable[[re.Match[str]], str], *, case: bool = False) -> Rule:
    return re.compile(pattern, re.MULTILINE if case else re.MULTILINE | re.IGNORECASE), replacement


_MASK = r"(?:\bending (?:in |with )?)?(?<!\w)[x*•]{2,16}(?:[\s-]{1,3}[x*•]{2,16}){0,4}[\s-]{0,3}(\d{2,6})\b"
_LABELLED = (
    r"\b((?:account|a/c|code|OTP|PIN|reference|ref|card|phone|mobile|number|no\.|ending|ends)"
    r"(?: (?:number|no\.|is|with|in|id))*:? #?)(\d{4,})\b(?![,.]\d)"
)
_AMOUNT = rf"(?P<sign>(?<!\w)[-−])?(?P<code>{_CODE})\s*-?(?P<number>{_NUMBER})(?:/-)?(?:\s*(?P<scale>{_SCALE})\b)?"
_AMOUNT_AFTER = rf"(?P<sign>(?<!\w)[-−])?\b(?P<number>{_NUMBER})(?:\s*(?P<scale>{_SCALE}))?\s?(?P<code>₹|€|£|{_NAMES})"

# In this order: what is a code, an amount or a date must be recognised before its digits are taken for numbers.
_RULES: tuple[Rule, ...] = (
    # Every repetition below is bounded or over single spaces, so that no text takes long.
    _rule(r"[^\S\n]+", " "),
    _rule(r" ?\n\s*", "\n"),
    # Mark-up; before it, because both are written with asterisks, masked numbers.
    _rule(_MASK, lambda found: f"ending {say_digits(found[1])}"),
    _rule(r"```\w*|`|\*\*|__|^ ?[-=_*]{3,}$|^ ?(?:#{1,6}|[-*+•>])\s", ""),
    _rule(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}\)", r"\1"),
    _rule(r"https?://(?:www\.)?([^\s/?#]+)\S*", r"\1"),
    _rule(r"(?<=\w)@(?=\w)", " at "),
    _rule(r" [—–-]{1,2}\s|—", ", "),
    _rule(r"…", "."),
    # Codes.
    _rule(r"\b(?=[A-Z0-9]*[A-Z])(?=[A-Z0-9]*\d)[A-Z0-9]{5,}\b", lambda found: say_code(found[0]), case=True),
    _rule(r"\+(\d[\d -]{7,16}\d)\b", lambda found: f"plus {say_digits(found[1])}"),
    _rule(r"\b\d{3,5}(?:[ -]\d{3,5}){2,4}\b|\b\d{5}[ -]\d{5}\b", lambda found: say_digits(found[0])),
    _rule(_LABELLED, lambda found: found[1] + say_digits(found[2])),
    # Money.
    _rule(r"(?<=\d)\s*[–-]\s*(?=[₹$€£])", " to "),
    _rule(_AMOUNT, _money),
    _rule(_AMOUNT_AFTER, _money),
    # Dates and times.
    _rule(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>[01]\d)-(?P<day>[0-3]\d)\b", _date),
    _rule(r"\b(?P<day>[0-3]?\d)[/.-](?P<month>[01]?\d)[/.-](?P<year>(?:19|20)\d\d)\b", _date),
    _rule(rf"(?:\bthe )?\b(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}(?:,?[ -]{_YEAR})?", _date),
    _rule(rf"\b{_MONTH} (?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b(?!:)(?:,? {_YEAR})?", _date, case=True),
    _rule(rf"\b{_MONTH} {_YEAR}", lambda found: f"{_month_name(found)} {say_year(int(found['year']))}", case=True),
    _rule(
        r"\b((?:in|since|of|until|till|by|from|year) )((?:19|20)\d\d)\b(?![,.:]\d)",
        lambda found: found[1] + say_year(int(found[2])),
    ),
    _rule(rf"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?:\s?{_HALF})?", _time),
    _rule(rf"\b(?P<hour>1[0-2]|[1-9])(?P<minute>)\s?{_HALF}", _time),
    # Numbers.
    _rule(r"\b(\d{1,6})(?:st|nd|rd|th)\b", lambda found: say_ordinal(int(found[1]))),
    _rule(r"\b24/7\b", "twenty four seven"),
    _rule(r"#(?=\d)", "number "),
    _rule(r"(?<=\d)\s*[–-]\s*(?=\d)|(?<=\w)\s*–\s*(?=\d)", " to "),
    _rule(r"(?<=[^\W\d_])-(?=\d)", " "),
    _rule(r"(?<=\d)k\b", " thousand"),
    _rule(r"(?<=\d)/(?=\d)", " by "),
    _rule(r"(?<=\d)(?=[^\W\d_])", " "),
    _rule(rf"(?P<sign>(?<!\w)[-−])?(?<![\w.])(?P<number>{_NUMBER})", _number),
    # Symbols and abbreviations.
    _rule("|".join(rf"(?<!\w){re.escape(short)}(?!\w)" for short in _ABBREVIATIONS), _abbreviation),
    _rule(r"\b(?P<word>[A-Z]{2,6})(?P<plural>s?)\b(?!\.)", _capitals, case=True),
    _rule(r"%", " percent"),
    _rule(r" ?& ?", " and "),
    _rule(r"(?<=\w) ?\+ ?(?=\w)", " plus "),
    _rule(r"(?<=\w) ?= ?(?=\w)", " equals "),
    _rule(r"\band/or\b", "or"),
    _rule(r"(?<=[^\W\d_])/(?=[^\W\d_])", " or "),
    _rule(r"[~^|<>{}\\*_#=`]", " "),
)
