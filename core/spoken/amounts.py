"""The amounts in what a caller said or typed, corrections resolved, and how amounts are told apart in speech.

Money moves by these readings, so whatever can be understood in two ways is not heard at all and the caller is asked
again. A turn goes through four steps: its words (`core.spoken.tokens`), the stretches of them that are numbers
(`_runs`), what each says and whether it is an amount where it stands (`_found`), and what the turn takes back
(`core.spoken.corrections`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from core.money import MINOR_PER_MAJOR, Money
from core.spoken.corrections import IDENTIFIERS, Found, Sentence, take_back, undecided
from core.spoken.devanagari import KNOWN_WORDS, sounds_like_a_number
from core.spoken.hear import CURRENCY_WORDS
from core.spoken.numerals import (
    BELOW_TWENTY,
    HINDI,
    HINDI_HALVES,
    HINDI_OR_ENGLISH,
    HINDI_SCALES,
    HINDI_STEPS,
    LONG_SCALES,
    MULTIPLES,
    POINTS,
    SCALES,
    SHARED_SCALES,
    SHORT_SCALES,
    TEN_WORDS,
    UNITS,
    ZEROS,
    read,
)
from core.spoken.say import SMALL, TENS, say_digits, say_money
from core.spoken.tokens import Token, phrases, tokens_of, word_set

MAX_CHARACTERS = 800
MAX_WORDS = 120
"""Longer turns are not heard at all: what would be cut off might take back what is not."""

MAX_TURNS = 100

_MAX_MINOR = 10**15
_LONGEST_BARE_DIGITS = 7
_CODE_DIGITS = 6
_ZEROS_HARD_TO_COUNT = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """An amount in a sentence.

    Attributes:
        money: How much; always more than nothing.
        start: Where it begins in the text, in characters.
        end: Where it ends.
        retracted: Whether the same sentence takes it back ("five hundred no make it six hundred").
    """

    money: Money
    start: int
    end: int
    retracted: bool = False


def hear_amounts(text: str, *, currency: str = "INR") -> tuple[Heard, ...]:
    """Every amount in a sentence, in the order said; nothing where a reading is doubtful.

    "send fifteen hundred to Ravi no make it two and a half thousand" gives 1,500 rupees, retracted, and 2,500 rupees.
    Left out are numbers that can be read in two ways ("five six hundred", "fifty sixty"), alternatives and ranges
    ("five or six hundred"), vague amounts ("about five hundred", "at most 500"), and numbers that are no amounts
    (dates, times, counts, account digits). A bare number below ten counts only as in "send five to Ravi".

    Args:
        text: One turn of a caller, as recognised (words only) or as typed; too long a text gives nothing.
        currency: What is meant when no currency is named.
    """
    sentence = _understand(text, currency)
    return tuple(
        Heard(found.money, sentence.tokens[found.first].start, sentence.tokens[found.end - 1].end, found.retracted)
        for found in sentence.found
        if found.money is not None
    )


def amounts_meant(turns: Sequence[str]) -> frozenset[int]:
    """The rupee amounts, in paise, that a caller has said in these turns and not taken back.

    The newest correction wins: "make it six hundred" leaves only 600, whatever was said before. "Cancel that" leaves
    nothing; a mere "no" may answer another question and leaves everything. An amount that is the whole turn answers
    "how much" and replaces what was said before.

    Args:
        turns: What the caller said, oldest first; of very many only the newest `MAX_TURNS` count.
    """
    meant: set[int] = set()
    for turn in turns[-MAX_TURNS:]:
        sentence = _understand(turn, "INR")
        if sentence.forgets:
            meant.clear()
        amounts = [found for found in sentence.found if found.money is not None and found.money.currency == "INR"]
        meant -= {found.money.minor for found in amounts if found.money and found.retracted}
        meant |= {found.money.minor for found in amounts if found.money and not found.retracted}
    return frozenset(meant)


def confusable(money: Money) -> bool:
    """Whether an amount is easily taken for another when heard: fifteen and fifty, twelve and twenty, many zeros."""
    words = say_money(money).split()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in SMALL[12:] or (word in TENS[2:] and following not in SMALL[1:10]):
            return True
    digits = str(money.major)
    return len(digits) - len(digits.rstrip("0")) >= _ZEROS_HARD_TO_COUNT


def say_digits_of(money: Money) -> str:
    """An amount digit by digit, without its currency: "one five zero zero zero", "two five zero point five zero"."""
    minor = f" point {say_digits(f'{money.minor_part:02d}')}" if money.minor_part else ""
    return f"{'minus ' if money.minor < 0 else ''}{say_digits(str(money.major))}{minor}"


_BUCKS = frozenset(("bucks", "buck"))
_ANDS = frozenset(("and", "aur"))

# Numbers: what a run is made of.
_PLAIN = BELOW_TWENTY.keys() | TEN_WORDS.keys() | (HINDI.keys() - HINDI_OR_ENGLISH) | HINDI_HALVES.keys()
_STEPS = HINDI_STEPS.keys() - HINDI_OR_ENGLISH
_HINDI_WORDS = HINDI.keys() | HINDI_SCALES.keys() | HINDI_HALVES.keys() | HINDI_STEPS.keys()

# Where a number stands. Bare ones are amounts only before words that can follow an amount.
_VAGUE_BEFORE = word_set(
    "than over above under below beneath least most upto exceeding beyond within between by minus negative around "
    "about approximately approx roughly almost nearly near plus times couple few several many some twice thrice half "
    "quarter quarters third maximum minimum max min every lagbhag kareeb karib percent into takriban har kam zyada "
    "kareeban takreeban andazan andaazan koi kuch kuchh adhiktam nyuntam jyada jyaada zyaada"
)
_VAGUE_AFTER = word_set(
    "percent % plus + minus times odd something ish point decimal more less extra additional note notes coin coins "
    "onwards quarter quarters multiplied divided x × * ÷ = max maximum minimum min hundredth thousandth liye "
    "baad saath andar upar tak guna"
)
_VAGUE_AFTER_PHRASES = phrases(
    "per cent, or so, or more, or less, or something, or thereabouts, or above, or under, or below, and above, and "
    "below, and over, and change, and odd, at most, at least, a share, se zyada, se kam, se upar, "
    "se neeche, se niche, se jyada, se jyaada, se zyaada, se adhik, se andar, ka aadha, ka dugna, ka double, "
    "ke aaspaas, ke aspas, ke aas, ke kareeb, ke karib, ke lagbhag, ke andar, ke neeche, ke niche, ke upar"
)
_WHOLE = word_set("sum amount payment transfer total figure")  # "a sum of a thousand" is all of it
_NO_AMOUNT_AFTER = word_set(
    "last past previous recent latest next first top other these those at in on page option step chapter section line "
    "room flat floor gate seat age aged since until till before after during year month day number numbers digit "
    "digits version dated born code pin otp saal tarikh tareekh taarikh makaan"
)
_MONTHS = word_set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec janvari farvari aprail joon julai agast sitambar aktubar navambar disambar"
)
_BEFORE_IDENTIFIED = word_set(
    "number no is ending ends in with of the my id last code digits hai hain mera meri mere aakhri aakhiri antim "
    "char chaar"
)
_NUMBERED = IDENTIFIERS | {"number"}
_BETWEEN_AND_WHAT_IT_IDENTIFIES = word_set("is hai hain my the mera meri mere")
_COUNTED = word_set(
    "transaction transactions payment payments transfer transfers bill bills account accounts card cards loan loans "
    "day days week weeks fortnight month months year years hour hours minute minutes min mins second seconds sec secs "
    "moment time times people person persons friend friends payee payees contact contacts beneficiary beneficiaries "
    "reminder reminders entry entries line lines item items instalment instalments installment installments emi emis "
    "digit digits per degree degrees km kms kg kgs kilometres litre litres liter liters unit units ticket tickets "
    "thing things question questions request requests withdrawal withdrawals deposit deposits credit credits debit "
    "debits purchase purchases try tries attempt attempts point points star stars child children kid kids member "
    "members share shares gram grams oclock am pm of st nd rd th other others bank banks option options message "
    "messages percent baje tarikh tareekh taarikh din mahine mahina saal hafte hafta ghante ghanta log logon baar"
)
_TIMES = word_set("do teen tiin char chaar 2 3 4")
_LAST_OF_MONTH = 31
_DOERS = word_set("you i we they to lets can could would will shall just please")

_MAY_FOLLOW = word_set(
    "to for from into via in on with using through by please only now today tomorrow tonight immediately right and "
    "then but as instead rather each exactly thanks thank ok okay yes yeah yep no nope nah not sorry wait actually i "
    "make it is its was that this towards against back over across sir madam maam ji out straight first cash sure "
    "correct oh well or if so because who which will would can could should shall may must has have had do dont "
    "does my me him her them his their our your he she they we you be are were at after before when once again too "
    "also just even until till since the a an got goes go went came come comes left total altogether asap soon quickly "
    "one cancel stop scratch forget never nevermind ignore drop undo hold hang oops change lets let say said mean "
    "meant want wanted need send sent transfer pay paid give move put deposit shift wire there here up down "
    "what how why where next last later monthly weekly daily yearly between among alone hai tha ko ka ki ke se hi "
    "bhi bhej bhejo bhejna bhejdo bhejiye de dena dijiye kar karo kardo karna chahiye wala wale sirf nahi nahin matlab "
    "haan aur phir ya yaar bhai na hain dedo dalo daal"
)
_HINDI_FOLLOWS = word_set(
    "ko ka ki ke se hi bhi bhej bhejo bhejna bhejdo bhejiye do de dena dijiye kar karo kardo karna chahiye wala wale "
    "sirf nahi nahin matlab transfer send to from for please pay hai tha ji dedo dalo daal na aur only instead abhi "
    "turant aaj theek kijiye kariye"
)
_SENDING = word_set(
    "send sending sent transfer transferring pay paying give giving move wire remit put deposit shift lend refund "
    "return repay bhej bhejo bhejna"
)
_STEMS = word_set("bhej de kar daal dal dila bhar chuka pahuncha laga transfer send pay")
_AFTER_GIVE = word_set("na ji please abhi turant bhai yaar sir madam")
# "Hundred rupees" is a hundred only where no digit can have gone missing or been taken for "to" or "for".
_BEFORE_BARE_SCALE = _SENDING | word_set(
    "of me him her them just only please that it is exactly sorry i mean meant said want need another the a make "
    "rupees yes okay ok actually wait ko bas sirf"
)
# Any other word may be part of a number, in a spelling that is not known.
_KNOWN = _MAY_FOLLOW | _HINDI_FOLLOWS | _COUNTED | _MONTHS | _SENDING | _VAGUE_BEFORE | _VAGUE_AFTER | IDENTIFIERS
_KNOWN |= KNOWN_WORDS - {"do"}


def _understand(text: str, currency: str) -> Sentence:
    if len(text) > MAX_CHARACTERS:
        return Sentence(forgets=True)
    tokens, lost_at_end = tokens_of(text)
    if len(tokens) > MAX_WORDS:
        return Sentence(forgets=True)
    runs = _runs(tokens)
    found = [piece for first, end in runs for piece in _found(tokens, first, end, currency, lost_at_end=lost_at_end)]
    found = _apart(tokens, found)
    return take_back(tokens, undecided(tokens, found))


def _runs(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """The longest stretches of words that belong to numbers and units of money; there is a number in each."""
    runs: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and _belongs(tokens, end, at):
            end += 1
        if any(_counts(token) for token in tokens[at:end]):
            runs.append((at, end))
        at = max(end, at + 1)
    return runs


def _counts(token: Token) -> bool:
    return token.numeral or token.garbled or token.text in _PLAIN or token.text in LONG_SCALES or token.text in HINDI


def _belongs(tokens: Sequence[Token], at: int, first: int) -> bool:
    """Whether the word at `at` is part of a number run that began at `first`."""
    token = tokens[at]
    word = token.text
    following = _word(tokens, at + 1)
    before = tokens[at - 1] if at > first else None
    number_follows = at + 1 < len(tokens) and _starts(tokens, at + 1)
    if (
        token.numeral
        or token.garbled
        or word in _PLAIN
        or word in LONG_SCALES
        or word in CURRENCY_WORDS
        or word in _BUCKS
    ):
        return True
    if word in _STEPS:
        return following in LONG_SCALES or number_follows or following in HINDI
    if word in HINDI_OR_ENGLISH:
        previous = _word(tokens, at - 1)
        if word == "do" and following in LONG_SCALES and following not in HINDI_SCALES:
            # "Can you do thousand rupees" is one thousand.
            return before is not None or (following in SHARED_SCALES and previous not in _DOERS)
        or_half = following in HINDI_HALVES and previous not in _STEMS  # "do dhai sau" is one or the other
        in_number = following in HINDI_SCALES or following in LONG_SCALES or following in HINDI or following in POINTS
        return or_half or in_number or following in CURRENCY_WORDS
    if word in SHORT_SCALES:
        return before is not None and _counts(before)
    if word in MULTIPLES:
        return following in UNITS or following in ZEROS
    if word in ZEROS:
        return before is not None and (before.text in UNITS.keys() | ZEROS | MULTIPLES.keys() | POINTS)
    if word in POINTS:
        return number_follows
    if word in ("a", "an"):
        after_half = before is not None and before.text == "half"
        return following in LONG_SCALES or (
            (following in ("half", "quarter") and before is not None and before.text == "and") or after_half
        )
    if word == "half":
        whole = before is not None and before.text in ("and", "a")
        return whole or following in LONG_SCALES or (following == "a" and _word(tokens, at + 2) in LONG_SCALES)
    if word == "aur":
        follows = number_follows or (following in HINDI and _belongs(tokens, at + 1, at + 1))
        return before is not None and before.text in CURRENCY_WORDS and follows
    if word == "quarter":
        return before is not None and before.text == "a"
    if word == "and":
        fraction = following == "half" or (following == "a" and _word(tokens, at + 2) in ("half", "quarter"))
        return before is not None and (number_follows or fraction)
    return False


def _starts(tokens: Sequence[Token], at: int) -> bool:
    """Whether a number can begin with the word at `at`."""
    token = tokens[at]
    following = _word(tokens, at + 1)
    if _counts(token) and token.text not in HINDI_OR_ENGLISH:
        return True
    if token.text in ("a", "an"):
        return following in LONG_SCALES
    return token.text in CURRENCY_WORDS or token.text in MULTIPLES or token.text in ZEROS or token.text in HINDI_HALVES


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


# What a run says.


def _found(tokens: Sequence[Token], first: int, end: int, currency: str, *, lost_at_end: bool) -> list[Found]:
    """The amounts of one run; one unclear thing where it does not read as a whole."""
    unclear = [Found(first, end)]
    lost = tokens[first].gap == "lost" or (tokens[end].gap == "lost" if end < len(tokens) else lost_at_end)
    if lost or any(token.garbled for token in tokens[first:end]) or not _unbroken(tokens, first, end):
        return unclear
    one = _amount(tokens, first, end, currency)
    pieces = [one] if one else []
    if one is None or any(token.gap == "stop" for token in tokens[first + 1 : end]):
        cuts = [at for at in range(first + 1, end) if tokens[at].text in _ANDS or tokens[at].gap == "stop"]
        if not cuts:
            return unclear
        starts = [first, *(at + (tokens[at].text in _ANDS) for at in cuts)]
        for start, stop in zip(starts, [*cuts, end], strict=True):
            piece = _amount(tokens, start, stop, currency) if start < stop else None
            if piece is None or not piece.named or CURRENCY_WORDS.get(tokens[stop - 1].text, ("", False))[1]:
                return unclear
            pieces.append(piece)
        pieces = pieces[1:] if one else pieces
    return [_in_place(tokens, piece) for piece in pieces]


def _unbroken(tokens: Sequence[Token], first: int, end: int) -> bool:
    """Whether no word can have been lost inside; a hesitation is harmless only where the number must go on."""
    for token in tokens[first + 1 : end]:
        if token.gap in ("noise", "lost"):
            return False
        goes_on = token.text in LONG_SCALES or token.text in CURRENCY_WORDS or token.text in POINTS | {"and"}
        if token.gap == "hesitation" and not goes_on:
            return False
    return True


def _amount(tokens: Sequence[Token], first: int, end: int, currency: str) -> Found | None:
    """The one amount that all words from `first` to `end` say."""
    words = ["and" if token.text == "aur" else SHORT_SCALES.get(token.text, token.text) for token in tokens[first:end]]
    units = [(at, _unit(word, currency)) for at, word in enumerate(words) if word in CURRENCY_WORDS or word in _BUCKS]
    named = bool(units)
    if len(units) > 1 and units[0][0] == 0 and units[1][1] == units[0][1] and not units[0][1][1]:
        # "₹500 rupees": the unit said twice.
        words, units = words[1:], [(at - 1, unit) for at, unit in units[1:]]
    major: Sequence[str] | None = words
    minor: Sequence[str] | None = None
    last = len(words) - 1
    match units:
        case []:
            pass
        case [(0, (currency, False))]:
            major = words[1:]
        case [(at, (currency, True))] if at == last:
            major, minor = None, words[:at]
        case [(at, (currency, False))] if at == last:
            major = words[:at]
        case [(0, (currency, False)), (at, (other, True))] if (at, other) == (last, currency) and "and" in words:
            cut = last - words[::-1].index("and")
            major, minor = words[1:cut], words[cut + 1 : last]
        case [(at, (currency, False)), (stop, (other, True))] if at and (stop, other) == (last, currency):
            joined = words[at + 1] == "and"
            major, minor = words[:at], words[at + 1 + joined : last]
        case _:
            return None
    return _value(major, minor, currency, Found(first, end, named=named))


def _unit(word: str, currency: str) -> tuple[str, bool]:
    if word in _BUCKS:
        return currency, False
    code, is_minor = CURRENCY_WORDS[word]
    return (currency, True) if code == "USD" and is_minor and currency == "EUR" else (code, is_minor)


def _value(major: Sequence[str] | None, minor: Sequence[str] | None, currency: str, found: Found) -> Found | None:
    indian, per_major = currency == "INR", MINOR_PER_MAJOR[currency]
    whole = read(major, indian=indian) if major else None
    part = read(minor, indian=indian) if minor else None
    if (major is not None and whole is None) or (minor is not None and part is None):
        return None
    total = (whole.value * per_major if whole else 0) + (part.value if part else 0)
    if total != int(total) or not 0 < total <= _MAX_MINOR:
        return None
    if whole and part and (part.value >= per_major or whole.value.denominator != 1):
        return None
    if whole and not found.named and not whole.sure and not _is_exact(major or ()):
        return None
    if not found.named and len(major or ()) == 1 and len((major or ("",))[0].partition(".")[0]) > _LONGEST_BARE_DIGITS:
        return replace(found, counts=True)
    top = max((SCALES.get(HINDI_SCALES.get(word, word), 0) for word in major or ()), default=0)
    return replace(found, money=Money(int(total), currency), top=top)


def _is_exact(words: Sequence[str]) -> bool:
    """Whether it is a numeral with two decimals, "500.50"."""
    return len(words) == 1 and re.fullmatch(r"\d+\.\d\d", words[0]) is not None


# Whether it is an amount where it stands.


def _in_place(tokens: Sequence[Token], found: Found) -> Found:
    if found.money is None:
        return found
    before, after = _word(tokens, found.first - 1), _word(tokens, found.end)
    unclear = replace(found, money=None)
    if _is_vague(tokens, found) or _may_go_on(tokens, found):
        return unclear
    if tokens[found.first].text in LONG_SCALES:  # nothing said how many hundreds or thousands
        at_start = found.first == 0 or tokens[found.first].gap == "stop"
        if tokens[found.first].gap in ("noise", "hesitation") or not (at_start or before in _BEFORE_BARE_SCALE):
            return unclear
    if _is_gift(tokens, found):
        return unclear
    if found.named:
        return found
    if _is_no_amount(tokens, found):
        return replace(found, money=None, counts=True)
    if _looks_like_a_code(tokens[found.first : found.end]):
        return unclear
    words = {token.text for token in tokens[found.first : found.end]}
    if found.money.minor < 10 * MINOR_PER_MAJOR[found.money.currency]:
        if before in _SENDING and after == "to":
            return found
        return replace(unclear, counts=words == {"one"})
    ends_here = found.end == len(tokens) or tokens[found.end].gap == "stop"
    # "Five hundred two Ravi" may be "five hundred to Ravi".
    homophone = found.end - found.first > 1 and tokens[found.end - 1].text in ("two", "four")
    follows = _MAY_FOLLOW if not homophone else word_set("to for from please only now instead and")
    if words & _HINDI_WORDS:  # a Hindi number that is not known may follow and change the value
        follows = _HINDI_FOLLOWS
    return found if ends_here or after in follows else unclear


def _apart(tokens: Sequence[Token], found: Sequence[Found]) -> list[Found]:
    """Makes a number unclear that only one unknown word keeps apart from an unclear one: "ek hazr paanch sau"."""
    result = list(found)
    for at, (left, right) in enumerate(pairwise(found)):
        between = tokens[left.end : right.first + 1]
        counts = left.counts and tokens[left.first].text != "one"  # "one" counts wherever it is alone
        if left.money is not None or counts or len(between) != 2 or any(token.gap for token in between):
            continue
        if between[0].text not in _KNOWN and tokens[left.end - 1].text not in CURRENCY_WORDS:
            result[at + 1] = replace(right, money=None)
    return result


def _may_go_on(tokens: Sequence[Token], found: Found) -> bool:
    """Whether the word before or after may be a part of the number that is spelled in an unknown way."""
    before = tokens[found.first - 1] if found.first and not tokens[found.first].gap else None
    after = tokens[found.end] if found.end < len(tokens) and not tokens[found.end].gap else None
    is_hindi = any(token.text in _HINDI_WORDS for token in tokens[found.first : found.end])
    if is_hindi and before is not None and before.text not in _KNOWN and before.text.isascii():
        second, third = _word(tokens, found.first - 2), _word(tokens, found.first - 3)
        if second in HINDI_OR_ENGLISH and third not in _STEMS:  # "do hazr paanch sau"
            return True
    for token in (before, after):
        if token is None:
            continue
        if token.text == "so" and (is_hindi or (token is after and _word(tokens, found.end + 1) in CURRENCY_WORDS)):
            return True  # "so" may be "sau"
        if not token.text.isascii() and sounds_like_a_number(token.text):
            return True
    return False


def _is_gift(tokens: Sequence[Token], found: Found) -> bool:
    """Whether a "do" next to the number may be two as well as give: "bhej do sau rupaye", "paanch sau do bhejo"."""
    first, last = tokens[found.first], found.end
    if first.text == "do" and first.gap != "stop" and _word(tokens, found.first - 1) in _STEMS:
        return True
    hindi = any(token.text in _HINDI_WORDS for token in tokens[found.first : last])
    if not hindi or found.named or _word(tokens, last) != "do" or tokens[last].gap == "stop":
        return False
    whom = any(token.text == "ko" for token in tokens[: found.first])
    goes_on = last + 1 < len(tokens) and tokens[last + 1].gap != "stop" and tokens[last + 1].text not in _AFTER_GIVE
    return goes_on or not whom


def _looks_like_a_code(tokens: Sequence[Token]) -> bool:
    """Whether it is six digits or more without grouping or round end, as nobody types an amount."""
    if len(tokens) != 1 or not tokens[0].text.isdecimal():
        return False
    ungrouped = tokens[0].end - tokens[0].start == len(tokens[0].text)
    return ungrouped and len(tokens[0].text) >= _CODE_DIGITS and not tokens[0].text.endswith("00")


def _is_vague(tokens: Sequence[Token], found: Found) -> bool:
    before, second = _word(tokens, found.first - 1), _word(tokens, found.first - 2)
    after = [token.text for token in tokens[found.end : found.end + 2]]
    if before == "about" and second in ("what", "how"):
        return False
    if (before == "over" and second in _SENDING) or (before == "than" and second == "rather"):
        return False
    if before in _VAGUE_BEFORE or (before == "to" and second in ("up", "close", "near")):
        return True
    if before == "baar" and second in _TIMES:  # "do baar paanch sau"
        return True
    first = tokens[found.first].text
    if before == "of" and (first in ("a", "an") or first in LONG_SCALES) and second not in _WHOLE:
        return True  # "a tenth of a lakh"
    if before == "of" and second in ("half", "quarter", "percent", "third", "couple", "lot", "lots"):
        return True
    if after[:1] and after[0] in _VAGUE_AFTER:
        return True
    return tuple(after[:2]) in _VAGUE_AFTER_PHRASES


def _is_no_amount(tokens: Sequence[Token], found: Found) -> bool:
    """Whether a bare number counts, dates, times or names something."""
    before, after = _word(tokens, found.first - 1), _word(tokens, found.end)
    stop_before = tokens[found.first].gap == "stop"
    stop_after = found.end < len(tokens) and tokens[found.end].gap == "stop"
    if not stop_after and (
        after in _COUNTED or after in _MONTHS or (after in ("a", "p") and _word(tokens, found.end + 1) == "m")
    ):
        return True
    if not stop_after and (_is_day(tokens, found) or _is_named_after(tokens, found)):
        return True
    if stop_before:
        return False
    if before in _NO_AMOUNT_AFTER or before in _MONTHS:
        return True
    if before in ("of", "by", "from") and found.money and 1990_00 <= found.money.minor < 2100_00:
        return True
    if before == "account" and found.top and not tokens[found.first].numeral:
        return False  # account numbers are not said in hundreds: "from my savings account five hundred to Ravi"
    at = found.first - 1
    while at > 0 and tokens[at].text in _BEFORE_IDENTIFIED and found.first - at <= 5:
        at -= 1
    return any(token.text in _NUMBERED for token in tokens[max(at, 0) : found.first])


def _is_day(tokens: Sequence[Token], found: Found) -> bool:
    """Whether it is a day of the month, as in "15 ko bhejo"."""
    assert found.money is not None
    days, rest = divmod(found.money.minor, MINOR_PER_MAJOR[found.money.currency])
    return not found.top and not rest and days <= _LAST_OF_MONTH and _word(tokens, found.end) == "ko"


def _is_named_after(tokens: Sequence[Token], found: Found) -> bool:
    """Whether what follows tells what the number belongs to: "4521 is my pin"."""
    at = found.end
    while _word(tokens, at) in _BETWEEN_AND_WHAT_IT_IDENTIFIES:
        at += 1
    return at > found.end and _word(tokens, at) in IDENTIFIERS
