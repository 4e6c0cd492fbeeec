"""How long an answer took to the caller's ear: measured by a real browser, kept with the answer, shown to operators."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit, microphone
from tests.browser.test_admin import check, go
from tests.browser.test_admin import log_in as log_in_operator
from tests.browser.test_portal import log_in
from tests.e2e.conftest import until
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]

ANSWER_MS = 60_000
HEARD = """SELECT answers.greeting, rtt_ms, jitter_buffer_ms, playout_ms FROM answers JOIN calls ON calls.id = call_id
    WHERE calls.started_at = (SELECT max(started_at) FROM calls) ORDER BY seq"""


async def test_what_the_browser_heard_stands_beside_what_the_server_took(
    server: Server, visit: Visit, tmp_path: Path
) -> None:
    sound = microphone(tmp_path / "mic.wav", 9.0, "balance", 30.0)
    guest, office = await visit(microphone=sound), await visit(allow=False)
    page, desk = guest.page, office.page
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()
    await expect(page.get_by_role("log")).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    # The page tells it when the agent has spoken for two seconds, and the server writes a second and a half later.
    await until(lambda: len([row for row in server.rows(HEARD) if row[1] is not None]) >= 2, timeout_s=10)
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()

    (greeting, *greeted), (answer, *answered) = server.rows(HEARD)[:2]
    assert (greeting, answer) == (1, 0)
    for rtt_ms, jitter_buffer_ms, playout_ms in (greeted, answered):
        assert 0 <= rtt_ms < 100, "it is the same machine"
        assert 0 < jitter_buffer_ms < 1_000
        assert 0 < playout_ms < 1_500
    assert guest.faults == []

    await log_in_operator(desk, server)
    await go(desk, "Calls")
    await desk.get_by_role("table", name="Calls").get_by_role("row").nth(1).get_by_role("link").first.click()
    answers = desk.get_by_role("img", name="answers by stage")
    await expect(answers).to_contain_text("To the caller’s ear")
    await check(desk)
    await desk.get_by_role("button", name="Answers: show as table").click()
    await expect(desk.get_by_role("columnheader", name="Jitter buffer")).to_be_visible()
    await check(desk)
