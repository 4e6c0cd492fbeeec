"""Money sent by voice in a real browser: read back, agreed to, shown, and on the statement at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit, microphone
from tests.browser.test_portal import ANSWER_MS, log_in
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]


async def test_a_new_guest_sends_five_hundred_to_ravi(server: Server, visit: Visit, tmp_path: Path) -> None:
    sound = microphone(tmp_path / "mic.wav", 9.0, "send", 14.0, "yes", 20.0, "yes", 60.0)
    visitor = await visit(microphone=sound)
    page = visitor.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()
    captions = page.get_by_role("log")
    await expect(captions).to_contain_text("Shall I go ahead", timeout=ANSWER_MS)
    draft = page.get_by_role("status", name="Waiting for your yes")
    await expect(draft).to_contain_text("₹500.00")
    await expect(draft).to_contain_text("Ravi")
    await expect(captions).to_contain_text("new balance is nine thousand five hundred", timeout=ANSWER_MS)
    await expect(page.get_by_role("status", name="Done")).to_contain_text("₹500.00")

    await page.get_by_role("link", name="See it at the bank").click()
    await expect(page.get_by_role("heading", name=re.compile("Ravi|Transfer|500")).first).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("End")).first).to_be_visible()  # the call goes on
    await page.goto(f"{server.url}/bank/statement")
    await expect(page.get_by_text("Sent ₹500 to Ravi").first).to_be_visible()
    assert visitor.foreign(server) == []
    assert visitor.faults == []


async def test_fifteen_thousand_ask_for_the_code(server: Server, visit: Visit, tmp_path: Path) -> None:
    # What the recogniser mishears the first time is asked for once more; while the keypad is open nobody listens.
    once = ("send_more", 20.0, "yes", 15.0)
    sound = microphone(tmp_path / "mic.wav", 9.0, *once, *once, 60.0)
    visitor = await visit(microphone=sound)
    page = visitor.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()
    keypad = page.get_by_role("dialog", name="Enter the code")
    await expect(keypad).to_be_visible(timeout=2 * ANSWER_MS)
    await expect(keypad).to_contain_text("₹15,000.00")
    await expect(keypad).to_contain_text("Nobody hears it")
    text = await keypad.get_by_text(re.compile(r"\b\d{6}\b")).first.text_content()
    found = re.search(r"\b\d{6}\b", text or "")
    assert found, "the code is not on the demo phone"
    await page.keyboard.type(found[0])
    await expect(page.get_by_role("status", name="Done")).to_contain_text("₹15,000.00", timeout=ANSWER_MS)
    await expect(keypad).not_to_be_visible()
    assert found[0] not in await page.get_by_role("log").inner_text()
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    assert visitor.faults == []
