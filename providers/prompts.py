"""Sentences that are always the same, spoken once by a vendor's voice and kept: they sound without any wait."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from loguru import logger

from core.settings import Settings
from providers.base import Brief, LanguageNotOffered

RATE = 24_000
"""Hertz; calls that are sent at another rate have their prompts spoken afresh."""

KEPT_DAYS = 30
"""Sound that nobody has asked for so long was made of words or by a voice that is no longer used."""

MAX_KEPT = 300
"""Sentences in memory, the newest: about a dozen for each voice, of some 150 kB each."""

MAX_TRIES = 3
"""Sentences in a row that a vendor may fail to make before it is left in peace until the next start."""


class Prompts:
    """The sound of fixed sentences by vendor, model, voice, language and text."""

    def __init__(self) -> None:
        self._sounds: dict[str, bytes] = {}

    def find(self, vendor: str, voice: Any, text: str) -> bytes | None:
        """The sound of a sentence, 16-bit mono PCM at `RATE`; None if it has not been made.

        Args:
            voice: Settings of the service that would speak it (model, voice, language).
        """
        return self._sounds.get(_key(vendor, voice, text))

    async def prepare(self, vendor: str, module: ModuleType, settings: Settings, briefs: Sequence[Brief]) -> None:
        """Load what was made before, and have the vendor speak the rest; what it cannot is spoken in the call."""
        folder = settings.data_dir / "cache" / "prompts"
        failed = 0
        for brief in briefs:
            try:
                voice: Any = module.tts(settings, brief).settings
            except LanguageNotOffered:
                continue
            for text in brief.prompts:
                key = _key(vendor, voice, text)
                if key in self._sounds or failed == MAX_TRIES:
                    continue
                file = folder / f"{key}.pcm"
                sound = await asyncio.to_thread(_read, file)
                if sound is None:
                    try:
                        sound = await module.say(
                            settings, text, voice=brief.voice, language=brief.language, sample_rate=RATE
                        )
                    except Exception as error:  # noqa: BLE001 - a vendor's SDK may raise anything; the call goes without
                        failed += 1
                        logger.warning("{} did not speak a fixed sentence: {}", vendor, type(error).__name__)
                        continue
                    failed = 0
                    await asyncio.to_thread(_write, file, sound)
                self._sounds[key] = sound
                while len(self._sounds) > MAX_KEPT:
                    del self._sounds[next(iter(self._sounds))]
        await asyncio.to_thread(_tidy, folder)

    def clear(self) -> None:
        """Forget what is in memory."""
        self._sounds.clear()


def _key(vendor: str, voice: Any, text: str) -> str:
    said_by = (vendor, str(voice.model), str(voice.voice), str(voice.language), str(RATE), text)
    return hashlib.sha256("\x00".join(said_by).encode()).hexdigest()


def _read(file: Path) -> bytes | None:
    try:
        sound = file.read_bytes()
        os.utime(file)
    except OSError:
        return None
    return sound or None


def _write(file: Path, sound: bytes) -> None:
    with suppress(OSError):  # it is only a cache
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        unfinished.write_bytes(sound)
        unfinished.replace(file)


def _tidy(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    with suppress(OSError):
        for file in folder.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)
