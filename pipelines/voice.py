"""Voice activity: Silero in 32 ms windows, one session for all calls of a process, and what counts as loud enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from pipecat.audio.vad.silero import SileroOnnxModel, SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState

RATE = 16_000
WINDOW = 512
"""Samples that Silero takes at once: 32 ms."""

QUIETEST_DBFS = -56.0
"""A window below this level is silence, whatever Silero thinks of it; see docs/decisions/0023-media-plane.md."""

_CONTEXT = 64
_FULL_SCALE = 32_768.0
_QUIETEST_POWER = WINDOW * (_FULL_SCALE * 10 ** (QUIETEST_DBFS / 20)) ** 2


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    path = resources.files("pipecat.audio.vad.data").joinpath("silero_vad.onnx")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)


class _Silero(SileroOnnxModel):
    """One call's recurrent state over the shared session, without the copies and checks of the general case."""

    _RATE = np.array(RATE, dtype=np.int64)

    def __init__(self) -> None:
        self.session = _session()
        self.reset_states()

    def reset_states(self, batch_size: int = 1) -> None:
        """Forget what was heard."""
        self._state = np.zeros((2, batch_size, 128), np.float32)
        self._input = np.zeros((batch_size, _CONTEXT + WINDOW), np.float32)

    def __call__(self, x: npt.NDArray[np.float32], sr: int = RATE) -> npt.NDArray[np.float32]:
        """The probability of a voice in `WINDOW` samples, -1..1; shape (1,)."""
        del sr
        self._input[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
        self._input[0, _CONTEXT:] = x
        probability, self._state = self.session.run(
            None, {"input": self._input, "state": self._state, "sr": self._RATE}
        )
        return np.asarray(probability)[0]


class SileroVAD(SileroVADAnalyzer):
    """Voice activity on the event loop: a window costs a fraction of a millisecond, less than a thread's two hops.

    pipecat also asks that a smoothed loudness be high, which takes some 0.2 s to rise and longer to fall. Here each
    window counts by itself.

    Args:
        falls_silent: Called `after_windows` silent windows into what may be the end of speech, with how many of them
            are still missing until it is.
        goes_on: Called when it was not.
        after_windows: See above.
        params: pipecat's.
    """

    def __init__(
        self,
        *,
        falls_silent: Callable[[int], None] | None = None,
        goes_on: Callable[[], None] | None = None,
        after_windows: int = 3,
        params: VADParams | None = None,
    ) -> None:
        # Not Silero's own constructor: it loads the model anew for each call.
        VADAnalyzer.__init__(self, params=params)
        self._executor.shutdown(wait=False)
        self._model: Any = _Silero()
        self._windows_since_reset = 0
        self._low_confidence_windows = 0
        self._falls_silent = falls_silent
        self._goes_on = goes_on
        self._after_windows = after_windows

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """The voice activity after `buffer` (16-bit mono PCM of any length)."""
        return self.analyze(buffer)

    def analyze(self, buffer: bytes) -> VADState:
        """The same at once."""
        before = self._vad_stopping_count
        state = self._run_analyzer(buffer)
        if state is VADState.STOPPING:
            if self._falls_silent and before < self._after_windows <= self._vad_stopping_count:
                self._falls_silent(self._vad_stop_frames - self._vad_stopping_count)
        elif state is VADState.SPEAKING and self._goes_on:
            self._goes_on()
        return state

    def _get_smoothed_volume(self, audio: bytes) -> float:
        samples = np.frombuffer(audio, np.int16).astype(np.float32)
        return 1.0 if float(samples @ samples) > _QUIETEST_POWER else 0.0


def warm() -> None:
    """Load the shared model before the first call."""
    _session()
