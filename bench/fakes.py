"""Vendors that answer at once: fixed text and prerendered audio, so that a measurement shows the server alone.

A provider module like any other (`providers/base.py`); the server under test and its peer get the same services.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from functools import lru_cache

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

from bench import witness
from bench.sound import pilot
from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness

PRICES = FREE
RATE = 24_000
GREETING_S = 1.0
REPLY_S = 3.0
CHUNK_BYTES = RATE // 10 * 2


def stt(settings: Settings, brief: Brief) -> STTService:  # noqa: ARG001 - the provider contract
    """Hears the same sentence at the end of every turn."""
    return InstantSTT()


def llm(settings: Settings, brief: Brief) -> LLMService:  # noqa: ARG001 - the provider contract
    """Gives the same answer to everything."""
    return InstantLLM()


def tts(settings: Settings, brief: Brief) -> TTSService:  # noqa: ARG001 - the provider contract
    """Speaks a greeting of one second, then replies of three."""
    return InstantTTS()


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the provider contract
    """Always."""
    return Readiness(True, "for measuring only")


@lru_cache(maxsize=4)
def rendered(seconds: float) -> bytes:
    """A reply of this length, made once per process."""
    return pilot(seconds, RATE)


for _seconds in (GREETING_S, REPLY_S):
    rendered(_seconds)  # Before the first call, not during it.


class InstantSTT(STTService):
    """Speech to text that takes no time and does no work per chunk of audio."""

    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=0.2, settings=STTSettings(model=None, language=None))
        self._samples = 0
        self._last_at_s = 0.0

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Nothing to do with the audio but to count it."""
        self._samples += len(audio) // 2
        self._last_at_s = time.monotonic()
        return
        yield

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer the end of the caller's speech with a final transcript."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            witness.note("turn", at_s=self._last_at_s, samples=self._samples)
            text = "What is my balance?"
            await self.push_frame(TranscriptionFrame(text, "caller", time_now_iso8601(), finalized=True))


class InstantLLM(LLMService):
    """A language model with one answer."""

    def __init__(self) -> None:
        super().__init__(
            settings=LLMSettings(
                model="instant",
                system_instruction=None,
                temperature=None,
                max_tokens=None,
                top_p=None,
                top_k=None,
                frequency_penalty=None,
                presence_penalty=None,
                seed=None,
                filter_incomplete_user_turns=None,
                user_turn_completion_config=None,
            )
        )

    def answer(self) -> str:
        """What is said next."""
        return "Your balance is ten thousand rupees."

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context with one sentence; let everything else pass."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await self._push_llm_text(self.answer())
        await self.push_frame(LLMFullResponseEndFrame())


class InstantTTS(TTSService):
    """Text to speech whose whole audio is there at once, in chunks of 100 ms."""

    def __init__(self) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=RATE,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._greeted = False

    def audio(self, text: str) -> bytes:  # noqa: ARG002 - for those who speak the text
        """Samples of the greeting, then of replies."""
        pcm = rendered(REPLY_S if self._greeted else GREETING_S)
        self._greeted = True
        return pcm

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """The prerendered audio."""
        pcm = self.audio(text)
        witness.note("spoke")
        for start in range(0, len(pcm), CHUNK_BYTES):
            yield TTSAudioRawFrame(pcm[start : start + CHUNK_BYTES], RATE, 1, context_id=context_id)
