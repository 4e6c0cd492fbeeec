"""Writes down what was said in a call, without the call ever waiting for the database."""

from __future__ import annotations

import asyncio
from datetime import datetime

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from calls import transcript
from calls.transcript import Speaker, Turn
from core.db import Database
from core.errors import AppError
from core.tasks import spawn

MAX_WAITING = 500
"""Turns not yet written; beyond it new ones are dropped and counted rather than held without end."""

FLUSH_TIMEOUT_S = 5.0


class Scribe:
    """One call's transcript on its way to the database."""

    def __init__(self, db: Database, *, call_id: str) -> None:
        self._db = db
        self._call_id = call_id
        self._queue: asyncio.Queue[Turn | None] = asyncio.Queue(MAX_WAITING)
        self._writer = spawn(self._write(), owner=f"scribe {call_id}")
        self.dropped = 0

    def note(self, role: Speaker, text: str, *, at: datetime, interrupted: bool = False) -> None:
        """Put a turn on the queue; never waits."""
        if not text.strip():
            return
        try:
            self._queue.put_nowait(Turn(role=role, text=text, started_at=at, interrupted=interrupted))
        except asyncio.QueueFull:
            self.dropped += 1

    async def close(self) -> None:
        """Write what is left."""
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._queue.put(None)
                await self._writer
        except TimeoutError:
            self._writer.cancel()
            logger.error("Transcript of {} not fully written: the database did not answer", self._call_id)
        if self.dropped:
            logger.warning("Transcript of {} lost {} turns", self._call_id, self.dropped)

    async def _write(self) -> None:
        done = False
        while not done:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            done = None in batch
            turns = [turn for turn in batch if turn is not None]
            if turns:
                await self._append(turns)

    async def _append(self, turns: list[Turn]) -> None:
        try:
            async with self._db.transaction() as db:
                await transcript.append(db, call_id=self._call_id, turns=turns)
        except (AppError, SQLAlchemyError) as error:
            self.dropped += len(turns)
            logger.error("Could not write the transcript of {}: {}", self._call_id, type(error).__name__)
