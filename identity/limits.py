"""How often logging in may fail, per address, account and over all; and how often anything may be asked for."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from core.errors import AppError, Unauthorized

PER_ADDRESS = RateLimitItemPerMinute(5, 15)
PER_ACCOUNT = RateLimitItemPerHour(20)
OVERALL = RateLimitItemPerMinute(200, 15)
MAX_WAIT_S = 10


class TooManyAttempts(AppError):
    """Something was tried and failed too often; it must wait."""

    code = "too_many_attempts"
    status = 429
    retryable = True


class TooManyRequests(AppError):
    """Something was asked for too often; it must wait."""

    code = "too_many_requests"
    status = 429
    retryable = True


class LoginLimits:
    """Budgets of failed log-ins: from one address (one /64 in IPv6), into one account, and from everywhere.

    A right code or password costs nothing. Attempts from one address are let in one after the other, so that many at
    once get no more guesses than one by one.
    """

    def __init__(
        self,
        per_address: RateLimitItem = PER_ADDRESS,
        overall: RateLimitItem = OVERALL,
        per_account: RateLimitItem = PER_ACCOUNT,
    ) -> None:
        self._per_address = per_address
        self._per_account = per_account
        self._overall = overall
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, address: str, *, door: str, account: str | None = None) -> AsyncIterator[None]:
        """Let one attempt at `door` ("otp", "password") through; an `Unauthorized` that leaves the block counts.

        Args:
            account: What the attempt is made on, by its id or by any name typed, where it names one.

        Raises: TooManyAttempts, with the seconds to wait.
        """
        origin = network_of(address)
        queue = self._queues.setdefault(f"{door} {origin}", asyncio.Lock())
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await queue.acquire()
        except TimeoutError:
            raise _too_many(MAX_WAIT_S) from None
        budgets = [(self._per_address, (door, origin)), (self._overall, (door,))]
        if account is not None:
            budgets.append((self._per_account, (door, "account", account.strip().casefold()[:254])))
        try:
            async with AsyncExitStack() as refunds:
                for limit, key in budgets:
                    await self._spend(limit, *key)
                    refunds.push_async_callback(self._refund, limit, *key)
                try:
                    yield
                except Unauthorized:
                    refunds.pop_all()
                    raise
        finally:
            queue.release()

    async def _spend(self, limit: RateLimitItem, *key: str) -> None:
        if not await self._limiter.hit(limit, *key):
            reset = (await self._limiter.get_window_stats(limit, *key)).reset_time
            raise _too_many(max(1, round(reset - time.time())))

    async def _refund(self, limit: RateLimitItem, *key: str) -> None:
        await self._storage.decr(limit.key_for(*key))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a rate.

    Attributes:
        limit: Requests in the whole window.
        remaining: Requests left in it.
        reset_at: When the window ends, in seconds since 1970.
    """

    limit: int
    remaining: int
    reset_at: int

    @property
    def headers(self) -> dict[str, str]:
        """`X-RateLimit-Limit`, `-Remaining` and `-Reset`."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_at),
        }


class Rates:
    """Counts requests in fixed windows, in this process's memory.

    Args:
        factor: Multiplies every rate.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def spend(self, rate: RateLimitItem, *key: str) -> tuple[bool, Allowance]:
        """Count one request of whoever `key` names; whether it is within `rate`, and what is left."""
        if self._factor != 1.0:
            rate = type(rate)(max(1, round(rate.amount * self._factor)), rate.multiples, rate.namespace)
        within = await self._limiter.hit(rate, *key)
        stats = await self._limiter.get_window_stats(rate, *key)
        return within, Allowance(rate.amount, stats.remaining, math.ceil(stats.reset_time))


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
