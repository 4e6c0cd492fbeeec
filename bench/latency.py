"""How quickly calls over the vendors' wires are answered, and where the time goes, beside its peers in one run.

Deepgram, Anthropic and Cartesia are local servers that speak their wires and take as long as they are told: no time at
all, or what the vendors take on a good day. One call at a time, dense talk, the servers taking turns: ours, plain
pipecat, and FastRTC where it can be installed. Then a delay is put into one vendor after the other, and must show in
that stage of the record and in no other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench import machine
from bench.load import summary
from bench.process import INSTANT, SERVERS, call, serving
from bench.sound import pilot
from calls.answers import STAGES
from providers.offline.espeak import Chunk, Word
from tests.doubles.cloud import Cloud
from tests.doubles.hearing import says
from tests.doubles.script import Script

REPLY_S = 3.0
WINDOW_S = 60.0
REPEATS = 3
INJECTED_S = 0.4
OUT = Path("build/bench/latency.json")

NO_TIME: Mapping[str, Script] = {}
GOOD_DAY = {
    "stt": Script(first_byte_s=0.15),
    "llm": Script(first_byte_s=0.35, pace_s=0.01),
    "tts": Script(first_byte_s=0.09),
}
STAGE_OF = {"stt": "transcription", "llm": "llm", "tts": "tts"}


@lru_cache(maxsize=4)
def _reply(sample_rate: int) -> bytes:
    return pilot(REPLY_S, sample_rate)


async def hum(text: str, language: str, sample_rate: int) -> AsyncIterator[Chunk]:
    """The same reply to everything, without a gap in it."""
    del language
    sound, words = _reply(sample_rate), text.split()
    step = REPLY_S / max(1, len(words))
    spoken = tuple(Word(word, n * step, (n + 1) * step) for n, word in enumerate(words))
    piece = sample_rate // 5 * 2
    for at in range(0, len(sound), piece):
        yield Chunk(sound[at : at + piece], spoken if at == 0 else ())


async def cell(cloud: Cloud, name: str, scripts: Mapping[str, Script], *, window_s: float, seed: int) -> dict[str, Any]:
    """One call with one server, and what the callers and the record have measured of it."""
    first, second = machine.split()
    cloud.behave(**scripts)

    def run() -> dict[str, Any]:
        with serving(name, cores=first, settings=cloud.settings) as server:
            report = call(server, calls=1, seconds=window_s, cores=second, more=["--seed", str(seed)])
            report["stages"] = _stages(server.database) if server.database else []
            return report

    return await asyncio.to_thread(run)


def present(settings: Mapping[str, str]) -> list[str]:
    """The servers there are; says so if FastRTC is not among them, which does not come with the project."""
    try:
        with serving("fastrtc", settings=settings):
            return sorted(SERVERS)
    except (RuntimeError, TimeoutError) as error:
        print(f"without FastRTC: {error}", file=sys.stderr, flush=True)
        return sorted(INSTANT)


def _stages(database: str) -> list[dict[str, int]]:
    """The answers on record, greetings left out."""
    columns = ", ".join(["total_ms", *(f"{stage}_ms" for stage in STAGES)])
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(f"SELECT {columns} FROM answers WHERE NOT greeting").fetchall()
        return [dict(row) for row in rows]
    finally:
        connection.close()


def medians(rows: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """The median of every stage, and of the whole."""
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]} if rows else {}


async def measure(*, repeats: int, window_s: float) -> dict[str, Any]:
    """All cells; a line about each as it is done."""
    found: dict[str, Any] = {"peers": {}, "injected": {}}
    async with Cloud(hear=says("What can you do?"), speak=hum) as cloud:
        names = await asyncio.to_thread(present, cloud.settings)
        for delay, scripts in (("no time", NO_TIME), ("a good day", GOOD_DAY)):
            for repeat in range(repeats):
                for name in names if repeat % 2 == 0 else names[::-1]:
                    report = await cell(cloud, name, scripts, window_s=window_s, seed=repeat + 1)
                    found["peers"].setdefault(f"{delay}: {name}", []).append(report)
                    print(row(f"{delay}: {name}", [report]), file=sys.stderr, flush=True)
        for kind in ("", *STAGE_OF):
            scripts = {kind: Script(first_byte_s=INJECTED_S)} if kind else NO_TIME
            report = await cell(cloud, "parley", scripts, window_s=window_s / 2, seed=1)
            found["injected"][kind or "none"] = medians(report["stages"])
            print(kind or "none", found["injected"][kind or "none"], file=sys.stderr, flush=True)
    return found


def row(name: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """Some runs of a cell as a line of the table."""
    pooled = [
        summary([sample for report in reports for sample in report[figure].get("samples", [])], samples=False)
        for figure in ("voice_to_voice_ms", "barge_in_ms")
    ]
    missed = sum(report["missed"] for report in reports)
    figures = " | ".join(f"{each['median']} / {each['p95']} ({each['n']})" for each in pooled)
    return f"| {name} | {figures} | {missed} |"


def tables(found: Mapping[str, Any]) -> str:
    """Everything, in Markdown."""
    lines = [
        "| vendors take, server | voice to voice ms, median / p95 (n) | barge-in ms | missed |",
        "|---|---|---|---|",
    ]
    lines += [row(name, reports) for name, reports in found["peers"].items()]
    for name, reports in found["peers"].items():
        split = medians([stages for report in reports for stages in report["stages"]])
        if split:
            lines += ["", f"{name}, medians of the record: {json.dumps(split)}"]
    names = ("total_ms", *(f"{stage}_ms" for stage in STAGES))
    lines += ["", f"| 400 ms put into | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for kind, split in found["injected"].items():
        lines.append(f"| {kind} | {' | '.join(str(round(split.get(name, 0))) for name in names)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench latency`."""
    parser = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"runs of each cell ({REPEATS})")
    parser.add_argument("--window", type=float, default=WINDOW_S, help=f"seconds of each run ({WINDOW_S:.0f})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    before = machine.describe()
    found = asyncio.run(measure(repeats=args.repeats, window_s=args.window))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"machine": before, **found}, indent=1) + "\n")
    print(f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load before {before['load']}\n")
    print(tables(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
