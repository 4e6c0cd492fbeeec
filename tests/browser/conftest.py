"""Chromium with a WAV as its microphone."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.servers import ROOT, Server

AUDIO = ROOT / "tests" / "audio"
RATE = 16_000

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
)


def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def microphone(path: Path, *parts: str | float) -> Path:
    """A WAV of silences (seconds) and sentences (names in tests/audio), which Chromium plays over and over."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for part in parts:
            if isinstance(part, str):
                with wave.open(str(AUDIO / f"{part}.wav")) as sentence:
                    out.writeframes(sentence.readframes(sentence.getnframes()))
            else:
                out.writeframes(bytes(int(part * RATE) * 2))
    return path


class Visitor:
    """A page in a browser of its own, and every address it asked for."""

    def __init__(self, page: Page, context: BrowserContext) -> None:
        self.page = page
        self.context = context
        self.requests: list[str] = []
        self.faults: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)

    def foreign(self, server: Server) -> list[str]:
        """Addresses outside the server."""
        return [url for url in self.requests if not url.startswith((server.url, "blob:", "data:"))]


Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture
async def visit() -> AsyncIterator[Visit]:
    """Open a browser: `visit(microphone=path or None, allow=True, **context options)`."""
    path = chromium()
    async with async_playwright() as playwright:
        browsers = []

        async def visit(*, microphone: Path | None = None, allow: bool = True, **options: object) -> Visitor:
            flags = [*FLAGS]
            if os.geteuid() == 0:
                flags.append("--no-sandbox")
            if microphone is not None:
                flags.append(f"--use-file-for-fake-audio-capture={microphone}")
            if allow:
                flags.append("--use-fake-ui-for-media-stream")
            browser = await playwright.chromium.launch(executable_path=path, args=flags)
            browsers.append(browser)
            context = await browser.new_context(**options)  # pyright: ignore[reportArgumentType]
            return Visitor(await context.new_page(), context)

        yield visit
        for browser in browsers:
            await browser.close()


@pytest.fixture(scope="session")
def built() -> None:
    """The pages are built by `make test`; a bare pytest run says so."""
    if not (ROOT / "web" / "dist" / "index.html").is_file():
        pytest.fail("the pages are not built: make web")


@pytest.fixture(scope="session")
def harness(built: None) -> str:
    """A page that knows nothing of ours but the address and a token, as JavaScript to run beside the server."""
    return _built("harness")


@pytest.fixture(scope="session")
def harness003(built: None) -> str:
    """The React code of source 003, to be served with the server's address put in."""
    return _built("harness003")


def _built(name: str) -> str:
    npm = ["npm", "--prefix", str(ROOT / "web"), "run", "--silent", f"build:{name}"]
    subprocess.run(npm, check=True, timeout=180)
    return str(ROOT / "web" / f"dist-{name}")
