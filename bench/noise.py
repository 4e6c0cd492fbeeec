"""Voice activity in noise: what each gate in front of Silero costs and saves, without network or real time.

    python -m bench noise [--quick] [--all] [--out FILE]

A recording is a caller's sentence, three seconds after its start, in noise that never stops. Detectors hear it in
32 ms windows as in a call, and what is written down is when they say that somebody speaks. `stock` is pipecat's
detector as it comes, with its smoothed loudness gate; `ours` is the product's; the others are candidates for it. Noise
alone shows how often a bot would be interrupted by nobody. `echo` is the bot's own voice as a poor echo canceller
leaves it.

Levels are dB of full scale: of speech the mean power while somebody speaks, of noise the mean power. All speakers are
synthetic and every random choice is seeded, so two runs agree to the digit.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import sys
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray
from pipecat.audio.vad.silero import SileroOnnxModel, SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState

from bench.sound import STEP_MS, VOICE, Pcm, read_wav
from bench.voices import NEEDS_FLITE, SAMPLE_RATE, flite_installed, speak
from pipelines.turns import SileroVAD

Sound = NDArray[np.floating]
"""Mono samples at 16 kHz, full scale 1."""

WINDOW = 512
WINDOW_S = WINDOW / SAMPLE_RATE
LEAD_S, TAIL_S = 3.0, 1.5
NOTICE_S = 1.0
"""Speech that is not noticed for this long is missed."""

SPEECH_DBFS = (-20, -26, -32, -38)
SNR_DB = (20, 10, 5)
ALONE_DBFS = (-30, -40, -50, -60)
ALONE_S = 300.0
PIECE_S = 30.0
"""Noise alone is heard in pieces of this length, each by a detector of its own, as in so many calls."""

SENTENCES = Path(__file__).parent / "data" / "recognition" / "utterances.jsonl"
CALLERS = ("slt", "rms", "awb", "espeak:en-us+f2")
BOT = "espeak"
CROWD = (
    *("kal16", "espeak:en-gb-scotland", "espeak:en-us+m3", "espeak:en-us+Annie", "espeak:en-us+Andy"),
    *("espeak:en-us+f4", "espeak:en-gb-scotland+m7", "espeak:en-us+m8"),
)
SILENT_DBFS = -120.0
ACTIVE_MARGIN_DB = 15.9  # As ITU-T P.56 has it.
VOICED_BELOW_DB = 30.0
OUT = Path("build/bench/noise.json")


# Gates ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """What a window must be for Silero's score to count.

    Attributes:
        name: In the tables.
        least_dbfs: Least mean power of the window.
        keeps_dbfs: The same once somebody speaks; `None`: no other.
        above_floor_db: How far it must stand out of the noise floor; `None`: not at all.
        memory_s: How much of the past the floor is taken from.
        loudness: pipecat's own gate instead: loudness over 400 ms, smoothed.
        confidence: Least score.
        start_s: Windows in a row that begin a speech, in seconds.
    """

    name: str
    least_dbfs: float = SILENT_DBFS
    keeps_dbfs: float | None = None
    above_floor_db: float | None = None
    memory_s: float = 3.0
    loudness: bool = False
    confidence: float = 0.7
    start_s: float = 0.2


STOCK = Gate("stock", loudness=True)
OURS = "ours"
GATES = (
    STOCK,
    Gate("none"),
    *(Gate(f"rms {level}", level) for level in (-60, -56, -50, -46)),
    *(Gate(f"rms {level}, then -60", level, keeps_dbfs=-60) for level in (-52, -50, -46)),
    *(Gate(f"floor+{above}", above_floor_db=above) for above in (3, 6, 9, 12)),
    *(Gate(f"floor+{above} & -56", -56, above_floor_db=above) for above in (6, 9)),
    *(
        Gate(f"rms -52, then -60; score {score}, start {start_s}", -52, -60, confidence=score, start_s=start_s)
        for score, start_s in ((0.6, 0.2), (0.8, 0.2), (0.7, 0.16))
    ),
)


class Floor:
    """The level that one window in ten of the last seconds stays below."""

    def __init__(self, memory_s: float) -> None:
        self._recent: deque[float] = deque(maxlen=round(memory_s / WINDOW_S))
        self._sorted: list[float] = []

    def learn(self, dbfs: float) -> None:
        """Take the level of one more window."""
        if len(self._recent) == self._recent.maxlen:
            del self._sorted[bisect_left(self._sorted, self._recent[0])]
        self._recent.append(dbfs)
        insort(self._sorted, dbfs)

    @property
    def dbfs(self) -> float:
        """Where it is now."""
        return self._sorted[len(self._sorted) // 10] if self._sorted else SILENT_DBFS


class Scores:
    """Silero's scores of one recording; detectors whose model was reset at the same windows share the work.

    The score of a window depends on the sound since the last reset and on nothing else.
    """

    def __init__(self, windows: Sound) -> None:
        self._windows = windows
        self._chains: dict[int, tuple[SileroOnnxModel, list[float]]] = {}

    def at(self, window: int, *, reset_at: int) -> float:
        """Score of a window, the model's state having been cleared before window `reset_at`."""
        if reset_at not in self._chains:
            model = copy.copy(_silero())
            model.reset_states()
            self._chains[reset_at] = (model, [])
        model, scores = self._chains[reset_at]
        while len(scores) <= window - reset_at:
            scores.append(float(model(self._windows[reset_at + len(scores)], SAMPLE_RATE)[0].item()))
        return scores[window - reset_at]


class _Reader:
    """Stands in for a detector's model, which hears the recording once from its start."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores
        self._at = self._reset_at = 0

    def __call__(self, window: Sound, sample_rate: int) -> Sound:  # noqa: ARG002 - the model's signature
        score = self._scores.at(self._at, reset_at=self._reset_at)
        self._at += 1
        return np.array([[score]], np.float32)

    def reset_states(self) -> None:
        self._reset_at = self._at


@cache
def _silero() -> SileroOnnxModel:
    return SileroVADAnalyzer()._model


class GatedVAD(SileroVADAnalyzer):
    """pipecat's detector with another gate, over scores that are shared."""

    def __init__(self, gate: Gate, scores: Scores) -> None:
        # Not Silero's own constructor: it loads the model anew.
        least = VADParams().min_volume if gate.loudness else 0.5
        params = VADParams(confidence=gate.confidence, start_secs=gate.start_s, min_volume=least)
        VADAnalyzer.__init__(self, params=params)
        self._executor.shutdown(wait=False)
        self._model: Any = _Reader(scores)
        self._windows_since_reset = 0
        self._low_confidence_windows = 0
        self._gate = gate
        self._floor = Floor(gate.memory_s)
        self.set_sample_rate(SAMPLE_RATE)

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """The voice activity after `buffer`."""
        return self._run_analyzer(buffer)

    def _get_smoothed_volume(self, audio: bytes) -> float:
        """1 where the gate is open, 0 where it is not; pipecat's measure where that is the gate."""
        gate = self._gate
        if gate.loudness:
            return super()._get_smoothed_volume(audio)
        dbfs = decibels(np.frombuffer(audio, np.int16).astype(np.float32) / 32768)
        waits = self._vad_state in (VADState.QUIET, VADState.STARTING)
        is_open = dbfs >= (gate.least_dbfs if waits or gate.keeps_dbfs is None else gate.keeps_dbfs)
        if gate.above_floor_db is not None:
            is_open &= dbfs >= self._floor.dbfs + gate.above_floor_db
            self._floor.learn(dbfs)
        return float(is_open)


# Sounds ---------------------------------------------------------------------------------------------------------------


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


# Listening ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a detector made of one utterance.

    Attributes:
        early: Whether it said that somebody spoke when nobody did yet; the onset then says nothing.
        missed: Whether it did not notice in time.
        onset_ms: From the first voiced sample to the start.
        premature: Ends inside the utterance.
        end_ms: From the last voiced sample to the end; `None` if it had ended before, or not by the end.
        stuck: Whether it had not ended by the end of the recording.
    """

    early: bool
    missed: bool
    onset_ms: float | None
    premature: int
    end_ms: float | None
    stuck: bool


def judge(active: Sequence[bool], first_s: float, last_s: float) -> Outcome:
    """Read what a detector said after each window beside when somebody spoke.

    Args:
        active: Whether it took somebody to be speaking, window by window.
        first_s: When the first voiced sample is heard.
        last_s: When the last one has been heard.
    """
    before = int(first_s / WINDOW_S)  # windows wholly before the speech
    inside = int(last_s / WINDOW_S)
    early = before > 0 and active[before - 1]
    on = next((n for n in range(before, len(active)) if active[n]), None)
    noticed = early or (on is not None and (on + 1) * WINDOW_S - first_s <= NOTICE_S)
    off = next((n for n in range(inside, len(active)) if not active[n]), None)
    going_on = inside > 0 and active[inside - 1]
    return Outcome(
        early=early,
        missed=not noticed,
        onset_ms=((on + 1) * WINDOW_S - first_s) * 1000 if noticed and not early and on is not None else None,
        premature=sum(active[n - 1] and not active[n] for n in range(max(before, 1), inside)),
        end_ms=((off + 1) * WINDOW_S - last_s) * 1000 if going_on and off is not None else None,
        stuck=going_on and off is None,
    )


def starts(active: Sequence[bool]) -> int:
    """How often somebody was taken to begin to speak."""
    return sum(now and not before for before, now in zip([False, *active[:-1]], active, strict=True))


async def listen(detector: VADAnalyzer, pcm: Pcm) -> list[bool]:
    """Whether somebody speaks, after each window."""
    windows = pcm[: len(pcm) // WINDOW * WINDOW].reshape(-1, WINDOW)
    states = [await detector.analyze_audio(window.tobytes()) for window in windows]
    return [state in (VADState.SPEAKING, VADState.STOPPING) for state in states]


def detectors(pcm: Pcm, gates: Sequence[Gate], *, with_ours: bool) -> Iterator[tuple[str, VADAnalyzer]]:
    """One of each, for one recording."""
    scores = Scores(pcm[: len(pcm) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float32) / 32768)
    for gate in gates:
        yield gate.name, GatedVAD(gate, scores)
    if with_ours:
        ours = SileroVAD()
        ours.set_sample_rate(SAMPLE_RATE)
        yield OURS, ours


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance heard by one detector."""

    gate: str
    noise: str
    snr_db: float | None
    speech_dbfs: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Nobody:
    """Noise alone heard by one detector.

    Attributes:
        starts_per_minute: How often it took it for speech.
        speaking: For how much of the time, as a share.
    """

    gate: str
    noise: str
    noise_dbfs: float
    starts_per_minute: float
    speaking: float


async def in_speech(gates: Sequence[Gate], count: int, *, with_ours: bool) -> list[Spoken]:
    """Every utterance at every level in every noise."""
    found: list[Spoken] = []
    cells = [("clean", None), *((noise, snr) for noise in NOISES for snr in SNR_DB)]
    for number, utterance in enumerate(utterances(count)):
        for cell, (noise, snr) in enumerate(cells):
            for level in SPEECH_DBFS:
                heard = record(utterance, level, noise, snr, (1, number, cell, -level))
                for name, detector in detectors(heard.pcm, gates, with_ours=with_ours):
                    outcome = judge(await listen(detector, heard.pcm), heard.first_s, heard.last_s)
                    found.append(Spoken(name, noise, snr, level, outcome))
    return found


async def in_noise_alone(gates: Sequence[Gate], seconds: float, *, with_ours: bool) -> list[Nobody]:
    """Every noise at every level, with nobody speaking."""
    found: list[Nobody] = []
    for number, (noise, make) in enumerate(ALONE.items()):
        for level in ALONE_DBFS:
            heard: dict[str, list[list[bool]]] = {}
            for piece in range(round(seconds / PIECE_S)):
                sound = make(PIECE_S, np.random.default_rng((2, number, -level, piece)))
                pcm = to_pcm(at_level(sound, decibels(sound), level))
                for name, detector in detectors(pcm, gates, with_ours=with_ours):
                    heard.setdefault(name, []).append(await listen(detector, pcm))
            for name, pieces in heard.items():
                often = sum(starts(piece) for piece in pieces) / (len(pieces) * PIECE_S) * 60
                found.append(Nobody(name, noise, level, often, float(np.mean(np.concatenate(pieces)))))
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Outcomes taken together; shares of one, times in ms (`None`: nothing to take them from)."""

    n: int
    missed: float
    early: float
    onset_p50: float | None
    onset_p95: float | None
    premature: float
    end_p50: float | None
    end_p95: float | None
    stuck: float


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Shares, medians and 95th percentiles."""
    n = len(outcomes)
    onsets = [each.onset_ms for each in outcomes if each.onset_ms is not None]
    ends = [each.end_ms for each in outcomes if each.end_ms is not None]
    return Figures(
        n=n,
        missed=sum(each.missed for each in outcomes) / n,
        early=sum(each.early for each in outcomes) / n,
        onset_p50=_percentile(onsets, 50),
        onset_p95=_percentile(onsets, 95),
        premature=sum(each.premature > 0 for each in outcomes) / n,
        end_p50=_percentile(ends, 50),
        end_p95=_percentile(ends, 95),
        stuck=sum(each.stuck for each in outcomes) / n,
    )


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 1) if values else None


COLUMNS = ("n", "missed", "early", "onset ms p50", "p95", "cut short", "end ms p50", "p95", "stuck")


def _cells(found: Figures) -> str:
    shares = {name: f"{getattr(found, name):.1%}" for name in ("missed", "early", "premature", "stuck")}
    values = {name: "-" if value is None else f"{value:.0f}" for name, value in asdict(found).items()} | shares
    return " | ".join(values.values())


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {row} |" for row in rows)])


def _cell_name(noise: str, snr_db: float | None) -> str:
    return noise if snr_db is None else f"{noise} {snr_db:.0f} dB"


def grouped(spoken: Sequence[Spoken], key: Callable[[Spoken], str]) -> dict[str, Figures]:
    """Figures of the outcomes that share a key, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for each in spoken:
        groups.setdefault(key(each), []).append(each.outcome)
    return {name: figures(outcomes) for name, outcomes in groups.items()}


def report(spoken: Sequence[Spoken], nobody: Sequence[Nobody], *, every_cell: bool) -> str:
    """Everything, in Markdown."""
    names = list(dict.fromkeys(each.gate for each in spoken))
    usual = [each for each in spoken if each.noise != "babble"]
    noises = list(dict.fromkeys((each.noise, each.noise_dbfs) for each in nobody))
    by_noise = {(each.gate, each.noise, each.noise_dbfs): [each] for each in nobody}
    parts = [
        "Each gate over all cells (`early`: somebody was taken to speak when nobody did yet; `cut short`: ended inside "
        "the utterance; `stuck`: not ended 1.5 s after it), its worst cell, and of noise alone: starts a minute / "
        "share of the time that was taken for speech",
        _table(
            ("gate", *COLUMNS, "worst cell", "steady noise", "babble", "echo"),
            [
                f"{name} | {_cells(found)} | {_worst(spoken, name)} | "
                + " | ".join(
                    _alone([each for each in nobody if each.gate == name and each.noise in kinds]) for kinds in _KINDS
                )
                for name, found in grouped(spoken, lambda each: each.gate).items()
            ],
        ),
        "The same without babble",
        _table(
            ("gate", *COLUMNS),
            [f"{name} | {_cells(found)}" for name, found in grouped(usual, lambda each: each.gate).items()],
        ),
        "By level of the speech: clean and 20 dB",
        _table(
            ("gate, speech dBFS", *COLUMNS),
            [
                f"{name} | {_cells(found)}"
                for name, found in grouped(
                    [each for each in spoken if each.snr_db in (None, 20)],
                    lambda each: f"{each.gate}, {each.speech_dbfs:.0f}",
                ).items()
            ],
        ),
        "Noise alone by its dBFS: starts a minute / share of the time that was taken for speech",
        _table(
            ("gate", *(f"{noise} {level:.0f}" for noise, level in noises)),
            [f"{name} | " + " | ".join(_alone(by_noise[name, *noise]) for noise in noises) for name in names],
        ),
    ]
    if every_cell:
        rows = grouped(spoken, lambda each: f"{each.gate} | {_cell_name(each.noise, each.snr_db)}")
        parts += [
            "Every cell, over the speech levels",
            _table(("gate", "noise", *COLUMNS), [f"{name} | {_cells(found)}" for name, found in sorted(rows.items())]),
        ]
    return "\n\n".join(parts)


_KINDS = (("white", "pink", "hum", "clicks"), ("babble",), ("echo",))


def _alone(nobody: Sequence[Nobody]) -> str:
    often, share = (
        float(np.mean(values)) for values in zip(*((n.starts_per_minute, n.speaking) for n in nobody), strict=True)
    )
    return f"{often:.1f} / {share:.0%}" if often or share else "0"


def _worst(spoken: Sequence[Spoken], gate: str) -> str:
    cells = grouped(
        [each for each in spoken if each.gate == gate],
        lambda each: f"{_cell_name(each.noise, each.snr_db)} at {each.speech_dbfs:.0f}",
    )
    name = max(cells, key=lambda cell: (cells[cell].missed, cells[cell].premature))
    return f"{name}: {cells[name].missed:.0%} missed, {cells[name].premature:.0%} cut"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench noise`."""
    parser = argparse.ArgumentParser(prog="python -m bench noise", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four utterances, half a minute of each noise alone")
    parser.add_argument("--all", action="store_true", help="also print every gate in every cell")
    parser.add_argument("--utterances", type=int, default=10)
    parser.add_argument("--only", nargs="+", help="these gates")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    if not flite_installed():
        print(NEEDS_FLITE, file=sys.stderr)
        return 2
    gates = [gate for gate in GATES if not args.only or gate.name in args.only]
    with_ours = not args.only or OURS in args.only
    began = time.monotonic()
    spoken = asyncio.run(in_speech(gates, 4 if args.quick else args.utterances, with_ours=with_ours))
    nobody = asyncio.run(in_noise_alone(gates, PIECE_S if args.quick else ALONE_S, with_ours=with_ours))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = {"spoken": [asdict(each) for each in spoken], "nobody": [asdict(each) for each in nobody]}
    args.out.write_text(json.dumps(rows) + "\n")
    print(report(spoken, nobody, every_cell=args.all))
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
