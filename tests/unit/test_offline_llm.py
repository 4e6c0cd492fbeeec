"""The offline language service inside a real pipeline, with real aggregators and real tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    FunctionCallResultProperties,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    LLMTextFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
    TTSTextFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext, standard_message_text
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMAssistantAggregator,
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.utils.text.base_text_aggregator import TextType
from pipecat.workers.runner import WorkerRunner

from pipelines.banking.phrases import PHRASES
from providers.base import Brief
from providers.offline import llm as offline_llm
from providers.offline.espeak import DEFAULT_RATE_WPM
from providers.offline.intents import trained
from providers.offline.llm import RATE_STEP_WPM, OfflineLLMService
from providers.offline.tts import EspeakTTSService

BALANCE = {"savings": "Your savings balance is ten thousand rupees.", "current": "Your current balance is five rupees."}
ACCOUNT = {"account": {"anyOf": [{"enum": ["savings", "current"], "type": "string"}, {"type": "null"}]}}
COUNT = {"count": {"type": "integer", "minimum": 1, "maximum": 20}}
SEND = {"payee": {"type": "string"}, "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 10**9}}
PATIENCE_S = 10


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """As the server does before the first call."""
    asyncio.run(trained(PHRASES))


class Mouth(FrameProcessor):
    """A voice without sound: says the words of each reply and reports the reply when it is complete.

    Attributes:
        replies: What was to be said, one text a response.
        holds_after: Stop after so many words of a reply, as if the rest were still being spoken.
        holding: Set when a reply is held.
        rates: Speaking rates asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.replies: asyncio.Queue[str] = asyncio.Queue()
        self.pieces: list[str] = []
        self.holds_after: int | None = None
        self.holding = asyncio.Event()
        self.updates: list[TTSUpdateSettingsFrame] = []
        self.ended = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.pieces.append(frame.text)
            return
        if isinstance(frame, TTSUpdateSettingsFrame):
            self.updates.append(frame)
            return
        if isinstance(frame, LLMFullResponseStartFrame):
            self.pieces = []
        elif isinstance(frame, LLMFullResponseEndFrame):
            self.replies.put_nowait("".join(self.pieces))
            await self._speak("".join(self.pieces))
        elif isinstance(frame, TTSSpeakFrame):
            await self._speak(frame.text)
        elif isinstance(frame, EndFrame):
            self.ended.set()
        await self.push_frame(frame, direction)

    async def _speak(self, text: str) -> None:
        for number, word in enumerate(text.split()):
            if number == self.holds_after:
                self.holding.set()
                await asyncio.Event().wait()  # an interruption cancels this
            await self.push_frame(TTSTextFrame(word, text_type=TextType.WORD))


class Talk:
    """One call's conversation with the service under test."""

    def __init__(
        self, pair: LLMContextAggregatorPair, worker: PipelineWorker, mouth: Mouth, llm: OfflineLLMService
    ) -> None:
        self.context = pair.user().context
        self.user = pair.user()
        self.worker = worker
        self.mouth = mouth
        self.llm = llm
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.spoken: asyncio.Queue[AssistantTurnStoppedMessage] = asyncio.Queue()

    async def types(self, text: str) -> str:
        """The text of the first non-empty reply to a typed turn; a turn that only calls a tool has an empty one."""
        await self.worker.queue_frame(LLMMessagesAppendFrame([{"role": "user", "content": text}], run_llm=True))
        return await self.reply()

    async def says(self, text: str) -> None:
        """A spoken turn; the end of it is up to the turn strategies."""
        await self.worker.queue_frames(
            [
                ProposedUserStartedSpeakingFrame(),
                TranscriptionFrame(text, "caller", "2026-01-01T00:00:00Z", finalized=True),
                ProposedUserStoppedSpeakingFrame(),
            ]
        )

    async def reply(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while not (text := await self.mouth.replies.get()):
                pass
        return text.strip()

    async def empty_reply(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            assert await self.mouth.replies.get() == ""

    def heard(self) -> list[str]:
        """What the context says the agent said."""
        return [
            text
            for message in self.context.messages
            if isinstance(message, dict) and message["role"] == "assistant" and (text := standard_message_text(message))
        ]


@asynccontextmanager
async def talk(
    *, tools: tuple[str, ...] = ("get_balance", "get_transactions", "send_money", "end_call")
) -> AsyncIterator[Talk]:
    schemas = {
        "send_money": FunctionSchema("send_money", "Send", SEND | ACCOUNT, ["payee", "amount"]),
        "get_balance": FunctionSchema("get_balance", "Balance", ACCOUNT, []),
        "get_transactions": FunctionSchema("get_transactions", "Transactions", ACCOUNT | COUNT, []),
        "end_call": FunctionSchema("end_call", "Hang up", {}, []),
    }
    context = LLMContext(tools=ToolsSchema(standard_tools=[schemas[name] for name in tools]))
    pair = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
    )
    brief = Brief("banking", "", PHRASES, ("Ravi",))
    llm = OfflineLLMService(brief)
    mouth = Mouth()
    worker = PipelineWorker(
        Pipeline([pair.user(), llm, mouth, pair.assistant()]),
        params=PipelineParams(),
        idle_timeout_secs=None,
        enable_rtvi=False,
    )
    conversation = Talk(pair, worker, mouth, llm)
    _register(llm, conversation, pair.assistant())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        yield conversation
    finally:
        await worker.cancel()
        await asyncio.wait_for(running, PATIENCE_S)


def _register(llm: OfflineLLMService, conversation: Talk, assistant: LLMAssistantAggregator) -> None:
    async def get_balance(params: FunctionCallParams) -> None:
        conversation.calls.append(("get_balance", dict(params.arguments)))
        await params.result_callback({"say": BALANCE[params.arguments.get("account") or "savings"]})

    async def get_transactions(params: FunctionCallParams) -> None:
        conversation.calls.append(("get_transactions", dict(params.arguments)))
        await params.result_callback({"error": "no_account", "say": "You have no such account."})

    async def end_call(_params: FunctionCallParams) -> None:
        conversation.calls.append(("end_call", {}))
        await conversation.worker.queue_frame(EndFrame())

    llm.register_function("get_balance", get_balance)
    llm.register_function("get_transactions", get_transactions)
    llm.register_function("end_call", end_call, cancel_on_interruption=False)

    @assistant.event_handler("on_assistant_turn_stopped")
    async def on_assistant_turn_stopped(
        _aggregator: LLMAssistantAggregator, message: AssistantTurnStoppedMessage
    ) -> None:
        conversation.spoken.put_nowait(message)


async def test_a_question_calls_its_tool_and_speaks_the_result() -> None:
    async with talk() as call:
        assert await call.types("What's in my savings account?") == BALANCE["savings"]
        assert call.calls == [("get_balance", {"account": "savings"})]


async def test_a_spoken_turn_works_as_a_typed_one_and_a_follow_up_keeps_the_subject() -> None:
    async with talk() as call:
        await call.says("what is the balance of my savings account")
        assert await call.reply() == BALANCE["savings"]
        await call.says("and the current one")
        assert await call.reply() == BALANCE["current"]
        assert call.calls == [("get_balance", {"account": "savings"}), ("get_balance", {"account": "current"})]


async def test_an_answer_found_while_the_caller_was_speaking_is_still_given() -> None:
    async with talk() as call:
        asked, speaking, found = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def in_context() -> None:
            found.set()

        async def get_balance(params: FunctionCallParams) -> None:
            asked.set()
            await speaking.wait()
            properties = FunctionCallResultProperties(on_context_updated=in_context)
            await params.result_callback({"say": BALANCE["savings"]}, properties=properties)

        call.llm.register_function("get_balance", get_balance, cancel_on_interruption=False)
        call.user.add_event_handler("on_user_turn_started", lambda *_: speaking.set())
        await call.worker.queue_frame(
            LLMMessagesAppendFrame([{"role": "user", "content": "what is my balance"}], run_llm=True)
        )
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
            await call.worker.queue_frame(ProposedUserStartedSpeakingFrame())
            await found.wait()
        await call.worker.queue_frames(
            [
                TranscriptionFrame("are you there", "caller", "2026-01-01T00:00:00Z", finalized=True),
                ProposedUserStoppedSpeakingFrame(),
            ]
        )
        assert await call.reply() == f"Yes, I can hear you. How can I help? {BALANCE['savings']}"


async def test_a_new_request_during_the_old_one_replaces_it() -> None:
    async def stuck(_params: FunctionCallParams) -> None:
        await asyncio.Event().wait()

    async with talk() as call:
        call.llm.register_function("get_balance", stuck)
        await call.says("what is my balance")
        await call.empty_reply()
        await call.says("no show my last transactions")
        assert await call.reply() == "You have no such account."


async def test_two_requests_in_one_turn_are_two_calls_and_one_answer() -> None:
    async with talk() as call:
        answer = await call.types("the balance of savings and current please")
        assert call.calls == [("get_balance", {"account": "savings"}), ("get_balance", {"account": "current"})]
        assert answer == f"{BALANCE['savings']} {BALANCE['current']}"


async def test_what_a_failed_tool_says_is_spoken_and_numbers_stay_in_the_tools_range() -> None:
    async with talk() as call:
        assert await call.types("show my last fifty transactions") == "You have no such account."
        assert call.calls == [("get_transactions", {"count": 20})]


async def test_a_short_answer_completes_what_a_tool_refused() -> None:
    async def send_money(params: FunctionCallParams) -> None:
        call.calls.append(("send_money", dict(params.arguments)))
        refusal = {"error": "which_account", "say": "Which account: savings or current?"}
        await params.result_callback({"say": "Shall I?"} if "account" in params.arguments else refusal)

    async with talk() as call:
        call.llm.register_function("send_money", send_money, cancel_on_interruption=False)
        assert await call.types("send 2 crore to Ravi") == "Which account: savings or current?"
        assert await call.types("the current one") == "Shall I?"
        asked = {"payee": "Ravi", "amount": 20_000_000}
        assert call.calls == [("send_money", asked), ("send_money", {**asked, "account": "current"})]


async def test_an_amount_out_of_range_is_passed_as_it_was_said() -> None:
    async def send_money(params: FunctionCallParams) -> None:
        await params.result_callback({"error": "invalid_arguments", "say": f"{params.arguments['amount']}?"})

    async with talk() as call:
        call.llm.register_function("send_money", send_money)
        assert await call.types("send five hundred crore to Ravi") == "5000000000?"


async def test_a_tool_that_raises_is_apologised_for() -> None:
    async def broken(_params: FunctionCallParams) -> None:
        raise RuntimeError("no database")

    async with talk() as call:
        call.llm.register_function("get_balance", broken)
        assert "went wrong" in await call.types("what's my balance")


async def test_a_tool_that_takes_too_long_is_apologised_for() -> None:
    async def stuck(_params: FunctionCallParams) -> None:
        await asyncio.Event().wait()

    async with talk() as call:
        call.llm.register_function("get_balance", stuck, timeout_secs=0.01)
        assert "too long" in await call.types("what's my balance")


async def test_nothing_is_said_before_the_caller_has_spoken() -> None:
    async with talk() as call:
        await call.worker.queue_frame(LLMRunFrame())
        await call.empty_reply()
        assert call.heard() == []


async def test_repeat_after_a_barge_in_says_the_whole_answer_again() -> None:
    async with talk() as call:
        call.mouth.holds_after = 3
        await call.says("what is my balance")
        assert await call.reply() == BALANCE["savings"]
        async with asyncio.timeout(PATIENCE_S):
            await call.mouth.holding.wait()
        call.mouth.holds_after = None
        await call.says("sorry can you say that again")
        assert await call.reply() == BALANCE["savings"]
        async with asyncio.timeout(PATIENCE_S):
            cut = await call.spoken.get()
            while not cut.content:
                cut = await call.spoken.get()
        assert (cut.content, cut.interrupted) == ("Your savings balance", True)


async def test_noise_that_cuts_an_answer_makes_the_agent_say_it_again() -> None:
    async with talk() as call:
        call.mouth.holds_after = 2
        await call.says("what is my balance")
        assert await call.reply() == BALANCE["savings"]
        async with asyncio.timeout(PATIENCE_S):
            await call.mouth.holding.wait()
        call.mouth.holds_after = None
        await call.worker.queue_frame(InterruptionFrame())
        await call.worker.queue_frame(
            LLMMessagesAppendFrame([{"role": "developer", "content": "Nothing was understood."}], run_llm=True)
        )
        assert await call.reply() == BALANCE["savings"]


async def test_repeat_knows_what_others_said_in_the_call() -> None:
    async with talk() as call:
        await call.worker.queue_frame(TTSSpeakFrame("Hello, this is the bank."))
        call.context.add_message({"role": "assistant", "content": "Hello, this is the bank."})
        assert await call.types("pardon") == "Hello, this is the bank."


async def test_slower_changes_the_rate_of_the_voice_and_says_the_last_thing_again() -> None:
    async with talk() as call:
        await call.types("what's my balance")
        answer = await call.types("could you speak more slowly please")
        assert answer.endswith(BALANCE["savings"])
        (update,) = call.mouth.updates
        assert update.delta is not None
        voice = EspeakTTSService()
        await voice._update_settings(update.delta)
        assert voice._settings.rate_wpm == DEFAULT_RATE_WPM - RATE_STEP_WPM


async def test_a_voice_without_a_rate_ignores_the_request() -> None:
    plain = offline_llm.TTSSettings(model=None, voice="x", language="en")
    assert plain.apply_update(offline_llm.RateDelta(rate_wpm=120)) == {}


async def test_goodbye_takes_leave_and_hangs_up() -> None:
    async with talk() as call:
        assert await call.types("That's all, goodbye!") == PHRASES.goodbye
        async with asyncio.timeout(PATIENCE_S):
            await call.mouth.ended.wait()
        assert call.calls == [("end_call", {})]


async def test_goodbye_without_the_tool_only_takes_leave() -> None:
    async with talk(tools=("get_balance",)) as call:
        assert await call.types("goodbye") == PHRASES.goodbye
        assert await call.types("what's my balance") == BALANCE["savings"]


async def test_out_of_scope_says_what_the_agent_can_do() -> None:
    async with talk() as call:
        first = await call.types("what's the weather like in London?")
        second = await call.types("tell me a joke")
        assert PHRASES.can_do in first
        assert PHRASES.can_do in second
        assert first != second
        assert call.calls == []


async def test_two_calls_at_once_share_no_conversation() -> None:
    async with talk() as one, talk() as other:
        answers = await asyncio.gather(one.types("balance of my savings"), other.types("show my last transactions"))
        assert answers == [BALANCE["savings"], "You have no such account."]
        assert await asyncio.gather(one.types("and current"), other.types("no, the last four")) == [
            BALANCE["current"],
            "You have no such account.",
        ]
        assert other.calls[-1] == ("get_transactions", {"count": 4})
        assert ("get_transactions", {"count": 4}) not in one.calls


@pytest.mark.parametrize("withdrawn", ["show my last", "what is my"])
async def test_a_turn_whose_end_was_guessed_too_early_is_taken_back(withdrawn: str) -> None:
    """The same turn comes again in full; what its beginning had meant is forgotten."""
    async with talk() as call:
        await call.types("balance of my current account")
        early = LLMContext(messages=[*call.context.messages, {"role": "user", "content": withdrawn}])
        await call.worker.queue_frame(LLMContextFrame(context=early, speculation=True))
        assert await call.types("what is my savings balance") == BALANCE["savings"]
