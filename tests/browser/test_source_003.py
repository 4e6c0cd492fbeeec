"""The React code of source 003, to the letter, on another origin than the server's."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import Page, expect

from core.settings import DEV_ADMIN_PASSWORD
from tests.browser.conftest import Visit
from tests.e2e.conftest import until
from tests.servers import Server

IN_THE_DOCUMENT = "localhost:8000"


class Files(ThreadingHTTPServer):
    """Serves a folder, with the server's address where the document's stands."""

    folder: Path
    server_under_test: Server

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        files = cast(Files, self.server)
        file = files.folder / (self.path.lstrip("/") or "index.html")
        if not file.is_file():
            self.send_error(404)
            return
        address = files.server_under_test.url.removeprefix("http://")
        body = file.read_bytes().replace(IN_THE_DOCUMENT.encode(), address.encode())
        self.send_response(200)
        self.send_header("Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[Files]:
    """A folder on an origin of its own."""
    with Files(("127.0.0.1", 0), _Answer) as files:
        files.folder = folder
        serving = threading.Thread(target=files.serve_forever)
        serving.start()
        try:
            yield files
        finally:
            files.shutdown()
            serving.join()


@pytest.fixture(scope="module")
def elsewhere(harness003: str, data_dir: Path) -> Iterator[Files]:
    """The page on another origin than the server's, which lets it in."""
    with served(Path(harness003)) as files:
        server = files.server_under_test = Server(data_dir, {"CORS_ORIGINS": files.origin}, database="source003.db")
        server.start()
        yield files
        server.stop()


async def told(page: Page, name: str) -> Any:
    """What one of the document's functions returned."""
    await page.get_by_role("button", name=name).click()
    said = page.get_by_role("status")
    await expect(said).to_contain_text(f"{name} ")
    return json.loads((await said.inner_text()).removeprefix(f"{name} "))


@pytest.mark.timeout(120)
async def test_the_documents_own_code_works(elsewhere: Files, visit: Visit) -> None:
    server = elsewhere.server_under_test
    boss = await visit()
    page = boss.page
    await page.goto(elsewhere.origin)
    await page.get_by_label("Username").fill("cawadmin")
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("status")).to_have_text("false")
    await page.get_by_label("Username").fill("cawadmin")
    await page.get_by_label("Password").fill(DEV_ADMIN_PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("button", name="fetchOTPs")).to_be_visible()
    assert await page.evaluate("localStorage.userType") == "admin"

    before = await told(page, "fetchOTPs")
    first, second = await told(page, "generateOTPs")
    assert (first["max_uses"], len(first["code"]), first["code"].isdigit()) == (5, 6, True)
    assert {code["id"] for code in await told(page, "fetchOTPs")} == {
        *(code["id"] for code in before),
        first["id"],
        second["id"],
    }
    changed = await told(page, "updateOTP")
    assert (changed["id"], changed["max_uses"], changed["remaining_uses"]) == (first["id"], 3, 3)

    guest = await visit()
    page = guest.page
    await page.goto(elsewhere.origin)
    await page.get_by_label("Code").fill("wrong!")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("status")).to_have_text("false")
    await page.get_by_label("Code").fill(first["code"])
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Select an Agent")).to_be_visible()
    assert await page.evaluate("[localStorage.userType, localStorage.otpCode]") == ["otp", first["code"]]
    await page.get_by_role("heading", name="Bank", exact=True).click()
    await expect(page.get_by_role("heading", name="BANKING Voice Agent")).to_be_visible()
    await expect(page.get_by_role("button", name="Change Agent")).to_be_visible()
    token = await page.evaluate("localStorage.token")
    (stream,) = await page.evaluate("window.streams.map((stream) => stream.options)")
    assert stream == {
        "url": f"ws{server.url.removeprefix('http')}/api/voice-agents/stream?agent_type=banking",
        "headers": {"Authorization": f"Bearer {token}"},
    }
    uses = "SELECT max_uses - uses FROM otp_codes WHERE id = ?"
    await until(lambda: server.rows(uses, first["id"]) == [(2,)], timeout_s=5)

    page = boss.page
    (code,) = [code for code in await told(page, "fetchOTPs") if code["id"] == first["id"]]
    assert code["remaining_uses"] == 2
    (bank,) = [agent for agent in await told(page, "fetchAgentTraffic") if agent["agent_type"] == "banking"]
    assert (bank["total"], bank["today"], bank["live"]) == (1, 1, 0)
    for visitor in (boss, guest):
        assert not [url for url in visitor.requests if not url.startswith((elsewhere.origin, server.url))]
        # The wrong password and the wrong code, each told by the browser and by the document's code.
        assert len(visitor.faults) == 2
        assert not [fault for fault in visitor.faults if "CORS" in fault]


async def test_a_page_of_nobody_we_know_is_kept_out(elsewhere: Files, visit: Visit) -> None:
    """The same page served on one more origin, which the server was not told of."""
    with served(elsewhere.folder) as stranger:
        stranger.server_under_test = elsewhere.server_under_test
        visitor = await visit()
        await visitor.page.goto(stranger.origin)
        await visitor.page.get_by_label("Username").fill("cawadmin")
        await visitor.page.get_by_label("Password").fill(DEV_ADMIN_PASSWORD)
        await visitor.page.get_by_role("button", name="Log in").click()
        await expect(visitor.page.get_by_role("status")).to_have_text("false")
        assert [fault for fault in visitor.faults if "CORS" in fault]
        assert await visitor.page.evaluate("localStorage.token") is None
