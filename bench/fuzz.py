"""Does hostile media break the server? An honest caller talks without rest while others send what nobody should.

Strangers send to every UDP port of the server; authenticated attackers hold a call of their own, one after another, and
go through `bench.hostile.ATTACKS`. All the while the event loop's stops, the tasks, the memory and the log are watched.
All of it stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench import machine
from bench.caller import Caller, Refused, new_http
from bench.hostile import ATTACKS, Line, strangers_datagram
from bench.process import Server, serving
from bench.soak import Held, held

OUT = Path("build/bench/fuzz.json")
ATTACK_S = 4.0
STRANGERS_HZ = 200
HONEST_S = 240.0
"""Length of one honest call; another follows."""

SEAT_TIMEOUT_S = 25.0
LOOK_S = 0.5
LONGEST_STOP_MS = 100.0
ALLOWED_MB = 15.0
ALLOWED_TASKS = 4  # that come and go with timers and keep-alive connections
METRICS_TOKEN = "for the benchmark alone"
TROUBLE = re.compile(r"ERROR|CRITICAL|Traceback|never (retrieved|awaited)")


@dataclass(slots=True)
class Attack:
    """One attacker's call and what it left."""

    name: str
    seed: int
    sent: int = 0
    stop_ms: float = 0.0
    """The loop's longest stop meanwhile, without waits for a core that others had."""
    lag_ms: float = 0.0
    """The longest with them."""
    ended: str = ""
    seat_free_s: float | None = None
    tasks: int = 0
    rss_mb: float = 0.0
    error: str | None = None


@dataclass(slots=True)
class Watch:
    """The loop's stops, looked at often."""

    server: Server
    http: httpx.AsyncClient
    looks: list[tuple[float, float]] = field(default_factory=list)
    alive: bool = True

    async def look(self) -> dict[str, Any]:
        """One look; the lag is that since the last one."""
        state = (await self.http.get(f"{self.server.url}/bench/state")).json()
        self.looks.append((state["stop_max_ms"], state["lag_max_ms"]))
        return state

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except httpx.HTTPError:
                self.alive = False
                return
            await asyncio.sleep(LOOK_S)

    def longest_ms(self, since: int = 0) -> tuple[float, float]:
        """The longest stop and the longest lag, from that look on."""
        looks = self.looks[since:] or [(0.0, 0.0)]
        return max(stop for stop, _ in looks), max(lag for _, lag in looks)


# Strangers


def ports(pid: int) -> list[int]:
    """The UDP ports of a process on IPv4."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        except OSError:
            continue
        if found:
            sockets.add(found[1])
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[9] in sockets]


async def strangers(server: Server, chance: random.Random) -> int:
    """Send to every call's socket until cancelled; returns how many datagrams."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        try:
            while True:
                targets = ports(server.pid)
                for _ in range(STRANGERS_HZ // 10 if targets else 0):
                    try:
                        stranger.sendto(strangers_datagram(chance), ("127.0.0.1", chance.choice(targets)))
                        sent += 1
                    except OSError:  # the buffer is full, or the socket has just gone
                        break
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            return sent


# The honest caller


async def honest(server: Server, until_s: float, seed: int) -> list[dict[str, Any]]:
    """Dense conversations one after another, in a process of their own; their reports."""
    found: list[dict[str, Any]] = []
    while (left := until_s - time.monotonic()) > 10 or not found:
        seconds = max(10.0, min(HONEST_S, left))
        command = [sys.executable, "-m", "bench.load", "--json", "--calls", "1", "--duration", str(seconds)]
        command += ["--seed", str(seed + len(found)), *server.caller_arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            output, _ = await asyncio.wait_for(process.communicate(), seconds + 120)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        found.append(json.loads(output) if output.strip() else {"errors": [f"ended with {process.returncode}"]})
    return found


# Attackers


class Attackers:
    """Authenticated callers, one after another."""

    def __init__(self, server: Server, http: httpx.AsyncClient, watch: Watch, seed: int) -> None:
        self._server = server
        self._http = http
        self._watch = watch
        self._seed = seed
        self._token: str | None = None
        self.calls: list[Attack] = []

    async def run(self, until_s: float, only: Sequence[str]) -> None:
        """Attack until then, every way in turn."""
        async with Caller(self._server.url, http=self._http) as first:
            assert self._server.code
            self._token = await first.log_in(self._server.code)
        names = only or list(ATTACKS)
        while time.monotonic() < until_s and self._watch.alive:
            number = len(self.calls)
            attack = Attack(names[number % len(names)], self._seed * 10_000 + number)
            self.calls.append(attack)
            await self._attack(attack)

    async def _attack(self, attack: Attack) -> None:
        chance = random.Random(attack.seed)
        looks = len(self._watch.looks)
        caller = Caller(self._server.url, token=self._token, http=self._http)
        try:
            await caller.ask_access()
            await caller.connect()
            await self._send(attack, Line(caller, chance))
            attack.ended = (
                chance.choice(["hung up"] * 3 + ["vanished"]) if not caller.ended.is_set() else "by the server"
            )
            if attack.ended == "vanished":
                await caller.vanish()
            else:
                await caller.hang_up()
            attack.seat_free_s = await self._seat_free()
        except (TimeoutError, Refused, httpx.HTTPError, OSError) as error:
            attack.error = f"{type(error).__name__} {error}"
        finally:
            await caller.hang_up()
        if self._watch.alive:
            attack.tasks = (await self._watch.look())["tasks"]
            attack.rss_mb = round(machine.usage(self._server.pid).rss_mb, 1)
        attack.stop_ms, attack.lag_ms = self._watch.longest_ms(looks)

    async def _send(self, attack: Attack, line: Line) -> None:
        make, rate_hz = ATTACKS[attack.name]
        packets, begun_s = make(line), time.monotonic()
        while (passed_s := time.monotonic() - begun_s) < ATTACK_S and not line.caller.ended.is_set():
            while attack.sent < passed_s * rate_hz:
                attack.sent += 1
                datagram = next(packets)
                if datagram is not None:
                    line.send(datagram)
            await asyncio.sleep(0.004)

    async def _seat_free(self) -> float:
        """How long until at most the honest caller has a seat."""
        since_s = time.monotonic()
        while (await self._http.get(f"{self._server.url}/health")).json()["calls"] > 1:
            await asyncio.sleep(0.1)
            if time.monotonic() - since_s > SEAT_TIMEOUT_S:
                raise TimeoutError("its seat stays taken")
        return round(time.monotonic() - since_s, 1)


# The verdict


def verdict(report: dict[str, Any]) -> list[str]:
    """What has failed."""
    failed = []
    if not report["alive"]:
        failed.append("the server did not live")
    failed += [f"in the log: {line}" for line in report["log"][:5]]
    if report["stop_ms"] > LONGEST_STOP_MS:
        failed.append(f"the loop stood still for {report['stop_ms']} ms")
    for each in report["honest"]:
        if each.get("missed") or each["errors"] or not each.get("turns"):
            failed.append(f"the honest caller: {each.get('missed')} of {each.get('turns')} missed, {each['errors']}")
    failed += [f"{each['name']} ({each['seed']}): {each['error']}" for each in report["attacks"] if each["error"]]
    failed += [f"{name} grew by {by}" for name, by in report["grown"].items() if by > report["allowed"][name]]
    if not report["strangers"]:
        failed.append("no stranger has sent anything")
    return failed


def grown(begin: Held, end: Held, attacks: list[Attack]) -> dict[str, float]:
    """How much more the server holds: without calls, and of memory since a quarter of the attacks, in MiB."""
    memory = [attack.rss_mb for attack in attacks if attack.rss_mb]
    found = {"tasks": float(end.tasks - begin.tasks), "threads": float(end.threads - begin.threads)}
    if len(memory) >= len(ATTACKS):  # Fewer say nothing.
        found["rss_mb"] = round(memory[-1] - memory[len(memory) // 4], 1)
    return found


async def fuzz(server: Server, *, minutes: float, seed: int, only: Sequence[str]) -> dict[str, Any]:
    """Attack the server for so long; what was seen."""
    async with new_http() as http:
        watch = Watch(server, http)
        attackers = Attackers(server, http, watch, seed)
        await attackers.run(time.monotonic() + 1, ["bits"])  # What the first call loads is no growth.
        begin = await held(server, http, 0)
        attackers.calls.clear()
        await watch.look()  # Counting what is held stops the loop; that is our doing.
        watch.looks.clear()
        until_s = time.monotonic() + minutes * 60
        looking = asyncio.create_task(watch.run())
        sending = asyncio.create_task(strangers(server, random.Random(seed)))
        talking = asyncio.create_task(honest(server, until_s, seed))
        try:
            await attackers.run(until_s, only)
            reports = await talking
        finally:
            for task in (looking, sending, talking):
                task.cancel()
            sent, *_ = await asyncio.gather(sending, looking, talking, return_exceptions=True)
        stop_ms, lag_ms = watch.longest_ms()
        report: dict[str, Any] = {
            "minutes": minutes,
            "seed": seed,
            "machine": machine.describe(),
            "alive": watch.alive and _lives(server.pid),
            "stop_ms": stop_ms,
            "lag_ms": lag_ms,
            "looks": len(watch.looks),
            "strangers": sent,
            "attacks": [asdict(attack) for attack in attackers.calls],
            "honest": reports,
            "allowed": {"rss_mb": ALLOWED_MB, "tasks": ALLOWED_TASKS, "threads": ALLOWED_TASKS},
            "grown": {},
            "dropped": {},
        }
        if report["alive"]:
            report["grown"] = grown(begin, await held(server, http, len(attackers.calls)), attackers.calls)
            report["dropped"] = await _dropped(server, http)
        return report


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


async def _dropped(server: Server, http: httpx.AsyncClient) -> dict[str, int]:
    """What the server has thrown away, by its own count."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = (await http.get(f"{server.url}/metrics", headers=headers)).text
    rows = re.findall(r'^parley_(\w*dropped\w*)\{\w+="(\w+)"\} ([\d.e+]+)$', text, re.MULTILINE)
    return {f"{name} {reason}": int(float(count)) for name, reason, count in rows if float(count)}


def show(report: dict[str, Any]) -> None:
    """The report as a table."""
    print("| attack | calls | packets | longest stop, ms | with waits for a core, ms | seat free after, s |")
    print("|---|---|---|---|---|---|")
    for name in dict.fromkeys(each["name"] for each in report["attacks"]):
        calls = [each for each in report["attacks"] if each["name"] == name]
        free = max((each["seat_free_s"] for each in calls if each["seat_free_s"] is not None), default="-")
        stop, lag = (max(each[key] for each in calls) for key in ("stop_ms", "lag_ms"))
        print(f"| {name} | {len(calls)} | {sum(each['sent'] for each in calls)} | {stop} | {lag} | {free} |")
    turns, missed = (sum(each.get(key, 0) for each in report["honest"]) for key in ("turns", "missed"))
    voice = [each["voice_to_voice_ms"]["median"] for each in report["honest"] if "voice_to_voice_ms" in each]
    print(
        f"\n{report['minutes']} min, seed {report['seed']}: {report['strangers']} datagrams of strangers, longest stop "
        f"{report['stop_ms']} ms ({report['lag_ms']} ms with waits for a core), honest caller {turns} turns, "
        f"{missed} missed, median answer {voice} ms, grown {json.dumps(report['grown'])}"
    )
    print(f"dropped: {json.dumps(report['dropped'])}")
    for line in report["failed"]:
        print(f"FAILED: {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench fuzz`; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m bench fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=sorted(ATTACKS), default=[], help="these attacks alone")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-") as folder:
        log = Path(folder) / "server.log"
        with serving("parley", settings={"METRICS_TOKEN": METRICS_TOKEN}, log=log) as server:
            report = asyncio.run(fuzz(server, minutes=args.minutes, seed=args.seed, only=args.only))
        report["log"] = [line for line in log.read_text(errors="replace").splitlines() if TROUBLE.search(line)]
        report["failed"] = verdict(report)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
        if report["failed"]:
            args.out.with_suffix(".log").write_bytes(log.read_bytes())
    show(report)
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
