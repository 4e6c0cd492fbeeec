"""How much of the machine this process may use."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@cache
def usable(quota: Path = _QUOTA) -> int:
    """Cores that this process may use: those it may run on, and no more than its container's share of time.

    Neither changes while it runs: it is looked up once.

    Args:
        quota: The file in which Linux says so (cgroup v2, `cpu.max`); elsewhere there is none.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = quota.read_text("ascii").split()
        return max(1, min(cores, math.ceil(int(most) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return cores
