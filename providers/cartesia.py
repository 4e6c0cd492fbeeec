"""Cartesia: speech over a websocket, with the time of every word; one context a turn."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pipecat.services.cartesia.tts import CartesiaTTSService, language_to_cartesia_language
from pipecat.transcriptions.language import Language
from pipecat.utils.errors import ErrorCategory, classify_http_status_code

from core.settings import Settings
from providers import speakable
from providers.base import Brief, Kind, LanguageNotOffered, Prices, Readiness, Tariff, VoiceNotOffered
from providers.chat_completions import readiness
from providers.websocket_voice import WebsocketVoice

if TYPE_CHECKING:
    from cartesia import AsyncCartesia
    from pipecat.services.tts_service import TTSService

# A character is a credit (docs.cartesia.ai/pricing). What a credit costs depends on the plan: this is the smallest one
# that may be used in business, 5 dollars for 100,000; the largest comes to 37.4 dollars a million.
PRICES = Tariff(
    {"sonic": Prices(tts_mchar=Decimal(50))}, source="https://apio.sh/apis/cartesia", as_of=date(2026, 6, 21)
)

CHECK_S = 5.0
SAY_S = 15.0
"""What a fixed prompt may take to be made."""

MAX_VOICES = 500

_BASE_URL = "https://api.cartesia.ai"

_KATIE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"  # American; what the vendor recommends for agents
_ARUSHI = "95d51f79-c397-46f9-b49a-23763d3eaa2d"  # Hindi and Indian English, and from one to the other in a sentence
_VOICES = {"en-in": _ARUSHI, "hi": _ARUSHI}

_SONIC_2 = frozenset(("en", "fr", "de", "es", "pt", "zh", "ja", "hi", "it", "ko", "nl", "pl", "ru", "sv", "tr"))
_SONIC_3 = _SONIC_2 | frozenset((
    "ar", "bg", "bn", "cs", "da", "el", "fi", "gu", "he", "hr", "hu", "id", "ka", "kn", "ml", "mr", "ms", "no", "or",
    "pa", "ro", "sk", "ta", "te", "th", "tl", "uk", "ur", "vi",
))  # fmt: skip
_BEFORE_SONIC_3 = ("sonic-2", "sonic-turbo", "sonic-multilingual")

_CODES = {
    "quota_exceeded": ErrorCategory.QUOTA,
    "concurrency_limited": ErrorCategory.RATE_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice to choose from; `language` is the one it was made for."""

    id: str
    name: str
    language: str


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("CARTESIA_API_KEY", settings.cartesia_api_key, settings.cartesia_model)


def tts(settings: Settings, brief: Brief) -> TTSService:
    """The voice for one call, connected when the pipeline is set up.

    Raises: LanguageNotOffered.
    """
    model = settings.cartesia_model
    return Cartesia(
        api_key=settings.cartesia_api_key.get_secret_value(),
        url=f"{_url(settings).replace('http', 'ws', 1)}/tts/websocket",
        text_transforms=[("*", speakable.transform(brief.language))],
        settings=Cartesia.Settings(
            model=model,
            voice=brief.voice or _voice(settings, brief.language),
            language=_language(model, brief.language),
        ),
    )


def check_language(settings: Settings, tag: str) -> None:
    """Raises: LanguageNotOffered."""
    _language(settings.cartesia_model, tag)


async def check(settings: Settings) -> None:
    """Ask for the voice that is set, or for any, with our key."""
    async with _client(settings, CHECK_S) as client:
        if settings.cartesia_voice_id:
            await client.voices.get(settings.cartesia_voice_id)
        else:
            await client.voices.list(limit=1)


async def find_voice(settings: Settings, voice: str) -> None:
    """Ask for a voice with our key.

    Raises: VoiceNotOffered; whatever is wrong if the vendor does not say.
    """
    from cartesia import BadRequestError, NotFoundError, UnprocessableEntityError

    async with _client(settings, CHECK_S) as client:
        try:
            await client.voices.get(voice)
        except (BadRequestError, NotFoundError, UnprocessableEntityError):
            raise VoiceNotOffered(f"Cartesia has no voice {voice} for this key. Copy its id from Cartesia") from None


async def say(settings: Settings, text: str, *, voice: str, language: str, sample_rate: int) -> bytes:
    """The sound of a whole text, 16-bit mono PCM, for prompts that are kept.

    Args:
        settings: Whose key and model.
        text: As it would be given to `tts`.
        voice: Its id; empty for the one that `tts` would take.
        language: BCP 47.
        sample_rate: In Hz: 8000, 16000, 22050, 24000, 44100 or 48000.

    Raises:
        LanguageNotOffered: The model does not speak it.
        ValueError: The vendor made no sound of it.
        cartesia.APIError: It refused, could not be reached, or was lost on the way.
        TimeoutError: It took longer than SAY_S.
    """
    async with asyncio.timeout(SAY_S), _client(settings, SAY_S) as client:
        response = await client.tts.generate(
            model_id=settings.cartesia_model,
            transcript=await speakable.speakable(text, language),
            voice=voice or _voice(settings, language),
            language=_language(settings.cartesia_model, language),
            output_format={"container": "raw", "encoding": "pcm_s16le", "sample_rate": sample_rate},  # pyright: ignore[reportArgumentType]
        )
        sound = await response.read()
    if len(sound) < 2:
        raise ValueError("Cartesia made no sound of the text")
    return sound[: len(sound) // 2 * 2]


async def list_voices(settings: Settings) -> list[Voice]:
    """The voices our key may use, at most MAX_VOICES of them."""
    voices: list[Voice] = []
    async with _client(settings, CHECK_S) as client:
        async for voice in client.voices.list(limit=100):
            voices.append(Voice(voice.id, voice.name, voice.language))
            if len(voices) == MAX_VOICES:
                break
    return voices


class Cartesia(WebsocketVoice, CartesiaTTSService):
    """pipecat's service, made for live calls."""

    async def _receive_messages(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - see below
        await self._process_messages()  # pipecat's own version never returns: it reconnects, and says nothing

    async def _read(self, message: str | bytes) -> str | bytes | None:
        told = json.loads(message)
        context_id = told.get("context_id")
        if told["type"] == "error":
            category = _CODES.get(told.get("error_code")) or classify_http_status_code(told.get("status_code") or 500)
            await self._refuse(f"{told.get('title')}: {told.get('message')}", category, context_id)
            return None
        if told["type"] == "done":
            # Also a second after the last sound, when the model takes its time over the next sentence.
            await self._finish(context_id)
        return message

    async def on_audio_context_completed(self, context_id: str) -> None:
        """Forget the reply; the vendor has closed its context by now."""
        await super().on_audio_context_completed(context_id)
        self._leave(context_id)


def _url(settings: Settings) -> str:
    return settings.cartesia_base_url or _BASE_URL


def _client(settings: Settings, timeout_s: float) -> AsyncCartesia:
    from cartesia import AsyncCartesia

    return AsyncCartesia(
        api_key=settings.cartesia_api_key.get_secret_value(),
        base_url=_url(settings),
        timeout=timeout_s,
        max_retries=0,
    )


def _voice(settings: Settings, language: str) -> str:
    tag = language.lower()
    return settings.cartesia_voice_id or _VOICES.get(tag) or _VOICES.get(tag.partition("-")[0], _KATIE)


def _language(model: str, tag: str) -> str:
    """Cartesia's code for a BCP 47 language, with the region where that changes how it sounds."""
    old = model == "sonic" or model.startswith(_BEFORE_SONIC_3)
    primary = tag.partition("-")[0].lower()
    try:
        code = language_to_cartesia_language(Language(tag))
    except ValueError:
        code = primary  # a region nobody speaks of, such as en-AQ
    if code.partition("-")[0] not in (_SONIC_2 if old else _SONIC_3):
        raise LanguageNotOffered(f"Cartesia's {model} does not speak {tag}")
    return code.partition("-")[0] if old else code
