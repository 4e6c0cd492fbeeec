"""ElevenLabs: speech over a websocket, with the time of every character; one context a turn."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
from pipecat.services.elevenlabs.tts import ELEVENLABS_MODEL_LANGUAGES, ElevenLabsTTSService
from pipecat.services.elevenlabs.tts import language_to_elevenlabs_language as vendor_language
from pipecat.transcriptions.language import Language
from pipecat.utils.errors import ErrorCategory
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.settings import Settings
from providers import speakable
from providers.base import Brief, Kind, LanguageNotOffered, Prices, Readiness, Tariff
from providers.chat_completions import readiness
from providers.websocket_voice import WebsocketVoice

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService

_FAST = Prices(tts_mchar=Decimal(50))
_FINE = Prices(tts_mchar=Decimal(100))
PRICES = Tariff(
    {
        "eleven_flash": _FAST,
        "eleven_turbo": _FAST,
        "eleven_multilingual": _FINE,
        "eleven_v3": _FINE,
    },
    source="https://developer.puter.com/tutorials/elevenlabs-api-pricing/",
    as_of=date(2026, 6, 1),
)

CHECK_S = 5.0
SAY_S = 15.0
"""What a fixed prompt may take to be made."""

_BASE_URL = "https://api.elevenlabs.io"
_SARAH = "EXAVITQu4vr4xnSDxMaL"  # every account has her, and every model makes her speak its languages

# Models that are told no language: they hear it from the text.
_ENGLISH_ONLY = frozenset({"en"})
_MULTILINGUAL_V2 = ELEVENLABS_MODEL_LANGUAGES["eleven_flash_v2_5"] - {"hu", "no", "vi"}
_UNTOLD = {
    "eleven_flash_v2": _ENGLISH_ONLY,
    "eleven_turbo_v2": _ENGLISH_ONLY,
    "eleven_monolingual_v1": _ENGLISH_ONLY,
    "eleven_multilingual_v2": _MULTILINGUAL_V2,
}

# The vendor refuses in words, all under one close code.
_CODES = (
    ("quota", ErrorCategory.QUOTA),
    ("api_key", ErrorCategory.AUTHENTICATION),
    ("api key", ErrorCategory.AUTHENTICATION),
    ("unauthorized", ErrorCategory.AUTHENTICATION),
    ("permission", ErrorCategory.AUTHORIZATION),
    ("too_many", ErrorCategory.RATE_LIMIT),
    ("rate_limit", ErrorCategory.RATE_LIMIT),
    ("max_active", ErrorCategory.RATE_LIMIT),
    ("maximum simultaneous", ErrorCategory.RATE_LIMIT),
    ("voice_id", ErrorCategory.INVALID_REQUEST),
    ("voice_not_found", ErrorCategory.INVALID_REQUEST),
    ("model_id", ErrorCategory.INVALID_REQUEST),
    ("invalid", ErrorCategory.INVALID_REQUEST),
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether there is a key."""
    return readiness("ELEVENLABS_API_KEY", settings.elevenlabs_api_key, settings.elevenlabs_model)


def tts(settings: Settings, brief: Brief) -> TTSService:
    """The voice for one call, connected when the pipeline is set up.

    Raises: LanguageNotOffered.
    """
    model = settings.elevenlabs_model
    return ElevenLabs(
        api_key=settings.elevenlabs_api_key.get_secret_value(),
        url=_url(settings).replace("http", "ws", 1),
        text_transforms=[("*", speakable.transform(brief.language))],
        settings=ElevenLabs.Settings(
            model=model,
            voice=brief.voice or _voice(settings),
            language=_language(model, brief.language),
        ),
    )


def check_language(settings: Settings, tag: str) -> None:
    """Raises: LanguageNotOffered."""
    _language(settings.elevenlabs_model, tag)


async def check(settings: Settings) -> None:
    """Ask for the list of models with our key."""
    async with _client(settings, CHECK_S) as client:
        (await client.get("/v1/models")).raise_for_status()


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
        httpx.HTTPError: It refused, could not be reached, or was lost on the way.
        TimeoutError: It took longer than SAY_S.
    """
    code = _language(settings.elevenlabs_model, language)
    body = {"text": await speakable.speakable(text, language), "model_id": settings.elevenlabs_model}
    async with asyncio.timeout(SAY_S), _client(settings, SAY_S) as client:
        response = await client.post(
            f"/v1/text-to-speech/{voice or _voice(settings)}",
            params={"output_format": f"pcm_{sample_rate}"},
            json=body | ({"language_code": code} if code else {}),
        )
    response.raise_for_status()
    if len(response.content) < 2:
        raise ValueError("ElevenLabs made no sound of the text")
    return response.content[: len(response.content) // 2 * 2]


class ElevenLabs(WebsocketVoice, ElevenLabsTTSService):
    """pipecat's service, made for live calls."""

    async def _read(self, message: str | bytes) -> str | bytes | None:
        told = json.loads(message)
        # Some servers of the vendor write these names in the other of its two styles.
        for name, other in (("contextId", "context_id"), ("isFinal", "is_final")):
            if told.get(name) is None and other in told:
                told[name] = told.pop(other)
                message = json.dumps(told)
        context_id: str = told.get("contextId")
        if told.get("error"):
            words = f"{told.get('message')} ({told['error']})"
            await self._refuse(words, _category_of(words) or ErrorCategory.SERVER, None)
            return None
        if context_id not in self._replies:
            return None  # its times would be taken for those of the reply that came after it
        if told.get("isFinal"):
            await self._finish(context_id)
        return message

    def _classify_error(self, exception: Exception) -> ErrorCategory | None:
        # A credit that is used up comes as 401, like a wrong key.
        if isinstance(exception, InvalidStatus) and b"quota" in (exception.response.body or b""):
            return ErrorCategory.QUOTA
        return super()._classify_error(exception)

    def _category_of(self, cause: ConnectionClosed | None) -> ErrorCategory:
        reason = cause.rcvd.reason if cause is not None and cause.rcvd is not None else ""
        return _category_of(reason) or super()._category_of(cause)


def _category_of(words: str) -> ErrorCategory | None:
    """What the vendor means by a code or a sentence; None if it is none of those we know."""
    return next((category for code, category in _CODES if code in words.lower()), None)


def _url(settings: Settings) -> str:
    return settings.elevenlabs_base_url or _BASE_URL


def _client(settings: Settings, timeout_s: float) -> httpx.AsyncClient:
    key = settings.elevenlabs_api_key.get_secret_value()
    return httpx.AsyncClient(base_url=_url(settings), headers={"xi-api-key": key}, timeout=timeout_s)


def _voice(settings: Settings) -> str:
    return settings.elevenlabs_voice_id or _SARAH


def _language(model: str, tag: str) -> str | None:
    """ElevenLabs' code for a BCP 47 language; None for a model that takes none."""
    primary = tag.partition("-")[0].lower()
    try:
        code = vendor_language(Language(primary))
    except ValueError:
        code = primary
    told = ELEVENLABS_MODEL_LANGUAGES.get(model)
    # A model we have not heard of is asked; the vendor refuses what it does not speak.
    offered = told or _UNTOLD.get(model)
    if offered is not None and code not in offered:
        raise LanguageNotOffered(f"ElevenLabs' {model} does not speak {tag}")
    return code if told else None
