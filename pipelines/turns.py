"""When a caller's turn starts and ends: voice activity and Smart Turn, over models that all calls of a process share.

pipecat builds one ONNX session per analyzer, i.e. two per call; here every call asks the same two sessions and keeps
only its own state, which saves memory per call and most of the time a call takes to connect.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt
from loguru import logger
from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.audio.vad.vad_controller import VADController
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    InterruptionFrame,
    STTMetadataFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import MetricsData, TurnMetricsData
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from core import metrics
from core.clock import monotonic_s
from core.fit import require_fit, unset
from pipelines.smart_turn import MAX_SAMPLES, NoVerdict, SmartTurnModel
from pipelines.voice import RATE, WINDOW, SileroVAD

STOP_S = 1.3
"""Silence that ends a turn Smart Turn took for unfinished; pipecat's 3 s feel like a dead line."""

VERDICT_DEADLINE_S = 0.15
"""A verdict later than this after the end of speech (it was asked a tenth of a second before) is not worth waiting for:
the silence itself then decides. It happens when many callers fall silent at once."""

SPECULATE_AFTER_WINDOWS = 3
"""Silent 32 ms windows (of the six that end speech) after which Smart Turn is asked ahead of time; one less for each
question that waits already, down to the first. A question withdrawn before its turn costs nothing."""

MAX_CHUNKS = 800
"""Kept of a turn: what the model takes, in pieces of 10 ms."""

UNSURE = (0.3, 0.8)
"""A verdict asked ahead of time is asked again on the whole tail when its probability lies in here."""


late_verdicts: Counter[str] = Counter()
"""Ends of turns since the process started that did not wait for Smart Turn, by cause."""

_waits_s: deque[float] = deque(maxlen=200)


def verdict_wait_s() -> float:
    """95th percentile of how long the latest ends of turns have waited for Smart Turn."""
    return sorted(_waits_s)[len(_waits_s) * 19 // 20] if _waits_s else 0.0


class SmartTurnAnalyzer(BaseSmartTurn):
    """Smart Turn over the shared model, asked inside the silence that ends speech.

    The question goes out after `SPECULATE_AFTER_WINDOWS` silent windows with the rest of the stop window filled with
    zeros, so that the answer is usually there when the VAD declares the end of speech.
    """

    def __init__(
        self, model: SmartTurnModel, *, stop_s: float = STOP_S, deadline_s: float = VERDICT_DEADLINE_S
    ) -> None:
        super().__init__(params=SmartTurnParams(stop_secs=stop_s))
        self._deadline_s = deadline_s
        self._shared = model
        self._ahead: Future[float] | None = None

    def speculate(self, silent_windows: int, missing_windows: int) -> None:
        """Ask if it is time to, as if `missing_windows` more of silence had been heard."""
        if silent_windows < SPECULATE_AFTER_WINDOWS - self._shared.waiting:
            return
        segment = self._segment() if self._ahead is None else None
        if segment is not None:
            missing = np.zeros(missing_windows * WINDOW, np.int16)
            within_s = len(missing) / RATE + self._deadline_s
            self._ahead = self._shared.ask(np.concatenate([segment, missing]), within_s=within_s)

    def withdraw(self) -> None:
        """Forget the question asked ahead: the caller went on."""
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, MetricsData | None]:
        """The verdict on the turn heard so far."""
        asked_at = monotonic_s()
        ahead, self._ahead = self._ahead, None
        try:
            async with asyncio.timeout(self._deadline_s):
                probability = await self._verdict(ahead)
        except (TimeoutError, NoVerdict) as error:
            late_verdicts[type(error).__name__] += 1
            logger.debug("No verdict of Smart Turn in time; the silence decides")
            self._clear(EndOfTurnState.COMPLETE)
            return EndOfTurnState.COMPLETE, None
        finally:
            _waits_s.append(monotonic_s() - asked_at)
            metrics.verdict_wait_seconds.observe(_waits_s[-1])
        if probability is None:
            return EndOfTurnState.INCOMPLETE, None
        complete = probability > 0.5
        if complete:
            self._clear(EndOfTurnState.COMPLETE)
        return (
            EndOfTurnState.COMPLETE if complete else EndOfTurnState.INCOMPLETE,
            TurnMetricsData(
                processor="SmartTurn",
                is_complete=complete,
                probability=probability,
                e2e_processing_time_ms=(monotonic_s() - asked_at) * 1000,
            ),
        )

    async def _verdict(self, ahead: Future[float] | None) -> float | None:
        if ahead is not None:
            probability = await asyncio.wrap_future(ahead)
            if not UNSURE[0] < probability < UNSURE[1]:
                return probability
        segment = self._segment()
        if segment is None:
            return None
        return await asyncio.wrap_future(self._shared.ask(segment, within_s=self._deadline_s))

    def _segment(self) -> npt.NDArray[np.int16] | None:
        """The latest samples of the current turn, or all with a little of what came before it: what the model takes."""
        start_at = self._speech_start_time - self._params.pre_speech_ms / 1000 - self._vad_start_secs
        chunks, length = deque[npt.NDArray[np.int16]](), 0
        for heard_at, samples in reversed(self._audio_buffer):
            if heard_at < start_at or length >= MAX_SAMPLES:
                break
            chunks.appendleft(samples)
            length += len(samples)
        return np.concatenate(chunks) if chunks else None

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        """Take what was heard next; of a long turn, too, no more is kept than the model takes."""
        state = super().append_audio(buffer, is_speech)
        del self._audio_buffer[:-MAX_CHUNKS]
        return state

    def _clear(self, turn_state: EndOfTurnState) -> None:
        self.withdraw()
        super()._clear(turn_state)

    def _predict_endpoint(self, audio_array: np.ndarray) -> dict[str, float]:
        raise NotImplementedError("The shared model is asked by analyze_end_of_turn")


class SmartTurnStop(TurnAnalyzerUserTurnStopStrategy):
    """Ends a turn by Smart Turn, which hears the caller by direct call."""

    def __init__(self, analyzer: SmartTurnAnalyzer) -> None:
        super().__init__(turn_analyzer=analyzer)
        self._analyzer = analyzer

    def hear(self, window: bytes, *, voice: bool) -> bool:
        """Take the next window; whether the silence after a turn that seemed unfinished has lasted long enough."""
        return self._analyzer.append_audio(window, voice) is EndOfTurnState.COMPLETE

    async def let_silence_decide(self) -> None:
        """The turn is over, whatever Smart Turn thinks."""
        self._turn_complete = True
        await self._maybe_trigger_user_turn_stopped()


def strategies(model: SmartTurnModel) -> tuple[SileroVAD, UserTurnStrategies]:
    """The voice activity detector of one call and its turn strategies: VAD or a transcript starts, Smart Turn ends."""
    turn = SmartTurnAnalyzer(model)
    vad = SileroVAD(falls_silent=turn.speculate, goes_on=turn.withdraw)
    return vad, UserTurnStrategies(stop=[SmartTurnStop(turn)])


class UserAggregator(LLMUserAggregator):
    """pipecat's, whose turns are ruled by our strategies unless the recogniser that serves rules them itself.

    Flux does. A recogniser that takes over need not, and the turn that is open then is ended by ours, which go on with
    it where the other one left it. pipecat lets strategies that were given rule always; left out they would be its own,
    with a model for each call.

    A question that was put to the model on a guess, ahead of the turn's end, is put again when the guess was right but
    its answer is lost: whoever stands behind may have turned it down in that very moment, or something interrupted.
    """

    def __init__(
        self, context: LLMContext, *, vad: SileroVAD, strategies: UserTurnStrategies, idle_timeout_s: float
    ) -> None:
        params = LLMUserAggregatorParams(
            vad_analyzer=vad, user_turn_strategies=strategies, user_idle_timeout=idle_timeout_s
        )
        super().__init__(context, params=params)
        self._vad = vad
        self._ours = strategies
        self._listeners = [strategy for strategy in strategies.stop or [] if isinstance(strategy, SmartTurnStop)]
        self._between_turns: UserTurnStrategies | None = None
        """What rules from the end of this turn on."""
        self._in_turn = False
        self._voice: VADUserStartedSpeakingFrame | None = None
        self._asked = False  # about this turn, or since it
        self._turned_down = False  # the newest guess, by whoever stands behind
        self.add_event_handler("on_user_turn_started", self._turn_starts)
        self.add_event_handler("on_user_turn_stopped", self._turn_stops)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Let a recogniser say who rules; all else is pipecat's."""
        match frame:
            case STTMetadataFrame():
                theirs, frame.user_turn_strategies = frame.user_turn_strategies, None
                await self._serve(theirs or self._ours)
            case VADUserStartedSpeakingFrame():
                self._voice = frame
            case VADUserStoppedSpeakingFrame():
                self._voice = None
            case EagerTranscriptionFrame():
                self._turned_down = False
            case InterruptionFrame():
                await self._forget_guess()
        await super().process_frame(frame, direction)
        if isinstance(frame, EagerEndOfTurnCancelFrame) and direction is FrameDirection.UPSTREAM:
            self._turned_down = True
            await self._ask_again()

    def hear(self, window: bytes) -> None:
        """Take a window of the caller's sound by direct call: what it means for voice and turn travels as frames."""
        voice = self._vad_controller
        assert voice is not None
        voice._last_audio_time = monotonic_s()
        if self._user_turn_controller.user_turn_strategies is self._ours:
            speaking = voice._vad_state is VADState.SPEAKING
            for strategy in self._listeners:
                if strategy.hear(window, voice=speaking):
                    self.create_task(strategy.let_silence_decide())
        self._vad.hear(window, self._voice_is)

    def _voice_is(self, state: VADState) -> None:
        voice = self._vad_controller
        assert voice is not None
        if state is not voice._vad_state and state in (VADState.SPEAKING, VADState.QUIET):
            voice._vad_state = state
            event = "on_speech_started" if state is VADState.SPEAKING else "on_speech_stopped"
            self.create_task(voice._call_event_handler(event))

    async def push_context_frame(self, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Put the question to the model."""
        self._asked = True
        await super().push_context_frame(direction)

    async def _forget_guess(self) -> None:
        """Have no turn end on the answer to a guess that is on its way."""
        await self._user_turn_controller.process_frame(EagerEndOfTurnCancelFrame())

    async def _ask_again(self) -> None:
        """A turn that ended on a guess while that was being turned down has nobody at work on it."""
        if self._turned_down and not self._in_turn and not self._asked:
            self._turned_down = False
            await self.push_context_frame()

    async def _serve(self, strategies: UserTurnStrategies) -> None:
        """Another recogniser serves, which these go with."""
        if not self._in_turn:
            await self._rule(strategies)
            return
        self._between_turns = strategies
        if await self._rule(self._ours):
            for strategy in self._ours.stop or []:
                await strategy.handle_user_turn_started()
                if self._voice is not None:
                    await strategy.process_frame(self._voice)

    async def _rule(self, strategies: UserTurnStrategies) -> bool:
        """Whether that is a change."""
        changed = strategies is not self._user_turn_controller.user_turn_strategies
        if changed:
            if self._in_turn:  # whoever rules now knows nothing of a guess, and asks
                await self.broadcast_frame(EagerEndOfTurnCancelFrame)
            await self._user_turn_controller.update_strategies(strategies)
        return changed

    async def _turn_starts(self, *_: object) -> None:
        self._in_turn, self._asked = True, False

    async def _turn_stops(self, *_: object) -> None:
        self._in_turn = False
        await self._ask_again()
        if self._between_turns is not None:
            strategies, self._between_turns = self._between_turns, None
            await self._rule(strategies)


def verify() -> None:
    """Check that pipecat still has the places that `UserAggregator` takes; call it at start-up.

    Raises:
        RuntimeError: It has not; nobody's turn would begin.
    """
    missing = unset(LLMUserAggregator, "_vad_controller", "_user_turn_controller")
    missing += unset(VADController, "_vad_state", "_last_audio_time")
    missing += [] if hasattr(VADController, "_call_event_handler") else ["_call_event_handler"]
    require_fit("user's turn", "pipecat", missing=missing, file="pipelines/turns.py")
