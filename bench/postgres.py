"""A Postgres server of our own: in a temporary folder, reached by a Unix socket, run by somebody who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from core.db import migrate

START_TIMEOUT_S = 60
ALONE = (
    "listen_addresses=''",  # a Unix socket in a private folder is the only way in
    "shared_buffers=32MB",
    "max_connections=60",
)

FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
"""For tests: much faster, and nothing is worth keeping."""

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

    def __init__(self, binaries: Path, *options: str) -> None:
        self.binaries = binaries
        self._options = (*ALONE, *options)
        self._folder = Path(tempfile.mkdtemp(prefix="parley-pg-"))
        self._user = _ordinary_user() if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._data = self._folder / "data"
        self.template = "template_parley"
        try:
            self._create()
        except BaseException:
            self.stop()
            raise

    def _create(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", "parley", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self.start()
        self._run("createdb", *self._login, self.template)
        migrate(self.url(self.template))

    def start(self) -> None:
        """Start the server; it recovers from a kill by itself."""
        options = " ".join(f"-c {option}" for option in (*self._options, f"unix_socket_directories='{self._folder}'"))
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", str(START_TIMEOUT_S), "-o", options, "start")

    def kill(self) -> None:
        """Have every process of the server die at once, without a chance to write anything."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)  # "immediate shutdown": children are killed, nothing is flushed
        while _alive(pid):
            time.sleep(0.02)

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
                [str(self.binaries / program), *arguments],
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


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def binaries() -> Path | None:
    """The newest installed Postgres' folder of programs."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    in_path = shutil.which("initdb")
    found = [Path(in_path).resolve()] if in_path else []
    for initdb in [*reversed(installed), *found]:
        if (initdb.parent / "createdb").exists():
            return initdb.parent
    return None
