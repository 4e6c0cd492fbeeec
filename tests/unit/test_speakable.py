"""Text as a voice is given it."""

from __future__ import annotations

import pytest

from providers.speakable import speakable, transform


@pytest.mark.parametrize(
    ("written", "language", "spoken"),
    [
        ("You paid ₹15,000 today.", "en", "You paid fifteen thousand rupees today."),
        ("You paid ₹15,000 today.", "en-IN", "You paid fifteen thousand rupees today."),
        ("आपने ₹15,000 दिए।", "hi", "आपने ₹15,000 दिए।"),
        ("**ज़रूर** <break time='9s'/> `हाँ`", "hi-IN", "ज़रूर break time='9s'/ हाँ"),
        ("😀 ...", "en", ""),
        ("— **", "hi", ""),
    ],
)
async def test_english_is_put_into_words_and_others_lose_their_mark_up(
    written: str, language: str, spoken: str
) -> None:
    assert await speakable(written, language) == spoken
    assert await transform(language)(written, "sentence") == spoken


async def test_a_long_text_comes_out_the_same() -> None:
    assert await speakable("You paid ₹5. " * 100, "en") == " ".join(["You paid five rupees."] * 100)
