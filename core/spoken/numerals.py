"""Number phrases word by word, as English and Hindi speakers in India say them; strict where `hear` is generous.

A phrase is read whole or not at all, and one that people use for two different numbers ("five six", "ten fifteen" for a
range, "one lakh twenty" for 1,20,000) is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from core.spoken.say import SMALL, TENS

UNITS = {word: value for value, word in enumerate(SMALL[:10])}
BELOW_TWENTY = {word: value for value, word in enumerate(SMALL)}
TEN_WORDS = {word: 10 * value for value, word in enumerate(TENS) if word} | {"fourty": 40, "ninty": 90}
SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "grand": 1000,
    "lakh": 10**5,
    "lac": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
SCALES |= {f"{word}s": value for word, value in SCALES.items()}
MULTIPLES = {"double": 2, "triple": 3, "treble": 3}
ZEROS = frozenset(("oh", "o", "nought", "naught"))
POINTS = frozenset(("point", "decimal", "dot"))

HINDI_SCALES = {
    **dict.fromkeys(("sau", "saw"), "hundred"),
    **dict.fromkeys(("hazaar", "hazar", "hajar", "hajaar", "hazaaar"), "thousand"),
    **dict.fromkeys(("laakh", "laakhs"), "lakh"),
    **dict.fromkeys(("karod", "karor", "karore"), "crore"),
}
_HINDI_SPELLINGS = (
    "", "ek", "do", "teen tiin", "char chaar", "paanch panch paach", "chhe chhah che cheh chhai", "saat sat",
    "aath aat", "nau", "das dus", "gyarah gyaarah", "barah baarah", "terah", "chaudah", "pandrah pandra", "solah",
    "satrah",
    "atharah athaarah", "unnis unnees", "bees bis biis", "ikkis ikkees", "bais baees", "teis teyis", "chaubis chaubees",
    "pachees pachis pachchis", "chhabbis chhabbees", "sattais", "atthais", "untis untees", "tees tis tiis", "ikattis",
    "battis", "taintis", "chauntis", "paintis paintees", "chhattis", "saintis", "adtis", "untalis", "chalis chaalis",
    "iktalis", "bayalis", "taintalis", "chauvalis", "paintalis", "chhiyalis", "saintalis", "adtalis", "unchas",
    "pachas pachaas", "ikyavan", "bavan", "tirpan", "chauvan", "pachpan", "chhappan", "sattavan", "atthavan", "unsath",
    "saatth", "iksath", "basath", "tirsath", "chaunsath", "painsath", "chhiyasath", "sadsath", "adsath", "unhattar",
    "sattar", "ikhattar", "bahattar", "tihattar", "chauhattar", "pachhattar pachattar", "chhihattar", "satahattar",
    "athahattar", "unasi unnasi", "assi", "ikyasi", "bayasi", "tirasi", "chaurasi", "pachasi", "chhiyasi", "satasi",
    "atthasi", "navasi", "nabbe nabbay", "ikyanve", "banve", "tiranve", "chauranve", "pachanve", "chhiyanve",
    "sattanve", "atthanve", "ninyanve ninyanave",
)  # fmt: skip
HINDI = {word: value for value, words in enumerate(_HINDI_SPELLINGS) for word in words.split()}
"""Hindi numbers below a hundred; "saath" is missing because it is seven, sixty and "with"."""

HINDI_HALVES = {"dedh": "1.5", "dhai": "2.5", "adhai": "2.5"}
HINDI_STEPS = {
    **dict.fromkeys(("sava", "sawa"), Fraction(1, 4)),
    **dict.fromkeys(("saadhe", "sadhe", "saade"), Fraction(1, 2)),
    **dict.fromkeys(("paune", "pone"), Fraction(-1, 4)),
}
HINDI_OR_ENGLISH = frozenset(("do", "teen", "char", "che", "sat", "das", "bees", "bis", "tis", "tees", "saw", "pone"))
"""Hindi numbers that are English words or abbreviations too: numbers only before a scale or a unit of money."""

HINDI_CANONICAL = {
    value: next((word for word in words.split() if word not in HINDI_OR_ENGLISH), words)
    for value, words in enumerate(_HINDI_SPELLINGS)
}
"""How words in Devanagari are spelled: in the way that is no English word, but for "do", which is "give" too."""

SHARED_SCALES = frozenset(("lakh", "lakhs", "lac", "lacs", "crore", "crores")) | HINDI_SCALES.keys()
"""Scales that are counted in Hindi too; before the others, "do" and "teen" are English words."""

LONG_SCALES = SCALES.keys() | HINDI_SCALES.keys() - HINDI_OR_ENGLISH
SHORT_SCALES = {"k": "thousand", "l": "lakh", "cr": "crore", "crs": "crore", "mn": "million", "bn": "billion"}
"""Abbreviations, scales only directly after a number."""

_MOST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Reading:
    """What a phrase says.

    Attributes:
        value: In units of whatever was counted.
        parts: How many scales it is made of, zero for none: "one thousand five hundred" is two.
        bare_scale: Whether it begins with a scale that nothing counts ("thousand rupees").
        sure: Whether it can be taken for a number of rupees without the word; "one lakh twenty" or "two point five"
            can't.
    """

    value: Fraction
    parts: int = 0
    bare_scale: bool = False
    sure: bool = True


def read(words: Sequence[str], *, indian: bool = True) -> Reading | None:
    """The number that all of `words` say, or None.

    Args:
        words: Lower-case words and plain numerals ("1500", "2.5").
        indian: Whether hundreds of thousands are unusual, so that "five hundred two thousand" is doubtful.
    """
    if any(_is_restart(left, right) for left, right in pairwise(words)):
        return None
    is_hindi = any(word in HINDI for word in words)
    words = _in_english(words)
    reading = (
        _scaled(words, indian=indian)
        or (None if is_hindi else _pair(words))
        or _spelled(words)
        or _restated(words, indian=indian)
        or _fraction(words)
    )
    return reading if reading and reading.value >= 0 else None


def _is_restart(left: str, right: str) -> bool:
    """Whether a ten and a unit stand together that Hindi has one word for: "pachaas paanch" is no 55."""
    tens, unit = HINDI.get(left, TEN_WORDS.get(left, 0)), HINDI.get(right, UNITS.get(right, 0))
    return tens >= 20 and not tens % 10 and 0 < unit < 10 and (left in HINDI or right in HINDI)


def _in_english(words: Sequence[str]) -> list[str]:
    result: list[str] = []
    for word in words:
        if word in HINDI:
            tens, unit = divmod(HINDI[word], 10)
            result += [SMALL[HINDI[word]]] if tens < 2 else [TENS[tens], *([SMALL[unit]] if unit else [])]
        else:
            result.append(HINDI_SCALES.get(word) or HINDI_HALVES.get(word) or word)
    return result


def _scaled(words: Sequence[str], *, indian: bool, leading: bool = True) -> Reading | None:
    """`[count] scale [and] [rest]`, split at the largest scale so that "one lakh crore" nests; else a small number."""
    scales = [SCALES.get(word, 0) for word in words]
    largest = max(scales, default=0)
    if not largest:
        return _small(words)
    at = scales.index(largest)
    if not at and words[0].endswith("s"):  # "Thousands of rupees" is no number.
        return None
    count = _count(words[:at], largest, indian=indian, leading=leading)
    if count is None:
        return None
    rest = words[at + 1 :]
    if not rest:
        return Reading(count.value * largest, count.parts + 1, count.bare_scale, count.sure)
    joined = rest[0] == "and"
    tail = _scaled(rest[1:] if joined else rest, indian=indian, leading=False)
    if tail is None or not 0 < tail.value < largest or count.value.denominator != 1:
        return None
    if tail.value.denominator != 1 and "point" not in words:
        return None
    # "One lakh twenty" may be 1,20,000 and "two thousand five" 2,500 where no unit of money follows.
    skips = not tail.parts and (largest >= 10**5 or (largest >= 1000 and tail.value < 10))
    sure = count.sure and tail.sure and not skips
    return Reading(count.value * largest + tail.value, count.parts + 1 + tail.parts, count.bare_scale, sure)


def _count(words: Sequence[str], scale: int, *, indian: bool, leading: bool) -> Reading | None:
    """How many of a scale; nothing said is one, but only at the start of a number."""
    if not words:
        return Reading(Fraction(1), bare_scale=True) if leading else None
    if list(words) in (["a"], ["an"]):
        return Reading(Fraction(1))
    count = _fraction(words) or _scaled(words, indian=indian, leading=leading)
    if count is None or count.value <= 0:
        return None
    value = count.value
    if (scale * value).denominator != 1:
        return None
    if scale == 100:
        # "Fifty hundred" is hardly ever meant; "fifteen hundred" is.
        fits = not count.parts and value < 100 and (value < 10 or value % 10 != 0)
    elif scale == 10**7:
        fits = value < 10**7
    else:
        fits = value < 1000 and not (indian and scale == 1000 and value > 100 and value % 5)
    return Reading(value, count.parts, count.bare_scale) if fits else None


def _fraction(words: Sequence[str]) -> Reading | None:
    """A count with a fraction: "two and a half", "half a", "2.5", "two point five", "saadhe teen"."""
    words = list(words)
    if words in (["half"], ["half", "a"], ["a", "half"]):
        return Reading(Fraction(1, 2), sure=False)
    for tail, part in ((["and", "a", "half"], 2), (["and", "half"], 2), (["and", "a", "quarter"], 4)):
        if words[-len(tail) :] == tail:
            whole = _small(words[: -len(tail)])
            return (
                Reading(whole.value + Fraction(1, part), sure=False) if whole and whole.value.denominator == 1 else None
            )
    if words[0] in HINDI_STEPS:
        step = HINDI_STEPS[words[0]]
        alone = Reading(Fraction(1)) if step != Fraction(1, 2) else None  # "sava sau", but never "saadhe sau"
        whole = _small(words[1:]) if len(words) > 1 else alone
        fits = whole is not None and whole.value.denominator == 1 and whole.value < 100
        return Reading(whole.value + step, sure=False) if whole and fits else None
    return None


def _small(words: Sequence[str]) -> Reading | None:
    """One numeral, a number below a hundred, or either with decimals said after "point"."""
    points = [at for at, word in enumerate(words) if word in POINTS]
    if points:
        at = points[0]
        whole = Fraction(0) if not at else _whole_small(words[:at])
        decimals = _decimals(words[at + 1 :])
        if whole is None or whole.denominator != 1 or decimals is None:
            return None
        return Reading(whole + Fraction(int(decimals), 10 ** len(decimals)), sure=False)
    value = _whole_small(words)
    return Reading(value, sure=value.denominator == 1) if value is not None else None


def _whole_small(words: Sequence[str]) -> Fraction | None:
    if len(words) == 1 and words[0][0].isdigit():
        return Fraction(words[0])
    value = _below_hundred(words)
    return Fraction(value) if value is not None else None


def _below_hundred(words: Sequence[str]) -> int | None:
    if len(words) == 1:
        return BELOW_TWENTY.get(words[0], TEN_WORDS.get(words[0]))
    if len(words) == 2 and words[0] in TEN_WORDS and UNITS.get(words[1]):
        return TEN_WORDS[words[0]] + UNITS[words[1]]
    return None


def _decimals(words: Sequence[str]) -> str | None:
    digits = _digits(words)
    if digits is not None:
        return digits if len(digits) <= 4 else None
    value = _below_hundred(words)
    return str(value) if value is not None and value >= 10 else None


def _digits(words: Sequence[str]) -> str | None:
    """Digit words one after another, with "double" and "triple"."""
    digits, times = "", 1
    for word in words:
        if word in MULTIPLES and times == 1:
            times = MULTIPLES[word]
            continue
        digit = "0" if word in ZEROS else str(UNITS[word]) if word in UNITS else None
        if digit is None:
            return None
        digits, times = digits + digit * times, 1
    return digits if digits and times == 1 else None


def _spelled(words: Sequence[str]) -> Reading | None:
    """An amount digit by digit, "one five zero zero zero"; not what could be a range or an account's digits."""
    digits = _digits(words) if len(words) > 1 else None
    if digits is None or digits[0] == "0" or len(digits) > _MOST_DIGITS:
        return None
    if words[-1] in ZEROS and len(digits) < 3:  # "Five oh" may be "five, oh".
        return None
    has_multiple = any(word in MULTIPLES for word in words)
    if len(digits) == 2 and not has_multiple and digits[1] != "0" and not (digits[0] == "1" and digits[1] > "2"):
        return None
    ascending = all(int(b) == int(a) + 1 for a, b in pairwise(digits))
    sure = digits[-1] == "0" or (len(digits) <= 3 and not (ascending and len(digits) > 2))
    return Reading(Fraction(int(digits)), sure=sure)


def _restated(words: Sequence[str], *, indian: bool) -> Reading | None:
    """A number followed by its digits for clearness: "fifteen thousand one five zero zero zero"."""
    for at in range(len(words) - 2, 0, -1):
        digits = _digits(words[at:])
        if digits is None:
            break
        number = _scaled(words[:at], indian=indian) if len(digits) > 1 else None
        if number is not None and number.value == int(digits):
            return Reading(number.value, number.parts, number.bare_scale)
    return None


def _pair(words: Sequence[str]) -> Reading | None:
    """Two numbers for one: "two fifty" is 250, "twelve fifty" 1250; "ten fifteen" and "fifty sixty" are ranges."""
    for at in range(1, len(words)):
        left, right = _below_hundred(words[:at]), _below_hundred(words[at:])
        if not left or right is None or right <= 10:
            continue
        if at > 1 and words[at - 1] in ("two", "four"):  # "twenty two fifty" may be from twenty to fifty
            continue
        if left < 10 or (left != 10 and left % 10 and right > 2 * left) or (left == 10 and right == 50):
            return Reading(Fraction(left * 100 + right))
    return None
