"""A pipeline around one language model, without its audio: what it says, does and reports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.workers.runner import WorkerRunner

BALANCE, BRANCH = "get_balance", "get_branch"


class Talking(BaseObserver):
    """The language model at work.

    Attributes:
        text: What it said, piece by piece.
        errors: What it reported.
        usage: What it counted.
        tools: Which tools it called, with what.
        log: Every line logged meanwhile, whatever its level.
    """

    def __init__(self, llm: LLMService, context: LLMContext) -> None:
        super().__init__()
        self.llm = llm
        self.context = context
        self.text: list[str] = []
        self.errors: list[ErrorFrame] = []
        self.usage: list[LLMTokenUsage] = []
        self.tools: list[tuple[str, dict[str, Any]]] = []
        self.log: list[str] = []
        self.ended = False
        self._turns_ended = 0
        self._changed = asyncio.Condition()
        pair = LLMContextAggregatorPair(context)
        self.worker = PipelineWorker(
            Pipeline([pair.user(), llm, pair.assistant()]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            observers=[self],
            processor_unusable_policy=ProcessorUnusablePolicy.END,  # as in a call
        )

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.source is self.llm:
            self._hear(data.frame)
        async with self._changed:
            self._changed.notify_all()

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, LLMTextFrame):
            self.text.append(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.errors.append(frame)
        elif isinstance(frame, MetricsFrame):
            self.usage += [metric.value for metric in frame.data if isinstance(metric, LLMUsageMetricsData)]
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._turns_ended += 1

    async def until(self, check: Callable[[], object]) -> None:
        """Wait for something to come out."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(check)

    async def begin(self, text: str | None = None) -> None:
        """Put a turn to the model; what the caller says, or what stands in the context already."""
        if text is not None:
            self.context.add_message({"role": "user", "content": text})
        await self.worker.queue_frame(LLMRunFrame())

    async def turn(self, text: str | None = None, *, answers: int = 1) -> str:
        """Put a turn to the model and wait for so many answers of it; what it said to this turn."""
        said, ended = len(self.text), self._turns_ended
        await self.begin(text)
        await self.until(lambda: self._turns_ended >= ended + answers)
        return "".join(self.text[said:])

    async def remembered(self, text: str) -> None:
        """Wait until something the model said stands in the context."""
        said = {"role": "assistant", "content": text}
        await self.until(lambda: self.context.get_messages()[-1] == said)

    async def interrupt(self) -> None:
        """Speak over the answer, and wait for its end."""
        ended = self._turns_ended
        await self.worker.queue_frame(InterruptionFrame())
        await self.until(lambda: self._turns_ended > ended)


@asynccontextmanager
async def talking(llm: LLMService, *, tools: bool = True, said: str = "What is my balance?") -> AsyncIterator[Talking]:
    """A conversation that has begun with what the caller said, and two tools that can be called."""
    schemas = [
        FunctionSchema(name=name, description=name, properties={"account": {"type": "string"}}, required=[])
        for name in (BALANCE, BRANCH)
    ]
    context = LLMContext([{"role": "user", "content": said}] if said else [])
    if tools:
        context.set_tools(ToolsSchema(standard_tools=[*schemas]))
    talk = Talking(llm, context)

    async def run(params: FunctionCallParams) -> None:
        talk.tools.append((params.function_name, dict(params.arguments)))
        await params.result_callback({"say": f"{params.function_name} done"})

    for schema in schemas:
        llm.register_function(schema.name, run)
    sink = logger.add(lambda line: talk.log.append(str(line)), level="TRACE")
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(talk.worker)
    running = asyncio.create_task(runner.run())
    running.add_done_callback(lambda _: setattr(talk, "ended", True))
    try:
        yield talk
    finally:
        await talk.worker.cancel()
        await asyncio.wait_for(running, 10)
        logger.remove(sink)


@contextmanager
def unanswered(*, full: bool) -> Iterator[int]:
    """A port at which nobody answers: with a full queue not even the call, else what is said once it is taken."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0 if full else 10))
        for _ in range(3 if full else 0):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
