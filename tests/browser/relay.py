"""A line that can be cut: a page's media goes over sockets of ours, which the answers to its offers name."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

from playwright.async_api import Page, Route

CANDIDATE = re.compile(r"^(a=candidate:\S+ 1 udp \d+ )(\S+) (\d+)( typ host)", re.IGNORECASE | re.MULTILINE)
ANY_CANDIDATE = re.compile(r"^a=(candidate:.*|end-of-candidates)\r?\n", re.MULTILINE)
OFFERS = "**/api/offer"


class Relay:
    """Carries the media of one page, each offer over ports of its own.

    The page's own addresses are kept from the server, which learns ours from the page's checks: there is no other way.
    """

    def __init__(self) -> None:
        self.restarts: list[Any] = []
        """The bodies of offers that ask for a new connection."""
        self._loop = asyncio.get_running_loop()
        self._open: dict[socket.socket, bool] = {}
        self._outward: dict[tuple[socket.socket, Any], socket.socket] = {}

    async def stand_between(self, page: Page) -> None:
        """Carry what `page` sends from its next offer on."""
        await page.route(OFFERS, self._offer)

    def cut(self) -> None:
        """Nothing passes any more on the ways there are; a new offer opens new ones."""
        self._open = dict.fromkeys(self._open, False)

    def close(self) -> None:
        """Give the sockets back."""
        for each in (*self._open, *self._outward.values()):
            self._loop.remove_reader(each)
            each.close()

    async def _offer(self, route: Route) -> None:
        if route.request.method == "PATCH":
            await route.fulfill(json={"status": "success"})
            return
        offer = json.loads(route.request.post_data or "{}")
        if offer.get("restart_pc"):
            self.restarts.append(offer)
        offer["sdp"] = ANY_CANDIDATE.sub("", offer["sdp"])
        response = await route.fetch(post_data=json.dumps(offer))
        if response.ok:
            answer = await response.json()
            answer["sdp"] = CANDIDATE.sub(self._ours, answer["sdp"])
            await route.fulfill(response=response, json=answer)
        else:
            await route.fulfill(response=response)

    def _ours(self, candidate: re.Match[str]) -> str:
        before, address, port, after = candidate.groups()
        inward = self._socket(address)
        self._open[inward] = True
        self._loop.add_reader(inward, self._to_server, inward, (address, int(port)))
        return f"{before}{address} {inward.getsockname()[1]}{after}"

    def _to_server(self, inward: socket.socket, server: tuple[str, int]) -> None:
        data, page = inward.recvfrom(65_535)
        outward = self._outward.get((inward, page))
        if outward is None:
            outward = self._outward[inward, page] = self._socket(server[0])
            self._loop.add_reader(outward, self._to_page, outward, inward, page)
        if self._open[inward]:
            outward.sendto(data, server)

    def _to_page(self, outward: socket.socket, inward: socket.socket, page: Any) -> None:
        data = outward.recv(65_535)
        if self._open[inward]:
            inward.sendto(data, page)

    def _socket(self, address: str) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((address, 0))
        return made
