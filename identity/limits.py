"""How often logging in may fail: per address, and over all addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from core.errors import AppError, Unauthorized

PER_ADDRESS = RateLimitItemPerMinute(5, 15)
OVERALL = RateLimitItemPerMinute(200, 15)
MAX_WAIT_S = 10


class TooManyAttempts(AppError):
    """Logging in has failed too often; it must wait."""

    code = "too_many_attempts"
    status = 429
    retryable = True


class LoginLimits:
    """Budgets of failed log-ins: 5 in 15 minutes from one address (one /64 in IPv6), 200 from everywhere.

    A right code or password costs nothing. Attempts from one address are let in one after the other, so that many at
    once get no more guesses than one by one.
    """

    def __init__(self, per_address: RateLimitItem = PER_ADDRESS, overall: RateLimitItem = OVERALL) -> None:
        self._per_address = per_address
        self._overall = overall
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, address: str, *, door: str) -> AsyncIterator[None]:
        """Let one attempt at `door` ("otp", "password") through; an `Unauthorized` that leaves the block counts.

        Raises: TooManyAttempts, with the seconds to wait.
        """
        origin = network_of(address)
        queue = self._queues.setdefault(f"{door} {origin}", asyncio.Lock())
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await queue.acquire()
        except TimeoutError:
            raise _too_many(MAX_WAIT_S) from None
        try:
            await self._spend(self._per_address, door, origin)
            try:
                await self._spend(self._overall, door)
            except TooManyAttempts:
                await self._refund(self._per_address, door, origin)
                raise
            failed = False
            try:
                yield
            except Unauthorized:
                failed = True
                raise
            finally:
                if not failed:
                    await self._refund(self._per_address, door, origin)
                    await self._refund(self._overall, door)
        finally:
            queue.release()

    async def _spend(self, limit: RateLimitItem, *key: str) -> None:
        if not await self._limiter.hit(limit, *key):
            reset = (await self._limiter.get_window_stats(limit, *key)).reset_time
            raise _too_many(max(1, round(reset - time.time())))

    async def _refund(self, limit: RateLimitItem, *key: str) -> None:
        await self._storage.decr(limit.key_for(*key))


def network_of(address: str) -> str:
    """What counts as one origin: an IPv4 address, an IPv6 /64, or the text itself where it is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _too_many(wait_s: int) -> TooManyAttempts:
    minutes = -(-wait_s // 60)
    unit = "minute" if minutes == 1 else "minutes"
    return TooManyAttempts(f"Too many wrong attempts. Try again in {minutes} {unit}.", retry_after_s=wait_s)
