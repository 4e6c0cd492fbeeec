"""Speech to text with pocketsphinx: a running transcript while the caller speaks, a careful one when they stop."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence

from loguru import logger
from pipecat.audio.utils import create_stream_resampler
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterimTranscriptionFrame,
    StartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transcriptions.language import Language
from pipecat.utils.time import time_now_iso8601
from pipecat.utils.tracing.service_decorators import traced_stt

from core.settings import Settings
from providers.base import Brief, only_english
from providers.expand import TemplateError
from providers.offline.decoders import DecoderPool, LentDecoder
from providers.offline.sphinx import SAMPLE_RATE, SphinxError, Word

MAX_UTTERANCE_S = 30.0
"""Speech without a pause is transcribed in pieces of this length."""

PRE_ROLL_S = 0.3
"""Audio kept from before speech began, on top of the time the VAD takes to notice it."""

STEP_S = 0.1
"""How much audio the running transcript takes at once."""

INTERIM_S = 0.25
"""Least time between two interim transcripts."""

MAX_LAG_S = 1.0
"""The running transcript is given up for an utterance when it falls this far behind the caller."""

TTFS_P99_S = 1.0
"""From the end of speech to the final transcript: the VAD's silence, then the decoding of all that was said."""

_LONGEST_VAD_START_S = 1.0
_MAX_WAITING = 8
_LEND_TIMEOUT_S = 60.0
_WARM_DECODERS = 2
_BYTES_PER_S = SAMPLE_RATE * 2


class Utterance:
    """Speech from shortly before its start until the caller stops; 16 kHz, 16-bit, mono, at most `MAX_UTTERANCE_S`."""

    def __init__(self, before: bytes) -> None:
        self.audio = bytearray(before)
        self.ended = False
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether it is as long as one may be."""
        return len(self.audio) >= MAX_UTTERANCE_S * _BYTES_PER_S

    def append(self, audio: bytes) -> None:
        """More of it has been heard."""
        self.audio += audio
        self._changed.set()

    def end(self) -> None:
        """The caller has stopped."""
        self.ended = True
        self._changed.set()

    async def reaches(self, length: int) -> bool:
        """Wait until it is `length` bytes long; False if it has ended."""
        while not self.ended and len(self.audio) < length:
            self._changed.clear()
            await self._changed.wait()
        return not self.ended


class PocketsphinxSTTService(STTService):
    """Transcribes what the VAD calls speech: interim transcripts, then one finalized transcript per utterance.

    The text is lower-case words without punctuation. A final frame's `result` is a tuple of
    `providers.offline.sphinx.Word`: word, start and end in the utterance, confidence. Silence and noise that turn out
    to hold no words give no frame.
    """

    def __init__(self, pool: DecoderPool, brief: Brief) -> None:
        """Get ready for one call.

        Args:
            pool: Where the call's decoder comes from.
            brief: The agent type's phrases, and the names this caller may say.
        """
        super().__init__(
            ttfs_p99_latency=TTFS_P99_S, settings=STTSettings(model="pocketsphinx-en-us", language=Language.EN_US)
        )
        self._pool = pool
        self._brief = brief
        self._resampler = create_stream_resampler()
        self._before = bytearray()
        self._current: Utterance | None = None
        self._waiting: asyncio.Queue[Utterance] = asyncio.Queue(_MAX_WAITING)
        self._transcriber: asyncio.Task[None] | None = None

    def can_generate_metrics(self) -> bool:
        """Latency and usage are measured."""
        return True

    async def start(self, frame: StartFrame) -> None:
        """Start listening; the decoder is fetched meanwhile."""
        await super().start(frame)
        self._transcriber = self.create_task(self._transcribe_call(), "transcriber")

    async def stop(self, frame: EndFrame) -> None:
        """End the call; speech not yet transcribed is dropped."""
        await super().stop(frame)
        await self._stop_transcribing()

    async def cancel(self, frame: CancelFrame) -> None:
        """End the call at once."""
        await super().cancel(frame)
        await self._stop_transcribing()

    async def cleanup(self) -> None:
        """See to it that the decoder goes back, however the call ended."""
        await self._stop_transcribing()
        await super().cleanup()

    async def _stop_transcribing(self) -> None:
        task, self._transcriber = self._transcriber, None
        if task is not None:
            await self.cancel_task(task)

    @traced_stt
    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Take the next piece of audio; transcripts come from the call's transcriber task."""
        if self.sample_rate != SAMPLE_RATE:
            audio = await self._resampler.resample(audio, self.sample_rate, SAMPLE_RATE)
        if self._current is None:
            self._before += audio
            del self._before[: -int((_LONGEST_VAD_START_S + PRE_ROLL_S) * SAMPLE_RATE) * 2]
        else:
            self._current.append(audio)
            if self._current.full:
                self._current.end()
                self._current = self._begin(b"")
        yield None

    async def _handle_vad_user_started_speaking(self, frame: VADUserStartedSpeakingFrame) -> None:
        await super()._handle_vad_user_started_speaking(frame)
        if self._current is None:
            noticed_s = min(frame.start_secs, _LONGEST_VAD_START_S)
            self._current = self._begin(bytes(self._before[-int((noticed_s + PRE_ROLL_S) * SAMPLE_RATE) * 2 :]))
            self._before.clear()

    async def _handle_vad_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
        await super()._handle_vad_user_stopped_speaking(frame)
        if self._current is not None:
            self._current.end()
            self._current = None

    def _begin(self, before: bytes) -> Utterance:
        utterance = Utterance(before)
        try:
            self._waiting.put_nowait(utterance)
        except asyncio.QueueFull:
            logger.warning("{}: too far behind, an utterance is not transcribed", self)
        return utterance

    async def _transcribe_call(self) -> None:
        try:
            decoder = await asyncio.wait_for(
                self._pool.lend(self._brief.phrases, self._brief.names), timeout=_LEND_TIMEOUT_S
            )
        except (SphinxError, TemplateError, OSError, TimeoutError) as error:
            await self.push_error("speech is not recognised", exception=error, force_treat_as_permanent=True)
            return
        try:
            while True:
                utterance = await self._waiting.get()
                try:
                    await self._follow(decoder, utterance)
                    await self._finish(await decoder.transcribe(bytes(utterance.audio)))
                except SphinxError as error:
                    await self.push_error("an utterance is not recognised", exception=error)
        finally:
            self._pool.take_back(decoder)

    async def _follow(self, decoder: LentDecoder, utterance: Utterance) -> None:
        """Send interim transcripts until the utterance ends."""
        step, lag = int(STEP_S * SAMPLE_RATE) * 2, int(MAX_LAG_S * SAMPLE_RATE) * 2
        heard, last_text, last_time = 0, "", 0.0
        await decoder.start()
        while await utterance.reaches(heard + step):
            piece = bytes(utterance.audio[heard:])
            if heard and len(piece) > lag:
                logger.debug("{}: no more interim transcripts of this utterance, decoding is behind", self)
                await utterance.reaches(sys.maxsize)
                return
            heard += len(piece)
            text, now = await decoder.feed(piece), time.monotonic()
            if text and text != last_text and now - last_time >= INTERIM_S and not utterance.ended:
                last_text, last_time = text, now
                await self.push_frame(
                    InterimTranscriptionFrame(text, self._user_id, time_now_iso8601(), Language.EN_US)
                )

    async def _finish(self, words: tuple[Word, ...]) -> None:
        """Send the final transcript, unless nothing was said."""
        await self.emit_stt_usage_metrics()
        if words:
            text = " ".join(word.word for word in words)
            await self.push_frame(
                TranscriptionFrame(
                    text, self._user_id, time_now_iso8601(), Language.EN_US, result=words, finalized=True
                )
            )


_pool: DecoderPool | None = None


def _shared_pool(settings: Settings) -> DecoderPool:
    global _pool
    if _pool is None:
        _pool = DecoderPool(settings.max_calls, settings.data_dir / "cache")
    return _pool


def stt(settings: Settings, brief: Brief) -> PocketsphinxSTTService:
    """The recogniser of one call.

    Raises: LanguageNotOffered.
    """
    check_language(settings, brief.language)
    return PocketsphinxSTTService(_shared_pool(settings), brief)


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    only_english(tag, "The offline recogniser does not hear")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Build each agent type's language model and load the first decoders.

    Raises: SphinxError, TemplateError, OSError.
    """
    phrases = {brief.agent_type: brief.phrases for brief in briefs}
    await _shared_pool(settings).warm(list(phrases.values()), min(_WARM_DECODERS, settings.max_calls))


async def close() -> None:
    """Free the decoders."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        await pool.close()
