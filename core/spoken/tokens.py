"""What was said or typed, word by word, with what stood between the words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.spoken.devanagari import in_roman
from core.spoken.hear import CURRENCY_WORDS
from core.spoken.numerals import LONG_SCALES, SHORT_SCALES

Gap = Literal["", "hesitation", "noise", "lost", "stop"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a numeral or a symbol.

    Attributes:
        text: In lower case without apostrophes, a known word in Devanagari in its Roman spelling; a numeral without
            grouping.
        start: Its place in the text.
        end: The place after it.
        numeral: Whether it is written in digits and clearly a number.
        garbled: Whether it has digits but is no clear number ("5oo", "10:30", "12,34").
        gap: What stood before it: a hesitation, a noise, something unintelligible, or punctuation.
    """

    text: str
    start: int
    end: int
    numeral: bool = False
    garbled: bool = False
    gap: Gap = ""


def word_set(words: str) -> frozenset[str]:
    """The words of a string, each once."""
    return frozenset(words.split())


def phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """The phrases of a text that commas separate, each as its words."""
    return tuple(tuple(phrase.split()) for phrase in text.split(","))


_PIECE = re.compile(  # Hindi vowel signs are no letters
    r"(?P<mark>\[[^\[\]]{0,30}\]|<[^<>]{0,30}>)"
    r"|(?P<word>(?:rs|inr)\b\.?|a/c\b|(?:[^\W\d_]|[\u0900-\u0963\u200c\u200d])+(?:['’][^\W\d_]+)*)"
    r"|(?P<numeral>\d+(?:,\d+)*(?:\.\d+)?)"
    r"|(?P<suffix>/[-=])"
    r"|(?P<symbol>\S)"
)
_LONGEST_NUMERAL = 24
_GROUPED = re.compile(r"\d{1,2}(?:,\d\d)*,\d{3}|\d{1,3}(?:,\d{3})+")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)\b")
_HESITATIONS = word_set("um umm ummm uh uhh uhm er err erm ah ahh hm hmm hmmm mm mmm eh")
_LOST = re.compile(r"unk|unintelligible|inaudible|indistinct|crosstalk|\?|\d")
_QUIET_SYMBOLS = frozenset("\"'’‘“”()[]*_`~")
_STOPS = frozenset(".,;:!?…–—-|।॥")


def tokens_of(text: str) -> tuple[list[Token], bool]:
    """The words of a text, and whether it ends in something unintelligible."""
    folded = text.lower() if text.isascii() else "".join(map(_fold, text))
    tokens: list[Token] = []
    gap: Gap = ""
    matches = list(_PIECE.finditer(folded))
    for at, match in enumerate(matches):
        word = match[0].replace("'", "").replace("’", "").rstrip(".") or match[0]
        if match["mark"]:
            gap = "lost" if gap == "lost" or _LOST.search(word) else "noise"
        elif match["word"] and word in _HESITATIONS:
            gap = gap or "hesitation"
        elif match["numeral"]:
            clear = _is_clear(matches, at)
            kept = match[0] if not clear else match[0].replace(",", "")
            is_word = not clear and _ORDINAL.match(folded, match.start()) is not None
            tokens.append(Token(kept, match.start(), match.end(), clear, not clear and not is_word, gap))
            gap = ""
        elif match["symbol"] and word in _QUIET_SYMBOLS:
            continue
        elif match["symbol"] and word in _STOPS:
            # A hyphen inside a word only joins ("twenty-five", "500-rupee").
            inside = word == "-" and _touches(matches, at, -1) and _touches(matches, at, 1)
            gap = gap if inside or gap in ("lost", "noise") else "stop"
        else:
            word = "rs" if match["suffix"] else in_roman(word)  # "500/-"
            tokens.append(Token(word, match.start(), match.end(), gap=gap))
            gap = ""
    return tokens, gap == "lost"


def _fold(char: str) -> str:
    """One character for one, so that places stay; digits of all scripts become ASCII."""
    decimal = unicodedata.decimal(char, None)
    if decimal is not None:
        return str(decimal)
    lower = unicodedata.normalize("NFKC", char).lower()
    return lower if len(lower) == 1 else char


def _touches(matches: Sequence[re.Match[str]], at: int, side: Literal[-1, 1]) -> bool:
    """Whether the neighbour on that side stands without a space between."""
    other = at + side
    if not 0 <= other < len(matches):
        return False
    left, right = (matches[other], matches[at]) if side < 0 else (matches[at], matches[other])
    return left.end() == right.start()


def _is_clear(matches: Sequence[re.Match[str]], at: int) -> bool:
    """Whether a numeral is written as a number on its own, not part of a date, a time, a code or a range."""
    written = matches[at][0]
    whole = written.partition(".")[0]
    if (
        ("," in whole and not _GROUPED.fullmatch(whole))
        or (len(whole) > 1 and whole[0] == "0")
        or len(written) > _LONGEST_NUMERAL
    ):
        return False
    if _touches(matches, at, -1):
        before = matches[at - 1]
        word = in_roman(before[0].rstrip("."))
        if not (word in CURRENCY_WORDS or (before["symbol"] and before[0] in "\"'’‘“”([")):
            return False
    if _touches(matches, at, 1):
        after = matches[at + 1]
        if after["word"]:
            word = in_roman(after[0].rstrip("."))
            return word in CURRENCY_WORDS or word in LONG_SCALES or word in SHORT_SCALES
        if after["symbol"] and after[0] == "-" and _touches(matches, at + 1, 1):
            following = matches[at + 2]
            word = in_roman(following[0])
            return following["word"] is not None and (word in CURRENCY_WORDS or word in LONG_SCALES)
        glued_on = after["symbol"] and after[0] in ".:" and _touches(matches, at + 1, 1)
        if glued_on or not (after["suffix"] or after[0] in CURRENCY_WORDS or after[0] in ".,:;!?)]\"'’”…-।"):
            return False
    return True
