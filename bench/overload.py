"""More callers than seats: what those who are let in notice of it, what the others are told, and how soon it is over.

    python -m bench overload [--quick] [--seats 8] [--times 3] [--server parley:MEDIA_WORKERS=2]

Three times as many people as there are seats dial for two minutes, spread over time. Who gets through talks for a while
without rest, hangs up and dials again; who is refused waits as long as the server says and dials again. One call alone,
before the flood and after it, shows what is normal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from loguru import logger

from bench import machine
from bench.caller import Caller, Refused, new_http
from bench.load import Talker, Turn, summary
from bench.process import Server, named, serving
from core.settings import Settings

SEATS, TIMES = 8, 3
SECONDS, QUICK_SECONDS = 120.0, 30.0
SPREAD_S = 15.0
STAY_S = (15.0, 30.0)
ALONE_S = 20.0
PATIENCE_S = 10.0
"""Nobody waits longer than this before dialling again, whatever the server says."""

SETTLE_S, AGAIN_S = 60.0, 0.5
OUT = Path("build/bench/overload.json")


@dataclass(slots=True)
class Flood:
    """What everybody met with.

    Attributes:
        dials: Attempts.
        admitted: Of them.
        refused: The others, by status.
        refused_ms: From the refused request to its refusal.
        told_s: What refusals said in Retry-After; -1 where they said nothing.
        turns: Of those who were let in.
        failures: What else went wrong.
    """

    dials: int = 0
    admitted: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    refused_ms: list[float] = field(default_factory=list)
    told_s: list[float] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run; times in ms unless they say otherwise.

    Attributes:
        before: Voice-to-voice of one call alone.
        flood: Dials, admissions and refusals.
        during: Voice-to-voice of those who were let in.
        missed: Turns of theirs that were not answered.
        refused_ms: Time to the refusal.
        told_s: Least and longest Retry-After, and how many refusals had none.
        free_again_s: From the flood's end until every seat was taken again and greeted, one after another.
        after: Voice-to-voice of one call alone.
    """

    server: str
    seats: int
    before: dict[str, Any]
    flood: dict[str, Any]
    during: dict[str, Any]
    missed: int
    refused_ms: dict[str, Any]
    told_s: dict[str, Any]
    free_again_s: float
    after: dict[str, Any]


class Lobby:
    """Dials one server, for all who want to talk to it."""

    def __init__(self, server: Server, http: httpx.AsyncClient, token: str | None) -> None:
        self._server = server
        self._http = http
        self._token = token

    def talker(self, seed: int) -> Talker:
        """Somebody who has not dialled yet."""
        caller = Caller(self._server.url, token=self._token, plain=self._token is None, http=self._http)
        return Talker(caller, seed=seed, barge=0.0)

    async def dial(self, talker: Talker) -> None:
        """Get through and be greeted.

        Raises: Refused, TimeoutError, httpx.HTTPError.
        """
        if self._token:
            await talker.caller.ask_access()
        await talker.dial()

    async def alone(self, seconds: float) -> dict[str, Any]:
        """One call by itself, as soon as it is let in.

        Raises:
            TimeoutError: It is not, within a minute.
        """
        talker = await self.let_in(0)
        try:
            await talker.converse(time.monotonic() + seconds)
        finally:
            await talker.caller.hang_up()
        return summary([turn.voice_to_voice_ms for turn in talker.talk.turns], samples=False)

    async def let_in(self, seed: int) -> Talker:
        """Somebody who dialled until they got through and were greeted.

        Raises:
            TimeoutError: They did not, within a minute.
        """
        async with asyncio.timeout(SETTLE_S):
            while True:
                talker = self.talker(seed)
                try:
                    await self.dial(talker)
                    return talker
                except Refused:
                    await talker.caller.hang_up()
                    await asyncio.sleep(AGAIN_S)
                except BaseException:
                    await talker.caller.hang_up()
                    raise

    async def insists(self, number: int, until_s: float, flood: Flood) -> None:
        """One person's evening: dial, talk or be refused, dial again."""
        fate = random.Random(number)
        await asyncio.sleep(fate.uniform(0, SPREAD_S))
        for attempt in range(10_000):
            if time.monotonic() >= until_s:
                return
            rest_s = await self._try(number * 1_000 + attempt, fate.uniform(*STAY_S), until_s, flood)
            await asyncio.sleep(min(rest_s, PATIENCE_S) * fate.uniform(0.8, 1.2))

    async def _try(self, seed: int, stay_s: float, until_s: float, flood: Flood) -> float:
        """One attempt; how long to wait before the next."""
        talker = self.talker(seed)
        flood.dials += 1
        try:
            await self.dial(talker)
            flood.admitted += 1
            await talker.converse(min(time.monotonic() + stay_s, until_s))
        except Refused as refused:
            flood.refused_ms.append(refused.after_s * 1000)
            flood.refused[refused.status] += 1
            flood.told_s.append(float(refused.headers.get("retry-after", -1)))
            return max(flood.told_s[-1], 1.0)
        except (TimeoutError, httpx.HTTPError) as error:
            flood.failures[type(error).__name__] += 1
        finally:
            flood.turns += talker.talk.turns
            await talker.caller.hang_up()
        return 1.0

    async def takes_every_seat(self, seats: int) -> float:
        """Seconds until so many are connected at once.

        Raises:
            TimeoutError: One of them was not let in within a minute.
        """
        began_s = time.monotonic()
        async with AsyncExitStack() as stack:
            for number in range(seats):
                stack.push_async_callback((await self.let_in(number)).caller.hang_up)
            return round(time.monotonic() - began_s, 2)


async def measure(name: str, server: Server, *, seats: int, times: int, seconds: float) -> Report:
    """One call, the flood, every seat, one call."""
    async with new_http() as http:
        token = await Caller(server.url, http=http).log_in(server.code) if server.code else None
        lobby = Lobby(server, http, token)
        before = await lobby.alone(ALONE_S)
        flood, until_s = Flood(), time.monotonic() + seconds
        await asyncio.gather(*(lobby.insists(number, until_s, flood) for number in range(1, seats * times + 1)))
        free_again_s = await lobby.takes_every_seat(seats)
        after = await lobby.alone(ALONE_S)
    return Report(
        server=name,
        seats=seats,
        before=before,
        flood={
            "dials": flood.dials,
            "admitted": flood.admitted,
            "refused": dict(flood.refused),
            "failures": dict(flood.failures),
        },
        during=summary([turn.voice_to_voice_ms for turn in flood.turns], samples=False),
        missed=sum(turn.missed for turn in flood.turns),
        refused_ms=summary(flood.refused_ms, samples=False),
        told_s={
            "least": min((told for told in flood.told_s if told >= 0), default=None),
            "longest": max(flood.told_s, default=None),
            "without": sum(told < 0 for told in flood.told_s),
        },
        free_again_s=free_again_s,
        after=after,
    )


def table(report: Report) -> str:
    """The report as Markdown."""

    def figures(values: dict[str, Any]) -> str:
        return f"{values['median']} / {values['p95']} / {values['max']} (n={values['n']})"

    rows = {
        "voice to voice before, one call, ms median / p95 / max": figures(report.before),
        f"the same of those let in, {report.seats} seats": figures(report.during),
        "their turns without an answer": report.missed,
        "dials, of them let in, refused by status, failed": " / ".join(str(value) for value in report.flood.values()),
        "time to the refusal, ms": figures(report.refused_ms),
        "Retry-After, s": f"{report.told_s['least']} to {report.told_s['longest']}, none: {report.told_s['without']}",
        "every seat free again after, s": report.free_again_s,
        "voice to voice after, one call": figures(report.after),
    }
    lines = [f"| {report.server} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench overload`."""
    parser = argparse.ArgumentParser(prog="python -m bench overload", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"a flood of {QUICK_SECONDS:.0f} s")
    parser.add_argument("--seats", type=int, default=SEATS)
    parser.add_argument("--times", type=int, default=TIMES, help="so many callers for each seat")
    parser.add_argument("--server", default="parley", help="name, or name:SETTING=value,…")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    before = machine.describe()
    name, settings = named(args.server)
    limits = {
        "MAX_CALLS": str(args.seats),
        **{name.upper(): str(Settings.model_fields[name].default) for name in ("max_loop_lag_ms", "max_loop_busy")},
        "RATE_FACTOR": "1000",
    }
    first, second = machine.split()
    with serving(name, cores=first, settings=limits | settings) as server, machine.pinned(second):
        report = asyncio.run(
            measure(
                args.server,
                server,
                seats=args.seats,
                times=args.times,
                seconds=QUICK_SECONDS if args.quick else SECONDS,
            )
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"machine": before, **asdict(report)}, indent=1) + "\n")
    print(f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load before {before['load']}\n")
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
