"""What a recogniser that guesses at the end of a turn may set off, and what it may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    Frame,
    FunctionCallsStartedFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMContextUserTurnFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    StartFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import EagerUserTurnStrategies, UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from core.clock import utc_now
from pipelines.turns import SileroVAD, UserAggregator
from providers.failover import FailoverLLM
from tests.integration.test_failover import Bench, Head, Stage, chain_of, vendors
from tests.integration.test_teller import Line, line

__all__ = ["line"]


def question(text: str = "hello", *, guess: bool = False) -> LLMContextFrame:
    return LLMContextFrame(context=LLMContext([{"role": "user", "content": text}]), speculation=guess)


def said(bench: Bench) -> str:
    return "".join(frame.text for frame in bench.below.all(LLMTextFrame))


async def asked(bench: Bench, name: str, *, times: int = 1) -> None:
    async with asyncio.timeout(5):
        while name not in bench.made or bench.made[name][-1].asked < times:
            await asyncio.sleep(0.01)


# --- Language models --------------------------------------------------------------------------------------------------


async def test_the_answer_to_a_guess_is_heard_when_the_turn_is_over() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", ""), ("second", ""))) as bench:
        await bench.down(UserStartedSpeakingFrame(), question(guess=True))
        await asked(bench, "first")
        await asyncio.sleep(0.1)
        assert not said(bench)
        await bench.down(UserStoppedSpeakingFrame())
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame))
        assert said(bench) == "first says hello."
        assert not bench.left


async def test_a_guess_that_is_taken_back_is_held_against_nobody(monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.llm.GUESS_S", 0.2)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.down(UserStartedSpeakingFrame(), question("pay the", guess=True))
        await asked(bench, "first")
        await bench.down(EagerEndOfTurnCancelFrame())
        await asyncio.sleep(0.4)
        assert not bench.left and "second" not in bench.made
        bench.made["first"][0].fault = ""
        await bench.down(UserStoppedSpeakingFrame(), question("pay the water bill"))
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame))
        assert said(bench) == "first says hello."


async def test_a_question_takes_the_place_of_a_guess_that_was_taken_back_before_it_came() -> None:
    async with chain_of(FailoverLLM, *vendors(Head, ("first", ""), ("second", ""))) as bench:
        await bench.down(UserStartedSpeakingFrame(), question("pay the", guess=True))
        await asked(bench, "first")
        await bench.down(UserStoppedSpeakingFrame(), question("pay the water bill"))
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame))
        await asked(bench, "first", times=2)
        await bench.down(question("thanks"))
        await asked(bench, "first", times=3)
        await asyncio.sleep(0.1)
        assert not bench.left and not bench.chain._turns


async def test_whoever_takes_over_after_the_turn_answers_without_waiting_for_its_end(monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.llm.FIRST_TOKEN_S", 0.2)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.down(UserStartedSpeakingFrame(), question(guess=True))
        await asked(bench, "first")
        await bench.down(UserStoppedSpeakingFrame())
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame))
        assert said(bench) == "second says hello."


async def test_whoever_takes_over_before_the_turn_is_over_waits_for_its_end(monkeypatch: Any) -> None:
    monkeypatch.setattr("providers.failover.llm.GUESS_S", 0.2)
    async with chain_of(FailoverLLM, *vendors(Head, ("first", "mute"), ("second", ""))) as bench:
        await bench.down(UserStartedSpeakingFrame(), question(guess=True))
        await asked(bench, "second")
        await asyncio.sleep(0.1)
        assert not said(bench)
        await bench.down(UserStoppedSpeakingFrame())
        await bench.below.until(lambda _: bench.below.count(LLMFullResponseEndFrame))
        assert said(bench) == "second says hello."


async def test_no_tool_runs_on_a_guess() -> None:
    ran: list[str] = []

    async def pay(params: FunctionCallParams) -> None:
        ran.append(params.tool_call_id)
        await params.result_callback({"say": "done"})

    async with chain_of(FailoverLLM, *vendors(Head, ("first", "call"), ("second", ""))) as bench:
        bench.chain.register_function("pay", pay)
        bench.made["first"][0].register_function("pay", pay)
        await bench.down(UserStartedSpeakingFrame(), question("pay it", guess=True))
        await bench.above.until(lambda _: bench.above.count(EagerEndOfTurnCancelFrame))
        assert not ran and not bench.below.count(FunctionCallsStartedFrame)
        bench.made["first"][0].fault = "call"
        await bench.down(UserStoppedSpeakingFrame(), question("pay it"))
        await bench.below.until(lambda _: bench.below.count(FunctionCallsStartedFrame))
        async with asyncio.timeout(5):
            while not ran:
                await asyncio.sleep(0.01)
        assert ran == ["1"] and not bench.left


# --- The teller -------------------------------------------------------------------------------------------------------


async def guesses(line: Line, text: str) -> None:
    provisional = LLMContext([*line.context.messages, {"role": "user", "content": text}])
    await line.worker.queue_frame(LLMContextFrame(context=provisional, speculation=True))


async def is_over(line: Line, text: str) -> None:
    """The turn ends as it was guessed: the model is not asked again."""
    line.context.add_message({"role": "user", "content": text})
    await line.worker.queue_frame(LLMContextUserTurnFrame(text=text, timestamp=utc_now().isoformat()))


async def test_what_was_guessed_right_counts_as_said(line: Line) -> None:
    await guesses(line, "send five hundred to Ravi")
    assert await asyncio.wait_for(line.model.turns.get(), 5) == "send five hundred to Ravi"
    assert line.desk.last_heard == "send five hundred to Ravi"
    refused = await line.model_asks("send_money", payee="Ravi", amount=500)
    assert await line.transfers() == [], refused
    await is_over(line, "send five hundred to Ravi")
    await line.until(lambda: line.desk.turn == 1)
    await line.model_asks("send_money", payee="Ravi", amount=500)
    await line.voice.says(containing="Shall I go ahead?")
    await line.heard_out()
    await line.caller_says("yes")  # alone: what was said before is not said again with it
    await line.voice.says(containing="new balance")
    assert await line.postings() == 1


async def test_what_was_guessed_wrong_was_never_said(line: Line) -> None:
    await guesses(line, "send five hundred to Ravi")
    await asyncio.wait_for(line.model.turns.get(), 5)
    await line.worker.queue_frame(EagerEndOfTurnCancelFrame())
    await line.caller_says("send five hundred to Ravi's brother")
    await asyncio.wait_for(line.model.turns.get(), 5)
    assert line.desk.last_heard == "send five hundred to Ravi's brother" and line.desk.turn == 1


async def test_while_a_draft_waits_nothing_is_guessed(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to Ravi")
    await guesses(line, "yes")
    await asyncio.sleep(0.1)
    assert line.model.turns.empty() and await line.postings() == 0
    await line.caller_says("yes")
    await line.voice.says(containing="new balance")
    assert await line.postings() == 1
    assert line.model.turns.empty()


# --- Who rules the turns ----------------------------------------------------------------------------------------------


class Undecided(FrameProcessor):
    """Hands everything on, or takes no guess, as the teller does while a draft waits."""

    turns_guesses_down = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if self.turns_guesses_down and isinstance(frame, LLMContextFrame) and frame.speculation:
            await self.broadcast_frame(EagerEndOfTurnCancelFrame)
        else:
            await self.push_frame(frame, direction)


class Turns:
    """An aggregator in a pipeline, whose own strategies end a turn a tenth of a second after the voice."""

    def __init__(self) -> None:
        ours = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.1)])
        self.below = Stage()
        self.model = Undecided()
        aggregator = UserAggregator(LLMContext(), vad=SileroVAD(), strategies=ours, idle_timeout_s=30)
        self.worker = PipelineWorker(
            Pipeline([aggregator, self.model, self.below]), idle_timeout_secs=None, enable_rtvi=False
        )

    async def serve(self, strategies: UserTurnStrategies | None) -> None:
        """Another recogniser serves."""
        frame = STTMetadataFrame(service_name="ear", ttfs_p99_latency=0.1)
        frame.user_turn_strategies = strategies
        await self.comes(frame)

    async def comes(self, *frames: Frame) -> None:
        """Put frames in and wait until they have come out."""
        marker = LLMContextUserTurnFrame(text="", timestamp="")
        await self.worker.queue_frames([*frames, marker])
        await self.below.until(lambda seen: marker in seen)

    async def hears(self, text: str) -> None:
        await self.comes(TranscriptionFrame(text, "caller", time_now_iso8601(), finalized=True))

    async def asked(self, *texts: str) -> None:
        """Wait until the model has been asked about so many turns."""
        wait_s = 3  # pipecat's watchdog takes 5
        await self.below.until(lambda _: len(self._questions()) >= len(texts), within_s=wait_s)
        await asyncio.sleep(0.1)
        said = [frame.text for frame in self.below.all(LLMContextUserTurnFrame) if frame.text]
        assert said == list(texts) and len(self._questions()) == len(texts)

    def _questions(self) -> list[Frame]:
        return [frame for frame in self.below.all(LLMContextFrame) if not frame.speculation]


@pytest_asyncio.fixture
async def turns() -> AsyncIterator[Turns]:
    turns = Turns()
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(turns.worker)
    run = asyncio.create_task(runner.run())
    await turns.below.until(lambda frames: any(isinstance(frame, StartFrame) for frame in frames))
    yield turns
    await turns.worker.cancel()
    await run


async def test_a_recogniser_that_rules_turns_rules_them(turns: Turns) -> None:
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(VADUserStartedSpeakingFrame(start_secs=0.2), ProposedUserStartedSpeakingFrame())
    await turns.comes(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await turns.hears("pay the water bill")
    await asyncio.sleep(0.3)  # ours would have ended it
    assert not turns.below.count(LLMContextFrame)
    await turns.comes(ProposedUserStoppedSpeakingFrame())
    await turns.asked("pay the water bill")


async def test_a_turn_that_one_began_is_ended_by_us_when_another_takes_over(turns: Turns) -> None:
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(VADUserStartedSpeakingFrame(start_secs=0.2), ProposedUserStartedSpeakingFrame())
    await turns.serve(None)
    await turns.comes(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await turns.hears("pay the water bill")
    await turns.asked("pay the water bill")


async def test_one_that_comes_back_within_a_turn_rules_the_next_one(turns: Turns) -> None:
    await turns.serve(None)
    await turns.comes(VADUserStartedSpeakingFrame(start_secs=0.2))
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await turns.hears("pay the water bill")
    await turns.asked("pay the water bill")
    await turns.comes(ProposedUserStartedSpeakingFrame())
    await turns.hears("and the gas")
    await asyncio.sleep(0.3)
    await turns.asked("pay the water bill")
    await turns.comes(ProposedUserStoppedSpeakingFrame())
    await turns.asked("pay the water bill", "and the gas")


def guess(text: str) -> EagerTranscriptionFrame:
    return EagerTranscriptionFrame(text, "caller", time_now_iso8601(), None)


@pytest.mark.parametrize("apart_s", [0.0, 0.001, 0.005, 0.1])
async def test_a_turn_that_ends_while_its_guess_is_turned_down_is_asked_about(turns: Turns, apart_s: float) -> None:
    turns.model.turns_guesses_down = True
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(ProposedUserStartedSpeakingFrame())
    await turns.worker.queue_frame(guess("yes"))
    await asyncio.sleep(apart_s)
    final = TranscriptionFrame("yes", "caller", time_now_iso8601(), finalized=True)
    await turns.worker.queue_frames([final, ProposedUserStoppedSpeakingFrame()])
    await turns.asked("yes")


async def test_a_turn_is_asked_about_although_its_guess_was_interrupted(turns: Turns) -> None:
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(ProposedUserStartedSpeakingFrame())
    await turns.comes(guess("what is my balance"))
    await turns.worker.queue_frame(InterruptionFrame())
    await turns.below.until(lambda _: turns.below.count(InterruptionFrame) == 2)  # its beginning was the first
    await turns.hears("what is my balance")
    await turns.comes(ProposedUserStoppedSpeakingFrame())
    await turns.asked("what is my balance")


async def test_a_guess_is_taken_back_when_another_recogniser_takes_over(turns: Turns) -> None:
    await turns.serve(EagerUserTurnStrategies())
    await turns.comes(VADUserStartedSpeakingFrame(start_secs=0.2), ProposedUserStartedSpeakingFrame())
    await turns.comes(guess("pay the water bill"))
    await turns.serve(None)
    await turns.comes(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await turns.hears("pay the water bill")
    await turns.asked("pay the water bill")
    kinds = [type(frame) for frame in turns.below.all(EagerEndOfTurnCancelFrame, LLMContextFrame)]
    assert kinds == [LLMContextFrame, EagerEndOfTurnCancelFrame, LLMContextFrame]
