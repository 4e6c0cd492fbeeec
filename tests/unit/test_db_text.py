"""Text that is recorded as it comes, and text that is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.db import safe_text, storable_text
from core.errors import Invalid


@given(st.text(st.characters(exclude_categories=()), max_size=200), st.integers(0, 100))
def test_whatever_was_said_can_be_stored(text: str, most: int) -> None:
    kept = storable_text(text, max_length=most)
    assert len(kept) <= most
    assert "\x00" not in kept
    kept.encode()


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_asked_for_text_is_stored_whole_or_refused(text: str) -> None:
    try:
        kept = safe_text(text, max_length=50)
    except Invalid:
        assert "\x00" in text or not text.isascii()
    else:
        kept.encode()
        assert safe_text(kept, max_length=50) == kept


@pytest.mark.parametrize("text", ["a\x00", "\udfff", "xxxx"])
def test_refusals_do_not_repeat_the_text(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        safe_text(text, max_length=3)
    assert text not in caught.value.message
