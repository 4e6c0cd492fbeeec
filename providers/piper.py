"""Piper: a quick voice on this machine's processor; its wheel is GPL-3.0-or-later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness, only_english, only_voice
from providers.local.download import RemoteFile
from providers.local.engine import Engine, Shared

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService

PRICES = FREE

PATIENCE_S = 8.0
"""On a small machine that is busy."""

VOICE = "en_US-ljspeech-high"
"""Trained on recordings that are in the public domain; many other voices of this engine are not for every use."""

_REVISION = "375a0fe641dea077c2a47b4e9a056d6da521eed3"
_FILES = (
    (f"{VOICE}.onnx.json", 4_970, "7e1f4634af596d83cca997fb7a931ba80b70f8a316a2655ee69c55365e0ace14"),
    (f"{VOICE}.onnx", 114_199_011, "5d4f08ba6a2a48c44592eed3ce56bf85e9de3dd4e20df90541ae68a8310c029a"),
)


def _files() -> Sequence[RemoteFile]:
    base = f"https://huggingface.co/rhasspy/piper-voices/resolve/{_REVISION}/en/en_US/ljspeech/high"
    return [RemoteFile(name, f"{base}/{name}", size, f"sha256:{sha256}") for name, size, sha256 in _FILES]


ENGINE = Engine(
    name="piper",
    kind="tts",
    packages=("piper",),
    model=VOICE,
    about="Piper on this machine; clear and quick",
    licence="GPL-3.0-or-later (wheel); the voice: public domain recordings",
    download_mb=114,
    files=_files,
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether wheel and voice are there."""
    return ENGINE.ready(settings)


def tts(settings: Settings, brief: Brief) -> TTSService:
    """The voice, the same for every agent type, over the shared model.

    Raises: LanguageNotOffered, VoiceNotOffered.
    """
    check_language(settings, brief.language)
    check_voice(settings, brief.voice, brief.language)
    return _service()(_shared.get(ENGINE.folder(settings)))


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    only_english(tag, "Piper's voice does not speak")


def check_voice(settings: Settings, voice: str, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: VoiceNotOffered."""
    only_voice(voice, VOICE, "Piper")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Load the voice before the first call."""
    await _shared.warm(ENGINE.folder(settings))


async def close() -> None:
    """Let go of the voice."""
    _shared.drop()


def _load(folder: Path) -> Any:
    from piper import PiperVoice  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    return PiperVoice.load(folder / f"{VOICE}.onnx")


_shared: Shared[Any] = Shared(_load)


@cache
def _service() -> Any:
    from pipecat.services.piper.tts import PiperTTSService
    from pipecat.services.tts_service import TTSService

    class SharedPiper(PiperTTSService):
        """pipecat's service over a voice that is already loaded."""

        def __init__(self, voice: Any) -> None:
            # PiperTTSService's own constructor loads a copy of the voice; this sets what it would have set.
            TTSService.__init__(
                self,
                push_start_frame=True,
                push_stop_frames=True,
                settings=PiperTTSService.Settings(model=None, voice=VOICE, language=None),
            )
            self._voice = voice

    return SharedPiper
