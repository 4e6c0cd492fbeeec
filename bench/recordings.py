"""What detectors of voices listen to: sentences at a level, noises of many kinds, and the one in the other.

Levels are dB of full scale: of speech the mean power while somebody speaks, of noise the mean power. All speakers are
synthetic and every random choice is seeded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.sound import STEP_MS, VOICE, Pcm, read_wav
from bench.voices import SAMPLE_RATE, speak

Sound = NDArray[np.floating]
"""Mono samples at 16 kHz, full scale 1."""

WINDOW = 512
WINDOW_S = WINDOW / SAMPLE_RATE
LEAD_S, TAIL_S = 3.0, 1.5

SENTENCES = Path(__file__).parent / "data" / "recognition" / "utterances.jsonl"
CALLERS = ("slt", "rms", "awb", "espeak:en-us+f2")
BOT = "espeak"
CROWD = (
    *("kal16", "espeak:en-gb-scotland", "espeak:en-us+m3", "espeak:en-us+Annie", "espeak:en-us+Andy"),
    *("espeak:en-us+f4", "espeak:en-gb-scotland+m7", "espeak:en-us+m8"),
)
ACTIVE_MARGIN_DB = 15.9  # As ITU-T P.56 has it.
VOICED_BELOW_DB = 30.0


@dataclass(frozen=True, slots=True)
class Recording:
    """Something to listen to.

    Attributes:
        pcm: 16 kHz, 16-bit.
        first_s: When its first voiced sample is heard.
        last_s: When its last voiced sample has been heard.
    """

    pcm: Pcm
    first_s: float
    last_s: float


def decibels(sound: Sound) -> float:
    """Mean power, in dB of full scale."""
    return 10 * float(np.log10(np.mean(np.square(sound)) + 1e-12))


def active_level(sound: Sound) -> float:
    """Mean power while somebody speaks: of the 20 ms steps not far below that very level."""
    steps = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    powers = np.mean(np.square(steps), axis=1)
    level, before = float(np.mean(powers)), 0.0
    while abs(level - before) > 1e-9:
        before = level
        level = float(np.mean(powers[powers > level / 10 ** (ACTIVE_MARGIN_DB / 10)]))
    return 10 * float(np.log10(level))


def at_level(sound: Sound, now_db: float, wanted_db: float) -> Sound:
    """The same, louder or softer."""
    return sound * np.float32(10 ** ((wanted_db - now_db) / 20))


def voiced(sound: Sound) -> tuple[int, int]:
    """The first voiced sample and the one after the last, in steps of 5 ms."""
    step = SAMPLE_RATE * STEP_MS // 1000
    powers = np.mean(np.square(sound[: len(sound) // step * step].reshape(-1, step)), axis=1)
    there = np.flatnonzero(powers > powers.max() / 10 ** (VOICED_BELOW_DB / 10))
    return int(there[0]) * step, (int(there[-1]) + 1) * step


def windows(pcm: Pcm) -> Pcm:
    """The whole windows of 32 ms, one a row."""
    return pcm[: len(pcm) // WINDOW * WINDOW].reshape(-1, WINDOW)


def to_pcm(sound: Sound) -> Pcm:
    """16-bit samples."""
    return np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16)


def white(seconds: float, rng: np.random.Generator) -> Sound:
    """Equal power at all frequencies."""
    return rng.standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)


def pink(seconds: float, rng: np.random.Generator) -> Sound:
    """Power that falls with frequency, from 20 Hz on: wind, traffic, a fan."""
    spectrum = np.fft.rfft(white(seconds, rng))
    hertz = np.fft.rfftfreq(round(seconds * SAMPLE_RATE), 1 / SAMPLE_RATE)
    shape = np.where(hertz >= 20, 1 / np.sqrt(np.maximum(hertz, 20)), 0)
    return np.fft.irfft(spectrum * shape, round(seconds * SAMPLE_RATE)).astype(np.float32)


def hum(seconds: float, rng: np.random.Generator) -> Sound:
    """Mains of either frequency with twenty harmonics, swelling a little."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    base = float(rng.choice((50.0, 60.0)))
    tones = sum(np.sin(2 * np.pi * (base * k * t + rng.random())) / k for k in range(1, 21))
    return np.asarray(tones * (1 + 0.2 * np.sin(2 * np.pi * 0.3 * t)), np.float32)


def clicks(seconds: float, rng: np.random.Generator) -> Sound:
    """Somebody types: short bursts, four to twelve a second."""
    sound = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    at = 0
    while (at := at + int(rng.uniform(0.08, 0.25) * SAMPLE_RATE)) < len(sound) - 400:
        decay = np.exp(-np.arange(400) / (SAMPLE_RATE * rng.uniform(0.001, 0.004)))
        sound[at : at + 400] += (rng.uniform(0.3, 1) * decay * rng.standard_normal(400)).astype(np.float32)
    return sound


def babble(seconds: float, rng: np.random.Generator) -> Sound:
    """Eight people talk at once without a pause."""
    return sum((_talk(voice, seconds, rng) for voice in CROWD), np.zeros(round(seconds * SAMPLE_RATE), np.float32))


def echo(seconds: float, rng: np.random.Generator) -> Sound:
    """The bot's own voice."""
    return _talk(BOT, seconds, rng)


NOISES: Mapping[str, Callable[[float, np.random.Generator], Sound]] = {
    each.__name__: each for each in (white, pink, hum, babble, clicks)
}
ALONE = NOISES | {"echo": echo}


def _talk(voice: str, seconds: float, rng: np.random.Generator) -> Sound:
    parts, missing = [np.zeros(0, np.float32)], round(seconds * SAMPLE_RATE)
    while missing > 0:
        sentence = _spoken(voice, str(rng.choice(_sentences())))
        parts.append(at_level(sentence, active_level(sentence), 0.0)[:missing])
        missing -= len(parts[-1])
    return np.concatenate(parts)


@cache
def _sentences() -> tuple[str, ...]:
    return tuple(json.loads(line)["text"] for line in SENTENCES.read_text("utf-8").splitlines())


@cache
def _spoken(voice: str, text: str) -> Sound:
    return _trimmed(speak(voice, text))


def _trimmed(pcm: Pcm) -> Sound:
    sound = pcm.astype(np.float32) / 32768
    first, end = voiced(sound)
    return sound[first:end]


def utterances(count: int) -> list[Sound]:
    """What callers say: the recordings of other benches, then sentences by several speakers."""
    recorded = [_trimmed(read_wav(path)[0]) for path in sorted(VOICE.glob("*.wav"))]
    texts = _sentences()
    made = [_spoken(CALLERS[n % len(CALLERS)], texts[n * 7 % len(texts)]) for n in range(count - len(recorded))]
    return [*recorded, *made][:count]


def record(utterance: Sound, speech_dbfs: float, noise: str, snr_db: float | None, seed: Sequence[int]) -> Recording:
    """An utterance at this level in this noise; `None` is silence around it."""
    rng = np.random.default_rng(seed)
    lead = round((LEAD_S + rng.uniform(0, WINDOW_S)) * SAMPLE_RATE)
    speech = np.concatenate(
        [
            np.zeros(lead, np.float32),
            at_level(utterance, active_level(utterance), speech_dbfs),
            np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32),
        ]
    )
    if snr_db is not None:
        made = NOISES[noise](len(speech) / SAMPLE_RATE, rng)[: len(speech)]
        speech = speech + at_level(made, decibels(made), speech_dbfs - snr_db)
    return Recording(to_pcm(speech), lead / SAMPLE_RATE, (lead + len(utterance)) / SAMPLE_RATE)
