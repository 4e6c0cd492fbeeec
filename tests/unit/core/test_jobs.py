"""Recurring work: it goes on after errors, never overlaps itself, and stops when told."""

from __future__ import annotations

import asyncio

import pytest

from core import log
from core.errors import Busy
from core.jobs import Jobs


class Work:
    """Something to do, that tells when it was done a number of times."""

    def __init__(self, *errors: Exception) -> None:
        self.done = 0
        self._errors = list(errors)
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._changed:
            self.done += 1
            self._changed.notify_all()
        if self._errors:
            raise self._errors.pop(0)

    async def times(self, n: int) -> None:
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: self.done >= n)


async def test_work_is_done_again_and_again_until_the_end() -> None:
    jobs, work = Jobs(), Work()
    jobs.every(0.001, work, "work")
    await work.times(5)
    await jobs.close()
    done = work.done
    for _ in range(50):
        await asyncio.sleep(0)
    assert work.done == done


async def test_errors_are_logged_and_do_not_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("INFO")
    jobs = Jobs()
    failing, other = Work(RuntimeError("no disk"), Busy("The server is busy."), RuntimeError("again")), Work()
    jobs.every(0.001, failing, "reminders")
    jobs.every(0.001, other, "other")
    await failing.times(5)
    await other.times(5)
    await jobs.close()
    said = capsys.readouterr().err
    assert said.count("Job reminders failed") == 2
    assert said.count("Job reminders could not run: The server is busy.") == 1
    assert "Job other" not in said


async def test_the_end_waits_for_what_is_under_way() -> None:
    began, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await release.wait()
        ended.set()

    jobs = Jobs()
    jobs.every(0.001, work, "slow")
    await began.wait()
    closing = asyncio.ensure_future(jobs.close())
    await asyncio.sleep(0)
    assert not closing.done()
    release.set()
    await closing
    assert ended.is_set()


async def test_the_end_does_not_wait_for_ever() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    jobs = Jobs()
    jobs.every(0.001, work, "stuck")
    await began.wait()
    await jobs.close(timeout_s=0.01)
    assert cancelled.is_set()


async def test_work_never_overlaps_itself() -> None:
    at_once = most = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal at_once, most, times
        at_once += 1
        most = max(most, at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        at_once -= 1
        times += 1
        if times == 10:
            enough.set()

    times = 0
    jobs = Jobs()
    jobs.every(0.0, work, "eager")
    async with asyncio.timeout(5):
        await enough.wait()
    await jobs.close()
    assert most == 1


async def test_an_end_before_the_first_time_does_nothing() -> None:
    jobs, work = Jobs(), Work()
    jobs.every(3600, work, "rare")
    await jobs.close()
    await Jobs().close()
    assert work.done == 0
