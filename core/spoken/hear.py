"""Numbers and digits as people said or typed them; None rather than a guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from core.spoken.say import SMALL, TENS

_MAX_HEARD_WORDS = 40
_MAX_HEARD = 10**15
_BELOW_TWENTY = {word: value for value, word in enumerate(SMALL)}
_TEN_WORDS = {word: 10 * value for value, word in enumerate(TENS) if word} | {"fourty": 40}
_SCALE_WORDS = {
    "thousand": 1000,
    "lakh": 10**5,
    "lac": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
_SCALE_WORDS |= {f"{word}s": value for word, value in _SCALE_WORDS.items()}
_SUFFIXES = {"k": "thousand", "l": "lakh", "cr": "crore", "m": "million", "bn": "billion"}
_NUMERAL = re.compile(r"\d+(?:\.\d+)?")
CURRENCY_WORDS = {
    **dict.fromkeys(("rupee", "rupees", "rs", "inr", "₹"), ("INR", False)),
    **dict.fromkeys(("rupaye", "rupaya", "rupaiya", "rupay", "rupiya", "rupiye", "rupai", "rupae"), ("INR", False)),
    **dict.fromkeys(("paisa", "paise", "paisas"), ("INR", True)),
    **dict.fromkeys(("dollar", "dollars", "usd", "$"), ("USD", False)),
    **dict.fromkeys(("cent", "cents"), ("USD", True)),
    **dict.fromkeys(("euro", "euros", "eur", "€"), ("EUR", False)),
    **dict.fromkeys(("pound", "pounds", "gbp", "£"), ("GBP", False)),
    **dict.fromkeys(("penny", "pence"), ("GBP", True)),
}
_MULTIPLES = {"double": 2, "triple": 3}


def hear_number(words: str) -> int | None:
    """The whole number that all of `words` say, or None.

    Understands "fifteen hundred", "two lakh fifty thousand", "two and a half lakh", "one fifty" (150), "a hundred
    and five", "minus three", and numerals as in "2.5 lakh", "1,23,456" or "10k". Words that are not part of a number,
    digit sequences ("one two three") and amounts with a fraction give None.
    """
    tokens = _words(words)
    if tokens and tokens[0] in ("minus", "negative"):
        value = _quantity(tokens[1:])
        return -int(value) if value is not None and value.denominator == 1 else None
    value = _quantity(tokens)
    return int(value) if value is not None and value.denominator == 1 else None


def hear_digits(words: str) -> str | None:
    """The digits that all of `words` say one after another, or None.

    "one two three four" and "12 34" are "1234", "double two oh" is "220".
    """
    digits, times = "", 1
    for token in _words(words):
        if token in _MULTIPLES and times == 1:
            times = _MULTIPLES[token]
            continue
        if token in ("oh", "o"):
            digit = "0"
        elif _BELOW_TWENTY.get(token, 10) < 10:
            digit = str(_BELOW_TWENTY[token])
        elif token.isdecimal() and token.isascii():
            digit = token
        else:
            return None
        digits, times = digits + digit * times, 1
    return digits if digits and times == 1 else None


def _words(text: str) -> list[str]:
    """Lower-case words; numerals lose their grouping commas, symbols stand alone. Too long a text gives none."""
    text = re.sub(r"(?<!\w)-(?=[\d₹$€£])", " minus ", text.lower().replace("/-", " "))
    text = re.sub(r"(?<=\d),(?=\d)", "", text.replace("-", " "))
    text = re.sub(r"([₹$€£])|(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)", r" \1 ", text)
    tokens = [token.strip(".,!?;:") for token in text.split()]
    tokens = [token for token in tokens if token]
    return tokens if len(tokens) <= _MAX_HEARD_WORDS else []


def _quantity(tokens: Sequence[str]) -> Fraction | None:
    """The value of a whole phrase, with the colloquial pair ("two fifty" is 250) where nothing else fits."""
    value = _scaled(tokens)
    if value is None:
        value = _pair(tokens)
    return value if value is not None and value < _MAX_HEARD else None


def _scaled(tokens: Sequence[str]) -> Fraction | None:
    """`[left] scale [right]` split at the largest scale, so that "one lakh crore" nests; else up to the hundreds."""
    tokens = [_SUFFIXES.get(token, token) for token in tokens]
    scales = [_SCALE_WORDS.get(token, 0) for token in tokens]
    largest = max(scales, default=0)
    if not largest:
        return _fractional(tokens)
    at = scales.index(largest)
    left, right = tokens[:at], tokens[at + 1 :]
    count = Fraction(1) if left in ([], ["a"], ["an"]) else _scaled(left)
    # Only the crore is counted in hundreds of thousands ("one lakh crore").
    if not count or (count >= 1000 and largest != _SCALE_WORDS["crore"]):
        return None
    if not right:
        return count * largest
    rest = _scaled(right[1:] if right[0] == "and" else right)
    if rest is None or rest >= largest or rest == 0 or count.denominator != 1:
        return None
    return count * largest + rest


def _fractional(tokens: Sequence[str]) -> Fraction | None:
    """A number below a scale word, maybe with a fraction: "two point five", "two and a half", "half a"."""
    if tokens in (["half"], ["half", "a"], ["a", "half"]):
        return Fraction(1, 2)
    if tokens[-3:] == ["and", "a", "half"]:
        whole = _hundreds(tokens[:-3])
        return whole + Fraction(1, 2) if whole is not None else None
    if "point" in tokens:
        at = list(tokens).index("point")
        whole, decimals = _hundreds(tokens[:at]) if at else Fraction(0), hear_digits(" ".join(tokens[at + 1 :]))
        return whole + Fraction(int(decimals), 10 ** len(decimals)) if whole is not None and decimals else None
    return _hundreds(tokens)


def _hundreds(tokens: Sequence[str]) -> Fraction | None:
    """`[left] hundred [and] [right]` ("fifteen hundred" too), one numeral, or a number below a hundred."""
    if len(tokens) == 1 and tokens[0].isascii() and _NUMERAL.fullmatch(tokens[0]):
        return Fraction(tokens[0])
    at = next((index for index, token in enumerate(tokens) if token in ("hundred", "hundreds")), None)
    if at is None:
        value = _below_hundred(tokens)
        return Fraction(value) if value is not None else None
    left, right = tokens[:at], tokens[at + 1 :]
    if left in ([], ["a"]):
        count = Fraction(1)
    elif len(left) == 1 and _NUMERAL.fullmatch(left[0]):
        count = Fraction(left[0])
    else:
        count = Fraction(_below_hundred(left) or 0)
    rest = _below_hundred(right[1:] if right[:1] == ["and"] else right) if right else 0
    if not 0 < count < 100 or rest is None or (right and not rest):
        return None
    return count * 100 + rest


def _below_hundred(tokens: Sequence[str]) -> int | None:
    if len(tokens) == 1:
        word = tokens[0]
        if word in _BELOW_TWENTY:
            return _BELOW_TWENTY[word]
        if word in _TEN_WORDS:
            return _TEN_WORDS[word]
        return int(word) if word.isascii() and word.isdecimal() and len(word) <= 2 else None
    if len(tokens) == 2 and tokens[0] in _TEN_WORDS and 0 < _BELOW_TWENTY.get(tokens[1], 0) < 10:
        return _TEN_WORDS[tokens[0]] + _BELOW_TWENTY[tokens[1]]
    return None


def _pair(tokens: Sequence[str]) -> Fraction | None:
    """Two numbers side by side: "two fifty" is 250, "twenty five fifty" is 2550; "fifty fifteen" is a correction."""
    for at in range(1, len(tokens)):
        left, right = _below_hundred(tokens[:at]), _below_hundred(tokens[at:])
        if left and right and right >= 10 and not (left >= 20 and right < 20):
            return Fraction(left * 100 + right)
    return None
