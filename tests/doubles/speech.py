"""What the doubles of voices share: how they speak, and how a script spoils it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from providers.offline import espeak
from providers.offline.espeak import Chunk, Word
from providers.offline.tts import voice_for
from tests.doubles.script import Script

Speak = Callable[[str, str, int], AsyncIterator[Chunk]]
"""From a text, its language and a sample rate to speech: 16-bit mono PCM, and when each word is heard."""


async def speaks(text: str, language: str, sample_rate: int) -> AsyncIterator[Chunk]:
    """Really speak, with the offline voice."""
    async for chunk in espeak.speak(text, voice=voice_for(language), sample_rate=sample_rate):
        yield chunk


async def hums(text: str, language: str, sample_rate: int) -> AsyncIterator[Chunk]:
    """Make a tenth of a second of sound for each word, at once; for tests that count."""
    for number, word in enumerate(text.split()):
        sound = bytes([number % 100 + 1, 0]) * (sample_rate // 10)
        yield Chunk(sound, (Word(word, number / 10, (number + 1) / 10),))


class Watched:
    """What a test can wait upon."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Have everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, check: Callable[[], object]) -> None:
        """Wait for something to come or to go."""
        async with asyncio.timeout(10):
            while not check():
                await self._changed.wait()


class Line:
    """One websocket as its script has it.

    Attributes:
        pieces: How many pieces of answers have gone out on it.
    """

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        request: web.Request,
        script: Script,
        watched: Watched,
    ) -> None:
        self.websocket = websocket
        self.script = script
        self._transport = request.transport
        self._watched = watched
        self.pieces = 0

    async def piece(self, message: dict[str, Any], *, first: bool, nonsense: str | bytes) -> None:
        """Send a piece of an answer.

        Args:
            message: As the protocol has it.
            first: Whether the answer begins with it.
            nonsense: What is sent instead if the script wants garbage.
        """
        await asyncio.sleep(self.script.first_byte_s if first else self.script.pace_s)
        await self._spoil()
        if not self.script.garbage:
            await self.websocket.send_json(message)
        elif isinstance(nonsense, bytes):
            await self.websocket.send_bytes(nonsense)
        else:
            await self.websocket.send_str(nonsense)
        self.pieces += 1
        self._watched.note()
        await self._spoil()

    async def tell(self, message: dict[str, Any]) -> None:
        """Send what is no piece of an answer."""
        await self._spoil()
        await self.websocket.send_json(message)

    async def _spoil(self) -> None:
        if self.script.cut_after is not None and self.pieces >= self.script.cut_after:
            self.cut()
            raise ConnectionResetError("cut by the script")
        if self.script.stall_after is not None and self.pieces >= self.script.stall_after:
            await asyncio.Event().wait()

    def cut(self) -> None:
        """End the line without a word."""
        if self._transport is not None:
            self._transport.abort()


def refusal(script: Script, body: dict[str, Any]) -> web.Response:
    """What a script's status looks like over HTTP."""
    headers = {} if script.retry_after_s is None else {"Retry-After": str(script.retry_after_s)}
    return web.json_response(body, status=script.status, headers=headers)
