from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import MINOR_PER_MAJOR, Money
from core.spoken import (
    hear_digits,
    hear_number,
    normalise,
    say_code,
    say_date,
    say_digits,
    say_list,
    say_money,
    say_number,
    say_ordinal,
    say_time,
    say_year,
)

currencies = st.sampled_from(sorted(MINOR_PER_MAJOR))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (15, "fifteen"),
        (50, "fifty"),
        (21, "twenty one"),
        (105, "one hundred five"),
        (1_500, "one thousand five hundred"),
        (1_23_456, "one lakh twenty three thousand four hundred fifty six"),
        (10_00_00_000, "ten crore"),
        (10**12, "one lakh crore"),
        (-7, "minus seven"),
        (Decimal("7.25"), "seven point two five"),
        (Decimal("-0.05"), "minus zero point zero five"),
    ],
)
def test_numbers_are_said_in_lakh_and_crore(value: int | Decimal, words: str) -> None:
    assert say_number(value) == words


def test_numbers_can_be_said_in_millions() -> None:
    assert say_number(2_500_000_001, indian=False) == "two billion five hundred million one"


@given(st.integers(min_value=-(10**9), max_value=10**9), st.booleans())
def test_a_number_said_is_the_number_heard(value: int, indian: bool) -> None:
    assert hear_number(say_number(value, indian=indian)) == value


@given(st.text("0123456789", min_size=1, max_size=20))
def test_digits_said_are_the_digits_heard(digits: str) -> None:
    assert hear_digits(say_digits(digits)) == digits


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (12_345_650, "INR", "one lakh twenty three thousand four hundred fifty six rupees and fifty paise"),
        (100, "INR", "one rupee"),
        (101, "INR", "one rupee and one paisa"),
        (50, "INR", "fifty paise"),
        (0, "INR", "zero rupees"),
        (-50_000, "INR", "minus five hundred rupees"),
        (-5, "INR", "minus five paise"),
        (100_000_001, "USD", "one million dollars and one cent"),
        (201, "GBP", "two pounds and one penny"),
    ],
)
def test_money(minor: int, currency: str, words: str) -> None:
    assert say_money(Money(minor, currency)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (23, "twenty third"), (100, "one hundredth"), (0, "zeroth")],
)
def test_ordinals(value: int, words: str) -> None:
    assert say_ordinal(value) == words


def test_an_ordinal_is_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        say_ordinal(-1)


@pytest.mark.parametrize(
    ("year", "words"),
    [
        (2026, "twenty twenty six"),
        (2010, "twenty ten"),
        (2005, "two thousand five"),
        (2000, "two thousand"),
        (1905, "nineteen oh five"),
        (1900, "nineteen hundred"),
        (476, "four hundred seventy six"),
    ],
)
def test_years(year: int, words: str) -> None:
    assert say_year(year) == words


def test_dates_near_today_have_names() -> None:
    today = date(2026, 1, 1)
    assert say_date(date(2026, 1, 1), today=today) == "today"
    assert say_date(date(2025, 12, 31), today=today) == "yesterday"
    assert say_date(date(2026, 1, 2), today=today) == "tomorrow"
    assert say_date(date(2026, 11, 18), today=today) == "on the eighteenth of November"
    assert say_date(date(2025, 11, 18), today=today) == "on the eighteenth of November twenty twenty five"
    assert say_date(date(2026, 11, 18)) == "on the eighteenth of November twenty twenty six"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (time(0, 0), "midnight"),
        (time(0, 5), "twelve oh five in the morning"),
        (time(9, 30), "nine thirty in the morning"),
        (time(12, 0), "noon"),
        (time(14, 30), "two thirty in the afternoon"),
        (time(18, 0), "six in the evening"),
        (time(23, 59), "eleven fifty nine at night"),
    ],
)
def test_times(moment: time, words: str) -> None:
    assert say_time(moment) == words


def test_codes_and_lists() -> None:
    assert say_digits("XX12-34") == "one two three four"
    assert say_code("hdfc-0012") == "H D F C zero zero one two"
    assert say_list([]) == ""
    assert say_list(["a"]) == "a"
    assert say_list(["a", "b"]) == "a and b"
    assert say_list(["a", "b", "c"]) == "a, b and c"
    assert say_list(["a", "b", "c"], conjunction="or") == "a, b or c"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("fifteen", 15),
        ("fifty", 50),
        ("fifteen hundred", 1_500),
        ("twenty five hundred", 2_500),
        ("two lakh fifty thousand", 250_000),
        ("two and a half lakh", 250_000),
        ("half a crore", 5_000_000),
        ("two point five lakh", 250_000),
        ("2.5 lakh", 250_000),
        ("1,23,456", 123_456),
        ("10k", 10_000),
        ("five hundred and twenty", 520),
        ("a hundred and five", 105),
        ("thousand", 1_000),
        ("one fifty", 150),
        ("twelve fifty", 1_250),
        ("Twenty-Five", 25),
        ("minus three", -3),
        ("one hundred fifty lakh", 15_000_000),
    ],
)
def test_numbers_heard(words: str, value: int) -> None:
    assert hear_number(words) == value


@pytest.mark.parametrize(
    "words",
    [
        "",
        "and",
        "one two three",
        "fifty fifteen",
        "fifty or fifteen",
        "five thousand two lakh",
        "two thousand fifteen hundred",
        "zero lakh",
        "zero hundred",
        "five and",
        "and five",
        "one point five",
        "one point",
        "two crore five crore",
        "to pay five hundred",
        "hundred hundred",
        "five hundred rupees",
        "one " * 100,
        "nine " + "crore " * 5,
    ],
)
def test_what_is_not_one_whole_number_is_not_guessed(words: str) -> None:
    assert hear_number(words) is None


def test_digits_heard() -> None:
    assert hear_digits("one two three four") == "1234"
    assert hear_digits("double two oh") == "220"
    assert hear_digits("triple nine") == "999"
    assert hear_digits("12 34") == "1234"
    assert hear_digits("double") is None
    assert hear_digits("twelve") is None
    assert hear_digits("one two please") is None
    assert hear_digits("") is None


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("₹1,23,456.50", "one lakh twenty three thousand four hundred fifty six rupees and fifty paise"),
        ("₹1,000, ₹2,000 or -₹3.", "one thousand rupees, two thousand rupees or minus three rupees."),
        ("$1,234,500.89", "one million two hundred thirty four thousand five hundred dollars and eighty nine cents"),
        ("₹2.5 lakh at 7.25%", "two point five lakh rupees at seven point two five percent"),
        ("Rs. 500/- or 20 EUR", "five hundred rupees or twenty euros"),
        ("₹50,000–₹60,000", "fifty thousand rupees to sixty thousand rupees"),
        ("on 12 Nov 2026", "on the twelfth of November twenty twenty six"),
        ("by 2026-11-12", "by the twelfth of November twenty twenty six"),
        ("03/04/2026", "the third of April twenty twenty six"),
        ("Nov 12", "the twelfth of November"),
        ("the 5th of May", "the fifth of May"),
        ("you may 5 times", "you may five times"),
        ("since Nov 2025", "since November twenty twenty five"),
        ("at 14:30", "at two thirty in the afternoon"),
        ("9:05 a.m. or 12 PM", "nine oh five in the morning or noon"),
        ("at 9 a.m.", "at nine in the morning."),
        ("XXXX1234", "ending one two three four"),
        ("**** **** 1234", "ending one two three four"),
        ("card ending in XX98", "card ending nine eight"),
        ("IFSC HDFC0001234", "I F S C H D F C zero zero zero one two three four"),
        ("account number 50100", "account number five zero one zero zero"),
        ("+91 98765 43210", "plus nine one nine eight seven six five four three two one zero"),
        ("007", "zero zero seven"),
        ("12345678", "one two three four five six seven eight"),
        ("the 22nd of 3-4 items", "the twenty second of three to four items"),
        ("**Yes**, `now`: [see](http://a.b/c)", "Yes, now: see"),
        ("- one\n- two", "one two"),
        ("R&D and/or you@me.com 😀!", "R and D or you at me.com!"),
        ("Dr. Rao's EMIs — paid", "Doctor Rao's E M I's, paid"),
        ("PAN is NOT a PIN", "PAN is NOT a PIN"),
        ("₹५००", "five hundred rupees"),
        ("31/31/2026", "thirty one by thirty one by two thousand twenty six"),
    ],
)  # fmt: skip
def test_notation_becomes_words(written: str, words: str) -> None:
    assert normalise(written) == words


@given(st.text(max_size=200))
def test_any_text_becomes_one_line(text: str) -> None:
    spoken = normalise(text)
    assert spoken == " ".join(spoken.split())


@given(st.integers(min_value=-(10**10), max_value=10**10), currencies)
def test_spoken_text_is_left_alone(minor: int, currency: str) -> None:
    spoken = f"Your balance is {say_money(Money(minor, currency))}. Anything else?"
    assert normalise(spoken) == spoken


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.times())
def test_spoken_dates_and_times_are_left_alone(day: date, moment: time) -> None:
    spoken = f"It was paid {say_date(day)}, {say_time(moment)}."
    assert normalise(spoken) == spoken


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["*", "xx ", "1,", "1 ", "[", "- ", "\n", " ", "A1", "12:", "http://a ", "[a]("])
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 10_000)[:10_000]
    assert normalise(text + " ₹5").endswith("five rupees")
