"""What a server under test notes of a call, for a benchmark to hold beside what the other end noted.

Only with `BENCH_WITNESS` in its environment, the path of a file that each process of the server adds lines of JSON to.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

WITNESS = "BENCH_WITNESS"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened.

    Attributes:
        what: `turn`, the caller's turn has ended; `spoke`, speech was handed on to be sent.
        at_s: When; for a turn, when the last sound heard in it came. `time.monotonic()`, which is the machine's.
        samples: For a turn, how much sound has been heard since the call began, at 16 kHz.
    """

    what: str
    at_s: float
    samples: int = 0


def note(what: str, *, at_s: float | None = None, samples: int = 0) -> None:
    """Write something down, if anybody wants to know."""
    if path := os.environ.get(WITNESS):
        line = {"what": what, "at_s": time.monotonic() if at_s is None else at_s, "samples": samples}
        with Path(path).open("a") as file:
            file.write(f"{json.dumps(line)}\n")


def read(path: Path) -> list[Note]:
    """Everything that was noted, oldest first."""
    return [Note(**json.loads(line)) for line in path.read_text().splitlines()]
