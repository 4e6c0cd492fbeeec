"""Which vendors are trusted just now: shared by all calls of a process, so that one call's bad luck spares the next.

A breaker (Nygard, *Release It!*, 2nd ed., section 5.2) opens when a vendor fails twice in a row, or once in a way that
will not pass by itself, such as a rejected key. While it is open, calls use the next vendor of their chain and the
vendor is asked in the background whether it serves again; each time it fails anew it gets a longer rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from loguru import logger
from pipecat.utils.errors import ErrorCategory, classify_http_exception

from core.clock import utc_now
from core.tasks import spawn
from providers.base import Kind

FAILURES = 2
"""In a row, until a vendor is given a rest."""

FIRST_REST_S = 10.0
LONGEST_REST = 30
"""Times the first one."""

CHECK_TIMEOUT_S = 5.0

LASTING = frozenset({ErrorCategory.AUTHENTICATION, ErrorCategory.AUTHORIZATION, ErrorCategory.QUOTA})
"""What no second try mends: a key that is not accepted, a credit that is used up."""

WORDS = {
    ErrorCategory.AUTHENTICATION: "does not accept the key",
    ErrorCategory.AUTHORIZATION: "does not allow this with the key",
    ErrorCategory.QUOTA: "says the credit is used up",
    ErrorCategory.RATE_LIMIT: "says we ask too much",
    ErrorCategory.CONNECTIVITY: "cannot be reached or does not answer",
    ErrorCategory.SERVER: "has a failure of its own",
    ErrorCategory.INVALID_REQUEST: "does not take the request",
}

Check = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Breaker:
    """What is known of one vendor in one kind of work.

    Attributes:
        check: Asks the vendor whether it serves; None where it cannot be asked, then time alone closes the breaker.
        first_rest_s: How long it is left alone at first; each further rest is twice as long, up to thirty
            times the first one.
        key: The setting that holds its key; empty where it needs none.
        open: Whether the vendor is left alone.
        failures: In a row.
        trouble: What was last wrong; kept for the record after it has passed.
        since: When `open` last changed.
    """

    vendor: str
    kind: Kind
    check: Check | None = None
    first_rest_s: float = FIRST_REST_S
    key: str = ""
    open: bool = False
    failures: int = 0
    trouble: ErrorCategory | None = None
    since: datetime = field(default_factory=utc_now)
    _rests: int = 0
    _resting: asyncio.Task[None] | None = None
    _closed: bool = False

    @property
    def words(self) -> str:
        """What was last wrong, for operators, with the name of the setting that may mend it."""
        words = "" if self.trouble is None else WORDS.get(self.trouble, "failed")
        return words.replace("the key", self.key or "the key")

    def failed(self, category: ErrorCategory) -> None:
        """Note that the vendor did not serve."""
        self.failures += 1
        self.trouble = category
        if self.failures >= FAILURES or category in LASTING:
            self.rest(category)

    def rest(self, category: ErrorCategory) -> None:
        """Leave the vendor alone until it says that it serves again."""
        self.trouble = category
        if not self.open and not self._closed:
            self.open, self.since = True, utc_now()
            logger.error("{} ({}) is given a rest: it {}", self.vendor, self.kind, self.words)
            self._resting = spawn(self._ask_until_it_serves(), owner=f"breaker {self.vendor} {self.kind}")

    def told(self, trouble: ErrorCategory | None) -> None:
        """Take over what other processes have found out: what is wrong, or None if nothing is; nobody is asked here."""
        if self.open is not (trouble is not None):
            self.open, self.since = trouble is not None, utc_now()
        self.trouble = trouble or self.trouble

    def served(self) -> None:
        """Note that the vendor did its work."""
        self.failures = 0
        if not self.open:
            self._rests = 0

    async def _ask_until_it_serves(self) -> None:
        while True:
            # It doubles until the vendor does real work again: a check may pass where the work still fails.
            await asyncio.sleep(self.first_rest_s * min(2**self._rests, LONGEST_REST))
            self._rests = min(self._rests + 1, 16)
            trouble = await self.ask()
            if trouble is None:
                self.open, self.failures, self.since = False, 0, utc_now()
                logger.info("{} ({}) serves again", self.vendor, self.kind)
                return
            self.trouble = trouble

    async def ask(self) -> ErrorCategory | None:
        """What the vendor's answer to the cheapest question says is wrong; None if nothing is."""
        if self.check is None:
            return None
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self.check()
        except Exception as error:  # noqa: BLE001 - whatever a vendor's SDK raises is an answer
            return category_of(error)
        return None

    def close(self) -> None:
        """Ask no more."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None


def category_of(error: BaseException) -> ErrorCategory:
    """Why something failed, from any SDK's exception."""
    found = classify_http_exception(error)
    if found is ErrorCategory.UNKNOWN and _is_of_the_line(error):
        return ErrorCategory.CONNECTIVITY
    return found


def _is_of_the_line(error: BaseException | None) -> bool:
    """Whether an SDK's own exception stands for a broken or silent line."""
    while error is not None:
        # By name: vendors' SDKs come with an httpx of their own, or with its successor.
        names = [kind.__name__ for kind in type(error).__mro__]
        if isinstance(error, OSError | TimeoutError) or "TransportError" in names or "Connect" in names[0]:
            return True
        error = error.__cause__ or error.__context__
    return False


class Breakers:
    """The breakers of a process."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, Kind], Breaker] = {}

    def of(
        self,
        vendor: str,
        kind: Kind,
        check: Check | None = None,
        *,
        first_rest_s: float = FIRST_REST_S,
        key: str = "",
    ) -> Breaker:
        """A vendor's breaker, made when it is first asked for."""
        return self._all.setdefault((vendor, kind), Breaker(vendor, kind, check, first_rest_s, key))

    def all(self) -> list[Breaker]:
        """Every breaker there is."""
        return list(self._all.values())

    def close(self) -> None:
        """Forget everything, and ask no more."""
        for breaker in self._all.values():
            breaker.close()
        self._all.clear()
