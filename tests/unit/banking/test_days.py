"""Days in India, and months that keep their day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from banking.days import add_months, midnight, today


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 1, 18, 29, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 1, 18, 30, tzinfo=UTC), date(2026, 3, 2)),  # midnight in India
        (datetime(2026, 12, 31, 20, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_a_day_begins_at_midnight_in_india(moment: datetime, day: date) -> None:
    assert today(moment) == day
    assert midnight(day) <= moment < midnight(day + timedelta(days=1))
    assert today(midnight(day)) == day


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 1, 15), 1, date(2026, 2, 15)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 1, 31), 3, date(2026, 4, 30)),
        (date(2026, 11, 5), 2, date(2027, 1, 5)),
        (date(2026, 1, 5), -1, date(2025, 12, 5)),
        (date(2026, 3, 31), -13, date(2025, 2, 28)),
        (date(2026, 5, 5), 0, date(2026, 5, 5)),
        (date(2026, 5, 5), 480, date(2066, 5, 5)),
    ],
)
def test_a_later_month_keeps_the_day_as_far_as_it_has_it(day: date, months: int, then: date) -> None:
    assert add_months(day, months) == then
