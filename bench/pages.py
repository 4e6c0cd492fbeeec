"""How quickly the guest's pages are there, and how much JavaScript that takes: `python -m bench pages`.

Chromium with a cold cache walks from the code to the end of a call. A page is interactive when what it is for can be
used: the code's boxes, the first agent's button, the start button, the call's buttons. Times count from the
navigation, or from the click that leads there, to the first idle moment after that.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, Response, async_playwright

from bench.process import Server, serving

GOAL_S = 1.5
GOAL_KB = 250


class Scripts:
    """What a browser has loaded."""

    def __init__(self, page: Page) -> None:
        self._waiting: list[Awaitable[bytes]] = []
        page.on("response", self._on_response)

    def _on_response(self, response: Response) -> None:
        if response.url.partition("?")[0].endswith(".js"):
            self._waiting.append(response.body())

    async def kilobytes(self) -> float:
        """All scripts, each compressed, in thousands of bytes."""
        return sum(len(gzip.compress(body)) for body in await asyncio.gather(*self._waiting)) / 1000


async def walk(server: Server, chromium: str) -> dict[str, float]:
    """One guest's way; seconds by page, and kilobytes of script."""
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--disable-gpu"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            page = await (await browser.new_context(permissions=["microphone"])).new_page()
            scripts = Scripts(page)
            found: dict[str, float] = {}

            async def timed(name: str, go: Callable[[], Awaitable[Any]], ready: Any) -> None:
                began = time.perf_counter()
                await go()
                await ready.wait_for(state="visible")
                await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
                found[name] = time.perf_counter() - began

            boxes = page.get_by_role("textbox").first
            await timed("code", lambda: page.goto(server.url, wait_until="commit"), boxes)
            await boxes.click()
            choose = page.get_by_role("link", name="Choose").first
            await timed("agents", lambda: page.keyboard.type(server.code or ""), choose)
            start = page.get_by_role("button", name="Start the call")
            await timed("ready", choose.click, start)
            end = page.get_by_role("button", name="End", exact=True)
            await timed("call", start.click, end)
            await end.click()
            await page.get_by_role("link", name="Call again").wait_for()
            found["script kB"] = await scripts.kilobytes()

            # The call page by itself, as somebody gets it who comes back to it: nothing is cached.
            again = await browser.new_context(storage_state=await page.context.storage_state())
            page = await again.new_page()
            where = f"{server.url}/agents/banking/ready"
            await timed("ready, cold", lambda: page.goto(where, wait_until="commit"), start_of(page))
            return found
        finally:
            await browser.close()


def start_of(page: Page) -> Any:
    """What one presses to begin."""
    return (
        page.get_by_role("button", name="Start the call")
        .or_(page.get_by_role("button", name="Allow the microphone"))
        .first
    )


def main() -> int:
    """Measure and print a table; 0 if both goals are met."""
    parser = argparse.ArgumentParser(description="How quickly the guest's pages are there.")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is not installed.", file=sys.stderr)
        return 2
    with serving("parley") as server:
        rounds = [asyncio.run(walk(server, chromium)) for _ in range(options.rounds)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    print("| page | median | slowest |\n|---|---|---|")
    for name, median in medians.items():
        slowest = max(each[name] for each in rounds)
        unit = "" if name.endswith("kB") else " s"
        print(f"| {name} | {median:.2f}{unit} | {slowest:.2f}{unit} |")
    print(json.dumps(medians))
    met = medians["script kB"] <= GOAL_KB and max(medians["call"], medians["ready, cold"]) < GOAL_S
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
