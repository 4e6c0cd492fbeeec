"""Latency and capacity of calls: the product and plain pipecat, cell by cell in turn, until neither keeps up.

    python -m bench capacity [--servers parley pipecat parley:MEDIA_PLANE=false] [--wires]

A cell is a fresh server on one core and N callers on another, in dense talk. A server is out at the first N at which
the 95th percentile of voice-to-voice is 200 ms worse than with one call, or a turn goes unanswered. A server's name may
be followed by settings. With `--wires` the vendors are local servers that speak their wires and take no time, beside
the callers. Run it on a machine that does nothing else; every cell says how late the callers themselves were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.latency import hum
from bench.load import summary
from bench.process import INSTANT, call, named, serving
from tests.doubles.cloud import Cloud
from tests.doubles.hearing import says

COUNTS = (1, 2, 4, 5, 6, 8, 10, 12, 16, 20, 24)
QUICK_COUNTS = (1, 4)
TURNS = 30
TURN_S = 4.5
WINDOW_S = (20.0, 120.0)
WORSE_MS = 200.0
LATE_CALLER_MS = 10.0
OUT = Path("build/bench/capacity.json")


@dataclass(frozen=True, slots=True)
class Cell:
    """The runs of one server with one number of calls, taken together."""

    server: str
    calls: int
    runs: tuple[dict[str, Any], ...]

    def total(self, *path: str) -> float:
        """Sum of a figure over the runs."""
        return sum(_at(run, path) for run in self.runs)

    def mean(self, *path: str) -> float:
        """Mean of a figure over the runs."""
        return self.total(*path) / len(self.runs)

    def pooled(self, *path: str) -> dict[str, Any]:
        """Summary of the samples of all runs."""
        return summary([sample for run in self.runs for sample in _at(run, path).get("samples", [])], samples=False)

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of voice-to-voice."""
        return self.pooled("voice_to_voice_ms")["p95"]

    @property
    def caller_late_ms(self) -> float:
        """How late the callers sent, 95th percentile of the worst run: above 10 ms the cell says little."""
        return max(_at(run, ("caller", "send_late_ms", "p95")) or 0.0 for run in self.runs)

    def keeps_up(self, one: Cell) -> bool:
        """Whether everyone was answered, and hardly later than when there was one call."""
        all_well = not any(run["missed"] or run["errors"] for run in self.runs)
        if self.p95_ms is None or one.p95_ms is None:
            return False
        return all_well and self.p95_ms <= one.p95_ms + WORSE_MS


def _at(run: Any, path: Sequence[str]) -> Any:
    for name in path:
        run = run[name]
    return run


def measure(
    counts: Sequence[int],
    *,
    names: Sequence[str],
    repeats: int,
    window_s: float | None,
    server_cores: set[int] | None,
    vendors: Mapping[str, str],
) -> list[Cell]:
    """Run the cells, the servers taking turns, and print each as it is done.

    Args:
        vendors: Settings that name who serves; empty: the instant ones.
    """
    first, second = machine.split()
    cells: dict[tuple[str, int], Cell] = {}
    for number, calls in enumerate(counts):
        for repeat in range(repeats):
            order = names if (number + repeat) % 2 == 0 else names[::-1]
            for name in order:
                if not _still_in(cells, name, counts[:number]):
                    continue
                seconds = window_s or min(max(TURNS * TURN_S / calls, WINDOW_S[0]), WINDOW_S[1])
                plain, settings = named(name)
                with serving(plain, cores=server_cores or first, settings={**settings, **vendors}) as server:
                    run = call(server, calls=calls, seconds=seconds, cores=second, more=["--seed", str(repeat + 1)])
                runs = cells[name, calls].runs if (name, calls) in cells else ()
                cells[name, calls] = Cell(name, calls, (*runs, run))
                print(_row(Cell(name, calls, (run,))), file=sys.stderr, flush=True)
    return list(cells.values())


@contextmanager
def wires() -> Iterator[dict[str, str]]:
    """The vendors' wires, spoken by servers of this process on a loop of their own; the settings that use them."""
    loop = asyncio.new_event_loop()
    _, callers = machine.split()

    def run() -> None:
        with machine.pinned(callers):  # this thread alone
            loop.run_forever()

    thread = threading.Thread(target=run, name="vendors", daemon=True)
    thread.start()

    async def open_them() -> Cloud:
        return await Cloud(hear=says("What can you do?"), speak=hum).__aenter__()

    cloud = asyncio.run_coroutine_threadsafe(open_them(), loop).result()
    try:
        yield cloud.settings
    finally:
        asyncio.run_coroutine_threadsafe(cloud.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _still_in(cells: dict[tuple[str, int], Cell], name: str, done: Sequence[int]) -> bool:
    return all((name, calls) in cells and cells[name, calls].keeps_up(cells[name, 1]) for calls in done)


def capacity(cells: Sequence[Cell], name: str) -> Cell | None:
    """The cell with most calls at which this server, and with all fewer, kept up."""
    own = sorted((cell for cell in cells if cell.server == name), key=lambda cell: cell.calls)
    best = None
    for cell in own:
        if not cell.keeps_up(own[0]):
            break
        best = cell
    return best


COLUMNS = (
    "server",
    "calls",
    "turns (missed / cut in)",
    "voice to voice ms, median / p95",
    "barge-in ms, median / p95 (n)",
    "connect ms, median / p95",
    "CPU s per call-minute",
    "cores",
    "RSS MiB",
    "silence put into replies, ms (replies)",
    "late packets, ms (replies)",
    "loop lag p95 ms",
    "callers late p95 ms",
)


def table(cells: Sequence[Cell]) -> str:
    """The cells as a Markdown table."""
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    ordered = sorted(cells, key=lambda cell: (cell.calls, cell.server))
    return "\n".join([*head, *(_row(cell) for cell in ordered)])


def _row(cell: Cell) -> str:
    v2v, barge = cell.pooled("voice_to_voice_ms"), cell.pooled("barge_in_ms")
    connect = cell.pooled("connect_ms", "first_audible")
    replies = int(cell.total("replies", "count"))
    mark = "" if cell.caller_late_ms <= LATE_CALLER_MS else " (!)"
    values = (
        cell.server,
        cell.calls,
        f"{cell.total('turns'):.0f} ({cell.total('missed'):.0f} / {cell.total('cut_in'):.0f})",
        f"{v2v['median']} / {v2v['p95']}",
        f"{barge['median']} / {barge['p95']} ({barge['n']})",
        f"{connect['median']} / {connect['p95']}",
        f"{cell.mean('server', 'cpu_s_per_call_minute'):.2f}",
        f"{cell.mean('server', 'cores'):.3f}",
        f"{cell.mean('server', 'rss_mb'):.0f}",
        f"{cell.total('replies', 'silence_ms'):.0f} ({cell.total('replies', 'with_silence'):.0f} of {replies})",
        f"{cell.total('replies', 'underrun_ms'):.0f} ({cell.total('replies', 'with_underrun'):.0f} of {replies})",
        f"{cell.mean('server', 'loop', 'lag_p95_ms'):.1f}",
        f"{cell.caller_late_ms:.1f}{mark}",
    )
    return f"| {' | '.join(str(value) for value in values)} |"


def verdict(cells: Sequence[Cell], name: str) -> dict[str, Any]:
    """What a server reaches: calls per core, and memory per further call up to there."""
    best = capacity(cells, name)
    if best is None:
        return {"calls": 0}
    one = next(cell for cell in cells if cell.server == name and cell.calls == 1)
    found: dict[str, Any] = {
        "calls": best.calls,
        "limit_reached": any(cell.server == name and cell.calls > best.calls for cell in cells),
        "voice_to_voice_ms": best.pooled("voice_to_voice_ms"),
        "silence_ms": best.total("replies", "silence_ms"),
    }
    if best.calls > 1:
        grown_mb = best.mean("server", "rss_mb") - one.mean("server", "rss_mb")
        found["rss_mb_per_further_call"] = round(grown_mb / (best.calls - 1), 1)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench capacity`."""
    parser = argparse.ArgumentParser(prog="python -m bench capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 4 calls, short windows")
    parser.add_argument("--counts", type=int, nargs="+", help="numbers of calls, beginning with 1")
    parser.add_argument("--repeats", type=int, help="runs per cell (2, quick: 1)")
    parser.add_argument("--window", type=float, help="seconds per cell, instead of as many as 30 turns take")
    parser.add_argument("--servers", nargs="+", default=sorted(INSTANT), help="with settings, if any: name:A=b,C=d")
    parser.add_argument("--wires", action="store_true", help="vendors' wires instead of instant vendors")
    parser.add_argument("--server-cores", type=int, nargs="+", help="instead of one core for the server")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    counts = args.counts or (QUICK_COUNTS if args.quick else COUNTS)
    if counts[0] != 1:
        parser.error("--counts must begin with 1: the others are compared with it")
    before = machine.describe()
    if any(named(name)[0] not in INSTANT for name in args.servers):
        parser.error(f"--servers must be among {', '.join(sorted(INSTANT))}")
    with wires() if args.wires else nullcontext(dict[str, str]()) as vendors:
        cells = measure(
            counts,
            names=args.servers,
            repeats=args.repeats or (1 if args.quick else 2),
            window_s=args.window or (20.0 if args.quick else None),
            server_cores=set(args.server_cores) if args.server_cores else None,
            vendors=vendors,
        )
    verdicts = {name: verdict(cells, name) for name in args.servers}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "machine": before,
        "verdicts": verdicts,
        "cells": [{"server": cell.server, "calls": cell.calls, "runs": cell.runs} for cell in cells],
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load before {before['load']}\n")
    print(table(cells))
    for name, found in verdicts.items():
        more = "" if found.get("limit_reached") else " (no limit reached)"
        print(f"\n{name}: {found['calls']} calls on one core{more}; {json.dumps(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
