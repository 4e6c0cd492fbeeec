"""Text as a voice is given it: amounts, dates and codes in words, without mark-up.

What is remembered of a reply stays as it was written: pipecat follows the spoken words in both texts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from core.spoken import normalise

Transform = Callable[[str, str], Awaitable[str]]
"""pipecat's text transform: from text and its type to what is spoken."""

_LONG_TEXT = 500  # characters that are rewritten off the event loop
_MARK_UP = re.compile(r"[*_#`~^|<>{}\[\]\\]+")


def transform(language: str) -> Transform:
    """The text transform for a voice that speaks a BCP 47 language."""

    async def spoken(text: str, text_type: str) -> str:  # noqa: ARG001 - the signature of a text transform
        return await speakable(text, language)

    return spoken


async def speakable(text: str, language: str) -> str:
    """Text in spoken form; empty when nothing in it can be said.

    English amounts are put into words here, though vendors can do that too: what a caller agrees to must be said the
    same way by every voice. Other languages keep their notation, which their vendors know how to read; they only lose
    mark-up, which some voices obey and others read aloud.
    """
    if not language.lower().startswith("en"):
        spoken = " ".join(_MARK_UP.sub(" ", text).split())
    elif len(text) > _LONG_TEXT:
        spoken = await asyncio.to_thread(normalise, text)
    else:
        spoken = normalise(text)
    return spoken if any(char.isalnum() for char in spoken) else ""
