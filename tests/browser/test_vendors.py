"""A language vendor fails in the middle of a call: the caller notices nothing, operators see it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_admin import check, go
from tests.browser.test_admin import log_in as log_in_operator
from tests.browser.test_portal import ANSWER_MS, log_in
from tests.doubles.cloud import Cloud
from tests.doubles.hearing import says
from tests.doubles.script import Script
from tests.e2e.conftest import until
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture
async def cloud(data_dir: Path) -> AsyncIterator[Cloud]:
    async with Cloud(hear=says(""), cache_dir=data_dir / "cache") as cloud:
        yield cloud


@pytest_asyncio.fixture
async def served(cloud: Cloud, data_dir: Path) -> AsyncIterator[Server]:
    """A server with three keys; a vendor that is given a rest gets a long one."""
    server = Server(data_dir, cloud.settings | {"VENDOR_REST_S": "300"}, database="browser-vendors.db")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.kill)


async def ask_balance(page: Page, *, times: int) -> None:
    """Type the question, and wait until it has been answered so many times in all."""
    field = page.get_by_label("Type to the assistant")
    await field.fill("What is my balance?")
    await field.press("Enter")
    answers = re.compile(r".*What is my balance\?.*ten thousand rupees" * times, re.DOTALL)
    await expect(page.get_by_role("log")).to_have_text(answers, timeout=ANSWER_MS)


async def test_a_vendor_that_fails_in_a_call_is_seen_by_operators_alone(
    cloud: Cloud, served: Server, visit: Visit
) -> None:
    guest, office = await visit(allow=False), await visit(allow=False)
    page, desk = guest.page, office.page
    await log_in(page, served, await served.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await ask_balance(page, times=1)

    cloud.behave(llm=Script(status=529))
    await ask_balance(page, times=2)
    await ask_balance(page, times=3)
    await check(page)
    assert guest.faults == []
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    await check(page)
    await until(lambda: served.rows("SELECT 1 FROM calls WHERE state = 'closed'"), timeout_s=10)

    await log_in_operator(desk, served)
    await go(desk, "Calls")
    await desk.get_by_role("table", name="Calls").get_by_role("row").nth(1).get_by_role("link").first.click()
    took = desk.get_by_role("table", name="Vendors that took over").get_by_role("row")
    await expect(took).to_have_count(4)
    for row, words in ((1, "anthropic → offline"), (2, "offline → anthropic"), (3, "anthropic → offline")):
        await expect(took.nth(row)).to_contain_text(f"Language model{words}")
    await expect(took.nth(1)).to_contain_text("Fault at the vendor")
    cost = desk.get_by_role("table", name="Cost by vendor")
    for vendor in ("anthropic", "offline", "cartesia"):
        await expect(cost).to_contain_text(vendor)
    await check(desk)

    await go(desk, "System")
    rests = desk.get_by_role("row").filter(has_text="anthropic").filter(has_text="left alone for now: it")
    await expect(rests).to_contain_text("it has a failure of its own")
    await check(desk)
    assert office.faults == []
