"""Failed log-ins: five from one address, two hundred from everywhere, and then in turn."""

from __future__ import annotations

import asyncio
import time

import pytest
from limits import RateLimitItemPerDay, RateLimitItemPerMinute

from core.errors import Unauthorized
from identity.limits import LoginLimits, Pacer, Rates, TooManyAttempts, network_of


async def fail(limits: LoginLimits, address: str = "192.0.2.1", door: str = "otp") -> None:
    with pytest.raises(Unauthorized):
        async with limits.attempt(address, door=door):
            raise Unauthorized("no")


async def succeed(limits: LoginLimits, address: str = "192.0.2.1", door: str = "otp") -> None:
    async with limits.attempt(address, door=door):
        pass


async def test_the_sixth_attempt_after_five_failures_is_refused_even_if_right() -> None:
    limits = LoginLimits()
    for _ in range(5):
        await fail(limits)
    with pytest.raises(TooManyAttempts) as caught:
        await succeed(limits)
    assert caught.value.status == 429
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 15 * 60
    assert "15 minutes" in caught.value.message


async def test_logging_in_rightly_costs_nothing() -> None:
    limits = LoginLimits()
    for _ in range(4):
        await fail(limits)
    for _ in range(50):
        await succeed(limits)
    await fail(limits)
    with pytest.raises(TooManyAttempts):
        await succeed(limits)


async def test_other_errors_cost_nothing() -> None:
    limits = LoginLimits()
    for _ in range(10):
        with pytest.raises(KeyError):
            async with limits.attempt("192.0.2.1", door="otp"):
                raise KeyError
    await succeed(limits)


async def test_addresses_and_doors_are_counted_apart() -> None:
    limits = LoginLimits()
    for _ in range(5):
        await fail(limits)
    await succeed(limits, address="192.0.2.2")
    await succeed(limits, door="password")


async def test_an_ipv6_network_is_one_address() -> None:
    limits = LoginLimits()
    for host in range(5):
        await fail(limits, address=f"2001:db8:1:2::{host}")
    with pytest.raises(TooManyAttempts):
        await succeed(limits, address="2001:db8:1:2:ffff::1")
    await succeed(limits, address="2001:db8:1:3::1")


async def test_who_goes_on_failing_waits_longer_and_longer() -> None:
    limits = LoginLimits(per_address=(RateLimitItemPerMinute(2), RateLimitItemPerMinute(4, 10), RateLimitItemPerDay(6)))
    waits = []
    for _ in range(3):
        for _ in range(2):
            await fail(limits)
        with pytest.raises(TooManyAttempts) as caught:
            await succeed(limits)
        waits.append(caught.value.retry_after_s or 0)
        passed = time.time() + (caught.value.retry_after_s or 0) + 1
        expirations = limits._storage.expirations
        expirations.update({key: 0.0 for key, at in expirations.items() if at < passed})
    assert waits[0] <= 60 < waits[1] <= 600 < waits[2] <= 24 * 3600


async def test_when_the_budget_from_everywhere_is_spent_attempts_come_at_a_pace_and_right_ones_still_pass() -> None:
    limits = LoginLimits(overall=(RateLimitItemPerMinute(20, 15),), paces_s={"otp": 0.02})
    guessed = 0

    async def storm(n: int) -> None:
        nonlocal guessed
        for _ in range(5):
            try:
                async with limits.attempt(f"198.51.{n // 250}.{n % 250}", door="otp"):
                    guessed += 1
                    raise Unauthorized("no")
            except (Unauthorized, TooManyAttempts):
                pass

    began = time.monotonic()
    storming = asyncio.gather(*(storm(n) for n in range(60)))
    await asyncio.sleep(0.1)
    await succeed(limits, address="203.0.113.1")
    waited_s = time.monotonic() - began
    await storming
    took_s = time.monotonic() - began
    assert waited_s < 60 * 0.02 + 1, "whoever knows the code waits for one turn of everybody else's"
    assert guessed <= 20 + took_s / 0.02 + 1, "a storm guesses no faster than the pace"
    await succeed(limits, address="203.0.113.1", door="password")


async def test_turns_are_kept_in_the_order_of_coming() -> None:
    now = 1000.0
    pacer = Pacer(2.0, clock=lambda: now)
    await pacer.take("first")
    assert [pacer._place(origin) - now for origin in ("second", "third", "fourth", "fifth")] == [2, 4, 6, 8]
    for _ in range(3):  # coming again wins nothing, and loses nothing
        with pytest.raises(TooManyAttempts) as caught:
            await pacer.take("fifth")
        assert caught.value.retry_after_s == 8
    now += 8
    await pacer.take("fifth")
    assert pacer._place("fifth") == now + 2, "one turn is one attempt"


async def test_the_line_of_those_who_wait_is_bounded() -> None:
    pacer = Pacer(1.0, clock=lambda: 0.0)
    refused = 0
    for n in range(2000):
        try:
            pacer._place(f"origin {n}")
        except TooManyAttempts as error:
            refused += 1
            assert error.retry_after_s == 600
    assert refused == 2000 - 601
    assert len(pacer._places) == 601


async def test_failures_on_one_account_count_together_by_whatever_name_is_typed() -> None:
    limits = LoginLimits()
    for n in range(20):
        with pytest.raises(Unauthorized):
            async with limits.attempt(f"192.0.2.{n}", door="password", account=("Ada", " ada ")[n % 2]):
                raise Unauthorized("no")
    with pytest.raises(TooManyAttempts) as caught:
        async with limits.attempt("192.0.2.200", door="password", account="ADA"):
            pass
    assert caught.value.retry_after_s
    assert 0 < caught.value.retry_after_s <= 60 * 60
    async with limits.attempt("192.0.2.200", door="password", account="eve"):
        pass
    # What was refused for the account's sake cost the address nothing.
    for _ in range(5):
        await fail(limits, address="192.0.2.200", door="password")


async def test_logging_into_an_account_rightly_costs_it_nothing() -> None:
    limits = LoginLimits()
    for n in range(50):
        async with limits.attempt(f"192.0.2.{n}", door="password", account="ada"):
            pass
    with pytest.raises(Unauthorized):
        async with limits.attempt("192.0.2.1", door="password", account="ada"):
            raise Unauthorized("no")


async def test_many_guesses_at_once_are_no_more_than_one_by_one() -> None:
    limits = LoginLimits()
    guesses = 0

    async def guess() -> None:
        nonlocal guesses
        try:
            async with limits.attempt("192.0.2.1", door="otp"):
                guesses += 1
                await asyncio.sleep(0)
                raise Unauthorized("no")
        except (Unauthorized, TooManyAttempts):
            pass

    await asyncio.gather(*(guess() for _ in range(100)))
    assert guesses == 5


async def test_many_right_log_ins_at_once_from_one_address_all_pass() -> None:
    limits = LoginLimits()
    await asyncio.gather(*(succeed(limits) for _ in range(100)))


async def test_a_cancelled_attempt_frees_its_place() -> None:
    limits = LoginLimits()
    inside = asyncio.Event()

    async def never_ends() -> None:
        async with limits.attempt("192.0.2.1", door="otp"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(1):
        await succeed(limits)


async def test_the_budget_comes_back_when_its_time_is_over() -> None:
    from limits import RateLimitItemPerSecond

    limits = LoginLimits(per_address=[RateLimitItemPerSecond(1, 1)])
    await fail(limits)
    with pytest.raises(TooManyAttempts) as caught:
        await succeed(limits)
    assert caught.value.retry_after_s == 1
    limits._storage.expirations.update(dict.fromkeys(limits._storage.expirations, 0.0))  # the second has passed
    await succeed(limits)


async def test_a_rate_says_what_is_left_until_nothing_is() -> None:
    rates, rate = Rates(), RateLimitItemPerMinute(3)
    seen = [await rates.spend(rate, "route", "usr_1") for _ in range(5)]
    assert [within for within, _ in seen] == [True, True, True, False, False]
    assert [allowance.remaining for _, allowance in seen] == [2, 1, 0, 0, 0]
    allowance = seen[0][1]
    assert time.time() < allowance.reset_at <= time.time() + 61
    assert allowance.headers == {
        "X-RateLimit-Limit": "3",
        "X-RateLimit-Remaining": "2",
        "X-RateLimit-Reset": str(allowance.reset_at),
    }
    assert (await rates.spend(rate, "route", "usr_2"))[0]
    assert (await rates.spend(rate, "other route", "usr_1"))[0]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_what_counts_as_one_origin(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_one_ipv6_subscriber_has_one_place_in_the_line() -> None:
    limits = LoginLimits(overall=[RateLimitItemPerMinute(1)], paces_s={"otp": 60.0})
    await fail(limits)
    await succeed(limits, address="2001:db8:1:1::1")  # the first turn
    waits = []
    for n in range(1, 5):
        with pytest.raises(TooManyAttempts) as caught:
            await succeed(limits, address=f"2001:db8:2:{n}::1")
        waits.append(caught.value.retry_after_s)
    assert waits == [60, 60, 60, 60]


async def test_who_was_in_before_is_not_kept_out_by_others_failures() -> None:
    limits = LoginLimits()
    async with limits.attempt("192.0.2.250", door="password", account="Ada"):
        pass
    for n in range(20):
        with pytest.raises(Unauthorized):
            async with limits.attempt(f"192.0.2.{n}", door="password", account="ada"):
                raise Unauthorized("no")
    for address, kept_out in (("192.0.2.251", True), ("192.0.2.250", False)):
        try:
            async with limits.attempt(address, door="password", account="ada"):
                assert not kept_out
        except TooManyAttempts:
            assert kept_out
    for _ in range(5):  # they too have their own budget
        with pytest.raises(Unauthorized):
            async with limits.attempt("192.0.2.250", door="password", account="ada"):
                raise Unauthorized("no")
    with pytest.raises(TooManyAttempts):
        async with limits.attempt("192.0.2.250", door="password", account="ada"):
            pass
