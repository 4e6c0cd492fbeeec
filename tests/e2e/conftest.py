from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from bench.caller import Caller
from tests.servers import Server

AUDIO = Path(__file__).resolve().parents[1] / "audio"

Dial = Callable[..., Awaitable[Caller]]


@asynccontextmanager
async def dialling() -> AsyncIterator[Dial]:
    """Callers with a token and a counted use, connected; they hang up in the end."""
    callers: list[Caller] = []

    async def dial(server: Server, *, token: str | None = None, connect: bool = True, trickle: bool = False) -> Caller:
        caller = Caller(server.url, token=token, trickle=trickle, record_s=30)
        callers.append(caller)
        if token is None:
            await caller.log_in(await server.code())
        await caller.ask_access()
        if connect:
            await caller.connect()
        return caller

    yield dial
    await asyncio.gather(*(caller.hang_up() for caller in callers))


@pytest_asyncio.fixture
async def dial() -> AsyncIterator[Dial]:
    """Callers who hang up at the end of the test."""
    async with dialling() as dial:
        yield dial


async def until(check: Callable[[], object], *, timeout_s: float, every_s: float = 0.1) -> None:
    """Wait until `check()` is true; a database of another process cannot be awaited."""
    async with asyncio.timeout(timeout_s):
        while not check():
            await asyncio.sleep(every_s)


async def end_reason(server: Server, caller: Caller, *, timeout_s: float = 12) -> str:
    """How the caller's call ended, once its row is closed and its seat free."""
    query = "SELECT end_reason FROM calls WHERE id = ? AND state = 'closed'"
    await until(lambda: server.rows(query, caller.session_id), timeout_s=timeout_s)
    return server.rows(query, caller.session_id)[0][0]
