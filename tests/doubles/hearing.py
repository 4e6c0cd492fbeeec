"""What the doubles of recognisers share: they really listen, with the offline recogniser, or as a function says."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType

from pipelines.banking.phrases import PHRASES
from providers.offline.decoders import DecoderPool, LentDecoder
from providers.phrases import Phrases

Hear = Callable[[bytes], Awaitable[str]]
"""What is said in a piece of sound (16-bit mono PCM, 16 kHz); "" if there are no words in it."""


def says(text: str) -> Hear:
    """Hear the same in everything."""

    async def hear(_sound: bytes) -> str:
        return text

    return hear


class Ears:
    """Lends ears; an asynchronous context manager.

    Args:
        hear: Stands in for the recogniser.
        phrases: What the recogniser listens for.
        cache_dir: Where it keeps its language model, which takes seconds to build.
        count: Recognisers at once.
    """

    def __init__(
        self, hear: Hear | None, *, phrases: Phrases = PHRASES, cache_dir: Path | None = None, count: int = 4
    ) -> None:
        self._hear, self._phrases, self._cache_dir, self._count = hear, phrases, cache_dir, count
        self._stack = AsyncExitStack()
        self._pool: DecoderPool | None = None

    async def __aenter__(self) -> Ears:
        if self._hear is None:
            folder = self._cache_dir or Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self._pool = DecoderPool(self._count, folder)
            self._stack.push_async_callback(self._pool.close)
            await self._pool.warm([self._phrases], 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def lend(self, names: Sequence[str] = ()) -> AsyncIterator[Hear]:
        """An ear that also knows these names."""
        if self._hear is not None:
            yield self._hear
            return
        pool, phrases = self._pool, self._phrases
        assert pool is not None, "not entered"
        decoder: LentDecoder | None = None

        async def hear(sound: bytes) -> str:
            nonlocal decoder
            decoder = decoder or await pool.lend(phrases, names)
            return " ".join(word.word for word in await decoder.transcribe(sound))

        try:
            yield hear
        finally:
            if decoder is not None:
                pool.take_back(decoder)
