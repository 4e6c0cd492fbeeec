"""A server without workers: the process that serves HTTP carries the calls as well."""

from __future__ import annotations

import asyncio
from typing import Any

from agent.call import Parts
from agent.worker.calls import VoiceWorker
from agent.worker.parts import free, warm
from providers import catalog as vendors


class Alone:
    """The one voice worker of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._worker = VoiceWorker(parts)
        self._warming: list[asyncio.Task[Any]] = []
        self.workers = [self._worker]

    async def open(self) -> None:
        """Get ready to carry calls.

        Raises: RuntimeError if the guards of the media's edge do not fit.
        """
        self._warming = await warm(self._parts)
        self._worker.begin()

    def retire(self) -> None:
        """Nothing: its worker ends with this process."""

    def look(self) -> None:
        """Nothing: its worker tells of this process."""

    async def close(self) -> None:
        """End what calls are left."""
        for task in self._warming:
            task.cancel()
        await self._worker.close()
        vendors.breakers.close()  # they would go on asking

    async def free(self) -> None:
        """Give back what calls needed."""
        await free(self._parts)
