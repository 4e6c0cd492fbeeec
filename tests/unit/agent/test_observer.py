"""What the observer takes down: which answers count and where their time went, and what was used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    ClientConnectedFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    InterruptionFrame,
    LLMContextUserTurnFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    MetricsFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    STTUsage,
    STTUsageMetricsData,
    TextAggregationMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.observers.user_bot_latency_observer import (
    LatencyBreakdown,
    LatencyContribution,
    LatencyOwnerKind,
    MeasuredFrom,
    TTFBBreakdownMetrics,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.asyncio.task_manager import TaskManager

from agent.observer import CallObserver, stages_of
from agent.rtvi import GuardedRTVIProcessor
from calls.answers import STAGES, CallerSide, Timing
from calls.costs import Usage
from providers import catalog
from providers.base import Kind, Prices, Tariff
from providers.chat_completions import EstimatedTokens

START = 1_800_000_000.0


class Line:
    """A call without sound: its frames, at the times a test gives them."""

    def __init__(self, **providers: str) -> None:
        self.now = START
        self.answers: list[Timing] = []
        self.usages: dict[str, Usage] = {}
        self.charges: dict[datetime, int | None] = {}
        self.typed: list[str] = []
        self.heard: list[tuple[datetime, CallerSide]] = []
        self.part = {name: FrameProcessor(name=name) for name in ("stt", "llm", "tts", "out", "user")}
        self.page = GuardedRTVIProcessor()
        kinds: tuple[Kind, ...] = ("stt", "llm", "tts")
        self.observer = CallObserver(
            providers={kind: providers.get(kind, "offline") for kind in kinds},
            services={kind: FrameProcessor(name=kind) for kind in kinds},
            answered=self.answers.append,
            used=lambda usage: self.usages.update({usage.kind: usage}),
            charged=lambda at, micros: self.charges.update({at: micros}),
            typed=self.typed.append,
            heard=lambda at, side: self.heard.append((at, side)),
            time_source=lambda: self.now,
        )

    async def pushes(self, source: str | FrameProcessor, frame: Frame, *, after_s: float = 0.0) -> None:
        self.now += after_s
        processor = self.part[source] if isinstance(source, str) else source
        for direction in (FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM):
            broadcast = isinstance(frame, (BotStartedSpeakingFrame, VADUserStartedSpeakingFrame))
            if direction is FrameDirection.DOWNSTREAM or broadcast:
                await self.observer.on_push_frame(FramePushed(processor, self.part["out"], frame, direction, 0))
        await asyncio.sleep(0)  # lets what it tells be told

    async def speaks(self, *, for_s: float = 1.0) -> None:
        """The caller, and the silence that ends it."""
        await self.pushes("user", VADUserStartedSpeakingFrame(start_secs=0.2, timestamp=self.now))
        await self.pushes("user", InterruptionFrame())
        self.now += for_s + 0.2
        await self.pushes("user", VADUserStoppedSpeakingFrame(stop_secs=0.2, timestamp=self.now))

    async def is_understood(self, text: str = "What is my balance?") -> None:
        await self.pushes("stt", TranscriptionFrame(text, "", ""), after_s=0.1)
        await self.pushes("user", UserStoppedSpeakingFrame(), after_s=0.05)
        await self.pushes("user", LLMContextUserTurnFrame(text=text, timestamp=""))

    async def thinks(self, *, for_s: float = 0.3) -> None:
        await self.pushes("llm", LLMFullResponseStartFrame())
        self.now += for_s
        await self.pushes("llm", MetricsFrame(data=[TTFBMetricsData(processor="llm", value=for_s)]))

    async def writes(self) -> None:
        await self.pushes("llm", LLMTextFrame("Ten thousand."))
        await self.pushes("user", MetricsFrame(data=[TextAggregationMetricsData(processor="gate", value=0.04)]))
        self.now += 0.04

    async def sounds(self, *, after_s: float = 0.15) -> None:
        """The first sound of the agent, from the voice to the line."""
        self.now += after_s
        await self.pushes("tts", MetricsFrame(data=[TTFBMetricsData(processor="tts", value=after_s)]))
        await self.pushes("tts", TTSAudioRawFrame(b"\0\0", 24_000, 1))
        await self.pushes("out", BotStartedSpeakingFrame(), after_s=0.01)
        await asyncio.gather(*(task for _, task in self.observer._event_tasks))

    async def spends(self, tokens: int, *, model: str = "big", estimated: bool = False) -> None:
        """The language model has written so much, or thereabouts."""
        kind = EstimatedTokens if estimated else LLMTokenUsage
        used = kind(prompt_tokens=0, completion_tokens=tokens, total_tokens=tokens)
        await self.pushes("llm", MetricsFrame(data=[LLMUsageMetricsData(processor="llm", model=model, value=used)]))

    async def types(self, text: str) -> None:
        await self.pushes("user", InterruptionFrame())
        message: Any = {"role": "user", "content": text}
        await self.pushes(self.page, LLMMessagesAppendFrame(messages=[message], run_llm=True))


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    await line.observer.setup(TaskManager())
    yield line
    await line.observer.cleanup()


def taken(timing: Timing) -> dict[str, int]:
    return {stage: took for stage, took in timing.stages.items() if took}


async def test_a_spoken_turn_is_timed_stage_by_stage(line: Line) -> None:
    await line.speaks()
    silent_at = line.now - 0.2
    await line.is_understood()
    await line.thinks()
    await line.writes()
    await line.sounds()
    (answer,) = line.answers
    assert taken(answer) == {
        "endpointing": 200,
        "transcription": 100,
        "turn": 50,
        "llm": 300,
        "sentence": 40,
        "tts": 150,
        "output": 10,
    }
    assert answer.total_ms == 850
    assert not answer.greeting
    assert answer.at.timestamp() == pytest.approx(silent_at)


async def test_a_tool_has_its_own_stage(line: Line) -> None:
    await line.speaks()
    await line.is_understood()
    await line.thinks(for_s=0.1)
    call: dict[str, Any] = {"function_name": "get_balance", "tool_call_id": "1", "arguments": {}}
    await line.pushes("llm", FunctionCallInProgressFrame(cancel_on_interruption=True, **call))
    await line.pushes("llm", FunctionCallResultFrame(result={"say": "Ten thousand."}, **call), after_s=0.4)
    await line.thinks(for_s=0.1)
    await line.writes()
    await line.sounds()
    (answer,) = line.answers
    assert (answer.stages["tool"], answer.stages["llm"]) == (400, 200)
    assert answer.total_ms == 200 + 100 + 50 + 100 + 400 + 100 + 40 + 150 + 10


async def test_speech_of_the_servers_own_is_timed_though_no_model_is_asked(line: Line) -> None:
    """What became of a transfer: heard, decided, done (half a second), spoken."""
    await line.speaks()
    await line.is_understood("yes")
    line.now += 0.5
    await line.sounds()
    (answer,) = line.answers
    assert taken(answer) == {
        "endpointing": 200,
        "transcription": 100,
        "turn": 50,
        "tts": 150,
        "output": 10,
        "other": 500,
    }


async def test_the_greeting_is_timed_apart_and_once(line: Line) -> None:
    await line.observer.on_pipeline_started()
    await line.pushes("user", ClientConnectedFrame(), after_s=1.0)
    connected_at = line.now
    await line.sounds(after_s=0.3)
    await line.pushes("user", ClientConnectedFrame(), after_s=5.0)  # the connection was restarted
    await line.sounds()
    (answer,) = line.answers
    assert answer.greeting
    assert answer.at.timestamp() == pytest.approx(connected_at)
    assert taken(answer) == {"tts": 300, "output": 10}


async def test_words_after_a_cough_answer_nobody(line: Line) -> None:
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    await line.speaks(for_s=0.3)
    await line.sounds(after_s=9.0)  # "Are you still there?"
    assert [answer.greeting for answer in line.answers] == [True]


async def test_a_typed_turn_has_no_answer_time_even_after_a_cough(line: Line) -> None:
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    await line.types("What's my balance?")
    await line.thinks()
    await line.writes()
    await line.sounds()
    await line.speaks(for_s=0.3)
    await line.types("And now?")
    await line.thinks()
    await line.writes()
    await line.sounds()
    assert line.typed == ["What's my balance?", "And now?"]
    assert [answer.greeting for answer in line.answers] == [True]


async def test_typing_over_a_spoken_turn_takes_its_answer(line: Line) -> None:
    await line.speaks()
    await line.is_understood()
    await line.types("No, my last payments.")
    await line.sounds()
    assert line.answers == []


async def test_typing_before_the_greeting_makes_it_an_answer_to_nobody(line: Line) -> None:
    await line.pushes("user", ClientConnectedFrame())
    await line.types("Hello")
    await line.sounds(after_s=4.0)
    assert line.answers == []


async def test_a_transcript_that_comes_after_its_turn_leaves_the_time_but_not_its_parts(line: Line) -> None:
    """It begins a turn of its own, which interrupts, and pipecat forgets what it had measured."""
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    await line.speaks()
    silent_at = line.now - 0.2
    await line.pushes("user", InterruptionFrame(), after_s=1.0)
    await line.is_understood()
    await line.thinks()
    await line.writes()
    await line.sounds()
    _, answer = line.answers
    assert not answer.greeting
    assert answer.at.timestamp() == pytest.approx(silent_at)
    assert taken(answer) == {"other": 1850}


@pytest.mark.parametrize("said", [True, False], ids=["words", "a cough"])
async def test_an_answer_begins_with_what_bridges_the_wait_for_the_callers_words(line: Line, said: bool) -> None:
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    await line.speaks()
    silent_at = line.now - 0.2
    await line.pushes("stt", TTSSpeakFrame("One moment.", append_to_context=False), after_s=1.6)
    await line.sounds()
    line.now += 1.0
    if said:
        await line.is_understood()
        await line.thinks()
        await line.spends(100)
    else:
        await line.types("Hello?")
    await line.writes()
    await line.sounds()
    assert [answer.greeting for answer in line.answers] == [True, False][: 1 + said]
    if said:
        assert line.answers[1].at.timestamp() == pytest.approx(silent_at)
        assert line.answers[1].total_ms == 200 + 1600 + 150 + 10
        assert list(line.charges)[1:] == [line.answers[1].at]


async def test_each_answer_belongs_to_the_last_thing_said(line: Line) -> None:
    for _ in range(3):
        await line.speaks()
        await line.is_understood()
        await line.thinks()
        await line.writes()
        await line.sounds()
        line.now += 20.0
        await line.sounds()  # a second sentence of the agent, unasked
    assert [answer.total_ms for answer in line.answers] == [850] * 3


# --- The caller's side ------------------------------------------------------------------------------------------------

SIDE = CallerSide(rtt_ms=40, jitter_buffer_ms=55, playout_ms=90)


async def test_what_the_page_measured_belongs_to_the_answer_that_sounds_and_counts_once(line: Line) -> None:
    line.observer.hear_of(SIDE)
    assert line.heard == [], "nobody has spoken yet"
    await line.speaks()
    await line.is_understood()
    await line.thinks()
    await line.writes()
    await line.sounds()
    line.observer.hear_of(SIDE)
    line.observer.hear_of(CallerSide(rtt_ms=1))
    assert line.heard == [(line.answers[0].at, SIDE)]


async def test_what_the_page_measured_of_words_that_answer_nobody_is_not_kept(line: Line) -> None:
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    line.now += 20.0
    await line.sounds()  # "Are you still there?"
    line.observer.hear_of(SIDE)
    assert line.heard == [], "nor is it taken for the greeting's"


def test_what_comes_on_top_is_half_the_way_there_and_back_and_the_playout() -> None:
    assert SIDE.extra_ms == 110
    assert CallerSide(rtt_ms=40).extra_ms is None
    assert CallerSide(playout_ms=90).extra_ms is None


# --- Stages -----------------------------------------------------------------------------------------------------------

KEYS = (
    *("endpointing_wait", "transcription", "turn_detection", "llm_inference", "llm_tool_call", "function_handler"),
    *("sentence_aggregation", "speech_synthesis", "output_transport", "pipeline", "first_request", "not_known_yet"),
)
seconds = st.floats(0, 60)


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), seconds), min_size=1, max_size=12),
    st.none() | seconds,
    st.none() | seconds,
    st.sampled_from(MeasuredFrom),
)
def test_the_stages_sum_to_the_time_measured(
    parts: list[tuple[str, float]], turn_s: float | None, ttfb_s: float | None, measured_from: MeasuredFrom
) -> None:
    contributions = [
        LatencyContribution(
            key=key, label=key, owner="x", owner_kind=LatencyOwnerKind.SERVICE, start_time=START, duration_secs=took
        )
        for key, took in parts
    ]
    total_s = sum(took for _, took in parts)
    ttfb = [TTFBBreakdownMetrics(processor="tts", start_time=START, duration_secs=ttfb_s)] if ttfb_s else []
    breakdown = LatencyBreakdown(
        contributions=contributions,
        ttfb=ttfb,
        measured_from=measured_from,
        total_secs=total_s,
        user_turn_secs=turn_s,
    )
    stages = stages_of(breakdown, is_voice="tts".__eq__)
    assert tuple(stages) == STAGES
    assert min(stages.values()) >= 0
    assert abs(sum(stages.values()) - total_s * 1000) <= 1


# --- Usage ------------------------------------------------------------------------------------------------------------


async def test_usage_adds_up_by_vendor(line: Line) -> None:
    for _ in range(3):
        metric = STTUsageMetricsData(processor="stt", model="sphinx", value=STTUsage(audio_seconds=1.2346))
        await line.pushes("stt", MetricsFrame(data=[metric]))
        await line.pushes("tts", MetricsFrame(data=[TTSUsageMetricsData(processor="tts", value=40)]))
    assert line.usages == {
        "stt": Usage("stt", "offline", "sphinx", audio_ms=3704),
        "tts": Usage("tts", "offline", None, characters=120),
    }


@pytest.fixture
def dear() -> Any:
    module = ModuleType("dear")
    prices = Prices(
        llm_input_mtok=Decimal(3),
        llm_cached_mtok=Decimal("0.3"),
        llm_cache_write_mtok=Decimal("3.75"),
        llm_output_mtok=Decimal(15),
    )
    module.PRICES = Tariff({"big": prices})  # type: ignore[attr-defined]
    catalog.add("dear", module)
    yield
    catalog.remove("dear")


@pytest.mark.parametrize("prompt_tokens", [1_000, 80], ids=["the cached among the prompt's", "beside them"])
async def test_cached_tokens_are_counted_and_priced_once_however_a_vendor_counts(
    dear: None, prompt_tokens: int
) -> None:
    line = Line(llm="dear")
    tokens = LLMTokenUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=50,
        total_tokens=1_050,
        cache_read_input_tokens=900,
        cache_creation_input_tokens=20,
    )
    metric = LLMUsageMetricsData(processor="llm", model="big", value=tokens)
    for _ in range(2):
        await line.pushes("llm", MetricsFrame(data=[metric]))
    assert line.usages["llm"] == Usage(
        "llm",
        "dear",
        "big",
        input_tokens=2_000,
        cached_tokens=1_800,
        cache_write_tokens=40,
        output_tokens=100,
        cost_micros=2 * (80 * 3 + 270 + 75 + 50 * 15),
    )


async def test_answers_cut_off_before_they_were_counted_are_told_from_others(dear: None) -> None:
    line = Line(llm="dear")
    for estimated in (False, True, True):
        await line.spends(100, estimated=estimated)
    used = line.usages["llm"]
    assert (used.output_tokens, used.estimated_answers, used.cost_micros) == (300, 2, 4_500)


async def test_what_has_no_price_is_unknown_and_not_for_nothing(dear: None) -> None:
    told: list[str] = []
    sink = logger.add(told.append, level="WARNING", filter=lambda record: "price" in record["message"])
    for _ in range(2):
        line = Line(llm="dear")
        for _ in range(2):
            await line.spends(100, model="not on the list")
        assert line.usages["llm"].cost_micros is None
        assert line.observer.spent_micros == 0
    logger.remove(sink)
    (warning,) = told
    assert "dear" in warning and "not on the list" in warning


@pytest_asyncio.fixture
async def dear_line(dear: None) -> AsyncIterator[Line]:
    line = Line(llm="dear")
    await line.observer.setup(TaskManager())
    yield line
    await line.observer.cleanup()


def costs(line: Line) -> list[int | None]:
    """What each answer cost, in the tokens it took."""
    charged = [line.charges[answer.at] for answer in line.answers]
    return [micros if micros is None else micros // 15 for micros in charged]


async def test_an_answer_costs_what_is_used_until_the_next_turn_is_understood(dear_line: Line) -> None:
    line = dear_line
    await line.pushes("user", ClientConnectedFrame())
    await line.spends(1)
    await line.sounds()
    for tokens in (10, 100):
        await line.speaks()
        await line.is_understood()
        await line.thinks()
        await line.spends(tokens)  # before its first sound
        await line.sounds()
        await line.spends(2 * tokens)  # behind it
        await line.speaks()
        await line.spends(4 * tokens, estimated=True)  # cut off by the next turn, and counted only then
    assert costs(line) == [1, 70, 700]
    assert line.observer.spent_micros == 771 * 15


async def test_a_turn_that_was_never_answered_counts_to_the_next_answer(dear_line: Line) -> None:
    line = dear_line
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    for tokens in (10, 20):
        await line.speaks()
        await line.is_understood()
        await line.spends(tokens)
    await line.sounds()
    assert costs(line) == [0, 30]


async def test_what_typed_turns_cost_belongs_to_no_answer(dear_line: Line) -> None:
    line = dear_line
    await line.pushes("user", ClientConnectedFrame())
    await line.spends(1)
    await line.sounds()
    await line.types("What's my balance?")
    await line.spends(10)
    await line.sounds()
    await line.speaks()
    await line.is_understood()
    await line.spends(100)
    await line.sounds()
    assert costs(line) == [1, 100]
    assert line.observer.spent_micros == 111 * 15


async def test_only_answers_with_something_unpriced_in_them_have_no_cost(dear_line: Line) -> None:
    line = dear_line
    await line.pushes("user", ClientConnectedFrame())
    await line.sounds()
    for model in ("big", "another one not on the list"):
        await line.speaks()
        await line.is_understood()
        await line.spends(10, model=model)
        await line.sounds()
    assert costs(line) == [0, 10, None]
