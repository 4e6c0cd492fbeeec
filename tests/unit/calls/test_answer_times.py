"""Answer times in buckets: percentiles of many calls out of merged counts."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from calls.answers import bucket_of, middle_of, percentile

MOST_MS = 120_000
times = st.integers(0, MOST_MS)
SMALLINT = 32_767


@given(times)
def test_the_middle_of_a_bucket_is_within_three_per_cent_of_all_in_it(total_ms: int) -> None:
    assert abs(middle_of(bucket_of(total_ms)) - total_ms) <= 0.03 * total_ms


def test_every_time_up_to_two_minutes_has_its_bucket_in_order() -> None:
    buckets = [bucket_of(total_ms) for total_ms in range(MOST_MS + 1)]
    assert buckets == sorted(buckets)
    assert len(set(buckets)) < 300
    assert bucket_of(2**31 - 1) < SMALLINT, "the longest time a column holds has a bucket"
    assert bucket_of(-5) == 0


@given(st.lists(st.lists(times, max_size=40), min_size=1, max_size=6), st.floats(0, 1))
def test_percentiles_of_merged_counts_are_within_three_per_cent_of_the_exact_ones(
    calls: list[list[int]], q: float
) -> None:
    merged: Counter[int] = Counter()
    for call in calls:
        merged.update(map(bucket_of, call))
    everything = sorted(total_ms for call in calls for total_ms in call)
    found = percentile(merged, q)
    if not everything:
        assert found is None
        return
    exact = everything[max(1, math.ceil(q * len(everything) - 1e-9)) - 1]
    assert found is not None
    assert abs(found - exact) <= 0.03 * exact


def test_the_nearest_rank_is_not_missed_by_a_rounding_error() -> None:
    counts = dict.fromkeys(range(1, 101), 1)
    assert [percentile(counts, share / 100) for share in range(1, 100)] == list(range(1, 100))
    assert (percentile(counts, 0.0), percentile(counts, 1.0)) == (1, middle_of(100))
