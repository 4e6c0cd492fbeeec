"""What is going on right now, told to operators' pages as it changes (server-sent events, WHATWG HTML section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Set
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from loguru import logger
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from api.call_logs import shown
from api.deps import Shared, Who, admin
from api.limited import OPERATOR
from api.traffic import NumbersOut, today
from calls import log as call_log
from calls import summary
from core.clock import monotonic_s, utc_now
from core.errors import AppError, Busy
from core.tasks import finish, spawn
from identity import standing
from identity.tokens import Claims

LOOK_EVERY_S = 1.0
BEAT_S = 15.0
"""The longest silence on a stream, and the longest time today's numbers stay as they are.

Whether a listener's log-in still stands is asked before each event, so that the last one comes before the log-out, and
at each beat.
"""

MAX_LISTENERS = 50
MAX_SHOWN = 200

router = APIRouter(prefix="/live", tags=["traffic"], dependencies=[Depends(admin), OPERATOR])


class LiveCallOut(BaseModel):
    """A call that is going on."""

    id: str
    agent_type: str
    agent_name: str
    otp_label: str | None
    user_name: str | None
    started_at: datetime
    connected_at: datetime | None
    turns: int
    last_answer_ms: int | None
    last_said_at: datetime | None


class LiveOut(BaseModel):
    """What is going on."""

    at: datetime
    seats: int = Field(description="Calls that can be open at once")
    seats_taken: int
    lag_ms: float
    calls: list[LiveCallOut]
    today: NumbersOut = Field(description="Since midnight, UTC")
    budget_usd: float | None = Field(description="What the calls of that day may cost (MAX_DAY_USD); null: anything")


class Today:
    """Today's numbers: most of the work of a look, so read anew only when a call began or ended, or once a beat.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._clock = clock
        self._numbers: NumbersOut | None = None
        self._calls: Set[str] = frozenset()
        self._read_s = 0.0

    async def numbers(self, db: AsyncSession, *, calls: Set[str], now: datetime) -> NumbersOut:
        """The numbers since midnight, UTC, as of at most a beat ago.

        Args:
            calls: The ids of those that are going on.
        """
        if self._numbers is None or calls != self._calls or self._clock() - self._read_s >= BEAT_S:
            self._numbers = await today(db, now=now)
            self._calls, self._read_s = calls, self._clock()
        return self._numbers


class Ticker:
    """Looks into the database once a second for as long as anybody listens, and tells all of them what has changed."""

    def __init__(self, app: Shared) -> None:
        self._app = app
        self._newest: LiveOut | None = None
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    def check_room(self) -> None:
        """Raises: Busy with too many listeners, or when the server stops."""
        if self._listeners >= MAX_LISTENERS or self._closed.is_set():
            raise Busy("Too many pages watch the traffic just now.", retry_after_s=30)

    async def listen(self, who: Claims) -> AsyncGenerator[LiveOut | None]:
        """What is going on now, and then whenever it has changed; None where that takes a while.

        Ends when the server stops or the listener's log-in does.
        """
        self._listeners += 1
        if self._looking is None:
            self._looking = spawn(self._look_on(), owner="live traffic")
        seen: LiveOut | None = None
        try:
            while True:
                news = await self._news(seen)
                if self._closed.is_set() or not await finish(self._stands(who), owner="live traffic"):
                    return
                seen = news or seen
                yield news
        finally:
            self._listeners -= 1

    async def _news(self, seen: LiveOut | None) -> LiveOut | None:
        """What is no longer as `seen`; None when it is for a while, or the server stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S), self._changed:
                while not self._closed.is_set():
                    if self._newest not in (None, seen):
                        return self._newest
                    await self._changed.wait()
        return None

    async def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed.set()
        async with self._changed:
            self._changed.notify_all()
        if self._looking is not None:
            await self._looking

    async def _look_on(self) -> None:
        numbers = Today()
        try:
            while self._listeners and not self._closed.is_set():
                try:
                    newest = await look(self._app, numbers)
                except AppError as error:
                    logger.warning("The live traffic could not be read: {}", error.code)
                except Exception as error:  # noqa: BLE001 - the root of a task, and there is another look
                    logger.opt(exception=error).error("The live traffic could not be read: {}", type(error).__name__)
                else:
                    if self._newest is None or _without_time(newest) != _without_time(self._newest):
                        async with self._changed:
                            self._newest = newest
                            self._changed.notify_all()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._closed.wait()
        finally:
            self._looking, self._newest = None, None

    async def _stands(self, who: Claims) -> bool:
        try:
            async with self._app.db.reading() as db:
                await standing.check(db, who, now=utc_now())
        except AppError:  # also when nobody can tell: the page asks again
            return False
        return who.expires_at > utc_now()


async def look(app: Shared, numbers: Today) -> LiveOut:
    """What is going on: open calls by the record, which knows every process's, and today's numbers."""
    now = utc_now()
    async with app.db.reading() as db:
        rows = await call_log.open_calls(db, limit=MAX_SHOWN)
        known = await summary.of_calls(db, [row.id for row in rows])
        calls = await shown(db, rows, known)
        so_far = await numbers.numbers(db, calls={row.id for row in rows}, now=now)
    return LiveOut(
        at=now,
        seats=app.switchboard.seats,
        seats_taken=app.switchboard.seats_taken,
        lag_ms=round(app.switchboard.lag_ms),
        calls=[
            LiveCallOut(
                **call.model_dump(include=set(LiveCallOut.model_fields)),
                last_answer_ms=known[call.id].last_answer_ms,
                last_said_at=known[call.id].last_said_at,
            )
            for call in calls
        ],
        today=so_far,
        budget_usd=float(app.settings.max_day_usd) or None,
    )


def with_room(request: Request) -> Ticker:
    """The process's ticker, if it takes another listener: a refusal must come before the stream begins.

    Raises: Busy.
    """
    ticker: Ticker = request.app.state.ticker
    ticker.check_room()
    return ticker


_REFUSED = {
    "description": "Refused",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
}


@router.get("", response_class=EventSourceResponse, responses={"4XX": _REFUSED, "5XX": _REFUSED})
async def live(ticker: Annotated[Ticker, Depends(with_room)], who: Who) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events named `live`, each a `LiveOut`: at once, then on every change; comments in between."""
    async for news in ticker.listen(who):
        yield ServerSentEvent(comment="still here") if news is None else ServerSentEvent(event="live", data=news)


def _without_time(news: LiveOut) -> dict[str, object]:
    return news.model_dump(exclude={"at", "lag_ms"})
