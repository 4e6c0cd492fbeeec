"""When a vendor fails, the next one does its work: what the pipeline sees of it.

The vendors here are services of pipecat's own kind with a script; whole calls over the vendors' own wires are in
`test_vendor_faults.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    BotStartedSpeakingFrame,
    EndFrame,
    Frame,
    FunctionCallFromLLM,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMAssistantPushAggregationFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.errors import ErrorCategory
from pipecat.utils.text.base_text_aggregator import TextType
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from agent.observer import CallObserver
from calls.costs import Usage
from core.settings import Settings
from providers.base import ENGLISH, Brief, Kind
from providers.catalog import KINDS
from providers.chat_completions import estimate
from providers.failover import Breakers, FailoverLLM, FailoverSTT, FailoverTTS, Link, Listener, Switch
from providers.failover.stt import FILLER_S
from providers.frames import NothingHeardFrame
from providers.phrases import Phrases
from providers.prompts import MAX_TRIES, Prompts
from providers.prompts import RATE as RATE_OF_PROMPTS

RATE = 16_000

# --- Vendors with a script --------------------------------------------------------------------------------------------

ONE_MOMENT, AGAIN, APOLOGY = ENGLISH.one_moment, ENGLISH.again, ENGLISH.apology


class Ear(STTService):
    """Understands as many words as it was given tenths of a second of speech.

    Args:
        fault: "" none; "deaf" never answers; "cut" reports an error with the first sound of speech; "cough" hears no
            words.

    Attributes:
        ready: It takes sound only while this is set.
        order: The first sample of every piece it has taken.
    """

    def __init__(self, name: str, fault: str = "") -> None:
        super().__init__(ttfs_p99_latency=0.2, name=name, settings=STTSettings(model=None, language=None))
        self.fault = fault
        self.ready = asyncio.Event()
        self.ready.set()
        self.order: list[int] = []
        self._heard = 0.0
        self._speech = False

    def can_generate_metrics(self) -> bool:
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        await self.ready.wait()
        self.order.append(audio[0])
        if any(audio):
            self._heard += len(audio) / 2 / RATE
            if self.fault == "cut":
                await self.push_error("the line is cut", category=ErrorCategory.CONNECTIVITY)
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            words, self._heard = round(self._heard * 10), 0.0
            if self.fault == "cough":
                await self.push_frame(NothingHeardFrame())
            elif not self.fault:
                text = f"{self.name} heard {words}"
                await self.push_frame(TranscriptionFrame(text, "caller", time_now_iso8601(), finalized=True))


class Head(LLMService):
    """Answers in pieces.

    Args:
        fault: "" none; "mute" never answers; "error" reports one at once; "cut" after the second piece; "stall" after
            the second piece; "empty" an answer without words; "call" calls the tool, then answers its result.
    """

    def __init__(self, name: str, fault: str = "") -> None:
        super().__init__(
            name=name,
            settings=LLMSettings(
                model="m",
                system_instruction=None,
                temperature=None,
                max_tokens=None,
                top_p=None,
                top_k=None,
                frequency_penalty=None,
                presence_penalty=None,
                seed=None,
                filter_incomplete_user_turns=False,
                user_turn_completion_config=None,
            ),
        )
        self.fault = fault
        self.asked = 0

    def can_generate_metrics(self) -> bool:
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self.asked += 1
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await self._answer(frame.context)
        finally:
            await self.start_llm_usage_metrics(estimate("how much?", 12))
            await self.push_frame(LLMFullResponseEndFrame())

    async def _answer(self, context: LLMContext) -> None:
        if self.fault == "error":
            await self.push_error("529", category=ErrorCategory.SERVER)
            return
        if self.fault == "mute":
            await asyncio.Event().wait()
        if self.fault == "empty":
            return
        if self.fault == "call":
            self.fault = ""
            await self.run_function_calls(
                [FunctionCallFromLLM(function_name="pay", tool_call_id="1", arguments={}, context=context)]
            )
            return
        for n, piece in enumerate([f"{self.name} ", "says ", "hello."]):
            if n == 2 and self.fault == "stall":
                await asyncio.Event().wait()
            if n == 2 and self.fault == "cut":
                await self.push_error("cut", category=ErrorCategory.CONNECTIVITY)
                return
            await self._push_llm_text(piece)


class Mouth(TTSService):
    """Speaks a word in a fifth of a second and tells when.

    Args:
        fault: "" none; "mute" takes texts and makes no sound; "error" reports one instead; "cut" after two words;
            "stall" after two words; "early" ends the reply after two words as if it were whole.
    """

    def __init__(self, name: str, fault: str = "") -> None:
        super().__init__(
            name=name,
            sample_rate=RATE,
            push_start_frame=True,
            push_stop_frames=True,
            push_text_frames=False,
            stop_frame_timeout_s=30,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self.fault = fault
        self.texts: list[str] = []
        self._at: dict[str, float] = {}

    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        self.texts.append(text)
        await self.start_tts_usage_metrics(text)
        if self.fault == "mute":
            await asyncio.Event().wait()
        if self.fault == "error":
            await self.push_error("402", category=ErrorCategory.QUOTA)
            return
        for n, word in enumerate(text.split()):
            if n == 2 and self.fault == "cut":
                await asyncio.sleep(0.1)  # what was made before has gone on
                await self.push_error("cut", category=ErrorCategory.CONNECTIVITY)
                return
            if n == 2 and self.fault == "stall":
                await asyncio.Event().wait()
            at = self._at.setdefault(context_id, 0.0)
            await self.add_word_timestamps([(word, at)], context_id)
            self._at[context_id] = at + 0.2
            if self.fault == "early" and n >= 2:
                continue  # the word is told, its sound never comes
            sound = bytes([1, 0]) * (RATE // 5)
            yield TTSAudioRawFrame(sound, RATE, 1, context_id=context_id)


# --- The pipeline around them -----------------------------------------------------------------------------------------


class Log(Listener):
    def __init__(self) -> None:
        self.switches: list[Switch] = []
        self.ended: list[Kind] = []

    def switched(self, switch: Switch) -> None:
        self.switches.append(switch)

    def exhausted(self, kind: Kind) -> None:
        self.ended.append(kind)


@dataclass
class Stage(FrameProcessor):
    """Hears what comes out."""

    def __post_init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self._came = asyncio.Condition()

    def __hash__(self) -> int:
        return id(self)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        async with self._came:
            self.frames.append(frame)
            self._came.notify_all()
        await self.push_frame(frame, direction)

    async def until(self, check: Callable[[list[Frame]], object], within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: check(self.frames))

    def all(self, *kinds: type[Frame]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kinds)]

    def count(self, kind: type[Frame]) -> int:
        return len(self.all(kind))


@dataclass
class Bench:
    chain: Any
    log: Log
    below: Stage
    above: Stage
    worker: PipelineWorker
    breakers: Breakers
    made: dict[str, list[Any]] = field(default_factory=dict)
    used: dict[str, Usage] = field(default_factory=dict)
    """By vendor, as it comes onto a call's record."""

    async def down(self, *frames: Frame) -> None:
        await self.worker.queue_frames(frames)

    async def up(self, *frames: Frame) -> None:
        for frame in frames:
            await self.below.push_frame(frame, FrameDirection.UPSTREAM)

    @property
    def left(self) -> list[tuple[str, str, ErrorCategory | None]]:
        return [(switch.left, switch.took, switch.why) for switch in self.log.switches]


Make = Callable[[], FrameProcessor]


@asynccontextmanager
async def chain_of(
    kind: type[Any], *makers: tuple[str, Make], breakers: Breakers | None = None, prompts: Prompts | None = None
) -> AsyncIterator[Bench]:
    log, above, below, breakers = Log(), Stage(), Stage(), breakers or Breakers()
    made: dict[str, list[Any]] = {}

    def making(name: str, make: Make) -> Make:
        def make_and_note() -> FrameProcessor:
            service = make()
            made.setdefault(name, []).append(service)
            return service

        return make_and_note

    links = [Link(name, making(name, make), breakers.of(name, kind.kind)) for name, make in makers]
    chain = kind(links, log) if prompts is None else kind(links, log, prompts)
    used: dict[str, Usage] = {}
    observer = CallObserver(
        providers=dict.fromkeys(KINDS, "offline"),
        services={each: chain if each == chain.kind else above for each in KINDS},
        answered=lambda _: None,
        used=lambda usage: used.update({usage.provider: usage}),
        charged=lambda *_: None,
        typed=lambda _: None,
        heard=lambda *_: None,
    )
    worker = PipelineWorker(
        Pipeline([above, chain, below]),
        params=PipelineParams(
            audio_in_sample_rate=RATE,
            audio_out_sample_rate=RATE_OF_PROMPTS,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
        observers=[observer],
        idle_timeout_secs=None,
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    run = asyncio.create_task(runner.run())
    await below.until(lambda frames: any(isinstance(frame, StartFrame) for frame in frames))
    try:
        yield Bench(chain, log, below, above, worker, breakers, made, used)
    finally:
        await worker.cancel()
        await run
        breakers.close()


def vendors(kind: type[Any], *faults: tuple[str, str]) -> list[tuple[str, Make]]:
    return [(name, lambda name=name, fault=fault: kind(name, fault)) for name, fault in faults]


# --- Recognisers ------------------------------------------------------------------------------------------------------


async def speak(bench: Bench, tenths: int, *, stop: bool = True) -> None:
    """Silence, speech of so many tenths of a second, silence."""
    sound = lambda byte: InputAudioRawFrame(bytes([byte, 0]) * (RATE // 10), RATE, 1)  # noqa: E731
    before = bench.below.count(InputAudioRawFrame)
    await bench.down(*(sound(0) for _ in range(3)), *(sound(1) for _ in range(2)))
    await bench.below.until(lambda _: bench.below.count(InputAudioRawFrame) == before + 5)
    await bench.up(VADUserStartedSpeakingFrame(start_secs=0.2))
    await bench.down(*(sound(1) for _ in range(tenths - 2)), sound(0))
    await bench.below.until(lambda _: bench.below.count(InputAudioRawFrame) == before + 4 + tenths)
    if stop:
        await bench.up(VADUserStoppedSpeakingFrame(stop_secs=0.2))


def texts(bench: Bench) -> list[str]:
    return [frame.text for frame in bench.below.all(TranscriptionFrame)]


@pytest.mark.parametrize("fault", ["deaf", "cut"])
async def test_what_was_said_is_said_again_to_the_next_recogniser(fault: str) -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", fault), ("second", ""))) as bench:
        await speak(bench, 7)
        await bench.below.until(lambda _: texts(bench), within_s=3)
        assert texts(bench) == ["second heard 7"]
        assert bench.left[0] == ("first", "second", ErrorCategory.CONNECTIVITY)
        assert bench.below.count(InputAudioRawFrame) == 11, "the sound itself passes once"
        assert bench.above.count(VADUserStoppedSpeakingFrame) == 1


def piece(byte: int) -> InputAudioRawFrame:
    """A tenth of a second."""
    return InputAudioRawFrame(bytes([byte, 0]) * (RATE // 10), RATE, 1)


async def test_sound_that_comes_by_call_never_leaves_the_chain() -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", "cut"), ("second", ""))) as bench:
        await bench.chain.hear(piece(0))
        await bench.up(VADUserStartedSpeakingFrame(start_secs=0.2))
        for _ in range(6):  # the first of them cuts the line, the others wait for the next vendor
            await bench.chain.hear(piece(1))
        await bench.up(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await bench.below.until(lambda _: texts(bench))
        assert texts(bench) == ["second heard 6"]
        assert not bench.below.count(InputAudioRawFrame), "whoever listens beside the pipeline has heard it"


async def test_sound_that_comes_by_call_waits_for_what_is_replayed() -> None:
    second = Ear("second")
    second.ready.clear()
    chain = [*vendors(Ear, ("first", "cut")), ("second", lambda: second)]
    async with chain_of(FailoverSTT, *chain) as bench:
        await bench.up(VADUserStartedSpeakingFrame(start_secs=0.2))
        for byte in (1, 2, 3):
            await bench.chain.hear(piece(byte))
        while not bench.log.switches or bench.chain._waiting is not None:
            await asyncio.sleep(0)
        live = asyncio.create_task(bench.chain.hear(piece(4)))  # it must not overtake what its vendor is still given
        for _ in range(20):
            await asyncio.sleep(0)
        second.ready.set()
        await live
        await bench.up(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await bench.below.until(lambda _: texts(bench))
        assert second.order == [1, 2, 3, 4]
        assert not bench.below.count(InputAudioRawFrame)


def bridged(bench: Bench) -> list[str]:
    """What was said to bridge a wait; it is no part of the conversation."""
    return [frame.text for frame in bench.below.all(TTSSpeakFrame) if not frame.append_to_context]


async def test_the_caller_is_told_to_wait_when_two_recognisers_fail() -> None:
    chain = vendors(Ear, ("first", "deaf"), ("second", "deaf"), ("third", ""))
    async with chain_of(FailoverSTT, *chain) as bench:
        await speak(bench, 7)
        silent_at = time.monotonic() - 0.2
        await bench.below.until(lambda _: bridged(bench))
        assert 1.0 < time.monotonic() - silent_at < 2.2, "its sound is to be heard within 2.5 s"
        assert not texts(bench)
        await bench.below.until(lambda _: texts(bench))
        assert texts(bench) == ["third heard 7"]
        assert bridged(bench) == [ENGLISH.one_moment]


async def test_who_is_understood_in_time_or_hears_the_agent_is_not_told_to_wait() -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", "deaf"), ("second", ""))) as bench:
        await speak(bench, 7)
        await bench.below.until(lambda _: texts(bench))
        bench.made["second"][0].fault = "deaf"
        await speak(bench, 4)
        await bench.up(BotStartedSpeakingFrame())
        await asyncio.sleep(FILLER_S + 0.4)
        assert bridged(bench) == []


async def test_a_cough_is_no_failure() -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", "cough"), ("second", ""))) as bench:
        await speak(bench, 4)
        await asyncio.sleep(1.3)
        assert not bench.log.switches
        assert not bench.below.count(NothingHeardFrame)


async def test_a_better_recogniser_comes_back_between_turns() -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", "cut"), ("second", ""))) as bench:
        await speak(bench, 5)
        await bench.below.until(lambda _: len(texts(bench)) == 1)
        await bench.below.until(
            lambda _: len(bench.log.switches) == 2 or bench.log.switches[-1].why is None, within_s=3
        )
        assert bench.left[-1] == ("second", "first", None)
        bench.made["first"][-1].fault = ""
        await speak(bench, 6)
        await bench.below.until(lambda _: len(texts(bench)) == 2)
        assert texts(bench) == ["second heard 5", "first heard 6"]


# --- Language models --------------------------------------------------------------------------------------------------


def said(bench: Bench) -> str:
    return "".join(frame.text for frame in bench.below.all(LLMTextFrame))


async def ask(bench: Bench) -> None:
    ends = bench.below.count(LLMFullResponseEndFrame)
    await bench.down(LLMContextFrame(LLMContext()))
    await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame) > ends)


def pairs(bench: Bench) -> list[str]:
    kinds = bench.below.all(LLMFullResponseStartFrame, LLMFullResponseEndFrame)
    return ["start" if isinstance(frame, LLMFullResponseStartFrame) else "end" for frame in kinds]


@pytest.mark.parametrize("fault", ["error", "empty"])
async def test_the_same_question_is_put_to_the_next_model(fault: str) -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", fault), ("second", ""))) as bench:
        await ask(bench)
        assert said(bench) == "second says hello."
        assert pairs(bench) == ["start", "end"]
        assert not bench.above.all(LLMContextFrame)[1:]


async def test_a_mute_model_is_bridged_and_replaced() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await ask(bench)
        assert [frame.text for frame in bench.below.all(TTSSpeakFrame)] == [ONE_MOMENT]
        assert said(bench) == "second says hello."
        assert bench.left[0] == ("first", "second", ErrorCategory.CONNECTIVITY)


async def test_who_has_been_told_to_wait_is_not_told_again_in_the_same_turn() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.down(TTSSpeakFrame(ONE_MOMENT, append_to_context=False))  # the recognisers' chain says it
        await ask(bench)
        assert bridged(bench) == [ONE_MOMENT]
        bench.made["second"][0].fault = "mute"
        await bench.down(InterruptionFrame(), LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: len(bridged(bench)) == 2)


@pytest.mark.parametrize("fault", ["cut", "stall"])
async def test_an_answer_broken_off_is_begun_again(fault: str) -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", fault), ("second", ""))) as bench:
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame) == 2)
        assert said(bench) == f"first says {ENGLISH.again}second says hello."
        assert pairs(bench) == ["start", "end", "start", "end"]


async def test_a_tool_that_was_called_is_not_called_again() -> None:
    paid, go_on = [], asyncio.Event()

    async def pay(params: FunctionCallParams) -> None:
        paid.append(params.tool_call_id)
        await go_on.wait()
        await params.result_callback({"say": "paid"})

    async with chain_of(FailoverLLM, *vendors(Head, ("first", "call"), ("second", ""))) as bench:
        bench.chain.register_function("pay", pay, cancel_on_interruption=False)
        [first] = bench.made["first"]
        first.register_function("pay", pay, cancel_on_interruption=False)  # it was made before the tool was known
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: paid)
        await first.push_error("529", category=ErrorCategory.SERVER)
        await bench.below.until(lambda _: bench.log.switches)
        go_on.set()
        await bench.below.until(lambda _: bench.below.count(FunctionCallResultFrame))
        assert paid == ["1"], "the tool's result comes from the vendor that has been replaced, and counts"
        assert bench.made["second"][0].asked == 0
        await ask(bench)
        assert said(bench) == "second says hello."


@pytest.mark.parametrize(("waited_s", "bridged_at_s"), [(0.0, 0.5), (0.4, 0.2), (2.0, 0.2)])
async def test_the_caller_waits_since_they_fell_silent(waited_s: float, bridged_at_s: float, monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.llm.FILLER_S", 0.5)
    monkeypatch.setattr("providers.failover.llm.FILLER_LEAST_S", 0.2)
    monkeypatch.setattr("providers.failover.llm.FIRST_TOKEN_S", 9.0)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.up(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await bench.above.until(lambda _: bench.above.count(VADUserStoppedSpeakingFrame))
        await asyncio.sleep(waited_s)
        asked_at = time.monotonic()
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: bridged(bench))
        assert bridged_at_s - 0.05 - (waited_s == 0.4) * 0.1 < time.monotonic() - asked_at < bridged_at_s + 0.4


async def test_when_nobody_is_left_leave_is_taken() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "error"), ("second", "error"))) as bench:
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: bench.below.count(TTSSpeakFrame))
        assert said(bench) == ""
        assert [frame.text for frame in bench.below.all(TTSSpeakFrame)] == [ENGLISH.apology]
        assert bench.log.ended == ["llm"]


@pytest.mark.parametrize("fault", ["mute", "stall", "error"])
async def test_one_that_stands_alone_and_fails_is_not_waited_for(fault: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.chain.LAST_S", 0.3)
    monkeypatch.setattr("providers.failover.llm.FIRST_TOKEN_S", 0.1)
    monkeypatch.setattr("providers.failover.llm.NEXT_TOKEN_S", 0.1)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", fault))) as bench:
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: bench.below.count(TTSSpeakFrame))
        assert [frame.text for frame in bench.below.all(TTSSpeakFrame)] == [ENGLISH.apology]
        assert bench.log.ended == ["llm"]


async def test_a_voice_that_stands_alone_and_fails_ends_the_call(monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.chain.LAST_S", 0.3)
    monkeypatch.setattr("providers.failover.tts.FIRST_BYTE_S", 0.1)
    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", "mute"))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        async with asyncio.timeout(5):
            while bench.log.ended != ["tts"]:
                await asyncio.sleep(0.01)


async def test_a_recogniser_that_stands_alone_may_have_heard_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.chain.LAST_S", 0.2)
    monkeypatch.setattr("providers.failover.stt.FINAL_S", 0.1)
    async with chain_of(FailoverSTT, *vendors(Ear, ("first", "deaf"))) as bench:
        await speak(bench, 7)
        await asyncio.sleep(0.6)
        assert not bench.log.ended


async def test_a_vendor_given_a_rest_is_not_tried() -> None:
    breakers = Breakers()
    breakers.of("first", "llm").failed(ErrorCategory.AUTHENTICATION)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", ""), ("second", "")), breakers=breakers) as bench:
        await ask(bench)
        assert said(bench) == "second says hello."
        assert "first" not in bench.made


async def test_a_model_that_needs_its_time_gets_it() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        bench.chain._links[0] = replace(bench.chain._links[0], patience_s=3.5)
        began = asyncio.get_running_loop().time()
        await ask(bench)
        assert asyncio.get_running_loop().time() - began > 3.4
        assert said(bench) == "second says hello."


async def test_an_interrupted_question_is_not_put_again() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: bench.made["first"][0].asked)
        await bench.down(InterruptionFrame())
        await bench.below.until(lambda _: bench.below.count(InterruptionFrame))
        await asyncio.sleep(2.5)
        assert not bench.log.switches
        assert said(bench) == ""


# --- Voices -----------------------------------------------------------------------------------------------------------


TEXT = "one two three four five."


def words(bench: Bench) -> list[str]:
    return [word for frame in bench.below.all(TTSTextFrame) for word in frame.text.split()]


def seconds(bench: Bench) -> float:
    return sum(frame.num_frames / frame.sample_rate for frame in bench.below.all(TTSAudioRawFrame))


def response(*pieces: str) -> list[Frame]:
    return [LLMFullResponseStartFrame(), *(LLMTextFrame(piece) for piece in pieces), LLMFullResponseEndFrame()]


def sentences(*sentences: str) -> list[Frame]:
    texts = [AggregatedTextFrame(sentence, TextType.SENTENCE, raw_text=sentence) for sentence in sentences]
    return [LLMFullResponseStartFrame(), *texts, LLMFullResponseEndFrame()]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda: [TTSSpeakFrame(TEXT)], id="ours"),
        pytest.param(lambda: response("one two ", "three four five."), id="pieces"),
        pytest.param(lambda: sentences(TEXT), id="sentences"),
    ],
)
@pytest.mark.parametrize("fault", ["", "mute", "error", "cut", "stall", "early"])
async def test_the_next_voice_goes_on_where_the_first_broke_off(
    fault: str, frames: Callable[[], Sequence[Frame]]
) -> None:
    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", fault), ("second", ""))) as bench:
        await bench.down(*frames(), EndFrame())
        await bench.below.until(lambda _: bench.below.count(EndFrame))
        assert words(bench) == TEXT.split()
        assert seconds(bench) == pytest.approx(1.0)
        assert bench.below.count(TTSStoppedFrame) == (2 if fault in ("cut", "stall", "early") else 1)
        if fault in ("cut", "stall", "early"):
            assert bench.made["second"][0].texts == ["three four five."]
        elif fault:
            assert bench.made["second"][0].texts == [TEXT]


async def test_what_comes_after_the_broken_reply_is_spoken_too() -> None:
    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", "cut"), ("second", ""))) as bench:
        await bench.down(TTSSpeakFrame(TEXT), *sentences("six seven eight.", "nine ten."), TTSSpeakFrame("bye."))
        await bench.below.until(lambda _: words(bench)[-1:] == ["bye."])
        assert " ".join(words(bench)) == f"{TEXT} six seven eight. nine ten. bye."


async def test_an_interrupted_reply_is_not_taken_up_again() -> None:
    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", "stall"), ("second", ""))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        await bench.below.until(lambda _: words(bench) == ["one", "two"])
        await bench.down(InterruptionFrame())
        await asyncio.sleep(1.5)
        assert words(bench) == ["one", "two"]
        assert not bench.log.switches


async def test_what_is_interrupted_while_the_next_voice_comes_up_is_not_spoken() -> None:
    coming, come = asyncio.Event(), asyncio.Event()

    class Slow(Mouth):
        async def setup(self, setup: Any) -> None:
            coming.set()
            await come.wait()
            await super().setup(setup)

    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", "cut")), ("second", lambda: Slow("second"))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        await coming.wait()
        await bench.down(InterruptionFrame(), TTSSpeakFrame("six seven."))
        await bench.below.until(lambda _: bench.below.count(InterruptionFrame))
        come.set()
        await bench.below.until(lambda _: words(bench)[-1:] == ["seven."])
        assert words(bench) == ["one", "two", "six", "seven."]


async def test_a_vendor_that_cannot_be_made_or_set_up_is_passed_over() -> None:
    class Broken(Mouth):
        async def setup(self, setup: Any) -> None:
            raise ConnectionRefusedError

    def unmade() -> Mouth:
        raise ImportError("no such module")

    makers: list[tuple[str, Make]] = [("first", unmade), ("second", lambda: Broken("second"))]
    async with chain_of(FailoverTTS, *makers, *vendors(Mouth, ("third", ""))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        await bench.below.until(lambda _: len(words(bench)) == 5)
        assert bench.breakers.of("second", "tts").trouble is ErrorCategory.CONNECTIVITY


async def test_a_vendor_that_does_not_come_up_is_passed_over() -> None:
    class Down(Mouth):
        async def setup(self, setup: Any) -> None:
            await super().setup(setup)
            await self.push_error("no route", category=ErrorCategory.CONNECTIVITY)

    async with chain_of(FailoverTTS, ("first", lambda: Down("first")), *vendors(Mouth, ("second", ""))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        await bench.below.until(lambda _: len(words(bench)) == 5)
        assert bench.breakers.of("first", "tts").failures == 1


# --- The record -------------------------------------------------------------------------------------------------------


async def test_what_a_recogniser_heard_before_it_was_replaced_is_on_the_bill() -> None:
    async with chain_of(FailoverSTT, *vendors(Ear, ("deepgram", "deaf"), ("openai", ""))) as bench:
        await speak(bench, 7)
        await bench.below.until(lambda _: texts(bench))
    assert bench.used["deepgram"].audio_ms == 1100
    assert bench.used["openai"].audio_ms == 1100, "it hears all of it again"


@pytest.mark.parametrize("fault", ["mute", "stall", "cut"])
async def test_what_a_model_read_and_wrote_before_it_was_replaced_is_on_the_bill(fault: str) -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("anthropic", fault), ("openai", ""))) as bench:
        await bench.down(LLMContextFrame(LLMContext()))
        await bench.below.until(lambda _: said(bench).endswith("openai says hello."))
    for vendor in ("anthropic", "openai"):
        assert (bench.used[vendor].estimated_answers, bench.used[vendor].output_tokens) == (1, 3)


@pytest.mark.parametrize("fault", ["mute", "stall"])
async def test_what_a_voice_was_given_before_it_was_replaced_is_on_the_bill(fault: str) -> None:
    async with chain_of(FailoverTTS, *vendors(Mouth, ("cartesia", fault), ("elevenlabs", ""))) as bench:
        await bench.down(TTSSpeakFrame(TEXT))
        await bench.below.until(lambda _: len(words(bench)) == 5)
    assert bench.used["cartesia"].characters == len(TEXT)
    assert bench.used["elevenlabs"].characters == len(TEXT if fault == "mute" else "three four five.")


async def test_who_rests_when_the_call_begins_or_does_not_come_up_is_told() -> None:
    class Down(Head):
        async def setup(self, setup: Any) -> None:
            raise ConnectionRefusedError

    breakers = Breakers()
    breakers.of("anthropic", "llm").failed(ErrorCategory.AUTHENTICATION)
    chain = [*vendors(Head, ("anthropic", "")), ("openai", lambda: Down("openai")), *vendors(Head, ("groq", ""))]
    async with chain_of(FailoverLLM, *chain, breakers=breakers) as bench:
        await ask(bench)
    assert bench.log.switches == [
        Switch("llm", "anthropic", "openai", ErrorCategory.AUTHENTICATION, asked=False),
        Switch("llm", "openai", "groq", ErrorCategory.CONNECTIVITY),
    ]
    assert list(bench.used) == ["groq"]


async def test_a_call_that_nobody_can_serve_from_the_start_takes_leave() -> None:
    def unmade() -> Head:
        raise ImportError("no such module")

    async with chain_of(FailoverLLM, ("first", unmade), ("second", unmade)) as bench:
        await bench.below.until(lambda _: bench.below.count(TTSSpeakFrame))
        assert bench.below.all(TTSSpeakFrame)[0].text == APOLOGY
        assert bench.log.ended == ["llm"]


# --- Fixed sentences --------------------------------------------------------------------------------------------------


class Studio:
    """A vendor that speaks fixed sentences without a call, half a second each."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def tts(self, settings: Settings, brief: Brief) -> Mouth:
        return Mouth("studio")

    async def say(self, settings: Settings, text: str, *, voice: str, language: str, sample_rate: int) -> bytes:
        self.asked.append(text)
        if self.fails:
            raise ConnectionError("away")
        return bytes([2, 0]) * (sample_rate // 2)


def brief_of(*prompts: str) -> Brief:
    return Brief("banking", "", Phrases((), can_do=""), prompts=prompts)


async def test_a_fixed_sentence_sounds_from_the_shelf_and_is_told_like_any_other(tmp_path: Path) -> None:
    settings, studio, prompts = Settings(_env_file=None, data_dir=tmp_path), Studio(), Prompts()  # pyright: ignore[reportCallIssue]
    await prompts.prepare("first", studio, settings, [brief_of("Hello there.", "Bye.")])  # pyright: ignore[reportArgumentType]
    assert studio.asked == ["Hello there.", "Bye."]
    async with chain_of(FailoverTTS, *vendors(Mouth, ("first", ""), ("second", "")), prompts=prompts) as bench:
        await bench.down(TTSSpeakFrame("Hello there."), TTSSpeakFrame("one two."), TTSSpeakFrame("Bye."))
        await bench.below.until(lambda _: bench.below.count(TTSStoppedFrame) == 3)
        assert words(bench) == ["Hello", "there.", "one", "two.", "Bye."]
        kept = [frame for frame in bench.below.all(TTSAudioRawFrame) if frame.audio[0] == 2]
        assert sum(frame.num_frames for frame in kept) == RATE_OF_PROMPTS // 2, "while a voice speaks it goes on"
        [first] = bench.made["first"]
        assert first.texts == ["one two.", "Bye."]
        kinds = [type(frame).__name__ for frame in bench.below.frames if getattr(frame, "context_id", None)]
        assert kinds[0] == "AggregatedTextFrame"
        assert kinds[1] == "TTSStartedFrame"
        assert kinds[6] == "TTSAudioRawFrame"
        told = [frame.remaining_text for frame in bench.below.all(AggregatedTextProgressFrame)]
        assert told[:2] == [" there.", ""], "the captions show how far it has been spoken"
        assert bench.below.count(LLMAssistantPushAggregationFrame) == 3


async def test_sound_once_made_is_found_again_after_a_restart(tmp_path: Path) -> None:
    settings, studio = Settings(_env_file=None, data_dir=tmp_path), Studio()  # pyright: ignore[reportCallIssue]
    for _ in range(2):
        prompts = Prompts()
        await prompts.prepare("first", studio, settings, [brief_of("Hello.")])  # pyright: ignore[reportArgumentType]
        assert prompts.find("first", Mouth("x").settings, "Hello.") is not None
        assert prompts.find("other", Mouth("x").settings, "Hello.") is None
    assert studio.asked == ["Hello."]


async def test_a_vendor_that_is_away_is_not_asked_for_every_sentence(tmp_path: Path) -> None:
    settings, studio, prompts = Settings(_env_file=None, data_dir=tmp_path), Studio(), Prompts()  # pyright: ignore[reportCallIssue]
    studio.fails = True
    await prompts.prepare("first", studio, settings, [brief_of(*"abcdefgh")])  # pyright: ignore[reportArgumentType]
    assert len(studio.asked) == MAX_TRIES
    assert prompts.find("first", Mouth("x").settings, "a") is None
