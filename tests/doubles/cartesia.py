"""A local server that speaks Cartesia's wire: speech over websocket and as bytes, and the list of voices."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from aiohttp import WSMsgType, web

from tests.doubles.script import Scripts
from tests.doubles.speech import Line, Speak, Watched, refusal, speaks

KEY = "sk_car_test"
VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
HINDI_VOICE = "95d51f79-c397-46f9-b49a-23763d3eaa2d"
VOICES = {VOICE: ("Katie", "en"), HINDI_VOICE: ("Arushi", "hi")}

_TITLES = {
    401: ("unauthorized", "Unauthorized"),
    402: ("quota_exceeded", "Credit limit reached"),
    404: ("voice_not_found", "Voice not found"),
    429: ("concurrency_limited", "Too many concurrent requests"),
}


def _error(status: int, message: str = "Refused by the script.") -> dict[str, Any]:
    code, title = _TITLES.get(status, (None, "Something went wrong"))
    return {
        "error_code": code,
        "title": title,
        "message": message,
        "request_id": "550e8400-e29b-41d4-a716-446655440000",
    }


class Cartesia(Watched):
    """The server; an asynchronous context manager.

    It keeps to what the vendor says of contexts: one that gets no more text ends by itself, what is being spoken when
    it is cancelled is spoken to its end, and what is sent to one that has ended is refused.

    Attributes:
        scripts: How the next connections and requests go.
        handshakes: Headers of the websockets that were asked for, refused ones included.
        messages: What came over the websockets.
        requests: Method, path and body of the other requests.
        lines: The websockets that are open.
        distance_s: What the answer to a websocket's handshake takes.
    """

    def __init__(
        self,
        *,
        speak: Speak = speaks,
        voices: Mapping[str, tuple[str, str]] = VOICES,
        key: str = KEY,
        expires_s: float = 1.0,
        nonsense: str | bytes = '{"type": "chunk", "data": "AAAA"}',
    ) -> None:
        """Take what it does.

        Args:
            speak: Makes the speech.
            voices: Name and language of each voice, by id.
            key: The key that is accepted.
            expires_s: A context ends by itself so long after its last sound.
            nonsense: The garbage of a script that wants garbage.
        """
        super().__init__()
        self.scripts = Scripts()
        self.handshakes: list[dict[str, str]] = []
        self.messages: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.lines: list[Line] = []
        self.distance_s = 0.0
        self._speak = speak
        self._voices = voices
        self._key = key
        self._expires_s = expires_s
        self._nonsense = nonsense
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into CARTESIA_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Cartesia:
        app = web.Application()
        app.router.add_get("/tts/websocket", self._websocket)
        app.router.add_post("/tts/bytes", self._bytes)
        app.router.add_get("/voices", self._list)
        app.router.add_get("/voices/{id}", self._voice)
        # A handler whose client has gone is cancelled, so that a stalled one ends with it.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self.lines:
            line.cut()
        await self._runner.cleanup()

    async def hang_up(self) -> None:
        """Close every websocket, as the vendor does with idle ones."""
        for line in list(self.lines):
            await line.websocket.close(code=1000, message=b"connection idle timeout")

    def spoken(self) -> list[str]:
        """The texts that were to be spoken."""
        return [message["transcript"] for message in self.messages if message.get("transcript")]

    def _accepts(self, request: web.Request) -> bool:
        return self._key in (
            request.headers.get("X-API-Key"),
            request.headers.get("Authorization", "")[len("Bearer ") :],
        )

    # Websocket

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.next()
        self.handshakes.append({name.lower(): value for name, value in request.headers.items()})
        self.note()
        await asyncio.sleep(self.distance_s)
        if script.status:
            return refusal(script, _error(script.status))
        if not self._accepts(request):
            return web.json_response(_error(401, "The API key is not valid."), status=401)
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        line = Line(websocket, request, script, self)
        self.lines.append(line)
        self.note()
        contexts: dict[str, _Context] = {}
        try:
            async for message in websocket:
                if message.type == WSMsgType.TEXT:
                    body = json.loads(message.data)
                    self.messages.append(body)
                    await self._take(line, contexts, body)
                    self.note()
        finally:
            self.lines.remove(line)
            self.note()
            for context in contexts.values():
                context.task.cancel()
            await asyncio.gather(*(context.task for context in contexts.values()), return_exceptions=True)
        return websocket

    async def _take(self, line: Line, contexts: dict[str, _Context], body: dict[str, Any]) -> None:
        name = body.get("context_id")
        if not isinstance(name, str):
            await line.tell({"type": "error", "done": True, "status_code": 400, **_error(400, "context_id is missing")})
        elif body.get("cancel"):
            if name in contexts:
                contexts[name].cancelled = True
                contexts[name].inputs.put_nowait(None)
        elif name not in contexts:
            contexts[name] = context = _Context(name)
            context.task = asyncio.create_task(self._answer(line, context))
            context.inputs.put_nowait(body)
        elif contexts[name].ended:
            await self._refuse(line, name, 400, "The context has ended.")
        else:
            contexts[name].inputs.put_nowait(body)

    async def _answer(self, line: Line, context: _Context) -> None:
        try:
            while not context.cancelled:
                body = await asyncio.wait_for(context.inputs.get(), self._expires_s if context.made_s else None)
                if body is None:
                    break
                if body["transcript"] and not await self._speak_one(line, context, body):
                    return
                if not body.get("continue"):
                    break
        except TimeoutError:
            pass
        except ConnectionError:
            return
        finally:
            context.ended = True
        await line.tell({"type": "done", "done": True, "status_code": 206, "context_id": context.name})

    async def _speak_one(self, line: Line, context: _Context, body: dict[str, Any]) -> bool:
        """Speak one text; False if it was refused."""
        status, why = self._wrong_with(body)
        if status:
            await self._refuse(line, context.name, status, why)
            return False
        sample_rate = body["output_format"]["sample_rate"]
        start_s, first = context.made_s, True
        common = {"done": False, "status_code": 206, "context_id": context.name}
        async for chunk in self._speak(body["transcript"], body.get("language", "en"), sample_rate):
            piece = {"type": "chunk", "data": base64.b64encode(chunk.audio).decode(), "step_time": 1.0, **common}
            if line.script.wrong:
                piece |= {"context_id": "another"} if first else {"data": ""}
            await line.piece(piece, first=first, nonsense=self._nonsense)
            first = False
            context.made_s += len(chunk.audio) / 2 / sample_rate
            if body.get("add_timestamps") and chunk.words and not line.script.wrong:
                times = {
                    "words": [word.text for word in chunk.words],
                    "start": [start_s + word.start_s for word in chunk.words],
                    "end": [start_s + word.end_s for word in chunk.words],
                }
                await line.tell({"type": "timestamps", "word_timestamps": times, **common})
        if body.get("flush") or body.get("max_buffer_delay_ms") == 0:
            context.flushes += 1
            await line.tell({"type": "flush_done", "flush_done": True, "flush_id": context.flushes, **common})
        return True

    async def _refuse(self, line: Line, name: str, status: int, why: str) -> None:
        await line.tell(
            {"type": "error", "done": True, "status_code": status, "context_id": name, **_error(status, why)}
        )

    def _wrong_with(self, body: dict[str, Any]) -> tuple[int, str]:
        voice = body["voice"] if isinstance(body["voice"], str) else body["voice"]["id"]
        if voice not in self._voices:
            return 404, f"There is no voice {voice}."
        if not body["model_id"].startswith("sonic"):
            return 400, f"There is no model {body['model_id']}."
        if (body["output_format"]["container"], body["output_format"]["encoding"]) != ("raw", "pcm_s16le"):
            return 400, "Only raw pcm_s16le is made here."
        return 0, ""

    # Requests

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        script = self.scripts.next()
        self.requests.append(("POST", request.path, body))
        if script.status:
            return refusal(script, _error(script.status))
        status, why = self._wrong_with(body) if self._accepts(request) else (401, "The API key is not valid.")
        if status:
            return web.json_response(_error(status, why), status=status)
        response = web.StreamResponse(headers={"Content-Type": "audio/x-raw"})
        await response.prepare(request)
        await asyncio.sleep(script.first_byte_s)
        pieces = 0
        sample_rate = body["output_format"]["sample_rate"]
        async for chunk in self._speak(body["transcript"], body.get("language", "en"), sample_rate):
            if script.cut_after is not None and pieces >= script.cut_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if script.stall_after is not None and pieces >= script.stall_after:
                await asyncio.Event().wait()
            if not script.wrong:
                await response.write(chunk.audio)
            pieces += 1
        return response

    async def _list(self, request: web.Request) -> web.Response:
        def answer() -> web.Response:
            ids = sorted(self._voices)
            after = request.query.get("starting_after")
            rest = ids[ids.index(after) + 1 :] if after else ids
            page = rest[: int(request.query.get("limit", 10))]
            return web.json_response(
                {"data": [self._described(voice) for voice in page], "has_more": len(page) < len(rest)}
            )

        return await self._rest(request, answer)

    async def _voice(self, request: web.Request) -> web.Response:
        def answer() -> web.Response:
            voice = request.match_info["id"]
            if voice not in self._voices:
                return web.json_response(_error(404, f"There is no voice {voice}."), status=404)
            return web.json_response(self._described(voice))

        return await self._rest(request, answer)

    async def _rest(self, request: web.Request, answer: Callable[[], web.Response]) -> web.Response:
        script = self.scripts.next()
        self.requests.append((request.method, request.path, dict(request.query)))
        await asyncio.sleep(script.first_byte_s)
        if script.stall_after is not None:
            await asyncio.Event().wait()
        if script.status:
            return refusal(script, _error(script.status))
        if not self._accepts(request):
            return web.json_response(_error(401, "The API key is not valid."), status=401)
        return answer()

    def _described(self, voice: str) -> dict[str, Any]:
        name, language = self._voices[voice]
        return {
            "id": voice,
            "name": name,
            "language": language,
            "access": "public",
            "visibility": "all",
            "created_at": "2026-01-01T00:00:00Z",
            "description": f"{name} speaks.",
            "tagline": "",
            "is_owner": False,
            "locales": [],
        }


class _Context:
    """A context of one websocket."""

    task: asyncio.Task[None]

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.made_s = 0.0
        self.flushes = 0
        self.cancelled = False
        self.ended = False
