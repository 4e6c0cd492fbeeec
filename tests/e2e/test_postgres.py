"""A call with its records on Postgres."""

from __future__ import annotations

from pathlib import Path

from bench.caller import Caller
from calls import log as call_log
from calls import transcript
from core.db import Database
from tests.databases import Cluster, postgres_cluster
from tests.e2e.conftest import Dial
from tests.servers import Server

__all__ = ["postgres_cluster"]


async def test_a_call_is_carried_and_recorded(postgres_cluster: Cluster, data_dir: Path, dial: Dial) -> None:
    url = postgres_cluster.url(postgres_cluster.create(migrated=False))
    server = Server(data_dir, database="postgres.log-only", database_url=url)
    server.start()
    try:
        caller = await dial(server)
        await caller.message("bot-stopped-speaking", timeout_s=20)
        caller.type("what is my balance")
        await caller.message("bot-stopped-speaking", timeout_s=30)
        assert any("ten thousand rupees" in line.text for line in caller.transcript)
        await closed(server, caller, url)
    finally:
        server.kill()


async def closed(server: Server, caller: Caller, url: str) -> None:
    assert caller.session_id is not None
    await caller.hang_up()
    assert server.stop() == 0
    database = Database(url)
    try:
        async with database.reading() as db:
            record = await call_log.get(db, caller.session_id)
            turns = await transcript.of_call(db, caller.session_id)
    finally:
        await database.close()
    assert record.end_reason in ("hung_up", "drained", "server_stopped")
    assert [turn.role for turn in turns] == ["assistant", "user", "assistant"]
