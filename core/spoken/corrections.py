"""What a turn takes back of the amounts in it: "five hundred no make it six hundred"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from core.money import MINOR_PER_MAJOR, Money
from core.spoken.tokens import Token, phrases, word_set


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of number words and what it was found to be.

    Attributes:
        first: Index of its first token.
        end: Index after its last.
        money: The amount; None for what is unclear or no amount.
        named: Whether a unit of money was said.
        counts: Whether it is a number of something else than money, and bears on no amount.
        top: The largest scale in it.
        retracted: Whether it was taken back.
    """

    first: int
    end: int
    money: Money | None = None
    named: bool = False
    counts: bool = False
    top: int = 0
    retracted: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """A turn understood.

    Attributes:
        tokens: Its words.
        found: Its numbers.
        forgets: Whether it takes back what earlier turns said.
    """

    tokens: Sequence[Token] = ()
    found: Sequence[Found] = ()
    forgets: bool = False


IDENTIFIERS = word_set(
    "account ac acct a/c card phone mobile telephone otp pin cvv ifsc code ending ends upi reference ref consumer "
    "customer policy flat house aadhaar aadhar pan digits id invoice order ticket khata khate "
    "sankhya ank password makaan age umar umr aayu ayu"
)
"""What is known by a number that is no amount."""

_POLITE = word_set(
    "please only just exactly yes yeah yep ok okay sir madam maam it is its thanks thank you the amount of a sum that "
    "make i said want say ji oh right correct so and well would like to will be"
)

_POLITE_HINDI = word_set(
    "haan hi bas sirf theek hai kar karo kardo kijiye kariye dijiye de bhej bhejo bhejdo bhejiye kripya abhi na"
)

# "back" and "cancel" take back what was said before even if nothing follows, the second in earlier turns too; "correct"
# and "within" do if another amount follows, "within" in the same turn only; "relative" leaves the amount unclear.
_Cue = Literal["back", "cancel", "correct", "within", "instead", "relative"]

_CUE_PHRASES: Mapping[_Cue, str] = {
    "back": "no, nope, nah, wait, sorry, oops, whoops, wrong, correction, my mistake, my bad, nahi, nahin, ruko, "
    "hang on, hold on, not that, rukiye, rukein, galti se, galat, strike that, apologies",
    "cancel": "cancel, abort, scratch that, scratch it, forget it, forget that, forget about, never mind, nevermind, "
    "ignore that, ignore it, leave it, leave that, drop it, drop that, undo, take that back, take it back, stop, "
    "discard, rehne do, mat karo, mat bhejo, mat bhejna, mat bhejiye, mat karna, mat kijiye, mat kariye, mat do, "
    "mat dena, na bhejo, na bhejna, na bhejen, na karen, chhod do, chhodo, "
    " changed my mind, change my mind, second thoughts",
    "correct": "actually, i mean, i meant, make it, make that, change it, change that, change to, rather, "
    "change the amount, ki jagah, ke jagah, uski jagah, ke bajay, ki bajay, ke bajaye, ki bajaye, "
    "ke badle, i said, lets say, should be, matlab, or rather, second thought",
    "within": "i say, i asked, i want, i wanted, i need, but, better, lekin, balki",
    "instead": "instead",
    "relative": "make it double, make that double, make it half, make it triple, "
    "double it, double that, double the, triple it, triple that, half it, half that, halve it, halve that, "
    "half of it, half of that, twice, thrice, do baar, teen baar, tiin baar, char baar, chaar "
    "baar, add a zero, more zero, another zero, extra zero, remove a zero, "
    "less zero, more than that, less than that",
}
_CUES: Mapping[tuple[str, ...], _Cue] = {
    phrase: cue for cue, texts in _CUE_PHRASES.items() for phrase in phrases(texts)
}
_LONGEST_CUE = max(map(len, _CUES))
_NO_CUE_BEFORE: Mapping[str, frozenset[str]] = {
    "no": word_set(
        "problem problems worries worry issue issues rush hurry doubt matter one note message comment remarks fee "
        "charge charges later longer more"
    ),
    "wait": word_set("for until till"),
    "nahi": word_set("toh"),
    "nahin": word_set("toh"),
}
_OTHER_SLOT = word_set("to from for into via on using by through his her")
_NEGATIONS = word_set(
    "not never dont didnt doesnt cant cannot couldnt wont wouldnt shouldnt isnt wasnt arent havent hasnt aint without "
    "except nor"
)
_NOT_NEGATED = phrases(
    "not only, dont forget, dont worry, dont mind, not a problem, not sure, dont know, cant you, couldnt you, wont "
    "you, not to worry, not forget, not worry"
)
_WHY = phrases("why not, why dont, if not, whether not, or not, why cant")
_NEGATION_ENDS = word_set(
    "but so then please because hear heard understand see wait believe know think just instead mean meant"
)
_NEW_REQUEST = word_set("send make pay give instead and then no")
_SENDS = word_set("send transfer pay give move proceed")
_GOES_AHEAD = phrases("do it, do that, go ahead")
_NEGATION_REACHES = 7
_CANCEL_REACHES = 5
_CHANGES = word_set("change increase raise reduce lower decrease correct modify update switch edit replace cut drop")
_REPLACED = phrases(
    "instead of, rather than, in place of, you heard, you said, you thought, you took, you wrote, you typed, you put, "
    "na ki, na kih, naki"
)
_REPLACES = phrases("ki jagah, ke jagah, ke bajay, ki bajay, ke bajaye, ki bajaye, ke badle")
_CHANGES_HINDI = word_set("kar karo kardo karna karen kijiye kariye badal badlo bana banao")
_OR = word_set("or ya yaa athva athwa varna warna")
_OR_PHRASES = frozenset(phrases("nahi toh, nahin toh, nahi to, nahin to"))


def undecided(tokens: Sequence[Token], found: Sequence[Found]) -> list[Found]:
    """Alternatives and ranges name no amount: "five or six hundred", "500 to 600"; "change 500 to 600" names 600."""
    result = list(found)
    for at in range(1, len(result)):
        left, right = result[at - 1], result[at]
        between = [token.text for token in tokens[left.end : right.first]]
        if left.counts or right.counts:
            continue
        if between == ["ko"]:
            changes = right.end < len(tokens) and tokens[right.end].text in _CHANGES_HINDI
            result[at - 1] = replace(left, retracted=True) if changes else replace(left, money=None)
            result[at] = right if changes else replace(right, money=None)
            continue
        if between in (["to"], ["with"], ["till"], ["through"], ["upto"], ["up", "to"], ["se"], ["versus"], ["vs"]):
            lead = {token.text for token in tokens[max(0, left.first - 5) : left.first]}
            if lead & _CHANGES:
                result[at - 1] = replace(left, retracted=True)
                continue
        elif not _offers_another(between) or len(between) > 8 or _corrects_after_or(between):
            continue
        result[at - 1], result[at] = replace(left, money=None), replace(right, money=None)
    return result


def _offers_another(between: Sequence[str]) -> bool:
    return bool(_OR & set(between)) or not _OR_PHRASES.isdisjoint(pairwise(between))


def _corrects_after_or(between: Sequence[str]) -> bool:
    at = next((at for at, word in enumerate(between) if word in _OR), len(between))
    tail = between[at:]
    return any(tuple(tail[i : i + n]) in _CUES for n in range(1, _LONGEST_CUE + 1) for i in range(len(tail)))


def take_back(tokens: Sequence[Token], found: Sequence[Found]) -> Sentence:
    """Marks what is taken back; every correction takes back all that was said before it."""
    words = [token.text for token in tokens]
    result = list(found)
    starts = [piece.first for piece in result if not piece.counts]
    first_number = min(starts, default=len(words))
    forgets = _is_bare(words, result)
    cues = list(_cues(words))
    for at, end, cue in cues:
        follows = any(start >= end for start in starts)
        if cue in ("cancel", "relative"):
            forgets = True
            _retract(result, before=at)
            if cue == "cancel":
                _retract_object(words, result, end)
        elif cue == "back":
            if follows or not _changes_other_slot(words, cues, end):
                _retract(result, before=at)
            forgets = forgets or (follows and at < first_number)
        elif cue == "instead":
            _retract(result, before=at if follows else max((s for s in starts if s < at), default=0))
            forgets = forgets or bool(starts)
        elif not follows and tuple(words[at:end]) in _REPLACES:
            _replace_last(result, at)
        elif follows:
            _retract(result, before=at)
            forgets = forgets or (cue == "correct" and at < first_number)
    for phrase in _REPLACED:
        for at in _places(words, phrase):
            _retract_next(result, at + len(phrase), 3)
    forgets = _negate(words, result) or forgets
    _partial(words, result, cues)
    return Sentence(tokens, result, forgets)


def _cues(words: Sequence[str]) -> Iterable[tuple[int, int, _Cue]]:
    """Where a correction is announced: first word, end and kind of each; the longest phrase wins."""
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST_CUE, len(words) - at), 0, -1):
            cue = _CUES.get(tuple(words[at : at + length]))
            if cue and not _is_idiom(words, at, length):
                yield at, at + length, cue
                at += length
                break
        else:
            at += 1


def _is_idiom(words: Sequence[str], at: int, length: int) -> bool:
    """Whether the words take nothing back: "no problem", "account no", "can't wait", "instead of", "don't stop"."""
    before, after = words[at - 1] if at else "", words[at + length] if at + length < len(words) else ""
    word = words[at] if length == 1 else ""
    if word == "sorry" and words[at + 1 : at + 3] in (["to", "bother"], ["to", "trouble"], ["to", "disturb"]):
        return True
    if after in _NO_CUE_BEFORE.get(word, ()):
        return True
    if word == "no" and before in IDENTIFIERS:
        return True
    if (word == "instead" and after == "of") or (word == "rather" and (after == "than" or before in ("would", "id"))):
        return True
    return before in _NEGATIONS and (word in ("wait", "stop", "cancel", "wrong") or words[at] == "forget")


def _changes_other_slot(words: Sequence[str], cues: Iterable[tuple[int, int, _Cue]], end: int) -> bool:
    """Whether what follows "no" corrects the payee or the account: "send 500 to Ravi no sorry to Mom"."""
    for at, stop, _ in cues:
        end = stop if at == end else end
    return end + 1 < len(words) and words[end] in _OTHER_SLOT


def _retract(found: list[Found], *, before: int, since: int = 0) -> None:
    """Takes back the numbers that end by the word `before`, and by `since` at the earliest."""
    for at, piece in enumerate(found):
        if since <= piece.end <= before and not piece.retracted:
            found[at] = replace(piece, retracted=True)


def _replace_last(found: list[Found], at: int) -> None:
    """Takes back the number before "ki jagah" at the end; which of several, where it stands further off, is unclear."""
    if any(piece.end == at for piece in found):
        _retract(found, before=at, since=at)
        return
    amounts = [place for place, piece in enumerate(found) if piece.end <= at and not piece.counts]
    for place in amounts if len(amounts) > 1 else ():
        found[place] = replace(found[place], money=None)


def _retract_next(found: list[Found], at: int, reach: int) -> Found | None:
    for place, piece in enumerate(found):
        if 0 <= piece.first - at <= reach:
            found[place] = replace(piece, retracted=True)
            return piece
    return None


def _retract_object(words: Sequence[str], found: list[Found], at: int) -> None:
    """What "cancel" is said of: "cancel the transfer of five hundred", but not "cancel that transfer six hundred"."""
    following = next((piece.first for piece in found if piece.first >= at), None)
    if following is None:
        return
    between = words[at:following]
    if not _NEW_REQUEST & set(between) and between[-1:] not in (["transfer"], ["that"]):
        _retract_next(found, at, _CANCEL_REACHES)


def _negate(words: Sequence[str], found: list[Found]) -> bool:
    """Takes back what is negated: "not five hundred", "don't send it"; whether it also undoes earlier turns."""
    forgets = False
    for at, word in enumerate(words):
        if word not in _NEGATIONS or any(tuple(words[at : at + len(p)]) == p for p in _NOT_NEGATED):
            continue
        if tuple(words[max(0, at - 1) : at + 1]) in _WHY:
            continue
        following = next((piece.first for piece in found if piece.first > at), None)
        if following is not None and not _NEGATION_ENDS & set(words[at:following]):
            negated = _retract_next(found, at + 1, _NEGATION_REACHES)
            forgets = forgets or (negated is not None and negated.money is None)
        said = words[at + 1 : at + 4]
        if _SENDS & set(said) or tuple(said[:2]) in _GOES_AHEAD:
            _retract(found, before=at)
            forgets = True
    return forgets


def _partial(words: Sequence[str], found: list[Found], cues: Sequence[tuple[int, int, _Cue]]) -> None:
    """After "one thousand five hundred no six hundred" nobody knows whether 600 or 1,600 is meant."""
    for at in range(1, len(found)):
        left, right = found[at - 1], found[at]
        if left.money is None or right.money is None or left.named or right.named or left.top == 0:
            continue
        per_major = MINOR_PER_MAJOR[left.money.currency]
        has_tail = left.money.minor % (left.top * per_major) != 0
        said = [words[a:b] for a, b, cue in cues if cue in ("back", "correct") and left.end <= a and b <= right.first]
        whole = any(phrase[:1] in (["make"], ["change"]) for phrase in said)
        covered = sum(map(len, said)) == right.first - left.end > 0
        if has_tail and covered and not whole and right.money.minor < left.top * per_major:
            found[at] = replace(right, money=None)


def _is_bare(words: Sequence[str], found: Sequence[Found]) -> bool:
    """Whether the turn is nothing but one number, the answer to "how much"."""
    if len(found) != 1 or found[0].counts:
        return False
    rest = [*words[: found[0].first], *words[found[0].end :]]
    gives = any(before in ("kar", "bhej", "de") and word == "do" for before, word in pairwise(rest))
    return all(word in _POLITE or word in _POLITE_HINDI or (word == "do" and gives) for word in rest)


def _places(words: Sequence[str], phrase: Sequence[str]) -> list[int]:
    return [at for at in range(len(words) - len(phrase) + 1) if tuple(words[at : at + len(phrase)]) == tuple(phrase)]
