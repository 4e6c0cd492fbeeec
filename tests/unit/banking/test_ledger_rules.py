"""What a posting may be, before any database is asked."""

from __future__ import annotations

import pytest

from banking import ledger
from banking.ledger import Leg, PostingKind
from core.errors import Invalid


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [("a", 5)],
        [("a", 5), ("b", -4)],
        [("a", 0), ("b", 0)],
        [("a", 5), ("b", -5), ("c", 0)],
        [("a", 5), ("a", -5)],
        [("a", 5.0), ("b", -5.0)],
        [("a", float("nan")), ("b", -5)],
        [("a", float("inf")), ("b", float("-inf"))],
        [("a", True), ("b", -1)],
        [("a", "5"), ("b", -5)],
        [("a", 10**15 + 1), ("b", -(10**15) - 1)],
        [("a", 2**63), ("b", -(2**63))],
        [(f"a{n}", 1) for n in range(50)] + [("b", -50)],
    ],
)
def test_impossible_legs_are_refused(legs: list[tuple[str, int]]) -> None:
    with pytest.raises(Invalid) as caught:
        ledger._check([Leg(account_id, amount) for account_id, amount in legs])
    assert caught.value.code == "bad_posting"


@pytest.mark.parametrize(
    "legs",
    [[("a", 5), ("b", -5)], [("a", 10**15), ("b", -(10**15))], [("a", 5), ("b", 3), ("c", -8)]],
)
def test_possible_legs_pass(legs: list[tuple[str, int]]) -> None:
    ledger._check([Leg(account_id, amount) for account_id, amount in legs])


def test_the_content_of_a_request_is_all_that_was_asked_for() -> None:
    legs = [Leg("a", 5, "Ravi", "sent"), Leg("b", -5)]
    same = ledger._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", None)
    assert ledger._content_hash(legs[::-1], PostingKind.TRANSFER, "rent", "rent", None) == same
    others = [
        ledger._content_hash([Leg("a", 6, "Ravi", "sent"), Leg("b", -6)], PostingKind.TRANSFER, "rent", "rent", None),
        ledger._content_hash([Leg("a", 5, "Jane", "sent"), Leg("b", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        ledger._content_hash([Leg("a", 5, "Ravi", "paid"), Leg("b", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        ledger._content_hash([Leg("a", 5, "Ravi", "sent"), Leg("c", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        ledger._content_hash(legs, PostingKind.PAYMENT, "rent", "rent", None),
        ledger._content_hash(legs, PostingKind.TRANSFER, "food", "rent", None),
        ledger._content_hash(legs, PostingKind.TRANSFER, "rent", None, None),
        ledger._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", "pst_1"),
    ]
    assert len({same, *others}) == 9
