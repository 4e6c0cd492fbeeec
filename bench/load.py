"""Many callers at once, in this process: dense talk against one server, and what they heard, as JSON.

Each caller dials, listens to the greeting, then talks without rest: an utterance, the reply, a short pause. Some
replies are talked over. The measured window opens when the last caller has been greeted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench import machine
from bench.caller import Caller, Refused, new_http
from bench.ear import QUIET_S, Heard
from bench.microphone import Speech
from bench.sound import AUDIBLE_RMS, FRAME_S, FRAME_SAMPLES, RATE, STEP_MS, VOICE, load_clip

UTTERANCES = ("balance.wav", "account_balance.wav", "last_transaction.wav")
REPLY_TIMEOUT_S = 8.0
STAGGER_S = 0.25
PAUSE_S = (0.1, 0.5)
OVER_S = 0.4  # This long without sound is the end of a reply: longer than any gap a working server leaves in one.
INTERRUPT_S = (0.8, 1.6)
PLAYOUT_BUFFER_S = 0.06


@dataclass(slots=True)
class Turn:
    """One utterance and what came of it; times in ms, `None` where it did not happen.

    Attributes:
        at_s: When its last voiced sample was sent.
        voice_to_voice_ms: From then to the first audible packet.
        barge_in_ms: From the first voiced sample to silence, where it talked over a reply.
        cut_in: Whether the bot began to speak before the caller had finished.
        missed: Whether no reply came in time.
    """

    at_s: float
    voice_to_voice_ms: float | None = None
    barge_in_ms: float | None = None
    cut_in: bool = False
    missed: bool = False


@dataclass(slots=True)
class Reply:
    """What a person's ear would find wrong with one reply.

    Attributes:
        audible_s: From its first audible sample to its last.
        silence_ms: Quiet that was put into it.
        underrun_ms: How long a player with a 60 ms buffer would have stood still because packets came late.
    """

    audible_s: float
    silence_ms: float
    underrun_ms: float


@dataclass(slots=True)
class Talk:
    """Everything one caller found out."""

    connect_ms: dict[str, float] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    error: str | None = None


def examine(packets: Sequence[Heard]) -> Reply | None:
    """Look into the packets of one reply for holes and lateness; `None` if nothing in them is audible.

    A hole is quiet between the first and the last audible 5 ms step, in the decoded sound or in RTP time. Codecs smear
    its edges, so each one reads 5 to 10 ms short.
    """
    audible = [index for index, packet in enumerate(packets) if packet.audible]
    if not audible:
        return None
    inside = packets[audible[0] : audible[-1] + 1]
    steps: list[bool] = []
    for before, packet in zip([None, *inside[:-1]], inside, strict=True):
        if before is not None:
            skipped = packet.timestamp - before.timestamp - FRAME_SAMPLES
            steps += [False] * max(0, round(skipped * 1000 / RATE / STEP_MS))
        steps += [level > AUDIBLE_RMS for level in packet.levels]
    loud = np.flatnonzero(steps)
    gaps = np.diff(loud) - 1
    underrun_s, start = 0.0, inside[0]
    for packet in inside:
        media_s = (packet.timestamp - start.timestamp) / RATE
        late_s = packet.at_s - start.at_s - media_s - PLAYOUT_BUFFER_S - underrun_s
        underrun_s += max(0.0, late_s)
    return Reply(
        audible_s=round((int(loud[-1]) - int(loud[0]) + 1) * STEP_MS / 1000, 3),
        silence_ms=float(gaps.sum() * STEP_MS),
        underrun_ms=round(underrun_s * 1000, 1),
    )


class Talker:
    """One caller's side of a dense conversation."""

    def __init__(self, caller: Caller, *, seed: int, barge: float) -> None:
        self.caller = caller
        self.talk = Talk()
        self._random = random.Random(seed)
        self._barge = barge
        self._clips = [load_clip(VOICE / name) for name in UTTERANCES]

    async def dial(self) -> None:
        """Connect and hear the greeting out."""
        await self.caller.connect(timeout_s=30)
        timing = self.caller.timing
        audible_s = await self.caller.hears(15, since_s=timing.offered_s)
        self.talk.connect_ms = {
            "answer": (timing.answered_s - timing.offered_s) * 1000,
            "connected": (timing.connected_s - timing.offered_s) * 1000,
            "first_packet": ((self.caller.ear.first_packet_s or 0.0) - timing.offered_s) * 1000,
            "first_audible": (audible_s - timing.offered_s) * 1000,
        }
        self._examine(audible_s, await self.caller.silence(OVER_S))

    async def converse(self, until_s: float) -> None:
        """Talk until then; the last turn is brought to its end."""
        reply_s: float | None = None
        while time.monotonic() < until_s:
            if reply_s is None or self._random.random() >= self._barge:
                if reply_s is not None:
                    self._examine(reply_s, await self.caller.silence(OVER_S))
                await asyncio.sleep(self._random.uniform(*PAUSE_S))
                reply_s = await self._turn(None)
            else:
                await asyncio.sleep(self._random.uniform(*INTERRUPT_S))
                reply_s = await self._turn(reply_s)
        if reply_s is not None:
            self._examine(reply_s, await self.caller.silence(OVER_S))

    async def _turn(self, over: float | None) -> float | None:
        """Say something, over the reply that began at `over` if one is given; when the answer began."""
        speech = self.caller.begin(self._random.choice(self._clips))
        barge_in_ms, quiet_s = await self._interrupt(speech, over) if over else (None, await speech.began)
        ended_s = await speech.ended
        turn = Turn(ended_s, barge_in_ms=barge_in_ms)
        self.talk.turns.append(turn)
        early = self.caller.ear.audible_since(quiet_s)
        turn.cut_in = early is not None and early < ended_s
        try:
            reply_s = await self.caller.hears(REPLY_TIMEOUT_S, since_s=max(ended_s, quiet_s))
        except TimeoutError:
            turn.missed = True
            return None
        if not turn.cut_in and quiet_s < ended_s:
            turn.voice_to_voice_ms = (reply_s - ended_s) * 1000
        return reply_s

    async def _interrupt(self, speech: Speech, reply_s: float) -> tuple[float | None, float]:
        began_s = await speech.began
        # Reply over just before it was talked over: nothing was interrupted.
        if time.monotonic() - self.caller.ear.last_audible_s > 3 * FRAME_S:
            self._examine(reply_s, began_s)
            return None, began_s
        quiet_s = await self._stopped(began_s)
        self._examine(reply_s, quiet_s)
        return (quiet_s - began_s) * 1000, quiet_s

    async def _stopped(self, since_s: float) -> float:
        """When the reply stopped; if the next one follows at once, the leap in RTP time tells them apart."""
        quiet = asyncio.create_task(self.caller.silence(QUIET_S))
        try:
            while not quiet.done() and self.caller.ear.broken_off_s < since_s:
                await asyncio.wait({quiet}, timeout=FRAME_S)
            return quiet.result() if quiet.done() else self.caller.ear.broken_off_s
        finally:
            quiet.cancel()

    def _examine(self, start_s: float, end_s: float) -> None:
        reply = examine(self.caller.ear.between(start_s, end_s))
        if reply:
            self.talk.replies.append(reply)


async def run(
    url: str,
    *,
    calls: int,
    seconds: float,
    plain: bool = False,
    token: str | None = None,
    code: str | None = None,
    agent_type: str = "banking",
    barge: float = 0.3,
    seed: int = 1,
    server_pid: int | None = None,
) -> dict[str, Any]:
    """Hold `calls` dense conversations for `seconds` and report.

    Args:
        url: The server.
        calls: Callers at once.
        seconds: Length of the measured window, after everyone has been greeted.
        plain: The server is a bare pipecat one.
        token: Access token, where one is needed.
        code: Portal code to log in with instead; every call counts one use.
        agent_type: Whom to talk to.
        barge: Share of replies that are talked over.
        seed: Of the order of utterances and pauses.
        server_pid: Process whose CPU clock and memory are read at both ends of the window.
    """
    async with new_http() as http:
        if code:
            async with Caller(url, http=http) as first:
                token = await first.log_in(code)
        talkers = [
            Talker(
                Caller(url, token=token, agent_type=agent_type, plain=plain, http=http),
                seed=seed * 1000 + number,
                barge=barge,
            )
            for number in range(calls)
        ]
        try:
            return await _measure(talkers, http, url, seconds, bool(code), server_pid)
        finally:
            await asyncio.gather(*(talker.caller.hang_up() for talker in talkers), return_exceptions=True)


async def _measure(
    talkers: list[Talker], http: httpx.AsyncClient, url: str, seconds: float, counted: bool, server_pid: int | None
) -> dict[str, Any]:
    async def dial(number: int, talker: Talker) -> None:
        await asyncio.sleep(number * STAGGER_S)
        try:
            if counted:
                await talker.caller.ask_access()
            await talker.dial()
        except (TimeoutError, Refused, httpx.HTTPError) as error:
            talker.talk.error = f"dial: {type(error).__name__} {error}"

    async def converse(talker: Talker, until_s: float) -> None:
        try:
            await talker.converse(until_s)
        except TimeoutError:
            talker.talk.error = "the bot did not stop talking"

    await asyncio.gather(*(dial(number, talker) for number, talker in enumerate(talkers)))
    live = [talker for talker in talkers if talker.talk.error is None]
    await _state(http, url)
    own_cpu_s, begin = time.process_time(), machine.usage(server_pid) if server_pid else None
    start_s = time.monotonic()
    talking = [asyncio.create_task(converse(talker, start_s + seconds)) for talker in live]
    try:
        await asyncio.sleep(seconds)
        end, state = machine.usage(server_pid) if server_pid else None, await _state(http, url)
        window_s = time.monotonic() - start_s
        own_cpu_s = time.process_time() - own_cpu_s
        await asyncio.gather(*talking)
    finally:
        for task in talking:
            task.cancel()
    turns = [turn for talker in talkers for turn in talker.talk.turns if start_s <= turn.at_s <= start_s + window_s]
    replies = [reply for talker in talkers for reply in talker.talk.replies]
    late = [ms for talker in talkers for ms in talker.caller.microphone.lateness_ms]
    report: dict[str, Any] = {
        "calls": len(talkers),
        "connected": len(live),
        "window_s": round(window_s, 2),
        "turns": len(turns),
        "missed": sum(turn.missed for turn in turns),
        "cut_in": sum(turn.cut_in for turn in turns),
        "voice_to_voice_ms": summary([turn.voice_to_voice_ms for turn in turns]),
        "barge_in_ms": summary([turn.barge_in_ms for turn in turns]),
        "connect_ms": {
            name: summary([talker.talk.connect_ms.get(name) for talker in talkers])
            for name in ("answer", "connected", "first_packet", "first_audible")
        },
        "replies": {
            "count": len(replies),
            "silence_ms": sum(reply.silence_ms for reply in replies),
            "with_silence": sum(reply.silence_ms > 0 for reply in replies),
            "underrun_ms": round(sum(reply.underrun_ms for reply in replies), 1),
            "with_underrun": sum(reply.underrun_ms > 0 for reply in replies),
            "lost_packets": sum(talker.caller.ear.lost for talker in talkers),
        },
        "errors": [talker.talk.error for talker in talkers if talker.talk.error],
        "caller": {"cores": round(own_cpu_s / window_s, 3), "send_late_ms": summary(late, samples=False)},
        "server": {"loop": state} if state else {},
    }
    if begin and end:
        report["server"] |= server_report(begin, end, len(live))
    return report


def server_report(begin: machine.Usage, end: machine.Usage, calls: int) -> dict[str, Any]:
    """What the server used between two readings while `calls` conversations went on."""
    seconds = end.at_s - begin.at_s
    cpu_s = end.cpu_s - begin.cpu_s
    machine_s = end.machine_busy_s - begin.machine_busy_s
    return {
        "cores": round(cpu_s / seconds, 3),
        "main_cores": round((end.main_cpu_s - begin.main_cpu_s) / seconds, 3),
        "cpu_s_per_call_minute": round(cpu_s / seconds * 60 / max(1, calls), 3),
        "machine_cores": round(machine_s / seconds, 3),
        **{name: value for name, value in asdict(end).items() if name in ("rss_mb", "threads", "fds")},
    }


def summary(values: Sequence[float | None], *, samples: bool = True) -> dict[str, Any]:
    """Number, median, 95th percentile and maximum of what there is."""
    there = [value for value in values if value is not None]
    if not there:
        return {"n": 0, "median": None, "p95": None, "max": None}
    median, p95 = np.percentile(there, [50, 95])
    found: dict[str, Any] = {
        "n": len(there),
        "median": round(float(median), 1),
        "p95": round(float(p95), 1),
        "max": round(max(there), 1),
    }
    return found | {"samples": [round(value, 1) for value in there]} if samples else found


async def _state(http: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    """What the server under test says of itself; `None` for one that is not wrapped in a probe."""
    response = await http.get(f"{url}/bench/state")
    kind = response.headers.get("content-type", "")
    return response.json() if response.is_success and kind.startswith("application/json") else None


def main() -> int:
    """Command line of `python -m bench.caller`."""
    parser = argparse.ArgumentParser(prog="python -m bench.caller", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--duration", type=float, default=20.0, help="measured seconds")
    parser.add_argument("--plain", action="store_true", help="a bare pipecat server: offer to /api/offer")
    parser.add_argument("--token")
    parser.add_argument("--code", help="portal code to log in with; one use per call")
    parser.add_argument("--agent", default="banking")
    parser.add_argument("--barge", type=float, default=0.3, help="share of replies talked over")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server-pid", type=int, help="read this process's CPU and memory")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of indented")
    parser.add_argument("--out", type=Path, help="write the report there too")
    args = parser.parse_args()
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        report = runner.run(
            run(
                args.url.rstrip("/"),
                calls=args.calls,
                seconds=args.duration,
                plain=args.plain,
                token=args.token,
                code=args.code,
                agent_type=args.agent,
                barge=args.barge,
                seed=args.seed,
                server_pid=args.server_pid,
            )
        )
    text = json.dumps(report, indent=None if args.json else 2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")
    return 0 if report["connected"] == report["calls"] else 1


if __name__ == "__main__":
    sys.exit(main())
