"""Amounts as callers say and type them. In the tables "-500" was said and taken back, and "" is nothing heard."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import MINOR_PER_MAJOR, Money
from core.spoken import (
    amounts_meant,
    confusable,
    hear_amounts,
    normalise,
    say_digits_of,
    say_money,
)
from core.spoken.say import SMALL
from core.spoken.tokens import word_set

PLAIN = (
    # Units, teens and tens; the pairs that sound alike.
    ("send thirteen rupees to ravi", "13"),
    ("send thirty rupees to ravi", "30"),
    ("send fourteen rupees to ravi", "14"),
    ("send forty rupees to ravi", "40"),
    ("send fifteen rupees to ravi", "15"),
    ("send fifty rupees to ravi", "50"),
    ("send sixteen rupees to ravi", "16"),
    ("send sixty rupees to ravi", "60"),
    ("send seventeen rupees to ravi", "17"),
    ("send seventy rupees to ravi", "70"),
    ("send eighteen rupees to ravi", "18"),
    ("send eighty rupees to ravi", "80"),
    ("send nineteen rupees to ravi", "19"),
    ("send ninety rupees to ravi", "90"),
    ("send twelve rupees to ravi", "12"),
    ("send twenty rupees to ravi", "20"),
    ("one rupee", "1"),
    ("eleven rupees", "11"),
    ("twenty one rupees", "21"),
    ("ninety nine rupees please", "99"),
    ("fourty rupees", "40"),
    ("send ten to ravi", "10"),
    ("send five to ravi", "5"),
    # Hundreds.
    ("five hundred", "500"),
    ("a hundred", "100"),
    ("one hundred", "100"),
    ("hundred rupees", "100"),
    ("send hundred rupees to ravi", "100"),
    ("send him hundred", "100"),
    ("five hundred and one", "501"),
    ("five hundred one", "501"),
    ("five hundred fifteen", "515"),
    ("five hundred fifty", "550"),
    ("five hundred and fifty five rupees", "555"),
    ("nine hundred ninety nine", "999"),
    ("fifteen hundred", "1500"),
    ("fifteen hundred rupees", "1500"),
    ("eleven hundred", "1100"),
    ("eleven hundred and eleven", "1111"),
    ("twelve hundred fifty", "1250"),
    ("twenty five hundred", "2500"),
    ("ninety nine hundred", "9900"),
    # Thousands, lakh, crore.
    ("one thousand", "1000"),
    ("a thousand rupees", "1000"),
    ("thousand rupees only", "1000"),
    ("one thousand one rupees", "1001"),
    ("one thousand five hundred", "1500"),
    ("two thousand and five hundred", "2500"),
    ("five thousand fifty", "5050"),
    ("fifteen thousand", "15000"),
    ("fifty thousand", "50000"),
    ("nineteen thousand nine hundred ninety nine rupees", "19999"),
    ("a hundred thousand", "100000"),
    ("one hundred and fifty thousand rupees", "150000"),
    ("one lakh", "100000"),
    ("a lakh", "100000"),
    ("one lac rupees", "100000"),
    ("two lakhs", "200000"),
    ("one lakh twenty five thousand", "125000"),
    ("one lakh and fifty thousand", "150000"),
    ("two lakh fifty thousand five hundred", "250500"),
    ("one lakh twenty rupees", "100020"),
    ("ten lakh", "1000000"),
    ("one crore", "10000000"),
    ("one crore twenty lakh", "12000000"),
    ("two crores five lakhs three thousand rupees", "20503000"),
    ("two grand", "2000"),
    ("one million rupees", "1000000"),
    ("five k", "5000"),
    ("ten k to mom", "10000"),
    ("five hundred bucks", "500"),
    # Halves and decimals.
    ("one and a half thousand", "1500"),
    ("two and a half thousand rupees", "2500"),
    ("two and half thousand", "2500"),
    ("one and a half lakh", "150000"),
    ("two and a half lakhs for the builder", "250000"),
    ("one and a quarter lakh", "125000"),
    ("half a lakh", "50000"),
    ("half a crore", "5000000"),
    ("half lakh rupees", "50000"),
    ("five and a half rupees", "5.50"),
    ("two point five lakh", "250000"),
    ("two point five thousand", "2500"),
    ("one point two five crore", "12500000"),
    ("point five lakh", "50000"),
    ("two hundred fifty point five zero rupees", "250.50"),
    ("two hundred fifty point seven five rupees", "250.75"),
    ("ninety nine point nine nine rupees", "99.99"),
    # Two numbers for one.
    ("one fifty", "150"),
    ("two fifty", "250"),
    ("send two twenty to ravi", "220"),
    ("one twenty five", "125"),
    ("nine ninety nine", "999"),
    ("twelve fifty", "1250"),
    ("send fifteen fifty to ravi", "1550"),
    ("nineteen ninety nine", "1999"),
    # Digit by digit.
    ("one five zero zero zero", "15000"),
    ("five zero zero", "500"),
    ("five oh oh", "500"),
    ("one oh five", "105"),
    ("one five", "15"),
    ("five zero", "50"),
    ("double five", "55"),
    ("double five rupees", "55"),
    ("five double zero", "500"),
    ("one double zero", "100"),
    ("five triple zero", "5000"),
    ("two five double zero", "2500"),
    ("double five double zero", "5500"),
    ("treble five", "555"),
    ("two five zero to mom", "250"),
    ("two seven five", "275"),
    ("fifteen one five", "15"),
    ("fifteen thousand one five zero zero zero", "15000"),
    ("fifty thousand five zero zero zero zero rupees", "50000"),
    # Rupees and paise.
    ("fifty paise", "0.50"),
    ("five hundred rupees and fifty paise", "500.50"),
    ("five hundred rupees fifty paise", "500.50"),
    ("one rupee one paisa", "1.01"),
    ("one hundred fifty paise", "1.50"),
    ("rupees five hundred", "500"),
    ("rupees five hundred only", "500"),
    ("rupees five hundred and fifty paise", "500.50"),
    # Typed.
    ("500", "500"),
    ("send 500 to Ravi", "500"),
    ("send 5 to ravi", "5"),
    ("₹500", "500"),
    ("₹ 500", "500"),
    ("500₹", "500"),
    ("₹500 rupees", "500"),
    ("Rs 500", "500"),
    ("Rs.500", "500"),
    ("Rs. 500/-", "500"),
    ("500/-", "500"),
    ("rs500", "500"),
    ("500rs", "500"),
    ("INR 500", "500"),
    ("500 INR", "500"),
    ("1,500", "1500"),
    ("₹1,23,456.50", "123456.50"),
    ("12,34,567", "1234567"),
    ("1,234,567 rupees", "1234567"),
    ("500.50", "500.50"),
    ("500.5 rupees", "500.50"),
    ("₹0.50", "0.50"),
    ("5k", "5000"),
    ("2.5k", "2500"),
    ("1.5 lakh", "150000"),
    ("2.5 lakh rupees", "250000"),
    ("5L", "500000"),
    ("1 lakh 25 thousand", "125000"),
    ("1cr", "10000000"),
    ("5 hundred", "500"),
    ("a 500-rupee recharge", "500"),
    ("twenty-five rupees", "25"),
    ("five-hundred", "500"),
    ("५०० rupees", "500"),
    ("５００ rupees", "500"),
    # Hindi and English mixed.
    ("paanch sau", "500"),
    ("paanch sau rupaye ravi ko bhejo", "500"),
    ("ravi ko paanch sau bhej do", "500"),
    ("ek hazaar", "1000"),
    ("do hazaar rupaye", "2000"),
    ("mummy ko do hazaar paanch sau bhejna", "2500"),
    ("das hazaar", "10000"),
    ("ek lakh", "100000"),
    ("pachaas rupaye", "50"),
    ("pandrah sau", "1500"),
    ("pachees hazaar rupees", "25000"),
    ("dhai sau", "250"),
    ("dhai hazaar rupaye", "2500"),
    ("dedh lakh", "150000"),
    ("dedh sau rupaye", "150"),
    ("saadhe teen hazaar", "3500"),
    ("sawa lakh", "125000"),
    ("sava do lakh", "225000"),
    ("paune do lakh", "175000"),
    ("ek hazaar do sau pachaas rupaye", "1250"),
    ("5 hazaar", "5000"),
    ("five hazaar", "5000"),
    ("paanch sau ke liye", "500"),
)

IN_SENTENCES = (
    ("send five hundred to ravi", "500"),
    ("Send ₹500 to Ravi, please.", "500"),
    ("please transfer two thousand rupees to my mother", "2000"),
    ("can you pay ravi one thousand two hundred", "1200"),
    ("i would like to send ten thousand rupees to jane from my savings account", "10000"),
    ("transfer twenty thousand from savings to current", "20000"),
    ("transfer from my savings account five hundred to ravi", "500"),
    ("um send uh five hundred rupees to ravi", "500"),
    ("send five uh hundred to ravi", "500"),
    ("[noise] send five hundred to ravi [noise]", "500"),
    ("pay twelve fifty for groceries", "1250"),
    ("give mom five thousand for the rent", "5000"),
    ("i owe ravi fifteen hundred i want to pay him back", "1500"),
    ("what about five hundred", "500"),
    ("send five hundred rupees to ravi and two hundred to mom", "500 200"),
    ("two hundred rupees to ravi and three hundred rupees to jane", "200 300"),
    ("five hundred rupees and two hundred rupees", "500 200"),
    ("send ₹500, ₹600 and ₹700 to them", "500 600 700"),
    ("put fifty thousand into my savings", "50000"),
    ("send another five hundred to ravi", "500"),
    ("send over five hundred rupees to ravi", "500"),
    ("send five hundred to two people", "500"),
    ("send five hundred rupees to 9876543210", "500"),
    ("send five hundred each to ravi and mom", "500"),
    ("pay my electricity bill of one thousand two hundred eighty rupees", "1280"),
    ("pay the bill it is four hundred fifty", "450"),
    ("at 10:30 send 500 rupees to mom", "500"),
    ("on the 5th send 500 to mom", "500"),
    ("send 500 rupees from account ending 1234 to ravi", "500"),
    ("transfer 500 from account ending in 1234", "500"),
    ("ravi account number 50100012345678 send five hundred rupees", "500"),
    ("my otp is 123456 send five hundred rupees", "500"),
    ("remind me to pay five hundred rupees rent on the fifth", "500"),
    ("of my last three payments one was five hundred rupees", "500"),
    ("i have one lakh rupees in my account", "100000"),
    ("why don't you send five hundred to ravi", "500"),
    ("can't you just send five hundred", "500"),
    ("don't forget to send five hundred to ravi", "500"),
    ("no problem send five hundred", "500"),
    ("i can't hear you send five hundred", "500"),
    ("yes five hundred", "500"),
    ("no five hundred", "500"),
    ("hey can you please send um five hundred rupees to my friend ravi", "500"),
    ("pay jane back the fifteen hundred i owe her", "1500"),
    ("could you wire twenty five thousand to ravi kumar", "25000"),
    ("one thousand two hundred and thirty four rupees and fifty six paise", "1234.56"),
    ("please pay my rent of eighteen thousand", "18000"),
    ("send ravi his five hundred rupees back", "500"),
    ("yeah the amount is five hundred", "500"),
    ("ok do seven fifty", "750"),
    ("split it two hundred each", "200"),
    ("can i send two lakh", "200000"),
    ("ravi ko sau rupaye bhejo", "100"),
    ("send one rupee to test", "1"),
    ("100000", "100000"),
    ("rs 5 lakh 50 thousand only", "550000"),
    ("five hundred dollars", "500 USD"),
    ("send $20", "20 USD"),
)

CORRECTED = (
    ("five hundred no make it six hundred", "-500 600"),
    ("send five hundred no make it six hundred to ravi", "-500 600"),
    ("five hundred no six hundred", "-500 600"),
    ("fifty no fifteen", "-50 15"),
    ("fifteen thousand no fifty thousand", "-15000 50000"),
    ("five hundred sorry fifteen hundred", "-500 1500"),
    ("five hundred i mean six hundred", "-500 600"),
    ("five hundred i meant five thousand", "-500 5000"),
    ("send five hundred wait make that four hundred", "-500 400"),
    ("send five hundred actually send four hundred", "-500 400"),
    ("send five hundred rupees to ravi or rather six hundred rupees", "-500 600"),
    ("send five hundred to ravi scratch that send six hundred", "-500 600"),
    ("cancel that send six hundred", "600"),
    ("send 500 oops 600 to ravi", "-500 600"),
    ("sixty uh sorry sixteen", "-60 16"),
    ("send 500 to Ravi. No, make it 600.", "-500 600"),
    ("make it fifteen not fifty", "15 -50"),
    ("five hundred not six hundred", "500 -600"),
    ("not five hundred but six hundred", "-500 600"),
    ("that's not five hundred it's six hundred", "-500 600"),
    ("instead of five hundred send six hundred", "-500 600"),
    ("send six hundred instead of five hundred", "600 -500"),
    ("send five hundred to ravi send six hundred instead", "-500 600"),
    ("rather than five hundred send six hundred", "-500 600"),
    ("change five hundred to six hundred", "-500 600"),
    ("change it from five hundred to six hundred", "-500 600"),
    ("reduce it from 1000 to 500", "-1000 500"),
    ("i said six hundred you heard five hundred", "600 -500"),
    ("you said five hundred i said six hundred", "-500 600"),
    ("i have five thousand but send only five hundred", "-5000 500"),
    ("five hundred no six hundred no seven hundred", "-500 -600 700"),
    ("send five hundred no no send one thousand five hundred", "-500 1500"),
    ("one thousand five hundred no make it six hundred", "-1500 600"),
    ("one thousand five hundred rupees no six hundred rupees", "-1500 600"),
    ("send five hundred to ravi no wait", "-500"),
    ("send five hundred to ravi no", "-500"),
    ("send five hundred to ravi cancel that", "-500"),
    ("send five hundred to ravi never mind", "-500"),
    ("don't send five hundred", "-500"),
    ("do not send ravi five hundred", "-500"),
    ("send five hundred rupees to ravi don't send it", "-500"),
    ("i don't want to send five hundred", "-500"),
    ("cancel the transfer of five hundred", "-500"),
    ("send five hundred rupees to ravi twice", "-500"),
    ("send five hundred to ravi and double it", "-500"),
    ("send five hundred to ravi no sorry to mom", "500"),
    ("send five hundred to ravi no from savings", "500"),
    ("paanch sau nahi chhe sau", "-500 600"),
    ("send five hundred to ravi, not to jane", "500"),
    ("don't tell ravi send five hundred to jane", "-500"),
    ("no don't send five hundred send six hundred", "-500 600"),
    ("cancel five hundred and send six hundred", "-500 600"),
    ("five hundred... no six hundred", "-500 600"),
    ("i don't have five hundred rupees", "-500"),
    ("five hundred matlab five thousand", "-500 5000"),
    ("send five hundred no fifty fifteen", "-500"),
    ("send five hundred no five six hundred", "-500"),
    ("one thousand five hundred no six hundred", "-1500"),
    ("two lakh fifty thousand no sixty thousand", "-250000"),
)

NOTHING = (
    # Two readings.
    "fifty fifteen",
    "sixty sixteen",
    "fifty sixty",
    "ten fifteen",
    "ten twenty rupees",
    "five ten rupees",
    "five six hundred",
    "two three thousand rupees",
    "five six rupees",
    "twenty twenty five",
    "twenty five fifty",
    "double five hundred",
    "five hundred five hundred",
    "five hundred and six hundred",
    "one lakh twenty",
    "five lakh fifty",
    "two thousand five",
    "two and a half",
    "two thousand and a half",
    "fifty hundred",
    "five thousand hundred",
    "five hundred two thousand",
    "five rupees fifty",
    "five hundred rupees two hundred rupees",
    "rupees five hundred fifty paise",
    "one thousand two fifty",
    # Alternatives, ranges, vague.
    "five or six hundred",
    "fifteen or fifty",
    "five hundred or six hundred",
    "is it five hundred or five thousand",
    "five to ten thousand",
    "send 500 to 600",
    "between 500 and 600 rupees",
    "500-600",
    "500/600 rupees",
    "about five hundred",
    "around 500 rupees",
    "some five hundred rupees",
    "five hundred or so",
    "five hundred something",
    "five hundred odd rupees",
    "a couple of hundred",
    "a few thousand rupees",
    "hundreds of rupees",
    "more than five hundred rupees",
    "up to five hundred",
    "at most 500 rupees",
    "half of five hundred rupees",
    "three quarters of a lakh",
    "two thirds of a lakh",
    "a tenth of a lakh",
    "one fifth of a thousand",
    "close to a thousand",
    "five hundred more",
    "a hundred rupees less",
    "increase it by five hundred",
    "minus five hundred",
    "-500",
    "five hundred plus fifty",
    "500+50",
    "five times hundred",
    "five hundred rupee notes",
    # Recognition that may have lost a word or taken one for another.
    "send five hundred two ravi",
    "send to hundred to ravi",
    "pay the bill for hundred rupees",
    "send ate hundred rupees",
    "send [noise] hundred rupees to ravi",
    "send five [unk] hundred to ravi",
    "send five hundred [inaudible] to ravi",
    "send twenty [noise] five rupees",
    "send five hundred uh fifty",
    "send five hundred fitting to ravi",
    "ek hazaar paintalees bhejo",
    "500 k liye",
    "send five",
    "send two two ravi",
    "make it six",
    "send 500 ravi",
    "fifteen double zero",
    "send a lakh and a half",
    "electricity bill one thousand two eighty",
    "sixty rupees sixty",
    "ten twenty thirty",
    "double zero five",
    "uh hundred rupees",
    "five hundred max",
    "no more than five hundred rupees",
    "transfer five hundred to nine eight seven six five four three two one zero",
    # Typed badly.
    "482913",
    "send ₹1,0000",
    "₹10,00",
    "5oo",
    "1O00 rupees",
    "50,00",
    "12,34",
    "1.500",
    "500.505 rupees",
    "007",
    "1.5",
    "5 00",
    "2 500",
    "1,2,3",
    "₹-500",
    "5\u200b00 rupees",
    "2½ lakh",
    # Numbers that are no amounts.
    "what are my last three transactions",
    "show me the last 20 transactions",
    "show my last fifteen payments",
    "the past thirty days",
    "fifteen days ago",
    "in the next twenty four hours",
    "twelve months",
    "remind me at nine thirty",
    "at eleven fifteen",
    "at half past ten",
    "at 10:30",
    "at 10 am",
    "ten o'clock",
    "on the fifteenth of march",
    "on 15 march",
    "march fifteen",
    "on 12/11/2025",
    "2025-11-12",
    "what did i spend in 2024",
    "in two thousand twenty five",
    "account ending 1234",
    "account ending in one two three four",
    "my account number is 501000",
    "card 4321",
    "the last four digits are one two three four",
    "nine eight seven six five four three two one zero",
    "9876543210",
    "+91 98765 43210",
    "IFSC HDFC0001234",
    "my otp is 123456",
    "my code is one two three four five six",
    "two of my payees",
    "that one",
    "the second one",
    "one moment please",
    "one of my friends",
    "two people",
    "pay all three bills",
    "i have two accounts",
    "ten percent",
    "seven point five percent",
    "10%",
    "five per cent",
    "a hundred percent sure",
    "page two",
    "option three",
    "version 2.0",
    "flat number fifteen",
    "i am twenty five years old",
    "twelve instalments",
    "zero rupees",
    "no",
    "hello",
    "",
    "   ",
    "rupees",
    "and a half",
    "double",
    "do send it",
    "the bees sat with me",
    "no hundred rupees",
    "please do hundred rupees to ravi",
    "do hundred",
    "my number is 4521",
    "4521 is my pin",
    "my age is 25",
    "twenty two fifty",
    "one hundrd fifty rupees",
)


def _expected(table: str) -> list[tuple[Money, bool]]:
    result: list[tuple[Money, bool]] = []
    for word in table.split():
        if word.isalpha():
            result[-1] = (Money(result[-1][0].minor, word), result[-1][1])
        else:
            result.append((Money(int(abs(Decimal(word)) * 100)), word.startswith("-")))
    return result


TABLE = [*PLAIN, *IN_SENTENCES, *CORRECTED, *((text, "") for text in NOTHING)]


@pytest.mark.parametrize(("text", "amounts"), TABLE)
def test_what_is_heard(text: str, amounts: str) -> None:
    assert [(heard.money, heard.retracted) for heard in hear_amounts(text)] == _expected(amounts)


def test_the_table_is_long_and_has_no_line_twice() -> None:
    assert len({text for text, _ in TABLE}) == len(TABLE) >= 250


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("please send five hundred rupees to ravi", "five hundred rupees"),
        ("Bitte ₹1,23,456.50!", "₹1,23,456.50"),
        ("İ send ५०० rupees", "५०० rupees"),
        ("send a thousand to ravi", "a thousand"),
    ],
)
def test_an_amount_is_found_where_it_stands(text: str, where: str) -> None:
    (heard,) = hear_amounts(text)
    assert text[heard.start : heard.end] == where


@pytest.mark.parametrize(
    ("turns", "meant"),
    [
        ([], ""),
        (["hello"], ""),
        (["send five hundred to ravi"], "500"),
        (["send five hundred to ravi", "yes"], "500"),
        (["send five hundred to ravi", "no from savings"], "500"),
        (["send five hundred to ravi", "no"], "500"),
        (["send five hundred to ravi and two thousand to mom"], "500 2000"),
        (["send five hundred to ravi", "and two thousand to mom"], "500 2000"),
        (["send five hundred to ravi", "no make it six hundred"], "600"),
        (["send five hundred to ravi", "make it six hundred"], "600"),
        (["send five hundred to ravi", "actually send him six hundred"], "600"),
        (["send five hundred to ravi", "sorry i meant fifteen hundred"], "1500"),
        (["send five hundred to ravi", "i said six hundred"], "600"),
        (["send five hundred to ravi", "not five hundred"], ""),
        (["send five hundred to ravi", "not five hundred six hundred rupees"], ""),
        (["send five hundred to ravi", "six hundred instead"], "600"),
        (["send five hundred to ravi", "change it to six hundred"], "600"),
        (["send money to ravi", "five hundred", "six hundred"], "600"),
        (["send money to ravi", "five hundred", "six hundred rupees please"], "600"),
        (["send five hundred to ravi", "fifty fifteen"], ""),
        (["send five hundred to ravi", "make it five six hundred"], ""),
        (["send five hundred to ravi", "cancel that"], ""),
        (["send five hundred to ravi", "don't send it"], ""),
        (["send five hundred to ravi", "never mind"], ""),
        (["send five hundred to ravi", "double it"], ""),
        (["send five hundred to ravi", "make it double"], ""),
        (["send a sum of a thousand to ravi"], "1000"),
        (["send five hundred to ravi", "cancel that", "send six hundred"], "600"),
        (["send five hundred to ravi", "don't cancel"], "500"),
        (["send five hundred to ravi", "what is my balance", "what are my last three transactions"], "500"),
        (["send twenty dollars"], ""),
        (["send five hundred to ravi no make it six hundred", "yes"], "600"),
        (["five hundred " * 200], ""),
        (["send five hundred to ravi", "um " * 1000], ""),
    ],
)
def test_what_is_meant_over_several_turns(turns: list[str], meant: str) -> None:
    assert amounts_meant(turns) == {money.minor for money, _ in _expected(meant)}


rupees = st.integers(min_value=1, max_value=10**15)
frames = st.sampled_from(
    [
        "{}",
        "send {} to ravi",
        "please pay {} now",
        "{} to mom please",
        "no make it {}",
        "um {}",
        "i want to send {} from my savings account",
        "transfer from my savings account {} to ravi",
    ]
)


@given(rupees, frames)
def test_an_amount_said_in_a_sentence_is_the_amount_heard(minor: int, frame: str) -> None:
    text = frame.format(say_money(Money(minor)))
    assert [(heard.money, heard.retracted) for heard in hear_amounts(text)] == [(Money(minor), False)]
    assert amounts_meant([text]) == {minor}


@given(st.integers(min_value=1, max_value=10**13), st.sampled_from(sorted(MINOR_PER_MAJOR)))
def test_every_currency_said_is_the_amount_heard(minor: int, currency: str) -> None:
    text = f"send {say_money(Money(minor, currency))} to ravi"
    assert [heard.money for heard in hear_amounts(text, currency=currency)] == [Money(minor, currency)]


@given(rupees, frames)
def test_an_amount_written_in_a_sentence_is_the_amount_heard(minor: int, frame: str) -> None:
    for written in (str(Money(minor)), f"rs {minor // 100}.{minor % 100:02d}", normalise(str(Money(minor)))):
        assert [heard.money for heard in hear_amounts(frame.format(written))] == [Money(minor)]


@given(rupees, rupees)
def test_the_corrected_amount_is_the_one_that_is_meant(first: int, second: int) -> None:
    said = f"send {say_money(Money(first))} to ravi no make it {say_money(Money(second))}"
    assert amounts_meant([said]) == {second}
    assert amounts_meant([f"send {say_money(Money(first))}", f"sorry {say_money(Money(second))}"]) == {second}
    assert amounts_meant([said, "cancel that"]) == frozenset()


words = st.sampled_from(
    sorted(
        word_set(
            "send five hundred fifteen fifty thousand lakh crore and a half point double oh zero rupees paise no not "
            "make it to or instead of cancel 500 1,500 2.5 ₹ rs 5k um [noise] [unk] , . - ravi one two paanch sau do"
        )
    )
)


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    for heard in hear_amounts(text):
        assert heard.money.minor > 0 and 0 <= heard.start < heard.end <= len(text)
    amounts_meant([text, text])


@given(st.lists(words, max_size=40))
def test_no_words_raise_and_each_amount_reads_as_it_stands(said: list[str]) -> None:
    text = " ".join(said)
    heard = hear_amounts(text)
    assert [amount.start for amount in heard] == sorted(amount.start for amount in heard)
    for amount, following in pairwise(heard):
        assert amount.end <= following.start
    amounts_meant([text, "five hundred", text])


@given(st.lists(words, max_size=6), st.lists(words, max_size=6))
def test_two_turns_mean_no_more_than_was_heard(first: list[str], second: list[str]) -> None:
    turns = [" ".join(first), " ".join(second)]
    heard = {amount.money.minor for turn in turns for amount in hear_amounts(turn) if not amount.retracted}
    assert amounts_meant(turns) <= heard


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", ["nine ", "1 ", "no ", "five hundred and ", "twenty ", "five lakh ", "[", "<", "1,", "a'"]
)
def test_no_text_takes_long(piece: str) -> None:
    for length in (100, 800, 1_000_000):
        hear_amounts((piece * 1_000_000)[:length])


@pytest.mark.parametrize(
    ("minor", "easily"),
    [
        (15_00, True),
        (50_00, True),
        (15_000_00, True),
        (50_000_00, True),
        (12_00, True),
        (20_00, True),
        (250_00, True),
        (5_00_000_00, True),
        (2_00_00_000_00, True),
        (500_50, True),
        (500_00, False),
        (25_00, False),
        (5_000_00, False),
        (1_234_00, False),
        (1_225_00, False),
        (2_555_00, False),
        (9_000_00, False),
    ],
)
def test_amounts_that_are_easily_confused(minor: int, easily: bool) -> None:
    assert confusable(Money(minor)) is easily


@given(rupees)
def test_digits_of_an_amount_tell_it_apart(minor: int) -> None:
    digits = say_digits_of(Money(minor))
    assert digits.replace(" point ", " ").split() == say_digits_of_text(Money(minor))


def say_digits_of_text(money: Money) -> list[str]:
    written = str(money.major) + (f"{money.minor_part:02d}" if money.minor_part else "")
    return [SMALL[int(digit)] for digit in written]


def test_digits_of_an_amount() -> None:
    assert say_digits_of(Money(15_000_00)) == "one five zero zero zero"
    assert say_digits_of(Money(250_50)) == "two five zero point five zero"
    assert say_digits_of(Money(-5_05)) == "minus five point zero five"
