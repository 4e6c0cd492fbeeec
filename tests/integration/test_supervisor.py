"""Programs that are no good voice workers, as whoever starts them meets them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agent.worker import supervisor
from agent.worker.remote import RemoteWorker
from agent.worker.supervisor import Supervisor
from core import tasks
from core.db import Database
from core.settings import Settings
from tests.e2e.conftest import until
from tests.servers import descendants


def crew(database: Database, program: str, **settings: object) -> Supervisor:
    given = Settings(_env_file=None, media_workers=2, **settings)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return Supervisor(given, db=database, node="here", command=(sys.executable, "-c", program))


@pytest.fixture
def others() -> set[int]:
    """Processes that other tests have started and that are still there."""
    return set(descendants(os.getpid()))


@pytest.fixture(autouse=True)
def own_folder(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # only now: the database server has a folder of its own
    return tmp_path


async def test_a_server_whose_workers_cannot_start_does_not_start_and_leaves_nothing(
    database: Database, own_folder: Path, others: set[int]
) -> None:
    before = tasks.running()
    supervised = crew(database, "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="could not be started"):
        await supervised.open()
    assert not list(own_folder.glob("parley-*"))
    assert set(descendants(os.getpid())) <= others
    await until(lambda: tasks.running() == before, timeout_s=5)


async def test_a_worker_that_does_not_come_up_is_given_up_in_time(
    database: Database, others: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 0.5)
    supervised = crew(database, "import sys; sys.stdin.read()")  # it ends when it is told to, at least
    with pytest.raises(RuntimeError):
        await supervised.open()
    assert set(descendants(os.getpid())) <= others


async def test_who_does_not_end_is_ended_with_all_its_helpers(
    database: Database, others: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 1.0)
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT_S", 0.5)
    program = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
    )
    supervised = crew(database, program)
    with pytest.raises(RuntimeError):
        await supervised.open()
    await until(lambda: set(descendants(os.getpid())) <= others, timeout_s=5)


async def test_secrets_are_neither_on_the_command_line_nor_in_the_environment(
    database: Database, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 0.5)
    told = own_folder / "told"
    program = (
        "import os, pathlib, sys; orders = sys.stdin.readline();"
        f"pathlib.Path({str(told)!r}).write_text(str(sys.argv) + str(dict(os.environ)));"
        f"pathlib.Path({str(told)!r} + '.orders').write_text(orders)"
    )
    supervised = crew(database, program, anthropic_api_key="canary")
    with pytest.raises(RuntimeError):
        await supervised.open()
    assert "canary" not in told.read_text()
    assert "canary" in Path(f"{told}.orders").read_text()


async def test_who_ends_while_the_server_drains_is_not_replaced(database: Database, own_folder: Path) -> None:
    supervised = crew(database, "")
    supervised._folder = own_folder
    supervised.retire()
    worker, came_up = RemoteWorker(1, own_folder / "1"), asyncio.get_running_loop().create_future()
    async with asyncio.timeout(20):
        await supervised._keep(worker, came_up)
    assert not came_up.result()
    assert worker.restarts == 1
