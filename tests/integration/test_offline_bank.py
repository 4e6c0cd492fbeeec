"""A whole call with the offline language service: the real pipeline, the real tools, a real bank behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from banking import bills, reminders, requests
from banking.bills import BillState
from banking.reminders import Repeats
from banking.requests import RequestKind
from banking.transfers import State
from core.db import Database
from pipelines.banking import AGENT
from providers.base import Brief
from providers.offline.intents import trained
from providers.offline.llm import OfflineLLMService
from tests.lines import Guest, Line

NAMES = ("Ravi", "Jane", "John", "Mom", "Mike", "Ravi Kumar", "Jane Smith", "John Doe", "Mary Doe", "Mike Brown")


@pytest_asyncio.fixture
async def line(database: Database) -> AsyncIterator[Line]:
    await trained(AGENT.phrases)  # as the server does before the first call
    llm = OfflineLLMService(Brief("banking", AGENT.instructions, AGENT.phrases, NAMES))
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(Line(database, await Guest.arrives(database), llm))


async def asks(line: Line, text: str, *, hears: str) -> str:
    """The sentence that answers a turn."""
    before = len(line.voice.said)
    await line.types(text)
    await line.until(lambda: any(hears.lower() in said.lower() for said in line.voice.said[before:]))
    return next(said for said in line.voice.said[before:] if hears.lower() in said.lower())


async def test_money_is_sent_piece_by_piece_with_a_change_of_mind(line: Line) -> None:
    await asks(line, "I'd like to send some money", hears="To whom")
    await asks(line, "to Ravi", hears="How many rupees")
    await asks(line, "five hundred", hears="five hundred rupees to Ravi")
    await line.read_back_heard()
    await asks(line, "no, make it six hundred please", hears="six hundred rupees to Ravi")
    await line.until(lambda: line.teller.consent_may_follow)
    await asks(line, "yes", hears="I've sent six hundred rupees to Ravi")
    assert [(t.state, t.amount_minor, t.payee_name) for t in await line.transfers()] == [
        (State.DECLINED, 500_00, "Ravi"),
        (State.POSTED, 600_00, "Ravi"),
    ]
    assert await line.postings() == 1


async def test_a_refusal_is_completed_by_a_short_answer(line: Line) -> None:
    await asks(line, "send three hundred to Bobby", hears="among your payees")
    await asks(line, "I mean Mike", hears="three hundred rupees to Mike")
    await line.read_back_heard()
    await asks(line, "from my current account please", hears="from your current account")
    await line.until(lambda: line.teller.consent_may_follow)
    await asks(line, "yes please", hears="I've sent three hundred rupees")


async def test_a_question_in_between_leaves_the_transfer_waiting(line: Line) -> None:
    await asks(line, "send two hundred to Jane", hears="two hundred rupees to Jane")
    await line.read_back_heard()
    await asks(line, "how much is in my savings", hears="savings account balance is")
    await asks(line, "what was that transfer again", hears="two hundred rupees to Jane")
    await line.until(lambda: line.teller.consent_may_follow)
    await asks(line, "yes", hears="I've sent two hundred rupees to Jane")


async def test_a_bill_is_asked_for_and_paid(line: Line) -> None:
    await asks(line, "what bills are due", hears="you have four bills to pay")
    await asks(line, "pay a bill", hears="Which bill")
    await asks(line, "the electricity one", hears="one thousand two hundred")
    await line.read_back_heard()
    await asks(line, "go ahead", hears="paid")
    async with line.db.reading() as db:
        due, _ = await bills.of_customer(db, customer_id=line.guest.customer_id, state=BillState.DUE)
    assert "electricity" not in [bill.category.value for bill in due]


async def test_what_is_asked_about_money_is_looked_up(line: Line) -> None:
    assert "groceries last month" in await asks(line, "how much did I spend on groceries last month", hears="You spent")
    await asks(line, "and on fuel", hears="on fuel last month")
    await asks(line, "how much do I owe on my home loan", hears="home loan")
    await asks(line, "who can I send money to", hears="Ravi")
    await asks(line, "show me my statement", hears="on your screen")


async def test_a_reminder_is_set_and_read(line: Line) -> None:
    await asks(line, "remind me every month to pay the rent", hears="When should I remind you")
    await asks(line, "on the fifth at nine", hears="I've set a reminder")
    async with line.db.reading() as db:
        kept, _ = await reminders.of_customer(db, customer_id=line.guest.customer_id)
    mine = next(reminder for reminder in kept if reminder.text == "pay the rent")
    local = mine.due_at.astimezone(AGENT.phrases.zone)
    assert (local.day, local.hour, local.minute, mine.repeats) == (5, 9, 0, Repeats.MONTHLY)
    assert "pay the rent" in await asks(line, "what are my reminders", hears="reminders")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I lost my debit card", RequestKind.BLOCK_CARD),
        ("I want to speak to a person", RequestKind.PERSON),
        ("I want to complain", RequestKind.COMPLAINT),
    ],
)
async def test_people_are_told(line: Line, text: str, kind: RequestKind) -> None:
    await asks(line, text, hears="I've told our people")
    async with line.db.reading() as db:
        opened, _ = await requests.page(db)
    assert [(request.customer_id, request.kind) for request in opened] == [(line.guest.customer_id, kind)]


async def test_after_a_no_what_is_asked_is_answered(line: Line) -> None:
    await asks(line, "send five hundred to ravi", hears="Shall I go ahead")
    await line.read_back_heard()
    await asks(line, "no", hears="Nothing has been sent")
    assert "salary" in (await asks(line, "what was my last transaction", hears="transactions")).lower()


async def test_a_new_sentence_names_its_own_payee(line: Line) -> None:
    await asks(line, "send money to ravi", hears="How many rupees")
    assert "Ravi" not in await asks(line, "send five hundred to batman", hears="batman")
    assert await line.transfers() == []
