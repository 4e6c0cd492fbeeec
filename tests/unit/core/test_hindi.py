"""Hindi said and heard: numbers and amounts in words, amounts in both scripts, consent.

In the tables of amounts "-500" was said and taken back, and "" is nothing heard.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money
from core.spoken import amounts_meant, hear_amounts, hear_consent, hindi
from core.spoken.consent import is_plain_refusal
from core.spoken.devanagari import in_roman, sounds_like_a_number, transliterate

# By last digit, so that a slip in the table by tens shows.
BY_LAST_DIGIT = """
शून्य दस बीस तीस चालीस पचास साठ सत्तर अस्सी नब्बे
एक ग्यारह इक्कीस इकतीस इकतालीस इक्यावन इकसठ इकहत्तर इक्यासी इक्यानवे
दो बारह बाईस बत्तीस बयालीस बावन बासठ बहत्तर बयासी बानवे
तीन तेरह तेईस तैंतीस तैंतालीस तिरपन तिरसठ तिहत्तर तिरासी तिरानवे
चार चौदह चौबीस चौंतीस चवालीस चौवन चौंसठ चौहत्तर चौरासी चौरानवे
पाँच पंद्रह पच्चीस पैंतीस पैंतालीस पचपन पैंसठ पचहत्तर पचासी पचानवे
छह सोलह छब्बीस छत्तीस छियालीस छप्पन छियासठ छिहत्तर छियासी छियानवे
सात सत्रह सत्ताईस सैंतीस सैंतालीस सत्तावन सड़सठ सतहत्तर सत्तासी सत्तानवे
आठ अठारह अट्ठाईस अड़तीस अड़तालीस अट्ठावन अड़सठ अठहत्तर अट्ठासी अट्ठानवे
नौ उन्नीस उनतीस उनतालीस उनचास उनसठ उनहत्तर उनासी नवासी निन्यानवे
"""
BELOW_HUNDRED = [
    (10 * ten + digit, word)
    for digit, line in enumerate(BY_LAST_DIGIT.strip().splitlines())
    for ten, word in enumerate(line.split())
]


@pytest.mark.parametrize(("value", "words"), BELOW_HUNDRED)
def test_every_number_below_a_hundred(value: int, words: str) -> None:
    assert hindi.say_number(value) == words
    if value:
        heard = hear_amounts(f"{words} रुपये")
        assert [one.money.minor for one in heard] == [value * 100]


NUMBERS = (
    (100, "एक सौ"), (101, "एक सौ एक"), (111, "एक सौ ग्यारह"), (150, "एक सौ पचास"), (199, "एक सौ निन्यानवे"),
    (500, "पाँच सौ"), (999, "नौ सौ निन्यानवे"), (1000, "एक हज़ार"), (1001, "एक हज़ार एक"), (1500, "एक हज़ार पाँच सौ"),
    (2019, "दो हज़ार उन्नीस"), (9999, "नौ हज़ार नौ सौ निन्यानवे"), (10_000, "दस हज़ार"), (15_000, "पंद्रह हज़ार"),
    (50_000, "पचास हज़ार"), (79_079, "उनासी हज़ार उनासी"), (100_000, "एक लाख"), (100_001, "एक लाख एक"),
    (123_456, "एक लाख तेईस हज़ार चार सौ छप्पन"), (250_000, "दो लाख पचास हज़ार"),
    (999_999, "नौ लाख निन्यानवे हज़ार नौ सौ निन्यानवे"),
    (1_000_000, "दस लाख"), (10_000_000, "एक करोड़"), (12_345_678, "एक करोड़ तेईस लाख पैंतालीस हज़ार छह सौ अठहत्तर"),
    (990_000_000, "निन्यानवे करोड़"), (10**9, "एक सौ करोड़"), (-5, "ऋण पाँच"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "words"), NUMBERS)
def test_larger_numbers(value: int, words: str) -> None:
    assert hindi.say_number(value) == words


def test_decimals_are_said_digit_by_digit() -> None:
    assert hindi.say_number(Decimal("7.25")) == "सात दशमलव दो पाँच"


@pytest.mark.parametrize(
    ("minor", "words"),
    [
        (1, "एक पैसा"), (50, "पचास पैसे"), (100, "एक रुपया"), (101, "एक रुपया और एक पैसा"), (200, "दो रुपये"),
        (500_00, "पाँच सौ रुपये"), (500_50, "पाँच सौ रुपये और पचास पैसे"), (1_00_000_00, "एक लाख रुपये"),
        (1_23_456_78, "एक लाख तेईस हज़ार चार सौ छप्पन रुपये और अठहत्तर पैसे"), (-2_00, "ऋण दो रुपये"),
        (1_00_00_000_00, "एक करोड़ रुपये"), (0, "शून्य रुपये"),
    ],
)  # fmt: skip
def test_amounts(minor: int, words: str) -> None:
    assert hindi.say_money(Money(minor, "INR")) == words


def test_digits() -> None:
    assert hindi.say_digits_of(Money(250_50, "INR")) == "दो पाँच शून्य दशमलव पाँच शून्य"
    assert hindi.say_digits("xx12") == "एक दो"


@pytest.mark.parametrize(
    ("rupees", "confused"),
    [(500, False), (1500, False), (10_000, False), (15_000, False), (700, False), (50, True), (17, True), (70, True),
     (7000, True), (60_000, True), (25_000, True), (100_000, True), (550, True)],
)  # fmt: skip
def test_amounts_that_sound_alike_are_told_apart(rupees: int, confused: bool) -> None:
    assert hindi.confusable(Money(rupees * 100, "INR")) is confused


@given(st.integers(1, 10**11))
def test_what_is_said_is_heard(minor: int) -> None:
    amount = Money(minor, "INR")
    assert [one.money for one in hear_amounts(f"रवि को {hindi.say_money(amount)} भेजो")] == [amount]


AMOUNTS = (
    ("पाँच सौ रुपये", "500"), ("पांच सौ", "500"), ("पाच सौ रुपए", "500"), ("रवि को पाँच सौ रुपये भेजो", "500"),
    ("रवि को पांच सौ भेज दो", "500"), ("रवि को पाँच सौ रूपये भेज दीजिए।", "500"), ("डेढ़ हज़ार", "1500"),
    ("डेढ हजार रुपये", "1500"), ("डेढ़ सौ", "150"), ("डेढ़ लाख", "150000"), ("ढाई लाख", "250000"), ("ढाई सौ", "250"),
    ("ढाई हज़ार", "2500"), ("साढ़े तीन हज़ार", "3500"), ("साढे तीन हजार", "3500"), ("साढ़े पाँच सौ", "550"),
    ("साढ़े बारह हज़ार", "12500"), ("सवा सौ", "125"), ("सवा लाख", "125000"), ("सवा दो हज़ार", "2250"),
    ("पौने दो सौ", "175"), ("पौने दो लाख", "175000"), ("५००", "500"), ("५०० रुपये", "500"), ("५००रुपये भेजो", "500"),
    ("₹५००", "500"), ("1,500 रुपये", "1500"), ("पन्द्रह हज़ार", "15000"), ("पंद्रह सौ", "1500"), ("छः सौ रुपये", "600"),
    ("छह हज़ार", "6000"), ("छे सौ", "600"), ("साठ हज़ार", "60000"), ("सात हज़ार", "7000"), ("सत्तर रुपये", "70"),
    ("सत्रह रुपये", "17"), ("उनतीस रुपये", "29"), ("उनतालीस रुपये", "39"), ("अठ्ठाईस रुपये", "28"),
    ("एक लाख तेईस हज़ार चार सौ छप्पन रुपये", "123456"), ("दो सौ रुपये", "200"), ("रवि को दो सौ भेज दो", "200"),
    ("एक करोड़ रुपये", "10000000"), ("पाँच सौ रुपये और पचास पैसे", "500.50"), ("पाँच सौ रुपये पचास पैसे", "500.50"),
    ("paanch sau", "500"), ("pandrah hazaar", "15000"), ("do lakh", "200000"), ("saadhe teen hazaar rupaye", "3500"),
    ("five hundred रुपये भेजो", "500"), ("Ravi को fifteen hundred भेजो", "1500"), ("send पाँच सौ रुपये to Ravi", "500"),
    ("फाइव हंड्रेड रुपीज़ नहीं पाँच सौ रुपये", "500"), ("मेरे खाते से रवि को पाँच सौ भेजिए", "500"),
    ("रवि को पाँच सौ दो", "500"), ("हाँ पाँच सौ ही भेजो", "500"), ("हज़ार रुपये", "1000"),
    # Taken back.
    ("नहीं, छह सौ कर दो", "600"), ("पाँच सौ नहीं छह सौ", "-500 600"), ("पाँच सौ, नहीं, छह सौ भेजो", "-500 600"),
    ("पाँच सौ की जगह छह सौ भेजो", "-500 600"), ("पाँच सौ मतलब छह सौ", "-500 600"), ("पाँच सौ, रुको, छह सौ", "-500 600"),
    ("पाँच सौ के बजाय छह सौ भेजो", "-500 600"),
    # In doubt, nothing.
    ("पाँच सौ या छह सौ", ""), ("पाँच सौ नहीं तो छह सौ", ""), ("पाँच छह सौ रुपये", ""), ("दो चार सौ", ""),
    ("पाँच सौ से छह सौ", ""), ("पाँच सौ दो", ""), ("रवि को पाँच सौ दो भेजो", ""), ("रवि को भेज दो सौ रुपये", ""),
    ("रवि को दे दो सौ", ""), ("भेज दो, सौ रुपये", ""), ("पचास पाँच सौ", ""), ("बीस पाँच रुपये", ""), ("बारह पचास", ""),
    ("लगभग पाँच सौ रुपये", ""), ("करीब पाँच सौ रुपये", ""), ("कम से कम पाँच सौ रुपये", ""), ("पाँच सौ रुपये तक", ""),
    ("ज़्यादा से ज़्यादा पाँच सौ", ""), ("पाँच सौ से ज़्यादा", ""), ("पाँच सौ रुपये से कम", ""), ("पाँच सौ के आसपास", ""),
    ("हर पाँच सौ रुपये", ""), ("कुछ सौ रुपये", ""), ("कई हज़ार रुपये", ""), ("हज़ारों रुपये", ""), ("आधा लाख रुपये", ""),
    ("पाँच सौ रुपये का आधा", ""), ("पाँच सौ रुपये का दुगना", ""), ("दस प्रतिशत", ""), ("पंद्रह दिन", ""), ("दो", ""),
    ("पाँच", ""), ("पाँच सौ [unk]", ""), ("पाँच [unk] सौ रुपये", ""), ("ओटीपी पाँच सौ दस", ""),
    ("रवि को पैसे भेज दो", ""), ("सौ दो सौ", ""), ("हाँ", ""), ("पाँच सौ न भेजें", "-500"),
    # English numbers in Devanagari.
    ("वन फिफ्टी रुपये भेजो", "150"), ("रवि को टू फिफ्टी रुपये भेजो", "250"), ("फोर हंड्रेड रुपये", "400"),
    ("ट्वेन्टी फाइव रुपये", "25"), ("ट्वेंटी फाइव रुपये", "25"), ("वन ट्वेंटी फाइव रुपये", "125"), ("टू थाउजेंड रुपये", "2000"),
    ("वन हन्ड्रेड ट्वेंटी रुपये", "120"), ("फोर्टीन फिफ्टी रुपये", "1450"), ("फिफ्टीन हंड्रेड रुपये", "1500"),
    ("इलेवन हंड्रेड रुपये", "1100"), ("नाइन्टीन थाउज़न्ड रुपये", "19000"), ("रुपये फाइव हंड्रेड फिफ्टीन", "515"),
    ("फाइव डबल ज़ीरो रुपये", "500"), ("टू पॉइन्ट फाइव लाख रुपये", "250000"), ("दो दशमलव पाँच लाख रुपये", "250000"),
    ("two फिफ्टी रुपये", "250"), ("वन 50 रुपये", ""), ("टू five hundred rupees", ""), ("फाइव टू टेन थाउजेंड रुपये", ""),
    ("ट्वेंटी टू फिफ्टी रुपये", ""), ("फिफ्टी टू सिक्सटी रुपये", ""), ("फाइव हंड्रेड टू सिक्स हंड्रेड रुपये", ""),
    ("फाइव हंड्रेड टू रवि", ""),
    # What may be a part of the number, in a spelling that is not known.
    ("रुपये पाँच सौ इकसट", ""), ("फॉर फिफ्टी रुपये", ""), ("ट्वैंटि फाइव रुपये", ""), ("दो सो पचास रुपये", ""),
    ("एक हजर पाँच सौ रुपये", ""), ("ek hazzar paanch sau rupaye", ""), ("do hazzar paanch sau rupaye", ""),
    ("do so pachaas rupaye", ""), ("50 so rupaye", ""), ("मात्र पाँच सौ रुपये भेजो", "500"), ("उसे पाँच सौ रुपये भेजो", "500"),
    ("भैया पाँच सौ रुपये भेजो", "500"), ("so send 50 rupees", "50"),
    # Halves that are none, a nine that is a no, a two that is a verb.
    ("साढ़े सौ रुपये", ""), ("saadhe hazaar", ""), ("दो ढाई सौ रुपये", ""), ("do dhai sau", ""), ("ek dedh sau rupaye", ""),
    ("bhej do dhai sau", "250"), ("साढ़े 5 हज़ार रुपये", "5500"), ("saadhe five thousand rupees", "5500"),
    ("saadhe 500 rupaye", ""), ("50 do hundred", ""),
    ("paune do sau", "175"), ("sava sau rupaye", "125"), ("नो सौ रुपये", ""), ("no sau", ""), ("नो हज़ार पाँच सौ रुपये", ""),
    ("नौ सौ रुपये", "900"), ("please do hundred", ""), ("can you do thousand rupees", ""),
    ("could you do lakh rupees", ""), ("ravi ko do lakh bhejo", "200000"), ("please do sau rupaye", "200"),
    # Numbers of something else.
    ("mera pin hai 4521", ""), ("मेरा पिन है 4521", ""), ("mera number hai 4521", ""), ("4521 hai mera pin", ""),
    ("aadhar number hai 4521", ""), ("aadhar number hai 1234 5678 9012", ""), ("खाता संख्या 4521 है", ""),
    ("आखिरी अंक 4521", ""), ("मेरे खाते के आखिरी चार अंक 4521 हैं", ""), ("khate ke aakhri ank 4521 hai", ""),
    ("umar 25 hai", ""), ("मेरी उम्र 25 है", ""), ("umar hai 25", ""), ("saal 2024 ka", ""), ("15 ko bhejna", ""),
    ("kal 15 ko 500 bhejo", "500"), ("कल पंद्रह को पाँच सौ भेजो", "500"), ("15 अगस्त को 500 भेजो", "500"),
    ("15 तारीख को 500 भेजो", "500"), ("bill hai 500", "500"), ("mere khate se 500 bhejo", "500"),
    ("mere paas 500 hai", "500"),
    # What stands in place of what.
    ("500 ki jagah 600", "-500 600"), ("600 bhejo 500 ki jagah", "600 -500"), ("600 bhejo 500 wale ki jagah", ""),
    ("paanch sau rupaye bhejo chhe sau ke bajay", "500 -600"), ("600 na ki 500", "600 -500"),
    ("पाँच सौ भेजो न कि छह सौ", "500 -600"), ("500 nahi 600", "-500 600"), ("500 ko 700 karo", "-500 700"),
    ("500 ko 700", ""), ("Ravi ki jagah Priya ko 500 bhejo", "500"), ("pehle 500 ab 700", "700"),
    ("500 nahi to", "-500"), ("500 nahi to 600", ""), ("500 nahin toh 600", ""), ("500 athva 600", ""),
    ("पाँच सौ अथवा छह सौ", ""),
    ("पाँच सौ वरना छह सौ", ""), ("500 bhejo do baar", "-500"), ("do baar 500 bhejo", ""), ("ek baar 500 bhejo", "500"),
    # Vague.
    ("paanch sau ke andar", ""), ("पाँच सौ रुपये के अंदर", ""), ("paanch sau ke aas paas", ""), ("500 के आस पास", ""),
    ("paanch sau ke karib", ""), ("500 ke kareeb", ""), ("koi paanch sau rupaye", ""), ("कोई 500 रुपये", ""),
    ("adhiktam paanch sau", ""), ("अधिकतम 500 रुपये", ""), ("nyuntam 500", ""), ("न्यूनतम पाँच सौ", ""),
    ("500 ke liye", "500"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), AMOUNTS)
def test_amounts_heard(text: str, expected: str) -> None:
    heard = " ".join(
        f"{'-' if one.retracted else ''}{Decimal(one.money.minor) / 100:.2f}".removesuffix(".00")
        for one in hear_amounts(text)
    )
    assert heard == expected


@pytest.mark.parametrize(
    ("turns", "meant"),
    [
        (["रवि को पाँच सौ भेजो", "नहीं, छह सौ कर दो"], {600}),
        (["रवि को पाँच सौ भेजो", "छह सौ कर दो"], {600}),
        (["रवि को पाँच सौ भेजो", "छह सौ"], {600}),
        (["रवि को पाँच सौ भेजो", "रहने दो"], set()),
        (["रवि को पाँच सौ भेजो", "मत भेजो"], set()),
        (["रवि को पाँच सौ भेजो", "हाँ"], {500}),
        (["रवि को पाँच सौ भेजो", "मेरा बैलेंस बताओ"], {500}),
        (["छह सौ, पाँच सौ नहीं"], set()),
    ],
)
def test_what_is_meant_over_several_turns(turns: list[str], meant: set[int]) -> None:
    assert amounts_meant(turns) == {100 * rupees for rupees in meant}


YES = (
    "हाँ", "हां", "हाँ।", "हाँ!", "जी हाँ", "जी हां", "हाँ जी", "हाँ जी कर दीजिए", "हाँ, भेज दीजिए", "भेज दीजिए।", "भेज दो",
    "हाँ भेज दो", "ठीक है", "ठीक है भेज दो", "ठीक है, कर दो", "जी, ठीक है", "बिल्कुल", "जी बिल्कुल", "हाँ बिल्कुल", "बिलकुल",
    "सही है", "हाँ सही है", "हाँ हाँ", "कर दो", "कर दीजिये", "कर दीजिए", "हाँ अभी कर दो", "ज़रूर", "जी ज़रूर", "हाँ प्लीज़",
    "भेजिए", "भेजो", "पैसे भेज दो", "पेमेंट कर दो", "ट्रांसफर कर दीजिए", "yes भेज दो", "हाँ okay", "ओके", "यस", "okay कर दो",
    "haan", "haan ji", "ji haan", "haan bhej do", "theek hai bhej do", "haan kar dijiye", "haan ji kar dijiye",
    "ji bilkul", "bhej dijiye", "sahi hai", "भेज दो ना", "कर दो न", "हाँ भेज दीजिए ना", "अरे हाँ",
    "arre haan bhej do", "theek hai kar do", "haan theek hai", "theek hai ho jaye", "sahi hai bhej do", "हाँ हाँ हाँ",
    "ok kar do",
)  # fmt: skip
NO = (
    "नहीं", "नही", "नहीं।", "जी नहीं", "नहीं जी", "नहीं नहीं", "मत भेजो", "मत भेजिए", "मत करो", "मत कीजिए", "हाँ मत भेजो",
    "भेज दो नहीं मत भेजो", "रहने दो", "रहने दीजिए", "छोड़ दो", "अभी नहीं", "बिल्कुल नहीं", "नहीं भेजना", "नहीं चाहिए",
    "भेजना नहीं है", "ठीक नहीं है", "सही नहीं है", "गलत है", "कैंसिल करो", "कैंसिल कर दीजिए", "रद्द करो", "ना",
    "नहीं, छह सौ कर दो", "नहीं भेजो", "nahi", "nahi bhejna", "mat bhejo", "rehne do", "ji nahi", "cancel kar do", "no जी",
    "भेजो मत", "karo mat", "भेजिए मत", "रोको", "रोक दो", "बंद करो", "band kar do", "मना कर दो", "theek hai chhodo",
    "ठीक है छोड़ो", "रोको मत भेजो", "ok rehne do", "अरे नहीं", "पेमेंट मत कर दो", "transfer na karo",
)  # fmt: skip
REPEAT = (
    "फिर से बोलिए", "फिर से बताइए", "एक बार फिर", "एक बार फिर बोलिए", "दोबारा बोलिए", "दुबारा बताइए", "क्या कहा",
    "आपने क्या कहा", "कितना", "नहीं समझा", "समझ नहीं आया", "सुनाई नहीं दिया", "phir se boliye", "kya kaha", "repeat कीजिए",
)  # fmt: skip
NEITHER = (
    "हाँ लेकिन", "हाँ लेकिन कल", "हाँ पर कल", "haan par kal", "haan lekin", "haan magar", "नहीं नहीं हाँ", "हाँ नहीं",
    "हाँ या नहीं",
    "हाँ छह सौ", "हाँ छह सौ भेजो", "हाँ रुको", "रुको", "रुकिए", "अच्छा", "हम्म", "पता नहीं", "कोई बात नहीं", "क्यों नहीं",
    "मत रुको", "कैंसिल मत करो", "हाँ?", "सही है?", "दो", "दे दो", "शायद", "हाँ शायद", "हाँ प्रिया को",
    "हाँ कल भेजना",
    "अगर हो सके तो हाँ",
    "हाँ तो", "बैलेंस बताओ", "हाँ [unk]", "हाँ जी मैं सोच रहा हूँ", "क्या मैं हाँ कहूँ", "हाँ वो वाला", "",
    "माँ", "कहाँ", "यहाँ", "वहाँ", "haan bolun kya", "ha ha", "kar do kya",
    # To put something right is no agreement.
    "सही करो", "ठीक करो", "ठीक कर दो", "सही कर दीजिए", "हाँ सही करो", "ठीक हो जाए", "सही हो जाए", "सही भेजो",
    "ठीक से कर दो", "correct karo", "correct kar do", "ok theek karo", "theek kijiye", "sahi bhejo", "theek abhi karo",
    "achha karo", "theek karo ji", "sahi payment kar do", "fine karo", "good kar do", "perfect bhej do", "kar do theek",
    "ji sahi karo", "correct please", "please correct", "abhi theek hai", "अभी ठीक है", "haan abhi sahi hai",
    # Laughter, and what is more or less than an answer.
    "हा", "हा हा", "हा हा हा", "haa", "haa haa", "achha ji", "ji abhi", "जी", "जी?", "जी जी", "ji sir",
    "अरे", "theek hai na", "haan na",
    "na kar do", "bhejo mat ruko", "roko mat", "रुको मत",
)  # fmt: skip


@pytest.mark.parametrize("text", YES)
def test_agreement(text: str) -> None:
    assert hear_consent(text) == "yes"


@pytest.mark.parametrize("text", NO)
def test_refusal(text: str) -> None:
    assert hear_consent(text) == "no"


@pytest.mark.parametrize("text", REPEAT)
def test_asking_again(text: str) -> None:
    assert hear_consent(text) == "repeat"


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str) -> None:
    assert hear_consent(text) is None


def test_a_refusal_that_says_more_is_not_plain() -> None:
    assert is_plain_refusal("नहीं, रहने दो") and not is_plain_refusal("नहीं, छह सौ कर दो")


SAID = "हाँ जी ठीक है भेज दो कर दीजिए मत नहीं रुको लेकिन haan nahi mat yes no okay"


@given(st.lists(st.sampled_from(SAID.split()), max_size=6))
def test_no_yes_has_a_negation_in_it(words: list[str]) -> None:
    if {"मत", "नहीं", "nahi", "mat", "no", "रुको", "लेकिन"} & set(words):
        assert hear_consent(" ".join(words)) != "yes"


@pytest.mark.parametrize(
    ("word", "roman"),
    [("हज़ार", "hazaar"), ("हजार", "hazaar"), ("हज\u093cार", "hazaar"), ("करोड\u093c", "karod"), ("करो\u095c", "karod"),
     ("पाँच", "paanch"), ("पांच", "paanch"), ("रवि", "रवि"), ("send", "send")],
)  # fmt: skip
def test_spellings_of_one_word(word: str, roman: str) -> None:
    assert in_roman(word) == roman


@pytest.mark.parametrize(
    ("text", "latin"),
    [("रवि शर्मा", "ravi sharma"), ("प्रिया", "priya"), ("अमित और सुनीता", "amit aur sunita"), ("Ravi को", "Ravi ko")],
)
def test_names_in_latin_letters(text: str, latin: str) -> None:
    assert transliterate(text) == latin


@pytest.mark.parametrize("word", ["इकसट", "सो", "फॉर", "हजर", "हंडरेड", "ट्वैंटि", "निन्यानबे", "फोरटिन"])
def test_a_number_in_another_spelling_is_suspected(word: str) -> None:
    assert sounds_like_a_number(word)


@pytest.mark.parametrize(
    "word", ["रवि", "प्रिया", "राहुल", "उसे", "इसे", "उसको", "मात्र", "भैया", "मम्मी", "जल्दी", "पूरे", "बाकी"]
)
def test_other_words_are_no_numbers(word: str) -> None:
    assert not sounds_like_a_number(word)


APPROVAL = ("ठीक", "सही", "अच्छा", "theek", "sahi", "achha", "fine", "good", "perfect", "correct")
ACT = ("करो", "कर दो", "कर दीजिए", "कीजिए", "भेजो", "भेज दो", "हो जाए", "karo", "kar do", "bhej do", "kijiye", "ho jaye")


@given(
    st.sampled_from(("", "हाँ ", "ok ", "yes ", "जी ")),
    st.sampled_from(APPROVAL),
    st.sampled_from(("", " अभी", " जी", " please")),
    st.sampled_from(ACT),
    st.sampled_from(("", " जी", " please", " हाँ")),
)
def test_approval_before_an_act_is_no_yes(first: str, approval: str, between: str, act: str, last: str) -> None:
    assert hear_consent(f"{first}{approval}{between} {act}{last}") != "yes"
