"""Phrase templates turned into sentences: all of them in order, or a random handful with the slots labelled.

The recogniser's language model and the intent classifier are both made from what `sample` draws, so they agree on what
callers say. The template language is described in `providers.phrases`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.spoken import say_number
from providers.phrases import BUILTIN_ENTITIES, Intent, Phrases

_LEXEME = re.compile(r"\s*(?:(\{[a-z_][a-z0-9_]*\})|([()\[\]|])|([^\s()\[\]{}|]+))")
_MAX_DEPTH = 20


class TemplateError(ValueError):
    """A template that cannot be read, or one that names a slot nobody declared."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The place of a slot's value in an expanded template."""

    slot: str


Token = str | Mark


@dataclass(frozen=True, slots=True)
class Sample:
    """One sentence a caller may say.

    Attributes:
        text: Lower-case words, numbers and money as spoken.
        intent: Name of the intent whose template it came from.
        slots: Slot name to the words that fill it in `text`.
    """

    text: str
    intent: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[tuple[_Node, ...], ...]


_Node = str | Mark | _Choice


def expand(template: str) -> Iterator[list[Token]]:
    """Every sentence of a template, as words and slot marks.

    Lazy: a template with many options has very many sentences, so take a slice.

    Raises: TemplateError.
    """
    yield from _sequences(_parse(template))


def sample(phrases: Phrases, names: Sequence[str], rng: random.Random, n: int) -> list[Sample]:
    """Draw `n` sentences, from each intent as many as it has templates for, with slots filled at random.

    Args:
        phrases: The agent type's declarations.
        names: The caller's proper names for `{...}` slots of entity `name`; without any, common first names stand in.
        rng: Source of randomness; the same seed draws the same sentences.
        n: How many; fewer only when `phrases` has no templates.

    Raises: TemplateError.
    """
    intents = [intent for intent in phrases.intents for _ in intent.phrases]
    return [_draw(intents[i % len(intents)], phrases, names, rng) for i in range(n)] if intents else []


def fill(entity: str, phrases: Phrases, names: Sequence[str], rng: random.Random) -> str:
    """One spoken value of an entity, declared or builtin, in lower-case words.

    Raises: TemplateError.
    """
    for declared in phrases.entities:
        if declared.name == entity:
            return rng.choice([way for ways in declared.values.values() for way in ways])
    if entity not in BUILTIN_ENTITIES:
        raise TemplateError(f"no entity is called {entity!r}")
    if entity == "name":
        return rng.choice(names or FIRST_NAMES).lower()
    return _BUILTINS[entity](rng)


def _draw(intent: Intent, phrases: Phrases, names: Sequence[str], rng: random.Random) -> Sample:
    entities = {slot.name: slot.entity for slot in intent.slots}
    words: list[str] = []
    slots: dict[str, str] = {}
    for token in _random_sequence(_parse(rng.choice(intent.phrases)), rng):
        if isinstance(token, str):
            words.append(token)
            continue
        if token.slot not in entities:
            raise TemplateError(f"intent {intent.name!r} uses {{{token.slot}}} without declaring it")
        value = slots.setdefault(token.slot, fill(entities[token.slot], phrases, names, rng))
        words.append(value)
    return Sample(" ".join(words).replace(" 's", "'s"), intent.name, slots)


@lru_cache(maxsize=4096)
def _parse(template: str) -> tuple[_Node, ...]:
    lexemes: list[str] = []
    position, end = 0, len(template.rstrip())
    while position < end:
        match = _LEXEME.match(template, position)
        if match is None:
            raise TemplateError(f"cannot read {template!r} at {template[position:]!r}")
        lexemes.append(match[1] or match[2] or match[3])
        position = match.end()
    options, rest = _options(lexemes, 0, template, 0)
    if rest != len(lexemes) or len(options) != 1:
        raise TemplateError(f"unbalanced or loose {lexemes[min(rest, len(lexemes) - 1)]!r} in {template!r}")
    return options[0]


def _options(lexemes: list[str], at: int, template: str, depth: int) -> tuple[tuple[tuple[_Node, ...], ...], int]:
    """Read alternatives up to a closing bracket or the end; returns them and the position reached."""
    if depth > _MAX_DEPTH:
        raise TemplateError(f"brackets nested too deep in {template!r}")
    options: list[tuple[_Node, ...]] = []
    current: list[_Node] = []
    while at < len(lexemes) and lexemes[at] not in (")", "]"):
        lexeme = lexemes[at]
        at += 1
        if lexeme == "|":
            options.append(tuple(current))
            current = []
        elif lexeme in ("(", "["):
            inner, at = _options(lexemes, at, template, depth + 1)
            if at == len(lexemes) or lexemes[at] != {"(": ")", "[": "]"}[lexeme]:
                raise TemplateError(f"{lexeme!r} is not closed in {template!r}")
            at += 1
            current.append(_Choice(((), *inner) if lexeme == "[" else inner))
        elif lexeme.startswith("{"):
            current.append(Mark(lexeme[1:-1]))
        else:
            current.append(lexeme.lower())
    options.append(tuple(current))
    return tuple(options), at


def _sequences(nodes: Sequence[_Node]) -> Iterator[list[Token]]:
    if not nodes:
        yield []
        return
    head, tail = nodes[0], nodes[1:]
    starts: Iterator[list[Token]]
    if isinstance(head, _Choice):
        starts = (start for option in head.options for start in _sequences(option))
    else:
        starts = iter([[head]])
    for start in starts:
        for rest in _sequences(tail):
            yield start + rest


def _random_sequence(nodes: Sequence[_Node], rng: random.Random) -> Iterator[Token]:
    for node in nodes:
        if isinstance(node, _Choice):
            yield from _random_sequence(rng.choice(node.options), rng)
        else:
            yield node


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    "james mary robert linda john susan michael karen david lisa daniel emma thomas sarah paul anna mark laura peter "
    "maria kevin helen brian julia jack amy george kate frank alice henry rose sam grace adam ruth leo nina max eva"
)
"""Stand-ins where the caller's own names are not known."""

UNITS = _words("zero one two three four five six seven eight nine")
TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
WEEKDAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
MONTHS = _words("january february march april may june july august september october november december")
ORDINALS = _words("first second third fourth fifth sixth seventh eighth ninth")
DAYS = (
    *ORDINALS,
    *_words("tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"),
    "twentieth",
    *(f"twenty {unit}" for unit in ORDINALS),
    "thirtieth",
    "thirty first",
)
"""The days of a month as spoken."""


def number_words(value: int) -> str:
    """A whole number below a hundred million as people say it: 250 is "two hundred and fifty".

    Raises: ValueError when out of range.
    """
    if not 0 <= value < 100_000_000:
        raise ValueError(f"{value} is out of range")
    if value < 10:
        return UNITS[value]
    if value < 20:
        return TEENS[value - 10]
    if value < 100:
        return TENS[value // 10 - 2] + (f" {UNITS[value % 10]}" if value % 10 else "")
    for size, word, joint in ((1_000_000, "million", " "), (1000, "thousand", " "), (100, "hundred", " and ")):
        if value >= size:
            rest = value % size
            joint = " and " if 0 < rest < 100 else joint
            return f"{number_words(value // size)} {word}" + (f"{joint}{number_words(rest)}" if rest else "")
    raise AssertionError("every value is covered above")


def _number(rng: random.Random) -> str:
    return number_words(rng.choice((rng.randint(1, 10), rng.randint(1, 31), rng.randint(1, 100))))


def _money(rng: random.Random) -> str:
    words = _amount(rng)
    if words.startswith("one ") and rng.random() < 0.5:
        words = "a" + words[3:]
    unit, part = rng.choices((("rupees", "paise"), ("", ""), ("dollars", "cents")), (5, 4, 2))[0]
    if not unit:
        return words
    unit = unit.removesuffix("s") if words in ("one", "a") else unit
    if rng.random() < 0.1:
        minor = number_words(rng.choice((50, 25, 75, 99, rng.randint(1, 99))))
        return f"{words} {unit} " + rng.choice((f"and {minor} {part}", f"{minor} {part}", minor))
    return rng.choices((f"{words} {unit}", f"{unit} {words}", f"{words} {unit} only"), (20, 1, 1))[0]


def _amount(rng: random.Random) -> str:
    """A whole amount, round as most are, the larger ones in lakh."""
    whole = rng.choice(
        (
            rng.randint(1, 20),
            rng.randint(1, 19) * 5,
            rng.randint(1, 99),
            rng.randint(1, 9) * 100,
            rng.randint(1, 9) * 100,
            rng.randint(10, 99) * 10,
            rng.randint(100, 999),
            rng.randint(1, 20) * 1000,
            rng.randint(1, 99) * 1000,
            rng.randint(11, 99) * 100,
            rng.randint(1, 9) * 100_000,
            rng.randint(10, 99) * 10_000,
        )
    )
    if rng.random() < 0.06:
        count = number_words(rng.randint(1, 9))
        return rng.choice((f"{count} and a half thousand", f"{count} and a half lakh", "half a lakh"))
    if 1000 < whole < 10_000 and whole % 100 == 0 and whole % 1000 and rng.random() < 0.4:
        return f"{number_words(whole // 100)} hundred"
    if 100 < whole < 1000 and whole % 100 and rng.random() < 0.1:
        return f"{number_words(whole // 100)} {number_words(whole % 100)}"
    return number_words(whole) if whole < 100_000 and rng.random() < 0.5 else say_number(whole)


def _digits(rng: random.Random) -> str:
    zero = rng.choice(("zero", "oh"))
    return " ".join(zero if digit == "zero" else digit for digit in rng.choices(UNITS, k=rng.choice((4, 4, 6, 8))))


def _date(rng: random.Random) -> str:
    day, month = rng.choice(DAYS), rng.choice(MONTHS)
    return rng.choice(
        (
            rng.choice(("today", "tomorrow", "tomorrow", "yesterday", "the day after tomorrow", "day after tomorrow")),
            rng.choice(("next week", "next month", "the end of the month", "this weekend", "in a week")),
            rng.choice(("", "", "next ", "this ", "last ", "coming ")) + rng.choice(WEEKDAYS),
            f"{month} {day}",
            f"the {day}",
            f"the {day} of {month}",
            f"the {day} of {rng.choice(('next month', 'this month', 'every month'))}",
            f"in {rng.choice(('two', 'three', 'ten'))} days",
        )
    )


def _time(rng: random.Random) -> str:
    hour = number_words(rng.randint(1, 12))
    minutes = rng.choice(("fifteen", "thirty", "forty five", "ten", "twenty"))
    half = rng.choice(("a m", "p m", "in the morning", "in the afternoon", "in the evening"))
    return rng.choice(
        (
            f"{hour} o'clock",
            f"{hour} {half}",
            f"{hour} {minutes}",
            f"{hour} {minutes} {half}",
            f"half past {hour}",
            f"quarter past {hour}",
            f"quarter to {hour}",
            rng.choice((hour, hour, "noon")),
            f"{hour} {rng.choice(('at night', 'tonight', 'this evening'))}",
        )
    )


def _text(rng: random.Random) -> str:
    """What somebody may want to be told: no list could hold them all, so these are only like them."""
    verb = rng.choice(_words("pay renew send collect check return book cancel submit deposit buy get change fix file"))
    whose, what = rng.choice(("the", "my", "the", "my", "a", "our", "some")), rng.choice(_ERRANDS)
    return rng.choice(
        (
            f"{verb} {whose} {what}",
            f"{verb} {whose} {what}",
            f"{rng.choice(('call', 'meet', 'visit', 'write to', 'ask'))} {whose} {rng.choice(_PEOPLE)}",
            f"{rng.choice(('go to', 'be at', 'leave for'))} the {rng.choice(_PLACES)}",
            f"{rng.choice(('take', 'bring'))} {whose} {what} to the {rng.choice(_PLACES)}",
            f"{whose} {what}",
            f"pay the {rng.choice(_PEOPLE)} {_amount(rng)} rupees",
        )
    )


_ERRANDS = _words(
    "rent fees premium insurance passport documents medicine medicines tickets bill bills cheque report form licence "
    "groceries milk car tyres keys maintenance subscription taxes return gift cake flowers parcel visa "
    "instalment deposit meeting appointment policy gas cylinder books shoes"
)
_PEOPLE = _words(
    "bank doctor dentist lawyer landlord plumber electrician driver maid cook teacher tailor manager tenant boss agent "
    "accountant neighbour broker dealer"
)
_PLACES = _words("bank branch school office market airport station hospital gym temple garage clinic court")

_BUILTINS = {"number": _number, "money": _money, "digits": _digits, "date": _date, "time": _time, "text": _text}
