"""The only maker of asyncio tasks: every task has an owner, a name, and somebody who hears of its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from loguru import logger

from core.errors import AppError

T = TypeVar("T")

_tasks: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T], *, owner: str) -> asyncio.Task[T]:
    """Start `work` in the background and keep it alive; a failure is logged with its owner.

    Whoever starts a task awaits or cancels it; `drain()` at shutdown catches what is left.
    """
    task = asyncio.get_running_loop().create_task(work, name=owner)
    _tasks.add(task)
    task.add_done_callback(_forget)
    return task


def _forget(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, AppError):
        # An expected failure is its awaiter's to tell; there is nothing to mend.
        logger.opt(exception=error).error("Background task {} failed: {}", task.get_name(), type(error).__name__)


async def finish(work: Coroutine[Any, Any, T], *, owner: str) -> T:
    """Run `work` to its end even when the awaiting task is cancelled (a hang-up, a barge-in).

    The cancellation still reaches the caller, after the work is on its own.
    """
    return await asyncio.shield(spawn(work, owner=owner))


def running() -> int:
    """How many tasks are alive; a leak shows here."""
    return len(_tasks)


async def drain(*, timeout_s: float) -> None:
    """Wait for every task started here, then cancel what is still running."""
    pending = {task for task in _tasks if task is not asyncio.current_task()}
    if not pending:
        return
    _, late = await asyncio.wait(pending, timeout=timeout_s)
    for task in late:
        logger.warning("Cancelling task {} after {} s of drain", task.get_name(), timeout_s)
        task.cancel()
    if late:
        await asyncio.gather(*late, return_exceptions=True)
