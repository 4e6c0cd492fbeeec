"""Which sentences claim that something was done: that money moved, a bill was paid, a reminder set, a card blocked.

It errs towards hearing a claim: what is no claim has to be plainly so, by negation ("has not been sent"), future or
offer ("I can send"), question ("shall I send it?"), condition ("once it is sent") or rule ("transfers usually arrive
within minutes"). `clauses` takes a sentence apart, `deeds` judges its verbs, `idioms` its turns of phrase; `denials`
finds what says that nothing was done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.spoken.tokens import word_set
from pipelines.claims.clauses import NEGATORS, Claim, Clause, clauses_of, plain, words_in
from pipelines.claims.deeds import deeds
from pipelines.claims.denials import denies
from pipelines.claims.idioms import idioms

__all__ = ["Claim", "Said", "affirms", "asks_whether_done", "sentences"]

MAX_CHARACTERS = 1500

_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")
_OTHER_SCRIPT = re.compile(r"[^\W\d_a-z]")

_YES = word_set(
    "yes yeah yep yup sure certainly definitely absolutely indeed correct right exactly affirmative haan course"
)
_BESIDE_YES = _YES | word_set(
    "it is has been was they are have i did we do of that 's sir madam please oh well all very much so and"
)
_AFFIRMING = _YES | word_set("did has is have was")
_ASKS_DONE = re.compile(
    r"^(?:(?:so|okay|and|but|well) )*(?:did|have|has|is|was|are|were)\b.*\b(?:send|sent|pay|paid|transfer|transferred|"
    r"go|gone|done|do|complete|completed|block|blocked|add|added|set|move|moved|through|reach|reached|arrive|arrived|get|"
    r"got|receive|received|successful|credited|debited|deducted|finished|processed|work)\b"
    r"|\b(?:sent|paid|done|gone|transferred|blocked)\b[^.]*\?"
)


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence taken apart.

    Attributes:
        text: Its words in spoken form, lower case, contractions resolved.
        words: The same one by one.
        claims: What it claims; empty for a sentence that may always be said.
        negative: Whether it denies something.
        readable: Whether it is in letters that can be judged.
        undoes: Whether it says that money has not moved after all, or has come back.
    """

    text: str
    words: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    negative: bool = False
    readable: bool = True
    undoes: bool = False


def sentences(text: str) -> tuple[Said, ...]:
    """The sentences of a text, each with what it claims; a text too long to judge is one unreadable sentence."""
    if len(text) > MAX_CHARACTERS:
        return (Said("", (), readable=False),)
    return tuple(said for part in _SENTENCE.findall(plain(text)) if (said := _said(part)).words)


def _said(part: str) -> Said:
    if _OTHER_SCRIPT.search(part):
        words = tuple(part.split())
        return Said(" ".join(words), words, readable=False)
    words = words_in(part)
    claims: list[Claim] = []
    before: Clause | None = None
    clauses = clauses_of(part)
    for clause in clauses:
        claims += [*deeds(clause, before), *idioms(clause)]
        before = clause
    return Said(
        " ".join(words), words, tuple(claims), bool(NEGATORS & set(words)), undoes=any(denies(one) for one in clauses)
    )


def affirms(said: Said) -> bool:
    """Whether a sentence is a mere yes, a claim if the question was whether something is done."""
    return bool(said.words) and set(said.words) <= _BESIDE_YES and bool(_AFFIRMING & set(said.words))


def asks_whether_done(text: str) -> bool:
    """Whether a caller's words ask if something has been done ("did you send it", "is it paid")."""
    return _ASKS_DONE.search(plain(text[:MAX_CHARACTERS])) is not None
