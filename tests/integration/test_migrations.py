"""The schema: up, down, and equal to the models, on both databases."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from core import db as core_db
from core.clock import utc_now
from core.db import Base, Database, SchemaTooNew, migrate, needs_migration


def test_an_empty_database_needs_migration_and_a_migrated_one_does_not(empty_database_url: str) -> None:
    assert needs_migration(empty_database_url)
    migrate(empty_database_url)
    assert not needs_migration(empty_database_url)
    migrate(empty_database_url)  # again changes nothing


def test_the_migrated_schema_is_what_the_models_say(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def compare(connection: sa.Connection) -> list[object]:
        # Loading the environment declares every table.
        migrated = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(migrated, Base.metadata))

    migrate(database_url)
    assert len(Base.metadata.tables) >= 9
    assert core_db.on_connection(core_db.async_url(database_url), compare) == []


async def test_down_and_up_again_with_data_in_it(database_url: str) -> None:
    import asyncio

    from banking import seed
    from banking.customers import Customer

    async def count() -> int | None:
        db = Database(database_url)
        try:
            async with db.transaction() as session:
                await seed.seed(session, now=utc_now(), password_hasher=_no_hash)
                return await session.scalar(sa.select(sa.func.count()).select_from(Customer))
        finally:
            await db.close()

    assert await count() == 5
    await asyncio.to_thread(migrate, database_url, "base")
    tables = await asyncio.to_thread(_tables, database_url)
    assert tables <= {"alembic_version"}
    await asyncio.to_thread(migrate, database_url)
    assert await count() == 5


def test_a_database_of_a_newer_release_is_refused(database_url: str) -> None:
    def newer(connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'from_the_future'"))

    core_db.on_connection(core_db.async_url(database_url), newer)
    with pytest.raises(SchemaTooNew):
        needs_migration(database_url)
    with pytest.raises(SchemaTooNew):
        migrate(database_url)


def test_two_processes_that_migrate_at_once_both_succeed(empty_database_url: str) -> None:
    program = "import sys; from core.db import migrate; migrate(sys.argv[1])"
    both = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, empty_database_url], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=60)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert not needs_migration(empty_database_url)


def test_migrations_are_found_from_any_folder_and_beside_an_installed_package(tmp_path: Path) -> None:
    root = Path(core_db.__file__).parent.parent
    installed = tmp_path / "site-packages"
    for room in ("core", "identity", "calls", "banking", "providers", "agent", "migrations"):
        shutil.copytree(root / room, installed / room, ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = "import sys; from core.db import migrate; migrate(sys.argv[1])"
    url = f"sqlite:///{tmp_path / 'new' / 'folder' / 'parley.db'}"
    subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", program, url],
        cwd=elsewhere,
        env={"PYTHONPATH": str(installed)},
        check=True,
        timeout=60,
    )
    assert not needs_migration(url)


def test_a_new_sqlite_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "private.db"
    migrate(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o077 == 0


async def _no_hash(password: str) -> str:
    return f"not a hash of {len(password)} characters"


def _tables(url: str) -> set[str]:
    def names(connection: sa.Connection) -> set[str]:
        return set(sa.inspect(connection).get_table_names())

    return core_db.on_connection(core_db.async_url(url), names)
