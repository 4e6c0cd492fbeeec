"""Moonshine: recognition on this machine's processor, a transcript at the end of every utterance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness, only_english
from providers.local.download import InstallFailed, RemoteFile
from providers.local.engine import Engine, Shared

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

PRICES = FREE

PATIENCE_S = 8.0
"""On a small machine that is busy."""

MODEL = "small-streaming"
LANGUAGE = "en"


def _files() -> Sequence[RemoteFile]:
    """What the installed wheel says its model consists of: addresses, sizes and checksums come with it."""
    from moonshine_voice.moonshine_api import (  # pyright: ignore[reportMissingImports]
        moonshine_get_stt_dependencies_string,
        string_to_model_arch,
    )

    manifest = json.loads(
        moonshine_get_stt_dependencies_string(LANGUAGE, {"model_arch": int(string_to_model_arch(MODEL))})
    )
    # The first group is the model; others are extras that are not used here.
    files = manifest["groups"][0]["files"]
    if any(file.get("checksum_type") != "crc32c" or "/" in file["name"] for file in files):
        raise InstallFailed("This version of moonshine-voice lists its model in a form that Parley does not know")
    return [RemoteFile(file["name"], file["url"], file["size"], f"crc32c:{file['checksum']}") for file in files]


ENGINE = Engine(
    name="moonshine",
    kind="stt",
    packages=("moonshine_voice",),
    model=f"{MODEL}-{LANGUAGE}",
    about="Moonshine on this machine; made for live speech",
    licence="MIT",
    download_mb=142,
    files=_files,
)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether wheel and model are there."""
    return ENGINE.ready(settings)


def stt(settings: Settings, brief: Brief) -> STTService:
    """The recogniser, over the shared model, which takes no hints.

    Raises: LanguageNotOffered, and whatever the engine says of a damaged model.
    """
    check_language(settings, brief.language)
    return _service()(_shared.get(ENGINE.folder(settings)))


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    only_english(tag, "Moonshine's model does not hear")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Load the model before the first call."""
    await _shared.warm(ENGINE.folder(settings))


async def close() -> None:
    """Let go of the model."""
    _shared.drop()


def _load(folder: Path) -> Any:
    from moonshine_voice import Transcriber, string_to_model_arch  # pyright: ignore[reportMissingImports]

    return Transcriber(str(folder), string_to_model_arch(MODEL))


# A transcriber may be asked from several threads; the engine answers one after the other.
_shared: Shared[Any] = Shared(_load)


@cache
def _service() -> Any:
    from pipecat.services.moonshine.stt import MoonshineSTTService
    from pipecat.transcriptions.language import Language

    class SharedMoonshine(MoonshineSTTService):
        """pipecat's service over a model that is already loaded."""

        def __init__(self, transcriber: Any) -> None:
            self._given = transcriber
            super().__init__(settings=MoonshineSTTService.Settings(model=MODEL, language=Language.EN))

        def _load(self) -> Any:
            return self._given

    return SharedMoonshine
