"""Packets come in any order and leave in one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agent.media.order import MAX_HELD, Order


def put_all(order: Order[int], numbers: list[int]) -> list[int]:
    return [packet for number in numbers for packet in order.put(number & 0xFFFF, number)]


def test_in_order_each_goes_on_at_once() -> None:
    order: Order[int] = Order(refused=Counter())
    for number in range(65_530, 65_545):  # over the end of 16 bits
        assert order.put(number & 0xFFFF, number) == [number]
    assert not order.waiting


def test_what_overtook_waits_for_what_was_overtaken() -> None:
    order: Order[int] = Order(refused=Counter())
    assert put_all(order, [1, 3, 4]) == [1]
    assert order.waiting and list(order.held) == [3, 4]
    assert order.put(2, 2) == [2, 3, 4]
    assert not order.waiting and not order.held


def test_a_gap_can_be_given_up() -> None:
    refused: Counter[str] = Counter()
    order: Order[int] = Order(refused=refused)
    put_all(order, [1, 3, 5])
    assert order.give_up() == [3]
    assert order.give_up() == [5]
    assert order.give_up() == []
    assert order.put(2, 2) == [] and refused["late"] == 1


def test_a_gap_is_not_waited_for_without_end() -> None:
    order: Order[int] = Order(refused=Counter())
    held = list(range(2, 2 + MAX_HELD))
    assert put_all(order, [0, *held]) == [0, *held]


def test_a_leap_is_a_new_beginning() -> None:
    order: Order[int] = Order(refused=Counter())
    put_all(order, [1, 2, 4])
    assert order.put(40_000, 40_000) == [40_000]
    assert order.put(40_001, 40_001) == [40_001]


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.floats(0, MAX_HELD - 1), st.booleans(), st.booleans()), min_size=1, max_size=100),
)
def test_whatever_the_network_does_order_is_kept_and_nothing_comes_twice(
    first: int, fates: list[tuple[float, bool, bool]]
) -> None:
    sent = [(first + at + delay, first + at) for at, (delay, lost, _) in enumerate(fates) if not lost or at == 0]
    sent += [(first + at + delay + 0.5, first + at) for at, (delay, _, twice) in enumerate(fates) if twice]
    arriving = [(first, first), *sorted(sent)]  # the first one opens the stream
    order: Order[int] = Order(refused=Counter())
    out = put_all(order, [number for _, number in arriving])
    while order.waiting:
        out += order.give_up()
    assert out == sorted(set(out))
    if not any(lost for _, lost, _ in fates):
        assert out == list(range(first, first + len(fates)))
