"""The pipeline of a call: one literal list, read top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, TTSSpeakFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMContextAggregatorPair,
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi.observer import RTVIObserverParams
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from pipelines.base import AgentType
from pipelines.gate import ClaimGate
from pipelines.teller import Teller
from pipelines.tools import END_CALL, ToolDesk, schemas
from pipelines.turns import SileroVAD

AUDIO_IN_HZ = 16_000
AUDIO_OUT_HZ = 24_000

STILL_THERE = "Are you still there?"
TAKING_LEAVE = "I can't hear anyone, so I'll hang up now. Goodbye."


@dataclass(frozen=True, slots=True)
class Services:
    """The speech and language services of one call."""

    stt: FrameProcessor
    llm: LLMService
    tts: FrameProcessor


@dataclass(frozen=True, slots=True)
class Conversation:
    """A built pipeline and the parts of it that a call listens to."""

    worker: PipelineWorker
    user: LLMUserAggregator
    assistant: LLMAssistantAggregator
    caller_acted: Callable[[], None]
    """To be told of whatever the caller does that is not speech, such as typing."""

    async def say(self, text: str) -> None:
        """Speak a sentence of ours, outside the language model."""
        await self.worker.queue_frame(TTSSpeakFrame(text))

    async def end(self, last_words: str = "") -> None:
        """End once everything queued, and then `last_words`, has been spoken."""
        frames = [TTSSpeakFrame(last_words)] if last_words else []
        await self.worker.queue_frames([*frames, EndFrame()])


def build(
    *,
    agent: AgentType,
    services: Services,
    transport_in: FrameProcessor,
    transport_out: FrameProcessor,
    turns: tuple[SileroVAD, UserTurnStrategies],
    desk: ToolDesk,
    teller: Teller,
    idle_prompt_s: float,
    rtvi: RTVIProcessor,
    rtvi_params: RTVIObserverParams,
    call_id: str,
    ending: Callable[[str], None],
    observers: Sequence[BaseObserver] = (),
) -> Conversation:
    """Build one call's pipeline.

    Args:
        agent: What the agent says and can do.
        services: Its speech and language services.
        transport_in: Where the caller's audio comes from.
        transport_out: Where the agent's audio goes.
        turns: Voice activity detector and turn strategies of this call.
        desk: Carries out the tool requests.
        teller: Settles what needs the caller's own word.
        idle_prompt_s: Silence before the agent asks whether anyone is there; a second one ends the call.
        rtvi: The guarded protocol processor that talks with the page.
        rtvi_params: What the page is told.
        call_id: The call, for logs and traces.
        ending: Told the reason ("agent_ended", "silence") when the pipeline is about to end by itself.
        observers: Listeners beside the pipeline.
    """
    vad, turn_strategies = turns
    context = LLMContext(tools=schemas(agent.tools))
    aggregators = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=vad,
            user_turn_strategies=turn_strategies,
            user_idle_timeout=idle_prompt_s,
        ),
    )

    pipeline = Pipeline(
        [
            transport_in,
            teller.hush,
            services.stt,
            aggregators.user(),
            _CallerAudioEndsHere(),
            teller,
            services.llm,
            ClaimGate(desk),
            services.tts,
            transport_out,
            teller.played,
            aggregators.assistant(),
        ]
    )

    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(
            audio_in_sample_rate=AUDIO_IN_HZ,
            audio_out_sample_rate=AUDIO_OUT_HZ,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
        conversation_id=call_id,
        idle_timeout_secs=None,  # Silence is the idle prompt's business, a dead line the watchdog's.
        processor_unusable_policy=ProcessorUnusablePolicy.END,
        rtvi_processor=rtvi,
        rtvi_observer_params=rtvi_params,
        observers=list(observers),
    )
    patience = _Patience(desk)
    conversation = Conversation(
        worker=worker, user=aggregators.user(), assistant=aggregators.assistant(), caller_acted=patience.renew
    )
    _register_tools(services.llm, agent, desk, conversation, ending)
    _ask_when_idle(conversation, patience, teller, ending)
    return conversation


class _Patience:
    """What starts anew whenever the caller does something."""

    def __init__(self, desk: ToolDesk) -> None:
        self._desk = desk
        self.unanswered = 0

    def renew(self) -> None:
        self.unanswered = 0
        self._desk.new_turn()


class _CallerAudioEndsHere(FrameProcessor):
    """Takes the caller's audio out of the pipeline: nothing further down listens to it, and every hop costs."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)


def _register_tools(
    llm: LLMService, agent: AgentType, desk: ToolDesk, conversation: Conversation, ending: Callable[[str], None]
) -> None:
    for tool in agent.tools:
        llm.register_function(tool.name, desk.handler(tool), cancel_on_interruption=not tool.writes)

    async def end_call(_params: FunctionCallParams) -> None:
        ending("agent_ended")
        await conversation.end()

    llm.register_function(END_CALL, end_call, cancel_on_interruption=False)


def _ask_when_idle(
    conversation: Conversation, patience: _Patience, teller: Teller, ending: Callable[[str], None]
) -> None:
    @conversation.user.event_handler("on_user_turn_idle")
    async def on_user_turn_idle(_aggregator: LLMUserAggregator) -> None:
        if teller.asking_code:
            return  # They are typing; the code's own time runs out.
        patience.unanswered += 1
        if patience.unanswered == 1:
            await conversation.say(STILL_THERE)
        elif patience.unanswered == 2:
            ending("silence")
            await conversation.end(TAKING_LEAVE)

    @conversation.user.event_handler("on_user_turn_started")
    async def on_user_turn_started(_aggregator: LLMUserAggregator, _strategy: object) -> None:
        patience.renew()
