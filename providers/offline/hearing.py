"""What a caller's words mean piece by piece: one normal form of text, and the values of entities found in it.

Recognised speech and typed text ("Show last 5 transactions!") come out as the same list of words, so everything after
this works on words alone. Values are found by rule, never learnt: a number, an amount or a name is either heard or not.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import dropwhile, islice

from core.clock import utc_now
from core.spoken import hear_amounts, hear_digits, hear_number
from providers.expand import Sample
from providers.offline import when
from providers.phrases import Intent, Phrases, Slot, Value

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
    **{f"{span}'s": span for span in ("today", "yesterday", "tomorrow", "week", "month", "year")},
    **{word: " ".join(word) for word in ("atm", "dth", "emi", "fd", "ifsc", "imps", "kyc", "neft", "rd", "tv", "upi")},
    "emis": "e m is",
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[₹$€£]|\d+(?::\d\d)|\d+(?:\.\d+)?|[a-z]+(?:/[a-z])?(?:'[a-z]+)*|[,;:!?.](?!\S)")
_STOPS = frozenset(",;:!?.")

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
_SPELLED = re.compile(r"\b[b-hj-z](?: [a-z])+\b|\ba(?: [b-hj-z])+\b|\bi(?: [b-hj-z]){2,}\b")
_SLOT = re.compile(r"\{[a-z0-9_]+\}")
_MAX_NAME_WORDS = 3
_PREPOSITIONS = _set("on at by for from in before around to of about that via using with through")
_BEFORE_TEXT = _set("to that about of it is please um uh yes okay just well so i want you me should")
_AFTER_TEXT = _set("please thanks thank you okay sir madam to that about and on at for")
_NO_TEXT = _set("something anything it this that them these those things stuff me us for to of")
_QUESTIONS = _set("what how which who whom whose where why when")
_BEFORE_NAME = _set("my our the a an one his her their mr mrs ms")
_AFTER_NAME = _set(
    "for from by on at in with using via to of please now today tomorrow because as and or then instead is are was "
    "will would it that this him them me you i what how"
)
_KIN = {
    word: group
    for group in (
        ("mom", "mum", "mother", "mummy", "mommy", "mama", "amma", "ma", "maa"),
        ("dad", "father", "papa", "daddy", "appa", "pappa"),
    )
    for word in group
}
_DIGIT_WORDS = _set("zero oh o one two three four five six seven eight nine double triple")


def words_of(text: str) -> tuple[str, ...]:
    """The words of spoken or typed text: lower case, contractions resolved, punctuation gone; `MAX_WORDS` at most."""
    return tuple(islice((word for word in _words(text[:MAX_CHARACTERS]) if word not in _STOPS), MAX_WORDS))


def _words(text: str) -> Iterator[str]:
    """Words, and the punctuation between them."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("‘", "'")
    text = re.sub(r"(?<=\d),(?=\d)|(?<=\d)(?:st|nd|rd|th)\b", "", text)
    text = re.sub(r"\b([ap])\.m\b|(?<=\d)\s?([ap])m\b", lambda half: f" {half[1] or half[2]} m ", text)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    before = ""
    for match in _WORD.finditer(text):
        word = "a m" if match[0] == "am" and before in _NUMBER_CORE else match[0]
        before = match[0]
        yield from _CONTRACTIONS.get(word, word).split()


@dataclass(frozen=True, slots=True)
class Span:
    """A value and where it stands.

    Attributes:
        start: Index of its first word.
        end: Index after its last word.
        value: What it means: the canonical value of a declared entity, a name as written, a whole number, an amount
            in major units, digits as text, a date as YYYY-MM-DD, a time as HH:MM.
        dropped: Whether the same words take it back ("five hundred, no, six hundred").
    """

    start: int
    end: int
    value: Value
    dropped: bool = False


class Ear:
    """Finds the values of an agent type's entities in words.

    Args:
        phrases: The agent type's declarations.
        literals: Places where words that look like an entity's value are part of a template instead ("my current
            balance" beside a current account), as from `literals_of`.
        names: The caller's own proper names, as written.
        currency: Amounts in any other are not heard; None hears all.
        clock: Tells the present moment.
    """

    def __init__(
        self,
        phrases: Phrases,
        literals: frozenset[tuple[str, ...]] = frozenset(),
        names: Iterable[str] = (),
        *,
        currency: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._literals = literals
        self._currency = currency
        self._clock = clock
        self._zone = phrases.zone
        self._said: tuple[str, ...] = ()  # what was heard last is asked for again and again
        self._found: dict[str, list[Span]] = {}
        self._punctuated: tuple[tuple[str, ...], Set[int]] = (), frozenset()
        self._written = tuple(names)
        self._names = _names_and_kin(self._written)
        self._ways = {
            entity.name: {words_of(way): value for value, ways in entity.values.items() for way in ways}
            for entity in phrases.entities
        }
        self._tagged = ("name", *(entity.name for entity in phrases.entities if not entity.telling))
        self._texts = [(intent, slot) for intent in phrases.intents for slot in intent.slots if slot.entity == "text"]
        self._frames = {intent.name: _frame(intent) for intent in phrases.intents}

    @property
    def declared(self) -> Set[str]:
        """Names of the entities the agent type declares."""
        return self._ways.keys()

    def listen(self, text: str) -> tuple[str, ...]:
        """The words of a turn; where it was punctuated is remembered, since that bears on amounts."""
        words = words_of(text)
        stops: set[int] = set()
        at = 0
        for word in _words(text[:MAX_CHARACTERS]):
            stops |= {at} if word in _STOPS and words[at - 1 : at] != ("rs",) else set()
            at += word not in _STOPS
        self._punctuated = words, stops
        return words

    def find(self, entity: str, words: Sequence[str]) -> list[Span]:
        """The values of one entity, in the order said, without overlap; none of `text`, which only `text` hears.

        Raises: KeyError when the entity is neither declared nor builtin.
        """
        said = tuple(words)
        if said != self._said:
            self._said, self._found = said, {}
        if entity not in self._found:
            self._found[entity] = self._find(entity, said)
        return self._found[entity]

    def _find(self, entity: str, words: Sequence[str]) -> list[Span]:
        if entity in self._ways:
            return self._declared(self._ways[entity], words)
        stops = self._punctuated[1] if self._punctuated[0] == tuple(words) else frozenset()
        return {
            "number": lambda: _numbers(words),
            "money": lambda: _amounts(words, stops, self._currency),
            "digits": lambda: _digits(words),
            "name": lambda: self._called(words),
            "date": lambda: _scan(words, when.LONGEST, lambda i, j: when.date_in(words[i:j], self._now())),
            "time": lambda: _times(words, self._now()),
            "text": list,
        }[entity]()

    def _now(self) -> datetime:
        return self._clock().astimezone(self._zone)

    def next_day_at(self, time: str) -> str:
        """The day, as YYYY-MM-DD, on which a time of day, HH:MM, comes next."""
        return when.next_day_at(time, self._now())

    def text(self, slot: Slot, intent: Intent, words: Sequence[str]) -> Span | None:
        """What is said behind one of the slot's `text_after` and belongs to no other slot of the intent.

        Of the entity `text` that is all there is up to the end ("remind me tomorrow to *pay the rent*"), of others only
        the few words that may be a name ("pay *uncle bob* five hundred").
        """
        cues = [cue for cue in map(_split, slot.text_after) if set(cue).issubset(words)]
        if not cues:
            return None
        taken = self._taken(intent, slot, words)
        left = [at for at in range(len(words)) if at not in taken]
        for cue in cues:
            first = _behind(cue, [words[at] for at in left])
            if first is not None:
                bare = slot.entity == "text" and cue[-1] not in _PREPOSITIONS
                rest = list(dropwhile(lambda at, bare=bare: bare and words[at] in _PREPOSITIONS, left[first:]))
                kept = self._whole(rest, words) if slot.entity == "text" else self._name_like(intent, rest, words)
                if kept and not (bare and words[kept[0]] in _QUESTIONS):  # not "remind me who my payees are"
                    return Span(kept[0], kept[-1] + 1, self._as_said(kept, words))
        return None

    def answer(self, slot: Slot, intent: Intent, words: Sequence[str]) -> Value | None:
        """The words of an answer to a slot's question, taken as they were said."""
        taken = self._taken(intent, slot, words)
        left = [at for at in range(len(words)) if at not in taken]
        if slot.entity != "text":
            around = self._frames[intent.name] | _BEFORE_NAME | _AFTER_NAME
            kept = self._name_like(intent, list(dropwhile(lambda at: words[at] in around, left)), words)
        else:
            said = [words[at] for at in left]
            lead = next((n for cue in slot.text_after if (n := _behind(_split(cue), said))), 0)
            while lead < len(left) and words[left[lead]] in _BEFORE_TEXT:
                lead += 1
            kept = self._whole(left[lead:], words)
        return self._as_said(kept, words) if kept else None

    def _taken(self, intent: Intent, slot: Slot, words: Sequence[str]) -> Set[int]:
        """Where the values of the intent's other slots stand, with the preposition before each, and polite words."""
        taken = {at for at, word in enumerate(words) if word in ("please", "kindly")}
        for entity in {other.entity for other in intent.slots} - {slot.entity}:
            for span in self.find(entity, words):
                taken.update(range(span.start, span.end))
                if span.start and words[span.start - 1] in _PREPOSITIONS:
                    taken.add(span.start - 1)
        return taken

    def _whole(self, places: Sequence[int], words: Sequence[str]) -> Sequence[int]:
        places = list(places)
        while places and words[places[-1]] in _AFTER_TEXT:
            places.pop()
        return places if any(words[at] not in _NO_TEXT for at in places) else []

    def _name_like(self, intent: Intent, places: Sequence[int], words: Sequence[str]) -> Sequence[int]:
        """The first few words on end that the intent's own templates don't use."""
        frame = self._frames[intent.name].union(*self._names)
        kept: list[int] = []
        for at in places:
            if kept and (at != kept[-1] + 1 or words[at] in frame | _BEFORE_NAME | _AFTER_NAME):
                break
            if not kept and words[at] in _BEFORE_NAME:
                continue
            if words[at] in frame | _AFTER_NAME or words[at] in _NUMBER_CORE or not words[at][0].isalpha():
                break
            kept.append(at)
        return kept if len(kept) <= _MAX_NAME_WORDS else []

    def _as_said(self, places: Sequence[int], words: Sequence[str]) -> str:
        """The words with names and letters as they are written."""
        text = " ".join(words[at] for at in places)
        for name in self._written:
            text = re.sub(rf"\b{re.escape(name.lower())}\b", lambda _, name=name: name, text)
        text = _SPELLED.sub(lambda letters: letters[0].replace(" ", "").upper(), text)
        return re.sub(r"₹ ?([\d.]+)", r"\1 rupees", text)

    def tagged(self, words: Sequence[str]) -> list[str]:
        """`words` with every value replaced by the name of its entity, so that "last five" and "last nine" are one."""
        spans = [(span, "#number") for entity in ("money", "number") for span in self.find(entity, words)]
        spans += [(span, f"#{entity}") for entity in self._tagged for span in self.find(entity, words)]
        texts = (self.text(slot, intent, words) for intent, slot in self._texts)
        spans = [*((span, "#text") for span in texts if span), *spans]
        result: list[str] = []
        at = 0
        for span, tag in sorted(spans, key=lambda item: (item[0].start, -item[0].end)):
            if span.start >= at:
                result += [*words[at : span.start], tag]
                at = span.end
        return [*result, *words[at:]]

    def _declared(self, ways: Mapping[tuple[str, ...], str], words: Sequence[str]) -> list[Span]:
        def meaning(start: int, end: int) -> str | None:
            value = ways.get(tuple(words[start:end]))
            return value if value is not None and _around(words, start, end) not in self._literals else None

        return _scan(words, max(map(len, ways), default=0), meaning) if any(way[0] in words for way in ways) else []

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


def _names_and_kin(names: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Names by their words; a mother saved as "Mom" may be called any of the words for her."""
    written = {words: name for name in names if (words := words_of(name))}
    kin = {(other,): name for (said, *more), name in written.items() if not more for other in _KIN.get(said, ())}
    return kin | written


def _frame(intent: Intent) -> frozenset[str]:
    """The words an intent's templates use."""
    return frozenset(word for template in intent.phrases for word in _words(_SLOT.sub(" ", template)))


@lru_cache(maxsize=512)
def _split(cue: str) -> tuple[str, ...]:
    return tuple(cue.split())


def _behind(cue: tuple[str, ...], words: Sequence[str]) -> int | None:
    """Where the words behind a cue begin; None where it does not occur."""
    for at in range(len(words) - len(cue) + 1):
        if tuple(words[at : at + len(cue)]) == cue:
            return at + len(cue)
    return None


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


def _amounts(words: Sequence[str], stops: Set[int], currency: str | None) -> list[Span]:
    """By the one reader of amounts, which is also the judge of whether the caller has said what is to be moved."""
    if not any(word in _NUMBER_WORDS or word[0].isdigit() for word in words):
        return []
    text, starts = "", list[int]()
    for at, word in enumerate(words):
        text += ", " if at in stops else " "
        starts.append(len(text))
        text += word
    return [
        Span(
            bisect_right(starts, heard.start) - 1,
            bisect_right(starts, heard.end - 1),
            heard.money.major + heard.money.minor_part / 100 if heard.money.minor_part else heard.money.major,
            heard.retracted,
        )
        for heard in hear_amounts(text)
        if currency in (None, heard.money.currency)
    ]


def _times(words: Sequence[str], now: datetime) -> list[Span]:
    """Times of day; an hour takes its half of the day from elsewhere in the sentence ("tonight, at nine")."""
    clocks = _scan(words, when.LONGEST, lambda i, j: when.time_in(words[i:j], now))
    halves = [
        span
        for span in _scan(words, 3, lambda i, j: when.half_in(words[i:j]) if words[max(i - 1, 0)] != "good" else None)
        if not any(clock.start <= span.start < clock.end for clock in clocks)
    ]
    if not clocks or not halves:
        return clocks or halves
    half = words[halves[0].start : halves[0].end]
    clocks = [
        replace(clock, value=when.time_in([*words[clock.start : clock.end], *half], now) or clock.value)
        for clock in clocks
    ]
    return sorted([*clocks, *(replace(span, value=clocks[-1].value) for span in halves)], key=lambda span: span.start)


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
