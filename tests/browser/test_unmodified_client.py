"""A page made of pipecat's published client and transport alone, with an address and a token."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Visit, microphone
from tests.servers import Server

ANSWER_MS = 60_000
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


@pytest.mark.timeout(240)
async def test_it_talks_with_the_bank(server: Server, visit: Visit, harness: str, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        login = await http.post("/api/auth/login/otp", json={"otp_code": await server.code()})
        token = login.json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        await http.post("/api/agents/access", headers=headers, json={"agent_type": "banking"})

    sound = microphone(tmp_path / "mic.wav", 9.0, "balance", 12.0, "transactions", 5.0, "stop", 12.0)
    visitor = await visit(microphone=sound)
    page = visitor.page

    async def serve(route: Route) -> None:
        name = route.request.url.split("/harness/", 1)[1].split("?")[0] or "index.html"
        file = Path(harness) / name
        await route.fulfill(body=file.read_bytes(), content_type=KINDS.get(file.suffix, "application/octet-stream"))

    await page.route("**/harness/**", serve)
    await page.goto(f"{server.url}/harness/index.html?token={token}&agent=banking")
    start = page.get_by_role("button").first
    if await start.is_visible():
        await start.click()
    said = page.locator("body")
    await expect(said).to_contain_text("How can I help you", timeout=ANSWER_MS)
    await expect(said).to_contain_text("ten thousand rupees", timeout=ANSWER_MS)
    await expect(said).to_contain_text("latest transactions", timeout=ANSWER_MS)
    assert visitor.foreign(server) == []
    assert token not in server.log
