"""Which sentences claim that something was done: that money moved, a bill was paid, a reminder set, a card blocked.

It errs towards hearing a claim: what is no claim has to be plainly so, by negation ("has not been sent"), future or
offer ("I can send"), question ("shall I send it?"), condition ("once it is sent") or rule ("transfers usually arrive
within minutes"). `clauses` takes a sentence apart, `deeds` judges its verbs, `idioms` its turns of phrase; `denials`
finds what says that nothing was done. `hindi` does the same for Hindi and for what is mixed with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.spoken.tokens import word_set
from pipelines.claims import hindi as in_hindi
from pipelines.claims.clauses import NEGATORS, Claim, Clause, clauses_of, plain, words_in
from pipelines.claims.deeds import deeds
from pipelines.claims.denials import denies
from pipelines.claims.idioms import idioms

__all__ = ["Claim", "Said", "affirms", "asks_whether_done", "sentences"]

MAX_CHARACTERS = 1500

_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")
_ENGLISH = word_set("the you your i not have has had was were will would shall can should nothing an of it")
_DEVANAGARI = re.compile(r"[\u0900-\u097f]")
_OTHER_SCRIPT = re.compile(r"[^\W\d_a-z]")

_YES = word_set(
    "yes yeah yep yup sure certainly definitely absolutely indeed correct right exactly affirmative haan han haanji "
    "bilkul zaroor course ji"
)
_BESIDE_YES = _YES | word_set(
    "it is has been was they are have i did we do of that 's sir madam please oh well all very much so and "
    "theek sahi hai tha maidam sar mil gaya gaye gayi"
)
_AFFIRMING = _YES | word_set("did has is have was mil")
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
        hindi: Whether it is in Hindi, or partly.
    """

    text: str
    words: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    negative: bool = False
    readable: bool = True
    undoes: bool = False
    hindi: bool = False


def sentences(text: str, *, hindi: bool = False) -> tuple[Said, ...]:
    """The sentences of a text, each with what it claims; a text too long to judge is one unreadable sentence.

    Args:
        hindi: Whether that is likely, as in a call in Hindi; else a word has to tell.
    """
    if len(text) > MAX_CHARACTERS:
        return (Said("", (), readable=False),)
    surely = _DEVANAGARI.search(text) is not None
    parts = _SENTENCE.findall(plain(text))
    return tuple(said for part in parts if (said := _said(part, surely=surely, likely=hindi)).words)


def _said(part: str, *, surely: bool, likely: bool) -> Said:
    if _OTHER_SCRIPT.search(part):
        words = tuple(part.split())
        return Said(" ".join(words), words, readable=False)
    words = words_in(part)
    hindi = surely or in_hindi.is_hindi(words) or (likely and not _ENGLISH & set(words))
    claims: list[Claim] = []
    before: Clause | None = None
    clauses = clauses_of(part)
    for clause in clauses:
        claims += [*deeds(clause, before), *idioms(clause)]
        before = clause
    undoes = any(denies(one) for one in clauses)
    if hindi:
        more, undone = in_hindi.claims(part)
        claims, undoes = [*claims, *more], undoes or undone
    return Said(" ".join(words), words, tuple(claims), bool(NEGATORS & set(words)), undoes=undoes, hindi=hindi)


def affirms(said: Said) -> bool:
    """Whether a sentence is a mere yes, a claim if the question was whether something is done."""
    return bool(said.words) and set(said.words) <= _BESIDE_YES and bool(_AFFIRMING & set(said.words))


def asks_whether_done(text: str) -> bool:
    """Whether a caller's words ask if something has been done ("did you send it", "is it paid")."""
    asked = plain(text[:MAX_CHARACTERS])
    hindi = _DEVANAGARI.search(text) is not None or in_hindi.is_hindi(words_in(asked))
    return _ASKS_DONE.search(asked) is not None or (hindi and in_hindi.asks_whether_done(asked))
