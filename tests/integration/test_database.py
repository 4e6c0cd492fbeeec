"""What `core.db.Database` promises, on both databases."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from core.db import Database
from core.errors import Busy, Invalid
from identity.otp import OtpCode

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def code(name: str, **values: object) -> OtpCode:
    return OtpCode(**{"id": name, "code_hash": name, "max_uses": 1, "created_at": NOW} | values)


async def names(database: Database) -> set[str]:
    async with database.reading() as db:
        return set(await db.scalars(sa.select(OtpCode.id)))


async def test_what_a_transaction_did_is_kept_at_its_end(database: Database) -> None:
    async with database.transaction() as db:
        db.add(code("a"))
    assert await names(database) == {"a"}


async def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    with pytest.raises(KeyError):
        async with database.transaction() as db:
            db.add(code("a"))
            await db.flush()
            raise KeyError
    assert await names(database) == set()


async def test_a_cancelled_transaction_is_undone_and_holds_nothing(database: Database) -> None:
    began = asyncio.Event()

    async def never_ends() -> None:
        async with database.transaction() as db:
            db.add(code("a"))
            await db.flush()
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction() as db:
        db.add(code("b"))
    assert await names(database) == {"b"}


async def test_statements_cancelled_half_way_leave_the_database_usable(database: Database) -> None:
    async def write(n: int) -> None:
        async with database.transaction() as db:
            for m in range(5):
                db.add(code(f"{n}.{m}"))
                await db.flush()

    tasks = [asyncio.create_task(write(n)) for n in range(12)]
    for turns, task in enumerate(tasks):
        for _ in range(turns * 3):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with database.transaction() as db:
        db.add(code("after"))
    whole = [name.split(".")[0] for name in await names(database) if name != "after"]
    assert {whole.count(n) for n in whole} <= {5}


async def test_a_cancelled_query_gives_up_its_lock_even_while_its_traceback_is_kept(database: Database) -> None:
    async def write(name: str) -> None:
        async with database.transaction() as db:
            row = {"id": name, "code_hash": name, "max_uses": 1, "uses": 0, "created_at": NOW}
            await db.execute(sa.insert(OtpCode).values(row).returning(OtpCode.id))

    kept: list[object] = []
    for turns in range(60):
        task = asyncio.create_task(write(f"cancelled {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        kept += await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(2), database.transaction() as db:
            db.add(code(f"next {turns}"))
    assert any(isinstance(result, asyncio.CancelledError) for result in kept)
    assert len([name for name in await names(database) if name.startswith("next")]) == 60


async def test_a_commit_that_has_begun_goes_to_its_end(database: Database) -> None:
    outcomes: dict[str, bool] = {}
    for turns in range(60):
        name = f"{turns}"
        done = False

        async def write(name: str = name) -> None:
            nonlocal done
            async with database.transaction() as db:
                db.add(code(name))
                await db.flush()
                done = True

        task = asyncio.create_task(write())
        while not done:
            await asyncio.sleep(0)
        for _ in range(turns // 4):
            await asyncio.sleep(0)
        cancelled_in_time = task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError) or result is None
        assert cancelled_in_time or result is None
        outcomes[name] = name in await names(database)
    assert True in outcomes.values()


async def test_an_error_does_not_tell_the_values(database: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with database.transaction() as db:
            db.add(code("a", label="secret label", max_uses=-1))
    assert "secret" not in str(caught.value)


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.reading() as db:
            db.add(code("a"))
            await db.flush()
    assert await names(database) == set()


async def test_reading_sees_one_moment(database: Database) -> None:
    count = sa.select(sa.func.count()).select_from(OtpCode)
    async with database.reading() as reader:
        assert await reader.scalar(count) == 0
        async with database.transaction() as db:
            db.add(code("a"))
        assert await reader.scalar(count) == 0
    assert await names(database) == {"a"}


async def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    async with database.transaction() as db:
        db.add(code("a"))
        await db.flush()
        async with asyncio.timeout(2):
            assert await names(database) == set()


async def test_many_writers_at_once_all_get_their_turn(database: Database) -> None:
    async def write(n: int) -> None:
        async with database.transaction() as db:
            db.add(code(f"{n}"))

    await asyncio.gather(*(write(n) for n in range(60)))
    assert len(await names(database)) == 60


async def test_moments_come_back_aware_and_equal_and_in_order(database: Database) -> None:
    in_india = timezone(timedelta(hours=5, minutes=30))
    async with database.transaction() as db:
        db.add(code("later", created_at=NOW + timedelta(microseconds=1)))
        db.add(code("now", created_at=NOW.astimezone(in_india)))
    async with database.reading() as db:
        rows = (await db.scalars(sa.select(OtpCode).order_by(OtpCode.created_at))).all()
    assert [(row.id, row.created_at) for row in rows] == [("now", NOW), ("later", NOW + timedelta(microseconds=1))]
    assert all(row.created_at.utcoffset() == timedelta(0) for row in rows)


async def test_a_naive_moment_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"):
        async with database.transaction() as db:
            db.add(code("a", created_at=datetime(2026, 3, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["nul \x00", "surrogate \ud800", "x" * 121])
async def test_text_that_one_database_would_refuse_is_refused_by_both(database: Database, text: str) -> None:
    with pytest.raises(Invalid):
        async with database.transaction() as db:
            db.add(code("a", label=text))
    assert await names(database) == set()


async def test_text_is_kept_in_normal_form(database: Database) -> None:
    async with database.transaction() as db:
        db.add(code("a", label="Zoe\u0301 ₹ 🙂"))
    async with database.reading() as db:
        assert await db.scalar(sa.select(OtpCode.label)) == "Zoé ₹ 🙂"


async def test_references_are_enforced(database: Database) -> None:
    from calls.log import CallRecord, CallState

    with pytest.raises(IntegrityError):
        async with database.transaction() as db:
            db.add(
                CallRecord(
                    id="call",
                    agent_type="banking",
                    subject="x",
                    role="otp",
                    otp_id="nobody",
                    channel="webrtc",
                    state=CallState.OPEN,
                    started_at=NOW,
                )
            )


async def test_a_writer_that_waits_too_long_is_told_to_come_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = _impatient(database, monkeypatch)
    async with database.transaction() as db:
        db.add(code("a"))
        await db.flush()
        with pytest.raises(Busy) as caught:
            async with impatient.transaction() as other:
                other.add(code("a"))  # the same key: waits for the first to end
                await other.flush()
    assert caught.value.status == 503
    assert caught.value.retry_after_s
    await impatient.close()
    assert await names(database) == {"a"}


async def test_an_unreachable_server_is_a_busy_one() -> None:
    nowhere = Database("postgresql+asyncpg://parley@/none?host=/nonexistent")
    with pytest.raises(Busy):
        async with nowhere.reading() as db:
            await db.execute(sa.text("SELECT 1"))
    await nowhere.close()


async def test_sqlite_is_set_up_to_be_safe(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    wanted = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "mmap_size": 0,
        "busy_timeout": 5000,
        "synchronous": 2,
    }
    for session in (database.transaction, database.reading):
        async with session() as db:
            found = {name: await db.scalar(sa.text(f"PRAGMA {name}")) for name in wanted}
        assert found == wanted
    await database.close()


async def test_a_full_disk_refuses_the_write_and_recovers(tmp_path: Path, sqlite_template: Path) -> None:
    """A limit on the file's pages stands in for the disk."""
    shutil.copy(sqlite_template, tmp_path / "small.db")
    database = Database(f"sqlite:///{tmp_path / 'small.db'}")
    async with database.transaction() as db:
        pages = await db.scalar(sa.text("PRAGMA page_count"))
        await db.execute(sa.text(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(Busy):
        async with database.transaction() as db:
            for n in range(500):
                db.add(code(f"{n}", label="x" * 120))
            await db.flush()
    async with database.transaction() as db:
        await db.execute(sa.text("PRAGMA max_page_count=1000000"))
        db.add(code("a"))
    assert await names(database) == {"a"}
    await database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/bank"])
def test_a_database_that_cannot_keep_the_promises_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        Database(url)


def _impatient(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The same database as another process sees it, with little patience."""
    import core.db

    monkeypatch.setattr(core.db, "LOCK_WAIT_S", 0.2)
    monkeypatch.setattr(core.db, "_SQLITE_PRAGMAS", ("busy_timeout=200", *core.db._SQLITE_PRAGMAS[1:]))
    assert sqlite3.threadsafety  # two connections to one file
    return Database(database.url.render_as_string(hide_password=False))
