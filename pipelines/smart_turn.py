"""One Smart Turn model for all calls of a process, run beside the event loop.

A verdict is a burst of some 45 ms of CPU. Inside the process that carries the media it delays every other call's audio,
so by default it runs in a process of its own; a thread is the fallback where there is one core only.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import numpy.typing as npt
from loguru import logger
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

SAMPLE_RATE = 16_000
MAX_SAMPLES = 8 * SAMPLE_RATE  # The model looks at the last eight seconds.
NICENESS = 5
"""Of the process: where the two share a core, audio goes first."""

_model: LocalSmartTurnAnalyzerV3 | None = None


def _load(*, own_process: bool) -> None:
    global _model
    if own_process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle.
        if hasattr(os, "nice"):
            os.nice(NICENESS)
    _model = LocalSmartTurnAnalyzerV3()


def _load_in_process() -> None:
    _load(own_process=True)


def _load_in_thread() -> None:
    _load(own_process=False)


def _probability(pcm: bytes) -> float:
    assert _model is not None
    samples = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768.0
    return float(_model._predict_endpoint(samples)["probability"])


class SmartTurnModel:
    """The probability that a speaker has finished, for all calls, one question at a time.

    Source: pipecat's bundled smart-turn-v3.2 (BSD-2-Clause), 16 kHz mono, last 8 s of a turn.
    """

    def __init__(self, *, own_process: bool | None = None) -> None:
        self._own_process = (os.cpu_count() or 1) > 1 if own_process is None else own_process
        self._executor: Executor | None = None

    async def warm(self) -> None:
        """Load the model and run it once, so that the first caller does not wait for it."""
        await asyncio.wrap_future(self.ask(np.zeros(SAMPLE_RATE, np.int16)))

    def ask(self, samples: npt.NDArray[np.int16]) -> Future[float]:
        """Ask whether the turn in `samples` (16 kHz mono) is complete; the future holds a probability 0..1."""
        pcm = samples[-MAX_SAMPLES:].tobytes()
        try:
            return self._ready_executor().submit(_probability, pcm)
        except BrokenProcessPool:
            logger.error("The Smart Turn process died; going on in a thread")
            self.close()
            self._own_process = False
            return self._ready_executor().submit(_probability, pcm)

    def _ready_executor(self) -> Executor:
        if self._executor is None:
            if self._own_process:
                context = multiprocessing.get_context("spawn")
                self._executor = ProcessPoolExecutor(1, mp_context=context, initializer=_load_in_process)
            else:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="smart-turn", initializer=_load_in_thread)
        return self._executor

    def close(self) -> None:
        """Stop the process or thread; questions still waiting are dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
