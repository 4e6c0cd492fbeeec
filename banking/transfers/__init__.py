"""Transfers: the one machine by which a customer's money moves, for voice, web and REST alike.

`drafted → (challenged) → posted`, or `declined`, `expired`, `failed`. `prepare` stores what is asked for; `read_back`
says it from the row; `confirm` executes exactly that, once, or asks for a second factor, which `answer` checks. Any
number of the same requests at once, and any crash, end in one posting or none.

Expected refusals in `prepare` are raised. From `confirm` on they end the transfer as `failed`, which is returned and
committed like any other outcome: look at the state.
"""

from banking.transfers.execute import answer, confirm, decline, expire_due, refusal
from banking.transfers.prepare import DRAFT_LIFE, prepare, prepare_bill
from banking.transfers.row import Factor, Mode, State, Transfer, of_customer, own
from banking.transfers.words import read_back, said, shown

__all__ = [
    "DRAFT_LIFE",
    "Factor",
    "Mode",
    "State",
    "Transfer",
    "answer",
    "confirm",
    "decline",
    "expire_due",
    "of_customer",
    "own",
    "prepare",
    "prepare_bill",
    "read_back",
    "refusal",
    "said",
    "shown",
]
