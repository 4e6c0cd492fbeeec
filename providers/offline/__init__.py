"""The default vendor: no key, no network, in-process engines from wheels."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from core.settings import Settings
from providers.base import Brief, Kind, Prices, Readiness

PRICES = Prices()

_NEEDS = {"stt": ("pocketsphinx",), "llm": (), "tts": ("espeakng_loader",)}
_WHY = {
    "stt": "pocketsphinx on this machine; fine for trying out, weak on real voices",
    "llm": "rules and phrases on this machine; no model, no key",
    "tts": "espeak-ng on this machine; clear but robotic",
}


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether the wheels are there."""
    missing = [package for package in _NEEDS[kind] if find_spec(package) is None]
    if missing:
        return Readiness(False, f"{', '.join(missing)} is not installed: pip install 'parley-voice[offline]'")
    return Readiness(True, _WHY[kind])


def stt(settings: Settings, brief: Brief) -> STTService:
    """The recogniser, with a warm decoder from the pool."""
    from providers.offline import stt as module

    return module.stt(settings, brief)


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The rule-based language service."""
    from providers.offline import llm as module

    return module.llm(settings, brief)


def tts(settings: Settings, brief: Brief) -> TTSService:
    """The synthesiser."""
    from providers.offline import tts as module

    return module.tts(settings, brief)


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Build the language models and load the engines before the first call."""
    from providers.offline import llm as language
    from providers.offline import stt as recogniser
    from providers.offline import tts as synthesiser

    await recogniser.warm(settings, briefs)
    await language.warm(settings, briefs)
    await synthesiser.warm(settings, briefs)


async def close() -> None:
    """Stop the engines' threads."""
    from providers.offline import stt as recogniser
    from providers.offline import tts as synthesiser

    await recogniser.close()
    await synthesiser.close()
