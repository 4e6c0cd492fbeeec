"""Synthetic speakers: sentences as 16 kHz mono samples, from flite (Debian package `flite`) and espeak-ng (a wheel)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr

from bench.sound import Pcm, read_wav
from providers.offline import espeak

SAMPLE_RATE = 16_000
ESPEAK = "espeak"
NEEDS_FLITE = "flite speaks the sentences and is missing; on Debian: apt-get install flite"


def flite_installed() -> bool:
    """Whether the voices other than espeak's can be used."""
    return shutil.which("flite") is not None


@lru_cache(maxsize=4096)
def speak(voice: str, text: str) -> Pcm:
    """The sentence, without silence around it other than the engine's own.

    Args:
        voice: A voice of flite, e.g. `slt`; `espeak`; or a voice of espeak-ng, e.g. `espeak:en-us+f2`.
        text: What to say.
    """
    engine, _, name = voice.partition(":")
    return _espeak(name or espeak.DEFAULT_VOICE, text) if engine == ESPEAK else _flite(voice, text)


def _espeak(name: str, text: str) -> Pcm:
    blocks: list[bytes] = []
    espeak.synthesize(text, voice=name, on_audio=lambda block: blocks.append(block) is None, on_word=lambda _: None)
    spoken = np.frombuffer(b"".join(blocks), np.int16)
    return soxr.resample(spoken, espeak.SAMPLE_RATE, SAMPLE_RATE, quality="VHQ")


def _flite(voice: str, text: str) -> Pcm:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True)
        spoken, rate = read_wav(Path(file.name))
    if rate != SAMPLE_RATE:
        raise ValueError(f"flite's voice {voice} speaks at {rate} Hz")
    return spoken
