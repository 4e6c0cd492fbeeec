"""What is said and shown about a transfer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from banking import transfers
from banking.accounts import Account, AccountKind
from banking.transfers import Factor, Mode, State, Transfer
from banking.transfers.words import code_message, figures
from core.money import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAVINGS = Account(id="acc_1", kind=AccountKind.SAVINGS, number="100000000001", currency="INR")


def transfer(amount_minor: int = 500_00, **more: Any) -> Transfer:
    given: dict[str, Any] = {
        "id": "trf_1",
        "payee_name": "Ravi",
        "payee_detail": "Ravi Kumar",
        "payee_tail": "0003",
        "payee_alike": False,
        "amount_minor": amount_minor,
        "currency": "INR",
        "mode": Mode.IMPS,
        "factor": Factor.NONE,
        "state": State.DRAFTED,
    }
    return Transfer(**given | more)


BILL = {"mode": Mode.BILL, "payee_name": "Sunrise Power", "payee_detail": "electricity bill", "payee_tail": "0001"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (transfer(), "Send five hundred rupees to Ravi from your savings account. Shall I go ahead?"),
        (
            transfer(15_000_00),
            "Send fifteen thousand rupees, that is one five zero zero zero, to Ravi from your savings account. "
            "Shall I go ahead?",
        ),
        (
            transfer(50_000_00, factor=Factor.AMOUNT),
            "Send fifty thousand rupees, that is five zero zero zero zero, to Ravi from your savings account. "
            "I will ask you for a code then. Shall I go ahead?",
        ),
        (
            transfer(payee_alike=True),
            "Send five hundred rupees to Ravi, Ravi Kumar, account ending in zero zero zero three, "
            "from your savings account. Shall I go ahead?",
        ),
        (
            transfer(payee_alike=True, payee_detail="Ravi"),
            "Send five hundred rupees to Ravi, account ending in zero zero zero three, from your savings account. "
            "Shall I go ahead?",
        ),
        (
            transfer(1_280_00, **BILL),
            "Pay one thousand two hundred eighty rupees, that is one two eight zero, to Sunrise Power "
            "for your electricity bill from your savings account. Shall I go ahead?",
        ),
    ],
)
def test_the_read_back(asked: Transfer, words: str) -> None:
    assert transfers.read_back(asked, SAVINGS) == words


@pytest.mark.parametrize(("one", "other"), [(13, 30), (14, 40), (15, 50), (16, 60), (17, 70), (18, 80), (19, 90)])
@pytest.mark.parametrize("unit", [1_00, 1_000_00, 1_00_000_00])
def test_amounts_that_sound_alike_are_told_apart_digit_by_digit(one: int, other: int, unit: int) -> None:
    texts = [transfers.read_back(transfer(n * unit), SAVINGS) for n in (one, other)]
    digits = [re.findall(r"that is ([a-z ]+),", text) for text in texts]
    assert all(len(found) == 1 for found in digits)
    assert digits[0] != digits[1]


@pytest.mark.parametrize(
    ("state", "said", "shown"),
    [
        (
            State.DRAFTED,
            "Nothing has been sent to Ravi yet.",
            "Send ₹500 to Ravi (Ravi Kumar …0003)? Nothing has been sent yet.",
        ),
        (State.CONFIRMED, "Nothing has been sent to Ravi yet.", "Nothing has been sent to Ravi yet."),
        (
            State.CHALLENGED,
            "I need your code before I can send five hundred rupees to Ravi. Nothing has been sent yet.",
            "I need your code before I can send ₹500 to Ravi. Nothing has been sent yet.",
        ),
        (
            State.POSTED,
            "Done. I've sent five hundred rupees to Ravi. Your new balance is nine thousand five hundred rupees.",
            "Sent ₹500 to Ravi (Ravi Kumar …0003). New balance: ₹9,500.",
        ),
        (State.DECLINED, *["Cancelled. Nothing has been sent to Ravi."] * 2),
        (State.EXPIRED, *["That took too long, so nothing has been sent to Ravi."] * 2),
        (
            State.FAILED,
            "I could not send five hundred rupees to Ravi. That is too much: one lakh rupees is the most. "
            "Nothing has been sent.",
            "I could not send ₹500 to Ravi. That is too much: ₹1,00,000 is the most. Nothing has been sent.",
        ),
    ],
)
def test_how_it_stands(state: State, said: str, shown: str) -> None:
    ended = transfer(state=state, balance_after_minor=9_500_00, failure_text="That is too much: ₹1,00,000 is the most.")
    assert transfers.said(ended) == said
    assert transfers.shown(ended) == shown
    assert not re.search(r"\d|₹", transfers.said(ended)), "what is said has no figures"


def test_a_bill_is_paid_not_sent() -> None:
    posted = transfer(1_280_00, state=State.POSTED, balance_after_minor=0, **BILL)
    assert transfers.said(posted) == (
        "Done. I've paid one thousand two hundred eighty rupees to Sunrise Power. Your new balance is zero rupees."
    )
    assert transfers.shown(posted) == "Paid ₹1,280 to Sunrise Power (electricity bill …0001). New balance: ₹0."
    for state in State:
        words = transfers.said(transfer(1_280_00, state=state, balance_after_minor=0, **BILL))
        assert "sent" not in words
        assert "send" not in words


def test_the_code_stands_beside_what_it_is_for() -> None:
    assert code_message(transfer(15_000_00), "123456") == (
        "Code 123456 to send ₹15,000 to Ravi Kumar …0003. Never tell it to anyone."
    )


def test_only_a_transfer_that_came_to_nothing_is_a_refusal() -> None:
    refused = {state: transfers.refusal(transfer(state=state, failure_code="x", failure_text="No.")) for state in State}
    codes = {state.value: error.code for state, error in refused.items() if error is not None}
    assert codes == {"failed": "x", "expired": "transfer_expired", "declined": "transfer_declined"}


@pytest.mark.parametrize(
    ("minor", "text"),
    [
        (0, "₹0"),
        (1, "₹0.01"),
        (99_50, "₹99.50"),
        (999_00, "₹999"),
        (1_000_00, "₹1,000"),
        (99_999_00, "₹99,999"),
        (1_00_000_00, "₹1,00,000"),
        (12_34_567_05, "₹12,34,567.05"),
        (1_23_45_67_890_00, "₹1,23,45,67,890"),
        (-5_000_00, "-₹5,000"),
    ],
)
def test_amounts_in_figures(minor: int, text: str) -> None:
    assert figures(Money(minor)) == text
