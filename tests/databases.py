"""Both databases for tests: a fresh migrated one per test, on SQLite and on a private Postgres server.

A folder of tests takes them by importing the fixtures into its `conftest.py`.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest

from core.db import Database, migrate

START_TIMEOUT_S = 60
FAST = (
    "listen_addresses=''",  # a Unix socket in a private folder is the only way in
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=32MB",
    "max_connections=60",
)

# As a replica the session fires no triggers, so that append-only tables can be emptied too.
_EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
             FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version');
END $$
"""


class Cluster:
    """A Postgres server of our own in a temporary folder, run by somebody who is not root."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="parley-pg-"))
        self._user = _ordinary_user() if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._data = self._folder / "data"
        self.template = "template_parley"
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", "parley", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = " ".join(f"-c {option}" for option in (*FAST, f"unix_socket_directories='{self._folder}'"))
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", str(START_TIMEOUT_S), "-o", options, "start")
        self._run("createdb", *self._login, self.template)
        migrate(self.url(self.template))

    @property
    def _login(self) -> tuple[str, ...]:
        return "-h", str(self._folder), "-U", "parley"

    def url(self, name: str) -> str:
        """Where a database of this server is."""
        return f"postgresql+asyncpg://parley@/{name}?host={self._folder}"

    def create(self, *, migrated: bool = True) -> str:
        """Make a database, with all tables or without any; its name."""
        name = f"test_{uuid4().hex[:12]}"
        self._run("createdb", *self._login, "-T", self.template if migrated else "template0", name)
        return name

    def drop(self, name: str) -> None:
        """Remove a database, even while somebody is connected."""
        self._run("dropdb", *self._login, "--force", name)

    def empty(self, name: str) -> None:
        """Take everything out of a database but its schema; much cheaper than a new one."""
        self._run("psql", *self._login, "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-c", _EMPTY)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        # Nothing is captured by pipe: the server would inherit it and keep it open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=START_TIMEOUT_S + 10,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
            output.seek(0)
            assert done.returncode == 0, f"{program} failed: {output.read().decode(errors='replace')}"


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("root needs an ordinary user to run Postgres: postgres or nobody")


def _binaries() -> Path | None:
    """The newest installed Postgres' folder of programs."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    in_path = shutil.which("initdb")
    found = [Path(in_path).resolve()] if in_path else []
    for initdb in [*reversed(installed), *found]:
        if (initdb.parent / "createdb").exists():
            return initdb.parent
    return None


@functools.cache
def _cluster() -> Cluster | str:
    """The server all tests of this run share, or why there is none."""
    if find_spec("asyncpg") is None:
        return "asyncpg is not installed"
    binaries = _binaries()
    return Cluster(binaries) if binaries else "no Postgres programs (initdb, pg_ctl) were found"


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
