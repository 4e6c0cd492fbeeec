"""Servers that several kinds of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import vault
from tests.servers import Server

vault.unlock(vault.Vault({"test": "a key for the tests alone, of enough bytes"}))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever dials or opens a browser does so in real time."""
    for item in items:
        if {"dial", "built"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.realtime)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all servers of the run, so that the language model is built once."""
    return tmp_path_factory.mktemp("parley")


@pytest.fixture(scope="session")
def server(data_dir: Path) -> Iterator[Server]:
    """The product as it comes, offline."""
    server = Server(data_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def hasty(data_dir: Path) -> Iterator[Server]:
    """A server with one seat and little patience."""
    server = Server(
        data_dir,
        {"MAX_CALLS": "1", "IDLE_PROMPT_S": "2", "MAX_CALL_S": "25", "VANISHED_S": "3", "DRAIN_S": "3"},
        database="hasty.db",
    )
    server.start()
    yield server
    server.stop()
