"""A pipeline around one voice, without a loudspeaker: what it says, remembers and reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMAssistantAggregator,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

SAMPLE_RATE = 24_000


class Tap(FrameProcessor):
    """Sees every frame that passes, with the time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, Frame]] = []
        self.changed = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        async with self.changed:
            self.seen.append((asyncio.get_running_loop().time(), frame))
            self.changed.notify_all()
        await self.push_frame(frame, direction)


class Listening:
    """The voice at work.

    Attributes:
        started_s: How long the pipeline took to start.
    """

    def __init__(self, service: TTSService) -> None:
        self.service = service
        self.started_s = 0.0
        self.context = LLMContext()
        self._above, self._below = Tap(), Tap()
        self._turns: asyncio.Queue[str] = asyncio.Queue()
        assistant = LLMAssistantAggregator(self.context)

        @assistant.event_handler("on_assistant_turn_stopped")
        async def on_turn_stopped(_: object, turn: AssistantTurnStoppedMessage) -> None:
            self._turns.put_nowait(turn.content)

        self.worker = PipelineWorker(
            Pipeline([self._above, service, self._below, assistant]),
            params=PipelineParams(audio_out_sample_rate=SAMPLE_RATE, enable_metrics=True),
            enable_rtvi=False,
        )

    async def reply(self, *pieces: str) -> None:
        """Have a reply spoken, written piece by piece."""
        await self.write(*pieces)
        await self.worker.queue_frame(LLMFullResponseEndFrame())

    async def write(self, *pieces: str) -> None:
        """Begin a reply."""
        await self.worker.queue_frames([LLMFullResponseStartFrame(), *map(LLMTextFrame, pieces)])

    async def say(self, text: str) -> None:
        await self.worker.queue_frame(TTSSpeakFrame(text))

    async def interrupt(self) -> None:
        """Fall in; done when what comes out is silent."""
        await self.worker.queue_frame(InterruptionFrame())
        await self.until(lambda: self.of(InterruptionFrame))

    async def until(self, check: Callable[[], object]) -> None:
        """Wait until what was seen is enough."""
        async with asyncio.timeout(10), self._below.changed:
            await self._below.changed.wait_for(check)

    async def ended(self, replies: int = 1) -> None:
        """Wait for the ends of that many replies."""
        await self.until(lambda: len(self.of(LLMFullResponseEndFrame)) >= replies)

    async def failed(self, errors: int = 1) -> tuple[float, ErrorFrame]:
        """When an error was reported and what it says; waits for the `errors`th."""
        async with asyncio.timeout(10), self._above.changed:
            await self._above.changed.wait_for(lambda: len(self.errors) >= errors)
        return [(at, frame) for at, frame in self._above.seen if isinstance(frame, ErrorFrame)][errors - 1]

    @property
    def errors(self) -> list[ErrorFrame]:
        """What was reported."""
        return [frame for _, frame in self._above.seen if isinstance(frame, ErrorFrame)]

    @property
    def seen(self) -> list[Frame]:
        """What came out."""
        return [frame for _, frame in self._below.seen]

    @property
    def sound(self) -> bytes:
        """All that could be heard."""
        return b"".join(frame.audio for frame in self.of(TTSAudioRawFrame))

    @property
    def words(self) -> list[str]:
        """What is said to have been heard."""
        return [frame.text for frame in self.of(TTSTextFrame)]

    def at(self, kind: type[Frame]) -> list[float]:
        """When frames of a kind came out."""
        return [at for at, frame in self._below.seen if isinstance(frame, kind)]

    def of(self, kind: type[Any]) -> list[Any]:
        return [frame for _, frame in self._below.seen if isinstance(frame, kind)]

    def contexts(self, frames: list[Frame]) -> list[str]:
        """The contexts that sound belongs to, in order."""
        return list(dict.fromkeys(frame.context_id or "" for frame in frames if isinstance(frame, TTSAudioRawFrame)))

    async def remembered(self) -> str:
        """What the language model will know that it has said in the next turn that ends."""
        return await asyncio.wait_for(self._turns.get(), 10)

    def clear(self) -> None:
        """Forget what was seen."""
        self._below.seen.clear()


@asynccontextmanager
async def listening(service: TTSService) -> AsyncIterator[Listening]:
    """Run the pipeline; afterwards it leaves no task of its own."""
    before = asyncio.all_tasks()
    heard = Listening(service)
    started = asyncio.Event()

    @heard.worker.event_handler("on_pipeline_started")
    async def on_started(*_: object) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(heard.worker)
    now = asyncio.get_running_loop().time
    asked = now()
    running = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(started.wait(), 10)
        heard.started_s = now() - asked
        yield heard
    finally:
        await heard.worker.cancel()
        await asyncio.wait_for(running, 10)
        await asyncio.sleep(0)
    left = [task.get_name() for task in asyncio.all_tasks() - before if service.name in task.get_name()]
    assert not left, left
