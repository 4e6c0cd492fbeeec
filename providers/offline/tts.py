"""Text to speech with espeak-ng: immediate, in-process, and honest about which words have been heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipecat.frames.frames import ErrorFrame, Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.utils.tracing.service_decorators import traced_tts
from pipecat.utils.types import NOT_GIVEN, NotGiven, is_given

from core.settings import Settings
from providers import speakable
from providers.base import Brief, Kind, LanguageNotOffered, Readiness, VoiceNotOffered
from providers.offline import espeak

_VOICES = {"en": "en-us"}  # the recogniser's language is US English as well
_PAUSE_S = 0.25  # between sentences; the engine itself ends at the last sound

# In the engine's phonemes: the letter A, which it reads as the article, and Indian words that an American English
# voice would not guess.
_RESPELL = {
    "A": "[[,eI]]",
    "crores": "[[kr'o@z]]",
    "lakh": "[[l'A:k]]",
    "lakhs": "[[l'A:ks]]",
    "paise": "[[p'aIseI]]",
    "rupee": "[[ru:p'i:]]",
    "rupees": "[[ru:p'i:z]]",
}

SettingsT = TypeVar("SettingsT", bound=TTSSettings)


@dataclass
class EspeakTTSSettings(TTSSettings):
    """What can be changed during a call.

    Attributes:
        rate_wpm: Words a minute, kept within 90 and 260.
    """

    rate_wpm: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)


class EspeakTTSService(TTSService):
    """Speaks sentence by sentence as the language model writes them.

    Each word is reported at the moment it has been heard in full, so an interrupted reply is remembered only as far
    as it came. What was written as notation ("₹500") is remembered as written, once all of its words were heard.
    """

    Settings = EspeakTTSSettings
    _settings: EspeakTTSSettings  # pyright: ignore[reportIncompatibleVariableOverride] - pipecat's own idiom

    def __init__(self, *, settings: EspeakTTSSettings | None = None, sample_rate: int | None = None) -> None:
        """Take a call's settings.

        Args:
            settings: Voice, language and rate, each optional.
            sample_rate: Of the audio made, in Hz; the pipeline's output rate when None.
        """
        store = EspeakTTSSettings(
            model=None, voice=espeak.DEFAULT_VOICE, language="en", rate_wpm=espeak.DEFAULT_RATE_WPM
        )
        if settings is not None:
            store.apply_update(_within_limits(settings))
        super().__init__(
            sample_rate=sample_rate,
            settings=store,
            push_start_frame=True,
            push_stop_frames=True,
            push_text_frames=False,  # the words' own times decide what is remembered
        )
        self._made_s: dict[str, float] = {}  # seconds of audio made so far, by context
        self.add_text_transformer(speakable.transform(str(store.language)))

    def can_generate_metrics(self) -> bool:
        """Latency and usage are reported."""
        return True

    @traced_tts
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Speak one sentence: audio as it is made, and the time each word ends.

        Args:
            text: The sentence, in spoken form.
            context_id: The reply it belongs to.
        """
        await self.start_tts_usage_metrics(text)
        made_s, pausing = self._start_of_sentence(context_id)
        try:
            if pausing:
                pause = self._audio(bytes(2 * int(_PAUSE_S * self.sample_rate)), context_id)
                made_s += pause.num_frames / self.sample_rate
                yield pause
            start_s = made_s
            voice = str(self._settings.voice)
            speech = espeak.speak(
                text,
                voice=voice,
                rate_wpm=self._rate_wpm,
                sample_rate=self.sample_rate,
                respell=_RESPELL if voice.startswith("en") else None,
            )
            async with aclosing(speech):
                async for chunk in speech:
                    words = [(word.text, start_s + word.end_s) for word in chunk.words]
                    await self.add_word_timestamps(words, context_id)
                    made_s += len(chunk.audio) / 2 / self.sample_rate
                    self._made_s[context_id] = made_s
                    yield self._audio(chunk.audio, context_id)
        except espeak.EspeakError as error:
            yield ErrorFrame(error=f"{self} cannot speak: {error}")
            # Nobody else ends a reply whose last sentence failed, and what follows it would wait for a timeout.
            await self.remove_audio_context(context_id)

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        """Forget the reply; its synthesis ended with the task that ran it."""
        self._made_s.pop(context_id, None)

    async def on_audio_context_completed(self, context_id: str) -> None:
        """Forget the reply; what may still be said in it is timed anew."""
        self._made_s.pop(context_id, None)

    async def _update_settings(self, delta: TTSSettings) -> dict[str, Any]:
        return await super()._update_settings(_within_limits(delta))

    @property
    def _rate_wpm(self) -> int:
        rate = self._settings.rate_wpm
        return rate if is_given(rate) else espeak.DEFAULT_RATE_WPM

    def _start_of_sentence(self, context_id: str) -> tuple[float, bool]:
        """Where the next sentence begins, in seconds from the start of the reply's audio, and whether after a pause.

        That is where the audio made so far ends, or now if all of that has been heard: a model that thinks between
        two sentences has made a pause of its own.
        """
        made_s = self._made_s.get(context_id, 0.0)
        tracker = self._word_timestamp_tracker
        if made_s and tracker.started and self.get_active_audio_context_id() == context_id:
            now_s = (self.get_clock().get_time() - tracker.pts(0.0)) / 1e9
            if now_s > made_s:
                return now_s, False
        return made_s, made_s > 0

    def _audio(self, audio: bytes, context_id: str) -> TTSAudioRawFrame:
        return TTSAudioRawFrame(audio=audio, sample_rate=self.sample_rate, num_channels=1, context_id=context_id)


def tts(settings: Settings, brief: Brief) -> TTSService:
    """The synthesiser for one call, in the language and the voice of its brief.

    Raises: LanguageNotOffered, VoiceNotOffered.
    """
    check_voice(settings, brief.voice, brief.language)
    voice = brief.voice or voice_for(brief.language)
    return EspeakTTSService(settings=EspeakTTSSettings(voice=voice, language=brief.language))


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether the library and its voices are installed."""
    if kind != "tts":
        return Readiness(False, "espeak-ng only speaks")
    if not espeak.installed():
        return Readiness(False, "espeakng-loader is not installed: pip install 'parley-voice[offline]'")
    return Readiness(True, "espeak-ng on this machine; clear but robotic")


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    voice_for(tag)


def check_voice(settings: Settings, voice: str, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered, VoiceNotOffered."""
    language = voice_for(tag).partition("-")[0]
    offered = sorted(name for name in espeak.voices() if name.partition("-")[0] == language)
    if voice and voice not in offered:
        raise VoiceNotOffered(f"espeak-ng has no voice {voice} for {tag}; it has: {', '.join(offered)}")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Load the library and the voices, so that the first sentence of the first call is not the slow one."""
    for voice in sorted({brief.voice or voice_for(brief.language) for brief in briefs} or {espeak.DEFAULT_VOICE}):
        async for _ in espeak.speak("Ready.", voice=voice):
            pass


async def close() -> None:
    """Stop the synthesis thread and unload the voices."""
    await asyncio.to_thread(espeak.close)


def voice_for(language: str) -> str:
    """The voice that speaks a BCP 47 language.

    Raises:
        EspeakError: The library is missing.
        LanguageNotOffered: There is none.
    """
    tag = language.replace("_", "-").lower()
    primary = tag.partition("-")[0]
    for voice in (_VOICES.get(tag, tag), _VOICES.get(primary, primary)):
        if voice in espeak.voices():
            return voice
    raise LanguageNotOffered(f"espeak-ng does not speak {language}")


def _within_limits(delta: SettingsT) -> SettingsT:
    if isinstance(delta, EspeakTTSSettings) and is_given(delta.rate_wpm):
        delta.rate_wpm = min(max(delta.rate_wpm, espeak.MIN_RATE_WPM), espeak.MAX_RATE_WPM)
    return delta
