"""Said is done: what the model may claim, held against what was committed in this call."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.money import Money
from core.spoken import hear_amounts, say_ordinal
from core.spoken.say import MONTHS
from core.spoken.tokens import word_set
from pipelines.claims import Claim, Said, affirms, asks_whether_done, hindi, sentences
from pipelines.lines import lines

MAX_ACTS = 100
MAX_TOLD = 200
"""The newest acts and sentences of a call that are remembered."""

_MAX_LISTED = 3

# Words that name nobody and nothing; all others in a claim must be of the act it is about.
_FUNCTION = word_set(
    "a an the this that these those it its i you we he she they him her them me us my your his their our is are was "
    "were am be been being 's has have had do does did will would can could shall should may might must to for from of "
    "in on by with at into via through over as and but so or if then now just already also successfully safely duly "
    "promptly immediately instantly finally really indeed fully actually securely quickly automatically all right well "
    "yes yeah okay ok sure certainly definitely absolutely of course please thank thanks sir madam great good news "
    "happy pleased glad say tell confirm know let inform here there what everything moment ago minute minutes shortly "
    "soon today which who got get gone going go went came come made make put ahead"
)
_GENERIC = _FUNCTION | word_set(
    "sent transferred remitted wired paid credited debited deposited deducted disbursed dispatched settled cleared "
    "moved delivered landed arrived reached posted shifted routed received handed done finished completed complete "
    "successful successfully succeeded success sorted handled fulfilled accomplished achieved actioned performed "
    "resolved executed processed confirmed approved authorised authorized submitted initiated effected concluded "
    "finalised finalized arranged accepted money rupees amount payment transfer transaction funds cash request way set "
    "taken care asked requested said wished new balance left leaves leaving imps neft upi account bank payee see "
    "receive find statement consider out off carried perfect wonderful excellent congratulations sending transferring "
    "paying no problem worries worry not without hitch anything else help recipient sum total full exactly job task "
    "mission updated remaining stands reflect reflected show land reach arrive deal"
)
_AFTER_TO = word_set(
    "him her them his their the your that this say tell confirm inform let know report be have help go see do payee "
    "recipient"
)
_FROM_ACCOUNT = re.compile(r"\bfrom (?:your |the )?(?:(?:savings |current )?account|savings|current)\b")
_DATE = re.compile(
    rf"\b(?:yesterday|today|(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    rf"(?:{'|'.join(map(say_ordinal, range(31, 0, -1)))}) of (?:{'|'.join(MONTHS).lower()})|"
    rf"(?:(?<=\bin )|(?<=\blast )|(?<=\bsince ))(?:{'|'.join(MONTHS).lower()}))\b"
)
_BALANCE = re.compile(
    r"\bbalance\b|\bleaves you\b|\bleaving you\b|\byou (?:now |still )?have\b(?=.*\b(?:left|remaining)\b)"
)
_THIS_MOMENT = word_set("just now already moment seconds second")
_PERIOD = re.compile(
    r"\b(?:last|this|previous|past) (?:week|month|year|quarter|night)\b|\b(?:days?|weeks?|months?|years?) ago\b|"
    r"\b(?:latest|last|recent|previous) (?:[a-z]+ )?(?:transactions?|payments?|transfers?|entry|entries)\b"
)


@dataclass(frozen=True, slots=True)
class _Act:
    """Something that was tried.

    Attributes:
        amount: What was moved.
        who: Every word it may be named by.
        name: The name to say first.
        done: Whether it was.
    """

    amount: Money | None
    who: frozenset[str]
    name: str
    done: bool


class Truth:
    """What was really done in one call, and the judge of the model's sentences about it.

    A sentence that claims a completed act may be said only if an act that was committed in this call fits it, in
    amount, name and kind as far as the sentence goes; or if the server has said just that; or if it tells of the past,
    as a statement read out in this call does. What claims nothing may always be said.
    """

    def __init__(self, language: str = "en") -> None:
        self._lines = lines(language)
        self._in_hindi = language == "hi"
        self._acts: deque[_Act] = deque(maxlen=MAX_ACTS)
        self._told: deque[_Told] = deque(maxlen=MAX_TOLD)

    def committed(self, amount: Money | None, *names: str) -> None:
        """Remember an act that is in the database.

        Args:
            amount: What was moved; None where no money was.
            names: Whom or what it was for, by every name a sentence may use, the one to say first ("Ravi", "Ravi
                Kumar"); a claim that names anything else is refused.
        """
        self._acts.append(_act(amount, names, done=True))

    def failed(self, amount: Money | None, *names: str) -> None:
        """Remember that something was tried and not done; a claim that fits it is refused, whatever was done before."""
        self._acts.append(_act(amount, names, done=False))

    def told(self, text: str) -> None:
        """Remember the server's own words: a tool's result, or what it said itself."""
        for said in sentences(text, hindi=self._in_hindi):
            self._told.append(_Told(said, frozenset(_amounts(said.text)), _dates(said)))

    def allows(self, sentence: str, *, asked: str = "") -> bool:
        """Whether the model may say this, one sentence or several.

        Args:
            sentence: What the model is about to say.
            asked: The caller's newest words: after "did you send it", a mere "yes" is a claim.
        """
        return all(self._may_say(said, asked) for said in sentences(sentence, hindi=self._in_hindi))

    def instead(self) -> str:
        """What to say in place of a claim that was held back; true whatever it claimed."""
        moved = [act for act in self._acts if act.done and act.amount is not None]
        told = [self._lines.moved(act.amount, act.name) for act in moved[-_MAX_LISTED:] if act.amount]
        return self._lines.truth(told, len(moved) - len(told), any(act.done for act in self._acts))

    def _may_say(self, said: Said, asked: str) -> bool:
        if said.undoes and self._was_done(said) and not self._word_for_word(said):
            return False
        claims = said.claims
        if not claims and affirms(said) and asks_whether_done(asked):
            claims = (Claim(),)
        if said.readable and not claims:
            return True
        # A line of a statement as it was read out, with its day, is no word about what was tried in this call.
        if any(told.dates for told in self._word_for_word(said)):
            return True
        about = _about(said, claims)
        act = next((act for act in reversed(self._acts) if self._fits(act, about)), None)
        if act is not None:
            return act.done
        # What the model says it has done itself, or says of nothing in particular, needs the act; a text that somebody
        # else wrote, such as a narration, may have been read out with the server's words.
        if not said.readable or not (_is_own(claims) or _is_unspecific(said)):
            return bool(self._word_for_word(said)) or (
                said.readable and (self._is_paraphrase(said) or self._is_history(said))
            )
        return False

    def _word_for_word(self, said: Said) -> list[_Told]:
        """Where the server itself has said just this."""
        return [told for told in self._told if told.said.words == said.words]

    def _was_done(self, said: Said) -> bool:
        """Whether what a sentence denies was done: the newest payment tried that it may be about."""
        amounts, named = _amounts(said.text), self._named(said)
        for act in reversed(self._acts):
            if act.amount is not None and amounts <= {act.amount} and named <= act.who:
                return act.done
        return False

    def _named(self, said: Said) -> set[str]:
        """Whom or what it names: what stands behind "to" and "for", before "bill", and every name of an act."""
        named = {word for act in self._acts for word in act.who} & set(said.words)
        for word, following in pairwise(said.words):
            if word in ("to", "for"):
                named.add(following)
            if following in ("bill", "bills"):
                named |= {word, "bill"}
        return named - (_GENERIC - {"bill"}) - _AFTER_TO

    def _fits(self, act: _Act, about: _About) -> bool:
        """Whether all that a sentence says can be of this act."""
        if about.hindi:
            return self._fits_in_hindi(act, about)
        known = act.who | _GENERIC
        if about.balances and not about.balances <= {amount for told in self._told for amount in told.amounts}:
            return False
        if act.amount is None:
            if about.amounts or about.balances or about.money or not about.others <= self._claimed():
                return False
            return about.content <= known | {
                word for told in self._told if told.said.claims for word in told.said.words
            }
        if about.others or not about.amounts <= {act.amount} or not about.content <= known:
            return False
        return all(word in act.who or word in _AFTER_TO for word in about.after_to)

    def _fits_in_hindi(self, act: _Act, about: _About) -> bool:
        """The same, where the server has told what was done in English and the sentence is in Hindi."""
        if not about.balances <= {amount for told in self._told for amount in told.amounts}:
            return False
        if act.amount is None:
            known = {word for told in self._told for word in told.said.words}
            return not (about.amounts or about.balances or about.money) and about.thing in known
        return (
            not about.others
            and about.amounts <= {act.amount}
            and not hindi.names_in(list(about.content), [*act.who, *_GENERIC])
        )

    def _is_paraphrase(self, said: Said) -> bool:
        """Whether the server has said as much in other words, of no other day."""
        content, amounts = _content(said, _FUNCTION), _amounts(said.text)
        claimed = {claim.word for claim in said.claims}
        return bool(content) and any(
            claimed <= {claim.word for claim in told.said.claims}
            and not told.said.negative
            and not told.dates
            and amounts <= told.amounts
            and content <= set(told.said.words)
            for told in self._told
        )

    def _claimed(self) -> set[str]:
        """The words by which the server itself has told what was done."""
        return {claim.word for told in self._told if not told.said.negative for claim in told.said.claims}

    def _is_history(self, said: Said) -> bool:
        """Whether it tells what a statement that was read out tells, with its day."""
        if said.hindi:
            return self._is_history_in_hindi(said)
        days, amounts = _dates(said), _amounts_and_balances(said.text)[0]
        if _THIS_MOMENT & set(said.words) or not (days or _PERIOD.search(said.text)):
            return False
        dated = [told for told in self._told if told.dates or _PERIOD.search(told.said.text)]
        content = _content(said, _GENERIC) - {word for day in days for word in day.split()}
        if not amounts and not (content and days - {"today"}):
            return False
        if not amounts or "today" in days:  # today's is easily taken for what was asked for just now
            dated = [told for told in dated if content <= set(told.said.words)]
        if not amounts:
            return any(days <= told.dates for told in dated)
        return all(any(amount in told.amounts and days <= told.dates for told in dated) for amount in amounts)

    def _is_history_in_hindi(self, said: Said) -> bool:
        """The days are read out in English: of a sentence in Hindi only the amounts can be held against them."""
        amounts = _amounts(said.text)
        dated = [told for told in self._told if told.dates or _PERIOD.search(told.said.text)]
        known = {amount for told in dated for amount in told.amounts}
        return bool(amounts) and amounts <= known and hindi.tells_of_the_past(said.text)


@dataclass(frozen=True, slots=True)
class _About:
    """What a claiming sentence speaks of, to be held against the acts.

    Attributes:
        content: Its words but for those of amounts.
        amounts: What it says was moved.
        balances: What it says is left.
        after_to: The words after each "to".
        money: Whether it claims that money moved.
        others: The words by which it claims something else.
        thing: What that is, where it is claimed in Hindi.
        hindi: Whether it is in Hindi, or partly.
    """

    content: set[str]
    amounts: set[Money]
    balances: set[Money]
    after_to: list[str]
    money: bool
    others: set[str]
    thing: str | None
    hindi: bool


@dataclass(frozen=True, slots=True)
class _Told:
    said: Said
    amounts: frozenset[Money]
    dates: frozenset[str]


def _act(amount: Money | None, names: Sequence[str], *, done: bool) -> _Act:
    words = frozenset(word for name in names for said in sentences(name) for word in said.words)
    return _Act(amount, words, names[0] if names else "", done)


def _about(said: Said, claims: Sequence[Claim]) -> _About:
    return _About(
        _content(said),
        *_amounts_and_balances(said.text),
        [following for word, following in pairwise(said.words) if word == "to"],
        any(claim.money or claim.balance for claim in claims),
        {claim.word for claim in claims if claim.other},
        hindi.kept_thing(said.text) if said.hindi else None,
        said.hindi,
    )


def _is_own(claims: Sequence[Claim]) -> bool:
    return any(claim.mine and not claim.other for claim in claims)


def _is_unspecific(said: Said) -> bool:
    return not _amounts(said.text) and _content(said) <= _GENERIC


def _amounts(text: str) -> set[Money]:
    return {heard.money for heard in hear_amounts(text)}


def _amounts_and_balances(text: str) -> tuple[set[Money], set[Money]]:
    """The amounts a sentence names, and apart from them those of a balance."""
    balance = _BALANCE.search(text)
    at = balance.start() if balance else len(text)
    heard = hear_amounts(text)
    return {one.money for one in heard if one.start < at}, {one.money for one in heard if one.start > at}


def _content(said: Said, beside: frozenset[str] = frozenset()) -> set[str]:
    """The words that say of what a sentence speaks: not those of its amounts, nor "from your savings account"."""
    spans = [(heard.start, heard.end) for heard in hear_amounts(said.text)]
    own = [match.span() for match in _FROM_ACCOUNT.finditer(said.text)]
    words: set[str] = set()
    at = 0
    for word in said.words:
        if not any(start <= at < end for start, end in [*spans, *own]):
            words.add(word)
        at += len(word) + 1
    return words - beside


def _dates(said: Said) -> frozenset[str]:
    return frozenset(_DATE.findall(said.text))
