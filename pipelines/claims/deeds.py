"""Verbs that tell a deed as done: "sent", "has been paid", "I've put"; and where they tell none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.spoken.tokens import word_set
from pipelines.claims.clauses import CONDITIONS, FINITE, MODALS, NEGATORS, SUBJECTS, Claim, Clause, is_condition

MONEY_DONE = word_set(
    "sent transferred remitted wired paid repaid refunded reimbursed credited debited deposited deducted disbursed "
    "dispatched forwarded settled cleared moved zapped beamed whisked shipped pushed released delivered landed arrived "
    "reached reversed posted shifted routed recharged loaded gone received reflected gifted lent donated handed "
    "withdrawn drawn subtracted bought purchased shot fired swiped parted given"
)
PLAIN_DONE = word_set(
    "done finished completed complete successful successfully succeeded success sorted handled fulfilled accomplished "
    "achieved actioned performed resolved executed processed confirmed approved authorised authorized submitted "
    "initiated effected concluded finalised finalized arranged accepted"
)
_OTHER_DONE = word_set(
    "added saved created set scheduled removed deleted cancelled canceled updated changed registered booked raised "
    "logged reported filed blocked unblocked frozen froze locked unlocked deactivated activated disabled suspended "
    "hotlisted placed enrolled linked issued ordered escalated notified alerted informed stopped enabled increased "
    "replaced"
)
_DONE = MONEY_DONE | PLAIN_DONE | _OTHER_DONE
_DOING = word_set(
    "sending transferring paying moving wiring remitting processing executing completing depositing crediting debiting "
    "settling blocking freezing adding saving creating scheduling initiating submitting actioning finalising "
    "finalizing recharging"
)
# Any other past of "I", "we" or the money is a deed too, but for what can well have been done without doing anything.
_PAST = word_set(
    "put told gave given took taken flown flew got let made kept left brought cut hit held led ran run threw thrown "
    "wrote written slipped went drew sold spent stuck swept swung tore woke built"
)
_HARMLESS = word_set(
    "got heard understood asked checked looked tried read seen saw thought meant noticed received missed misheard "
    "mentioned promised explained repeated opened shown showed listed expired failed declined rejected refused "
    "cancelled canceled stopped had been was were knew wanted needed forgot forgotten located prepared drafted changed "
    "answered described counted recognised recognized spoken talked called waited paused apologised apologized learned "
    "learnt ended noted agreed need proceed indeed exceed succeed feed kept remembered assumed believed hoped "
    "suggested offered listened reviewed searched confused stated verified matched selected chosen loaded bounced "
    "lapsed wrote written picked decided guessed skipped ignored interpreted hesitated proposed recommended warned"
)
_DEED_SUBJECTS = word_set("i we money rupees amount funds cash payment transfer it that everything all")
# And what is said of these in the passive, but for what they may be without anybody doing anything.
_PASSIVE_SUBJECTS = word_set(
    "money rupees amount sum funds cash payment transfer transaction request instruction instructions order card bill "
    "bills dues debt reminder payee it that everything"
)
_HARMLESS_PASSIVES = word_set(
    "needed required limited called named closed expected allowed supported based used delayed linked protected "
    "insured estimated planned masked permitted restricted owed supposed intended addressed dated valued priced "
    "repeated interested related designed divided included excluded noted held kept left"
)

_HARMLESS_WITH = {
    "told": word_set("you"),
    "gave": word_set("you"),
    "given": word_set("you"),
    "took": word_set("that it"),
    "left": word_set("it that everything your"),
    "ran": word_set("into out"),
    "went": word_set("through over"),
}

_BE = word_set("is are was were am be been being 's get gets got getting stands")
_HAVE = word_set("have has had having")
_CERTAIN = word_set("will should must shall")
_HABITS = word_set("usually normally typically generally always often only within instantly immediately mostly")
_ADVERBS = word_set(
    "now just already also successfully safely duly promptly immediately instantly finally officially really indeed "
    "fully then actually securely quickly automatically all both even still yet only ever definitely certainly simply "
    "first properly correctly hereby completely well truly very quite so going able straight gladly happily since "
    "usually normally typically generally always often mostly"
)
_CHAIN = _ADVERBS | _BE | _HAVE | MODALS | {"not", "never", "to"}
_PRONOUNS = word_set("i we you he she they it this that")
_DENYING_SUBJECTS = NEGATORS - {"not", "without"}
_AFTER_NOT = word_set("get have all any every enough see find yet even your one")
_WANTS = word_set("want wants wanted need needs needed wish wishes prefer expect")
_CODES = word_set("code codes otp sms text message messages email mail link notification digits")
_MONEY = word_set("money rupee rupees amount funds cash payment transfer bill")
_OBJECTS = word_set("it him her them that this")
_KEPT = word_set("card cards reminder reminders payee payees beneficiary contact order orders mandate account")
_GENERAL = word_set(
    "transfers payments bills amounts codes cards payees reminders imps neft upi money anything everything whatever "
    "funds transactions requests refunds"
)
_GENERAL_VERBS = FINITE | MODALS | word_set("takes take arrives arrive costs cost needs need goes go reach reaches")
_RELATIVE = word_set("by on to via through before after within from in between above over with only at")
_ATTRIBUTE_OF = {
    "paid": word_set("bill bills"),
    "saved": word_set("payee payees contact contacts beneficiary beneficiaries people names accounts list recipients"),
    "registered": word_set("mobile phone email e number address name mail"),
    "scheduled": word_set("payments transfers"),
    "completed": word_set("transactions transfers payments"),
}
_GONE_OTHERWISE = word_set("wrong up over past beyond quiet")
# Told back to the caller as their own doing.
_DONE_BY_CALLER = _OTHER_DONE | word_set(
    "reached given confirmed approved authorised authorized completed finished arrived handled submitted accepted"
)
# "I can't say that it is done", "I don't think it was sent".
_DENIED = re.compile(
    r"\bnot (?:say|tell|confirm|think|believe|promise|know|see|sure|claim|guarantee)(?: you)?(?: yet)?"
    r"(?: (?:that|if|whether|it|this|the|your|any|a|[a-z]+ 's|money|payment|transfer|bill|card))*$"
)
# "I can check whether", "you can see which bills".
_LOOKED_INTO = re.compile(
    r"\b(?:can|could|will|would|let|to|not|please|should|shall|may)\b.*"
    r"\b(?:see|check|tell|know|show|find out|look up|say|confirm)(?: you| me)?(?: in [a-z ]+)? "
    r"(?:what|which|whether|if)\b"
)


def deeds(clause: Clause, before: Clause | None) -> list[Claim]:
    """What the verbs of a clause claim.

    Args:
        clause: The clause.
        before: The one before it in the sentence, of which it may be the rest ("nothing has been checked and sent").
    """
    words = clause.words
    found: list[Claim] = []
    for at, word in enumerate(words):
        claim = None
        if word in _DONE:
            if at == 0 and clause.coordinated and before is not None and _holds_none(before):
                continue
            claim = _judge(clause, at)
        elif _is_other_deed(words, at):
            claim = _judge(clause, at)
        elif word in _DOING:
            claim = _judge_doing(clause, at)
        if claim:
            found.append(claim)
    return found


def is_looked_into(words: Sequence[str]) -> bool:
    """Whether what follows is looked into, not claimed: "I can check whether"."""
    return _LOOKED_INTO.search(" ".join(words)) is not None


def is_general(words: Sequence[str]) -> bool:
    """Whether it begins to speak of transfers as such: "NEFT transfers will arrive within two hours"."""
    return bool(_GENERAL & set(words[:2])) and not {"your", "the", "his", "her"} & set(words[:3])


def _holds_none(clause: Clause) -> bool:
    """Whether a clause has participles and each of them claims nothing."""
    places = [at for at, word in enumerate(clause.words) if word in _DONE]
    return bool(places) and not any(_judge(clause, at) for at in places)


def _judge(clause: Clause, at: int) -> Claim | None:
    """What the participle at `at` claims; None where it plainly claims nothing."""
    words, word = clause.words, clause.words[at]
    start = at
    while start and words[start - 1] in _CHAIN:
        start -= 1
    chain, head = words[start:at], words[start - 1] if start else ""
    if (
        _is_no_verb(words, at, chain, head)
        or _is_harmless_for(words, at, chain, head)
        or _is_negated(words, start, chain, head)
        or _is_to_come(chain, head)
        or _is_wanted(words, start, chain, head)
        or _is_asked(clause, start, chain, head)
        or _is_conditioned(clause, start, at)
        or _is_rule(words, at, chain, head)
        or _is_of_any(words, start, head)
        or is_looked_into(words[:start])
    ):
        return None
    if head in ("or", "and") and not chain and start >= 2 and words[start - 2] in _DONE:
        return _judge(clause, start - 2)
    mine = head in ("i", "we") or chain[:1] == ("am",)
    other = word in _OTHER_DONE and "all" not in chain  # "all set"
    return Claim(word, money=word in MONEY_DONE, other=other, mine=mine)


def _judge_doing(clause: Clause, at: int) -> Claim | None:
    """What is said to be under way: "I'm sending it now"."""
    words = clause.words
    before = words[max(0, at - 4) : at]
    if clause.asks or NEGATORS & set(before) or CONDITIONS & set(words) or _is_about_a_code(words, at):
        return None
    if at == 0:  # "Sending it now", but not "Sending money needs a code"
        verbs = FINITE | MODALS | word_set("needs takes requires works costs means")
        return None if verbs & set(words[1:]) else Claim(words[at], money=True, mine=True)
    if {"to", "about", "by", "of", "for", "be", "you"} & set(before) or clause.depends:
        return None
    return Claim(words[at], money=True, mine=True) if {"i", "we", "am", "are", "is", "'s"} & set(before[-3:]) else None


def _is_other_deed(words: Sequence[str], at: int) -> bool:
    """Whether a word tells some other deed of the speaker's or of the money: "I've put", "the rupees have flown"."""
    word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
    if word in _HARMLESS or not (word in _PAST or word.endswith("ed")):
        return False
    if following in _HARMLESS_WITH.get(word, ()) or (word == "made" and {"mistake", "error", "note"} & set(words)):
        return False
    if word in ("put", "got", "brought") and {"screen", "page"} & set(words):
        return False
    start = at
    while start and words[start - 1] in _ADVERBS | _HAVE | _BE:
        start -= 1
    head, chain = words[start - 1] if start else "", words[start:at]
    if (_BE - {"been", "got"}) & set(chain) or "been" in chain:
        return head in _PASSIVE_SUBJECTS and word not in _HARMLESS_PASSIVES
    if word in ("put", "let", "cut", "hit", "run") and not chain:
        return False  # as likely present
    return head in _DEED_SUBJECTS and (bool(chain) or head in ("i", "we"))


def _is_no_verb(words: Sequence[str], at: int, chain: Sequence[str], head: str) -> bool:
    """Attributes ("saved payees", "one paid bill") and words that are present tense or something else as well."""
    word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
    if following in _ATTRIBUTE_OF.get(word, ()) and not ({*_HAVE, "just"} & set(chain) or head in ("i", "we")):
        return True
    if word == "gone" and following in _GONE_OTHERWISE:
        return True
    if word in ("complete", "set", "given", "taken") and not chain:
        participle = head not in ("", "i", "we", "you", "to", "please") and following in ("", "for", "now")
        return not participle
    return word in ("cancelled", "canceled", "stopped") and not _KEPT & set(words)  # what was not done yet


def _is_harmless_for(words: Sequence[str], at: int, chain: Sequence[str], head: str) -> bool:
    """What this subject may have done: the caller "confirmed", "I received your request", "a code was sent"."""
    word = words[at]
    if head in ("i", "we") and word in ("received", "reached"):
        return True
    if word == "reached" and "limit" in words:
        return True
    if head == "you" and word in _DONE_BY_CALLER and set(chain) <= _HAVE | _ADVERBS:
        return True
    return _is_about_a_code(words, at)


def _is_about_a_code(words: Sequence[str], at: int) -> bool:
    following = words[at + 1] if at + 1 < len(words) else ""
    return bool(_CODES & set(words)) and not _MONEY & set(words) and following not in _OBJECTS


def _is_negated(words: Sequence[str], start: int, chain: Sequence[str], head: str) -> bool:
    if {"not", "never"} & set(chain) or head == "without" or _DENIED.search(" ".join(words[:start])):
        return True
    # A subject that denies: "no money", "none of your bills"; and "could not get it sent".
    for at in range(start - 1, max(-1, start - 10), -1):
        word = words[at]
        if word in _DENYING_SUBJECTS or (word == "not" and words[at + 1] in _AFTER_NOT):
            return True
        if word in SUBJECTS | FINITE and not (word == "it" and at and words[at - 1] in ("get", "have", "of")):
            return False
    return False


def _is_to_come(chain: Sequence[str], head: str) -> bool:
    """Future, possible, needed: "will be sent", "can be sent", "to be sent"; but not "should have been sent by now"."""
    modals = [word for word in chain if word in MODALS]
    if modals:
        return "to" in chain or not ("have" in chain and modals[-1] in _CERTAIN)
    if "to" in chain:
        return "have" not in chain[chain.index("to") :]
    return "be" in chain or (head == "" and tuple(chain) == ("get",))


def _is_wanted(words: Sequence[str], start: int, chain: Sequence[str], head: str) -> bool:
    """What somebody wants done: "you want five hundred rupees sent to Ravi", "would you like it sent"."""
    if FINITE & set(chain) or FINITE & set(words[max(0, start - 2) : start]) or head in _PRONOUNS - _OBJECTS:
        return False
    before = set(words[max(0, start - 9) : start])
    return (
        bool(_WANTS & before)
        or {"would", "like"} <= before
        or ("get" in before and bool((MODALS | {"to", "not", "let"}) & before))
    )


def _is_asked(clause: Clause, start: int, chain: Sequence[str], head: str) -> bool:
    """Whether it is what a question asks ("has the money been sent?"), not something it takes for granted."""
    if not clause.asks:
        return False
    if clause.words[0] in ("what", "which", "who", "whose", "when", "where", "how", "why") and start <= 3:
        return True
    return start > 0 and not FINITE & set(chain) and not (head in ("i", "we") and start > 2)


def _is_conditioned(clause: Clause, start: int, at: int) -> bool:
    """Whether it holds only under a condition still to be met: "once it is sent", "once you confirm it is sent"."""
    words, chain, head = clause.words, clause.words[start:at], clause.words[start - 1] if start else ""
    finished = bool({"have", "has", "had", "was", "were"} & set(chain)) or head in ("i", "we")
    first = next((place for place in range(start) if words[place] in CONDITIONS), None)
    if first is not None:
        inner = words[first + 1 : start]
        if _is_one_subject(inner):
            past = bool({"was", "were", "had"} & set(chain)) or (head in ("i", "we") and not chain)
            told = past and words[first] in ("once", "when", "whenever", "after", "before")
            return not told or (words[first] == "before" and bool({"anything", "any"} & set(inner)))
        return is_condition(words[first:start]) and not finished
    later = next((place for place in range(at + 1, len(words)) if words[place] in (*CONDITIONS, "soon")), None)
    if later is not None and is_condition(words[at + 1 :]):
        return not finished
    return clause.depends and not finished


def _is_one_subject(words: Sequence[str]) -> bool:
    """Whether words are one noun phrase, so that what follows is the verb of the same clause."""
    if not words or (len(words) == 1 and words[0] in _PRONOUNS):
        return True
    verbs = FINITE | MODALS | word_set("said asked told confirm confirmed say did do like want wondering know ask")
    return (
        len(words) <= 6
        and not (_PRONOUNS | verbs) & set(words)
        and not any(word.endswith("ing") and not word.endswith("thing") for word in words)
    )


def _is_rule(words: Sequence[str], at: int, chain: Sequence[str], head: str) -> bool:
    """A rule, not a report: "transfers usually arrive within minutes", "money sent by NEFT takes two hours"."""
    following = words[at + 1] if at + 1 < len(words) else ""
    if {"your", "the"} & set(words[:at]):
        return False
    if words[0].endswith("ing") and words[1:2] in (("a",), ("an",)) and following in _RELATIVE:
        return True
    if not _GENERAL & set(words[:3]):
        return False
    if "are" in chain and _HABITS & set(words):
        return True
    return not chain and head in _GENERAL and following in _RELATIVE and bool(_GENERAL_VERBS & set(words[at + 2 :]))


def _is_of_any(words: Sequence[str], start: int, head: str) -> bool:
    """Whether it describes any such thing: "a payment that has been made can't be undone"."""
    if head == "that" and start >= 2:
        any_such = word_set("a an any every no") & set(words[max(0, start - 4) : start - 1])
        return bool(any_such) or words[start - 2] in _GENERAL
    return head in ("what", "whatever") and start == 1 and "not" in words[start:]
