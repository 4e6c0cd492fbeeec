"""A local server that speaks OpenAI's chat completions, streamed, the way Ollama does; it answers from a script."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Says:
    """Answer with text, one piece a chunk."""

    pieces: Sequence[str]


@dataclass(frozen=True)
class Calls:
    """Call tools: whole calls, all numbered 0 like Ollama's.

    Attributes:
        tools: Names and arguments.
        together: All in one chunk, else each in its own.
    """

    tools: Sequence[tuple[str, Mapping[str, Any]]]
    together: bool = True


@dataclass(frozen=True)
class Fails:
    """Answer with an error."""

    status: int
    message: str


@dataclass(frozen=True)
class Breaks:
    """Say something and cut the line in the middle of the answer."""

    pieces: Sequence[str]


@dataclass(frozen=True)
class StaysSilent:
    """Take the request and never answer; `OpenAIChat.stopped` is set when the client gives up."""


Turn = Says | Calls | Fails | Breaks | StaysSilent


class OpenAIChat:
    """The server; an asynchronous context manager.

    It answers by the script `turns`, or by what `answer` makes of each request.

    Attributes:
        requests: The bodies it was sent.
        stopped: Set when a client hung up on `StaysSilent`.
    """

    def __init__(
        self, *turns: Turn, answer: Callable[[dict[str, Any]], Turn] | None = None, model: str = "test-model"
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.stopped = asyncio.Event()
        self._turns = deque(turns)
        self._answer = answer or self._by_script
        self._model = model
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into OLLAMA_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> OpenAIChat:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        # A handler whose client has gone is cancelled, so that a silent turn ends with it.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _by_script(self, _body: dict[str, Any]) -> Turn:
        return self._turns.popleft() if self._turns else Fails(500, "the script is at its end")

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        turn = self._answer(body)
        if isinstance(turn, Fails):
            kind = "not_found_error" if turn.status == 404 else "api_error"
            error = {"message": turn.message, "type": kind, "param": None, "code": None}
            return web.json_response({"error": error}, status=turn.status)
        if isinstance(turn, StaysSilent):
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.set()
        if not body.get("stream"):
            assert isinstance(turn, Says)
            message = {"role": "assistant", "content": "".join(turn.pieces)}
            return web.json_response(
                self._envelope("chat.completion", [{"index": 0, "message": message, "finish_reason": "stop"}])
            )
        return await self._stream(request, turn)

    async def _stream(self, request: web.Request, turn: Turn) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in _deltas(turn):
            await self._send(response, [{"index": 0, "delta": delta, "finish_reason": None}])
        if isinstance(turn, Breaks):
            assert request.transport is not None
            request.transport.close()
            return response
        finish = "tool_calls" if isinstance(turn, Calls) else "stop"
        await self._send(
            response, [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": finish}]
        )
        usage = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}
        await self._send(response, [], usage=usage)
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _send(self, response: web.StreamResponse, choices: list[dict[str, Any]], **more: Any) -> None:
        event = self._envelope("chat.completion.chunk", choices) | more
        await response.write(f"data: {json.dumps(event)}\n\n".encode())

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": kind,
            "created": 1_700_000_000,
            "model": self._model,
            "system_fingerprint": "fp_ollama",
            "choices": choices,
        }


def _deltas(turn: Turn) -> list[dict[str, Any]]:
    if isinstance(turn, Says | Breaks):
        return [{"role": "assistant", "content": piece} for piece in turn.pieces]
    assert isinstance(turn, Calls)
    calls = [
        {
            "index": 0,
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(turn.tools)
    ]
    groups = [calls] if turn.together else [[call] for call in calls]
    return [{"role": "assistant", "content": "", "tool_calls": group} for group in groups]
