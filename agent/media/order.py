"""Packets in the order they were sent in: on at once while nothing is missing, held back only while something is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Generic, TypeVar

MAX_HELD = 8
"""Packets held behind a gap: more than that and what is missing will not come."""

MAX_LEAP = 3_000
"""A step of so many sequence numbers is no loss: the sender has begun anew (MAX_DROPOUT of RFC 3550, appendix A.1)."""

T = TypeVar("T")


class Order(Generic[T]):
    """One stream's packets, sorted by their 16-bit sequence numbers.

    It keeps no time of its own: whoever uses it gives up a gap when it has waited long enough.

    Args:
        refused: Where packets that are of no use are counted: `late` after their turn, or `duplicate`.
    """

    def __init__(self, *, refused: Counter[str]) -> None:
        self._next: int | None = None
        self._held: dict[int, T] = {}
        self._refused = refused

    @property
    def waiting(self) -> bool:
        """Whether packets are held behind a gap."""
        return bool(self._held)

    @property
    def held(self) -> Collection[T]:
        """The packets behind the first gap."""
        return self._held.values()

    def put(self, number: int, packet: T) -> list[T]:
        """Take a packet; returns what comes next, oldest first: nothing, this one, or several."""
        if self._next is None:
            self._next = number
        ahead = _ahead(number, self._next)
        if abs(ahead) > MAX_LEAP:
            self.reset()
            self._next, ahead = number, 0
        if ahead < 0:
            self._refused["late"] += 1
            return []
        if number in self._held:
            self._refused["duplicate"] += 1
            return []
        self._held[number] = packet
        if ahead == 0:
            return self._run()
        return self.give_up() if len(self._held) >= MAX_HELD else []

    def give_up(self) -> list[T]:
        """Wait no longer for the first gap; returns what comes after it, up to the next one."""
        if not self._held or self._next is None:
            return []
        expected = self._next
        self._next = min(self._held, key=lambda number: _ahead(number, expected))
        return self._run()

    def reset(self) -> None:
        """Another stream begins."""
        self._next = None
        self._held.clear()

    def _run(self) -> list[T]:
        run: list[T] = []
        while self._next in self._held:
            run.append(self._held.pop(self._next))
            self._next = (self._next + 1) & 0xFFFF
        return run


def _ahead(number: int, expected: int) -> int:
    """How far a sequence number is ahead of the expected one; negative behind it."""
    return ((number - expected + 0x8000) & 0xFFFF) - 0x8000
