"""Voice workers kept alive: started, started anew when they crash, and told to end with the server."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from loguru import logger
from pipecat.utils.errors import ErrorCategory
from sqlalchemy.exc import SQLAlchemyError

from agent.loop import LoopMonitor
from agent.worker import wire
from agent.worker.process import Orders
from agent.worker.remote import RemoteWorker
from calls import log as call_log
from calls import usage
from core import metrics
from core.clock import monotonic_s, utc_now
from core.db import Database
from core.errors import AppError
from core.settings import Settings, to_json
from core.tasks import spawn
from providers import catalog as vendors

COMMAND = (sys.executable, "-P", "-m", "agent.worker.process")
"""What starts a worker; benches and tests have programs of their own that bring vendors along."""

START_TIMEOUT_S = 180.0
"""Includes building a language model on a slow machine."""

STOP_TIMEOUT_S = 30.0
LOOK_EVERY_S = 1.0
SILENCE_S = 15.0
"""A worker that tells nothing for longer hangs, and its callers have been without sound for as long."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""Who has lived for so long is started anew without a grudge."""

MAX_SOCKET_PATH = 100
"""Bytes; an address of a Unix socket has 108 on Linux and 104 elsewhere."""


class Supervisor:
    """The server's voice workers.

    Args:
        node: Name of this server in the record of calls; each worker is a node of its own, `<node>/<number>`.
        command: The program that is a worker.
    """

    def __init__(self, settings: Settings, *, db: Database, node: str, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._db = db
        self._node = node
        self._command = tuple(command)
        self._folder: Path | None = None
        self._monitor = LoopMonitor()
        self._watch: asyncio.Task[None] | None = None
        self._listeners: list[asyncio.Task[None]] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = asyncio.Event()
        self._retired = False
        self.workers: list[RemoteWorker] = []

    async def open(self) -> None:
        """Start every worker and wait until all can carry calls.

        Raises: RuntimeError if one of them cannot.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="parley-"))  # which nobody else may enter
        if len(os.fsencode(self._folder)) > MAX_SOCKET_PATH - 4:
            raise RuntimeError(f"The path of {self._folder} is too long for a socket; set TMPDIR to a shorter one")
        self.workers = [RemoteWorker(n, self._folder / str(n)) for n in range(1, self._settings.workers + 1)]
        started = []
        for worker in self.workers:
            up: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            started.append(up)
            listening = worker.listen(self._compare_vendors)
            self._listeners.append(spawn(listening, owner=f"voice worker {worker.number} listened to"))
            self._keepers.append(spawn(self._keep(worker, up), owner=f"voice worker {worker.number}"))
        if not all(await asyncio.gather(*started)):
            await self.close()
            raise RuntimeError("A voice worker could not be started; the log above says why")
        self._watch = spawn(self._monitor.run(), owner="loop monitor")
        if self._db.dialect == "sqlite":
            logger.warning("Several processes write to one SQLite file: set DATABASE_URL to PostgreSQL for many calls")
        logger.info("{} voice workers carry calls", len(self.workers))

    async def close(self) -> None:
        """End every worker, and with it the calls it still has."""
        self._closing.set()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for task in (*self._listeners, *([self._watch] if self._watch else [])):
            task.cancel()
        for worker in self.workers:
            await worker.close()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def retire(self) -> None:
        """The server takes no more calls: a worker that ends from now on is not started anew."""
        self._retired = True

    async def free(self) -> None:
        """Nothing: calls need nothing in this process."""

    def look(self) -> None:
        """Set the figures of this process, which carries no calls."""
        metrics.loop_lag_seconds.set(self._monitor.lag_ms / 1000)
        metrics.loop_busy.set(self._monitor.busy)

    # One worker

    async def _keep(self, worker: RemoteWorker, up: asyncio.Future[bool]) -> None:
        """Have the worker run for as long as the server does.

        Args:
            up: Told whether its first process has come up.
        """
        failures = 0
        while not self._closing.is_set():
            began_s = monotonic_s()
            code = await self._live(worker, up)
            await self._close_record(worker)
            if self._closing.is_set():
                return
            failures = 0 if monotonic_s() - began_s > STEADY_S else failures + 1
            worker.restarts += 1
            metrics.worker_restarts.inc()
            pause_s = min(FIRST_PAUSE_S * 2 ** min(max(0, failures - 1), 16), LONGEST_PAUSE_S)
            level = "INFO" if code == 0 else "ERROR"
            logger.log(level, "Voice worker {} ended with {}; the next comes in {} s", worker.number, code, pause_s)
            await self._closing_within(pause_s)
            if self._retired:
                return

    async def _live(self, worker: RemoteWorker, up: asyncio.Future[bool]) -> int | None:
        """One process of a worker, from its start to its end; its exit code."""
        ready, process = False, None
        try:
            process = await self._start(worker)
            ready = await self._until_ready(worker, process)
            if ready and not up.done():
                up.set_result(True)
            if ready:
                await self._until_over(worker, process)
        except OSError as error:  # no memory, no process, no such program
            logger.error("Voice worker {} could not be started: {}", worker.number, error.strerror)
        except Exception as error:  # noqa: BLE001 - the root of what keeps a worker alive
            logger.opt(exception=error).error(
                "Voice worker {} could not be kept: {}", worker.number, type(error).__name__
            )
        finally:
            if process is not None:
                await self._end(process)
            worker.lost()
            if not up.done():
                up.set_result(ready)
        return process.returncode if process is not None else None

    async def _start(self, worker: RemoteWorker) -> Process:
        assert self._folder is not None
        socket = self._folder / str(worker.number)
        socket.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},  # noqa: PTH109
            start_new_session=True,  # a terminal's Ctrl-C is not for it, and its helpers die with it
        )
        worker.started(process.pid)
        settings = to_json(self._settings.of_worker(worker.number))
        orders = Orders(settings, worker.number, self._node_of(worker), str(socket))
        assert process.stdin is not None
        with suppress(ConnectionError):  # it has ended already; its exit tells
            process.stdin.write(wire.dump(Orders, orders) + b"\n")
            await process.stdin.drain()
        return process

    def _node_of(self, worker: RemoteWorker) -> str:
        return f"{self._node}/{worker.number}"

    async def _until_ready(self, worker: RemoteWorker, process: Process) -> bool:
        ready = spawn(worker.ready(), owner=f"voice worker {worker.number} awaited")
        ended = spawn(process.wait(), owner=f"voice worker {worker.number} awaited")
        closing = spawn(self._closing.wait(), owner="supervisor's end")
        waits = (ready, ended, closing)
        await asyncio.wait(waits, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        came = ready.done()
        for wait in waits:
            wait.cancel()
        return came

    async def _until_over(self, worker: RemoteWorker, process: Process) -> None:
        """Until the worker has ended, hangs, or is to end."""
        ended = spawn(process.wait(), owner=f"voice worker {worker.number} awaited")
        silent = False
        try:
            while not ended.done() and not self._closing.is_set():
                # Twice in a row: what was told while this process itself stood still is heard between two looks.
                before, silent = silent, worker.silent_s > SILENCE_S
                if before and silent:
                    logger.error("Voice worker {} tells nothing for {:.0f} s", worker.number, worker.silent_s)
                    _kill(process)
                closing = spawn(self._closing.wait(), owner="supervisor's end")
                await asyncio.wait((ended, closing), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                closing.cancel()
        finally:
            ended.cancel()

    async def _end(self, process: Process) -> None:
        """Have a worker end, and whatever it has started."""
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            logger.error("A voice worker did not end in {} s", STOP_TIMEOUT_S)
        finally:
            _kill(process)
            await process.wait()

    async def _close_record(self, worker: RemoteWorker) -> None:
        """Close what the worker left open, before another process gets its name."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with self._db.transaction() as db:
                    lost = await call_log.sweep_orphans(db, node=self._node_of(worker))
                    await usage.return_unserved(db, call_ids=lost, now=utc_now())
            except (AppError, SQLAlchemyError, OSError) as error:
                logger.warning("The calls of a lost worker could not be closed yet: {}", type(error).__name__)
                if await self._closing_within(pause_s):
                    return  # the next start's sweep closes them
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if lost:
                    logger.error("Voice worker {} was lost with {} calls", worker.number, len(lost))
                return

    async def _closing_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                return await self._closing.wait()
        except TimeoutError:
            return False

    # Vendors

    def _compare_vendors(self) -> None:
        """Know of a vendor that every worker leaves alone: whom only such vendors serve can get no call."""
        states = [state for worker in self.workers if (state := worker.state) is not None]
        told = [{(each.kind, each.vendor): each.trouble for each in state.resting} for state in states]
        by_all = (
            {vendor: why for vendor, why in told[0].items() if all(vendor in other for other in told)} if told else {}
        )
        for breaker in vendors.breakers.all():
            why = by_all.get((breaker.kind, breaker.vendor))
            breaker.told(None if why is None else ErrorCategory(why))


def _kill(process: Process) -> None:
    """End a process and its helpers at once; they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
