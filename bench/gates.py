"""Gates in front of Silero: what else a window of 32 ms must be for its score to count."""

from __future__ import annotations

import copy
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pipecat.audio.vad.silero import SileroOnnxModel, SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState

from bench.recordings import WINDOW_S, Sound, decibels, windows
from bench.sound import Pcm
from bench.voices import SAMPLE_RATE
from pipelines.voice import SileroVAD

SILENT_DBFS = -120.0
LASTING_WINDOWS = 10


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
        skips: Whether Silero hears nothing of a silence that lasts, and begins afresh after it.
        confidence: Least score.
        start_s: Windows in a row that begin a speech, in seconds.
    """

    name: str
    least_dbfs: float = SILENT_DBFS
    keeps_dbfs: float | None = None
    above_floor_db: float | None = None
    memory_s: float = 3.0
    loudness: bool = False
    skips: bool = False
    confidence: float = 0.7
    start_s: float = 0.2


STOCK = Gate("stock", loudness=True)
OURS = "ours"
GATES = (
    STOCK,
    Gate("none"),
    *(Gate(f"rms {level}", level) for level in (-60, -56, -50, -46)),
    *(Gate(f"rms {level}, then -60", level, keeps_dbfs=-60) for level in (-52, -50, -46)),
    Gate("rms -52, then -60; skips", -52, keeps_dbfs=-60, skips=True),
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

    def skip(self) -> None:
        self._at += 1
        self._reset_at = self._at


@cache
def _silero() -> SileroOnnxModel:
    return SileroVADAnalyzer()._model


def level_of(window: bytes) -> float:
    """Mean power of 16-bit samples, in dB of full scale."""
    return decibels(np.frombuffer(window, np.int16).astype(np.float32) / 32768)


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
        self._closed = 0
        self.set_sample_rate(SAMPLE_RATE)

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """The voice activity after `buffer`."""
        return self._run_analyzer(buffer)

    def voice_confidence(self, buffer: bytes) -> float:
        """Silero's score; 0 without asking it in a silence that lasts."""
        if not self._gate.skips:
            return super().voice_confidence(buffer)
        silent = level_of(buffer) < (self._gate.keeps_dbfs or self._gate.least_dbfs)
        self._closed = self._closed + 1 if silent and self._vad_state is VADState.QUIET else 0
        if self._closed <= LASTING_WINDOWS:
            return super().voice_confidence(buffer)
        self._model.skip()
        return 0.0

    def _get_smoothed_volume(self, audio: bytes) -> float:
        """1 where the gate is open, 0 where it is not; pipecat's measure where that is the gate."""
        gate = self._gate
        if gate.loudness:
            return super()._get_smoothed_volume(audio)
        dbfs = level_of(audio)
        waits = self._vad_state in (VADState.QUIET, VADState.STARTING)
        is_open = dbfs >= (gate.least_dbfs if waits or gate.keeps_dbfs is None else gate.keeps_dbfs)
        if gate.above_floor_db is not None:
            is_open &= dbfs >= self._floor.dbfs + gate.above_floor_db
            self._floor.learn(dbfs)
        return float(is_open)


def detectors(pcm: Pcm, gates: Sequence[Gate], *, with_ours: bool) -> Iterator[tuple[str, VADAnalyzer]]:
    """One of each, for one recording."""
    scores = Scores(windows(pcm).astype(np.float32) / 32768)
    for gate in gates:
        yield gate.name, GatedVAD(gate, scores)
    if with_ours:
        ours = SileroVAD()
        ours.set_sample_rate(SAMPLE_RATE)
        yield OURS, ours
