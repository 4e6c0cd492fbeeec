"""Who agreed and who did not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money
from core.spoken import hear_amounts, hear_consent, say_money
from core.spoken.tokens import word_set

YES = (
    "yes", "Yes.", "YES", "yes please", "Yes, please.", "yeah", "yep", "yup", "sure", "okay", "ok", "Ok!",
    "okay then", "yes sir", "yes madam", "yes yes", "yes yes yes", "uh yes", "um yeah", "yes [noise]", "[breath] yes",
    "oh yes", "well yes", "so yes", "yes thank you", "yes thanks", "ok thanks", "yes of course", "of course",
    "certainly", "definitely", "absolutely", "by all means", "correct", "that's correct", "that's right",
    "yes that's right", "that is right", "it is correct", "that's fine", "fine go ahead", "go ahead",
    "please go ahead", "yes go ahead", "go ahead please", "go ahead and send it", "go ahead with the payment",
    "do it", "yes do it", "just do it", "do it now", "please do", "send it", "yes send it", "send it now please",
    "send the money", "pay it", "yes pay the bill", "transfer it", "make the payment", "proceed", "please proceed",
    "yes you may proceed", "confirm", "i confirm", "yes i confirm", "confirmed", "i agree", "agreed", "i do",
    "yes i do", "i'm sure", "yes i'm sure", "carry on", "sounds good", "yes perfect", "okay great go ahead", "haan",
    "haan ji", "ji haan", "haanji", "theek hai", "bilkul", "kar do", "haan kar do", "bhej do", "हाँ", "जी हाँ",
    "ठीक है",
)  # fmt: skip

NO = (
    "no", "No.", "no no", "nope", "nah", "no thanks", "no thank you", "um no", "oh no", "no please", "not now",
    "not yet", "don't", "do not", "please don't", "don't do it", "don't send it", "please don't send it",
    "do not send it", "no don't", "no stop", "stop", "stop it", "please stop", "cancel", "cancel it", "cancel that",
    "please cancel it", "can you cancel that", "i want to cancel", "okay cancel", "yes cancel it", "yes stop",
    "abort", "never mind", "forget it", "leave it", "i changed my mind", "i don't want to", "i don't want to send it",
    "that's wrong", "that's not right", "wrong", "no make it six hundred", "no send six hundred", "no to ravi sharma",
    "no wait", "no that's not what i said", "no i meant fifteen", "certainly not", "absolutely not", "of course not",
    "not really", "i'd rather not", "later", "i do not", "nahi", "nahin", "ji nahi", "mat karo", "rehne do", "नहीं",
    "जी नहीं", "yes no stop", "cancel the transfer and send six hundred",
)  # fmt: skip

REPEAT = (
    "repeat", "repeat that", "repeat that please", "please repeat", "can you repeat that",
    "did that go through", "is it done", "have you sent it", "could you repeat that please", "say again",
    "say that again", "can you say that again", "come again",
    "once more", "one more time please", "again", "pardon", "pardon me", "sorry", "sorry?", "sorry what", "what",
    "what?", "what did you say", "what was that", "i didn't hear you", "i didn't catch that", "i couldn't hear that",
    "how much", "how much was it", "to whom", "i didn't understand", "phir se boliye", "kya",
)  # fmt: skip

NEITHER = (
    # Agreement with anything else beside it.
    "yes but", "yes but make it six hundred", "yes make it six hundred", "yes send six hundred", "yes five hundred",
    "yes to ravi", "yes send it to ravi", "yes tomorrow", "yes from savings", "yes and send two hundred to mom",
    "yes if you can", "yes i think so", "yes maybe", "yes and", "yes so", "yes well", "yes or no", "yes and no",
    "yes no", "no yes", "no no yes go ahead", "no i said yes", "yes wait", "okay wait", "okay hold on",
    "ok let me think", "sure but from current", "go ahead with six hundred", "send it to mom", "send five hundred",
    "do it tomorrow", "okay what is my balance", "yes what is my balance", "yes not", "yes yesterday", "yes 500",
    "yes 👍", "yes / no", "correct amount wrong name", "sure thing boss what else", "haan lekin", "haan ya nahi", "ya",
    # Asked back or not heard whole.
    "yes?", "ok?", "right?", "yes [unk]", "yes [inaudible]", "[unk] yes", "yes <unk>", "are you sure", "shall i",
    "did you say yes", "did i say yes", "he said yes", "say yes", "should i say yes",
    # Nods that may mean only that somebody listens.
    "hmm", "mm", "uh huh", "mm hmm", "right", "alright", "fine", "good", "great", "perfect", "please", "thanks",
    "thank you", "oh", "well", "so", "go", "going", "ahead",
    # Neither.
    "wait", "one moment", "hold on", "i don't know", "not sure", "i'm not sure", "maybe", "perhaps", "i guess",
    "hello", "five hundred", "ravi", "what is my balance", "how much do i have", "no problem", "no problem go ahead",
    "no worries do it", "don't stop", "don't cancel", "don't worry", "do not hang up", "eyes", "yesss maybe",
    "okie dokie artichokie", "", "   ", "?", "...", "[noise]", "um", "1", "👍", "yes " * 13, "yes " * 1000,
)  # fmt: skip


@pytest.mark.parametrize("said", YES)
def test_agreement_is_heard(said: str) -> None:
    assert hear_consent(said) == "yes"


@pytest.mark.parametrize("said", NO)
def test_refusal_is_heard(said: str) -> None:
    assert hear_consent(said) == "no"


@pytest.mark.parametrize("said", REPEAT)
def test_a_wish_to_hear_it_again_is_heard(said: str) -> None:
    assert hear_consent(said) == "repeat"


@pytest.mark.parametrize("said", NEITHER)
def test_nothing_is_guessed(said: str) -> None:
    assert hear_consent(said) is None


AGREEABLE = word_set(
    "yes yeah sure okay ok go ahead please do it that is right correct confirm i agree send pay the money haan ji "
    "thank you now and fine of course certainly thanks sir carry on proceed s"
)
OTHER = word_set(
    "but not no wait six hundred ravi mom tomorrow from savings make change if maybe cancel stop never or account half "
    "minus only more less instead what why"
)


@given(st.lists(st.sampled_from(YES), min_size=1, max_size=3), st.sampled_from(sorted(OTHER)), st.data())
def test_agreement_with_any_other_word_in_it_is_none(agreements: list[str], other: str, data: st.DataObject) -> None:
    words = " ".join(agreements).split()
    at = data.draw(st.integers(0, len(words)))
    assert hear_consent(" ".join([*words[:at], other, *words[at:]])) != "yes"


@given(st.lists(st.sampled_from(sorted(AGREEABLE | OTHER)), max_size=8))
def test_nothing_but_words_of_agreement_makes_a_yes(words: list[str]) -> None:
    if hear_consent(" ".join(words)) == "yes":
        assert not set(words) & OTHER


@given(st.integers(min_value=1, max_value=10**10), st.sampled_from(YES))
def test_agreement_to_an_amount_is_none(minor: int, agreement: str) -> None:
    said = f"{agreement} {say_money(Money(minor))}"
    assert hear_consent(said) is None
    assert hear_amounts(said)


@given(st.sampled_from(YES), st.sampled_from(NO))
def test_yes_and_no_together_are_never_yes(yes: str, no: str) -> None:
    assert hear_consent(f"{yes} {no}") != "yes"
    assert hear_consent(f"{no} {yes}") != "yes"


@given(st.text(max_size=250))
def test_no_text_raises(text: str) -> None:
    assert hear_consent(text) in ("yes", "no", "repeat", None)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["yes ", "no ", "[", "and ", "do it ", "please "])
def test_no_text_takes_long(piece: str) -> None:
    for length in (100, 1_000_000):
        hear_consent((piece * 1_000_000)[:length])
