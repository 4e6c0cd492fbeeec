"""When a vendor is given a rest, and when it is trusted again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx
import httpx2
import pytest
import pytest_asyncio
from anthropic import APIConnectionError, APIStatusError
from pipecat.utils.errors import ErrorCategory

from providers.failover.breaker import Breaker, Breakers, category_of

REST_S = 0.01


class Vendor:
    """Answers the check with what it is told to raise."""

    def __init__(self) -> None:
        self.raises: Exception | None = None
        self.asked = asyncio.Event()

    async def check(self) -> None:
        self.asked.set()
        if self.raises is not None:
            raise self.raises


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest_asyncio.fixture
async def breaker(vendor: Vendor) -> AsyncIterator[Breaker]:
    breakers = Breakers()
    yield breakers.of("acme", "tts", vendor.check, first_rest_s=REST_S)
    breakers.close()


async def closed(breaker: Breaker) -> None:
    async with asyncio.timeout(2):
        while breaker.open:
            await asyncio.sleep(REST_S)


async def test_one_failure_is_bad_luck_and_two_in_a_row_are_not(breaker: Breaker) -> None:
    breaker.failed(ErrorCategory.SERVER)
    assert not breaker.open
    breaker.served()
    breaker.failed(ErrorCategory.SERVER)
    assert not breaker.open
    breaker.failed(ErrorCategory.CONNECTIVITY)
    assert breaker.open
    assert breaker.words == "cannot be reached or does not answer"


@pytest.mark.parametrize("lasting", [ErrorCategory.AUTHENTICATION, ErrorCategory.AUTHORIZATION, ErrorCategory.QUOTA])
async def test_what_does_not_pass_by_itself_counts_at_once(breaker: Breaker, lasting: ErrorCategory) -> None:
    breaker.failed(lasting)
    assert breaker.open


async def test_it_is_trusted_again_when_it_says_that_it_serves(breaker: Breaker, vendor: Vendor) -> None:
    vendor.raises = ConnectionError()
    breaker.rest(ErrorCategory.SERVER)
    await vendor.asked.wait()
    await asyncio.sleep(2 * REST_S)
    assert breaker.open
    vendor.raises = None
    await closed(breaker)
    assert breaker.failures == 0


async def test_a_vendor_that_passes_the_check_and_fails_the_work_rests_longer_each_time(
    breaker: Breaker, vendor: Vendor
) -> None:
    loop, lengths = asyncio.get_running_loop(), []
    for _ in range(4):
        began = loop.time()
        breaker.rest(ErrorCategory.SERVER)
        await closed(breaker)
        lengths.append(loop.time() - began)
    assert lengths[3] > 4 * REST_S
    breaker.served()
    began = loop.time()
    breaker.rest(ErrorCategory.SERVER)
    await closed(breaker)
    assert loop.time() - began < lengths[3]


async def test_a_check_without_an_answer_is_a_trouble(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.failover.breaker.CHECK_TIMEOUT_S", 0.01)
    assert await Breaker("acme", "stt", asyncio.Event().wait).ask() is ErrorCategory.CONNECTIVITY  # pyright: ignore[reportArgumentType]


async def test_closing_asks_no_more(vendor: Vendor) -> None:
    breakers = Breakers()
    breakers.of("acme", "tts", vendor.check, first_rest_s=REST_S).rest(ErrorCategory.SERVER)
    breakers.close()
    await asyncio.sleep(3 * REST_S)
    assert not vendor.asked.is_set()


def test_the_causes_are_told_apart_whatever_the_sdk() -> None:
    request = httpx2.Request("GET", "https://vendor.example")

    def status(code: int) -> Exception:
        return APIStatusError("no", response=httpx2.Response(code, request=request), body=None)

    assert category_of(status(401)) is ErrorCategory.AUTHENTICATION
    assert category_of(status(402)) is ErrorCategory.QUOTA
    assert category_of(status(429)) is ErrorCategory.RATE_LIMIT
    assert category_of(status(529)) is ErrorCategory.SERVER
    assert category_of(APIConnectionError(request=request)) is ErrorCategory.CONNECTIVITY
    assert category_of(httpx.ConnectError("no route")) is ErrorCategory.CONNECTIVITY
    assert category_of(httpx.RemoteProtocolError("hung up")) is ErrorCategory.CONNECTIVITY
    assert category_of(httpx2.ReadError("cut")) is ErrorCategory.CONNECTIVITY
    assert category_of(ssl.SSLError("handshake")) is ErrorCategory.CONNECTIVITY
    assert category_of(TimeoutError()) is ErrorCategory.CONNECTIVITY
    assert category_of(ValueError("garbage")) is ErrorCategory.UNKNOWN
