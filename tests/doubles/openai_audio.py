"""A local server that speaks OpenAI's audio transcriptions; it really listens, or as a function says."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import BodyPartReader, web

from tests.doubles.hearing import Ears, Hear
from tests.doubles.script import Script, Scripts

REFUSALS = {
    400: ("Audio file is too short. Minimum audio length is 0.1 seconds.", "invalid_request_error", "audio_too_short"),
    401: ("Incorrect API key provided: sk-***.", "invalid_request_error", "invalid_api_key"),
    402: ("You exceeded your current quota, please check your plan.", "insufficient_quota", "insufficient_quota"),
    403: ("Project does not have access to model `whisper-1`.", "invalid_request_error", "model_not_found"),
    429: ("Rate limit reached for whisper-1 on requests per min.", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request.", "server_error", None),
}


@dataclass(frozen=True)
class Request:
    """What one client asked.

    Attributes:
        fields: Each form field with all its values, the file left out.
        headers: Of the request.
        sound: The samples of the file.
        rate: Samples a second.
    """

    fields: dict[str, list[str]]
    headers: dict[str, str]
    sound: bytes
    rate: int

    def asked(self, name: str) -> str:
        """The (first) value of a field; "" if there is none."""
        return self.fields.get(name, [""])[0]


class OpenAIAudio:
    """The server; an asynchronous context manager.

    Args:
        hear: Stands in for the recogniser, which knows the names in the prompt.
        key: The only key that is accepted; any, if empty.
        no_speech_prob: How sure it is that nobody spoke.
        avg_logprob: How sure it is of the words, as a logarithm.
        cache_dir: Where the recogniser keeps its language model.

    Attributes:
        scripts: How the next requests are treated.
        requests: All that were well-formed, oldest first.
        refused: How many were refused.
        left: Set when a client has hung up on an answer that did not come.
    """

    def __init__(
        self,
        hear: Hear | None = None,
        *,
        key: str = "",
        no_speech_prob: float = 0.01,
        avg_logprob: float = -0.2,
        cache_dir: Path | None = None,
    ) -> None:
        self.scripts = Scripts()
        self.requests: list[Request] = []
        self.refused = 0
        self.left = asyncio.Event()
        self._key, self._sure = key, {"no_speech_prob": no_speech_prob, "avg_logprob": avg_logprob}
        self._ears = Ears(hear, cache_dir=cache_dir)
        self._stack = AsyncExitStack()
        self._port = 0

    @property
    def url(self) -> str:
        """What belongs into OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> OpenAIAudio:
        await self._stack.enter_async_context(self._ears)
        app = web.Application(client_max_size=25 * 1024**2)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_get("/v1/models", self._models)
        # A handler whose client has gone is cancelled, so that a stalled answer ends with it.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _models(self, request: web.Request) -> web.Response:
        wrong_key = self._key and request.headers.get("Authorization") != f"Bearer {self._key}"
        status = 401 if wrong_key else self.scripts.always.status
        return _refusal(status, Script()) if status else web.json_response({"object": "list", "data": []})

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.next()
        asked = await _read(request)
        wrong_key = self._key and request.headers.get("Authorization") != f"Bearer {self._key}"
        status = 401 if wrong_key else script.status
        if status:
            self.refused += 1
            return _refusal(status, script)
        self.requests.append(asked)
        async with self._ears.lend([name.strip() for name in asked.asked("prompt").split(",") if name]) as hear:
            words = "" if script.wrong else await hear(asked.sound)
        body = b"<html>Bad Gateway</html>" if script.garbage else json.dumps(self._answer(asked, words)).encode()
        await asyncio.sleep(script.first_byte_s)
        return await self._send(request, script, body)

    def _answer(self, asked: Request, words: str) -> dict[str, Any]:
        seconds = len(asked.sound) / 2 / asked.rate
        answer: dict[str, Any] = {"text": words, "usage": {"type": "duration", "seconds": round(seconds)}}
        if asked.asked("response_format") != "verbose_json":
            return answer
        segment = {
            "id": 0,
            "seek": 0,
            "start": 0.0,
            "end": seconds,
            "text": f" {words}",
            "tokens": [50364, 50464],
            "temperature": 0.0,
            "compression_ratio": 1.0,
            **self._sure,
        }
        about = {"task": "transcribe", "language": "english", "duration": seconds}
        return answer | about | {"segments": [segment] if words else []}

    async def _send(self, request: web.Request, script: Script, body: bytes) -> web.StreamResponse:
        """Send the body in four pieces."""
        pieces = [body[at : at + len(body) // 4 + 1] for at in range(0, len(body), len(body) // 4 + 1)]
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        for number, piece in enumerate(pieces):
            if script.cut_after is not None and number >= script.cut_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if script.stall_after is not None and number >= script.stall_after:
                try:
                    await asyncio.Event().wait()
                finally:
                    self.left.set()
            if number:
                await asyncio.sleep(script.pace_s)
            else:
                await response.prepare(request)
            await response.write(piece)
        await response.write_eof()
        return response


async def _read(request: web.Request) -> Request:
    fields: dict[str, list[str]] = {}
    sound, rate = b"", 0
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        name = str(part.name).removesuffix("[]")
        if part.filename is None:
            fields.setdefault(name, []).append(await part.text())
        else:
            with wave.open(io.BytesIO(await part.read())) as file:
                assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
                sound, rate = file.readframes(file.getnframes()), file.getframerate()
    return Request(fields, dict(request.headers), sound, rate)


def _refusal(status: int, script: Script) -> web.Response:
    text, kind, code = REFUSALS.get(status, ("The engine is currently overloaded.", "server_error", None))
    headers = {} if script.retry_after_s is None else {"retry-after": str(script.retry_after_s)}
    error = {"message": text, "type": kind, "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)
