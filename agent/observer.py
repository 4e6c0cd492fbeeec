"""What a call uses and how quickly it answers, heard beside its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipecat.frames.frames import (
    AudioRawFrame,
    BotStartedSpeakingFrame,
    Frame,
    LLMContextUserTurnFrame,
    LLMMessagesAppendFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    MetricsData,
    STTUsageMetricsData,
    TTSUsageMetricsData,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.observers.user_bot_latency_observer import LatencyBreakdown, MeasuredFrom, UserBotLatencyObserver
from pipecat.processors.frame_processor import FrameDirection
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor

from calls.answers import STAGES, Timing
from calls.costs import Usage
from providers import catalog
from providers.base import Kind, Prices

_STAGE_OF = {
    "endpointing_wait": "endpointing",
    "transcription": "transcription",
    "turn_detection": "turn",
    "turn_completion": "turn",
    "waiting_for_user": "turn",
    "llm_inference": "llm",
    "llm_tool_call": "llm",
    "awaiting_speakable_text": "llm",
    "function_handler": "tool",
    "sentence_aggregation": "sentence",
    "speech_synthesis": "tts",
    "output_transport": "output",
}
"""Our stages by the keys of pipecat's contributions; the rest is `other`."""


class CallObserver(UserBotLatencyObserver):
    """Listens beside one call's pipeline and tells what is for the record.

    pipecat measures from the caller's silence to the agent's first sound, whatever that answers. Here only the answer
    to a turn that was understood counts, and the greeting: not the words after a cough, and not the answer to a typed
    turn, whose waiting began elsewhere.

    Args:
        providers: Who hears, thinks and speaks in this call.
        voice: The name of the voice's processor.
        answered: Told each answer's timing.
        used: Told the new total whenever something was used.
        typed: Told what the caller typed; speech is heard through the aggregator.
    """

    def __init__(
        self,
        *,
        providers: Mapping[Kind, str],
        voice: str,
        answered: Callable[[Timing], None],
        used: Callable[[Usage], None],
        typed: Callable[[str], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(min_contribution_secs=0, **kwargs)
        self._voice = voice
        self._answered = answered
        self._used = used
        self._typed = typed
        self._totals = {kind: _Total(kind, name, catalog.load(name).PRICES) for kind, name in providers.items()}
        self._silent_at: float | None = None
        self._understood = False
        self._spoken = False
        self._measuring_what: str | None = None
        self._latency_s = 0.0
        self.add_event_handler("on_latency_measured", self._on_latency)
        self.add_event_handler("on_latency_breakdown", self._on_breakdown)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Take what is for the record; sound costs one look."""
        frame = data.frame
        if isinstance(frame, AudioRawFrame) and not isinstance(frame, TTSAudioRawFrame):
            return
        if isinstance(frame, MetricsFrame):
            for metric in frame.data:
                self._count(metric)
        elif isinstance(frame, LLMMessagesAppendFrame):
            self._hear_typing(frame, data.source)
        elif data.direction is FrameDirection.DOWNSTREAM:
            self._follow(frame)
        await super().on_push_frame(data)

    # Answers

    def _follow(self, frame: Frame) -> None:
        """Keep track of what the next sound of the agent would answer."""
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._understood = False
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._silent_at = frame.timestamp - frame.stop_secs
        elif isinstance(frame, LLMContextUserTurnFrame):
            self._understood = True
        elif isinstance(frame, BotStartedSpeakingFrame):
            self._measuring_what = "turn" if self._understood else None if self._spoken else "greeting"
            self._understood, self._spoken = False, True

    def _hear_typing(self, frame: LLMMessagesAppendFrame, source: object) -> None:
        if not isinstance(source, RTVIProcessor):
            return
        self._understood, self._spoken = False, True  # from now on nothing that is said is a mere greeting
        for message in frame.messages:
            content = message.get("content") if isinstance(message, dict) else None
            if isinstance(content, str):
                self._typed(content)

    async def _on_latency(self, _observer: object, latency_s: float) -> None:
        self._latency_s = latency_s

    async def _on_breakdown(self, _observer: object, breakdown: LatencyBreakdown) -> None:
        what, self._measuring_what = self._measuring_what, None
        if what == "turn" and breakdown.measured_from is MeasuredFrom.USER_SILENCE:
            self._answer(breakdown.contributions[0].start_time, stages_of(breakdown, voice=self._voice))
        elif what == "turn" and self._silent_at is not None:
            # An interruption after the silence (a transcript that came late) made pipecat forget the moments.
            self._answer(self._silent_at, {"other": round(self._latency_s * 1000)})
        elif what == "greeting" and breakdown.measured_from is MeasuredFrom.CLIENT_CONNECTED:
            start = breakdown.contributions[0].start_time
            self._answer(start, stages_of(breakdown, voice=self._voice), greeting=True)

    def _answer(self, start: float, stages: Mapping[str, int], *, greeting: bool = False) -> None:
        self._answered(Timing(at=datetime.fromtimestamp(start, UTC), stages=stages, greeting=greeting))

    # Usage

    def _count(self, metric: MetricsData) -> None:
        if isinstance(metric, STTUsageMetricsData):
            total = self._totals["stt"]
            total.audio_s += metric.value.audio_seconds
        elif isinstance(metric, LLMUsageMetricsData):
            total = self._totals["llm"]
            total.add_tokens(metric.value)
        elif isinstance(metric, TTSUsageMetricsData):
            total = self._totals["tts"]
            total.characters += metric.value
        else:
            return
        total.model = metric.model or total.model
        self._used(total.usage())


def stages_of(breakdown: LatencyBreakdown, *, voice: str) -> dict[str, int]:
    """The contributions of a breakdown as milliseconds by `STAGES`; they sum to the measured time, rounded.

    Args:
        voice: The name of the voice's processor.
    """
    seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
    for contribution in breakdown.contributions:
        seconds[_STAGE_OF.get(contribution.key, "other")] += contribution.duration_secs

    def take(stage: str, known: float) -> None:
        """Name a part of the rest."""
        if not seconds[stage]:
            seconds[stage] = min(max(known, 0.0), seconds["other"])
            seconds["other"] -= seconds[stage]

    # Contributions are named by what stands at both their ends, and pipecat expects a model there. Where the server
    # speaks for itself (the greeting, what became of a transfer), what else it has measured tells some of the rest.
    if breakdown.measured_from is MeasuredFrom.USER_SILENCE and breakdown.user_turn_secs is not None:
        take("turn", breakdown.user_turn_secs - seconds["endpointing"] - seconds["transcription"])
    take("tts", next((ttfb.duration_secs for ttfb in breakdown.ttfb if ttfb.processor == voice), 0.0))

    stages, so_far, rounded = {}, 0.0, 0
    for stage in STAGES:
        so_far += seconds[stage]
        stages[stage] = round(so_far * 1000) - rounded
        rounded += stages[stage]
    return stages


@dataclass(slots=True)
class _Total:
    """What a call has used of one vendor so far."""

    kind: Kind
    provider: str
    prices: Prices
    model: str | None = None
    audio_s: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0

    def add_tokens(self, tokens: LLMTokenUsage) -> None:
        # Vendors count what was cached among the prompt's tokens or beside them; in the total it always is.
        self.input_tokens += max(tokens.prompt_tokens, tokens.total_tokens - tokens.completion_tokens)
        self.cached_tokens += tokens.cache_read_input_tokens or 0
        self.output_tokens += tokens.completion_tokens

    def usage(self) -> Usage:
        amounts = {
            "audio_ms": round(self.audio_s * 1000),
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "characters": self.characters,
        }
        return Usage(self.kind, self.provider, self.model, **amounts, cost_micros=self.prices.micros(**amounts))
