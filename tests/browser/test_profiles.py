"""An operator changes what an agent speaks and who serves it; a guest meets it in its new language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from pipelines import catalog as agent_types
from tests.browser.conftest import Visit
from tests.browser.test_admin import VIEWS, check, go, log_in
from tests.doubles.cloud import Cloud
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(300)]

HINDI = agent_types.load("banking").in_language("hi")


@pytest.fixture
async def clouded(data_dir: Path) -> AsyncIterator[Server]:
    """A server with three keys, whose vendors are doubles."""
    async with Cloud(cache_dir=data_dir / "cache") as cloud:
        server = Server(data_dir, cloud.settings, database="browser_profiles.db")
        await asyncio.to_thread(server.start)
        yield server
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("view", VIEWS)
async def test_a_change_is_made_refused_in_words_and_taken_back(
    server: Server, visit: Visit, view: dict[str, object]
) -> None:
    office = await visit(allow=False, **view)
    desk = office.page
    await log_in(desk, server)
    await go(desk, "Agents")
    card = desk.get_by_role("article", name="Bank")
    await expect(card.get_by_text("English", exact=True)).to_be_visible()

    await card.get_by_role("button", name="Change Bank").press("Enter")
    form = desk.get_by_role("dialog", name="Change Bank")
    await expect(form.get_by_label("Language", exact=True)).to_be_focused()
    await check(desk)
    await form.get_by_label("Language", exact=True).select_option("Hindi")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert")).to_contain_text("The offline recogniser does not hear hi, only English")
    await check(desk)
    await form.get_by_label("Language", exact=True).select_option("English (United Kingdom)")
    await form.get_by_label("Voice").fill("en-gb-scotland")
    await form.get_by_label("Voice").press("Enter")
    await expect(desk.get_by_text("Bank: this counts from the next call on.")).to_be_visible()
    await expect(card.get_by_text("en-gb-scotland")).to_be_visible()
    await check(desk)
    await desk.get_by_role("button", name="Undo").click()
    await expect(card.get_by_text("English", exact=True)).to_be_visible()
    await expect(card.get_by_text("en-gb-scotland")).to_have_count(0)
    assert office.foreign(server) == []


async def test_a_guest_reads_in_which_language_the_agent_speaks(clouded: Server, visit: Visit) -> None:
    office, guest = await visit(allow=False), await visit(allow=False)
    await log_in(office.page, clouded)
    await go(office.page, "Agents")
    await office.page.get_by_role("button", name="Change Bank").click()
    form = office.page.get_by_role("dialog", name="Change Bank")
    await form.get_by_label("Language", exact=True).select_option("Hindi")
    await form.get_by_role("button", name="Save").click()
    await expect(office.page.get_by_role("article", name="Bank").get_by_text("Hindi", exact=True)).to_be_visible()
    await check(office.page)

    page = guest.page
    await page.goto(clouded.url)
    await page.get_by_label("Code character").first.click()
    await page.keyboard.type(await clouded.code())
    card = page.get_by_role("article", name=HINDI.name)
    await expect(card.get_by_text("Speaks Hindi · हिन्दी")).to_be_visible()
    assert await card.get_by_text(HINDI.try_saying[0]).evaluate("element => element.closest('[lang]').lang") == "hi"
    await check(page)
    assert guest.faults == []
