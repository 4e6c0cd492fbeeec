"""Portal codes: their form and how they are typed."""

from __future__ import annotations

import re

import pytest

from identity import otp

SECRET = "a secret of at least thirty-two bytes"


@pytest.mark.parametrize("typed", ["1A0B-CDEF", "1a0bcdef", " iaob cdef ", "L A O B C D E F", "lA0b–cDeF"])
def test_the_same_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert otp._hash(SECRET, typed) == otp._hash(SECRET, "1A0BCDEF")


@pytest.mark.parametrize("typed", ["1A0BCDEG", "1A0BCDE", "", "1A0BCDEFF", "VA0BCDEF"])
def test_other_codes_are_other_codes(typed: str) -> None:
    assert otp._hash(SECRET, typed) != otp._hash(SECRET, "1A0BCDEF")


@pytest.mark.parametrize("typed", ["\x00", "\ud800", "🙂" * 8, "x" * 10**6])
def test_anything_can_be_typed(typed: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", otp._hash(SECRET, typed))


def test_the_hash_depends_on_the_secret() -> None:
    assert otp._hash(SECRET, "123456") != otp._hash(SECRET + "!", "123456")


def test_codes_have_the_promised_form() -> None:
    digits = {otp._random_code("digits6") for _ in range(300)}
    assert all(re.fullmatch("[0-9]{6}", code) for code in digits)
    crockford = {otp._random_code("crockford8") for _ in range(300)}
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{8}", code) for code in crockford)
    assert len(crockford) == 300
