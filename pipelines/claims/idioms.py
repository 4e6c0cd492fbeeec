"""Turns of phrase that tell a deed as done without its verb: "you're all set", "Ravi has your five hundred"."""

from __future__ import annotations

import re
from dataclasses import replace

from core.spoken.say import SMALL, TENS
from core.spoken.tokens import word_set
from pipelines.claims.clauses import CONDITIONS, FINITE, MODALS, NEGATORS, Claim, Clause, is_condition
from pipelines.claims.deeds import is_general, is_looked_into

_CODES = word_set("code codes otp sms notification digits")
_IDLE = word_set("know wonder wondering check look worried curious asking see must care doubt notice")

_NAME = (
    r"(?!(?:i|you|we|which|that|who|account|accounts|savings|current|bills?|loan|balance|bank|statement|card|limit|"
    r"everyone|me|us|payment|transfer|this|there|it|one|have|has|had|will|would|not|been|just|already|now)\b)[a-z]+"
)
_COUNT = "|".join([*SMALL[1:], *TENS[2:], "hundred", "thousand", "lakh", "crore", "and", "point"])
_SHARE = (
    r"(?:it\b|(?:your|the|his|her|their|all|every) (?:[a-z]+ ){0,4}"
    r"(?:money|rupees?|funds|cash|amount|payment|transfer|share|hundred|thousand|lakh|crore)\b"
    rf"|(?:(?:{_COUNT}) )*(?:hundred|thousand|lakh|crore|rupees)\b)"
)
_MONEY = r"(?:money|rupees|funds|cash|amount|payment|transfer)"
_THING = r"(?:money|rupees|funds|cash|amount|payment|transfer|card|reminder|payee)"
_SOON = r"(?:(?:now|soon|shortly|also|definitely|surely|probably|be|able|to) )*"
_NOW = (
    r"^(?!now\b|you (?:now |already )?have\b|there (?:is|are)\b)"
    r"(?!.*\b(?:can|could|will|would|shall|may|might|should|must|screen|page)\b).*"
)

# What each kind of claim is told by, and whether a "not" before it leaves it a claim all the same.
_PHRASES: tuple[tuple[Claim, bool, tuple[str, ...]], ...] = (
    (
        Claim(),
        False,
        (
            r"all (?:set|sorted|squared)\b|(?:you|we) are (?:all )?(?:set|sorted)\b|is a go\b",
            r"(?:taken|took|taking) care of\b|carried (?:it |that )?out\b|put (?:[a-z]+ ){0,4}through\b",
            r"consider (?:it|that)\b|there (?:you|we|it) (?:go|goes|have it|are)\b$|that 's that\b",
            r"voila\b|bingo\b|fait accompli\b|presto\b|ta da\b|mission accomplished\b|nailed it\b|wish granted\b",
            r"dealt with\b|(?:seen|saw) to\b|looked after\b|(?:what|all) i (?:have )?(?:did|done)\b",
            r"(?:it|that|transfer|payment|everything) (?:has |just )*worked\b",
            r"^as (?:you )?(?:asked|requested|instructed|wished|ordered|promised)\b",
            r"(?:wrapped|tied) up\b|squared away\b|pulled (?:it|that) off\b|locked in\b|(?:ticked|crossed) off\b",
            r"(?:went|gone|goes) (?:well|smoothly|fine|perfectly|like clockwork)\b",
            r"out of the way\b|behind (?:you|us)\b",
            r"(?:are|is|'s) final\b|(?:one|two|three|transfer|payment) down\b|(?:are|is) (?:now )?even\b",
            r"in the bag\b|good as done\b|in place\b|here is your receipt\b|out of action\b",
            r"(?:reference|transaction|utr|confirmation|receipt) (?:(?:number|id|i d|code|no)\b.*)?"
            r"(?:\bis|\bare| 's)\b",
            rf"(?:reference|transaction|utr|confirmation|receipt) (?:number|id|i d|no) (?:{_COUNT}|zero)\b",
            r"(?:it|that|this) (?:has |just |all )*happened\b|made it happen\b|^(?:posted|cleared)$",
        ),
    ),
    (
        Claim(mine=True),
        False,
        (
            r"(?:went|gone) (?:ahead|out|off)\b|(?:am|are) going ahead\b|(?:i|we) (?:just |already )*managed to\b",
            r"(?:i|we) (?:(?:have|already|just|now) )*(?:did|done) (?:it|that|this|so|as|what|everything)\b",
        ),
    ),
    (
        Claim(money=True, mine=True),
        False,
        (
            r"^(?:(?:and|so|now) )*(?:i|we) (?:(?:hereby|now|do) )*"
            r"(?:send|transfer|pay|wire|move|remit|block|add|execute|process)\b",
            r"(?:hit|pressed|clicked|tapped|pulled) (?:the )?(?:send|submit|pay|confirm|trigger)\b",
            r"^(?:(?:and|so|now) )*(?:i|we) (?:just )?(?:put|dropped|popped|slid|pinged|slipped) "
            r"[a-z ]*\b(?:into|over|across|to|in)\b(?! the (?:screen|page))",
        ),
    ),
    (
        Claim(money=True),
        False,
        (
            r"good to go\b|en route\b|(?:on|in|to) (?:its|their|the|his|her) (?:[a-z]+ )?way\b(?! to (?:help|becom))",
            r"(?:went|gone|came|come|goes|comes|made it|is|are|'s|got|gets|sailed|all) through\b"
            r"(?! (?:to (?:the|our|a)|(?:your|the) (?:transactions|bills|statement|list|payees|history))\b)",
            r"made (?:(?:the|your|that|this|a|an|his|her|it) )?(?:[a-z]+ ){0,6}"
            r"(?:payment|transfer|deposit|transaction|remittance)\b",
            r"(?:payment|transfer|deposit)s? (?:(?:was|is|has|have|been|are|were) )*made\b",
            rf"(?:{_MONEY}|it|{_COUNT}) (?:is|are|'s|was|were|has been) (?:(?:now|already|safely|all) )*"
            r"(?:with|gone|over there|out of|away|his|hers|theirs)\b",
            rf"{_MONEY} (?:is|are|'s) in$|it (?:is|'s) there$|(?:are|is) now (?:his|hers|theirs|[a-z]+ 's)\b",
            r"in (?:his|her|their|the payee 's|[a-z]+ 's) (?:[a-z]+ )?account\b|in the account of\b",
            r"(?:left|leaving|out of|gone from|exited|departed|taken from|drawn from|came off|come off) "
            r"(?:your|the|his|my) (?:[a-z]+ )?(?:account|balance|savings)\b",
            rf"{_THING} (?:(?:just|has|have|is|are|'s|now|already) )*"
            r"(?:hit|flew|flown|found|travelling|traveling|flying|heading|headed|bound|live|ready(?! (?:to|for))|"
            r"active|there|home)\b",
            rf"{_NOW}\b{_THING}\b.*\b(?:now|already|as we speak)\b|{_NOW}\b(?:now|already)\b.*\b{_THING}\b",
            r"in (?:good|his|her|their|safe|[a-z]+ 's) (?:hands|pockets?|wallet|purse)\b|says? (?:thanks|thank you)\b",
            rf"(?:{_MONEY}|it) (?:has |just )*made it\b|minus [a-z ]+ (?:on|from) your account\b|account shows\b",
            r"ought to (?:be|have)\b|belongs? to\b",
            r"(?:payment|transfer|it) (?:is |'s )?(?:now )?under ?way\b|honou?red\b|transfer followed\b",
            r"said yes to your\b|repeated (?:the|your) (?:payment|transfer)\b",
            r"(?:a|the|fresh|new) (?:debit|credit) of\b",
            r"acknowledged (?:your |the )?(?:payment|receipt|transfer)\b",
            rf"(?:{_MONEY}|hundred|thousand|lakh|crore|it) (?:went to|left for)\b",
            rf"(?:{_MONEY}|hundred|thousand|lakh|crore|it|payment) (?:is|are|'s) "
            r"(?:there|out|(?:(?:his|hers|theirs|[a-z]+ 's)(?: now)?)$)",
            rf"{_NAME} (?:gets|receives) {_SHARE}[a-z ]*\b(?:from you|now|today)\b",
            rf"^(?:it|that|(?:the |your )?{_MONEY}) (?:posted|cleared)\b|changed hands\b",
            r"confirms? your (?:payment|transfer)\b|thanks you for\b|(?:richer|lighter|poorer|fuller)\b",
            r"thank(?: you|s) for (?:making |your |the )*(?:payment|transfer|paying|sending|transferring)\b",
            r"bill (?:is|'s) history\b|bill history$",
            r"off (?:it|they) (?:goes|went|go)\b|away it (?:goes|went)\b|whoosh\b|poof\b|cha ching\b",
        ),
    ),
    (
        Claim(money=True),
        True,
        (
            rf"(?:will|should|must) {_SOON}(?:receive|get|see|have|find|notice) (?:[a-z]+ ){{0,4}}"
            r"(?:it|money|funds|amount|cash|credit|payment|transfer|rupees|share|deduction|debit)\b",
            rf"(?:{_MONEY}|it|they|that) (?:will|should|must) {_SOON}"
            r"(?:reach|arrive|reflect|land|show|appear|there|in|with|available|visible|credited|hit)\b",
            rf"{_NAME} (?:(?:now|already|just|finally|certainly|should) )*"
            r"(?:has|have|got|'s got|has got|holds|received) "
            rf"(?:(?:now|already|just|got) )*{_SHARE}",
            rf"{_NAME} can (?:now )?(?:enjoy|collect|use|spend|access|withdraw) {_SHARE}",
            r"bill (?:[a-z]+ )*will not bother\b|forget about (?:that|the|your) (?:[a-z]+ )?bill\b|tick .*\boff\b",
            rf"(?:tell|ask) {_NAME} (?:it|that|to check)\b|check (?:his|her|their) account\b",
        ),
    ),
    (
        Claim(),
        True,
        (
            r"no longer (?:due|owed|owing|pending|outstanding|unpaid|owe|work|works|active|usable|valid)\b",
            r"(?:caught|paid|settled|squared) up\b|off your (?:plate|list|mind|hands|shoulders)\b",
            r"(?:not|never) (?:fail|failed|declined|rejected|refused|bounced|unsuccessful)\b",
            r"without a (?:hitch|glitch)\b|without (?:any )?(?:problems?|issues?|trouble|fail)\b",
            r"nothing (?:(?:is|more|else|left|remains) )+(?:to|for you to) (?:do|pay|worry)\b",
            r"no further (?:action|steps?)\b|owe nothing (?:on|to|for)\b|not owe (?:[a-z]+ )*(?:now|any ?more)\b",
        ),
    ),
    (
        Claim(balance=True),
        False,
        (
            r"(?:new|updated|revised|resulting) balance\b|balance (?:is|stands at) [a-z ]*\bnow$",
            r"balance (?:(?:is|has|stands|comes) )?(?:at |to )?"
            r"(?:now|dropped|fallen|gone down|reduced|come down|decreased)\b",
            r"you (?:now )?have .*\brupees .*\bnow\b",
            r"(?:have|with) [a-z ]*\b(?:rupees|hundred|thousand|lakh|crore)[a-z ]* (?:left|remaining)$",
            r"remaining balance\b|leaves you (?:with )?\b",
        ),
    ),
    (
        Claim(other=True),
        False,
        (
            r"^(?:(?:and|so|now) )*(?:i|we) (?:just )?(?:set|put) (?:the|a|your|it|that|him|her|them|[a-z]+ on)\b",
            r"(?:i|we) (?:have )?(?:just )?(?:asked|told|instructed) (?:the|our|your) (?:bank|branch|team|people)\b",
            r"card (?:is |'s |has been )?(?:now )?(?:off|dead)\b",
            r"expect (?:(?:a|your|the) (?:reminder|call)|me to (?:remind|call))\b|have you down\b",
            r"on (?:your|the) list now\b|payee list (?:now )?(?:has|includes)\b|[a-z]+ 's in$",
            r"noted (?:[a-z]+ )?(?:reminder|request|complaint)\b|(?:reminder|alarm) (?:is|'s) on$",
            r"(?:put|placed) (?:a|the) (?:block|stop|hold|freeze)\b|useless\b",
        ),
    ),
    (
        Claim(other=True),
        True,
        (
            r"you (?:can|are) now (?:able to )?(?:send|pay|transfer)\b",
            r"is now (?:a |one of |among |on )?(?:your |the )?(?:list|payees?|contacts?|beneficiar)",
            r"(?:i|we) will (?:make sure (?:to|you|that) .*remind|remind|call|ring|alert|notify) you\b",
            r"you will (?:be reminded|be called|get a (?:call|reminder)|hear from)\b",
            r"(?:somebody|someone|a (?:person|colleague|human)|our (?:team|people|staff|agents?|manager)|they) will "
            r"(?:call|ring|contact|phone|get back|be in touch|reach out)\b",
            r"card (?:will not|does not) work\b|i will nudge you\b|you will get a nudge\b",
            r"card (?:[a-z]+ ){0,3}(?:can no longer|can not) (?:[a-z]+ ){0,2}used\b|(?:nobody|no one) can use\b",
        ),
    ),
)
_IDIOMS = tuple(
    (re.compile("|".join(rf"(?<![a-z])(?:{pattern})" for pattern in patterns)), claim, denying)
    for claim, denying, patterns in _PHRASES
)


def idioms(clause: Clause) -> list[Claim]:
    """What the turns of phrase in a clause claim."""
    text = " ".join(clause.words)
    found: list[Claim] = []
    for pattern, claim, denying in _IDIOMS:
        for match in pattern.finditer(text):
            before = text[: match.start()].split()
            if not _is_harmless(clause, claim, before, match[0].split(), denying=denying):
                mine = claim.mine or bool({"i", "we"} & set(before[-2:]))
                found.append(replace(claim, word=match[0], mine=mine))
                break
    return found


def _is_harmless(clause: Clause, claim: Claim, before: list[str], phrase: list[str], *, denying: bool) -> bool:
    """Whether the phrase is denied, asked, still to come, conditional or said of transfers as such."""
    near, whole = set(before[-3:]), set(phrase)
    finished = bool({"have", "has", "had", "was", "were", "went", "left", "did"} & (near | whole))
    if denying:
        if "not" in near or (claim.money and (is_general(clause.words) or {"after", "once"} & set(clause.words))):
            return True
    elif (
        NEGATORS & set(before[-6:])
        or NEGATORS & whole
        or (near & (MODALS | {"to"}) and not finished and not near & {"should", "must"})
    ):
        return True
    granted = len(before) > 1 and bool(FINITE & set(before[1:][-2:]))  # "did you notice the money has left"
    if clause.asks and not granted:
        return True
    if _CODES & set(clause.words) or is_looked_into(before):
        return True
    if (CONDITIONS - {"until", "till"}) & set(before) and not _IDLE & set(before):
        return True
    if "put" in whole and {"screen", "page"} & set(clause.words):
        return True
    return (clause.depends or is_condition(clause.words)) and not finished
