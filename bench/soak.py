"""Does anything stay behind? Many short calls in a row, and what the server holds after the first and after the last.

Every call dials, hears the greeting, asks once, hears the answer and hangs up. The server is looked at between calls,
once its tasks have come to rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench import machine
from bench.caller import Caller, new_http
from bench.load import UTTERANCES
from bench.process import INSTANT, Server, serving
from bench.sound import VOICE

REST_S = 1.0
REST_TIMEOUT_S = 30.0
ALLOWED_MB = 10.0
ALLOWED = 2  # Tasks, threads and descriptors come and go by one or two with timers and keep-alive connections.
OUT = Path("build/bench/soak.json")


@dataclass(frozen=True, slots=True)
class Held:
    """What the server holds while no call is open."""

    calls: int
    rss_mb: float
    tasks: int
    threads: int
    fds: int


async def one_call(server: Server, token: str | None, http: httpx.AsyncClient, *, seconds: float) -> bool:
    """One whole call of this length; whether the question was answered."""
    async with Caller(server.url, token=token, plain=server.code is None, http=http) as caller:
        started_s = time.monotonic()
        if server.code:
            await caller.ask_access()
        await caller.connect()
        await caller.hears(15, since_s=caller.timing.offered_s)
        await caller.silence(0.4)
        speech = await caller.say(VOICE / UTTERANCES[0])
        try:
            await caller.hears(8, since_s=speech.last_voiced_s)
            answered = True
        except TimeoutError:
            answered = False
        await asyncio.sleep(max(0.0, started_s + seconds - time.monotonic()))
    return answered


async def held(server: Server, http: httpx.AsyncClient, calls: int) -> Held:
    """Read the server once the number of its tasks has not changed for a second."""
    tasks, since_s, deadline = -1, time.monotonic(), time.monotonic() + REST_TIMEOUT_S
    while time.monotonic() < deadline and (time.monotonic() - since_s < REST_S or tasks < 0):
        found = (await http.get(f"{server.url}/bench/state", params={"collect": 1})).json()["tasks"]
        if found != tasks:
            tasks, since_s = found, time.monotonic()
        await asyncio.sleep(0.1)
    usage = machine.usage(server.pid)
    return Held(calls, round(usage.rss_mb, 1), tasks, usage.threads, usage.fds)


async def soak(server: Server, *, calls: int, seconds: float, first: int) -> tuple[list[Held], int]:
    """Hold the calls; what was held at the start, after `first`, at every fifth part and at the end, and misses."""
    looks = sorted({first, *range(max(1, calls // 5), calls + 1, max(1, calls // 5)), calls})
    missed = 0
    async with new_http() as http:
        token = None
        if server.code:
            async with Caller(server.url, http=http) as caller:
                token = await caller.log_in(server.code)
        readings = [await held(server, http, 0)]
        for number in range(1, calls + 1):
            missed += not await one_call(server, token, http, seconds=seconds)
            if number in looks:
                readings.append(await held(server, http, number))
                print(json.dumps(asdict(readings[-1])), file=sys.stderr, flush=True)
    return readings, missed


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench soak`; 1 if something stayed behind."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a call")
    parser.add_argument("--first", type=int, default=20, help="calls after which the comparison begins")
    parser.add_argument("--server", choices=sorted(INSTANT), default="parley")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    with serving(args.server) as server:
        readings, missed = asyncio.run(soak(server, calls=args.calls, seconds=args.seconds, first=args.first))
    begin = next(reading for reading in readings if reading.calls >= min(args.first, args.calls))
    end = readings[-1]
    grown = {
        name: round(getattr(end, name) - getattr(begin, name), 1) for name in ("rss_mb", "tasks", "threads", "fds")
    }
    clean = grown["rss_mb"] <= ALLOWED_MB and all(grown[name] <= ALLOWED for name in ("tasks", "threads", "fds"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"server": args.server, "missed": missed, "grown": grown, "readings": [asdict(each) for each in readings]}
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print("| calls | RSS MiB | tasks | threads | descriptors |\n|---|---|---|---|---|")
    for each in readings:
        print(f"| {each.calls} | {each.rss_mb} | {each.tasks} | {each.threads} | {each.fds} |")
    print(
        f"\n{args.server}: after call {begin.calls} to after call {end.calls}: {json.dumps(grown)}, {missed} unanswered"
    )
    return 0 if clean and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
