"""Kokoro: a natural voice on this machine's processor, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cores import usable
from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness, only_english, only_voice
from providers.local.download import RemoteFile
from providers.local.engine import Engine, Shared

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService

PRICES = FREE

PATIENCE_S = 8.0
"""On a small machine that is busy."""

VOICE = "af_heart"
_MODEL = "kokoro-v1.0.onnx"
_VOICES = "voices-v1.0.bin"
_FILES = (
    (_MODEL, 325_532_387, "7d5df8ecf7d4b1878015a32686053fd0eebe2bc377234608764cc0ef3636a6c5"),
    (_VOICES, 28_214_398, "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d"),
)


def _files() -> Sequence[RemoteFile]:
    base = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0"
    return [RemoteFile(name, f"{base}/{name}", size, f"sha256:{sha256}") for name, size, sha256 in _FILES]


ENGINE = Engine(
    name="kokoro",
    kind="tts",
    packages=("kokoro_onnx", "requests"),
    model="v1.0",
    about="Kokoro on this machine; a natural voice",
    licence="Apache-2.0 (model), MIT; needs phonemizer and espeak-ng, GPL-3.0-or-later",
    download_mb=354,
    files=_files,
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether wheel and model are there."""
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
    only_english(tag, "Kokoro's voice does not speak")


def check_voice(settings: Settings, voice: str, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: VoiceNotOffered."""
    only_voice(voice, VOICE, "Kokoro")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Load the model before the first call."""
    await _shared.warm(ENGINE.folder(settings))


async def close() -> None:
    """Let go of the model."""
    _shared.drop()


def _load(folder: Path) -> Any:
    import onnxruntime
    from kokoro_onnx import Kokoro  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    # One core is left to the calls' audio, and threads that wait for work must not burn the others meanwhile.
    options.intra_op_num_threads = max(1, usable() - 1)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(folder / _MODEL), sess_options=options, providers=["CPUExecutionProvider"]
    )
    kokoro = Kokoro.from_session(session, str(folder / _VOICES))
    kokoro.create("Hello.", voice=VOICE)  # The first sentence sets up the phonemizer; not in a call, not on its loop.
    return kokoro


_shared: Shared[Any] = Shared(_load)


@cache
def _service() -> Any:
    from pipecat.audio.utils import create_stream_resampler
    from pipecat.services.kokoro.tts import KokoroTTSService, language_to_kokoro_language
    from pipecat.services.tts_service import TTSService
    from pipecat.transcriptions.language import Language

    class SharedKokoro(KokoroTTSService):
        """pipecat's service over a model that is already loaded."""

        def __init__(self, kokoro: Any) -> None:
            # KokoroTTSService's own constructor loads a copy of the model; this sets what it would have set.
            TTSService.__init__(
                self,
                push_start_frame=True,
                push_stop_frames=True,
                settings=KokoroTTSService.Settings(
                    model=None, voice=VOICE, language=language_to_kokoro_language(Language.EN), speed=1.0
                ),
            )
            self._kokoro = kokoro
            self._resampler = create_stream_resampler()

    return SharedKokoro
