"""A local server that speaks Deepgram's wire: live listening v1 (nova), v2 (Flux), and the list of projects.

It really listens: unless it is given another `hear`, the offline recogniser stands behind it, with the banking phrases
and the connection's key terms as names. Its clock is the sound: a pause is as long as the silence it was sent.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from pipelines.banking.phrases import PHRASES
from providers.phrases import Phrases
from tests.doubles.hearing import Ears, Hear
from tests.doubles.script import Script, Scripts

LOUD = 300
"""Root mean square of 16-bit samples above which somebody makes a sound."""

WINDOW_S = 0.02
LEAD_S = 0.3
INTERIM_S = 1.0
UPDATE_S = 0.25
IDLE_S = 10.0

REFUSALS = {
    400: ("Bad Request", "Keyterm limit exceeded. The maximum number of tokens across all keyterms is 500."),
    401: ("INVALID_AUTH", "Invalid credentials."),
    402: (
        "ASR_PAYMENT_REQUIRED",
        "Project does not have enough credits for an ASR request and does not have an overage.",
    ),
    403: ("INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    500: ("INTERNAL_SERVER_ERROR", "Internal server error."),
}


@dataclass(eq=False)
class Connection:
    """What one client has sent and been sent.

    Attributes:
        path: `/v1/listen` or `/v2/listen`.
        query: Each parameter with all its values.
        headers: Of the opening request.
        sound: All of it.
        messages: What it said beside sound.
        answers: What it was told.
        closed: Set when it is over.
    """

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    sound: bytearray = field(default_factory=bytearray)
    messages: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def asked(self, name: str) -> str:
        """The (first) value of a query parameter; "" if there is none."""
        return self.query.get(name, [""])[0]


class Deepgram:
    """The server; an asynchronous context manager.

    Args:
        hear: Stands in for the recogniser.
        key: The only key that is accepted; any, if empty.
        terse: Leave a Finalize that finds no words unanswered, as Deepgram may.
        eager_s: Flux: silence after which a turn has probably ended.
        end_s: Flux: silence after which it has.
        phrases: What the recogniser listens for.
        cache_dir: Where the recogniser keeps its language model, which takes seconds to build.
        decoders: Connections that are listened to at once.

    Attributes:
        scripts: How the next connections are treated.
        checks: How the next requests for projects are treated.
        connections: All that were accepted, oldest first.
        refused: How many were not.
        checked: How many requests for projects there were.
    """

    def __init__(
        self,
        hear: Hear | None = None,
        *,
        key: str = "",
        terse: bool = False,
        eager_s: float = 0.3,
        end_s: float = 0.6,
        phrases: Phrases = PHRASES,
        cache_dir: Path | None = None,
        decoders: int = 4,
    ) -> None:
        self.scripts, self.checks = Scripts(), Scripts()
        self.connections: list[Connection] = []
        self.refused = self.checked = 0
        self.terse, self.eager_s, self.end_s = terse, eager_s, end_s
        self._key = key
        self._ears = Ears(hear, phrases=phrases, cache_dir=cache_dir, count=decoders)
        self._lines: set[_Line] = set()
        self._stack = AsyncExitStack()
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into DEEPGRAM_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Deepgram:
        await self._stack.enter_async_context(self._ears)
        app = web.Application()
        app.router.add_get("/v1/listen", self._listen)
        app.router.add_get("/v2/listen", self._listen)
        app.router.add_get("/v1/projects", self._projects)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        await self._stack.aclose()

    def cut(self) -> None:
        """Cut every open line without a word."""
        for line in list(self._lines):
            line.cut()

    async def hang_up(self, code: int = 1011, reason: str = "NET-0000") -> None:
        """Close every open connection in the way of the protocol."""
        for line in list(self._lines):
            await line.socket.close(code=code, message=reason.encode())

    async def heard(self, length: int) -> None:
        """Wait until the newest connection has been sent so many bytes of sound."""
        while not self.connections or len(self.connections[-1].sound) < length:
            await asyncio.sleep(0.01)

    async def _projects(self, request: web.Request) -> web.StreamResponse:
        self.checked += 1
        script = self.checks.next()
        refusal = self._refusal(request, script)
        if refusal is not None:
            return refusal
        await asyncio.sleep(script.first_byte_s)
        if script.stall_after is not None:
            await asyncio.Event().wait()
        if script.cut_after is not None:
            assert request.transport is not None
            request.transport.abort()
        if script.garbage:
            return web.Response(text="<html>", content_type="application/json")
        return web.json_response({"projects": [{"project_id": str(uuid.uuid4()), "name": "Parley"}]})

    def _refusal(self, request: web.Request, script: Script) -> web.Response | None:
        wrong_key = self._key and request.headers.get("Authorization") != f"Token {self._key}"
        status = 401 if wrong_key else script.status
        if not status:
            return None
        code, text = REFUSALS.get(status, ("ERROR", "Something is wrong."))
        headers = {"dg-request-id": str(uuid.uuid4()), "dg-error": text}
        if script.retry_after_s is not None:
            headers["retry-after"] = str(script.retry_after_s)
        body = {"err_code": code, "err_msg": text, "request_id": headers["dg-request-id"]}
        return web.json_response(body, status=status, headers=headers)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.next()
        refusal = self._refusal(request, script)
        if refusal is not None:
            self.refused += 1
            return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        query = {name: request.query.getall(name) for name in request.query}
        connection = Connection(request.path, query, dict(request.headers))
        self.connections.append(connection)
        kind = _Nova if request.path == "/v1/listen" else _Flux
        line = kind(self, request, socket, connection, script)
        self._lines.add(line)
        try:
            async with self._ears.lend(query.get("keyterm", ())) as line.hear:
                await line.run()
        finally:
            self._lines.discard(line)
            connection.closed.set()
        return socket


class _Line:
    """One connection: what comes in is taken at once, worked on in order, and answered as the script says."""

    def __init__(
        self,
        double: Deepgram,
        request: web.Request,
        socket: web.WebSocketResponse,
        connection: Connection,
        script: Script,
    ) -> None:
        self.double, self.socket, self.connection, self.script = double, socket, connection, script
        self.hear: Hear
        self.request_id = str(uuid.uuid4())
        self.rate = int(connection.asked("sample_rate") or 16_000)
        self.now = 0.0
        self.utterance = bytearray()
        self.speaking = False
        self.silence_s = 0.0
        self._window = int(self.rate * WINDOW_S) * 2
        self._rest = b""
        self._request = request
        self._in: asyncio.Queue[bytes | dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[tuple[dict[str, Any], bool] | None] = asyncio.Queue()
        self._pieces = 0

    def cut(self) -> None:
        """Drop the line."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def run(self) -> None:
        """Serve until the client leaves or has had enough."""
        working = [asyncio.create_task(self._work()), asyncio.create_task(self._answer())]
        try:
            self.open()
            await self._take()
        finally:
            for task in working:
                task.cancel()
            for task in working:
                with suppress(asyncio.CancelledError, ConnectionError):
                    await task

    async def _take(self) -> None:
        while True:
            try:
                message = await self.socket.receive(timeout=IDLE_S)
            except TimeoutError:
                reason = b"NET-0001: Deepgram did not receive audio data or a text message within the timeout window."
                await self.socket.close(code=1011, message=reason)
                return
            if message.type is WSMsgType.BINARY:
                self.connection.sound += message.data
                self._in.put_nowait(message.data)
            elif message.type is WSMsgType.TEXT:
                said = json.loads(message.data)
                self.connection.messages.append(said)
                self._in.put_nowait(said)
            else:
                return

    async def _work(self) -> None:
        while True:
            item = await self._in.get()
            if isinstance(item, dict):
                await self.told(item)
                continue
            sound = self._rest + item
            whole = len(sound) // self._window * self._window
            self._rest = sound[whole:]
            for at in range(0, whole, self._window):
                await self._next(sound[at : at + self._window])

    async def _next(self, window: bytes) -> None:
        self.now += WINDOW_S
        self.utterance += window
        samples = np.frombuffer(window, "<i2").astype(np.float64)
        loud = float(np.sqrt(np.mean(samples**2))) > LOUD
        if loud:
            self.speaking, self.silence_s = True, 0.0
        elif self.speaking:
            self.silence_s += WINDOW_S
        else:
            del self.utterance[: -int(self.rate * LEAD_S) * 2]
        await self.heard(loud=loud)

    async def words(self) -> str:
        """What has been said since the last answer."""
        if self.script.wrong or not self.speaking:
            return ""
        return await self.hear(bytes(self.utterance))

    def forget(self) -> None:
        """Begin anew."""
        self.utterance.clear()
        self.speaking, self.silence_s = False, 0.0

    def say(self, piece: dict[str, Any], *, answers: bool = False) -> None:
        """Queue a piece; one that `answers` is what the client waits for."""
        self._out.put_nowait((piece, answers))

    def end(self) -> None:
        """Close the connection after what is queued."""
        self._out.put_nowait(None)

    async def _answer(self) -> None:
        script = self.script
        while True:
            item = await self._out.get()
            if item is None:
                await self.socket.close()
                return
            piece, answers = item
            await asyncio.sleep(script.first_byte_s if answers else script.pace_s)
            if script.cut_after is not None and self._pieces >= script.cut_after:
                self.cut()
                return
            if script.stall_after is not None and self._pieces >= script.stall_after:
                return
            self._pieces += 1
            self.connection.answers.append(piece)
            await self.socket.send_str("<html>Bad Gateway" if script.garbage else json.dumps(piece))

    # What differs between the interfaces

    def open(self) -> None:
        """The connection has been accepted."""

    async def heard(self, *, loud: bool) -> None:
        """Another window of sound has been taken."""
        raise NotImplementedError

    async def told(self, message: dict[str, Any]) -> None:
        """The client said something."""
        raise NotImplementedError


class _Nova(_Line):
    """Version 1: interim results, final ones where a pause is long enough or the client asks."""

    start = 0.0
    told_at = 0.0

    async def heard(self, *, loud: bool) -> None:
        endpointing = self.connection.asked("endpointing") or "10"
        if not loud and self.speaking and endpointing != "false" and self.silence_s * 1000 >= int(endpointing):
            await self._finish(speech_final=True)
        elif self.now - self.told_at >= INTERIM_S:
            self.told_at = self.now
            if self.connection.asked("interim_results") == "true":
                self._results(await self.words(), is_final=False)

    async def told(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "Finalize":
                await self._finish(from_finalize=True)
            case "CloseStream":
                if self.speaking:
                    await self._finish()
                self.say(
                    {
                        "type": "Metadata",
                        "transaction_key": "deprecated",
                        "request_id": self.request_id,
                        "sha256": "0" * 64,
                        "created": "2026-01-01T00:00:00.000Z",
                        "duration": self.now,
                        "channels": 1,
                    }
                )
                self.end()
            case "KeepAlive":
                pass
            case unknown:
                text = f"unknown variant `{unknown}`, expected one of `KeepAlive`, `CloseStream`, `Finalize`"
                self.say({"type": "Error", "variant": "SchemaError", "description": text, "message": str(message)})

    async def _finish(self, *, speech_final: bool = False, from_finalize: bool = False) -> None:
        words = await self.words()
        self.forget()
        if words or not (from_finalize and self.double.terse):
            self._results(words, is_final=True, speech_final=speech_final, from_finalize=from_finalize)
        self.start = self.told_at = self.now

    def _results(self, text: str, *, is_final: bool, speech_final: bool = False, from_finalize: bool = False) -> None:
        confidence = 0.98 if text else 0.0
        words = [
            {"word": word, "punctuated_word": word, "start": start, "end": end, "confidence": 0.98}
            for word, start, end in _spread(text, self.start, self.now)
        ]
        alternative: dict[str, Any] = {"transcript": text, "confidence": confidence, "words": words}
        if self.connection.asked("language") == "multi":
            alternative |= {"languages": ["en"], "languages_hinted": self.connection.query.get("language_hint", [])}
        self.say(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "duration": round(self.now - self.start, 6),
                "start": round(self.start, 6),
                "is_final": is_final,
                "speech_final": speech_final,
                "channel": {"alternatives": [alternative]},
                "metadata": {
                    "request_id": self.request_id,
                    "model_info": {"name": "general-nova-3", "version": "2026-01-01.0", "arch": "nova-3"},
                    "model_uuid": "00000000-0000-0000-0000-000000000000",
                },
                "from_finalize": from_finalize,
            },
            answers=is_final,
        )


class _Flux(_Line):
    """Version 2: turns. Silence stands in for Flux's confidence that one has ended."""

    turn = 0
    sequence = 0
    in_turn = False
    eager = False
    text = ""
    window_start = 0.0
    updated_at = 0.0
    heard_at = 0.0

    def open(self) -> None:
        self._message({"type": "Connected", "request_id": self.request_id})

    async def heard(self, *, loud: bool) -> None:
        if self.in_turn and self.eager and loud:
            self.eager = False
            self._turn_info("TurnResumed")
        elif self.in_turn and self.silence_s >= self.double.end_s:
            await self._end("model")
        elif self.in_turn and self._wants_eager and not self.eager and self.silence_s >= self.double.eager_s:
            self.text = await self.words()
            self.eager = True
            self._turn_info("EagerEndOfTurn", confidence=0.6)
        elif self.now - self.updated_at >= UPDATE_S:
            await self._update()
        if self.speaking and not self.in_turn and self.silence_s >= self.double.end_s:
            self.forget()  # A noise without words.

    @property
    def _wants_eager(self) -> bool:
        return bool(self.connection.asked("eager_eot_threshold"))

    async def _update(self) -> None:
        self.updated_at = self.now
        if self.speaking and not self.eager and self.now - self.heard_at >= 2 * UPDATE_S:
            self.heard_at = self.now
            self.text = await self.words() or self.text
        if self.text and not self.in_turn:
            self.in_turn = True
            self._turn_info("StartOfTurn")
        else:
            self._turn_info("Update")

    async def _end(self, trigger: str) -> None:
        if not self.eager:
            self.text = await self.words() or self.text
        self._turn_info("EndOfTurn", confidence=0.9, trigger=trigger)
        self.forget()
        self.in_turn = self.eager = False
        self.text = ""
        self.turn += 1
        self.window_start = self.updated_at = self.now

    async def told(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "Configure":
                thresholds = {
                    "eager_eot_threshold": None,
                    "eot_threshold": 0.7,
                    "eot_timeout_ms": 5000,
                    **message.get("thresholds", {}),
                }
                keyterms = message.get("keyterms", self.connection.query.get("keyterm", []))
                self._message(
                    {
                        "type": "ConfigureSuccess",
                        "request_id": self.request_id,
                        "thresholds": thresholds,
                        "keyterms": keyterms,
                    }
                )
            case "ForceEndTurn":
                if self.in_turn:
                    await self._end("manual")
            case "CloseStream":
                if self.in_turn:
                    await self._end("model")
                self.end()
            case _:
                text = "The client sent a message that could not be parsed."
                self._message({"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": text})
                self.end()

    def _turn_info(self, event: str, *, confidence: float = 0.1, **more: Any) -> None:
        info = {
            "type": "TurnInfo",
            "request_id": self.request_id,
            "event": event,
            "turn_index": self.turn,
            "audio_window_start": round(self.window_start, 6),
            "audio_window_end": round(self.now, 6),
            "transcript": self.text,
            "words": [{"word": word, "confidence": 0.98} for word in self.text.split()],
            "end_of_turn_confidence": confidence,
        }
        if self.connection.asked("model") == "flux-general-multi":
            info |= {"languages": ["en"], "languages_hinted": self.connection.query.get("language_hint", [])}
        self._message(info | more, answers=event == "EndOfTurn")

    def _message(self, message: dict[str, Any], *, answers: bool = False) -> None:
        self.say(message | {"sequence_id": self.sequence}, answers=answers)
        self.sequence += 1


def _spread(text: str, start: float, end: float) -> list[tuple[str, float, float]]:
    """Words with their places, shared out evenly."""
    words = text.split()
    step = (end - start) / max(1, len(words))
    return [(word, round(start + at * step, 2), round(start + (at + 1) * step, 2)) for at, word in enumerate(words)]
