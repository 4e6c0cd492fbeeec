"""Who may open a WebSocket, and who may change something with a browser's cookies."""

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


async def status(method: str, *headers: tuple[str, str]) -> int:
    """What a request with these headers is answered; 200 by the application."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw, "query_string": b""}
    await Edge(app, origins=["https://Portal.example"])(scope, receive, send)
    return sent[0]["status"]


COOKIE = ("cookie", "parley_session=x")
OTHERS = ("origin", "https://sub.voice.example")


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_another_sites_page_changes_nothing_with_our_cookies(method: str, site: str) -> None:
    assert await status(method, HOST, COOKIE, OTHERS, ("sec-fetch-site", site)) == 403
    assert await status(method, HOST, COOKIE, OTHERS) == 403, "older browsers do not say which site"


@pytest.mark.parametrize(
    "headers",
    [
        (COOKIE, ("sec-fetch-site", "same-origin"), ("origin", "http://localhost:5173")),
        (COOKIE, ("sec-fetch-site", "none")),
        (COOKIE, ("sec-fetch-site", "cross-site"), ("origin", "https://portal.example")),
        (COOKIE, ("origin", "https://voice.example:8443")),
        (COOKIE,),
        (OTHERS, ("sec-fetch-site", "same-site")),
        (COOKIE, OTHERS, ("sec-fetch-site", "same-site"), ("authorization", "Bearer x")),
    ],
)
async def test_our_own_pages_named_sites_and_programs_may(headers: tuple[tuple[str, str], ...]) -> None:
    assert await status("POST", HOST, *headers) == 200


async def test_looking_is_open_to_all() -> None:
    assert await status("GET", HOST, COOKIE, OTHERS, ("sec-fetch-site", "cross-site")) == 200
