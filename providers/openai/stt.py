"""OpenAI's Whisper: hears a whole utterance at once, after it has ended.

It writes numbers as figures, whatever it is told, so that what sounds doubtful may look plain; it serves where nothing
better is at hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from providers.base import Brief, LanguageNotOffered
from providers.chat_completions import CONNECT_S, OverHTTP, Unusable, key_of, line, load, words_of
from providers.frames import NothingHeardFrame
from providers.openai import base_url

if TYPE_CHECKING:
    from pipecat.frames.frames import Frame, InputAudioRawFrame
    from pipecat.processors.frame_processor import FrameDirection
    from pipecat.services.stt_service import STTService

ANSWER_S = 6.0
"""Longest wait for the words of an utterance, which take 0.5 to 2 s."""

LONGEST_S = 30.0
"""Speech without a pause is transcribed in pieces of this length, which is what Whisper takes in at once."""

MAX_NAMES_BYTES = 224
"""Whisper reads no more than 224 tokens of a hint, and no token is shorter than a byte."""

HEADER_BYTES = 44
"""Of a WAV file, before its sound."""

NO_SPEECH, UNSURE = 0.6, -0.5
"""Beyond both, words are what Whisper makes of a noise ("Thank you."): likely nobody spoke, unlikely these words."""

_LANGUAGES = frozenset(
    "af ar az be bg bs ca cs cy da de el en es et fa fi fr gl he hi hr hu hy id is it ja kk kn ko lt lv mi mk mr ms ne "  # noqa: SIM905
    "nl no pl pt ro ru sk sl sr sv sw ta th tl tr uk ur vi zh".split()
)


def stt(settings: Settings, brief: Brief) -> STTService:
    """The recogniser, with this caller's names as a hint.

    Raises: LanguageNotOffered.
    """
    model, language = settings.openai_stt_model, _language(settings.openai_stt_model, brief.language)
    service = _service()
    names = _within(brief.names, MAX_NAMES_BYTES)
    # Whisper goes on in the manner of a prompt; the newer models take words to listen for.
    hint = {"prompt": ", ".join(names) or None} if _is_whisper(model) else {"keywords": names or None}
    return service(
        api_key=key_of(settings.openai_api_key),
        base_url=base_url(settings),
        settings=service.Settings(model=model, language=language, **hint),
    )


def check_language(settings: Settings, tag: str) -> None:
    """Raises: LanguageNotOffered."""
    _language(settings.openai_stt_model, tag)


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK."""
    await load(_service)


def _language(model: str, tag: str) -> str:
    language = tag.partition("-")[0]
    if language not in _LANGUAGES:
        raise LanguageNotOffered(f"OpenAI's {model} does not hear {tag}")
    return language


def _is_whisper(model: str) -> bool:
    return model.startswith("whisper")


def _within(names: Sequence[str], length: int) -> list[str]:
    """As many names as fit, with two bytes between them; the first ones first."""
    taken: list[str] = []
    for name in names:
        length -= len(name.encode()) + 2
        if length < 0:
            break
        taken.append(name)
    return taken


def _is_noise(answer: Any) -> bool:
    """Whether Whisper itself doubts that anybody spoke."""
    segments = getattr(answer, "segments", None) or []
    return bool(segments) and all(
        segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < UNSURE for segment in segments
    )


@cache
def _service() -> Any:
    from openai import DefaultAsyncHttpxClient, Timeout
    from pipecat.frames.frames import ErrorFrame, VADUserStoppedSpeakingFrame
    from pipecat.services.openai.stt import OpenAISTTService

    class Whisper(OverHTTP, OpenAISTTService):
        """pipecat's service, which asks once, says what was wrong, and says when there were no words."""

        def __init__(self, *, api_key: str, base_url: str, settings: Any) -> None:
            super().__init__(
                api_key=api_key,
                base_url=base_url,
                http_client=DefaultAsyncHttpxClient(**line()),
                include_prob_metrics=_is_whisper(settings.model),
                settings=settings,
            )
            timeout = Timeout(ANSWER_S, connect=CONNECT_S)
            self._client = self._client.with_options(max_retries=0, timeout=timeout)
            self._failure: Exception | None = None

        async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
            self._failure, answered = None, False
            async for frame in super().run_stt(audio):
                answered = True
                if isinstance(frame, ErrorFrame):
                    frame.error = (words_of(self._failure) or frame.error).replace(self._client.api_key, "[key]")
                    frame.exception = self._failure
                yield frame
            if not answered:
                yield NothingHeardFrame()

        def _record_stt_audio_usage(self, audio: bytes | bytearray) -> None:
            """Not before the vendor has answered: what it refuses is not charged for."""

        async def _transcribe(self, audio: bytes) -> Any:
            try:
                answer = await super()._transcribe(audio)
                if not isinstance(getattr(answer, "text", None), str):
                    raise Unusable("the vendor sent what its protocol does not know")
            except asyncio.CancelledError:
                super()._record_stt_audio_usage(audio[HEADER_BYTES:])  # nobody waits any more; it is at work
                raise
            except Exception as error:
                # pipecat keeps its text alone.
                self._failure = Unusable("the vendor sent what is no JSON") if isinstance(error, ValueError) else error
                raise
            super()._record_stt_audio_usage(audio[HEADER_BYTES:])
            await self.emit_stt_usage_metrics()
            return answer.model_copy(update={"text": ""}) if _is_noise(answer) else answer

        async def process_audio_frame(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
            await super().process_audio_frame(frame, direction)
            if self._user_speaking and len(self._audio_buffer) >= LONGEST_S * self.sample_rate * 2:
                await self._handle_user_stopped_speaking(VADUserStoppedSpeakingFrame())
                self._user_speaking = True

    return Whisper
