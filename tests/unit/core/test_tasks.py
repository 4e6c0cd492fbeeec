import asyncio

import pytest

from core import tasks


async def test_finish_goes_on_when_the_waiter_is_cancelled() -> None:
    started, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await release.wait()
        done.set()

    waiter = tasks.spawn(tasks.finish(work(), owner="work"), owner="waiter")
    await started.wait()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    release.set()
    await asyncio.wait_for(done.wait(), 1)


async def test_drain_cancels_what_does_not_end() -> None:
    stuck = tasks.spawn(asyncio.Event().wait(), owner="stuck")
    await tasks.drain(timeout_s=0.01)
    assert stuck.cancelled()
    assert tasks.running() == 0


async def test_a_failure_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    from core import log

    log.setup("INFO")

    async def fail() -> None:
        raise RuntimeError("no disk")

    task = tasks.spawn(fail(), owner="saver")
    with pytest.raises(RuntimeError):
        await task
    await asyncio.sleep(0)
    assert "saver failed" in capsys.readouterr().err
