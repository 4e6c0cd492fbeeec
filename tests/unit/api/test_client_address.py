import pytest
from starlette.requests import Request

from api.deps import client_address
from core.settings import Settings


class App:
    def __init__(self, *proxies: str) -> None:
        self.settings = Settings(_env_file=None, trusted_proxies=proxies)  # pyright: ignore[reportCallIssue]


def request(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),  # the caller's own line comes first
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),  # two proxies
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # nobody we trust says so
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(request(peer, *forwarded), App("10.0.0.0/8")) == address  # pyright: ignore[reportArgumentType]
