"""The demo customer's printed history."""

from __future__ import annotations

from banking.template import HISTORY, OPENED_AT


def test_the_history_is_in_order_and_ends_with_the_printed_balance() -> None:
    moments = [OPENED_AT, *(event.at for event in HISTORY)]
    assert moments == sorted(moments)
    assert HISTORY[-1].balance_after == 10_000


def test_no_line_would_overdraw_the_account() -> None:
    for event in HISTORY:
        assert event.balance_after >= 0
        assert event.balance_after - event.amount >= 0
