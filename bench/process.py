"""Server and caller processes of a benchmark: started on their cores, found, read and always ended."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import guest
from bench.machine import pinned

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0

INSTANT = {"parley": "bench.server", "pipecat": "bench.peer"}
"""The servers that also do with instant vendors."""

SERVERS = {**INSTANT, "fastrtc": "bench.fastrtc_peer"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server under test.

    Attributes:
        name: One of SERVERS.
        url: Where it listens.
        pid: Its main process.
        code: Portal code for its callers; the peers need none.
        database: Path of its database; the peers have none.
    """

    name: str
    url: str
    pid: int
    code: str | None
    database: str | None = None

    @property
    def caller_arguments(self) -> list[str]:
        """What a caller on the command line needs to reach it."""
        return [
            "--url",
            self.url,
            "--server-pid",
            str(self.pid),
            *(["--code", self.code] if self.code else ["--plain"]),
        ]

    def state(self, *, collect: bool = False) -> dict[str, Any]:
        """What its probe says."""
        response = httpx.get(f"{self.url}/bench/state", params={"collect": int(collect)}, trust_env=False, timeout=10)
        response.raise_for_status()
        return response.json()


def named(text: str) -> tuple[str, dict[str, str]]:
    """A server and its settings, of `parley` or `parley:MEDIA_PLANE=false,MEDIA_WORKERS=2`."""
    name, _, settings = text.partition(":")
    return name, dict(each.split("=", 1) for each in settings.split(",") if each)


@contextmanager
def serving(
    name: str,
    *,
    cores: set[int] | None = None,
    settings: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Server]:
    """Run a server on these cores (it and all its children) until the block ends.

    Args:
        settings: Its environment; with keys of vendors in it these serve, else the instant ones.
        log: Where its log goes; without it BENCH_VERBOSE=1 shows it.

    Raises:
        RuntimeError: It cannot be installed or has ended.
        TimeoutError: It did not start in time.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | dict(settings or {})
    python = sys.executable
    if name == "fastrtc":
        python, environment = str(guest.python()), environment | guest.environment()
    with pinned(cores), (log or Path(os.devnull)).open("ab") as errors:
        process = subprocess.Popen(
            [python, "-m", SERVERS[name]],
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_VERBOSE") and not log else errors,
            env=environment,
        )
    try:
        found = json.loads(_line(process))
        server = Server(name, found["url"], found["pid"], found.get("code"), found.get("database"))
        _wait_ready(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def call(server: Server, *, calls: int, seconds: float, cores: set[int] | None, more: Sequence[str] = ()) -> Any:
    """Run a caller process against a server and return its report."""
    command = [sys.executable, "-m", "bench.load", "--json", "--calls", str(calls), "--duration", str(seconds)]
    with pinned(cores):
        done = subprocess.run(
            [*command, *server.caller_arguments, *more],
            stdout=subprocess.PIPE,
            timeout=seconds + 180,
            check=False,
        )
    if not done.stdout.strip():
        raise RuntimeError(f"the callers of {server.name} ended with {done.returncode} and no report")
    return json.loads(done.stdout)


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    deadline = time.monotonic() + START_TIMEOUT_S
    while (left := deadline - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server ended with {process.wait()}; BENCH_VERBOSE=1 shows why")
            if line.startswith(b"{"):
                return line
    raise TimeoutError("the server did not start in time")


def _wait_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}; BENCH_VERBOSE=1 shows why")
        try:
            server.state()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError("the server did not answer in time")
