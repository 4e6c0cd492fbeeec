"""What a caller reads when their call, their code or the day has cost as much as it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_portal import ANSWER_MS, log_in
from tests.doubles.openai_chat import OpenAIChat, Says
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]

VENDORS = {"STT_PROVIDER": "offline", "LLM_PROVIDER": "openai", "TTS_PROVIDER": "offline", "OPENAI_API_KEY": "sk-test"}
ANSWER = {"prompt_tokens": 99_000, "completion_tokens": 250, "total_tokens": 99_250}
"""Four cents."""


@pytest_asyncio.fixture
async def dear(data_dir: Path) -> AsyncIterator[Server]:
    """A server whose budgets are spent with one answer."""
    async with OpenAIChat(answer=lambda _body: Says(["All right."]), model="gpt-4.1-mini", usage=ANSWER) as model:
        budgets = {"MAX_CODE_USD": "0.03", "MAX_DAY_USD": "0.04", "OPENAI_BASE_URL": model.url}
        server = Server(data_dir, VENDORS | budgets, database="browser-budgets.db")
        try:
            await asyncio.to_thread(server.start)
            yield server
        finally:
            await asyncio.to_thread(server.kill)


async def test_a_spent_budget_is_told_in_words(dear: Server, visit: Visit) -> None:
    visitor = await visit(allow=False)
    page = visitor.page
    await log_in(page, dear, await dear.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("log")).to_contain_text("How can I help you", timeout=ANSWER_MS)
    field = page.get_by_label("Type to the assistant")
    await field.fill("what can you do?")
    await field.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("used up what it may cost", timeout=ANSWER_MS)
    heading = page.get_by_role("heading", name="The call had cost as much as it may")
    await expect(heading).to_be_visible(timeout=ANSWER_MS)

    await page.get_by_role("link", name="Call again").click()
    await page.get_by_role("button", name="Continue by typing").click()
    await expect(page.get_by_role("heading", name="This code has been used up")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("cost as much as they may")
    await expect(page.get_by_role("button", name="Enter a code")).to_be_visible()

    other = await visit(allow=False)
    await log_in(other.page, dear, await dear.code())
    await other.page.get_by_role("link", name="Choose Bank").click()
    await other.page.get_by_role("button", name="Continue by typing").click()
    await expect(other.page.get_by_role("heading", name="No more calls are taken today")).to_be_visible()
    await expect(other.page.get_by_role("alert")).to_contain_text("midnight UTC")
