"""Identifiers: short prefixed random names that are safe in URLs and logs."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32, lower case: no i, l, o, u.


def new_id(prefix: str) -> str:
    """A fresh identifier such as `call_7k2m…` with 100 bits of randomness."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(20))}"
