"""Whole conversations, turn by turn, without audio or pipeline."""

from __future__ import annotations

import asyncio

import pytest

from pipelines.banking import AGENT
from providers.offline.dialogue import OUT_OF_SCOPE, UNCLEAR, Act, Call, Dialogue
from providers.offline.intents import Classifier, trained
from providers.phrases import Entity, Intent, Phrases, Slot

TOOLS = (*(tool.name for tool in AGENT.tools), "end_call")

PHRASES = AGENT.phrases

CLINIC = Phrases(
    intents=(
        Intent(
            "book",
            (
                "(i want|i'd like|i need|book|make|can i have|could i get) (an appointment|a visit) [please]",
                "(i want|i'd like|i need|book|make) (an appointment|a visit) with {doctor} [please]",
                "(i want|i'd like|i need|book) (an appointment|a visit) with {doctor} [on] {day} [please]",
                "(i want|i'd like|i need) to see {doctor} [on {day}] [please]",
                "(can i|could i|may i) see {doctor} [on {day}] [please]",
            ),
            (
                Slot("doctor", "doctor", ask="Which doctor would you like to see?"),
                Slot("day", "date", ask="On which day?"),
            ),
            tool="book",
        ),
        Intent(
            "hours", ("when (do you open|are you open|do you close)", "(opening|your) (hours|times)"), reply="Nine."
        ),
        Intent("parking", ("(where can i|can i) park [my car]", "[is there] parking [please]"), tool="parking"),
    ),
    can_do="I can book appointments.",
    entities=(Entity("doctor", {"Mehta": ("doctor mehta", "mehta"), "Rao": ("doctor rao", "rao")}),),
    goodbye="Get well soon.",
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return asyncio.run(trained(PHRASES))


@pytest.fixture(scope="module")
def clinic() -> Classifier:
    return asyncio.run(trained(CLINIC))


@pytest.fixture
def bank(classifier: Classifier) -> Dialogue:
    return Dialogue(PHRASES, classifier, ("Ravi", "Jane"))


def hear(dialogue: Dialogue, *turns: str, tools: tuple[str, ...] = TOOLS) -> Act:
    """The act of the last turn; tool answers in between are "Done." """
    act = Act("")
    for turn in turns:
        act = dialogue.hear(turn, tools=tools)
        if act.calls and turn is not turns[-1]:
            dialogue.told("Done.")
    return act


@pytest.mark.parametrize(
    ("turns", "call"),
    [
        (["what's my balance"], Call("get_balance")),
        (["Balance pls!"], Call("get_balance")),
        (["hello, how much is in my savings?"], Call("get_balance", {"account": "savings"})),
        (["Show last 5 transactions"], Call("get_transactions", {"count": 5})),
        (["list the last three from my current account"], Call("get_transactions", {"count": 3, "account": "current"})),
        # Corrections and short follow-ups.
        (["what's in my savings", "no, the current one"], Call("get_balance", {"account": "current"})),
        (["what's in my savings", "sorry I meant current"], Call("get_balance", {"account": "current"})),
        (["what's in my savings", "and the current account?"], Call("get_balance", {"account": "current"})),
        (["balance please", "not savings, current"], Call("get_balance", {"account": "current"})),
        (["my last transactions", "last three"], Call("get_transactions", {"count": 3})),
        (["my last five transactions", "no, three"], Call("get_transactions", {"count": 3})),
        (
            ["last two transactions in savings", "and the current account"],
            Call("get_transactions", {"count": 2, "account": "current"}),
        ),
        (
            ["last two transactions in savings", "make it seven"],
            Call("get_transactions", {"count": 7, "account": "savings"}),
        ),
        # A new request is new, even if it is short.
        (["last two transactions in savings", "what's my balance"], Call("get_balance")),
        (["last two transactions", "how much is in my savings"], Call("get_balance", {"account": "savings"})),
        (["what's my balance in savings", "show my recent transactions"], Call("get_transactions")),
        # Asides leave the subject alone.
        (["what's in my savings", "thank you", "and current"], Call("get_balance", {"account": "current"})),
        # A turn cut in two.
        (["could you read", "my last four transactions please"], Call("get_transactions", {"count": 4})),
    ],
)
def test_a_request_becomes_a_tool_call(bank: Dialogue, turns: list[str], call: Call) -> None:
    assert hear(bank, *turns).calls == (call,)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("balance of savings and current", [("get_balance", "savings"), ("get_balance", "current")]),
        ("what's my balance and show me my last transactions", [("get_balance", None), ("get_transactions", None)]),
    ],
)
def test_two_things_at_once_are_both_done(bank: Dialogue, text: str, calls: list[tuple[str, str | None]]) -> None:
    assert [(call.tool, call.arguments.get("account")) for call in hear(bank, text).calls] == calls


def test_a_tool_that_is_not_offered_is_not_called(bank: Dialogue) -> None:
    act = hear(bank, "what's my balance", tools=())
    assert act.calls == ()
    assert PHRASES.can_do in act.say


def test_help_and_out_of_scope_say_what_can_be_done_in_varied_words(bank: Dialogue) -> None:
    assert PHRASES.can_do in hear(bank, "what can you do").say
    refusals = [hear(bank, text) for text in ("tell me a joke", "will it rain tomorrow", "order me a pizza")]
    assert {act.intent for act in refusals} == {OUT_OF_SCOPE}
    assert all(PHRASES.can_do in act.say for act in refusals)
    assert len({act.say for act in refusals}) == 3


def test_what_is_not_understood_is_asked_again_and_then_explained(bank: Dialogue) -> None:
    first, second = hear(bank, ""), hear(bank, "mmm")
    assert (first.intent, second.intent) == (UNCLEAR, UNCLEAR)
    assert PHRASES.can_do not in first.say
    assert PHRASES.can_do in second.say
    assert hear(bank, "what's my balance").calls
    assert hear(bank, "").say == first.say


def test_repeat_says_the_last_answer_not_the_last_apology(bank: Dialogue) -> None:
    hear(bank, "what's my balance")
    bank.told("Your balance is nine rupees.")
    for aside in ("", "can you hear me", "slower please", "could you repeat that"):
        hear(bank, aside)
    assert hear(bank, "what did you say").say == "Your balance is nine rupees."


def test_repeat_before_anything_was_said_explains(bank: Dialogue) -> None:
    assert PHRASES.can_do in hear(bank, "pardon").say


def test_slower_and_faster_change_the_pace(bank: Dialogue) -> None:
    bank.told("Your balance is nine rupees.")
    slower = hear(bank, "you're too fast")
    assert (slower.pace, slower.say.endswith("nine rupees.")) == (-1, True)
    assert hear(bank, "slower").say == slower.say
    assert hear(bank, "speak faster please").pace == 1


@pytest.mark.parametrize(
    ("turns", "intent"),
    [
        (["bye"], "goodbye"),
        (["that's all thank you"], "goodbye"),
        (["thanks", "no"], "goodbye"),
        (["thank you", "no thanks"], "goodbye"),
        (["no"], "no"),
        (["yes"], "yes"),
        (["hello"], "greeting"),
        (["are you a robot"], "who_are_you"),
        (["never mind"], "cancel"),
        (["hold on a second"], "wait"),
        (["speak up please"], "louder"),
    ],
)
def test_everyday_turns(bank: Dialogue, turns: list[str], intent: str) -> None:
    act = hear(bank, *turns)
    assert act.intent == intent
    assert act.say
    assert act.calls == ((Call("end_call"),) if intent == "goodbye" else ())


def test_goodbye_hangs_up_only_where_that_can_be_done(bank: Dialogue) -> None:
    act = hear(bank, "goodbye", tools=("get_balance",))
    assert (act.say, act.calls) == (PHRASES.goodbye, ())


def test_a_vague_goodbye_does_not_hang_up(bank: Dialogue) -> None:
    assert hear(bank, "good for you all right then on monday").intent != "goodbye"


def test_missing_slots_are_asked_for_one_by_one(clinic: Classifier) -> None:
    dialogue = Dialogue(CLINIC, clinic)
    tools = ("book",)
    assert hear(dialogue, "i'd like an appointment please", tools=tools).say == "Which doctor would you like to see?"
    assert hear(dialogue, "doctor rao", tools=tools).say == "On which day?"
    (call,) = hear(dialogue, "tomorrow please", tools=tools).calls
    assert call.tool == "book"
    assert call.arguments["doctor"] == "Rao"
    assert str(call.arguments["day"]).count("-") == 2


def test_an_open_question_survives_asides_and_can_be_dropped(clinic: Classifier) -> None:
    dialogue = Dialogue(CLINIC, clinic)
    tools = ("book", "end_call")
    question = hear(dialogue, "book an appointment", tools=tools).say
    assert hear(dialogue, "can you hear me", tools=tools).say.endswith(question)
    assert hear(dialogue, "say that again please", tools=tools).say == question
    assert question in hear(dialogue, "the green elephant", tools=tools).say
    assert hear(dialogue, "hmm", tools=tools).say == "Please say Mehta or Rao."
    dropped = hear(dialogue, "never mind", tools=tools)
    assert "never mind" in dropped.say
    assert hear(dialogue, "doctor rao", tools=tools).calls == ()


def test_another_request_replaces_an_open_question(clinic: Classifier) -> None:
    dialogue = Dialogue(CLINIC, clinic)
    hear(dialogue, "book an appointment", tools=("book", "parking"))
    assert hear(dialogue, "can i park my car", tools=("book", "parking")).calls == (Call("parking"),)


def test_a_request_says_several_slots_at_once_and_one_is_corrected(clinic: Classifier) -> None:
    dialogue = Dialogue(CLINIC, clinic)
    (call,) = hear(dialogue, "I need to see doctor Mehta on Friday", tools=("book",)).calls
    (corrected,) = hear(dialogue, "no, Rao", tools=("book",)).calls
    assert (call.arguments["doctor"], corrected.arguments["doctor"]) == ("Mehta", "Rao")
    assert call.arguments["day"] == corrected.arguments["day"]


def test_what_needs_details_is_done_once_even_if_two_are_named(clinic: Classifier) -> None:
    dialogue = Dialogue(CLINIC, clinic)
    assert len(hear(dialogue, "I need to see doctor Mehta or Rao on Friday", tools=("book",)).calls) == 1


def test_each_type_takes_leave_in_its_own_words(clinic: Classifier) -> None:
    assert hear(Dialogue(CLINIC, clinic), "goodbye").say == "Get well soon."


def test_a_turn_can_be_taken_back(bank: Dialogue) -> None:
    hear(bank, "what's in my savings")
    before = bank.memory
    hear(bank, "show my last transactions")
    bank.memory = before
    assert hear(bank, "and current").calls == (Call("get_balance", {"account": "current"}),)
