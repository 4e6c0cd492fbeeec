"""Sentences as plain lower-case words, and the clauses they are made of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.spoken import normalise
from core.spoken.devanagari import transliterate
from core.spoken.tokens import word_set

NEGATORS = word_set("not no nothing none neither never nobody nor unable failed fails hardly without nahi nahin")
CONDITIONS = word_set("if unless whether until till once when whenever after before provided assuming")
FINITE = word_set("is are was were has have had am 's")
MODALS = word_set("will would can could shall should may might must")
SUBJECTS = word_set("i we you he she it they this that")

_QUESTION_STARTS = word_set(
    "shall should do does did can could would will is are was were am has have had may might what which when where who "
    "whom whose why how want ready anything any"
)
# A condition the caller has still to meet, or the act itself: "once you confirm", "if it went through".
_TO_BE_MET = word_set(
    "confirm confirms confirmed say says agree agreed approve approved accept accepted authorise authorize enter "
    "entered type typed key give given provide tell choose pick go goes ready verify verified nod decide answer yes "
    "code right correct sent paid done complete completed made through transferred added set blocked deducted debited "
    "credited enough due wrong"
)
_MET_ALREADY = word_set("said did asked told wanted gave agreed")
_IDLE = word_set("know wonder wondering check look worried curious asking see must care doubt notice")

_WORD = re.compile(r"'s\b|[a-z0-9]+")
_CONTRACTIONS = (
    (re.compile(r"\bcan't\b|\bcannot\b|\bcant\b"), "can not"),
    (re.compile(r"\bwon't\b|\bwont\b"), "will not"),
    (re.compile(r"\bain't\b"), "is not"),
    (re.compile(r"\b(do|does|did|has|have|had|is|are|was|were|could|would|should)n'?t\b"), r"\1 not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(i|you|we|they)'?ve\b"), r"\1 have"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\bgonna\b"), "going to"),
    (re.compile(r"(?<=\w)'s\b"), " 's"),
    (re.compile(r"\bo t p\b"), "otp"),
    (re.compile(r"\bs m s\b"), "sms"),
)
# Said to soothe or to stress, they deny nothing and set no condition: "no worries it's sent", "after all it's sent".
_SOOTHING = re.compile(
    r"\bno (?:worries|worry|problems?|doubt|sweat|stress|fuss|issues?|questions?|trouble|biggie|kidding|hassle|delay|"
    r"joke|lie|sooner|wonder|fear|matter what|less|time(?: wasted| at all)?|need to worry)\b|\bin no time\b"
    r"|\b(?:do )?not (?:to )?(?:worry|panic|fret|fear)\b"
    r"|\bnot (?:a (?:problem|moment)|only|just|kidding|joking|lying)\b"
    r"|\bnever (?:fear|mind|before)\b|\bnothing to worry about\b|\bhave no fear\b|\b(?:i )?kid you not\b|\bwhy not\b"
    r"|\b(?:can|could) not (?:wait|be happier|be better|be easier)(?: to (?:say|tell you))?\b|\bnone other than\b"
    r"|\bwithout (?:a |any )?(?:doubt|(?:further )?delay|further ado|question|help|fuss)\b|\bnot long ago\b"
    r"|\bafter all\b|\bonce (?:again|more)\b|\bbefore you know it\b|\bwhen all is said\b|\bas soon as possible\b"
)
_CLAUSE = re.compile(
    r"[,:()\u2014\u2013]+|\s-\s|\b(?:and then|and|but|so that|so|because|now that|given that|seeing that|seeing as|"
    r"while|whereas|although|though|plus|then)\b"
)
_CONDITION = re.compile(r"\b(?:once|if|when|after|as soon as|unless|until|till|before|provided)\b(.*)")
_OPENERS = word_set("okay ok well right oh great alright yes sure or perfect")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a sentence says has been done.

    Attributes:
        word: The word or phrase that says so.
        money: Whether it is of money; otherwise of a payee, a reminder, a card or a request, or of nothing in
            particular ("done").
        other: Whether it is of one of the others.
        mine: Whether the speaker claims to have done it ("I have sent").
        balance: Whether it only tells a new balance.
    """

    word: str = ""
    money: bool = False
    other: bool = False
    mine: bool = False
    balance: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with one verb or so.

    Attributes:
        words: Without "okay" and the like before them.
        asks: Whether it is a question by its form and its mark.
        depends: Whether another clause sets a condition that has still to be met.
        coordinated: Whether it goes on where the one before ended: "checked and sent".
    """

    words: tuple[str, ...]
    asks: bool = False
    depends: bool = False
    coordinated: bool = False


def plain(text: str) -> str:
    """Text in spoken form, lower case and Latin letters, with its punctuation; contractions resolved, no accents."""
    text = normalise(unicodedata.normalize("NFKC", text)).lower().replace("’", "'").replace("‘", "'")
    if not text.isascii():
        text = transliterate(text).replace("।", ". ").replace("॥", ". ")
        text = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return _SOOTHING.sub(" , ", text)


def words_in(text: str) -> tuple[str, ...]:
    """The words of plain text."""
    return tuple(_WORD.findall(text))


def clauses_of(sentence: str) -> list[Clause]:
    """The clauses of a sentence in plain text."""
    asks = "?" in sentence
    clauses: list[Clause] = []
    met = False
    for joint, piece in _pieces(sentence):
        words = words_in(piece)
        while words and words[0] in _OPENERS:
            words = words[1:]
        if words:
            clauses.append(Clause(words, asks and words[0] in _QUESTION_STARTS, met, joint == "and"))
            met = met or is_condition(words)
    if any(is_condition(clause.words) for clause in clauses[1:]):
        # The condition may follow: "it will be sent, once you confirm".
        clauses = [replace(clause, depends=True) for clause in clauses]
    return clauses


def is_condition(words: Sequence[str]) -> bool:
    """Whether words set a condition that has still to be met: "once you confirm", but not "if you wonder"."""
    found = _CONDITION.search(" ".join(words))
    if found is None:
        return False
    said = set(found[1].split())
    return bool(_TO_BE_MET & said) and not (_IDLE | _MET_ALREADY) & said


def _pieces(sentence: str) -> list[tuple[str, str]]:
    """What stands between the joints of a sentence, each with the joint before it."""
    pieces: list[tuple[str, str]] = []
    joint, end = "", 0
    for found in _CLAUSE.finditer(sentence):
        pieces.append((joint, sentence[end : found.start()]))
        joint, end = found[0].strip(), found.end()
    return [*pieces, (joint, sentence[end:])]
