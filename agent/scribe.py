"""Writes down what becomes of a call, without the call ever waiting for the database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from calls import answers, costs, events, transcript
from calls.answers import CallerSide, Timing
from calls.costs import Usage
from calls.events import Event
from calls.transcript import Speaker, Turn
from core import metrics
from core.db import Database
from core.errors import AppError, Busy
from core.tasks import spawn

MAX_WAITING = 500
"""Lines not yet written; beyond it new ones are dropped and counted rather than held without end."""

GATHER_S = 1.5
"""How long news is gathered before it is written in one transaction: the most a crash can take, but for the writing."""

LAST_TRIES = 20
RETRY_S = 0.2
"""How often, and after which pause, a busy database is asked again at the end of a call."""

FLUSH_TIMEOUT_S = 5.0


@dataclass
class _Page:
    """What is to be written in one transaction."""

    turns: list[Turn] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    sides: dict[datetime, CallerSide] = field(default_factory=dict)
    """By the `at` of the answers they belong to, which may be written already."""
    events: list[Event] = field(default_factory=list)
    usages: dict[tuple[str, str], Usage] = field(default_factory=dict)
    """The newest totals; older ones need not be written."""
    charges: dict[datetime, int | None] = field(default_factory=dict)
    """What answers have cost so far, likewise."""

    @property
    def lines(self) -> int:
        """How much there is of what adds up; totals do not."""
        return len(self.turns) + len(self.timings) + len(self.sides) + len(self.events)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.lines or self.usages or self.charges)

    def before(self, later: _Page) -> _Page:
        """Both, this one first."""
        return _Page(
            self.turns + later.turns,
            self.timings + later.timings,
            self.sides | later.sides,
            self.events + later.events,
            self.usages | later.usages,
            self.charges | later.charges,
        )


class Scribe:
    """One call's record on its way to the database: transcript, answer times, events, usage."""

    def __init__(self, db: Database, *, call_id: str) -> None:
        self._db = db
        self._call_id = call_id
        self._page = _Page()
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer = spawn(self._write(), owner=f"scribe {call_id}")
        self.dropped = 0

    def note(self, role: Speaker, text: str, *, at: datetime, interrupted: bool = False) -> None:
        """Take down a turn; never waits, like the others."""
        if text.strip() and self._has_room():
            self._page.turns.append(Turn(role=role, text=text, started_at=at, interrupted=interrupted))

    def answered(self, timing: Timing) -> None:
        """Take down how long an answer took."""
        if self._has_room():
            self._page.timings.append(timing)

    def heard(self, at: datetime, side: CallerSide) -> None:
        """Take down what the caller's page measured of the answer that began at `at`."""
        if self._has_room():
            self._page.sides[at] = side

    def happened(self, event: Event) -> None:
        """Take down an event."""
        if self._has_room():
            self._page.events.append(event)

    def used(self, usage: Usage) -> None:
        """Take down what the call has used of a vendor so far."""
        self._page.usages[usage.kind, usage.provider] = usage
        self._news.set()

    def charged(self, at: datetime, micros: int | None) -> None:
        """Take down what the answer of that moment has cost so far; None where that is not known."""
        self._page.charges[at] = micros
        self._news.set()

    def _has_room(self) -> bool:
        if self._page.lines >= MAX_WAITING:
            self._drop(1)
            return False
        self._news.set()
        return True

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        metrics.lost_lines.inc(lines)

    async def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._news.set()
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._writer
        except TimeoutError:
            self._writer.cancel()
            logger.error("Record of {} not fully written: the database did not answer", self._call_id)
        if self.dropped:
            logger.warning("Record of {} lost {} lines", self._call_id, self.dropped)

    async def _write(self) -> None:
        while not self._closing.is_set():
            await self._news.wait()
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._closing.wait()
            if not await self._put_down():
                self._news.set()
        for _ in range(LAST_TRIES):
            if await self._put_down():
                break
            await asyncio.sleep(RETRY_S)

    async def _put_down(self) -> bool:
        """Write the page; False if the database is busy, then it is kept."""
        page, self._page = self._page, _Page()
        if page.empty:
            return True
        try:
            async with self._db.transaction() as db:
                await transcript.append(db, call_id=self._call_id, turns=page.turns)
                await answers.append(db, call_id=self._call_id, timings=page.timings)
                await answers.add_caller_side(db, call_id=self._call_id, sides=page.sides)
                await events.append(db, call_id=self._call_id, events=page.events)
                await answers.charge(db, call_id=self._call_id, costs=page.charges)
                await costs.record(db, call_id=self._call_id, usages=page.usages.values())
        except Busy:
            self._page = page.before(self._page)
            return False
        except (AppError, SQLAlchemyError) as error:
            self._drop(page.lines)
            logger.error("Could not write the record of {}: {}", self._call_id, type(error).__name__)
        return True
