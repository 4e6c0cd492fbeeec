"""A local server that speaks ElevenLabs' wire: speech over a websocket and as bytes, and the list of models."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Collection
from types import TracebackType
from typing import Any

from aiohttp import WSMsgType, web

from providers.offline.espeak import Chunk
from tests.doubles.script import Script, Scripts
from tests.doubles.speech import Line, Speak, Watched, refusal, speaks

KEY = "sk_el_test"
VOICE = "EXAVITQu4vr4xnSDxMaL"
MAX_CONTEXTS = 5

_WORDS = {
    401: ("invalid_api_key", "Invalid API key"),
    402: ("quota_exceeded", "This request exceeds your quota."),
    404: ("voice_id_does_not_exist", "A voice with the voice_id does not exist."),
    429: ("too_many_concurrent_requests", "Too many concurrent requests."),
}


def _words(status: int) -> tuple[str, str]:
    return _WORDS.get(status, ("something_went_wrong", "We are sorry, something went wrong."))


def _error(status: int) -> dict[str, Any]:
    code, message = _words(status)
    return {"detail": {"status": code, "message": message}}


class ElevenLabs(Watched):
    """The server; an asynchronous context manager.

    Like the vendor it refuses a voice, and with `in_words` everything else, after the handshake: with a message and a
    close code. It speaks a context's text as it comes and ends the context when it is closed.

    Attributes:
        scripts: How the next connections and requests go.
        handshakes: Headers and query of the websockets that were asked for, refused ones included.
        messages: What came over the websockets.
        requests: Method, path and body of the other requests.
        lines: The websockets that are open.
        distance_s: What the answer to a websocket's handshake takes.
        most_contexts: The most contexts that were open on one websocket at once.
    """

    def __init__(
        self,
        *,
        speak: Speak = speaks,
        voices: Collection[str] = (VOICE,),
        key: str = KEY,
        in_words: bool = False,
        snake_case: bool = False,
        nonsense: str | bytes = "<html>502 Bad Gateway</html>",
    ) -> None:
        """Take what it does.

        Args:
            speak: Makes the speech.
            voices: The ids of the voices there are.
            key: The key that is accepted.
            in_words: Refuse with a message and a close code instead of an HTTP status.
            snake_case: Write names of fields in the style that some of the vendor's servers use.
            nonsense: The garbage of a script that wants garbage.
        """
        super().__init__()
        self.scripts = Scripts()
        self.handshakes: list[tuple[dict[str, str], dict[str, str]]] = []
        self.messages: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.lines: list[Line] = []
        self.distance_s = 0.0
        self.most_contexts = 0
        self._speak = speak
        self._voices = voices
        self._key = key
        self._in_words = in_words
        self._snake_case = snake_case
        self._nonsense = nonsense
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into ELEVENLABS_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> ElevenLabs:
        app = web.Application()
        app.router.add_get("/v1/text-to-speech/{voice}/multi-stream-input", self._websocket)
        app.router.add_post("/v1/text-to-speech/{voice}", self._bytes)
        app.router.add_get("/v1/models", self._models)
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
            await line.websocket.close(code=1000, message=b"")

    def spoken(self) -> list[str]:
        """The texts that were to be spoken."""
        return [message["text"] for message in self.messages if message.get("text", "").strip()]

    # Websocket

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.next()
        self.handshakes.append(({name.lower(): value for name, value in request.headers.items()}, dict(request.query)))
        self.note()
        await asyncio.sleep(self.distance_s)
        status = script.status or (0 if request.headers.get("xi-api-key") == self._key else 401)
        if status and not self._in_words:
            return refusal(script, _error(status)) if script.status else web.json_response(_error(401), status=401)
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        line = Line(websocket, request, script, self)
        if status:
            await self._refuse(line, *_words(status))
            return websocket
        self.lines.append(line)
        self.note()
        contexts: dict[str, _Context] = {}
        try:
            async for message in websocket:
                if message.type == WSMsgType.TEXT:
                    body = json.loads(message.data)
                    self.messages.append(body)
                    await self._take(line, contexts, body, request)
                    self.note()
        finally:
            self.lines.remove(line)
            self.note()
            for context in contexts.values():
                context.task.cancel()
            await asyncio.gather(*(context.task for context in contexts.values()), return_exceptions=True)
        return websocket

    async def _take(
        self, line: Line, contexts: dict[str, _Context], body: dict[str, Any], request: web.Request
    ) -> None:
        if body.get("close_socket"):
            await line.websocket.close(code=1000)
            return
        name = body.get("context_id")
        if name is None:
            return  # keeps the connection alive
        if request.match_info["voice"] not in self._voices:
            await self._refuse(line, *_words(404))
            return
        context = contexts.get(name)
        if context is None or context.closed:
            if not body.get("text"):
                return
            contexts[name] = context = _Context(name)
            sample_rate = int(request.query["output_format"].removeprefix("pcm_"))
            language = request.query.get("language_code", "en")
            context.task = asyncio.create_task(self._answer(line, context, language, sample_rate))
            there_are = sum(not each.closed for each in contexts.values())
            self.most_contexts = max(self.most_contexts, there_are)
            if there_are > MAX_CONTEXTS:
                words = f"Maximum simultaneous contexts per WebSocket connection exceeded ({MAX_CONTEXTS})."
                await self._refuse(line, "max_active_conversations", words)
                return
        if body.get("close_context"):
            context.closed = True
            context.texts.put_nowait(None)
        elif body.get("text", "").strip():
            context.texts.put_nowait(body["text"])

    async def _answer(self, line: Line, context: _Context, language: str, sample_rate: int) -> None:
        first = True
        while (text := await context.texts.get()) is not None:
            async for chunk in self._in_chunks(text, language, sample_rate):
                message = {
                    "audio": base64.b64encode(chunk.audio).decode(),
                    "isFinal": None,
                    "alignment": _alignment(chunk, len(chunk.audio) / 2 / sample_rate),
                    "contextId": context.name,
                }
                message["normalizedAlignment"] = message["alignment"]
                if line.script.wrong:
                    message |= {"contextId": "another"} if first else {"audio": "", "alignment": None}
                await line.piece(self._styled(message), first=first, nonsense=self._nonsense)
                first = False
            first = True
        await line.tell(self._styled({"isFinal": True, "contextId": context.name}))

    async def _in_chunks(self, text: str, language: str, sample_rate: int) -> AsyncIterator[Chunk]:
        """Speech whose pieces begin with the words that are heard in them."""
        sound, words = b"", 0
        async for chunk in self._speak(text, language, sample_rate):
            sound += chunk.audio
            if chunk.words:
                words += len(chunk.words)
                yield Chunk(sound, chunk.words)
                sound = b""
        if sound:
            yield Chunk(sound, ())

    def _styled(self, message: dict[str, Any]) -> dict[str, Any]:
        names = {"contextId": "context_id", "isFinal": "is_final"} if self._snake_case else {}
        return {names.get(name, name): value for name, value in message.items()}

    async def _refuse(self, line: Line, code: str, words: str) -> None:
        await line.websocket.send_json({"message": words, "error": code, "code": 1008})
        await line.websocket.close(code=1008, message=words.encode())

    # Requests

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        script = self.scripts.next()
        self.requests.append(("POST", request.path_qs, body))
        if (refused := self._refused(request, script)) is not None:
            return refused
        if request.match_info["voice"] not in self._voices:
            return web.json_response(_error(404), status=404)
        sample_rate = int(request.query["output_format"].removeprefix("pcm_"))
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        pieces = 0
        async for chunk in self._speak(body["text"], body.get("language_code", "en"), sample_rate):
            if script.cut_after is not None and pieces >= script.cut_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if not script.wrong:
                await response.write(chunk.audio)
            pieces += 1
        return response

    async def _models(self, request: web.Request) -> web.Response:
        script = self.scripts.next()
        self.requests.append(("GET", request.path_qs, None))
        if script.stall_after is not None:
            await asyncio.Event().wait()
        refused = self._refused(request, script)
        model = {"model_id": "eleven_flash_v2_5", "name": "Eleven Flash v2.5", "can_do_text_to_speech": True}
        return refused if refused is not None else web.json_response([model])

    def _refused(self, request: web.Request, script: Script) -> web.Response | None:
        if script.status:
            return refusal(script, _error(script.status))
        if request.headers.get("xi-api-key") != self._key:
            return web.json_response(_error(401), status=401)
        return None


class _Context:
    """A context of one websocket."""

    task: asyncio.Task[None]

    def __init__(self, name: str) -> None:
        self.name = name
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False


def _alignment(chunk: Chunk, length_s: float) -> dict[str, Any] | None:
    """When each character of the words in a chunk is heard, in milliseconds from the chunk's beginning."""
    if not chunk.words:
        return None
    chars = "".join(f"{word.text} " for word in chunk.words)
    each_ms = length_s * 1000 / len(chars)
    starts = [int(number * each_ms) for number in range(len(chars))]
    durations = [int(each_ms)] * len(chars)
    return {"chars": list(chars), "charStartTimesMs": starts, "charDurationsMs": durations}
