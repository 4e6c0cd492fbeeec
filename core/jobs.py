"""Work that is done again and again while the server runs: reminders, expiry, deliveries, pruning."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from loguru import logger

from core.errors import Busy
from core.tasks import spawn

JITTER = 0.1
MAX_BACKOFF = 16


class Jobs:
    """The recurring work of one process.

    Each job is one loop: it never overlaps itself, starts after a random part of its interval so that processes do not
    march in step, and goes on after errors, more slowly until it succeeds again. Work must be safe to run in several
    processes at once and to be cut off between transactions.
    """

    def __init__(self, report: Callable[[str, str | None], None] | None = None) -> None:
        """Make a set of jobs.

        Args:
            report: Told after every run the job's name, and what went wrong or None; it must neither wait nor raise.
        """
        self._report = report or (lambda _name, _wrong: None)
        self._stop = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def every(self, seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
        """Do `work` about every `seconds` from now on."""
        self._loops.append(spawn(self._loop(seconds, work, name), owner=f"job {name}"))

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Begin nothing more, and let what is under way finish; it is cancelled when it takes longer."""
        self._stop.set()
        if self._loops:
            _, late = await asyncio.wait(self._loops, timeout=timeout_s)
            for loop in late:
                loop.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _loop(self, seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
        failures = 0
        wait_s = seconds * random.random()  # noqa: S311 - no secret
        while not await self._stopped_within(wait_s):
            try:
                await work()
                failures = 0
                self._report(name, None)
            except Busy as error:
                failures += 1
                logger.warning("Job {} could not run: {}", name, error.message)
                self._report(name, error.message)
            except Exception as error:  # noqa: BLE001 - the root of a job
                failures += 1
                logger.opt(exception=error).error("Job {} failed", name)
                self._report(name, type(error).__name__)
            backoff = min(2**failures, MAX_BACKOFF)
            wait_s = seconds * backoff * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret

    async def _stopped_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                return await self._stop.wait()
        except TimeoutError:
            return False
