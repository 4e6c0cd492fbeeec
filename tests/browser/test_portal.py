"""The portal in a real browser: log in, choose the bank, talk, interrupt, hang up."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit, microphone
from tests.e2e.conftest import until
from tests.servers import Server, descendants

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]

ANSWER_MS = 60_000


async def log_in(page: Page, server: Server, code: str) -> None:
    await page.goto(server.url)
    await page.get_by_label("Code character").first.click()
    await page.keyboard.type(code)
    await expect(page.get_by_role("heading", name="Who would you like to talk to?")).to_be_visible()


async def test_a_guest_asks_the_bank_and_is_answered(server: Server, visit: Visit, tmp_path: Path) -> None:
    sound = microphone(tmp_path / "mic.wav", 9.0, "balance", 12.0, "transactions", 5.0, "stop", 12.0)
    visitor = await visit(microphone=sound)
    page = visitor.page
    await log_in(page, server, await server.code(uses=3))
    await expect(page.get_by_text("3 calls left")).to_be_visible()
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()

    captions = page.get_by_role("log")
    await expect(captions).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await expect(captions).to_contain_text("balance", timeout=ANSWER_MS)
    await expect(captions).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    await expect(page.get_by_text("₹10,000.00").first).to_be_visible()
    await expect(captions).to_contain_text("latest transactions", timeout=ANSWER_MS)
    await expect(page.get_by_text("You interrupted here").first).to_be_visible(timeout=ANSWER_MS)

    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    await expect(page.get_by_text("2 calls left")).to_be_visible()
    call = "SELECT state, end_reason FROM calls ORDER BY started_at DESC LIMIT 1"
    await until(lambda: server.rows(call) == [("closed", "hung_up")], timeout_s=10)
    assert visitor.foreign(server) == []
    assert visitor.faults == []


async def test_who_has_no_microphone_types(server: Server, visit: Visit) -> None:
    visitor = await visit(allow=False)
    page = visitor.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    field = page.get_by_label("Type to the assistant")
    await expect(field).to_be_enabled(timeout=ANSWER_MS)
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await field.fill("what is my balance?")
    await field.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("what is my balance?")
    await expect(page.get_by_role("log")).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    assert visitor.faults == []


async def test_a_refused_microphone_says_what_to_do(server: Server, visit: Visit) -> None:
    visitor = await visit(allow=False)
    page = visitor.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Allow the microphone").press("Enter")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await expect(page.get_by_role("button", name="Continue by typing")).to_be_focused()


async def test_a_wrong_code_says_so_and_leaves_the_boxes_ready(server: Server, visit: Visit) -> None:
    visitor = await visit()
    page = visitor.page
    await page.goto(server.url)
    await page.get_by_label("Code character").first.click()
    await page.keyboard.type("000000")
    await expect(page.get_by_role("alert")).to_contain_text("code")
    await expect(page.get_by_label("Code character").first).to_be_focused()
    await expect(page.get_by_label("Code character").first).to_have_value("")


async def test_a_busy_server_says_when_to_try_again(hasty: Server, visit: Visit) -> None:
    first, second = await visit(allow=False), await visit(allow=False)
    for visitor in (first, second):
        await log_in(visitor.page, hasty, await hasty.code())
    # The card of the second was drawn while there was room.
    await second.page.get_by_role("link", name="Choose Bank").click()
    await first.page.get_by_role("link", name="Choose Bank").click()
    await first.page.get_by_role("button", name="Continue by typing").click()
    await expect(first.page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await second.page.get_by_role("button", name="Continue by typing").click()
    await expect(second.page.get_by_text(re.compile("busy", re.IGNORECASE)).first).to_be_visible(timeout=ANSWER_MS)
    await expect(second.page.get_by_text(re.compile(r"You can try again in \d+ seconds?\."))).to_be_visible()
    again = second.page.get_by_role("button", name="Try again")
    await expect(again).to_be_disabled()
    await first.page.get_by_role("button", name="End", exact=True).click()
    await expect(again).to_be_enabled(timeout=12_000)
    await again.click()
    await expect(second.page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await second.page.get_by_role("button", name="End", exact=True).click()


async def test_a_used_up_code_says_so(server: Server, visit: Visit) -> None:
    visitor = await visit(allow=False)
    page = visitor.page
    await log_in(page, server, await server.code(uses=1))
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("button", name="Enter another code")).to_be_visible()
    await page.goto(f"{server.url}/agents")
    await expect(page.get_by_text("This code has been used up")).to_be_visible()
    await page.get_by_role("button", name="Enter another code").click()
    await expect(page.get_by_label("Code character").first).to_be_visible()


async def test_a_lost_server_is_told_as_a_lost_connection(data_dir: Path, visit: Visit) -> None:
    server = Server(data_dir, database="lost.db")
    server.start()
    try:
        visitor = await visit(allow=False)
        page = visitor.page
        await log_in(page, server, await server.code())
        await page.get_by_role("link", name="Choose Bank").click()
        await page.get_by_role("button", name="Continue by typing").click()
        await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
        server.kill()
        await expect(page.get_by_text(re.compile("connection", re.IGNORECASE)).first).to_be_visible(timeout=60_000)
    finally:
        server.kill()


async def test_a_call_that_goes_down_with_its_worker_is_told_soon_and_can_be_made_again(
    data_dir: Path, visit: Visit
) -> None:
    server = Server(data_dir, {"MEDIA_WORKERS": "1"}, database="lost-worker.db")
    server.start()
    try:
        visitor = await visit(allow=False)
        page = visitor.page
        await log_in(page, server, await server.code(uses=2))
        await page.get_by_role("link", name="Choose Bank").click()
        await page.get_by_role("button", name="Continue by typing").click()
        await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
        assert server.process is not None
        for pid in descendants(server.process.pid):
            os.kill(pid, signal.SIGKILL)
        told = page.get_by_text("The call ended because of a fault on our side")
        await expect(told.first).to_be_visible(timeout=10_000)
        await until(lambda: server.health()["seats"], timeout_s=60)
        await page.get_by_role("link", name="Call again").click()
        await page.get_by_role("button", name="Continue by typing").click()
        await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    finally:
        server.kill()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_sticks_out_of_the_screen(server: Server, visit: Visit, width: int, scheme: str) -> None:
    visitor = await visit(allow=False, viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = visitor.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
