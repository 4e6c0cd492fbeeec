"""What a process uses, read from outside: exact CPU clocks, memory, threads, descriptors."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@contextmanager
def pinned(cores: set[int] | None) -> Iterator[None]:
    """Start processes inside this block to have them, and all their threads and children, on these cores."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def split() -> tuple[set[int] | None, set[int] | None]:
    """A core for the server and another for the callers; `None` where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, {usable[1]}) if len(usable) >= 2 else (None, None)


@dataclass(frozen=True, slots=True)
class Usage:
    """A process tree at one moment.

    Attributes:
        cpu_s: CPU seconds of the process and its living children.
        main_cpu_s: CPU seconds of the process alone.
        rss_mb: Resident memory of both, in MiB.
        threads: Threads of both.
        fds: Open descriptors of the process alone.
        machine_busy_s: CPU seconds all processes of the machine have used.
        at_s: Monotonic time of the reading.
    """

    cpu_s: float
    main_cpu_s: float
    rss_mb: float
    threads: int
    fds: int
    machine_busy_s: float
    at_s: float


def usage(pid: int) -> Usage:
    """Read the usage of a process and its children."""
    tree = [pid, *_descendants(pid)]
    clocks = [_cpu_s(each) for each in tree]
    return Usage(
        cpu_s=sum(clocks),
        main_cpu_s=clocks[0],
        rss_mb=sum(_status(each, "VmRSS:") for each in tree) / 1024,
        threads=sum(_status(each, "Threads:") for each in tree),
        fds=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        machine_busy_s=_machine_busy_s(),
        at_s=time.monotonic(),
    )


def _cpu_s(pid: int) -> float:
    # Linux encodes "the CPU clock of process pid" as a clock id: exact to the nanosecond, unlike the ticks of /proc.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(child) for child in children.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *_descendants(child)]
    return found


def _status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _machine_busy_s() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, object]:
    """The machine in a few words, for the report."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": models[0] if models else "unknown",
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "load": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
