"""One Smart Turn model for all calls of a process, run beside the event loop.

A verdict is a burst of some 45 ms of CPU. A thread makes them; where they become very many a process of its own takes
over, which does not share Python's lock with the calls' audio.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from loguru import logger

from core.clock import monotonic_s
from core.cores import usable

if TYPE_CHECKING:
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

SAMPLE_RATE = 16_000
MAX_SAMPLES = 8 * SAMPLE_RATE  # The model looks at the last eight seconds.
MAX_QUESTIONS = 256
"""That may wait; then the oldest is dropped."""

THREAD_NICENESS, PROCESS_NICENESS = 10, 15
"""Where they share a core, audio goes first; and while the process starts, which is seconds of work, the thread."""

APART_SHARE = 0.15
"""Share of a core that verdicts take in a thread before they get a process: some three a second, or sixteen dense
calls. Up to there a process brings nothing, and its start delays verdicts (docs/benchmarks.md)."""

SHARE_OVER_S = 10.0

HUNG_S = 30.0
"""No question takes as long, the first one with the model's loading included."""

REST_S = 60.0
"""After a process has failed, before another one is tried."""

_model: LocalSmartTurnAnalyzerV3 | None = None


class _Behind(SpawnProcess):
    """A process that lets calls go first from its beginning: starting takes seconds of work."""

    def start(self) -> None:
        super().start()
        assert self.pid is not None
        _step_back(self.pid, PROCESS_NICENESS)


class _Context(SpawnContext):
    Process = _Behind


def _step_back(task: int, by: int) -> None:
    """Lower the priority of a process, or of one thread."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, task, os.getpriority(os.PRIO_PROCESS, task) + by)


def _load() -> None:
    global _model
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    _model = LocalSmartTurnAnalyzerV3()


def _load_in_process() -> None:
    for ending in (signal.SIGINT, signal.SIGTERM):  # They are the parent's to handle, whose calls go on for a while.
        signal.signal(ending, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _load()


def _end_with_parent() -> None:
    """A parent that is killed closes nothing: without this its process would wait for questions for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _load_in_thread() -> None:
    if sys.platform == "linux":  # Elsewhere priorities are the whole process's.
        _step_back(threading.get_native_id(), THREAD_NICENESS)
    _load()


def _probability(pcm: bytes) -> tuple[float, float]:
    """The verdict on a turn, and the seconds of CPU it took."""
    assert _model is not None
    before = time.thread_time()
    samples = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768.0
    probability = float(_model._predict_endpoint(samples)["probability"])
    return probability, time.thread_time() - before


class NoVerdict(Exception):
    """The model could not be asked, or has failed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    pcm: bytes
    due_s: float
    answer: Future[float]


class SmartTurnModel:
    """The probability that a speaker has finished, for all calls, one question at a time.

    Source: pipecat's bundled smart-turn-v3.2 (BSD-2-Clause), 16 kHz mono, last 8 s of a turn.

    Args:
        own_process: Whether a process of its own answers; None: as soon as the load asks for it, where there is more
            than one core.
        clock: Seconds that only grow.
    """

    def __init__(self, *, own_process: bool | None = None, clock: Callable[[], float] = monotonic_s) -> None:
        self._wanted = bool(own_process)
        self._may_move = self._wanted or (own_process is None and usable() > 1)
        self._own_process = self._wanted
        self._clock = clock
        self._executor: Executor | None = None
        self._next: tuple[ProcessPoolExecutor, Future[tuple[float, float]]] | None = None
        self._spent: deque[tuple[float, float]] = deque()
        self._questions: deque[_Question] = deque(maxlen=MAX_QUESTIONS)
        self._thinking = False
        self._asked_at = 0.0
        self._trusted_at = -math.inf
        """A process that has failed is not tried again before."""
        self._takes_s = 0.0
        self._lock = threading.RLock()  # Answers come in threads of the executors.

    @property
    def own_process(self) -> bool:
        """Whether a process of its own answers."""
        return self._own_process

    async def warm(self) -> None:
        """Load the model and run it once, so that the first caller does not wait for it."""
        await asyncio.wrap_future(self.ask(np.zeros(SAMPLE_RATE, np.int16)))

    def ask(self, samples: npt.NDArray[np.int16], *, within_s: float = math.inf) -> Future[float]:
        """Ask whether the turn in `samples` (16 kHz mono) is complete; the future holds a probability 0..1.

        A question that cannot be answered `within_s` is dropped for the sake of those that can: nobody hears of it. One
        that is cancelled before its turn costs nothing. The future raises `NoVerdict` where the model fails.
        """
        now = self._clock()
        question = _Question(samples[-MAX_SAMPLES:].tobytes(), now + within_s, Future())
        with self._lock:
            wanted = [each for each in self._questions if each.due_s >= now and not each.answer.cancelled()]
            self._questions = deque([*wanted, question], MAX_QUESTIONS)
            self._end_if_hung(now)
            self._go_on()
        return question.answer

    def _go_on(self) -> None:
        """Have the next question answered, if there is one and none is being answered."""
        soonest_s = self._clock() + self._takes_s
        while self._questions and not self._thinking:
            question = self._questions.popleft()
            if question.due_s < soonest_s and self._questions:
                continue
            if question.answer.set_running_or_notify_cancel():
                self._begin(question)

    def _begin(self, question: _Question) -> None:
        try:
            made = self._submit(question.pcm)
        except Exception as error:  # noqa: BLE001 - whatever keeps a thread or a process from working
            logger.error("Smart Turn cannot be asked: {}", type(error).__name__)
            question.answer.set_exception(NoVerdict("the model cannot be asked"))
        else:
            self._thinking, self._asked_at = True, self._clock()
            made.add_done_callback(partial(self._answer, question.answer))

    def _end_if_hung(self, now: float) -> None:
        """Give up a process that has been at one question for longer than any takes: the next one finds it dead."""
        executor = self._executor
        if self._thinking and now - self._asked_at > HUNG_S and isinstance(executor, ProcessPoolExecutor):
            self._asked_at = now
            for process in list(executor._processes.values()):
                process.kill()

    def _submit(self, pcm: bytes) -> Future[tuple[float, float]]:
        self._move_when_ready()
        try:
            return self._ready_executor().submit(_probability, pcm)
        except BrokenProcessPool:
            logger.error("The Smart Turn process died; going on in a thread for a while")
            self._shut_down()
            self._own_process, self._trusted_at = False, self._clock() + REST_S
            return self._ready_executor().submit(_probability, pcm)

    def _answer(self, answer: Future[float], made: Future[tuple[float, float]]) -> None:
        """Ask for the next verdict, and hand this one on."""
        failed = made.cancelled() or made.exception() is not None
        with self._lock:
            self._thinking = False
            if not failed:
                _, self._takes_s = made.result()
                if self._may_move and not self._own_process:  # else nobody asks, and it would grow for ever
                    self._spent.append((self._clock(), self._takes_s))
            self._go_on()
        if failed:
            answer.set_exception(NoVerdict("the model has failed, or was closed"))
        else:
            answer.set_result(made.result()[0])

    @property
    def waiting(self) -> int:
        """Questions that somebody waits for."""
        with self._lock:
            return self._thinking + sum(not question.answer.cancelled() for question in self._questions)

    # Where it runs

    def _ready_executor(self) -> Executor:
        if self._executor is None:
            self._executor = _process() if self._own_process else _thread()
        return self._executor

    @property
    def _share(self) -> float:
        """Share of a core that verdicts have taken lately."""
        oldest = self._clock() - SHARE_OVER_S
        while self._spent and self._spent[0][0] < oldest:
            self._spent.popleft()
        return sum(took_s for _, took_s in tuple(self._spent)) / SHARE_OVER_S

    def _move_when_ready(self) -> None:
        """Begin a process when there is much to do, and go over to it once its model is loaded."""
        if self._next is not None:
            process, warm = self._next
            if warm.done():
                self._next = None
                if error := warm.exception():
                    logger.error("No process for ends of turns, they stay in a thread: {}", type(error).__name__)
                    process.shutdown(wait=False)
                    self._trusted_at = self._clock() + REST_S
                    return
                if self._executor is not None:
                    self._executor.shutdown(wait=False)  # What it has been asked it still answers.
                self._executor, self._own_process = process, True
                logger.info("Ends of turns are found by a process of its own from now on")
        elif (
            self._may_move
            and not self._own_process
            and self._clock() >= self._trusted_at
            and (self._wanted or self._share > APART_SHARE)
        ):
            process = _process()
            self._next = process, process.submit(_probability, bytes(SAMPLE_RATE * 2))

    def close(self) -> None:
        """Stop the process or thread; questions still waiting are dropped."""
        with self._lock:
            for question in self._questions:
                question.answer.cancel()
            self._questions.clear()
            self._thinking = False
            self._shut_down()

    def _shut_down(self) -> None:
        executors = [self._executor, self._next[0] if self._next else None]
        self._executor = self._next = None
        for executor in executors:
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=_Context(), initializer=_load_in_process)


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="smart-turn", initializer=_load_in_thread)
