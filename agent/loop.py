"""How late and how busy the event loop is: the first signs that a process carries more calls than it can."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from core.clock import monotonic_s

INTERVAL_S = 0.05
WINDOW = 100
"""Samples of lateness kept: the last five seconds."""

BUSY_WINDOW = 20
"""Samples that the share of work is taken over: the last second."""


class LoopMonitor:
    """Measures how late timers fire, and how much of the time the loop's thread is at work.

    The second tells of a full core before the first does: a loop may be at work nine tenths of the time and still be
    on time, until one more call is too much for all of them.
    """

    def __init__(self) -> None:
        self._late_ms: deque[float] = deque(maxlen=WINDOW)
        self._spent: deque[tuple[float, float]] = deque(maxlen=BUSY_WINDOW + 1)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = monotonic_s() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            now = monotonic_s()
            self._late_ms.append(max(0.0, (now - due) * 1000))
            self._spent.append((now, time.thread_time()))

    @property
    def lag_ms(self) -> float:
        """95th percentile of the lateness over the last five seconds, in milliseconds."""
        # The five latest of a hundred samples do not count, so one stall does not turn callers away.
        worst = sorted(self._late_ms, reverse=True)
        return worst[WINDOW // 20] if len(worst) > WINDOW // 20 else 0.0

    @property
    def busy(self) -> float:
        """Share of the last second in which the thread that runs the loop used its core, 0 to 1."""
        if len(self._spent) < 2:
            return 0.0
        (began, worked_before), (ended, worked) = self._spent[0], self._spent[-1]
        return min(1.0, (worked - worked_before) / (ended - began)) if ended > began else 0.0
