"""What callers hear when a vendor fails: each fault of each vendor, many calls, over the vendors' own wires.

Deepgram, Anthropic and Cartesia are local servers that speak their wires and misbehave as told; behind each stands the
offline engine. A call asks for a balance; the reaction is the time from the end of the caller's voice to the first
sound sent back, whatever it is ("one moment" or the answer), and the answer that to the sentence with the balance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from bench import machine
from bench.caller import Caller
from bench.sound import Clip, load_clip
from tests.doubles.cloud import Cloud
from tests.doubles.script import Script
from tests.servers import ROOT, Server

CALLS = 20
AT_ONCE = 4
QUESTION = ROOT / "tests" / "audio" / "balance.wav"
ANSWER = "ten thousand"
TURN_S = 20.0
OUT = Path("build/bench/failover.json")

FAULTS = {
    "none": Script(),
    "401": Script(status=401),
    "402": Script(status=402),
    "429": Script(status=429, retry_after_s=30),
    "500": Script(status=500),
    "529": Script(status=529),
    "cut": Script(cut_after=1),
    "stall": Script(stall_after=1),
    "silent": Script(stall_after=0),
    "garbage": Script(garbage=True),
    "wrong": Script(wrong=True),
    "late": Script(first_byte_s=6.0),
    "drip": Script(pace_s=3.0),
}
CASES = {
    "stt": "none 401 402 429 500 cut silent garbage wrong late",
    "llm": "401 402 429 500 529 cut stall silent garbage wrong late drip",
    "tts": "401 402 429 500 cut stall silent garbage wrong late drip",
}
"""By the part that fails; a recogniser gives its answer in one piece, so that it cannot break off in one."""


@dataclass(frozen=True, slots=True)
class Result:
    """One call.

    Attributes:
        reaction_s: To the first sound; None if there was none.
        answer_s: To the beginning of the sentence with the answer; None if it was never said.
        tools: How often the balance was looked up.
        reason: Why the call ended, as recorded.
    """

    reaction_s: float | None
    answer_s: float | None
    tools: int
    reason: str


async def one_call(server: Server, clip: Clip, code: str) -> Result:
    """Ask for the balance once."""
    async with Caller(server.url) as caller:
        await caller.log_in(code)
        await caller.ask_access()
        await caller.connect()
        await caller.message("bot-stopped-speaking", timeout_s=TURN_S)
        await caller.silence(0.3)
        speech = await caller.say(clip)
        ended_s = speech.last_voiced_s
        reaction_s = answer_s = None
        try:
            reaction_s = await caller.hears(TURN_S, since_s=ended_s) - ended_s
            async with asyncio.timeout(TURN_S):
                while answer_s is None:
                    if any(ANSWER in line.text.lower() for line in caller.transcript if line.who == "bot"):
                        answer_s = time.monotonic() - ended_s
                    await asyncio.sleep(0.02)
            await caller.message("bot-stopped-speaking", timeout_s=TURN_S)
        except TimeoutError:
            pass
        call_id = caller.session_id
        assert call_id is not None
    reason = await _end_reason(server, call_id)
    events = "SELECT count(*) FROM call_events WHERE kind = 'tool' AND call_id = ?"
    return Result(reaction_s, answer_s, server.rows(events, call_id)[0][0], reason)


async def _end_reason(server: Server, call_id: str) -> str:
    for _ in range(150):
        rows = server.rows("SELECT end_reason FROM calls WHERE id = ? AND state = 'closed'", call_id)
        if rows:
            return rows[0][0]
        await asyncio.sleep(0.1)
    return "still open"


async def trusted(server: Server) -> None:
    """Wait until no vendor is left alone any more."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(60):
        while (await http.get(f"{server.url}/health")).json()["status"] != "healthy":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def case(
    server: Server, cloud: Cloud, kind: str, fault: str, *, calls: int, at_once: int, clip: Clip
) -> list[Result]:
    """Some calls at once, again and again, with one vendor at fault; before each time all are trusted."""
    found: list[Result] = []
    while len(found) < calls:
        cloud.behave()
        await trusted(server)
        cloud.behave(**{kind: FAULTS[fault]})
        codes = [await server.code() for _ in range(min(at_once, calls - len(found)))]
        found += await asyncio.gather(*(one_call(server, clip, code) for code in codes))
    return found


async def measure(cases: Sequence[tuple[str, str]], *, calls: int, at_once: int) -> dict[str, list[Result]]:
    """Every case, and a line about each as it is done."""
    results: dict[str, list[Result]] = {}
    clip = load_clip(QUESTION)
    with tempfile.TemporaryDirectory() as folder:
        async with Cloud(cache_dir=Path(folder) / "cache") as cloud:
            settings = {"VENDOR_REST_S": "0.1", "RATE_FACTOR": "1000"}
            server = Server(Path(folder), cloud.settings | settings | {"MAX_CALLS": str(at_once + 1)})
            await asyncio.to_thread(server.start)
            try:
                for kind, fault in cases:
                    found = await case(server, cloud, kind, fault, calls=calls, at_once=at_once, clip=clip)
                    results[f"{kind} {fault}"] = found
                    print(row(kind, fault, found), file=sys.stderr, flush=True)
            finally:
                await asyncio.to_thread(server.stop)
    return results


COLUMNS = (
    "part",
    "fault",
    "calls",
    "first sound s, median / slowest",
    "answer s, median / slowest",
    "answered",
    "once",
)


def row(kind: str, fault: str, found: Sequence[Result]) -> str:
    """A case as a line of the table."""
    reaction, answer = (_times([getattr(result, name) for result in found]) for name in ("reaction_s", "answer_s"))
    answered = sum(result.answer_s is not None for result in found)
    once = sum(result.tools == 1 for result in found)
    return f"| {kind} | {fault} | {len(found)} | {reaction} | {answer} | {answered} | {once} |"


def _times(seconds: Sequence[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    if not known:
        return "–"
    return f"{statistics.median(known):.2f} / {max(known):.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench failover`; 1 if a call ended in silence or a tool ran twice."""
    parser = argparse.ArgumentParser(prog="python -m bench failover", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help=f"for each case ({CALLS})")
    parser.add_argument(
        "--at-once", type=int, default=AT_ONCE, help=f"calls at a time ({AT_ONCE}); more are sooner done, on more cores"
    )
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), help="these parts alone")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    cases = [(kind, fault) for kind in args.only or CASES for fault in CASES[kind].split()]
    before = machine.describe()
    results = asyncio.run(measure(cases, calls=args.calls, at_once=args.at_once))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    told = {name: [asdict(result) for result in found] for name, found in results.items()}
    args.out.write_text(json.dumps({"machine": before, "cases": told}, indent=1) + "\n")
    print(f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load before {before['load']}\n")
    print("\n".join([f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]))
    for name, found in results.items():
        kind, fault = name.split()
        print(row(kind, fault, found))
    every = [result for found in results.values() for result in found]
    return int(any(result.reaction_s is None or result.tools > 1 for result in every))


if __name__ == "__main__":
    sys.exit(main())
