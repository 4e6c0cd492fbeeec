"""Vendors for measuring what is understood: the product's own recogniser, and replies that are recordings of sentences.

A provider module like any other. The model says the sentences of the folder that BENCH_RECITAL names, one after
another; the voice plays their recordings. A text that is none of them, such as a greeting, is the instant voice's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle
from pathlib import Path

import soxr
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from bench.fakes import GREETING_S, PRICES, RATE, InstantLLM, InstantTTS, ready, rendered
from bench.sound import Pcm, read_wav
from core.settings import Settings
from pipelines.banking.phrases import PHRASES
from providers.base import Brief
from providers.offline import stt as offline

__all__ = ["PRICES", "llm", "ready", "tts"]

PATIENCE_S = 5.0  # A machine that is too busy for a moment must not bring in another vendor's voice.
FOLDER = "BENCH_RECITAL"
SENTENCES = "sentences.json"


def wanted() -> bool:
    """Whether this process was started to recite."""
    return FOLDER in os.environ


def write(folder: Path, recordings: Mapping[str, Path]) -> None:
    """Tell servers started with this folder what to recite: sentence to its WAV file, in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SENTENCES).write_text(json.dumps({text: str(path.resolve()) for text, path in recordings.items()}))


def key(text: str) -> str:
    """A sentence without what a voice's text preparation may change."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


@cache
def _recordings() -> Mapping[str, bytes]:
    """16-bit mono samples at RATE by sentence."""
    named = json.loads((Path(os.environ[FOLDER]) / SENTENCES).read_text())
    return {key(text): _at_rate(*read_wav(Path(path))) for text, path in named.items()}


def _at_rate(pcm: Pcm, rate: int) -> bytes:
    return soxr.resample(pcm, rate, RATE, quality="VHQ").tobytes()


def llm(settings: Settings, brief: Brief) -> LLMService:  # noqa: ARG001 - the provider contract
    """Recites."""
    return Reciter()


def tts(settings: Settings, brief: Brief) -> TTSService:  # noqa: ARG001 - the provider contract
    """Plays the recordings."""
    return Player()


async def peers_stt(folder: Path) -> STTService:
    """The product's recogniser, for a server that is not the product."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue] - pydantic-settings' own argument
        data_dir=folder,
    )
    brief = Brief("banking", "", PHRASES)
    await offline.warm(settings, [brief])
    return offline.stt(settings, brief)


class Reciter(InstantLLM):
    """A language model that says one sentence after another, all calls taking turns."""

    def answer(self) -> str:
        """The next sentence."""
        return next(_sentences())


@cache
def _sentences() -> Iterator[str]:
    return cycle(text[:1].upper() + text[1:] + "." for text in _recordings())


class Player(InstantTTS):
    """A voice with a recording of each sentence."""

    def audio(self, text: str) -> bytes:
        """The recording; the instant voice's greeting if there is none."""
        return _recordings().get(key(text)) or rendered(GREETING_S)


if wanted():
    _recordings()  # Before the first call, not during it.
