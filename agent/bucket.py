"""How often something may be done."""

from __future__ import annotations

from collections.abc import Callable

from core.clock import monotonic_s


class TokenBucket:
    """A rate limit that allows short bursts: every act takes a token, tokens come back at a steady rate."""

    def __init__(self, *, rate_per_s: float, burst: int, clock: Callable[[], float] = monotonic_s) -> None:
        """Start with a full bucket of `burst` tokens, refilled at `rate_per_s`."""
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def take(self) -> bool:
        """Take a token; False if there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
