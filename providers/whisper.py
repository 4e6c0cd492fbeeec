"""Whisper through CTranslate2: recognition on this machine, with the caller's own names as hints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cores import usable
from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness, only_english
from providers.local.download import RemoteFile
from providers.local.engine import Engine, Shared

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

PRICES = FREE

PATIENCE_S = 8.0
"""On a small machine that is busy."""

MODEL = "small.en"
_REVISION = "d1d751a5f8271d482d14ca55d9e2deeebbae577f"
_FILES = (
    ("config.json", 2_657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"),
    ("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    ("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    ("model.bin", 483_545_366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"),
)

MAX_HOTWORDS = 50
"""Names given to the recogniser as hints; they share a bounded prompt with what was said before."""


def _files() -> Sequence[RemoteFile]:
    base = f"https://huggingface.co/Systran/faster-whisper-{MODEL}/resolve/{_REVISION}"
    return [RemoteFile(name, f"{base}/{name}", size, f"sha256:{sha256}") for name, size, sha256 in _FILES]


ENGINE = Engine(
    name="whisper",
    kind="stt",
    packages=("faster_whisper",),
    model=MODEL,
    about="Whisper on this machine; heavier than Moonshine, takes names as hints",
    licence="MIT",
    download_mb=486,
    files=_files,
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether wheel and model are there."""
    return ENGINE.ready(settings)


def stt(settings: Settings, brief: Brief) -> STTService:
    """The recogniser, over the shared model, with the caller's own names as hints.

    Raises: LanguageNotOffered.
    """
    check_language(settings, brief.language)
    return _service()(_shared.get(ENGINE.folder(settings)), brief.names[:MAX_HOTWORDS])


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    only_english(tag, "Whisper's model on this machine does not hear")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Load the model before the first call."""
    await _shared.warm(ENGINE.folder(settings))


async def close() -> None:
    """Let go of the model."""
    _shared.drop()


def _load(folder: Path) -> Any:
    from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports]

    # One core is left to the calls' audio; 8-bit weights are the fastest this model has on a processor.
    threads = max(1, usable() - 1)
    return WhisperModel(str(folder), compute_type="int8", cpu_threads=threads, local_files_only=True)


_shared: Shared[Any] = Shared(_load)


@cache
def _service() -> Any:
    from pipecat.services.whisper.stt import WhisperSTTService
    from pipecat.transcriptions.language import Language

    class SharedWhisper(WhisperSTTService):
        """pipecat's service over a model that is already loaded."""

        def __init__(self, model: Any, names: Sequence[str]) -> None:
            self._given = model
            super().__init__(
                settings=WhisperSTTService.Settings(model=MODEL, language=Language.EN, hotwords=" ".join(names) or None)
            )

        def _load(self) -> None:
            self._model = self._given

    return SharedWhisper
