"""A local server that speaks the wire of Twilio's Messages resource."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    account: str
    form: dict[str, str]


@dataclass
class Messages:
    """Takes text messages over HTTP.

    Attributes:
        statuses: What to answer next, one after the other; 201 when none is left. 0 hangs up without an answer.
        asked: What came, in order.
    """

    statuses: list[int] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://AC1:tok%2Fen@127.0.0.1:{port}/2010-04-01/Accounts/AC1/Messages.json"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def count(self, wanted: int) -> list[Asked]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(10), self._came:
            await self._came.wait_for(lambda: len(self.asked) >= wanted)
        return self.asked

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
            account = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
            status = self.statuses.pop(0) if self.statuses else 201
            if status:
                text = '{"sid": "SM1", "status": "queued"}'
                reply = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
                writer.write(f"{reply}Connection: close\r\n\r\n{text}".encode())
                await writer.drain()
            async with self._came:
                self.asked.append(Asked(lines[0].split()[1], account, dict(parse_qsl(body))))
                self._came.notify_all()
        writer.close()
