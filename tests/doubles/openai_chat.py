"""A local server that speaks OpenAI's chat completions, the way OpenAI, Groq, DeepSeek or Ollama do."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.doubles.script import Script, Scripts
from tests.doubles.sse import retry_after, send

USAGE = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}

_REFUSALS = {
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    402: ("Insufficient Balance", "unknown_error", "invalid_request_error"),
    429: ("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True)
class Says:
    """Answer with text, one piece a chunk."""

    pieces: Sequence[str]


@dataclass(frozen=True)
class Calls:
    """Call tools.

    Attributes:
        tools: Names and arguments; a text is sent as it is, so that it need not be JSON.
        together: All in one chunk, else each in its own.
        whole: Whole calls, all numbered 0, like Ollama's. Else as OpenAI streams them: numbered, the name first, then
            the arguments in pieces without an id.
        finish: Why the model stopped.
    """

    tools: Sequence[tuple[str, Mapping[str, Any] | str]]
    together: bool = True
    whole: bool = True
    finish: str = "tool_calls"


@dataclass(frozen=True)
class Fails:
    """Answer with an error.

    Attributes:
        more: What else stands in it.
    """

    status: int
    message: str
    kind: str | None = None
    code: str | None = None
    more: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Breaks:
    """Say something and cut the line in the middle of the answer."""

    pieces: Sequence[str]


@dataclass(frozen=True)
class Errs:
    """Say something, then tell of an error in the middle of the answer."""

    pieces: Sequence[str]
    message: str = "The server had an error while processing your request."
    kind: str = "server_error"


@dataclass(frozen=True)
class Unended:
    """End in good order after the first events of another turn."""

    turn: Says | Calls
    events: int


@dataclass(frozen=True)
class StaysSilent:
    """Take the request and never answer; `OpenAIChat.stopped` is set when the client gives up."""


Turn = Says | Calls | Fails | Breaks | Errs | Unended | StaysSilent


class OpenAIChat:
    """The server; an asynchronous context manager.

    It answers by the script `turns`, or by what `answer` makes of each request. How the answer is sent is up to
    `scripts`, one of which goes with each request for an answer.

    Attributes:
        requests: The bodies it was sent.
        headers: Their headers, and those of the requests for models.
        stopped: Set when a client hung up on an answer.
    """

    def __init__(
        self,
        *turns: Turn,
        answer: Callable[[dict[str, Any]], Turn] | None = None,
        model: str = "test-model",
        usage: Mapping[str, Any] = USAGE,
        key: str | None = None,
    ) -> None:
        """Take what it does.

        Args:
            usage: What it counts for each answer.
            key: The key it wants; None takes any.
        """
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.scripts = Scripts()
        self.stopped = asyncio.Event()
        self._turns = deque(turns)
        self._answer = answer or self._by_script
        self._model = model
        self._usage = usage
        self._key = key
        self._transports: list[asyncio.BaseTransport] = []
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into OLLAMA_BASE_URL, and into OPENAI_BASE_URL and the like."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._transports)

    async def __aenter__(self) -> OpenAIChat:
        app = web.Application()
        for base in ("/v1", "/openai/v1"):  # the latter is Groq's
            app.router.add_post(f"{base}/chat/completions", self._complete)
            app.router.add_get(f"{base}/models", self._models)
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

    def _note(self, request: web.Request) -> None:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.transport is not None and request.transport not in self._transports:
            self._transports.append(request.transport)

    def _refusal(self, request: web.Request, script: Script) -> web.Response | None:
        """The answer to who may not come in."""
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key is not None and sent != self._key:
            # OpenAI stars out the middle; others have been seen to repeat the whole of it.
            return _error(401, f"Incorrect API key provided: {sent}.", "invalid_request_error", "invalid_api_key")
        if script.status:
            text, kind, code = _REFUSALS.get(script.status, ("Refused by the script.", "server_error", None))
            return _error(script.status, text, kind, code, headers=retry_after(script))
        return None

    async def _models(self, request: web.Request) -> web.Response:
        self._note(request)
        refusal = self._refusal(request, Script(status=self.scripts.always.status))
        model = {"id": self._model, "object": "model", "created": 1_700_000_000, "owned_by": "library"}
        return refusal or web.json_response({"object": "list", "data": [model]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._note(request)
        self.requests.append(body)
        script = self.scripts.next()
        if refusal := self._refusal(request, script):
            return refusal
        turn = self._answer(body)
        if isinstance(turn, Fails):
            kind = turn.kind or ("not_found_error" if turn.status == 404 else "api_error")
            return _error(turn.status, turn.message, kind, turn.code, more=turn.more)
        if isinstance(turn, StaysSilent):
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.set()
        if script.wrong:
            turn = Says([])
        if not body.get("stream"):
            assert isinstance(turn, Says)
            message = {"role": "assistant", "content": "".join(turn.pieces)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response(self._envelope("chat.completion", [choice]) | {"usage": self._usage})
        events = list(self._events(turn))
        if isinstance(turn, Breaks):
            script = Script(cut_after=len(turn.pieces))
        return await send(request, script, events, garbage=b"data: {oops\n\n", gone=self.stopped)

    def _events(self, turn: Turn) -> Sequence[bytes]:
        if isinstance(turn, Unended):
            return list(islice(self._events(turn.turn), turn.events))
        deltas = [self._chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in _deltas(turn)]
        if isinstance(turn, Errs):
            error = {"error": {"message": turn.message, "type": turn.kind, "param": None, "code": None}}
            return [*deltas, _event(error)]
        finish = turn.finish if isinstance(turn, Calls) else "stop"
        end = self._chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": finish}])
        return [*deltas, end, self._chunk([], usage=self._usage), b"data: [DONE]\n\n"]

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return _event(self._envelope("chat.completion.chunk", choices) | more)

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": kind,
            "created": 1_700_000_000,
            "model": self._model,
            "system_fingerprint": "fp_ollama",
            "choices": choices,
        }


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _error(
    status: int,
    message: str,
    kind: str,
    code: str | None,
    *,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": code, **(more or {})}
    return web.json_response({"error": error}, status=status, headers=headers)


def _deltas(turn: Turn) -> list[dict[str, Any]]:
    if isinstance(turn, Says | Breaks | Errs):
        return [{"role": "assistant", "content": piece} for piece in turn.pieces]
    assert isinstance(turn, Calls)
    texts = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in turn.tools]
    if not turn.whole:
        return [delta for number, (name, text) in enumerate(texts) for delta in _pieces(number, name, text)]
    calls = [_call(0, f"call_{number}", name, text) for number, (name, text) in enumerate(texts)]
    groups = [calls] if turn.together else [[call] for call in calls]
    return [{"role": "assistant", "content": "", "tool_calls": group} for group in groups]


def _pieces(number: int, name: str, arguments: str) -> list[dict[str, Any]]:
    """A call as OpenAI streams it."""
    middle = len(arguments) // 2
    rest = [{"index": number, "function": {"arguments": part}} for part in (arguments[:middle], arguments[middle:])]
    return [{"tool_calls": [piece]} for piece in (_call(number, f"call_{number}", name, ""), *rest)]


def _call(index: int, id_: str, name: str, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
