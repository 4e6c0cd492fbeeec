"""Who may open a WebSocket."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.edge import Edge


async def opened(*headers: tuple[str, str]) -> bool:
    """Whether a WebSocket with these headers reaches the application."""
    reached = False
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal reached
        reached = True

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "websocket", "path": "/ws/voice", "headers": raw}
    await Edge(app, origins=["https://Portal.example"])(scope, receive, send)
    assert reached == (sent == []), "who is turned away is told so, and goes no further"
    if sent:
        assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]
    return reached


HOST = ("host", "voice.example:8443")


@pytest.mark.parametrize(
    "origin", ["https://voice.example:8443", "https://Voice.Example:8443", "https://portal.example"]
)
async def test_the_pages_own_origin_and_those_named_may_open_one(origin: str) -> None:
    assert await opened(HOST, ("origin", origin))


async def test_a_program_has_no_origin() -> None:
    assert await opened(HOST)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "https://voice.example", "https://voice.example:8443.evil.example", "file://"],
)
async def test_other_sites_may_not(origin: str) -> None:
    assert not await opened(HOST, ("origin", origin))
