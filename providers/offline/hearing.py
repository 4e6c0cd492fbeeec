"""What a caller's words mean piece by piece: one normal form of text, and the values of entities found in it.

Recognised speech and typed text ("Show last 5 transactions!") come out as the same list of words, so everything after
this works on words alone. Values are found by rule, never learnt: a number, an amount or a name is either heard or not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import SequenceMatcher

from core.spoken import hear_digits, hear_money, hear_number
from providers.expand import Sample
from providers.offline.when import date_in, time_in
from providers.phrases import Phrases

Value = str | int | float
Meaning = Callable[[int, int], Value | None]

MAX_WORDS = 60
"""Longer turns are heard up to here: nobody states a request in more words, and the work per turn stays bounded."""

MAX_CHARACTERS = 600

_MAX_VALUE_WORDS = 12
_MAX_RUN_WORDS = 24  # of number words on end; more are no value
_NAME_LIKENESS = 0.84

_CONTRACTIONS = {
    "what's": "what is",
    "that's": "that is",
    "it's": "it is",
    "there's": "there is",
    "where's": "where is",
    "who's": "who is",
    "how's": "how is",
    "here's": "here is",
    "let's": "let us",
    "i'm": "i am",
    "you're": "you are",
    "we're": "we are",
    "they're": "they are",
    "what're": "what are",
    "i'd": "i would",
    "you'd": "you would",
    "i'll": "i will",
    "you'll": "you will",
    "that'll": "that will",
    "it'll": "it will",
    "i've": "i have",
    "you've": "you have",
    "we've": "we have",
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "couldn't": "could not",
    "wouldn't": "would not",
    "shouldn't": "should not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "haven't": "have not",
    "hasn't": "has not",
    "gimme": "give me",
    "wanna": "want to",
    "gonna": "going to",
    "gotta": "got to",
    "whats": "what is",
    "dont": "do not",
    "didnt": "did not",
    "cant": "can not",
    "im": "i am",
    "pls": "please",
    "plz": "please",
    "ok": "okay",
    "acc": "account",
    "acct": "account",
    "a/c": "account",
    "txn": "transaction",
    "txns": "transactions",
    "pm": "p m",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[₹$€£]|\d+(?::\d\d)|\d+(?:\.\d+)?|[a-z]+(?:/[a-z])?(?:'[a-z]+)*")

# "One" is a number after these words, a pronoun after all others.
_BEFORE_COUNT = _set(
    "last past latest recent previous newest next only just number no make to for say said me my give show list read "
    "option choose pick and or it is want need get meant mean please yes okay um uh have"
)
_NUMBER_WORDS = _set(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand lakh lakhs lac "
    "lacs crore crores million billion half dozen couple a an minus double triple oh o and point k"
)
_NUMBER_CORE = _NUMBER_WORDS - _set("a an and o oh point k half minus")
_COUNTS = {"couple": 2, "a couple": 2, "couple of": 2, "a couple of": 2, "dozen": 12, "a dozen": 12, "half a dozen": 6}
_MONEY_WORDS = _set(
    "rupee rupees rs inr paisa paise dollar dollars usd cent cents euro euros eur pound pounds gbp penny pence bucks "
    "only ₹ $ € £"
)
_DIGIT_WORDS = _set("zero oh o one two three four five six seven eight nine double triple")


def words_of(text: str) -> tuple[str, ...]:
    """The words of spoken or typed text: lower case, contractions resolved, punctuation gone; `MAX_WORDS` at most."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).lower().replace("’", "'").replace("‘", "'")
    text = re.sub(r"(?<=\d),(?=\d)|(?<=\d)(?:st|nd|rd|th)\b", "", text)
    text = re.sub(r"\b([ap])\.m\b|(?<=\d)\s?([ap])m\b", lambda half: f" {half[1] or half[2]} m ", text)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    words: list[str] = []
    for word in _WORD.finditer(text):
        words += _CONTRACTIONS.get(word[0], word[0]).split()
        if len(words) >= MAX_WORDS:
            break
    return tuple(words[:MAX_WORDS])


@dataclass(frozen=True, slots=True)
class Span:
    """A value and where it stands.

    Attributes:
        start: Index of its first word.
        end: Index after its last word.
        value: What it means: the canonical value of a declared entity, a name as written, a whole number, an amount
            in major units, digits as text, a date as YYYY-MM-DD, a time as HH:MM.
    """

    start: int
    end: int
    value: Value


class Ear:
    """Finds the values of an agent type's entities in words.

    Args:
        phrases: The agent type's declarations.
        literals: Places where words that look like an entity's value are part of a template instead ("my current
            balance" beside a current account), as from `literals_of`.
        names: The caller's own proper names, as written.
    """

    def __init__(
        self, phrases: Phrases, literals: frozenset[tuple[str, ...]] = frozenset(), names: Iterable[str] = ()
    ) -> None:
        self._literals = literals
        self._said: tuple[str, ...] = ()  # what was heard last is asked for again and again
        self._found: dict[tuple[str, date | None], list[Span]] = {}
        self._names = {words: name for name in names if (words := words_of(name))}
        self._ways = {
            entity.name: {words_of(way): value for value, ways in entity.values.items() for way in ways}
            for entity in phrases.entities
        }

    @property
    def declared(self) -> Set[str]:
        """Names of the entities the agent type declares."""
        return self._ways.keys()

    def find(self, entity: str, words: Sequence[str], *, today: date | None = None) -> list[Span]:
        """The values of one entity, in the order said, without overlap.

        Raises: KeyError when the entity is neither declared nor builtin.
        """
        said = tuple(words)
        if said != self._said:
            self._said, self._found = said, {}
        if (entity, today) not in self._found:
            self._found[entity, today] = self._find(entity, said, today)
        return self._found[entity, today]

    def _find(self, entity: str, words: Sequence[str], today: date | None) -> list[Span]:
        if entity in self._ways:
            return self._declared(self._ways[entity], words)
        return {
            "number": lambda: _numbers(words),
            "money": lambda: _amounts(words),
            "digits": lambda: _digits(words),
            "name": lambda: self._called(words),
            "date": lambda: _scan(words, 6, lambda i, j: date_in(words[i:j], today or _today())),
            "time": lambda: _scan(words, 6, lambda i, j: time_in(words[i:j])),
        }[entity]()

    def tagged(self, words: Sequence[str]) -> list[str]:
        """`words` with every value replaced by the name of its entity, so that "last five" and "last nine" are one."""
        spans = [(span, "#number") for entity in ("money", "number") for span in self.find(entity, words)]
        spans += [(span, f"#{entity}") for entity in ("name", *self._ways) for span in self.find(entity, words)]
        result: list[str] = []
        at = 0
        for span, tag in sorted(spans, key=lambda item: (item[0].start, -item[0].end)):
            if span.start >= at:
                result += [*words[at : span.start], tag]
                at = span.end
        return [*result, *words[at:]]

    def _declared(self, ways: dict[tuple[str, ...], str], words: Sequence[str]) -> list[Span]:
        longest = max(map(len, ways), default=0)
        return _scan(
            words,
            longest,
            lambda start, end: (
                ways.get(tuple(words[start:end])) if _around(words, start, end) not in self._literals else None
            ),
        )

    def _called(self, words: Sequence[str]) -> list[Span]:
        if not self._names:
            return []
        return _scan(words, 4, lambda start, end: self._name(tuple(words[start:end])))

    def _name(self, said: tuple[str, ...]) -> str | None:
        """The one name that was said in full or in part; what was said, where several share it."""
        said = (*said[:-1], said[-1].removesuffix("'s"))
        if said in self._names:
            return self._names[said]
        if len(said) > 1:
            return None
        parts = {part for own in self._names for part in own}
        part = said[0] if said[0] in parts else next((p for p in sorted(parts) if _alike(said[0], p)), None)
        if part is None:
            return None
        found = [name for own, name in self._names.items() if part in own]
        return found[0] if len(found) == 1 else part.capitalize()


def literals_of(phrases: Phrases, samples: Iterable[Sample]) -> frozenset[tuple[str, ...]]:
    """Where an intent's templates use words of its own slots without meaning the slot, with the words around them.

    Args:
        phrases: The agent type's declarations.
        samples: Sentences drawn from them.
    """
    ear = Ear(phrases)
    declared = {entity.name for entity in phrases.entities}
    own = {intent.name: {slot.entity for slot in intent.slots} & declared for intent in phrases.intents}
    found: set[tuple[str, ...]] = set()
    for sample in samples:
        words = words_of(sample.text)
        fillers = [words_of(value) for value in sample.slots.values()]
        for entity in own[sample.intent]:
            for span in ear.find(entity, words):
                said = words[span.start : span.end]
                if not any(_inside(said, filler) or _inside(filler, said) for filler in fillers):
                    found.add(_around(words, span.start, span.end))
    return frozenset(found)


def _around(words: Sequence[str], start: int, end: int) -> tuple[str, ...]:
    return (words[start - 1] if start else "", *words[start:end], words[end] if end < len(words) else "")


def _inside(words: Sequence[str], whole: Sequence[str]) -> bool:
    return any(tuple(whole[i : i + len(words)]) == tuple(words) for i in range(len(whole)))


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


def _alike(said: str, name: str) -> bool:
    if len(said) < 4 or said[0] != name[0]:
        return False
    return sorted(said) == sorted(name) or SequenceMatcher(None, said, name).ratio() >= _NAME_LIKENESS


def _scan(words: Sequence[str], longest: int, meaning: Meaning) -> list[Span]:
    """Longest match first, from left to right; `meaning(start, end)` is None where nothing is meant."""
    spans: list[Span] = []
    at = 0
    while at < len(words):
        for end in range(min(len(words), at + longest), at, -1):
            if (value := meaning(at, end)) is not None:
                spans.append(Span(at, end, value))
                at = end
                break
        else:
            at += 1
    return spans


def _scan_runs(words: Sequence[str], vocabulary: frozenset[str], meaning: Meaning) -> list[Span]:
    """`_scan` inside runs of number-like words only: most turns have none and cost nothing."""
    spans: list[Span] = []
    at = 0
    while at < len(words):
        end = at
        while end < len(words) and (words[end] in vocabulary or words[end][0].isdigit()):
            end += 1
        run = words[at:end] if end - at <= _MAX_RUN_WORDS else ()
        inside = _scan(run, _MAX_VALUE_WORDS, lambda i, j, at=at: meaning(at + i, at + j))
        spans += [Span(at + span.start, at + span.end, span.value) for span in inside]
        at = max(end, at + 1)
    return spans


def _numbers(words: Sequence[str]) -> list[Span]:
    def number(start: int, end: int) -> int | None:
        if not _counts(words, start, end):
            return None
        said = " ".join(words[start:end])
        return _COUNTS.get(said) or hear_number(said)

    return _scan_runs(words, _NUMBER_WORDS | {"of"}, number)


def _amounts(words: Sequence[str]) -> list[Span]:
    def amount(start: int, end: int) -> int | float | None:
        if not _counts(words, start, end) or words[start] in ("and", "only"):
            return None
        money = hear_money(" ".join("rupees" if word == "bucks" else word for word in words[start:end]))
        if money is None:
            return None
        return money.major + money.minor_part / 100 if money.minor_part else money.major

    return _scan_runs(words, _NUMBER_WORDS | _MONEY_WORDS, amount)


def _digits(words: Sequence[str]) -> list[Span]:
    def digits(start: int, end: int) -> str | None:
        return hear_digits(" ".join(words[start:end])) if _counts(words, start, end) else None

    return _scan_runs(words, _DIGIT_WORDS, digits)


def _counts(words: Sequence[str], start: int, end: int) -> bool:
    """Whether these words can be a number at all: "one" is a pronoun ("that one") unless the word before it counts."""
    said = words[start:end]
    if len(said) == 1 and said[0] == "one" and start and words[start - 1] not in _BEFORE_COUNT:
        return False
    return any(word in _NUMBER_CORE or word[0].isdigit() for word in said)
