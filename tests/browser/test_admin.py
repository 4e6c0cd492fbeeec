"""Operators and a guest in real browsers: codes are made, a call is watched while it lasts, opened, rated, exported."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from core.settings import DEV_ADMIN_PASSWORD
from tests.browser.conftest import Visit
from tests.servers import ROOT, Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(300)]

ANSWER_MS = 60_000
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
# A colour half-way through its transition is nobody's to read; what moves for ever (a spinner) is not waited for.
STILL = """() => {
    const passing = document.getAnimations().filter(({effect}) => effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(passing.map((animation) => animation.finished)).then(() => undefined);
}"""
VIEWS = [
    pytest.param({"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}, id="desktop-light"),
    pytest.param(
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}, id="phone-dark"
    ),
]


async def check(page: Page) -> None:
    """Nothing on the page is in the way of people with disabilities, and nothing sticks out of the screen."""
    await page.evaluate(STILL)
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    report = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    faults = [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in report["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
    assert faults == [], page.url
    sticks_out = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert sticks_out <= 0, page.url


async def log_in(page: Page, server: Server) -> None:
    await page.goto(f"{server.url}/admin")
    await page.get_by_label("User name, e-mail or phone").fill("cawadmin")
    await page.get_by_label("Password", exact=True).fill(DEV_ADMIN_PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


async def go(page: Page, section: str) -> None:
    """Open a section by the menu, which phones have behind a button."""
    menu = page.get_by_role("button", name="Menu", exact=True)
    if await menu.is_visible():
        await menu.click()
    await (
        page.get_by_role("navigation", name="Dashboard").filter(visible=True).get_by_role("link", name=section).click()
    )
    await expect(page.get_by_role("dialog", name="Menu")).to_have_count(0)
    await expect(page.get_by_role("heading", level=1).filter(visible=True)).to_contain_text(section)


@pytest.mark.parametrize("view", VIEWS)
async def test_a_call_is_watched_from_its_code_to_its_rating(
    server: Server, visit: Visit, tmp_path: Path, view: dict[str, object]
) -> None:
    office, guest = await visit(allow=False, accept_downloads=True, **view), await visit(allow=False, **view)
    desk, page = office.page, guest.page
    label = f"Lobby {view['color_scheme']}"

    await log_in(desk, server)
    await check(desk)
    await go(desk, "Codes")
    await desk.get_by_role("button", name="New codes").click()
    await desk.get_by_label("How many").fill("3")
    await desk.get_by_label("Calls for each").fill("2")
    await desk.get_by_label("Label").fill(label)
    await desk.get_by_role("button", name="Make 3 codes").click()
    shown = desk.get_by_role("group", name="New codes").get_by_role("listitem")
    await expect(shown).to_have_count(3)
    codes, tails = zip(*[text.split(" · ") for text in await shown.all_inner_texts()], strict=True)
    assert len(set(codes)) == len(set(tails)) == 3
    async with desk.expect_download() as downloading:
        await desk.get_by_role("button", name="CSV").click()
    await (await downloading.value).save_as(tmp_path / "codes.csv")
    rows = list(csv.DictReader((tmp_path / "codes.csv").read_text("utf-8-sig").splitlines()))
    assert {row["code"].replace("-", "") for row in rows} == set(codes)
    assert {row["name"] for row in rows} == {f"{label} · {tail}" for tail in tails}
    await check(desk)
    await desk.get_by_role("button", name="Done").click()
    await expect(desk.get_by_text(label).filter(visible=True).first).to_be_visible()
    await check(desk)

    await go(desk, "Overview")
    await page.goto(server.url)
    await check(page)
    await page.get_by_label("Code character").first.click()
    await page.keyboard.type(codes[0])
    await expect(page.get_by_text("2 calls left")).to_be_visible()
    await check(page)
    await page.get_by_role("link", name="Choose Bank").click()
    await expect(page.get_by_role("button", name="Continue by typing")).to_be_visible()
    await check(page)
    await page.get_by_role("button", name="Continue by typing").click()
    captions = page.get_by_role("log")
    await expect(captions).to_contain_text("How can I help you", timeout=ANSWER_MS)

    live = desk.get_by_role("table", name="Live calls")
    await expect(live.get_by_role("link", name=label)).to_be_visible(timeout=10_000)
    field = page.get_by_label("Type to the assistant")
    await field.fill("what is my balance?")
    await field.press("Enter")
    await expect(captions).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    await check(page)
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()
    await expect(desk.get_by_text("Nobody is calling")).to_be_visible(timeout=15_000)
    await page.locator("label").filter(has_text="4 of 5").click()
    await page.get_by_label("What was good, what was not?").fill("Quick")
    await page.get_by_role("button", name="Send the rating").click()
    await expect(page.get_by_text("Your rating is kept")).to_be_visible()
    await check(page)

    await go(desk, "Calls")
    await check(desk)
    row = desk.get_by_role("table", name="Calls").get_by_role("row").filter(has_text=label)
    await row.get_by_role("link").first.click()
    await expect(desk.get_by_role("heading", level=1)).to_contain_text(label)
    await expect(desk.get_by_role("group", name="What was said")).to_contain_text("what is my balance?")
    await expect(desk.get_by_text("Quick")).to_be_visible()
    await check(desk)
    await desk.go_back()
    async with desk.expect_download() as downloading:
        await desk.get_by_role("link", name="Export CSV").click()
    await (await downloading.value).save_as(tmp_path / "calls.csv")
    exported = csv.DictReader((tmp_path / "calls.csv").read_text().splitlines())
    assert label in {call["otp_label"] for call in exported}

    for visitor in (office, guest):
        assert visitor.foreign(server) == []
        assert visitor.faults == []


@pytest.mark.parametrize("view", VIEWS)
async def test_every_section_shows_its_part(server: Server, visit: Visit, view: dict[str, object]) -> None:
    office = await visit(allow=False, **view)
    desk = office.page
    await log_in(desk, server)
    for section, shows in (
        ("Agents", "Bank"),
        ("Requests", "Requests"),
        ("System", "Database"),
        ("Audit", "session.opened"),
        ("Administrators", "cawadmin"),
        ("Account", "Account"),
    ):
        await go(desk, section)
        await expect(desk.get_by_text(re.compile(shows)).filter(visible=True).first).to_be_visible()
        await check(desk)
    await desk.get_by_role("banner").get_by_role("button", name="Log out").click()
    await expect(desk.get_by_role("button", name="Log in")).to_be_visible()
    await desk.goto(f"{server.url}/admin/calls")
    await expect(desk.get_by_role("button", name="Log in")).to_be_visible()
    assert office.foreign(server) == []
