"""A caller who interrupts: at every tenth of a second of a spoken transfer, and by hanging up right after yes.

Each time there are none or one posting, and what was spoken, what the call's record says and the ledger agree.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pipecat.frames.frames import OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection

from banking import accounts, ledger
from banking.accounts import House
from banking.ledger import Leg, PostingKind
from banking.transfers import State, Transfer
from core.clock import utc_now
from core.db import Database
from core.settings import Settings
from core.spoken import hear_number, say_number
from pipelines.banking import AGENT
from providers import ollama
from providers.base import Brief
from tests.doubles.openai_chat import Calls, OpenAIChat, Says, Turn
from tests.lines import HZ, Guest, Line, Pigeon

STEP_S = 0.1
SPEED = 25.0
READ_BACK_S = 5.0
OUTCOME_S = 4.5
LONG = 60.0


def wants(rupees: int) -> Calls:
    return Calls([("send_money", {"payee": "Ravi", "amount": rupees})])


def obliging(body: dict[str, Any]) -> Turn:
    """Sends what it is asked to send, and says "All right" to everything else."""
    # On a busy machine, what the agent had said when it was interrupted is written down behind the words that did it.
    last = str(next(turn["content"] for turn in reversed(body["messages"]) if turn["role"] != "assistant"))
    asked = re.fullmatch(r"send (.+) rupees? to ravi", last)
    rupees = hear_number(asked[1]) if asked else None
    return wants(rupees) if rupees else Says(["All right."])


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def call(
    stack: AsyncExitStack,
    database: Database,
    guest: Guest,
    model: OpenAIChat,
    folder: Path,
    *,
    call_id: str = "call_1",
    pigeon: Pigeon | None = None,
    speed: float = SPEED,
) -> Line:
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data_dir=folder,
        llm_provider="ollama",
        ollama_base_url=model.url,
        ollama_model="test-model",
    )
    llm = ollama.llm(settings, Brief("banking", AGENT.instructions, AGENT.phrases))
    return await stack.enter_async_context(Line(database, guest, llm, call_id=call_id, speed=speed, pigeon=pigeon))


async def agree(line: Line, transfer: Transfer, said: list[str]) -> None:
    """The ledger, the record and the words are about the same thing."""
    posted = transfer.state is State.POSTED
    assert (transfer.posting_id is not None) is posted
    claimed = [text for text in said if "I've sent" in text]
    assert bool(claimed) is posted, f"{transfer.state}: {said}"
    noted = [note for note in line.notes if note.endswith(": done")]
    assert bool(noted) is posted, f"{transfer.state}: {line.notes}"
    line.notes.clear()


@pytest.mark.timeout(400)
async def test_at_every_tenth_of_a_second(database: Database, stack: AsyncExitStack, tmp_path: Path) -> None:
    points = [round(STEP_S * n, 1) for n in range(int((READ_BACK_S + OUTCOME_S) / STEP_S))]
    model = await stack.enter_async_context(OpenAIChat(answer=obliging))
    line = await call(stack, database, await Guest.arrives(database), model, tmp_path)
    posted = 0
    for n, at_s in enumerate(points):
        before, played = len(line.voice.said), line.loudspeaker.played_s
        drafts = len(await line.transfers())
        await line.types(f"send {say_number(n + 1)} rupees to ravi")
        await line.until(lambda: line.teller.has_draft)
        if at_s < READ_BACK_S:
            begun = played + at_s
            await line.until(lambda b=begun: line.loudspeaker.played_s >= b or line.teller.consent_may_follow)
            await line.types("hold on a second")
            await line.until(lambda before=before: "All right." in line.voice.said[before:])
            await line.types("yes")
            # Whether the read-back was cut or had just ended: after another turn it is read again.
            await line.until(lambda: "Shall I go ahead" in line.voice.said[-1] and line.teller.consent_may_follow)
            assert (await line.transfers())[-1].state is State.DRAFTED
            await line.types("no")
            await line.until(lambda: not line.teller.has_draft)
        else:
            await line.read_back_heard()
            played = line.loudspeaker.played_s
            await line.types("yes")
            if at_s > READ_BACK_S:
                await line.loudspeaker.until_played(played + at_s - READ_BACK_S)
            await line.types("hold on a second")
            await line.until(lambda before=before: "All right." in line.voice.said[before:])
            if line.teller.has_draft and not line.teller.owes:
                await line.types("no")  # The yes itself was drowned: nothing was begun.
            await line.until(lambda: not line.teller.has_draft and not line.teller.owes)
            posted += (await line.transfers())[-1].state is State.POSTED
        assert len(await line.transfers()) == drafts + 1
        await agree(line, (await line.transfers())[-1], line.voice.said[before:])
        assert await line.postings() == posted
    assert posted >= sum(at_s > READ_BACK_S for at_s in points) - 1


async def test_the_end_of_a_read_back_that_comes_late(
    database: Database, stack: AsyncExitStack, tmp_path: Path
) -> None:
    """On a busy machine the mark behind it may arrive after the caller has said something else."""
    model = await stack.enter_async_context(OpenAIChat(answer=obliging))
    line = await call(stack, database, await Guest.arrives(database), model, tmp_path, speed=1)
    await line.types("send five rupees to ravi")
    await line.voice.says(containing="Shall I go ahead?")
    await line.until(lambda: len(line.loudspeaker.marks) == 2)
    begin, end = line.loudspeaker.marks
    await line.types("hold on a second")
    await line.voice.says(containing="All right.")
    sound = OutputAudioRawFrame(bytes(2 * int(HZ * READ_BACK_S)), HZ, 1)
    for frame in (begin, sound, end):
        await line.teller.played.process_frame(frame, FrameDirection.DOWNSTREAM)
    assert not line.teller.consent_may_follow
    await line.types("yes")
    await line.voice.says(containing="Please let me read it to you first.")
    assert await line.states() == [State.DRAFTED]


async def test_hanging_up_right_after_yes(database: Database, stack: AsyncExitStack, tmp_path: Path) -> None:
    guest = await Guest.arrives(database)
    for n, delay_ms in enumerate((0, 1, 2, 5, 10, 20, 50)):
        async with AsyncExitStack() as one:
            model = await one.enter_async_context(OpenAIChat(wants(n + 1)))
            line = await call(one, database, guest, model, tmp_path, call_id=f"call_{n}", speed=1000)
            await line.types(f"send {say_number(n + 1)} rupees to ravi")
            await line.read_back_heard()
            posted = await line.postings()
            await line.types("yes")
            await asyncio.sleep(delay_ms / 1000)
            await line.hang_up()
            transfer = (await line.transfers())[-1]
            assert transfer.state in (State.POSTED, State.DECLINED)
            assert await line.postings() - posted == (transfer.state is State.POSTED)
            assert any(note.endswith(": done") for note in line.notes) is (transfer.state is State.POSTED)


async def test_two_calls_of_one_customer_race_for_the_last_money(
    database: Database, stack: AsyncExitStack, tmp_path: Path
) -> None:
    guest = await Guest.arrives(database)
    async with database.transaction() as db:
        cash = await accounts.house(db, House.CASH, now=utc_now())
        for account in await accounts.of_customer(db, customer_id=guest.customer_id):
            rest = account.balance_minor - (70_000 if account.is_primary else 0)
            await ledger.post(
                db,
                legs=[Leg(account.id, -rest), Leg(cash, rest)],
                kind=PostingKind.PAYMENT,
                narration="Cash",
                key=f"empty:{account.id}",
                at=utc_now(),
            )
    lines = []
    for n in range(2):
        model = await stack.enter_async_context(OpenAIChat(wants(500)))
        lines.append(await call(stack, database, guest, model, tmp_path, call_id=f"call_{n}", speed=1000))
    for line in lines:
        await line.types("send five hundred to ravi")
        await line.read_back_heard()
    await asyncio.gather(*(line.types("yes") for line in lines))
    for line in lines:
        await line.until(lambda line=line: not line.teller.has_draft)
    assert await lines[0].states() == sorted([State.FAILED, State.POSTED])
    assert await lines[0].postings() == 1
    claims = [sum("I've sent" in text for text in line.voice.said) for line in lines]
    assert sorted(claims) == [0, 1]
