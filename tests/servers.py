"""A real server in a process of its own, as `make run` starts it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from api.welcome import issue_codes
from bench.process import free_port
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180.0
"""Includes building the language model on a slow machine."""


@dataclass
class Server:
    """A running server and what a test needs to know of it."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    database: str = "parley.db"
    database_url: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.data_dir / f"{Path(self.database).stem}.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PORT": str(self.port),
            "MEDIA_WORKERS": "0",
            # What else the machine has to do must not decide how a test ends.
            "MAX_LOOP_BUSY": "1",
            "MAX_LOOP_LAG_MS": "10000",
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.database_url or f"sqlite+aiosqlite:///{self.data_dir / self.database}",
            **self.settings,
        }

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), "serve"],
                env={**inherited, **self.environment},
                cwd=self.data_dir,  # no stray .env
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log[-4000:]}")
            try:
                if httpx.get(f"{self.url}/readiness", trust_env=False, timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"the server did not become ready:\n{self.log[-4000:]}")

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> int:
        """End it as an operator would who does not wait for calls: the second signal ends them."""
        assert self.process is not None
        for patience_s in (5, 30):
            if self.process.poll() is None:
                self.terminate()
            try:
                return self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        self.kill()
        raise RuntimeError(f"the server did not stop:\n{self.log[-2000:]}")

    async def code(self, *, uses: int = 10) -> str:
        """A fresh portal code."""
        values = {name.lower(): value for name, value in self.environment.items()}
        settings = Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return (await issue_codes(settings, count=1, uses=uses))[0]

    def rows(self, query: str, *arguments: object) -> list[tuple]:
        """Read the server's SQLite database."""
        connection = sqlite3.connect(f"file:{self.data_dir / self.database}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query, arguments).fetchall()
        finally:
            connection.close()

    def health(self) -> dict[str, object]:
        return httpx.get(f"{self.url}/health", trust_env=False, timeout=10).json()


def descendants(pid: int) -> list[int]:
    """Every process that this one has started, directly or not."""
    parents = {int(path.name): _stat(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found: list[int] = []
    newest = [pid]
    while newest:
        newest = [each for each, stat in parents.items() if stat and int(stat[1]) in newest]
        found += newest
    return found


def alive(pid: int) -> bool:
    stat = _stat(Path(f"/proc/{pid}"))
    return stat is not None and stat[0] != "Z"


def _stat(process: Path) -> list[str] | None:
    """State, parent and so on."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
