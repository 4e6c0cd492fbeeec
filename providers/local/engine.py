"""A speech engine that runs on this machine: what it is, where its model lies, whether it can serve."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from core.settings import Settings
from providers.base import Kind, Readiness
from providers.local.download import RemoteFile

STAMP = "installed.json"
"""Written last into a model's folder: the files that belong to it and their sizes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An optional engine: a wheel from pipecat's extra of the same name, and a model it loads.

    Attributes:
        name: The provider's name, and that of pipecat's extra.
        kind: What it does in a call.
        packages: Importable names that must be there.
        model: Which model; its folder's name.
        about: One line for an operator who wonders what was chosen.
        licence: Of wheel and model.
        download_mb: What the model's files weigh, in megabytes of 1,000,000.
        files: The model's files; called only when `packages` are there, because a wheel may know its own.
    """

    name: str
    kind: Kind
    packages: tuple[str, ...]
    model: str
    about: str
    licence: str
    download_mb: int
    files: Callable[[], Sequence[RemoteFile]]

    def folder(self, settings: Settings) -> Path:
        """Where the model lies."""
        return settings.data_dir / "models" / self.name / self.model

    def missing_packages(self) -> list[str]:
        """The packages that cannot be imported."""
        return [package for package in self.packages if find_spec(package) is None]

    def has_model(self, settings: Settings) -> bool:
        """Whether every file of the model is there."""
        folder = self.folder(settings)
        try:
            files: dict[str, int] = json.loads((folder / STAMP).read_text())["files"]
            return bool(files) and all((folder / name).stat().st_size == size for name, size in files.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def mark_installed(self, settings: Settings, files: Sequence[RemoteFile]) -> None:
        """Record that `files` are complete."""
        stamp = self.folder(settings) / STAMP
        part = stamp.with_name(f"{STAMP}.part")
        part.write_text(json.dumps({"model": self.model, "files": {file.name: file.size for file in files}}, indent=1))
        part.replace(stamp)

    def ready(self, settings: Settings) -> Readiness:
        """Whether it can serve; looks at the disk, imports nothing."""
        if missing := self.missing_packages():
            return Readiness(False, f"{', '.join(missing)} not installed: python run.py speech install {self.name}")
        if not self.has_model(settings):
            return Readiness(False, f"its model is not downloaded: python run.py speech install {self.name}")
        return Readiness(True, self.about)


Model = TypeVar("Model")


class Shared(Generic[Model]):
    """A model that is loaded once per process and used by all its calls.

    pipecat's local services each load their own copy, on the event loop, when a call begins.
    """

    def __init__(self, load: Callable[[Path], Model]) -> None:
        self._load = load
        self._lock = Lock()
        self._loaded: tuple[Path, Model] | None = None

    def get(self, folder: Path) -> Model:
        """The model in `folder`; loads it, which takes seconds, unless `warm` has."""
        with self._lock:
            if self._loaded is None or self._loaded[0] != folder:
                self._loaded = (folder, self._load(folder))
            return self._loaded[1]

    async def warm(self, folder: Path) -> None:
        """Load the model in a thread."""
        await asyncio.to_thread(self.get, folder)

    def drop(self) -> None:
        """Let go of the model; calls that still use it keep theirs."""
        with self._lock:
            self._loaded = None
