"""Voice activity: Silero in 32 ms windows, one session for all calls of a process, and what counts as loud enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from loguru import logger
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState

RATE = 16_000
WINDOW = 512
"""Samples that Silero takes at once: 32 ms."""

WINDOW_BYTES = WINDOW * 2
"""The same as 16-bit PCM: how a caller's sound is handed on."""

BEGINS_DBFS, GOES_ON_DBFS = -52.0, -60.0
"""Below these levels a window is silence, and Silero is not asked: before somebody speaks, and while they do. The first
keeps out what an echo canceller leaves of the agent's own voice; the second spares soft ends of words
(docs/decisions/0023-media-plane.md, `python -m bench noise`)."""

FORGET_AFTER = 5
"""Silent windows after which Silero forgets what it has heard: after long noise it would not notice a voice."""

FORGET_EVERY_S = 2.0
UNLIKELY = 0.1

TOGETHER_FROM = 8
"""Calls from which on their windows are scored together."""

COLLECT_S = 0.005
"""How long windows wait for others then."""

_CONTEXT = 64
_FULL_SCALE = 32_768.0
_BEGINS, _GOES_ON = (WINDOW * 10 ** (level / 10) for level in (BEGINS_DBFS, GOES_ON_DBFS))
_RATE = np.array(RATE, dtype=np.int64)

Samples = npt.NDArray[np.float32]


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    path = resources.files("pipecat.audio.vad.data").joinpath("silero_vad.onnx")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)


class _Memory:
    """What Silero remembers of one call: its recurrent state, and the end of the last window."""

    def __init__(self) -> None:
        self.state: Samples = np.zeros((2, 128), np.float32)
        self.context: Samples = np.zeros(_CONTEXT, np.float32)

    def forget(self) -> None:
        """Begin anew."""
        self.state.fill(0)
        self.context.fill(0)


def _score(memories: list[_Memory], windows: list[Samples]) -> list[float]:
    """The probability, 0..1, of a voice in each of some calls' windows."""
    sound = np.empty((len(windows), _CONTEXT + WINDOW), np.float32)
    state = np.empty((2, len(windows), 128), np.float32)
    for row, (memory, window) in enumerate(zip(memories, windows, strict=True)):
        sound[row, :_CONTEXT], sound[row, _CONTEXT:], state[:, row] = memory.context, window, memory.state
    answer: Any = _session().run(None, {"input": sound, "state": state, "sr": _RATE})
    for row, memory in enumerate(memories):
        memory.state, memory.context = answer[1][:, row], sound[row, -_CONTEXT:]
    return answer[0][:, 0].tolist()


class _Together:
    """Scores the windows of all calls of a process: one by one while there are few calls, else some at a time.

    Side by side in one run of the model they cost half.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._waiting: dict[_Memory, tuple[Samples, Callable[[float], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def score(self, memory: _Memory, window: Samples, tell: Callable[[float], None]) -> None:
        """Have a window scored, now or in a moment."""
        if self.calls < TOGETHER_FROM:
            tell(_score([memory], [window])[0])
            return
        self._waiting[memory] = (window, tell)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COLLECT_S, self._run)

    def settle(self, memory: _Memory) -> None:
        """See to it that no window of this call waits any longer."""
        if memory in self._waiting:
            self._run()

    def forget(self, memory: _Memory) -> None:
        """A call has ended: nobody is to be told of its window."""
        self._waiting.pop(memory, None)

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        scores = _score(list(waiting), [window for window, _ in waiting.values()]) if waiting else []
        for (_, tell), score in zip(waiting.values(), scores, strict=True):
            try:
                tell(score)
            except Exception as error:  # noqa: BLE001 - one call's trouble is not the others'
                logger.opt(exception=error).error("A call's voice was not taken: {}", type(error).__name__)


_together = _Together()


class SileroVAD(VADAnalyzer):
    """Voice activity on the event loop: a window costs a fraction of a millisecond, less than a thread's two hops.

    pipecat also asks that a smoothed loudness be high, which takes some 0.2 s to rise and longer to fall. Here each
    window counts by itself, and one that is too quiet to hold a voice costs nothing.

    Args:
        falls_silent: Called at each silent window of what may be the end of speech, with how many there were, and how
            many are still missing until it is.
        goes_on: Called when it was not.
        params: pipecat's; `min_volume` does not count.
    """

    def __init__(
        self,
        *,
        falls_silent: Callable[[int, int], None] | None = None,
        goes_on: Callable[[], None] | None = None,
        params: VADParams | None = None,
    ) -> None:
        super().__init__(params=params)
        self._executor.shutdown(wait=False)
        self._memory = _Memory()
        self._unlikely = 0
        self._since_forgotten = 0
        self._falls_silent = falls_silent
        self._goes_on = goes_on
        self._counted = False

    def num_frames_required(self) -> int:
        """Samples of a window."""
        return WINDOW

    def set_sample_rate(self, sample_rate: int) -> None:
        """16 kHz it is. Raises: ValueError for any other."""
        if sample_rate != RATE:
            raise ValueError(f"Voice activity is found at {RATE} Hz, not at {sample_rate}")
        super().set_sample_rate(sample_rate)

    def voice_confidence(self, buffer: bytes) -> float:
        """How likely there is a voice in a window, 0..1."""
        window = _samples(buffer)
        return _score([self._memory], [window])[0] if self._is_loud(window) else 0.0

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """The voice activity after `buffer` (16-bit mono PCM of any length)."""
        self._vad_buffer += buffer
        while len(self._vad_buffer) >= WINDOW_BYTES:
            window, self._vad_buffer = self._vad_buffer[:WINDOW_BYTES], self._vad_buffer[WINDOW_BYTES:]
            self._step(self.voice_confidence(window))
        return self._vad_state

    def hear(self, window: bytes, tell: Callable[[VADState], None]) -> None:
        """Take a window, `WINDOW_BYTES` of PCM, and tell what state it has led to: now, or in a moment."""
        if not self._counted:
            self._counted = True
            _together.calls += 1
        samples = _samples(window)
        _together.settle(self._memory)  # What the last window led to decides what this one has to reach.
        if self._is_loud(samples):
            _together.score(self._memory, samples, lambda score: tell(self._step(score)))
        else:
            tell(self._step(0.0))

    async def cleanup(self) -> None:
        """Give back what is held."""
        await super().cleanup()
        if self._counted:
            self._counted = False
            _together.calls -= 1
        _together.forget(self._memory)

    def _is_loud(self, window: Samples) -> bool:
        speaking = self._vad_state in (VADState.SPEAKING, VADState.STOPPING)
        return float(window @ window) > (_GOES_ON if speaking else _BEGINS)

    def _step(self, score: float) -> VADState:
        """What a window's score leads to; the counts are pipecat's."""
        self._maybe_forget(score)
        voice = score >= self._params.confidence
        match self._vad_state:
            case VADState.QUIET | VADState.STARTING if voice:
                self._vad_starting_count += 1
                started = self._vad_starting_count >= self._vad_start_frames
                self._vad_state = VADState.SPEAKING if started else VADState.STARTING
            case VADState.QUIET | VADState.STARTING:
                self._vad_state = VADState.QUIET
            case _ if voice:
                self._vad_state = VADState.SPEAKING
                if self._vad_stopping_count and self._goes_on:
                    self._goes_on()
            case _:
                self._vad_stopping_count += 1
                ended = self._vad_stopping_count >= self._vad_stop_frames
                self._vad_state = VADState.QUIET if ended else VADState.STOPPING
                if self._falls_silent and not ended:
                    self._falls_silent(self._vad_stopping_count, self._vad_stop_frames - self._vad_stopping_count)
        if self._vad_state is not VADState.STARTING:
            self._vad_starting_count = 0
        if self._vad_state is not VADState.STOPPING:
            self._vad_stopping_count = 0
        return self._vad_state

    def _maybe_forget(self, score: float) -> None:
        """After long noise Silero would miss a voice: it begins anew now and then, while clearly nobody speaks."""
        self._since_forgotten += 1
        self._unlikely = self._unlikely + 1 if score < UNLIKELY else 0
        due = self._since_forgotten * WINDOW >= FORGET_EVERY_S * RATE
        if due and self._unlikely >= FORGET_AFTER and self._vad_state is VADState.QUIET:
            self._memory.forget()
            self._since_forgotten = 0


def _samples(window: bytes) -> Samples:
    return np.frombuffer(window, np.int16).astype(np.float32) / _FULL_SCALE


def warm() -> None:
    """Load the shared model and run it once, before the first call."""
    _score([_Memory()], [np.zeros(WINDOW, np.float32)])
