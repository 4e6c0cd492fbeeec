"""The demo customers' printed history, and their households on any day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from banking import loans, seed, template
from banking.bills import BillCategory
from banking.days import add_months, today
from banking.ledger import PostingKind
from banking.loans import Loan
from banking.template import GUEST_HOUSEHOLD, GUEST_KYC, HISTORY, OPENED_AT, Household, Move

HOUSEHOLDS = {"Guest": GUEST_HOUSEHOLD} | {person.name: person.household for person in seed.PEOPLE}
WITH_CURRENT = [name for name, household in HOUSEHOLDS.items() if household.current is not None]
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(370)]


def loan_of(household: Household, day: date) -> Loan:
    terms = household.loan
    return Loan(
        id="lon_1",
        customer_id="cus_1",
        kind=terms.kind,
        principal_minor=terms.principal * 100,
        currency="INR",
        annual_rate_bps=terms.annual_rate_bps,
        months=terms.months,
        first_due_on=add_months(template.next_instalment_day(day), -terms.paid),
    )


def moves_of(name: str, day: date) -> list[Move]:
    household = HOUSEHOLDS[name]
    return template.moves(household, loan_of(household, day), day)


def test_the_history_is_in_order_and_ends_with_the_printed_balance() -> None:
    moments = [OPENED_AT, *(event.at for event in HISTORY)]
    assert moments == sorted(moments)
    assert HISTORY[-1].balance_after == 10_000


def test_no_line_would_overdraw_the_account() -> None:
    for event in HISTORY:
        assert event.balance_after >= 0
        assert event.balance_after - event.amount >= 0


def test_who_has_a_current_account() -> None:
    assert set(HOUSEHOLDS) - set(WITH_CURRENT) == {"John Doe"}
    assert GUEST_HOUSEHOLD.current == 50_000


@pytest.mark.parametrize("name", WITH_CURRENT)
def test_on_no_day_would_a_current_account_be_overdrawn(name: str) -> None:
    household = HOUSEHOLDS[name]
    assert household.current is not None
    for day in DAYS:
        moves = moves_of(name, day)
        balance = household.current * 100 - sum(move.minor for move in moves)
        assert balance > 0, "what is brought forward"
        for move in moves:
            balance += move.minor
            assert balance >= 0, f"{day}: {move.narration}"
        assert balance == household.current * 100


@pytest.mark.parametrize("name", WITH_CURRENT)
def test_on_every_day_the_history_is_past_and_in_order(name: str) -> None:
    for day in DAYS:
        at = [move.at for move in moves_of(name, day)]
        assert at == sorted(at)
        assert today(at[-1]) < day
        assert today(at[0]) > day - timedelta(days=template.HISTORY_DAYS)


@pytest.mark.parametrize("name", WITH_CURRENT)
def test_on_every_day_groceries_were_bought_in_the_last_calendar_month(name: str) -> None:
    for day in DAYS:
        last_month = add_months(day.replace(day=1), -1)
        bought = [today(move.at) for move in moves_of(name, day) if move.category == "groceries"]
        assert any((each.year, each.month) == (last_month.year, last_month.month) for each in bought), day


@pytest.mark.parametrize("name", HOUSEHOLDS)
def test_on_every_day_the_loan_is_neither_behind_nor_ahead(name: str) -> None:
    household = HOUSEHOLDS[name]
    assert household.loan.paid < household.loan.months
    for day in DAYS[:70]:
        instalments = loans.schedule(loan_of(household, day))
        assert all(each.due_on < day for each in instalments[: household.loan.paid])
        assert instalments[household.loan.paid].due_on >= day


@pytest.mark.parametrize("name", WITH_CURRENT)
def test_the_latest_instalments_and_the_paid_bill_were_paid_from_the_current_account(name: str) -> None:
    household, day = HOUSEHOLDS[name], date(2026, 3, 1)
    moves = moves_of(name, day)
    instalments = loans.schedule(loan_of(household, day))
    paid = household.loan.paid
    assert [(move.instalment, move.minor) for move in moves if move.kind is PostingKind.LOAN] == [
        (each.n, -each.emi.minor) for each in instalments[paid - 3 : paid]
    ]
    assert [(move.counterparty, move.minor) for move in moves if move.kind is PostingKind.BILL] == [
        (household.paid.biller, -household.paid.amount * 100)
    ]


def test_the_guests_bills() -> None:
    assert {(each.category, each.amount) for each in GUEST_HOUSEHOLD.due} == {
        (BillCategory.ELECTRICITY, 1280),
        (BillCategory.WATER, 450),
        (BillCategory.MOBILE, 399),
        (BillCategory.INTERNET, 899),
    }


def test_no_two_demo_customers_share_a_consumer_number_phone_or_document() -> None:
    demands = [each for household in HOUSEHOLDS.values() for each in (*household.due, household.paid)]
    assert len({each.consumer_number for each in demands}) == len(demands)
    assert len({person.phone for person in seed.PEOPLE}) == 5
    assert len({person.kyc.number for person in seed.PEOPLE} | {GUEST_KYC.number}) == 6


def test_the_words_of_a_line() -> None:
    assert template.told(5000, "Salary") == "Received ₹5000 from Salary"
    assert template.told(-2000, "Groceries") == "Paid ₹2000 for groceries"


def test_instalments_are_due_on_the_fifth() -> None:
    assert template.next_instalment_day(date(2026, 3, 5)) == date(2026, 3, 5)
    assert template.next_instalment_day(date(2026, 3, 6)) == date(2026, 4, 5)
    assert template.next_instalment_day(date(2026, 12, 31)) == date(2027, 1, 5)
