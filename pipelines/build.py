"""The pipeline of a call: one literal list, read top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserIdleTimeoutUpdateFrame,
)
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMUserAggregator,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi.observer import RTVIObserverParams
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.tracing.tracing_context import TracingContext

from core.tasks import spawn
from pipelines.base import AgentType
from pipelines.gate import ClaimGate
from pipelines.lines import Lines, lines
from pipelines.listening import Listening
from pipelines.teller import Teller
from pipelines.tools import END_CALL, ToolDesk, schemas
from pipelines.turns import UserAggregator
from pipelines.voice import RATE, SileroVAD

AUDIO_IN_HZ = RATE
AUDIO_OUT_HZ = 24_000

SECOND_SILENCE = 0.75
"""The silence after "Are you still there?" that is borne, as a share of the first."""

LEAVE_S = 3.0
"""From the end of the farewell to the end of the call: whoever was about to speak or to type still can."""


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
    hear: Callable[[bytes], None]
    """Takes 32 ms of the caller's sound beside the pipeline; see `pipelines.listening`."""
    caller_acted: Callable[[], None]
    """To be told of a turn that was not spoken, such as a typed one."""
    caller_present: Callable[[], None]
    """To be told of signs that somebody is there, such as a text being typed or a page being read."""

    @property
    def traces(self) -> TracingContext | None:
        """Where spans of this conversation belong now, if they are made."""
        return self.user.processor_setup.tracing_context

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
    traced: bool = False,
) -> Conversation:
    """Build one call's pipeline.

    Args:
        agent: What the agent says and can do.
        services: Its speech and language services.
        transport_in: Where the caller comes in; their sound may also come by `Conversation.hear`.
        transport_out: Where the agent's audio goes.
        turns: Voice activity detector and turn strategies of this call.
        desk: Carries out the tool requests.
        teller: Settles what needs the caller's own word.
        idle_prompt_s: Silence before the agent asks whether anyone is there; after another one it takes leave.
        rtvi: The guarded protocol processor that talks with the page.
        rtvi_params: What the page is told.
        call_id: The call, for logs and traces.
        ending: Told the reason ("agent_ended", "silence") when the pipeline is about to end by itself.
        observers: Listeners beside the pipeline.
        traced: Whether spans are made of it; they hold what is said until `core.tracing` takes that out.
    """
    vad, turn_strategies = turns
    context = LLMContext(tools=schemas(agent.tools))
    user = UserAggregator(context, vad=vad, strategies=turn_strategies, idle_timeout_s=idle_prompt_s)
    assistant = LLMAssistantAggregator(context)
    listening = Listening(hush=teller.hush, user=user, stt=services.stt)

    pipeline = Pipeline(
        [
            transport_in,
            teller.hush,
            services.stt,
            user,
            listening,
            teller,
            services.llm,
            ClaimGate(desk),
            services.tts,
            transport_out,
            teller.played,
            assistant,
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
        enable_tracing=traced,
        enable_turn_tracking=traced,
        additional_span_attributes={"parley.agent_type": agent.id},
        idle_timeout_secs=None,  # Silence is the idle prompt's business, a dead line the watchdog's.
        processor_unusable_policy=ProcessorUnusablePolicy.END,
        rtvi_processor=rtvi,
        rtvi_observer_params=rtvi_params,
        observers=list(observers),
    )
    worker._observer = _Observers(observers=worker._observer._observers)
    patience = _Patience(worker, desk, teller, idle_prompt_s, ending, lines(agent.language))
    patience.listen(user)
    conversation = Conversation(
        worker=worker,
        user=user,
        assistant=assistant,
        hear=listening.hear,
        caller_acted=patience.renew,
        caller_present=patience.note_presence,
    )
    _register_tools(services.llm, agent, desk, conversation, ending)
    return conversation


class _Observers(WorkerObserver):
    """pipecat tells every observer of every frame twice at every processor, which costs more than the processors.

    None of ours wants to know of the second time, nor of sound that is on its way out.
    """

    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Keep it to oneself."""

    async def on_push_frame(self, data: FramePushed) -> None:
        """Tell of what may matter."""
        if not isinstance(data.frame, OutputAudioRawFrame) or isinstance(data.frame, TTSAudioRawFrame):
            await super().on_push_frame(data)


class _Patience:
    """How long a silence is borne: it is asked about, then leave is taken, then the call ends.

    Whatever the caller does before the line closes starts it anew, even during the farewell.
    """

    def __init__(
        self,
        worker: PipelineWorker,
        desk: ToolDesk,
        teller: Teller,
        idle_prompt_s: float,
        ending: Callable[[str], None],
        lines: Lines,
    ) -> None:
        self._worker = worker
        self._desk = desk
        self._teller = teller
        self._idle_prompt_s = idle_prompt_s
        self._ending = ending
        self._lines = lines
        self._unanswered = 0
        self._over = False

    def listen(self, user: LLMUserAggregator) -> None:
        """Act on the caller's silences and turns."""

        @user.event_handler("on_user_turn_idle")
        async def on_user_turn_idle(_aggregator: LLMUserAggregator) -> None:
            await self._silence()

        @user.event_handler("on_user_turn_started")
        async def on_user_turn_started(_aggregator: LLMUserAggregator, _strategy: object) -> None:
            self.renew()

    def renew(self) -> None:
        """The caller has begun a turn."""
        self._desk.new_turn()
        self._start_anew()

    def note_presence(self) -> None:
        """The caller is there, though they have nothing to say yet."""
        if self._unanswered == 2 and not self._over:
            # They have been told goodbye.
            self._queue(TTSSpeakFrame(self._lines.staying))
        self._start_anew()

    def _start_anew(self) -> None:
        self._unanswered = 0
        self._queue(UserIdleTimeoutUpdateFrame(timeout=self._idle_prompt_s))

    async def _silence(self) -> None:
        if self._teller.asking_code:
            return  # They are typing; the code's own time runs out.
        self._unanswered += 1
        match self._unanswered:
            case 1:
                await self._say(self._lines.still_there, then_bear_s=self._idle_prompt_s * SECOND_SILENCE)
            case 2:
                await self._say(self._lines.taking_leave, then_bear_s=LEAVE_S)
            case _ if not self._over:
                self._over = True
                self._ending("silence")
                await self._worker.queue_frame(EndFrame())

    async def _say(self, text: str, *, then_bear_s: float) -> None:
        # The time is set first: it runs already should the voice fail, and starts anew when it has spoken.
        await self._worker.queue_frames([UserIdleTimeoutUpdateFrame(timeout=then_bear_s), TTSSpeakFrame(text)])

    def _queue(self, frame: Frame) -> None:
        spawn(self._worker.queue_frame(frame), owner="patience")


def _register_tools(
    llm: LLMService, agent: AgentType, desk: ToolDesk, conversation: Conversation, ending: Callable[[str], None]
) -> None:
    for tool in agent.tools:
        llm.register_function(tool.name, desk.handler(tool), cancel_on_interruption=not tool.writes)

    async def end_call(_params: FunctionCallParams) -> None:
        ending("agent_ended")
        await conversation.end()

    llm.register_function(END_CALL, end_call, cancel_on_interruption=False)
