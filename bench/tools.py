"""What a transfer by voice costs the server beyond a question: `python -m bench tools`.

The same tool desk as in a call, without audio: looking up a balance, drafting a transfer, and carrying it out after the
caller's yes, each from the request to its committed answer. Taken in turns, so that all see the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from banking import customers
from bench.postgres import Cluster, binaries
from core import vault
from core.clock import utc_now
from core.db import Database, migrate
from core.settings import Settings
from identity import delivery, otp
from identity.actor import SYSTEM, Actor
from pipelines.banking import AGENT
from pipelines.base import Means
from pipelines.tools import ToolDesk

SECRET = "a secret of the bench, long enough to be one"
WISH = {"payee": "Ravi", "amount": 1}
TOOLS = {tool.name: tool for tool in AGENT.tools}


async def measure(url: str, rounds: int) -> dict[str, Any]:
    """Medians and 95th percentiles in milliseconds."""
    db = Database(url)
    times: dict[str, list[float]] = {"balance": [], "draft": [], "confirm": []}
    try:
        async with db.transaction() as session:
            (code,) = await otp.issue(session, actor=SYSTEM, secret=SECRET, fmt="digits6")
            customer_id = await customers.admit_guest(session, code.id, utc_now())
        settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
        desk = ToolDesk(
            db,
            customer_id=customer_id,
            call_id="call_bench",
            actor=Actor(code.id, "otp", "voice", call_id="call_bench"),
            means=Means(settings, SECRET, delivery.of_settings(settings)),
            notify=lambda _: None,
        )
        drafts = AGENT.drafts
        assert drafts is not None
        for round_ in range(rounds + 5):
            desk.new_turn()
            desk.hear("send one rupee to ravi")
            await _timed(times["balance"], lambda: desk.run(TOOLS["get_balance"], {}, call_key="1"))
            _, draft = await _timed(times["draft"], lambda: desk.run(TOOLS["send_money"], WISH, call_key="2"))
            assert draft is not None
            outcome = await _timed(
                times["confirm"],
                lambda: desk.in_transaction(lambda ctx: drafts.confirm(ctx, draft.id)),  # noqa: B023
            )
            assert outcome.state == "done", outcome
            if round_ == 4:  # the first rounds compile statements and fill caches
                for each in times.values():
                    each.clear()
    finally:
        await db.close()
    found = {name: _figures(each) for name, each in times.items()}
    transfer = [sum(pair) for pair in zip(times["draft"], times["confirm"], strict=True)]
    more = [both - question for both, question in zip(transfer, times["balance"], strict=True)]
    return {**found, "transfer_beyond_a_question": _figures(more)}


async def _timed(into: list[float], work: Callable[[], Awaitable[Any]]) -> Any:
    began = time.perf_counter()
    result = await work()
    into.append((time.perf_counter() - began) * 1000)
    return result


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"median_ms": round(statistics.median(ordered), 1), "p95_ms": round(ordered[int(len(ordered) * 0.95)], 1)}


def main() -> int:
    """Measure on both databases and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench tools", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    vault.unlock(vault.Vault({"0": SECRET}))
    with tempfile.TemporaryDirectory(prefix="parley-tools-") as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'bank.db'}"
        migrate(url)
        print(json.dumps({"sqlite": asyncio.run(measure(url, rounds))}, indent=2), flush=True)
    programs = binaries()
    if programs is None:
        print("postgres: not installed", file=sys.stderr)
        return 1
    cluster = Cluster(programs)
    try:
        url = cluster.url(cluster.create())
        print(json.dumps({"postgres": asyncio.run(measure(url, rounds))}, indent=2), flush=True)
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
