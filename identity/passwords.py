"""Password hashes: argon2id, off the event loop, four at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

import argon2

from core.errors import Busy, Invalid

T = TypeVar("T")
Args = TypeVarTuple("Args")

MIN_CHARS = 8
MAX_BYTES = 1024
HASHES_AT_ONCE = 4
MAX_WAITING = 64

_hasher = argon2.PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
# Four threads bound the memory (32 MiB each) and the cores that logging in can take; they start when first needed.
_threads = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="password")
_waiting = 0

# A hash of a random value nobody has kept, with the same cost: an unknown name takes as long as a wrong password.
NOBODY = "$argon2id$v=19$m=32768,t=3,p=1$gsw66BUArYSNGHWbGlq7Sw$ti9aXqe0sFGD11H9wQyD0QgNfoAaCh8Le8I3QRzVXH0"


async def hash_password(password: str) -> str:
    """The hash to keep for a new password.

    Raises: Invalid if it is too short or too long; Busy if too many are waiting.
    """
    if len(password) < MIN_CHARS or len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Invalid(f"A password has at least {MIN_CHARS} characters.", code="bad_password")
    return await _in_thread(_hasher.hash, password)


async def password_matches(password_hash: str, password: str) -> bool:
    """Whether `password` is the one that was hashed; takes as long either way.

    Raises: Busy if too many are waiting.
    """
    return await _in_thread(_matches, password_hash, password)


async def _in_thread(work: Callable[[*Args], T], *args: *Args) -> T:
    global _waiting
    if _waiting >= MAX_WAITING:
        raise Busy("Too many people are logging in. Please try again in a moment.", retry_after_s=5)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work, *args)
    finally:
        _waiting -= 1


def _matches(password_hash: str, password: str) -> bool:
    encoded = password.encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]
    if len(encoded) > MAX_BYTES:
        encoded = b""  # too long to be anybody's; still takes its time
    try:
        return _hasher.verify(password_hash, encoded)
    except argon2.exceptions.VerifyMismatchError:
        return False
