"""The bank workload of `bench.bank` for half a minute: the server, and Postgres under it, are killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.bank import run
from bench.postgres import Cluster
from tests.databases import postgres_cluster

__all__ = ["postgres_cluster"]


@pytest.fixture(params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """A Postgres of the test's own, which writes to the disk as in production; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    own = Cluster(request.getfixturevalue("postgres_cluster").binaries)
    yield own
    own.stop()


@pytest.mark.timeout(300)
async def test_no_money_is_lost_or_doubled_under_fire(cluster: Cluster | None, tmp_path: Path) -> None:
    history, found = await run(tmp_path, cluster=cluster, clients=8, seconds=20, kill_every_s=6)
    assert found == []
    assert len(history.acknowledged) > 20 and history.kills >= 2 and history.reads > 5
    assert not history.open
