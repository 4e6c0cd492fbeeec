"""The instalments of a loan, without a database."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banking.loans import MAX_MONTHS, MAX_RATE_BPS, Loan, LoanKind, schedule


def loan(principal_minor: int, rate_bps: int, months: int, first_due_on: date = date(2026, 1, 31)) -> Loan:
    return Loan(
        id="lon_1",
        customer_id="cus_1",
        kind=LoanKind.HOME,
        principal_minor=principal_minor,
        currency="INR",
        annual_rate_bps=rate_bps,
        months=months,
        first_due_on=first_due_on,
    )


# Rupees, yearly rate in hundredths of a percent, months, and the instalment that any bank's calculator shows.
@pytest.mark.parametrize(
    ("rupees", "rate_bps", "months", "emi_minor"),
    [
        (1_00_000, 1200, 12, 8_884_88),
        (10_00_000, 900, 240, 8_997_26),
        (50_00_000, 850, 240, 43_391_16),
        (5_00_000, 1050, 60, 10_746_95),
        (12_000, 0, 12, 1_000_00),
    ],
)
def test_the_instalment_is_that_of_the_annuity_formula(rupees: int, rate_bps: int, months: int, emi_minor: int) -> None:
    instalments = schedule(loan(rupees * 100, rate_bps, months))
    assert {each.emi.minor for each in instalments[:-1]} == {emi_minor}
    assert abs(instalments[-1].emi.minor - emi_minor) <= months, "rounding gathers in the last one"


def test_a_short_loan_to_the_paisa() -> None:
    rows = [
        (each.n, each.due_on, each.emi.minor, each.principal.minor, each.interest.minor, each.balance_after.minor)
        for each in schedule(loan(1_000_00, 1200, 3))
    ]
    assert rows == [
        (1, date(2026, 1, 31), 340_02, 330_02, 10_00, 669_98),
        (2, date(2026, 2, 28), 340_02, 333_32, 6_70, 336_66),
        (3, date(2026, 3, 31), 340_03, 336_66, 3_37, 0),
    ]


@given(
    principal=st.integers(1, 10**12),
    rate_bps=st.integers(0, MAX_RATE_BPS),
    months=st.integers(1, MAX_MONTHS),
)
def test_every_loan_is_paid_back_to_the_last_paisa(principal: int, rate_bps: int, months: int) -> None:
    instalments = schedule(loan(principal, rate_bps, months))
    assert [each.n for each in instalments] == list(range(1, months + 1))
    assert sum(each.principal.minor for each in instalments) == principal
    owed = principal
    for each in instalments:
        assert each.principal.minor >= 0
        assert each.emi.minor == each.principal.minor + each.interest.minor
        owed -= each.principal.minor
        assert each.balance_after.minor == owed >= 0
    assert owed == 0


# Over still more months the half paisa by which an instalment is rounded grows to more than the last one.
@given(rupees=st.integers(10_000, 5_00_00_000), rate_bps=st.integers(100, 2_400), months=st.integers(6, 240))
def test_an_ordinary_loan_has_equal_instalments_and_ever_less_interest(rupees: int, rate_bps: int, months: int) -> None:
    instalments = schedule(loan(rupees * 100, rate_bps, months))
    assert len({each.emi for each in instalments[:-1]}) == 1
    interest = [each.interest.minor for each in instalments]
    assert interest == sorted(interest, reverse=True)
