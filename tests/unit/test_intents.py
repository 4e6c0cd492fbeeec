"""Which intent words belong to, and what values are heard in them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from pipelines.banking.phrases import PHRASES
from providers.offline.hearing import MAX_WORDS, Ear, Value, words_of
from providers.offline.intents import OUT_OF_SCOPE, Classifier, train, trained
from providers.phrases import Entity, Intent, Phrases, Slot

NAMES = ("Ravi", "Jane", "John Doe", "John Smith", "Mom")
NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)  # half past ten on a Sunday morning in India


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return asyncio.run(trained(PHRASES))


@pytest.fixture(scope="module")
def ear(classifier: Classifier) -> Ear:
    return Ear(PHRASES, classifier.literals, NAMES, currency="INR", clock=lambda: NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Show last 5 transactions!", "show last 5 transactions"),
        ("What’s my balance?", "what is my balance"),
        ("  I'd like ₹1,500.50, PLEASE ", "i would like ₹ 1500.50 please"),
        ("at 3pm on the 3rd", "at 3 p m on the 3"),
        ("Zoë's café", "zoe's cafe"),
        ("बैलेंस", ""),
        ("", ""),
    ],
)
def test_typed_and_spoken_text_become_the_same_words(text: str, words: str) -> None:
    assert " ".join(words_of(text)) == words


def test_a_flood_of_words_is_cut() -> None:
    assert len(words_of("balance " * 10_000)) == MAX_WORDS


@pytest.mark.parametrize(
    ("text", "entity", "values"),
    [
        ("what is in my savings account", "account", ["savings"]),
        ("check the current", "account", ["current"]),
        ("savings and current", "account", ["savings", "current"]),
        ("what's my current balance", "account", []),  # the present balance, not the current account's
        ("what's my current account balance", "account", ["current"]),
        ("my last five transactions", "number", [5]),
        ("last one", "number", [1]),
        ("no, the current one", "number", []),
        ("that one please", "number", []),
        ("twenty five", "number", [25]),
        ("a couple of transactions", "number", [2]),
        ("show 10", "number", [10]),
        ("send five hundred and twenty rupees fifty paise to ravi", "money", [520.5]),
        ("two lakh fifty thousand", "money", [250_000]),
        ("pay ₹1,500", "money", [1500]),
        ("send five hundred no make it six hundred", "money", [600]),
        ("send fifteen hundred", "money", [1500]),
        ("two and a half lakh to ravi", "money", [250_000]),
        ("send five six hundred", "money", []),  # one or the other: nobody knows
        ("fifty dollars", "money", []),  # this bank deals in rupees
        ("last five transactions", "money", []),
        ("nine eight seven double oh", "digits", ["98700"]),
        ("send it to ravi", "name", ["Ravi"]),
        ("to jane's account", "name", ["Jane"]),
        ("to my mother", "name", ["Mom"]),
        ("pay jhon", "name", ["John"]),  # which John is the tool's question
        ("pay john smith", "name", ["John Smith"]),
        ("tomorrow", "date", ["2026-11-23"]),
        ("next monday", "date", ["2026-11-23"]),
        ("last friday", "date", ["2026-11-20"]),
        ("on the twenty first of december", "date", ["2026-12-21"]),
        ("may fifth", "date", ["2027-05-05"]),
        ("half past three", "time", ["15:30"]),
        ("ten thirty in the morning", "time", ["10:30"]),
        ("5 pm", "time", ["17:00"]),
        ("quarter to nine", "time", ["08:45"]),
        ("the first of next month", "date", ["2026-12-01"]),
        ("the last day of the month", "date", ["2026-11-30"]),
        ("the thirty first of this month", "date", ["2026-11-30"]),
        ("in three days", "date", ["2026-11-25"]),
        ("this weekend", "date", ["2026-11-28"]),
        ("on 15th December 2027", "date", ["2027-12-15"]),
        ("every friday", "date", ["2026-11-27"]),
        ("at nine", "time", ["09:00"]),
        ("nine of them", "time", []),
        ("in two hours", "time", ["12:30"]),
        ("in fourteen hours", "date", ["2026-11-23"]),
        ("5.30 pm", "time", ["17:30"]),
        ("tonight at nine", "time", ["21:00", "21:00"]),
        ("tomorrow morning", "time", ["09:00"]),
        ("good morning", "time", []),
        ("hello there", "date", []),
    ],
)
def test_values_are_heard_by_rule(ear: Ear, text: str, entity: str, values: list[Value]) -> None:
    assert [span.value for span in ear.find(entity, words_of(text)) if not span.dropped] == values


def test_an_unknown_entity_is_an_error(ear: Ear) -> None:
    with pytest.raises(KeyError):
        ear.find("planet", words_of("mars"))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("what's my balance", "balance"),
        ("how much do i have left", "balance"),
        ("whats in savings", "balance"),
        ("show my last 3 transactions", "transactions"),
        ("what did i spend this week", "spending"),
        ("which payments went out yesterday", "transactions"),
        ("send five hundred to ravi", "transfer"),
        ("pay jane", "transfer"),
        ("pay the water bill", "pay_bill"),
        ("when is the water bill due", "bills"),
        ("remind me to send five hundred to ravi", "remind"),
        ("i want to make a complaint", "complaint"),
        ("i lost my card", "card"),
        ("let me talk to a person", "person"),
        ("say that again", "repeat"),
        ("you're talking too fast", "slower"),
        ("what can you do", "help"),
        ("that's all thanks bye", "goodbye"),
        # As a recogniser may hear it.
        ("what is the balance", "balance"),
        ("what my balance please", "balance"),
        ("show me a last three transaction", "transactions"),
        ("how much money i have in the a count", "balance"),
    ],
)
def test_requests_are_told_apart(classifier: Classifier, ear: Ear, text: str, intent: str) -> None:
    guess = classifier.rank(ear.tagged(words_of(text)))[0]
    assert (guess.intent, guess.score >= 0) == (intent, True)


@pytest.mark.parametrize(
    "text", ["what's the weather tomorrow", "order me a pizza", "who won the match", "tell me a story about dragons"]
)
def test_other_things_are_out_of_scope(classifier: Classifier, ear: Ear, text: str) -> None:
    guesses = classifier.rank(ear.tagged(words_of(text)))
    assert guesses[0].intent == OUT_OF_SCOPE
    assert all(guess.score < 0 for guess in guesses[1:])


def test_the_same_phrases_give_the_same_classifier(classifier: Classifier, ear: Ear) -> None:
    words = ear.tagged(words_of("how much is in my savings"))
    assert train(PHRASES).rank(words) == classifier.rank(words)


async def test_a_classifier_is_made_once_and_without_blocking_the_event_loop() -> None:
    other = Phrases((Intent("open", ("open the (door|window|gate)", "(open|unlock) up")),), "I open things.")
    gaps: list[float] = []

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - last)
            last = time.perf_counter()

    watching = asyncio.create_task(watch())
    one, two = await asyncio.gather(trained(other), trained(other))
    watching.cancel()
    assert one is two is await trained(other)
    assert len(gaps) > 100, "the loop stood still while the classifier was trained"


def test_any_agent_type_gets_its_own_understanding() -> None:
    """A made-up business: nothing in the service knows it."""
    phrases = Phrases(
        intents=(
            Intent(
                "book",
                ("(i want|i'd like|book|i need) [an appointment|to see] [with] {doctor} [on {day}] [please]",),
                (Slot("doctor", "doctor", ask="Which doctor?"), Slot("day", "date")),
                tool="book",
            ),
            Intent("hours", ("when (do you open|are you open|do you close)", "opening (hours|times)"), reply="Nine."),
        ),
        can_do="I can book appointments.",
        entities=(Entity("doctor", {"mehta": ("doctor mehta", "mehta"), "rao": ("doctor rao", "rao")}),),
    )
    classifier = train(phrases)
    ear = Ear(phrases, classifier.literals)
    for text, intent in (("I'd like to see doctor Rao on Monday", "book"), ("opening hours please", "hours")):
        guess = classifier.rank(ear.tagged(words_of(text)))[0]
        assert (guess.intent, guess.score >= 0) == (intent, True)
