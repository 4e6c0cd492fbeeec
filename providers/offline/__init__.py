"""The default vendor: no key, no network, in-process engines from wheels; one module a kind."""

from __future__ import annotations

from importlib.util import find_spec

from core.settings import Settings
from providers.base import FREE, Kind, Readiness

PRICES = FREE

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
        return Readiness(False, f"{', '.join(missing)} is not installed: install the extra `offline`")
    return Readiness(True, _WHY[kind])
