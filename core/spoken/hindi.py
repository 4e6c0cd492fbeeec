"""Numbers and amounts in Hindi words; what `core.spoken.say` is for English."""

from __future__ import annotations

from decimal import Decimal

from core.money import Money

# Each number below a hundred has a word of its own.
_NUMBERS = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ "
    "दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस "
    "तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस "
    "चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास "
    "पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ "
    "साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर "
    "सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उनासी "
    "अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी "
    "नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
)
NUMBERS = tuple(_NUMBERS.split())
_SCALES = ((10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ"))

# One and many of the major and of the minor unit.
_UNITS = {
    "INR": (("रुपया", "रुपये"), ("पैसा", "पैसे")),
    "USD": (("डॉलर", "डॉलर"), ("सेंट", "सेंट")),
    "EUR": (("यूरो", "यूरो"), ("सेंट", "सेंट")),
    "GBP": (("पाउंड", "पाउंड"), ("पेनी", "पेंस")),
}
_ZEROS_HARD_TO_COUNT = 5


def say_number(value: int | Decimal) -> str:
    """`value` in words: 250000 is "दो लाख पचास हज़ार", Decimal("7.25") is "सात दशमलव दो पाँच"."""
    if value < 0:
        return f"ऋण {say_number(-value)}"
    whole, _, decimals = (str(value) if isinstance(value, int) else f"{value:f}").partition(".")
    words = _whole(int(whole))
    return f"{words} दशमलव {say_digits(decimals)}" if decimals else words


def _whole(value: int) -> str:
    if value < 100:
        return NUMBERS[value]
    size, name = next(scale for scale in _SCALES if scale[0] <= value)
    rest = value % size
    return f"{_whole(value // size)} {name}" + (f" {_whole(rest)}" if rest else "")


def say_digits(text: str) -> str:
    """Each digit of `text` as a word; anything else in it is left out."""
    return " ".join(NUMBERS[int(char)] for char in text if char in "0123456789")


def say_money(amount: Money) -> str:
    """An amount in words: "एक लाख रुपये", "पाँच सौ रुपये और पचास पैसे"."""
    sign = "ऋण " if amount.minor < 0 else ""
    (one, many), (one_minor, many_minor) = _UNITS[amount.currency]
    major, minor = abs(amount.major), amount.minor_part
    majors = f"{say_number(major)} {one if major == 1 else many}"
    minors = f"{say_number(minor)} {one_minor if minor == 1 else many_minor}"
    if not minor:
        return sign + majors
    return sign + (f"{majors} और {minors}" if major else minors)


def say_digits_of(amount: Money) -> str:
    """An amount digit by digit, without its currency: "दो पाँच शून्य दशमलव पाँच शून्य"."""
    minor = f" दशमलव {say_digits(f'{amount.minor_part:02d}')}" if amount.minor_part else ""
    return f"{'ऋण ' if amount.minor < 0 else ''}{say_digits(str(abs(amount.major)))}{minor}"


def confusable(amount: Money) -> bool:
    """Whether an amount is easily taken for another when heard: सत्रह and सत्तर, पचास and पचपन, सात and साठ.

    Few words above sixteen have no neighbour that sounds like them; of the smaller ones seven and eight have, as
    counts of thousands and more, where sixty is one too.
    """
    major = abs(amount.major)
    counts = [major // 10**7, major // 10**5 % 100, major // 1000 % 100]
    if any(part > 16 for part in (*counts, major % 100, amount.minor_part)) or {7, 8} & set(counts):
        return True
    digits = str(major)
    return len(digits) - len(digits.rstrip("0")) >= _ZEROS_HARD_TO_COUNT
