"""Small words every part of an SDP is made of."""

from __future__ import annotations

ADVICE = "Reload the page and call again; if it happens again, this browser or client is not supported."
ICE_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
TOKEN_CHARS = ICE_CHARS | frozenset("-_.")


def uint(text: str, low: int, high: int) -> int | None:
    """The number `text` spells in plain decimal digits, or None if it does not or is out of range."""
    if not (0 < len(text) <= 20 and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if low <= number <= high else None


def only(text: str, allowed: frozenset[str], low: int, high: int) -> bool:
    """Whether `text` has `low` to `high` characters, all of them allowed."""
    return low <= len(text) <= high and allowed.issuperset(text)
