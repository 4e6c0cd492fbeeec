"""A call's line in a real browser: muted and not, broken and mended, left by a reload, and without the media plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Visit, microphone
from tests.browser.relay import Relay
from tests.browser.test_portal import ANSWER_MS, log_in
from tests.e2e.conftest import until
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(240)]

MENDED_MS = 40_000

KEEP = """
globalThis.lines = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); lines.push(this); }
};
const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
devices.getUserMedia = async (wanted) => (globalThis.microphone = await open(wanted));
globalThis.played = async () => {
    const report = [...(await lines.at(-1).getStats()).values()];
    return report.find(({ type }) => type === "inbound-rtp")?.totalAudioEnergy ?? 0;
};
"""
"""Keeps the page's connections and its microphone; `played` is the energy of what the newest one has played."""

SAID = """async () => {
    const context = new AudioContext(), analyser = context.createAnalyser();
    context.createMediaStreamSource(microphone).connect(analyser);
    const pcm = new Float32Array(analyser.fftSize);
    const peak = () => (analyser.getFloatTimeDomainData(pcm), Math.max(...pcm));
    const until = (wanted) => new Promise((done) => {
        const timer = setInterval(() => wanted(peak()) && (clearInterval(timer), done()), 20);
    });
    await until((level) => level < 0.01);
    await until((level) => level > 0.05);
    let loudAt = performance.now();
    await until((level) => {
        if (level > 0.01) loudAt = performance.now();
        return performance.now() - loudAt > 500;
    });
    await context.close();
}"""
"""Returns when the microphone has been given a whole sentence, whether or not it is muted."""


async def dial(page: Page, server: Server) -> Locator:
    """Call the bank; returns the captions."""
    await page.add_init_script(KEEP)
    await log_in(page, server, await server.code())
    await page.get_by_role("link", name="Choose Bank").click()
    await page.get_by_role("button", name="Start the call").click()
    captions = page.get_by_role("log")
    await expect(captions).to_contain_text("How can I help you", timeout=ANSWER_MS)
    return captions


def asked(captions: Locator) -> Locator:
    return captions.locator("[data-kind=caller]").filter(has_text="balance")


def answered(captions: Locator) -> Locator:
    return captions.locator("[data-kind=agent]").filter(has_text="ten thousand rupees")


async def hear(page: Page) -> None:
    """Wait for sound from the agent."""
    before = await page.evaluate("played()")
    more = "async (before) => (await played()) > before + 0.01"
    await page.wait_for_function(more, arg=before, polling=200, timeout=ANSWER_MS)


async def hang_up(page: Page) -> None:
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(page.get_by_role("heading", name="You ended the call")).to_be_visible()


async def test_who_is_muted_is_not_heard_and_then_heard_again(server: Server, visit: Visit, tmp_path: Path) -> None:
    page = (await visit(microphone=microphone(tmp_path / "mic.wav", 3.0, "balance", 5.0))).page
    captions = await dial(page, server)
    await page.get_by_role("button", name="Mute", exact=True).click()
    await page.evaluate(SAID)  # The mute may have come in the middle of this one.
    before = await asked(captions).count()
    await page.evaluate(SAID)
    assert await asked(captions).count() == before
    await page.get_by_role("button", name="Unmute", exact=True).click()
    await expect(asked(captions).nth(before)).to_be_visible(timeout=ANSWER_MS)
    await expect(answered(captions).last).to_be_visible(timeout=ANSWER_MS)
    await hang_up(page)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """Closed in the end."""
    relay = Relay()
    yield relay
    relay.close()


@pytest.fixture
def patient(data_dir: Path) -> Iterator[Server]:
    """A server that waits until a browser has noticed by itself that its line is broken."""
    server = Server(data_dir, {"VANISHED_S": "40"}, database="patient.db")
    server.start()
    yield server
    server.stop()


async def test_a_broken_line_is_made_anew_and_the_call_goes_on(
    patient: Server, visit: Visit, relay: Relay, tmp_path: Path
) -> None:
    visitor = await visit(microphone=microphone(tmp_path / "mic.wav", 4.0, "balance", 6.0))
    page = visitor.page
    await relay.stand_between(page)
    captions = await dial(page, patient)
    await expect(answered(captions).first).to_be_visible(timeout=ANSWER_MS)
    relay.cut()
    await expect(page.get_by_text("The line is broken")).to_be_visible(timeout=MENDED_MS)
    await expect(page.get_by_text("The line is broken")).not_to_be_visible(timeout=MENDED_MS)
    assert len(relay.restarts) == 1

    before = await asked(captions).count()
    await expect(asked(captions).nth(before)).to_be_visible(timeout=ANSWER_MS)
    await hear(page)
    await expect(captions.locator("[data-kind=agent]").filter(has_text="How can I help you")).to_have_count(1)
    await hang_up(page)


async def test_a_reloaded_page_ends_its_call_and_can_call_again(server: Server, visit: Visit, tmp_path: Path) -> None:
    page = (await visit(microphone=microphone(tmp_path / "mic.wav", 4.0, "balance", 6.0))).page
    captions = await dial(page, server)
    await page.reload()
    newest = "SELECT state, end_reason FROM calls ORDER BY started_at DESC LIMIT 1"
    await until(lambda: server.rows(newest)[0][0] == "closed", timeout_s=15)
    assert server.rows(newest) == [("closed", "hung_up")]
    await page.get_by_role("button", name="Start the call").click()
    await expect(answered(captions).first).to_be_visible(timeout=ANSWER_MS)
    await hear(page)
    await hang_up(page)


@pytest.fixture
def stock(data_dir: Path) -> Iterator[Server]:
    """A server whose calls go pipecat's own way."""
    server = Server(data_dir, {"MEDIA_PLANE": "false"}, database="stock.db")
    server.start()
    yield server
    server.stop()


async def test_without_the_media_plane_a_call_goes_all_the_same(stock: Server, visit: Visit, tmp_path: Path) -> None:
    page = (await visit(microphone=microphone(tmp_path / "mic.wav", 7.0, "balance", 10.0))).page
    captions = await dial(page, stock)
    await expect(answered(captions).first).to_be_visible(timeout=ANSWER_MS)
    await hear(page)
    await hang_up(page)
