"""The reference of the HTTP interface in a real browser: Swagger UI and ReDoc, from this server alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Response, expect

from tests.browser.conftest import Visit, Visitor
from tests.browser.test_admin import VIEWS
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(180), pytest.mark.parametrize("view", VIEWS)]


def refused(visitor: Visitor) -> list[str]:
    """Addresses that were asked for in vain from now on."""
    addresses: list[str] = []

    def note(response: Response) -> None:
        if response.status >= 400:
            addresses.append(response.url)

    visitor.context.on("response", note)
    visitor.context.on("requestfailed", lambda request: addresses.append(request.url))
    return addresses


async def interface(visitor: Visitor, server: Server) -> dict[str, Any]:
    answer = await visitor.context.request.get(f"{server.url}/openapi.json")
    return await answer.json()


async def test_swagger_ui_lists_and_tries_every_route(server: Server, visit: Visit, view: dict[str, Any]) -> None:
    visitor = await visit(allow=False, **view)
    page, in_vain = visitor.page, refused(visitor)
    described = await interface(visitor, server)
    await page.goto(f"{server.url}/docs")
    await expect(page.locator(".opblock")).to_have_count(sum(map(len, described["paths"].values())))
    dark = view["color_scheme"] == "dark"
    await expect(page.locator("html")).to_have_class("dark-mode" if dark else "")
    await page.locator(".opblock-summary-path[data-path='/liveness']").click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    await expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_text("HTTPBearer")).to_be_visible()
    assert visitor.foreign(server) == []
    assert visitor.faults == []
    assert in_vain == []


async def test_redoc_shows_and_finds_the_routes(server: Server, visit: Visit, view: dict[str, Any]) -> None:
    visitor = await visit(allow=False, **view)
    page, in_vain = visitor.page, refused(visitor)
    described = await interface(visitor, server)
    await page.goto(f"{server.url}/redoc")
    await expect(page.get_by_role("heading", name=re.compile("^Parley"))).to_be_visible()
    await expect(page.get_by_role("link", name="post /api/v1/webhooks", exact=True)).to_be_visible()
    operation = described["paths"]["/api/v1/bills"]["get"]["operationId"]
    await page.goto(f"{server.url}/redoc#/bank/{operation}")
    await page.reload()
    await expect(page.get_by_role("heading", name="List Bills")).to_be_in_viewport()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("transfer")
    await expect(page.get_by_text("Call off a transfer that has not been posted.").last).to_be_visible()
    assert visitor.foreign(server) == []
    assert visitor.faults == []
    assert in_vain == []
