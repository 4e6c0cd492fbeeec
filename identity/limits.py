"""How often logging in may fail, per address, account and over all; and how often anything may be asked for."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from core.clock import monotonic_s
from core.errors import AppError, Unauthorized

PER_ADDRESS = (RateLimitItemPerMinute(5, 15), RateLimitItemPerHour(15, 3), RateLimitItemPerDay(40))
"""Who goes on failing waits a quarter of an hour, then hours, then till another day."""

PER_ACCOUNT = (RateLimitItemPerHour(20),)
OVERALL = (RateLimitItemPerMinute(200, 15),)
MAX_WAIT_S = 10
MAX_KNOWN = 10_000
"""Addresses from which accounts were logged in to, remembered."""

PACES_S: Mapping[str, float] = {"digits6": 4.5, "crockford8": 0.1, "password": 1.0}
"""How far apart attempts are let in once the overall budget is spent. Six digits can be guessed, so that their pace is
the budget's own; eight letters and digits cannot: ten guesses a second hit one of a thousand codes in 3 years."""


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

    Each process counts for itself: several of them let as many times as much through.

    Who has logged in to an account before, from the same address, is not kept out by others' failures at it. A right
    code or password costs nothing. Attempts from one address are let in one after the other, so that many at
    once get no more guesses than one by one. When the budget from everywhere is spent, attempts are let in at a pace,
    each address (one /48 in IPv6, which is what one subscriber may hold) in its turn: a storm of guesses gains nothing
    more, and who knows their code only waits.

    Args:
        per_address: Windows of failures from one address; with longer ones the wait grows.
        overall: Windows of failures at one door.
        per_account: Windows of failures into one account.
        paces_s: Seconds between attempts at each door when `overall` is spent.
    """

    def __init__(
        self,
        *,
        per_address: Sequence[RateLimitItem] = PER_ADDRESS,
        overall: Sequence[RateLimitItem] = OVERALL,
        per_account: Sequence[RateLimitItem] = PER_ACCOUNT,
        paces_s: Mapping[str, float] | None = None,
    ) -> None:
        self._per_address = per_address
        self._per_account = per_account
        self._overall = overall
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._known: OrderedDict[tuple[tuple[str, ...], str], None] = OrderedDict()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        paces_s = {"otp": PACES_S["digits6"]} if paces_s is None else paces_s
        self._pacers: defaultdict[str, Pacer] = defaultdict(lambda: Pacer(PACES_S["password"]))
        self._pacers.update({door: Pacer(pace_s) for door, pace_s in paces_s.items()})

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
        budgets: list[tuple[Sequence[RateLimitItem], tuple[str, ...]]] = [(self._per_address, (door, origin))]
        whose = None if account is None else (door, "account", account.strip().casefold()[:254])
        if whose is not None and (whose, origin) not in self._known:
            budgets.append((self._per_account, whose))
        try:
            async with AsyncExitStack() as refunds:
                for windows, key in budgets:
                    for limit in windows:
                        if not await self._spend(limit, *key):
                            raise await self._refused(windows, *key)
                        refunds.push_async_callback(self._refund, limit, *key)
                for limit in self._overall:
                    if await self._spend(limit, door):
                        refunds.push_async_callback(self._refund, limit, door)
                    else:
                        await self._pacers[door].take(network_of(address, v6_bits=48))
                try:
                    yield
                except Unauthorized:
                    refunds.pop_all()
                    raise
                if whose is not None:
                    self._remember(whose, origin)
        finally:
            queue.release()

    def _remember(self, whose: tuple[str, ...], origin: str) -> None:
        self._known[whose, origin] = None
        self._known.move_to_end((whose, origin))
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    async def _spend(self, limit: RateLimitItem, *key: str) -> bool:
        return await self._limiter.hit(limit, *key)

    async def _refused(self, windows: Sequence[RateLimitItem], *key: str) -> TooManyAttempts:
        stats = [await self._limiter.get_window_stats(limit, *key) for limit in windows]
        until = max(window.reset_time for window in stats if window.remaining == 0)
        return _too_many(max(1, round(until - time.time())), " from this network or account")

    async def _refund(self, limit: RateLimitItem, *key: str) -> None:
        await self._storage.decr(limit.key_for(*key))


class Pacer:
    """Lets attempts in one at a time, each origin in the order in which it first came.

    An origin whose turn is near is kept waiting for it; another is told when to come back, and keeps its place whatever
    it does meanwhile.

    Args:
        pace_s: Seconds between two turns.
        clock: Seconds that only grow.
    """

    NEAR_S = 5.0
    FARTHEST_S = 600.0
    KEPT_S = 60.0
    """After its turn has come, how long an origin may take to use it."""

    def __init__(self, pace_s: float, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._pace_s = pace_s
        self._clock = clock
        self._next = 0.0
        self._places: OrderedDict[str, float] = OrderedDict()

    async def take(self, origin: str) -> None:
        """Return when it is the origin's turn.

        Raises: TooManyAttempts, with the seconds to wait.
        """
        wait_s = self._place(origin) - self._clock()
        if wait_s > self.NEAR_S:
            raise _too_many(math.ceil(wait_s))
        await asyncio.sleep(max(0.0, wait_s))
        self._places.pop(origin, None)

    def _place(self, origin: str) -> float:
        now = self._clock()
        while self._places and next(iter(self._places.values())) + self.KEPT_S < now:
            self._places.popitem(last=False)
        if origin not in self._places:
            at = max(now, self._next)
            if at - now > self.FARTHEST_S:
                raise _too_many(round(self.FARTHEST_S))
            self._next = at + self._pace_s
            self._places[origin] = at
        return self._places[origin]


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


def network_of(address: str, *, v6_bits: int = 64) -> str:
    """What counts as one origin: an IPv4 address, an IPv6 network, or the text itself where it is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, v6_bits), strict=False))
    return str(parsed)


def _too_many(wait_s: int, where: str = "") -> TooManyAttempts:
    unit, seconds = next(
        (unit, s) for unit, s in (("hour", 3600), ("minute", 60), ("second", 1)) if wait_s >= 2 * s or s == 1
    )
    count = -(-wait_s // seconds)
    when = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return TooManyAttempts(f"Too many wrong attempts{where}. Try again in {when}.", retry_after_s=wait_s)
