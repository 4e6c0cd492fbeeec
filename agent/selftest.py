"""A turn without a microphone: a sentence is spoken, recognised and answered by the chosen vendors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from core.clock import monotonic_s
from core.settings import Settings
from core.tasks import spawn
from pipelines.build import AUDIO_IN_HZ
from providers import catalog
from providers.base import Brief, Kind

F = TypeVar("F", bound=Frame)

SENTENCE = "What can you do?"
STEP_TIMEOUT_S = 20.0
CHUNK_BYTES = AUDIO_IN_HZ // 50 * 2  # 20 ms of 16-bit mono.
SILENCE_S = 0.4


@dataclass(frozen=True, slots=True)
class Step:
    """What one vendor did, in words and seconds."""

    kind: Kind
    provider: str
    ok: bool
    found: str
    took_s: float


async def loop(settings: Settings, brief: Brief) -> list[Step]:
    """Speak a sentence, recognise what was spoken, and answer the sentence."""
    steps: list[Step] = []

    started = monotonic_s()
    heard = await _run(
        catalog.make(settings, "tts", brief), [TTSSpeakFrame(SENTENCE)], TTSAudioRawFrame, TTSStoppedFrame
    )
    audio = b"".join(frame.audio for frame in heard)
    length_s = len(audio) / 2 / AUDIO_IN_HZ
    steps.append(_step(settings, "tts", bool(audio), f"spoke {length_s:.1f} s of audio", started))

    started = monotonic_s()
    silence = bytes(int(SILENCE_S * AUDIO_IN_HZ) * 2)
    padded = silence + audio + silence
    chunks = [
        InputAudioRawFrame(audio=padded[i : i + CHUNK_BYTES], sample_rate=AUDIO_IN_HZ, num_channels=1)
        for i in range(0, len(padded) - CHUNK_BYTES + 1, CHUNK_BYTES)
    ]
    frames = [*chunks[:5], VADUserStartedSpeakingFrame(), *chunks[5:], VADUserStoppedSpeakingFrame()]
    recognised = await _run(catalog.make(settings, "stt", brief), frames, TranscriptionFrame, TranscriptionFrame)
    text = " ".join(frame.text for frame in recognised)
    steps.append(_step(settings, "stt", bool(text), f"heard {text!r} for {SENTENCE!r}", started))

    started = monotonic_s()
    context = LLMContext(messages=[{"role": "user", "content": SENTENCE}])
    said = await _run(
        catalog.make(settings, "llm", brief), [LLMContextFrame(context)], LLMTextFrame, LLMFullResponseEndFrame
    )
    answer = "".join(frame.text for frame in said).strip()
    steps.append(_step(settings, "llm", bool(answer), f"answered {answer!r}", started))
    return steps


def _step(settings: Settings, kind: Kind, ok: bool, found: str, started: float) -> Step:
    return Step(kind, catalog.choose(settings, kind).name, ok, found, monotonic_s() - started)


async def _run(service: FrameProcessor, frames: Sequence[Frame], wanted: type[F], last: type[Frame]) -> list[F]:
    """Push `frames` through one service; the `wanted` frames it makes, until one of type `last`."""
    listener = _Listener(service, wanted, last)
    worker = PipelineWorker(
        Pipeline([service]),
        params=PipelineParams(audio_in_sample_rate=AUDIO_IN_HZ, audio_out_sample_rate=AUDIO_IN_HZ),
        enable_rtvi=False,
        idle_timeout_secs=None,
        observers=[listener],
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = spawn(runner.run(), owner="self-test")
    try:
        await worker.queue_frames(frames)
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await listener.done.wait()
        await worker.queue_frame(EndFrame())
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await asyncio.shield(running)
    except TimeoutError:
        await runner.cancel("self-test timed out")
    finally:
        await running
    return listener.found


class _Listener(BaseObserver, Generic[F]):
    """Collects what one service pushes."""

    def __init__(self, service: FrameProcessor, wanted: type[F], last: type[Frame]) -> None:
        super().__init__(observe_every_push=True)  # a chain hands on what the service in it has pushed
        self._service = service
        self._wanted = wanted
        self._last = last
        self.found: list[F] = []
        self.done = asyncio.Event()

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.source is not self._service:
            return
        if isinstance(data.frame, self._wanted):
            self.found.append(data.frame)
        if isinstance(data.frame, self._last):
            self.done.set()
