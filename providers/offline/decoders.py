"""Decoders for live calls: each has its own thread and is lent to one call at a time; there are as many as seats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from pathlib import Path
from typing import TypeVar

import numpy as np

from providers.offline import language_model, pronunciation
from providers.offline.language_model import NAME_TAG, LanguageModel
from providers.offline.sphinx import Decoder, Word
from providers.phrases import Phrases

MAX_NAMES = 200
"""Names of one caller that are listened for; among more, each would be taken for another."""

_MAX_NAME_WORDS = 4
_MAX_PRONUNCIATIONS = 6
# Names are spelled apart from ordinary words, so that "mark" the payee and "mark" the verb are two words.
_NAME, _JOINT = "name:", "_"
# Most people say the first name or all of it, seldom the last name alone.
_FULL, _FIRST, _LAST = 0.45, 0.45, 0.1

_SILENCE = 50
"""Peak of 16-bit samples below which nobody speaks: -56 dB of full scale."""

T = TypeVar("T")


class LentDecoder:
    """A decoder while a call has it. Its work happens in order, on its own thread, off the event loop."""

    def __init__(self, decoder: Decoder, thread: ThreadPoolExecutor) -> None:
        self._decoder = decoder
        self._thread = thread

    @classmethod
    async def make(cls, model: LanguageModel) -> LentDecoder:
        """Load the acoustic model.

        Raises: SphinxError.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stt-decoder")
        try:
            decoder = await asyncio.get_running_loop().run_in_executor(thread, Decoder, model.dictionary)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(decoder, thread)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def prepare(self, model: LanguageModel, names: Sequence[str]) -> None:
        """Listen for the model's words and these names from now on, and forget the last speaker's voice.

        Raises: SphinxError.
        """

        def work() -> None:
            shares, pronunciations = name_words(names)
            self._decoder.load(model.model, model.dictionary, tag=NAME_TAG, members=shares, words=pronunciations)

        await self._run(work)

    async def start(self) -> None:
        """Begin a running transcript.

        Raises: SphinxError.
        """
        await self._run(self._decoder.start)

    async def feed(self, audio: bytes) -> str:
        """Decode the next samples of the running transcript; returns its text so far."""

        def work() -> str:
            self._decoder.feed(audio)
            return _plain(self._decoder.text())

        return await self._run(work)

    async def transcribe(self, audio: bytes) -> tuple[Word, ...]:
        """The words of a whole utterance, heard at once; ends a running transcript.

        Raises: SphinxError.
        """

        def work() -> tuple[Word, ...]:
            # Digital silence, as of a muted microphone, would be taken for a word.
            if (
                len(audio) < 2
                or int(np.abs(np.frombuffer(audio, "<i2", len(audio) // 2).astype(np.int32)).max()) < _SILENCE
            ):
                return ()
            self._decoder.start()
            try:
                self._decoder.feed(audio, whole=True)
            finally:
                self._decoder.stop()
            return tuple(part for word in self._decoder.words() for part in _parts(word))

        return await self._run(work)

    def reset(self) -> None:
        """End what is running, once work already begun is done."""
        self._thread.submit(self._decoder.stop)

    def close(self) -> None:
        """Free the decoder and its thread, once work already begun is done."""
        self._thread.submit(self._decoder.close)
        self._thread.shutdown(wait=False)

    def join(self) -> None:
        """Wait, blocking, until the thread has ended after `close`."""
        self._thread.shutdown(wait=True)


class DecoderPool:
    """Lends decoders, makes them when first needed, and never has more than `size`.

    Returned decoders are kept for the next calls. All methods belong to one event loop.
    """

    def __init__(self, size: int, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._seats = asyncio.Semaphore(size)
        self._idle: list[LentDecoder] = []
        self._lent: set[LentDecoder] = set()
        self._closed = False

    @property
    def idle(self) -> int:
        """How many decoders wait for a call."""
        return len(self._idle)

    @property
    def lent(self) -> int:
        """How many decoders calls have now."""
        return len(self._lent)

    async def model(self, phrases: Phrases) -> LanguageModel:
        """The language model for an agent type's phrases, built if it is not in the cache.

        Raises: SphinxError, TemplateError, OSError.
        """
        return await asyncio.to_thread(language_model.build, phrases, self._cache_dir)

    async def warm(self, phrases: Sequence[Phrases], decoders: int) -> None:
        """Build language models, and make as many decoders as calls will soon want.

        Raises: SphinxError, TemplateError, OSError.
        """
        models = [await self.model(each) for each in phrases]
        while models and len(self._idle) + len(self._lent) < decoders:
            self._idle.append(await LentDecoder.make(models[0]))

    async def lend(self, phrases: Phrases, names: Sequence[str]) -> LentDecoder:
        """A decoder that understands an agent type's phrases and these names; give it back with `take_back`.

        Waits while all are lent.

        Raises: SphinxError, TemplateError, OSError.
        """
        await self._seats.acquire()
        decoder: LentDecoder | None = None
        try:
            model = await self.model(phrases)
            decoder = self._idle.pop() if self._idle else await LentDecoder.make(model)
            await decoder.prepare(model, names)
        except BaseException:
            if decoder is not None:
                decoder.close()
            self._seats.release()
            raise
        self._lent.add(decoder)
        return decoder

    def take_back(self, decoder: LentDecoder) -> None:
        """Take a decoder back from a call that has ended, however it ended."""
        self._lent.remove(decoder)
        decoder.reset()
        if self._closed:
            decoder.close()
        else:
            self._idle.append(decoder)
        self._seats.release()

    async def close(self) -> None:
        """Free all decoders; those still lent follow when they come back."""
        self._closed = True
        while self._idle:
            decoder = self._idle.pop()
            decoder.close()
            await asyncio.to_thread(decoder.join)


def name_words(names: Sequence[str]) -> tuple[dict[str, float], dict[str, list[str]]]:
    """The words of the name class for a caller's names: their shares, and how each is pronounced."""
    spoken = [words for name in names[:MAX_NAMES] if (words := pronunciation.letters(name).split()[:_MAX_NAME_WORDS])]
    known = pronunciation.of({word for words in spoken for word in words})
    shares: dict[str, float] = {}
    pronunciations: dict[str, list[str]] = {}
    for words in spoken:
        for part, share in ((words, _FULL), (words[:1], _FIRST), (words[-1:], _LAST)):
            if all(word in known for word in part):
                ways = islice(product(*(known[word] for word in part)), _MAX_PRONUNCIATIONS)
                spelling = _NAME + _JOINT.join(part)
                shares[spelling] = shares.get(spelling, 0) + share
                pronunciations[spelling] = [" ".join(way) for way in ways]
    return shares, pronunciations


def _plain(text: str) -> str:
    return text.replace(_NAME, "").replace(_JOINT, " ")


def _parts(word: Word) -> list[Word]:
    """A name of several words as those words, the time shared out by length."""
    parts = _plain(word.word).split()
    letters = sum(map(len, parts))
    found: list[Word] = []
    start = word.start
    for part in parts:
        end = start + (word.end - word.start) * len(part) / letters
        found.append(Word(part, round(start, 2), round(end, 2), word.confidence))
        start = end
    return found
