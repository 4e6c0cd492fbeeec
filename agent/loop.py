"""How late the event loop is: the first sign that a process carries more calls than it can."""

from __future__ import annotations

import asyncio
from collections import deque

from core.clock import monotonic_s

INTERVAL_S = 0.05
WINDOW = 100
"""Samples kept: the last five seconds."""


class LoopMonitor:
    """Measures how late timers fire."""

    def __init__(self) -> None:
        self._late_ms: deque[float] = deque(maxlen=WINDOW)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = monotonic_s() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self._late_ms.append(max(0.0, (monotonic_s() - due) * 1000))

    @property
    def lag_ms(self) -> float:
        """95th percentile of the lateness over the last five seconds, in milliseconds."""
        # The five latest of a hundred samples do not count, so one stall does not turn callers away.
        worst = sorted(self._late_ms, reverse=True)
        return worst[WINDOW // 20] if len(worst) > WINDOW // 20 else 0.0
