"""Password hashes."""

from __future__ import annotations

import asyncio

import argon2
import pytest

from core.errors import Busy, Invalid
from identity import passwords
from identity.passwords import hash_password, password_matches


async def test_a_password_matches_its_hash_only() -> None:
    kept = await hash_password("correct horse ₹")
    assert kept.startswith("$argon2id$v=19$m=32768,t=3,p=1$")
    assert await password_matches(kept, "correct horse ₹")
    assert not await password_matches(kept, "correct horse")
    assert not await password_matches(kept, "")


async def test_the_same_password_has_different_hashes() -> None:
    assert await hash_password("password123") != await hash_password("password123")


@pytest.mark.parametrize("password", ["", "short", "x" * 1025, "é" * 513])
async def test_too_short_and_too_long_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid):
        await hash_password(password)


async def test_strange_passwords_are_just_wrong() -> None:
    for strange in ("\x00", "\ud800", "x" * 100_000):
        assert not await password_matches(passwords.NOBODY, strange)


def test_an_unknown_name_costs_what_a_known_one_costs() -> None:
    assert argon2.extract_parameters(passwords.NOBODY) == argon2.extract_parameters(
        passwords._hasher.hash("some password")
    )


async def test_hashing_does_not_hold_up_the_event_loop() -> None:
    work = [asyncio.create_task(password_matches(passwords.NOBODY, "wrong")) for _ in range(4)]
    ticks = 0
    while not all(task.done() for task in work):
        await asyncio.sleep(0.001)
        ticks += 1
    assert ticks >= 5, "the loop went on while four hashes were computed"
    assert [task.result() for task in work] == [False] * 4


async def test_a_crowd_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 6)
    results = await asyncio.gather(
        *(password_matches(passwords.NOBODY, "wrong") for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, Busy) for result in results) == 4
    assert results.count(False) == 6
    assert not await password_matches(passwords.NOBODY, "wrong")
