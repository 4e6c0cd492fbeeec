"""A process that carries calls: `python -m agent.worker.process`, started by `supervisor` and by nobody else.

What it needs to know comes as one line of JSON on standard input, which then stays open: when it ends, so does whoever
started the process, and the process with it. It drains on SIGTERM; Ctrl-C is not meant for it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from dataclasses import dataclass, field
from types import FrameType

import uvicorn

from agent.worker import wire
from agent.worker.calls import VoiceWorker
from agent.worker.parts import free, keep_for_good, make_parts, warm
from agent.worker.server import Door
from agent.worker.words import Drain
from core import log, tasks, vault
from core.crypto import load_secret
from core.db import Database
from core.settings import Settings, from_json
from core.tasks import spawn
from identity import delivery
from providers import catalog as vendors

STOP_TIMEOUT_S = 5.0
KEPT_S = 3600
"""Idle connections are the other side's to close."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is told when it is started.

    Attributes:
        settings: As JSON (`core.settings.to_json`), secrets included: they travel by this pipe only.
        node: Its name in the record of calls.
        socket: Path at which it is to answer.
    """

    settings: str = field(repr=False)
    number: int
    node: str
    socket: str


class WorkerServer(uvicorn.Server):
    """Answers the switchboard until its parent is gone, or until it was told to stop and its calls have ended."""

    def __init__(self, orders: Orders, settings: Settings) -> None:
        self._drain_s = settings.drain_s
        self._post = delivery.of_settings(settings)
        self._db = Database(settings.sqlalchemy_url)
        secret = load_secret(settings)
        self._parts = make_parts(settings, secret=secret, db=self._db, delivery=self._post, node=orders.node)
        self._worker = VoiceWorker(self._parts, number=orders.number, inbox=self._post.inbox)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        config = uvicorn.Config(
            Door(self._worker),
            uds=orders.socket,
            loop="auto",  # uvloop where it is installed
            lifespan="off",
            ws="none",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=KEPT_S,
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Get ready to carry calls, and only then answer; in the end give everything back."""
        self._loop = asyncio.get_running_loop()
        parent = spawn(self._watch_parent(), owner="parent")
        warming = await warm(self._parts)
        self._worker.begin()
        keep_for_good()
        try:
            await super().serve(sockets)
        finally:
            for task in (parent, *warming):
                task.cancel()
            vendors.breakers.close()  # they would go on asking
            await tasks.drain(timeout_s=STOP_TIMEOUT_S)
            await self._post.close()
            await free(self._parts)
            await self._db.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; calls are ended first, and with them the stream of states, which would be waited for."""
        await self._worker.close()
        await super().shutdown(sockets)

    async def _watch_parent(self) -> None:
        """Stop at once when standard input ends: whoever started this process is gone, or wants it to be."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        try:
            while await reader.read(1024):
                pass
            self.should_exit = True
        finally:
            pipe.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Drain, then stop; a second SIGTERM does not wait. A terminal's Ctrl-C goes to all of its processes."""
        if sig == signal.SIGINT:
            return
        if self._stopping or self._loop is None:
            self.should_exit = True
            return
        self._stopping = True
        self._loop.call_soon_threadsafe(lambda: spawn(self._drain_then_exit(), owner="drain then exit"))

    async def _drain_then_exit(self) -> None:
        try:
            await self._worker.drain(Drain(self._drain_s))
        finally:
            self.should_exit = True


def main() -> int:
    """Carry calls until the end; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = wire.load(Orders, sys.stdin.buffer.readline(wire.MAX_QUESTION_BYTES))
    settings = from_json(orders.settings)
    log.setup(settings.log_level, as_json=settings.production)
    vault.unlock(vault.of_settings(settings))
    WorkerServer(orders, settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
