"""The teller with a real bank behind it: consent, second factor and outcome, in a pipeline without audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMContextUserTurnFrame,
    OutputAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, customers, ledger
from banking.accounts import House
from banking.ledger import Leg, PostingKind
from banking.transfers import State, Transfer
from core.clock import utc_now
from core.db import Database
from core.settings import Settings
from identity import otp
from identity.actor import SYSTEM, Actor
from pipelines.banking import AGENT
from pipelines.base import Json, Means
from pipelines.lines import lines
from pipelines.played import SpeechMark
from pipelines.teller import Teller
from pipelines.tools import ToolDesk
from tests.lines import Pigeon

LINES = lines("en")
SECRET = "a secret for the tests of the teller, long enough"
HZ = 24_000


class Voice(FrameProcessor):
    """Speaks at once, half a second of sound a word; or holds its tongue until told, as a line that is slow."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.seconds_per_word = 0.5
        self.holding = False
        self._held: list[Frame] = []
        self.changed = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._held.clear()
        if isinstance(frame, TTSSpeakFrame):
            sound = bytes(2 * int(HZ * self.seconds_per_word * len(frame.text.split())))
            await self._out(OutputAudioRawFrame(sound, HZ, 1))
            async with self.changed:
                self.said.append(frame.text)
                self.changed.notify_all()
        elif isinstance(frame, SpeechMark):
            await self._out(frame)
        else:
            await self.push_frame(frame, direction)

    async def _out(self, frame: Frame) -> None:
        if self.holding:
            self._held.append(frame)
        elif not isinstance(frame, OutputAudioRawFrame) or frame.audio:
            await self.push_frame(frame)

    async def says(self, *, containing: str, times: int = 1) -> str:
        async with asyncio.timeout(10), self.changed:
            while len(found := [text for text in self.said if containing in text]) < times:
                await self.changed.wait()
        return found[-1]


class Model(FrameProcessor):
    """Stands where the language model would and takes down what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: asyncio.Queue[str] = asyncio.Queue()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self.turns.put(str(frame.context.messages[-1].get("content")))  # pyright: ignore
        await self.push_frame(frame, direction)


class Line:
    """One call without audio."""

    def __init__(self, db: Database, customer_id: str, pigeon: Pigeon, *, call_id: str = "call_1") -> None:
        settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
        self.db, self.customer_id, self.pigeon = db, customer_id, pigeon
        self.told: list[Mapping[str, Json]] = []
        self.notes: list[str] = []
        self.desk = ToolDesk(
            db,
            customer_id=customer_id,
            call_id=call_id,
            actor=Actor("otp_1", "otp", "voice", call_id=call_id),
            means=Means(settings, SECRET, pigeon),
            notify=self.told.append,
        )
        self.teller = Teller(self.desk, AGENT.drafts, notify=self.told.append, note=self.notes.append)
        self.voice, self.model = Voice(), Model()
        self.worker = PipelineWorker(
            Pipeline([self.teller.hush, self.teller, self.model, self.voice, self.teller.played]),
            idle_timeout_secs=None,
            enable_rtvi=False,
        )
        self.runner = WorkerRunner(handle_sigint=False)
        self.context = LLMContext()
        self._calls = 0

    async def open(self) -> None:
        await self.runner.add_workers(self.worker)
        self._running = asyncio.create_task(self.runner.run())

    async def close(self) -> None:
        await self.teller.close()
        await self.runner.cancel("over")
        await self._running

    async def caller_says(self, text: str, *, began_s_ago: float = 0.0) -> None:
        began = utc_now() - timedelta(seconds=began_s_ago)
        self.context.add_message({"role": "user", "content": text})
        await self.worker.queue_frames(
            [
                LLMContextUserTurnFrame(text=text, timestamp=began.isoformat()),
                LLMContextFrame(context=self.context),
            ]
        )

    async def model_asks(self, tool: str, **arguments: Any) -> dict[str, Json]:
        """What the language model would do with a function call."""
        self._calls += 1
        found = next(each for each in AGENT.tools if each.name == tool)
        result, draft = await self.desk.run(found, arguments, call_key=f"tool_{self._calls}")
        if draft is not None:
            await self.teller.propose(draft)
        return result

    async def send(self, amount: float, to: str, *, said: str) -> None:
        await self.caller_says(said)
        await asyncio.wait_for(self.model.turns.get(), 5)
        result = await self.model_asks("send_money", payee=to, amount=amount)
        assert "status" in result, result
        await self.voice.says(containing="Shall I go ahead?")
        if not self.voice.holding:
            await self.heard_out()

    async def heard_out(self) -> None:
        """Wait until the read-back has been played."""
        async with asyncio.timeout(5):
            while not self.teller.consent_may_follow:
                await asyncio.sleep(0)

    async def transfers(self) -> list[Transfer]:
        async with self.db.reading() as db:
            return list(await db.scalars(select(Transfer).order_by(Transfer.created_at)))

    async def states(self) -> list[State]:
        return [transfer.state for transfer in await self.transfers()]

    async def postings(self) -> int:
        async with self.db.reading() as db:
            held = await accounts.of_customer(db, customer_id=self.customer_id)
            lines, _ = await ledger.page(db, account_ids=[account.id for account in held], per_page=100)
            assert await ledger.check(db) == []
        return sum(
            1 for line in lines if line.kind is PostingKind.TRANSFER and line.at > utc_now() - timedelta(hours=1)
        )

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def line(database: Database) -> AsyncIterator[Line]:
    async with database.transaction() as session:
        issued = await otp.issue(session, actor=SYSTEM, secret=SECRET, fmt="digits6", max_uses=5)
        customer_id = await customers.admit_guest(session, issued[0].id, utc_now())
    line = Line(database, customer_id, Pigeon())
    line.desk._actor = replace(line.desk._actor, subject=issued[0].id)
    await line.open()
    yield line
    await line.close()


async def test_yes_after_the_read_back_sends_the_money_once(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes please")
    said = await line.voice.says(containing="five hundred rupees to Ravi")
    assert "nine thousand five hundred" in await line.voice.says(containing="new balance")
    assert said and await line.states() == [State.POSTED] and await line.postings() == 1
    assert line.model.turns.empty(), "the model never sees the consent"
    done = next(message for message in line.told if message["type"] == "done")
    assert done["transfer"]["amount_minor"] == 50_000  # pyright: ignore


async def test_yes_before_the_read_back_has_ended_is_no_consent(line: Line) -> None:
    line.voice.holding = True
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.worker.queue_frame(InterruptionFrame())
    line.voice.holding = False
    await line.caller_says("yes")
    await line.voice.says(containing=LINES.let_me_read)
    await line.voice.says(containing="Shall I go ahead?", times=2)
    assert await line.states() == [State.DRAFTED] and await line.postings() == 0
    await line.heard_out()
    await line.caller_says("yes")
    await line.until(lambda: any(message["type"] == "done" for message in line.told))
    assert await line.postings() == 1


async def test_a_turn_that_began_during_the_read_back_is_no_consent(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes", began_s_ago=5)
    await line.voice.says(containing=LINES.let_me_read)
    assert await line.states() == [State.DRAFTED]


async def test_the_page_is_told_when_a_yes_counts(line: Line) -> None:
    def told() -> list[Json]:
        return [message["state"] for message in line.told if message["type"] == "read-back"]

    line.voice.holding = True
    await line.send(500, "Ravi", said="send five hundred to ravi")
    assert told() == ["reading"]
    await line.worker.queue_frame(InterruptionFrame())
    line.voice.holding = False
    await line.caller_says("yes")
    await line.heard_out()
    assert told() == ["reading", "due", "reading", "heard"]
    await line.caller_says("how much do I have")
    await asyncio.wait_for(line.model.turns.get(), 5)
    assert told()[4:] == ["due"]


async def test_a_read_back_without_sound_was_not_heard(line: Line) -> None:
    line.voice.seconds_per_word = 0.0
    await line.caller_says("send five hundred to ravi")
    await asyncio.wait_for(line.model.turns.get(), 5)
    await line.model_asks("send_money", payee="Ravi", amount=500)
    await line.voice.says(containing="Shall I go ahead?")
    await line.caller_says("yes")
    await line.voice.says(containing=LINES.let_me_read)
    assert await line.states() == [State.DRAFTED]


async def test_no_declines_and_says_so(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("no, don't")
    await line.until(lambda: line.told[-1] == {"type": "draft", "draft": None})
    assert await line.states() == [State.DECLINED] and await line.postings() == 0


async def test_anything_else_goes_to_the_model_and_costs_the_consent(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("how much do I have")
    assert await asyncio.wait_for(line.model.turns.get(), 5) == "how much do I have"
    await line.caller_says("yes")
    await line.voice.says(containing=LINES.let_me_read)
    assert await line.states() == [State.DRAFTED]


async def test_a_changed_amount_is_a_new_draft_and_the_old_one_dies(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.send(600, "Ravi", said="no make it six hundred")
    await line.heard_out()
    await line.caller_says("yes")
    await line.until(lambda: any(message["type"] == "done" for message in line.told))
    assert sorted(await line.states()) == [State.DECLINED, State.POSTED]
    posted = next(each for each in await line.transfers() if each.state is State.POSTED)
    assert posted.amount_minor == 60_000


async def test_an_amount_the_caller_did_not_say_is_refused(line: Line) -> None:
    await line.caller_says("send five hundred to ravi")
    result = await line.model_asks("send_money", payee="Ravi", amount=5000)
    assert result["error"] == "amount_not_heard"
    assert await line.transfers() == []


async def test_what_was_said_for_one_transfer_counts_for_no_other(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes")
    await line.until(lambda: any(message["type"] == "done" for message in line.told))
    assert (await line.model_asks("send_money", payee="Mom", amount=500))["error"] == "amount_not_heard"


async def test_above_the_limit_a_code_is_asked_for_and_the_caller_is_not_heard_meanwhile(line: Line) -> None:
    await line.send(15_000, "Ravi", said="send fifteen thousand to ravi")
    await line.caller_says("yes")
    await line.until(lambda: any(message["type"] == "code-requested" for message in line.told))
    assert line.teller.hush.on and line.teller.asking_code
    assert await line.states() == [State.CHALLENGED] and await line.postings() == 0
    wrong = "000000" if line.pigeon.code != "000000" else "111111"
    outcome = await line.teller.enter_code(wrong)
    assert outcome is not None and outcome.right is False and outcome.code is not None and outcome.code.tries_left == 2
    outcome = await line.teller.enter_code(line.pigeon.code)
    assert outcome is not None and outcome.right and outcome.state == "done"
    assert not line.teller.hush.on and await line.states() == [State.POSTED] and await line.postings() == 1
    everything = f"{line.voice.said}{line.context.messages}{line.told}{line.notes}"
    assert line.pigeon.code not in everything


async def test_three_wrong_codes_end_it(line: Line) -> None:
    await line.send(15_000, "Ravi", said="send fifteen thousand to ravi")
    await line.caller_says("yes")
    await line.until(lambda: line.teller.asking_code)
    wrong = [code for code in ("000000", "111111", "222222", "333333") if code != line.pigeon.code]
    await line.teller.enter_code(wrong[0])
    await asyncio.gather(*(line.teller.enter_code(wrong[1]) for _ in range(3)))  # a double click is one try
    outcome = await line.teller.enter_code(wrong[2])
    assert outcome is not None and outcome.state == "failed"
    assert not line.teller.asking_code and await line.states() == [State.FAILED] and await line.postings() == 0
    assert await line.teller.enter_code(line.pigeon.code) is None


async def test_a_typed_code_goes_no_further_than_the_teller(line: Line) -> None:
    await line.send(15_000, "Ravi", said="send fifteen thousand to ravi")
    assert line.teller.typed("fifteen") is False, "nothing is asked for yet"
    await line.caller_says("yes")
    await line.until(lambda: line.teller.asking_code)
    assert line.teller.typed("what was that?")
    await line.voice.says(containing=LINES.type_it)
    assert line.teller.typed(f"{line.pigeon.code[:3]} {line.pigeon.code[3:]}")
    await line.until(lambda: any(message["type"] == "done" for message in line.told))
    assert await line.postings() == 1


async def test_cancelling_the_code_sends_nothing(line: Line) -> None:
    await line.send(15_000, "Ravi", said="send fifteen thousand to ravi")
    await line.caller_says("yes")
    await line.until(lambda: line.teller.asking_code)
    outcome = await line.teller.cancel_code()
    assert outcome is not None and outcome.state == "declined"
    assert not line.teller.hush.on and await line.states() == [State.DECLINED]


async def test_hanging_up_right_after_yes_still_sends_it_once(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes")
    await line.until(lambda: line.teller.owes)
    await line.teller.close()
    assert await line.states() == [State.POSTED] and await line.postings() == 1
    assert any("done" in note for note in line.notes)


async def test_hanging_up_before_a_word_takes_the_draft_back(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.teller.close()
    assert await line.states() == [State.DECLINED] and await line.postings() == 0


async def test_an_outcome_that_was_talked_over_is_told_again(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    line.voice.holding = True
    await line.caller_says("yes")
    await line.voice.says(containing="new balance")
    await line.worker.queue_frame(InterruptionFrame())
    line.voice.holding = False
    await line.caller_says("what did you say about the weather")
    await line.voice.says(containing="new balance", times=2)
    assert await asyncio.wait_for(line.model.turns.get(), 5) == "what did you say about the weather"
    assert await line.postings() == 1


async def test_two_calls_race_for_the_last_money(line: Line, database: Database) -> None:
    other = Line(database, line.customer_id, line.pigeon, call_id="call_2")
    other.desk._actor = replace(line.desk._actor, call_id="call_2")
    await other.open()
    try:
        async with database.transaction() as db:
            held = await accounts.of_customer(db, customer_id=line.customer_id)
            for account in held:
                rest = account.balance_minor - (60_000 if account.is_primary else 0)
                cash = await accounts.house(db, House.CASH, now=utc_now())
                await ledger.post(
                    db,
                    legs=[Leg(account.id, -rest), Leg(cash, rest)],
                    kind=PostingKind.PAYMENT,
                    narration="Cash",
                    key=f"empty:{account.id}",
                    at=utc_now(),
                )
        for each in (line, other):
            await each.send(500, "Ravi", said="send five hundred to ravi")
        await asyncio.gather(line.caller_says("yes"), other.caller_says("yes"))
        await asyncio.gather(
            *(
                e.until(
                    lambda e=e: (
                        e.told[-1] == {"type": "draft", "draft": None} or any(m["type"] == "done" for m in e.told)
                    )
                )
                for e in (line, other)
            )
        )
        assert sorted(await line.states()) == [State.FAILED, State.POSTED]
        assert await line.postings() == 1
        said = [sum("I've sent" in text for text in e.voice.said) for e in (line, other)]
        assert sorted(said) == [0, 1]
    finally:
        await other.close()


@pytest.mark.parametrize("words", ["yes but make it six hundred", "yes if you can", "I said yes to my wife yesterday"])
async def test_yes_in_a_longer_sentence_is_no_consent(line: Line, words: str) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says(words)
    assert await asyncio.wait_for(line.model.turns.get(), 5) == words
    assert await line.states() == [State.DRAFTED]


@pytest.mark.parametrize("words", ["no, six hundred", "no make it six hundred", "no to mom"])
async def test_a_no_with_a_correction_goes_to_the_model(line: Line, words: str) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says(words)
    assert await asyncio.wait_for(line.model.turns.get(), 5) == words
    await line.until(lambda: not line.teller.has_draft and not line.teller.owes)
    assert await line.states() == [State.DECLINED]
    assert line.desk.last_heard == words, "what was corrected still counts"


async def test_two_yeses_are_told_once(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes")
    await line.caller_says("yes yes")
    await line.until(lambda: any(message["type"] == "done" for message in line.told) and not line.teller.owes)
    assert sum(message["type"] == "done" for message in line.told) == 1
    assert sum("I've sent" in text for text in line.voice.said) == 1
    assert await line.postings() == 1


async def test_a_draft_made_while_another_is_settled_is_kept(line: Line) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    await line.caller_says("yes")
    await line.until(lambda: line.teller.owes)
    line.desk.hear("and two hundred to mom")
    await line.model_asks("send_money", payee="Mom", amount=200)
    await line.voice.says(containing="two hundred rupees to Mom")
    await line.until(lambda: line.teller.consent_may_follow)
    await line.caller_says("yes")
    await line.until(lambda: sum(message["type"] == "done" for message in line.told) == 2)
    assert await line.states() == [State.POSTED, State.POSTED] and await line.postings() == 2


async def test_a_code_that_runs_out_gives_the_caller_their_voice_back(line: Line) -> None:
    await line.send(15_000, "Ravi", said="send fifteen thousand to ravi")
    await line.caller_says("yes")
    await line.until(lambda: line.teller.asking_code)
    assert line.teller._code is not None
    expired = replace(line.teller._code, expires_at=utc_now())
    await line.teller._give_up_at(expired)
    assert not line.teller.hush.on and not line.teller.asking_code
    assert {"type": "code-closed", "outcome": "expired", "tries_left": 0} in line.told
    assert await line.states() == [State.DECLINED] and await line.postings() == 0


async def test_who_is_logged_out_moves_no_money(line: Line, database: Database) -> None:
    await line.send(500, "Ravi", said="send five hundred to ravi")
    async with database.transaction() as db:
        row = await otp.get(db, line.desk._actor.subject)
        row.disabled_at = utc_now()
    line.desk._admitted = standing_of(line.desk._actor.subject)
    await line.caller_says("yes")
    await line.voice.says(containing="not valid")
    assert await line.states() == [State.DRAFTED] and await line.postings() == 0


def standing_of(otp_id: str) -> Callable[[AsyncSession], Awaitable[None]]:
    async def check(db: AsyncSession) -> None:
        await otp.check_alive(db, otp_id, now=utc_now())

    return check
