"""A local server that speaks Anthropic's Messages API, streamed and not, with its prompt cache."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.doubles.script import Script, Scripts
from tests.doubles.sse import retry_after, send

REQUEST_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"

_REFUSALS = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your account has a billing problem."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: claude-haiku-9"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}


@dataclass(frozen=True)
class Says:
    """Answer with text, one piece an event."""

    pieces: Sequence[str]
    stop: str = "end_turn"


@dataclass(frozen=True)
class Uses:
    """Use tools, after saying something.

    Attributes:
        tools: Names and inputs; a text is sent as it is, so that it need not be JSON.
        pieces: The text before.
        stop: Why the model stopped.
    """

    tools: Sequence[tuple[str, Mapping[str, Any] | str]]
    pieces: Sequence[str] = ()
    stop: str = "tool_use"


@dataclass(frozen=True)
class Fails:
    """Answer with an error."""

    status: int
    kind: str
    message: str


@dataclass(frozen=True)
class Errs:
    """Tell of an error after the first events of another turn."""

    turn: Says | Uses
    events: int
    kind: str = "overloaded_error"
    message: str = "Overloaded"


@dataclass(frozen=True)
class Unended:
    """End in good order after the first events of another turn."""

    turn: Says | Uses
    events: int


Turn = Says | Uses | Fails | Errs | Unended


class AnthropicMessages:
    """The server; an asynchronous context manager.

    It answers by the script `turns`, or by what `answer` makes of each request. How the answer is sent is up to
    `scripts`, one of which goes with each request for an answer; every server-sent event is a piece.

    What a request marks with `cache_control` is remembered, and found again in later ones, however short it is.

    Attributes:
        requests: The bodies it was sent.
        headers: Their headers, and those of the requests for models.
        stopped: Set when a client hung up on an answer.
    """

    def __init__(
        self,
        *turns: Turn,
        answer: Callable[[dict[str, Any]], Turn] | None = None,
        model: str = "claude-haiku-4-5",
        key: str | None = None,
    ) -> None:
        """Take what it does.

        Args:
            key: The key it wants; None takes any.
        """
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.scripts = Scripts()
        self.stopped = asyncio.Event()
        self._turns = deque(turns)
        self._answer = answer or self._by_script
        self._model = model
        self._key = key
        self._cache: set[str] = set()
        self._transports: list[asyncio.BaseTransport] = []
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._transports)

    async def __aenter__(self) -> AnthropicMessages:
        app = web.Application()
        app.router.add_post("/v1/messages", self._message)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/", self._nothing)
        # A handler whose client has gone is cancelled, so that a stalled one ends with it.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    def _note_line(self, request: web.Request) -> None:
        if request.transport is not None and request.transport not in self._transports:
            self._transports.append(request.transport)

    async def _nothing(self, request: web.Request) -> web.Response:
        self._note_line(request)
        return web.json_response({"type": "error", "error": {"type": "not_found_error", "message": "/"}}, status=404)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _by_script(self, _body: dict[str, Any]) -> Turn:
        return self._turns.popleft() if self._turns else Fails(500, "api_error", "the script is at its end")

    def _note(self, request: web.Request) -> None:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self._note_line(request)

    def _refusal(self, request: web.Request, script: Script) -> web.Response | None:
        """The answer to who may not come in."""
        status = script.status
        if self._key is not None and request.headers.get("x-api-key") != self._key:
            status = 401
        if "anthropic-version" not in request.headers:
            return _refuse(400, "invalid_request_error", "anthropic-version: header is required")
        if not status:
            return None
        kind, message = _REFUSALS.get(status, ("api_error", "Refused by the script."))
        return _refuse(status, kind, message, headers=retry_after(script))

    async def _models(self, request: web.Request) -> web.Response:
        self._note(request)
        if refusal := self._refusal(request, Script(status=self.scripts.always.status)):
            return refusal
        model = {"type": "model", "id": self._model, "display_name": "Claude", "created_at": "2025-10-15T00:00:00Z"}
        page = {"data": [model], "has_more": False, "first_id": self._model, "last_id": self._model}
        return web.json_response(page, headers={"request-id": REQUEST_ID})

    async def _message(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._note(request)
        self.requests.append(body)
        script = self.scripts.next()
        if refusal := self._refusal(request, script):
            return refusal
        if complaint := _complaint(body):
            return _refuse(400, "invalid_request_error", complaint)
        turn = self._answer(body)
        if isinstance(turn, Fails):
            return _refuse(turn.status, turn.kind, turn.message)
        if script.wrong:
            turn = Says([])
        usage = self._count(body)
        if not body.get("stream"):
            assert isinstance(turn, Says | Uses)
            return web.json_response(_message(body, turn, usage), headers={"request-id": REQUEST_ID})
        garbage = b"event: content_block_delta\ndata: {oops\n\n"
        return await send(request, script, _events(body, turn, usage), garbage=garbage, gone=self.stopped)

    def _count(self, body: dict[str, Any]) -> dict[str, int]:
        """The input's tokens: found in the cache, written into it, and the rest."""
        found = written = so_far = 0
        prefix = ""
        for block in _blocks(body):
            marked = block.pop("cache_control", None) is not None
            text = json.dumps(block)
            prefix += text
            so_far += len(text) // 4
            if marked and prefix in self._cache:
                found = written = so_far
            elif marked:
                written = so_far
                self._cache.add(prefix)
        return {
            "input_tokens": so_far - max(found, written),
            "cache_creation_input_tokens": max(0, written - found),
            "cache_read_input_tokens": found,
        }


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the model reads, in the order in which it is cached."""
    system = body.get("system") or []
    yield from (dict(tool) for tool in body.get("tools") or [])
    yield from ({"type": "text", "text": system},) if isinstance(system, str) else (dict(block) for block in system)
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from ({"role": message["role"], **block} for block in blocks)


def _complaint(body: dict[str, Any]) -> str | None:
    """What the API would not take."""
    messages = body.get("messages") or []
    if not messages:
        return "messages: at least one message is required"
    if not body.get("max_tokens"):
        return "max_tokens: Field required"
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if body.get("tool_choice") and not body.get("tools"):
        return "tool_choice: tool_choice may only be specified while providing tools"
    used: list[str] = []
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else []
        given = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(given) != sorted(used):
            return "messages: `tool_use` ids must have `tool_result` blocks immediately after, and no others"
        used = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return None


def _refuse(status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": REQUEST_ID}
    return web.json_response(error, status=status, headers={"request-id": REQUEST_ID, **(headers or {})})


def _message(body: dict[str, Any], turn: Says | Uses, usage: Mapping[str, int]) -> dict[str, Any]:
    """A whole message."""
    content: list[dict[str, Any]] = [{"type": "text", "text": "".join(turn.pieces)}] if turn.pieces else []
    if isinstance(turn, Uses):
        for number, (name, given) in enumerate(turn.tools):
            content.append({"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given})
    return _head(body, usage) | {"content": content, "stop_reason": turn.stop, "usage": {**usage, "output_tokens": 7}}


def _head(body: dict[str, Any], usage: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1, "service_tier": "standard"},
    }


def _events(body: dict[str, Any], turn: Turn, usage: Mapping[str, int]) -> Iterator[bytes]:
    """A message as it is streamed."""
    if isinstance(turn, Unended | Errs):
        yield from islice(_events(body, turn.turn, usage), turn.events)
        if isinstance(turn, Errs):
            error = {"type": turn.kind, "message": turn.message}
            yield _event({"type": "error", "error": error, "request_id": REQUEST_ID})
        return
    assert isinstance(turn, Says | Uses)
    yield _event({"type": "message_start", "message": _head(body, usage)})
    index = 0
    if turn.pieces:
        deltas = [{"type": "text_delta", "text": piece} for piece in turn.pieces]
        yield from _block(index, {"type": "text", "text": ""}, deltas)
        index += 1
    tools = turn.tools if isinstance(turn, Uses) else ()
    for number, (name, given) in enumerate(tools):
        text = given if isinstance(given, str) else json.dumps(given)
        parts = ("", text[: len(text) // 2], text[len(text) // 2 :])
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        start = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}
        yield from _block(index + number, start, deltas)
    yield _event(
        {
            "type": "message_delta",
            "delta": {"stop_reason": turn.stop, "stop_sequence": None},
            "usage": {**usage, "output_tokens": 7},
        }
    )
    yield _event({"type": "message_stop"})


def _block(index: int, start: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    yield _event({"type": "content_block_start", "index": index, "content_block": start})
    if index == 0:
        yield _event({"type": "ping"})
    for delta in deltas:
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
    yield _event({"type": "content_block_stop", "index": index})


def _event(data: Mapping[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()
