"""What a call uses and how quickly it answers, heard beside its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    AudioRawFrame,
    BotStartedSpeakingFrame,
    Frame,
    LLMContextUserTurnFrame,
    LLMMessagesAppendFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    MetricsData,
    STTUsageMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.observers.user_bot_latency_observer import LatencyBreakdown, MeasuredFrom, UserBotLatencyObserver
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor

from calls.answers import STAGES, CallerSide, Timing
from calls.costs import Usage
from core import metrics
from providers import catalog
from providers.base import Kind, Tariff
from providers.chat_completions import EstimatedTokens
from providers.failover.chain import Failover

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
    turn, whose waiting began elsewhere. An answer begins with what bridges the wait for it ("one moment"), though that
    may come before the turn is understood.

    Args:
        providers: Who hears, thinks and speaks in this call, as long as nobody fails.
        services: Their processors, or the chains that stand for them.
        answered: Told each answer's timing.
        used: Told the new total whenever something was used.
        charged: Told what an answer, known by its `Timing.at`, has cost so far; None where that is not known.
        typed: Told what the caller typed; speech is heard through the aggregator.
        heard: Told what the caller's page measured of an answer, known by its `Timing.at`.
    """

    def __init__(
        self,
        *,
        providers: Mapping[Kind, str],
        services: Mapping[Kind, FrameProcessor],
        answered: Callable[[Timing], None],
        used: Callable[[Usage], None],
        charged: Callable[[datetime, int | None], None],
        typed: Callable[[str], None],
        heard: Callable[[datetime, CallerSide], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(min_contribution_secs=0, **kwargs)
        self._providers = providers
        self._services = services
        self._answered = answered
        self._used = used
        self._typed = typed
        self._heard = heard
        self._totals: dict[tuple[Kind, str], _Total] = {}
        self._bill = _Bill(charged)
        self._silent_at: float | None = None
        self._understood = False
        self._spoken = False
        self._bridged = False
        self._early: tuple[float, Mapping[str, int]] | None = None
        """When the caller fell silent, and the way to our first sound, until it is known whether they said anything."""
        self._measuring_what: str | None = None
        self._latency_s = 0.0
        self._sounding: datetime | None = None
        """The answer that the caller's page has not told of yet, by its `Timing.at`."""
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
            self._understood = self._bridged = False
            self._early = None
        elif isinstance(frame, TTSSpeakFrame) and not frame.append_to_context:
            self._bridged = True
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._silent_at = frame.timestamp - frame.stop_secs
        elif isinstance(frame, LLMContextUserTurnFrame):
            self._understood = self._early is None
            self._bill.turn()
            if self._early is not None:
                self._answer(*self._early)
                self._early = None
        elif isinstance(frame, BotStartedSpeakingFrame):
            self._measuring_what = self._what_begins()
            self._understood, self._spoken = False, True
            self._sounding = None

    def _what_begins(self) -> str | None:
        if self._understood:
            return "turn"
        if not self._spoken:
            return "greeting"
        return "bridge" if self._bridged else None

    def _hear_typing(self, frame: LLMMessagesAppendFrame, source: object) -> None:
        if not isinstance(source, RTVIProcessor):
            return
        self._understood, self._spoken = False, True  # from now on nothing that is said is a mere greeting
        self._early = None
        self._bill.turn(typed=True)
        for message in frame.messages:
            content = message.get("content") if isinstance(message, dict) else None
            if isinstance(content, str):
                self._typed(content)

    async def _on_latency(self, _observer: object, latency_s: float) -> None:
        self._latency_s = latency_s

    async def _on_breakdown(self, _observer: object, breakdown: LatencyBreakdown) -> None:
        what, self._measuring_what = self._measuring_what, None
        if what == "turn" and breakdown.measured_from is MeasuredFrom.USER_SILENCE:
            self._answer(breakdown.contributions[0].start_time, stages_of(breakdown, is_voice=self._is_voice))
        elif what == "turn" and self._silent_at is not None:
            # An interruption after the silence (a transcript that came late) made pipecat forget the moments.
            self._answer(self._silent_at, {"other": round(self._latency_s * 1000)})
        elif what == "greeting" and breakdown.measured_from is MeasuredFrom.CLIENT_CONNECTED:
            start = breakdown.contributions[0].start_time
            self._answer(start, stages_of(breakdown, is_voice=self._is_voice), greeting=True)
        elif what == "bridge" and breakdown.measured_from is MeasuredFrom.USER_SILENCE:
            start = breakdown.contributions[0].start_time
            self._early = start, stages_of(breakdown, is_voice=self._is_voice)

    def _answer(self, start: float, stages: Mapping[str, int], *, greeting: bool = False) -> None:
        timing = Timing(at=datetime.fromtimestamp(start, UTC), stages=stages, greeting=greeting)
        self._answered(timing)
        self._bill.answered(timing.at)
        self._sounding = timing.at

    def hear_of(self, side: CallerSide) -> None:
        """Take what the caller's page measured when the agent last began to speak: once, and if that was an answer."""
        if self._sounding is not None:
            self._heard(self._sounding, side)
            self._sounding = None

    # Usage

    @property
    def spent_micros(self) -> int:
        """What the call has cost so far, in millionths of a US dollar; what has no known price is not in it."""
        return self._bill.total

    def _count(self, metric: MetricsData) -> None:
        if isinstance(metric, STTUsageMetricsData):
            total = self._total("stt", metric)
            total.audio_s += metric.value.audio_seconds
        elif isinstance(metric, LLMUsageMetricsData):
            total = self._total("llm", metric)
            total.add_tokens(metric.value)
        elif isinstance(metric, TTSUsageMetricsData):
            total = self._total("tts", metric)
            total.characters += metric.value
        else:
            if isinstance(metric, TTFBMetricsData) and metric.value > 0:  # nothing has been measured at the start
                self._note_first_byte(metric)
            return
        total.model = metric.model or total.model
        usage = total.usage()
        self._used(usage)
        self._bill.used(usage)

    def _note_first_byte(self, metric: TTFBMetricsData) -> None:
        for kind in catalog.KINDS:
            vendor = self._vendor(kind, metric.processor)
            if vendor is not None:
                metrics.vendor_first_byte_seconds.labels(kind, vendor).observe(metric.value)

    def _total(self, kind: Kind, metric: MetricsData) -> _Total:
        vendor = self._vendor(kind, metric.processor) or self._providers[kind]
        return self._totals.setdefault((kind, vendor), _Total(kind, vendor, catalog.load(vendor).PRICES))

    def _vendor(self, kind: Kind, processor: str) -> str | None:
        """The vendor behind a processor, if it is of this kind."""
        service = self._services[kind]
        if isinstance(service, Failover):
            return service.vendor_of(processor)
        return self._providers[kind] if processor == service.name else None

    def _is_voice(self, processor: str) -> bool:
        return self._vendor("tts", processor) is not None


def stages_of(breakdown: LatencyBreakdown, *, is_voice: Callable[[str], bool]) -> dict[str, int]:
    """The contributions of a breakdown as milliseconds by `STAGES`; they sum to the measured time, rounded.

    Args:
        is_voice: Whether a processor of this name speaks.
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
    take("tts", next((ttfb.duration_secs for ttfb in breakdown.ttfb if is_voice(ttfb.processor)), 0.0))

    stages, so_far, rounded = {}, 0.0, 0
    for stage in STAGES:
        so_far += seconds[stage]
        stages[stage] = round(so_far * 1000) - rounded
        rounded += stages[stage]
    return stages


class _Bill:
    """What a call has cost so far, and which answer it is for: see `calls.answers.Answer.cost_micros`."""

    def __init__(self, charged: Callable[[datetime, int | None], None]) -> None:
        self.total = 0
        self._charged = charged
        self._usages: dict[tuple[str, str], Usage] = {}
        self._from: int | None = 0
        """The total when the turn that is being answered was understood; None while a typed one is."""
        self._unpriced = False
        self._at: datetime | None = None
        """Its answer, once that has begun."""

    def used(self, usage: Usage) -> None:
        """Take the new total of a vendor."""
        self._usages[usage.kind, usage.provider] = usage
        self.total = sum(each.cost_micros or 0 for each in self._usages.values())
        self._unpriced = self._unpriced or usage.cost_micros is None
        self._tell()

    def turn(self, *, typed: bool = False) -> None:
        """The caller has said something. What went before and was never answered belongs to the next answer."""
        if typed or self._from is None or self._at is not None:
            self._from, self._at, self._unpriced = None if typed else self.total, None, False

    def answered(self, at: datetime) -> None:
        """The answer to it has begun."""
        self._at = at
        self._tell()

    def _tell(self) -> None:
        if self._at is not None and self._from is not None:
            self._charged(self._at, None if self._unpriced else self.total - self._from)


@dataclass(slots=True)
class _Total:
    """What a call has used of one vendor so far."""

    kind: Kind
    provider: str
    tariff: Tariff
    model: str | None = None
    audio_s: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    estimated_answers: int = 0
    characters: int = 0

    def add_tokens(self, tokens: LLMTokenUsage) -> None:
        # Vendors count what was cached among the prompt's tokens or beside them; in the total it always is.
        self.input_tokens += max(tokens.prompt_tokens, tokens.total_tokens - tokens.completion_tokens)
        self.cached_tokens += tokens.cache_read_input_tokens or 0
        self.cache_write_tokens += tokens.cache_creation_input_tokens or 0
        self.output_tokens += tokens.completion_tokens
        self.estimated_answers += isinstance(tokens, EstimatedTokens)

    def usage(self) -> Usage:
        amounts = {
            "audio_ms": round(self.audio_s * 1000),
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "characters": self.characters,
        }
        prices = self.tariff.of(self.model)
        if prices is None:
            _warn_unpriced(self.provider, self.model)
        cost = None if prices is None else prices.micros(**amounts)
        of = (self.kind, self.provider, self.model)
        return Usage(*of, **amounts, estimated_answers=self.estimated_answers, cost_micros=cost)


@lru_cache(maxsize=256)
def _warn_unpriced(provider: str, model: str | None) -> None:
    """Say it once per process."""
    told = "No price is known for {} {}: what it costs is on record as unknown, and no budget counts it"
    logger.warning(told, provider, model or "without a model's name")
