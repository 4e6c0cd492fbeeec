"""A guest's whole way in a real browser, from the code to the rating, on a desk and on a phone."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_admin import VIEWS, check
from tests.browser.test_portal import ANSWER_MS, log_in
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(300)]

MOST_JAVASCRIPT = 250_000
"""Bytes of JavaScript, as they are sent, that a guest's way may take."""

INTERACTIVE_MS = 1_500
"""From the address to the button that starts the call, with an empty cache."""

SCROLLERS = """() => [document.scrollingElement, ...document.body.querySelectorAll("*")].filter((each) =>
    (each === document.scrollingElement || /auto|scroll/.test(getComputedStyle(each).overflowY))
    && each.scrollHeight > each.clientHeight + 1).length"""
JAVASCRIPT = """() => performance.getEntriesByType("resource")
    .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
    .reduce((sum, each) => sum + each.encodedBodySize, 0)"""
NOTE_WHEN_READY = """new MutationObserver(() => {
    if (document.querySelector("main button")) window.readyAt ??= performance.now();
}).observe(document, { childList: true, subtree: true });"""


async def types(page: Page, text: str) -> None:
    field = page.get_by_label("Type to the assistant")
    await field.fill(text)
    await field.press("Enter")


async def dial_by_typing(page: Page, server: Server, code: str) -> None:
    await log_in(page, server, code)
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)


@pytest.mark.parametrize("options", VIEWS)
async def test_from_the_code_to_the_rating(server: Server, visit: Visit, options: dict[str, Any]) -> None:
    visitor = await visit(**options)
    page = visitor.page
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    await page.goto(server.url)
    await check(page)
    await log_in(page, server, await server.code(uses=3))
    await expect(page.get_by_text("3 calls left")).to_be_visible()
    await expect(page.get_by_text("No waiting")).to_be_visible()
    await check(page)

    await page.get_by_role("link", name="Choose Bank").click()
    await expect(page.get_by_text("The connection is good")).to_be_visible()
    await check(page)
    await page.get_by_role("button", name="Start the call").click()
    captions = page.get_by_role("log")
    await expect(captions).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await check(page)

    await page.get_by_role("button", name="Sound", exact=True).click()
    volume = page.get_by_role("slider", name="Volume of the assistant")
    await volume.press("ArrowLeft")
    assert await page.evaluate("document.querySelector('audio').volume") == pytest.approx(0.95)
    await page.get_by_label("Microphone").select_option(index=1)
    await check(page)
    await page.keyboard.press("Escape")

    await page.get_by_role("button", name="Type", exact=True).click()
    await types(page, "remind me to pay the rent tomorrow at nine")
    await expect(captions).to_contain_text("set a reminder", timeout=ANSWER_MS)
    await page.get_by_role("button", name="End", exact=True).click()

    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    await expect(page.get_by_role("region", name="What was done")).to_contain_text("Reminder set: pay the rent")
    await expect(page.get_by_text("2 calls left")).to_be_visible()
    await page.get_by_text("4 of 5: Good").locator("..").click()
    await page.get_by_label("What was good, what was not?").fill("Quick.")
    await check(page)
    await page.get_by_role("button", name="Send the rating").click()
    await expect(page.get_by_text("Thank you.")).to_be_visible()
    rated = "SELECT rating, rating_comment FROM calls ORDER BY started_at DESC LIMIT 1"
    assert server.rows(rated)[0][0] == 4
    assert await page.evaluate(JAVASCRIPT) <= MOST_JAVASCRIPT
    assert visitor.foreign(server) == []
    assert (visitor.faults, failed) == ([], [])


async def test_money_by_keyboard_alone(server: Server, visit: Visit) -> None:
    """A yes that is typed too early is kept; only what was done is listed afterwards."""
    visitor = await visit(allow=False, viewport={"width": 1440, "height": 800})
    page = visitor.page
    await dial_by_typing(page, server, await server.code())
    field = page.get_by_label("Type to the assistant")
    await expect(field).to_be_focused()
    await page.keyboard.type("send five hundred to Ravi\n")
    draft = page.get_by_role("status", name="Waiting for your yes")
    await expect(draft).to_contain_text("Please wait until it has been read out", timeout=ANSWER_MS)
    await page.keyboard.type("yes\n")
    await expect(page.get_by_text("Then send your yes.")).to_be_visible()
    await expect(draft).to_contain_text("Say or type yes or no", timeout=ANSWER_MS)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status", name="Done")).to_contain_text("₹500.00", timeout=ANSWER_MS)

    await page.keyboard.type("send seven hundred to Mom\n")
    await expect(draft).to_contain_text("Say or type yes or no", timeout=ANSWER_MS)
    await page.keyboard.type("no\n")
    await expect(draft).not_to_be_visible(timeout=ANSWER_MS)
    for wish, answer in (("list my bills", "bills"), ("what are my latest transactions", "transactions")):
        await page.keyboard.type(f"{wish}\n")
        await expect(page.get_by_role("log")).to_contain_text(answer, timeout=ANSWER_MS)
    assert await page.evaluate(SCROLLERS) <= 1
    await check(page)

    await page.get_by_role("button", name="Keypad").press("Enter")
    await expect(page.get_by_role("dialog", name="Keypad")).to_be_visible()
    await page.keyboard.type("42\n")
    await expect(page.get_by_role("dialog")).not_to_be_visible()
    await expect(page.get_by_role("log")).to_contain_text("42")
    await expect(page.get_by_role("button", name="Keypad")).to_be_focused()
    await page.get_by_role("button", name="End", exact=True).press("Enter")
    done = page.get_by_role("region", name="What was done")
    await expect(done).to_contain_text("Sent ₹500.00 to Ravi Kumar")
    await expect(done).not_to_contain_text("700")
    assert visitor.faults == []


async def test_the_call_goes_along_to_the_bank_and_can_be_typed_to_there(server: Server, visit: Visit) -> None:
    visitor = await visit(allow=False, viewport={"width": 390, "height": 844})
    page = visitor.page
    await dial_by_typing(page, server, await server.code())
    await page.get_by_role("link", name="My bank").click()
    await expect(page.get_by_role("heading", name="Your accounts")).to_be_visible()
    await page.get_by_role("button", name="Type", exact=True).click()
    await check(page)
    await types(page, "what is my balance?")
    await expect(page.get_by_role("log")).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    await page.get_by_role("link", name="Back to call").click()
    await expect(page.get_by_role("log")).to_contain_text("ten thousand rupees")
    await page.get_by_role("button", name="End", exact=True).click()
    assert visitor.faults == []


async def test_the_check_before_a_call_says_plainly_what_is_wrong(server: Server, visit: Visit) -> None:
    visitor = await visit(allow=False)
    page = visitor.page
    await log_in(page, server, await server.code())

    async def late(route: Route) -> None:
        await asyncio.sleep(0.5)  # A slow network is made of time.
        await route.continue_()

    async def gone(route: Route) -> None:
        await route.abort()

    await page.route("**/liveness", gone)
    await page.get_by_role("link", name="Choose Bank").click()
    await expect(page.get_by_text("The server does not answer")).to_be_visible()
    await check(page)
    await page.unroute("**/liveness")
    await page.route("**/liveness", late)
    await page.get_by_role("button", name="Check again").click()
    await expect(page.get_by_text("The connection is slow")).to_be_visible()
    await page.unroute("**/liveness")
    await page.get_by_role("button", name="Check again").click()
    await expect(page.get_by_text("The connection is good")).to_be_visible()
    await expect(page.get_by_text(re.compile("Not checked: whether your network"))).to_be_visible()


async def test_a_cold_start_is_quick(server: Server, visit: Visit) -> None:
    """The page from which a call is started, opened at its address with nothing in the cache."""
    visitor = await visit()
    await log_in(visitor.page, server, await server.code())
    browser = visitor.context.browser
    assert browser is not None
    times = []
    for _ in range(3):
        cold = await browser.new_context(storage_state=await visitor.context.storage_state())
        await cold.add_init_script(NOTE_WHEN_READY)
        page = await cold.new_page()
        await page.goto(f"{server.url}/agents/banking/ready", wait_until="commit")
        await page.get_by_role("button", name="Start the call").wait_for()
        times.append(await page.evaluate("window.readyAt"))
        await cold.close()
    assert min(times) < INTERACTIVE_MS, times
