"""Amounts, numbers, dates and lists as people say them, and numbers and amounts as people said them.

`say_*` turns values into words without digits or symbols, which every voice reads the same way and the recogniser can
hear. `hear_number` and `hear_digits` read such words back, as spoken or typed, and answer None rather than guess.
`hear_amounts` finds every amount in what a caller said, `amounts_meant` those not taken back since, and `hear_consent`
whether they agreed: these guard money, so what is doubtful they do not hear. `normalise` rewrites the notation of
written text ("₹1,23,456.50", "14:30", "XXXX1234") into words and leaves text that is already in spoken form alone.

English is said here, Hindi by `core.spoken.hindi`; `hear_amounts` and `hear_consent` hear both, also mixed.
Rupees and plain numbers are counted in lakh and crore, other currencies in millions.
"""

from core.spoken.amounts import Heard, amounts_meant, confusable, hear_amounts, say_digits_of
from core.spoken.consent import Consent, hear_consent
from core.spoken.hear import hear_digits, hear_number
from core.spoken.say import (
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
from core.spoken.written import normalise

__all__ = [
    "Consent",
    "Heard",
    "amounts_meant",
    "confusable",
    "hear_amounts",
    "hear_consent",
    "hear_digits",
    "hear_number",
    "normalise",
    "say_code",
    "say_date",
    "say_digits",
    "say_digits_of",
    "say_list",
    "say_money",
    "say_number",
    "say_ordinal",
    "say_time",
    "say_year",
]
