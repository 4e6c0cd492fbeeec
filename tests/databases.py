"""Both databases for tests: a fresh migrated one per test, on SQLite and on a private Postgres server.

A folder of tests takes them by importing the fixtures into its `conftest.py`.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.postgres import FORGETFUL, Cluster, binaries
from core.db import Database, migrate


@functools.cache
def _cluster() -> Cluster | str:
    """The server all tests of this run share, or why there is none."""
    if find_spec("asyncpg") is None:
        return "asyncpg is not installed"
    programs = binaries()
    return Cluster(programs, *FORGETFUL) if programs else "no Postgres programs (initdb, pg_ctl) were found"


@pytest.fixture(scope="session")
def postgres_cluster(request: pytest.FixtureRequest) -> Cluster:
    """A running Postgres; without one the test is skipped, or fails where CI=true."""
    cluster = _cluster()
    if isinstance(cluster, str):
        if os.environ.get("CI") == "true":
            pytest.fail(f"Postgres is needed here: {cluster}")
        pytest.skip(f"Postgres: {cluster}")
    request.config.add_cleanup(cluster.stop)
    return cluster


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a migrated database of this test's own is, for tests that change its schema or open it several times."""
    if request.param == "sqlite":
        path = tmp_path / "parley.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        name = cluster.create()
        yield cluster.url(name)
        cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database without any tables is."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        name = cluster.create(migrated=False)
        yield cluster.url(name)
        cluster.drop(name)


@pytest.fixture(scope="session")
def postgres_shared(postgres_cluster: Cluster) -> str:
    """A migrated database that is emptied after each test; its name."""
    return postgres_cluster.create()


@pytest.fixture(params=["sqlite", "postgres"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty migrated database is that is emptied again afterwards."""
    if request.param == "sqlite":
        path = tmp_path / "parley.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        name = request.getfixturevalue("postgres_shared")
        yield cluster.url(name)
        cluster.empty(name)


@pytest.fixture
async def database(shared_database_url: str) -> AsyncIterator[Database]:
    """An empty migrated database, on SQLite and on Postgres."""
    db = Database(shared_database_url)
    yield db
    await db.close()
