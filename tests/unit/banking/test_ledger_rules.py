"""What a posting may be, before any database is asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from banking.holds import Hold
from banking.ledger import Leg, PostingKind, posting
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
        posting._check([Leg(account_id, amount) for account_id, amount in legs])
    assert caught.value.code == "bad_posting"


@pytest.mark.parametrize(
    "legs",
    [[("a", 5), ("b", -5)], [("a", 10**15), ("b", -(10**15))], [("a", 5), ("b", 3), ("c", -8)]],
)
def test_possible_legs_pass(legs: list[tuple[str, int]]) -> None:
    posting._check([Leg(account_id, amount) for account_id, amount in legs])


def test_the_content_of_a_request_is_all_that_was_asked_for() -> None:
    legs = [Leg("a", 5, "Ravi", "sent"), Leg("b", -5)]
    same = posting._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", None)
    assert posting._content_hash(legs[::-1], PostingKind.TRANSFER, "rent", "rent", None) == same
    others = [
        posting._content_hash([Leg("a", 6, "Ravi", "sent"), Leg("b", -6)], PostingKind.TRANSFER, "rent", "rent", None),
        posting._content_hash([Leg("a", 5, "Jane", "sent"), Leg("b", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        posting._content_hash([Leg("a", 5, "Ravi", "paid"), Leg("b", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        posting._content_hash([Leg("a", 5, "Ravi", "sent"), Leg("c", -5)], PostingKind.TRANSFER, "rent", "rent", None),
        posting._content_hash(legs, PostingKind.PAYMENT, "rent", "rent", None),
        posting._content_hash(legs, PostingKind.TRANSFER, "food", "rent", None),
        posting._content_hash(legs, PostingKind.TRANSFER, "rent", None, None),
        posting._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", "pst_1"),
        posting._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", None, hold("hld_1")),
        posting._content_hash(legs, PostingKind.TRANSFER, "rent", "rent", None, hold("hld_2")),
    ]
    assert len({same, *others}) == 11


def hold(id_: str) -> Hold:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return Hold(id=id_, account_id="b", amount_minor=5, reason="rent", key=id_, placed_at=now, expires_at=now)


@pytest.mark.parametrize(
    ("amount", "balance_after", "held_after", "floor", "covered"),
    [
        (-1, 0, 0, 0, True),
        (-1, -1, 0, 0, False),
        (-1, 10, 10, 0, True),
        (-1, 9, 10, 0, False),
        (-1, -500, 0, -500, True),
        (-1, -501, 0, -500, False),
        (-1, 99, 0, 100, False),
        (-1, -(10**15), 0, None, True),
        (1, -5, 0, 0, True),
        (1, 5, 10, 0, True),
    ],
)
def test_money_leaves_only_what_is_free(
    amount: int, balance_after: int, held_after: int, floor: int | None, covered: bool
) -> None:
    assert posting._covered(amount, balance_after, held_after, floor) is covered
