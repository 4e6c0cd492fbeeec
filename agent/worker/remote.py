"""A voice worker in another process, as the switchboard meets it: the same words, over a Unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from loguru import logger

from agent.worker import wire, words
from agent.worker.words import NeverAsked, Unreachable, WorkerState
from core.clock import monotonic_s

A = TypeVar("A")

CONNECT_TIMEOUT_S = 2.0
SILENCE_S = 2.0
"""A worker that has told nothing for so long gets no more calls; it tells its state four times in that time."""

FIGURES_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 200
KEPT_S = 30.0
"""How long an idle connection is kept; the worker keeps it longer, so that it is never closed under a question."""

AGAIN_S = 0.1
"""Between two attempts to listen to a worker that is there."""


@dataclass(frozen=True, slots=True)
class _Told:
    state: WorkerState
    at_s: float


class RemoteWorker:
    """The calls of another process.

    Attributes:
        number: From 1.
        life: Grows when the process is lost.
        restarts: Counted by whoever starts it.
    """

    def __init__(self, number: int, socket: Path) -> None:
        self.number = number
        self.life = 0
        self.restarts = 0
        self._pid: int | None = None
        self._told: _Told | None = None
        self._first_told = asyncio.Event()
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(socket), limits=httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEPT_S)
            ),
            base_url="http://worker",
        )

    @property
    def state(self) -> WorkerState | None:
        """What it last told, unless that is too long ago."""
        if self._told is None or self.silent_s > SILENCE_S:
            return None
        return self._told.state

    @property
    def silent_s(self) -> float:
        """How long ago it last told anything."""
        return monotonic_s() - self._told.at_s if self._told is not None else 0.0

    def started(self, pid: int) -> None:
        """Note which process is it from now on; what others of its name have told counts no more."""
        self._pid = pid

    def lost(self) -> None:
        """Note that its process is gone, and with it what it has told."""
        self.life += 1
        self._pid = self._told = None
        self._first_told.clear()

    async def ready(self) -> None:
        """Wait until it has told something."""
        await self._first_told.wait()

    async def listen(self, heard: Callable[[], None]) -> None:
        """Take what it tells, again and again, until cancelled.

        Args:
            heard: Called after each state; must not raise.
        """
        told_of = True  # whether its silence is in the log
        while True:
            try:
                async with aclosing(self._states()) as states:
                    async for state in states:
                        if state.pid == self._pid:
                            self._told, told_of = _Told(state, monotonic_s()), False
                            self._first_told.set()
                            heard()
            except (httpx.HTTPError, wire.Garbled, TimeoutError) as error:
                if not told_of:
                    told_of = True
                    logger.info("Voice worker {} does not tell its state: {}", self.number, type(error).__name__)
            except Exception as error:  # noqa: BLE001 - the root of a task: who is not listened to is taken for dead
                logger.opt(exception=error).error("Listening to voice worker {}: {}", self.number, type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    async def _states(self) -> AsyncGenerator[WorkerState]:
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=SILENCE_S)
        async with self._http.stream("GET", "/state", timeout=timeout) as response:
            if response.status_code != 200:
                raise wire.Garbled("no states")
            line = b""
            async for piece in response.aiter_raw():
                *whole, line = (line + piece).split(b"\n")
                for each in whole:
                    yield wire.load(WorkerState, each)
                if len(line) > wire.MAX_STATE_BYTES:
                    raise wire.Garbled("a state without end")

    # Questions

    async def open(self, opening: words.Opening) -> words.Answer:
        """Open a call and answer its offer."""
        return await self._ask(wire.OPEN, opening)

    async def renegotiate(self, offer: words.Renegotiation) -> words.Answer:
        """Answer a later offer."""
        return await self._ask(wire.RENEGOTIATE, offer)

    async def trickle(self, trickled: words.Trickled) -> None:
        """Add candidates."""
        await self._ask(wire.TRICKLE, trickled)

    async def enter(self, digits: words.Digits) -> words.Entered:
        """Enter what was typed on the keypad."""
        return await self._ask(wire.ENTER, digits)

    async def hang_up(self, ending: words.HangUp) -> None:
        """End a call."""
        await self._ask(wire.HANG_UP, ending)

    async def drain(self, drain: words.Drain) -> None:
        """Take no more calls; returns when all have ended."""
        await self._ask(wire.DRAIN, drain, more_s=drain.timeout_s)

    async def reload(self, reload: words.Reload) -> None:
        """Have what a changed profile needs loaded in the background."""
        await self._ask(wire.RELOAD, reload)

    async def texts(self, reader: words.Reader) -> tuple[words.Text, ...]:
        """The texts of the last minutes that it has sent to a page."""
        return await self._ask(wire.TEXTS, reader)

    async def figures(self) -> bytes:
        """Everything it counts."""
        status, body = await self._send("GET", "figures", None, FIGURES_TIMEOUT_S, wire.MAX_FIGURES_BYTES)
        if status != 200:
            raise Unreachable
        return body

    async def _ask(self, word: wire.Word[Any, A], question: object, *, more_s: float = 0.0) -> A:
        """Ask, and raise what is wrong as it was raised over there."""
        asked = wire.dump(word.question, question)
        status, body = await self._send("POST", word.name, asked, word.timeout_s + more_s, wire.MAX_ANSWER_BYTES)
        try:
            if status != 200:
                raise wire.load(wire.Wrong, body).error()
            return wire.load(word.answer or type(None), body)  # pyright: ignore[reportReturnType] - None is its answer
        except wire.Garbled as error:
            logger.error("Voice worker {} answered {} with {}", self.number, word.name, error)
            raise Unreachable from None

    async def _send(self, method: str, path: str, body: bytes | None, timeout_s: float, most: int) -> tuple[int, bytes]:
        try:
            timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
            async with (
                asyncio.timeout(timeout_s),
                self._http.stream(method, f"/{path}", content=body, timeout=timeout) as response,
            ):
                found = bytearray()
                async for piece in response.aiter_raw():
                    found += piece
                    if len(found) > most:
                        raise Unreachable
                return response.status_code, bytes(found)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise NeverAsked from None
        except (httpx.HTTPError, TimeoutError) as error:
            logger.warning("Voice worker {} did not answer {}: {}", self.number, path, type(error).__name__)
            raise Unreachable from None

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()
