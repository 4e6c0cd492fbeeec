"""Sentences that deny a deed: "nothing has been sent", "I've cancelled it", "the money is back in your account".

Before anything was done they are true. Afterwards they are as false as a claim, and dearer: whoever believes them sends
the money again.
"""

from __future__ import annotations

import re

from pipelines.claims.clauses import CONDITIONS, MODALS, Clause, is_condition

_THING = (
    r"(?:money|rupees?|funds|cash|amount|sum|payment|transfer|transaction|order|request|bill|hundred|thousand|lakh|crore|"
    r"it|that|this|everything|all)"
)
_BETWEEN = r"(?:[a-z]+ ){0,6}?"
_AUX = (
    r"(?:(?:has|have|had|was|were|is|are|'s|been|being|got|gets|just|now|already|also|all|safely|successfully|fully|then|"
    r"actually|in fact|only|both|indeed|immediately|automatically) )*"
)
_UNDONE = (
    r"(?:cancell?ed|stopped|undone|reversed|recalled|revoked|voided|annulled|aborted|refunded|returned|rolled back|"
    r"called off|taken back|pulled back|halted|withdrawn|unwound|intercepted|retrieved|recovered|restored|blocked|"
    r"dropped|scrapped|nullified|put back|sent back|paid back|given back|brought back)"
)
_FAILED = r"(?:failed|bounced|declined|rejected|refused|unsuccessful|incomplete|expired|lapsed|timed out|fell through)"
_MOVED = (
    r"(?:sent|transferred|paid|moved|left|gone|made|done|posted|completed|processed|debited|deducted|taken|credited|"
    r"executed|happened|changed|initiated|received|go|went|leave|reach|reached|arrived|settled|carried out)"
)
_DENIALS = re.compile(
    "|".join(
        (
            rf"\b{_THING} {_BETWEEN}{_AUX}{_UNDONE}\b",
            rf"\b(?:i|we) {_AUX}(?:managed to )?(?:{_UNDONE}|undid|took back|got back|undo|cancel|reverse|stop)\b",
            rf"^(?:(?:and|so|now|okay) )*{_UNDONE}\b",
            rf"\b{_THING} {_BETWEEN}{_AUX}back\b|\bback (?:in|into|to|on) your\b|\b(?:have|get|got) {_BETWEEN}back\b",
            rf"\b(?:payment|transfer|transaction|it|that|this|attempt) {_BETWEEN}{_AUX}{_FAILED}\b",
            rf"\b(?:nothing|no (?:money|rupees?|funds|cash|amount|payment|transfer|transaction|such [a-z]+)|none) "
            rf"{_BETWEEN}{_AUX}{_MOVED}\b",
            rf"\b{_THING} {_BETWEEN}(?:has|have|had|was|were|is|are|did|does|'s) (?:not|never) {_BETWEEN}{_MOVED}\b",
            rf"\b{_THING} never {_BETWEEN}{_MOVED}\b",
            r"\b(?:i|we) (?:have|had|did|has) (?:not|never) (?:[a-z]+ ){0,3}?"
            r"(?:sent|send|transferred|transfer|paid|pay|moved|move|made|make|done|do|posted|completed)\b",
            r"\b(?!(?:i|we|you)\b)[a-z]+ (?:did|has|have) (?:not|never) (?:receive|received|get|got|see|seen) "
            r"(?:it|the|your|any)\b",
            r"\bthere (?:is|was|has been) no (?:payment|transfer|transaction|debit)\b",
            r"\b(?:still|all) (?:in|on) your (?:[a-z]+ )?account\b|\bnot (?:leave|left) your\b",
            r"\byour money is safe\b|\bno harm done\b",
        )
    )
)
_INFINITIVE = re.compile(r"\bto (?:be )?[a-z]+(?: back)?$")
_OF_SOMETHING_ELSE = re.compile(r"\b(?:else|other|others|another|more|further|again|twice|extra)\b")


def denies(clause: Clause) -> bool:
    """Whether a clause says that money has not moved after all, or has come back."""
    text = " ".join(clause.words)
    found = _DENIALS.search(text)
    if found is None or clause.asks or clause.depends or _OF_SOMETHING_ELSE.search(text) or is_condition(clause.words):
        return False
    up_to = text[: found.end()]
    return not (
        (MODALS | CONDITIONS | {"let", "want", "wants", "like"}) & set(up_to.split()) or _INFINITIVE.search(up_to)
    )
