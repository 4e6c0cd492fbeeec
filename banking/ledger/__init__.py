"""The ledger: double entry, append-only, and `post()` is its only writer."""

from banking.accounts import InsufficientFunds
from banking.ledger.checking import check
from banking.ledger.posting import post, reverse
from banking.ledger.rows import (
    MAX_AMOUNT_MINOR,
    MAX_LEGS,
    MAX_LINES,
    Entry,
    Leg,
    Posting,
    PostingKind,
)
from banking.ledger.statement import Filter, Line, Spending, balance, page, spent, statement

__all__ = [
    "MAX_AMOUNT_MINOR",
    "MAX_LEGS",
    "MAX_LINES",
    "Entry",
    "Filter",
    "InsufficientFunds",
    "Leg",
    "Line",
    "Posting",
    "PostingKind",
    "Spending",
    "balance",
    "check",
    "page",
    "post",
    "reverse",
    "spent",
    "statement",
]
