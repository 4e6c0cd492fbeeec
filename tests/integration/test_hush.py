"""While a code is asked for, nobody hears the caller: neither who gets sound by direct call, nor who waits for it."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.frames.frames import Frame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.workers.runner import WorkerRunner

from pipelines.keypad import Hush
from pipelines.listening import MAX_WINDOWS, Listening
from pipelines.smart_turn import SmartTurnModel
from pipelines.turns import UserAggregator, strategies
from pipelines.voice import RATE, TOGETHER_FROM, WINDOW, WINDOW_BYTES, SileroVAD

AUDIO = Path(__file__).resolve().parents[1] / "audio"
SILENCE = bytes(WINDOW_BYTES)
SPOKEN = np.random.default_rng(1).integers(-8_000, 8_000, WINDOW).astype(np.int16).tobytes()


class SlowRecogniser(STTService):
    """Takes one window whenever it is let, and keeps what it has heard."""

    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=0.2, settings=STTSettings(model=None, language=None))
        self.heard: list[bytes] = []
        self.may = asyncio.Semaphore(0)
        self.took = asyncio.Condition()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        await self.may.acquire()
        async with self.took:
            self.heard.append(audio)
            self.took.notify_all()
        return
        yield

    async def hears(self, count: int) -> list[bytes]:
        """Let it hear so many windows in all."""
        for _ in range(count - len(self.heard)):
            self.may.release()
        async with asyncio.timeout(10), self.took:
            await self.took.wait_for(lambda: len(self.heard) >= count)
        return self.heard


@dataclass
class Line:
    hush: Hush
    recogniser: SlowRecogniser
    listening: Listening
    vad: SileroVAD
    recorded: list[bytes]


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    """The part of a call's pipeline that hears the caller."""
    model = SmartTurnModel(own_process=False)
    vad, turns = strategies(model)
    hush, recogniser, recorded = Hush(), SlowRecogniser(), []
    user = UserAggregator(LLMContext(), vad=vad, strategies=turns, idle_timeout_s=60)
    listening = Listening(hush=hush, user=user, stt=recogniser, also=[recorded.append])
    worker = PipelineWorker(
        Pipeline([hush, recogniser, user, listening]),
        params=PipelineParams(audio_in_sample_rate=RATE),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(*_: object) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(10):
            await started.wait()
        yield Line(hush, recogniser, listening, vad, recorded)
    finally:
        await runner.cancel("over")
        await running
        model.close()


async def test_whoever_listens_hears_silence() -> None:
    async with line() as call:
        call.listening.hear(SPOKEN)
        call.hush.on = True
        for _ in range(3):
            call.listening.hear(SPOKEN)
        call.hush.on = False
        call.listening.hear(SPOKEN)
        expected = [SPOKEN, SILENCE, SILENCE, SILENCE, SPOKEN]
        assert call.recorded == expected
        assert await call.recogniser.hears(5) == expected


async def test_what_waits_for_the_recogniser_is_silenced_too() -> None:
    """A slow recogniser is behind; what was said just before a code was asked for may already be part of it."""
    async with line() as call:
        for _ in range(5):
            call.listening.hear(SPOKEN)
        await call.recogniser.hears(1)
        call.hush.on = True
        heard = await call.recogniser.hears(5)
        assert heard[0] == SPOKEN
        assert heard[2:] == [SILENCE] * 3, "only what it has already been given is heard"


async def test_what_was_silenced_stays_silent_when_the_code_is_there() -> None:
    async with line() as call:
        call.hush.on = True
        for _ in range(5):
            call.listening.hear(SPOKEN)
        call.hush.on = False
        assert await call.recogniser.hears(5) == [SILENCE] * 5


async def test_what_waits_is_bounded() -> None:
    async with line() as call:
        for _ in range(MAX_WINDOWS * 2):
            call.listening.hear(SPOKEN)
        assert call.listening._windows.qsize() <= MAX_WINDOWS


@pytest.mark.parametrize("calls", [1, TOGETHER_FROM])
@pytest.mark.parametrize("hushed", [False, True])
async def test_voice_activity_hears_no_voice(calls: int, hushed: bool) -> None:
    """Also where the windows of many calls are scored together: one that waits when the hush begins was said before."""
    async with line() as call:
        others = [SileroVAD() for _ in range(calls - 1)]
        for other in others:
            other.set_sample_rate(RATE)
            other.hear(SPOKEN, lambda _: None)
        states = set()
        first, *rest = speech()
        call.listening.hear(first)
        call.hush.on = hushed
        for window in rest:
            call.listening.hear(window)
            states.add(call.vad._vad_state)
        assert (VADState.SPEAKING in states) is not hushed
        for other in others:
            await other.cleanup()


def speech() -> list[bytes]:
    """A second of somebody speaking."""
    with wave.open(str(AUDIO / "balance.wav")) as file:
        assert file.getframerate() == RATE
        sound = file.readframes(RATE)
    return [sound[at : at + WINDOW_BYTES] for at in range(0, len(sound) - WINDOW_BYTES + 1, WINDOW_BYTES)]
