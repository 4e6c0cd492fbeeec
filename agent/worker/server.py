"""A voice worker answers the switchboard: a small ASGI application around the calls of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from loguru import logger

from agent.worker import wire, words
from agent.worker.calls import VoiceWorker
from core.errors import AppError, Invalid, NotFound
from core.tasks import spawn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"


class Door:
    """The application: questions in, answers out; see `wire`."""

    def __init__(self, worker: VoiceWorker) -> None:
        self._worker = worker

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            match scope["method"], scope["path"]:
                case "GET", "/state":
                    await self._tell(receive, send)
                case "GET", "/figures":
                    await _answer(send, 200, await self._worker.figures(), kind=b"text/plain")
                case "POST", path if (word := wire.ALL.get(path.removeprefix("/"))) is not None:
                    await _answer(send, 200, await self._ask(word, receive))
                case _:
                    raise NotFound("There is no such question")
        except AppError as error:
            await _answer(send, error.status, wire.dump(wire.Wrong, wire.Wrong.of(error)))
        except Exception as error:  # noqa: BLE001 - the root of a request: what is unexpected is told as that
            logger.opt(exception=error).error("{} failed: {}", scope["path"], type(error).__name__)
            sorry = AppError("Something went wrong on our side. Please try again.", code="internal", status=500)
            await _answer(send, 500, wire.dump(wire.Wrong, wire.Wrong.of(sorry)))

    async def _ask(self, word: wire.Word[Any, Any], receive: Receive) -> bytes:
        try:
            question = wire.load(word.question, await _body(receive))
        except wire.Garbled as error:
            raise Invalid(f"That is {error}", code="garbled") from None
        answer = await getattr(self._worker, word.name)(question)
        return b"null" if word.answer is None else wire.dump(word.answer, answer)

    async def _tell(self, receive: Receive, send: Send) -> None:
        """Every state, one a line, for as long as somebody listens."""
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        telling = spawn(self._tell_states(send), owner="worker's states")
        leaving = spawn(_until_gone(receive), owner="worker's listener")
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            leaving.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _tell_states(self, send: Send) -> None:
        async with aclosing(self._worker.states()) as states:
            async for state in states:
                line = wire.dump(words.WorkerState, state) + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("The question was not finished", code="garbled")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > wire.MAX_QUESTION_BYTES:
            raise Invalid("The question is too long", code="too_large", status=413)
    return body


async def _answer(send: Send, status: int, body: bytes, *, kind: bytes = JSON) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
