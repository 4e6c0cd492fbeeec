"""Somebody who is told things over HTTP: a local server that keeps what it hears and answers from a script."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answers:
    """A status, and a body of that many bytes."""

    status: int = 200
    headers: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class StaysSilent:
    """Takes the request and never answers."""


@dataclass(frozen=True)
class TalksForEver:
    """Answers with one piece again and again until the other side leaves.

    Attributes:
        first: What comes before it.
        piece: A body's, or of an answer that never comes to its end.
    """

    first: bytes
    piece: bytes


@dataclass(frozen=True)
class SaysGarbage:
    """Speaks something else than HTTP."""

    text: bytes = b"220 mail.example ESMTP\r\n"


@dataclass(frozen=True)
class HangsUp:
    """Closes the connection without a word."""


Turn = Answers | StaysSilent | TalksForEver | SaysGarbage | HangsUp


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """The server; each turn answers one request, then `always`, which may depend on the request.

    Attributes:
        heard: The requests, in the order they came.
        left: How many connections the other side has given up.
        names: Host names that TLS clients asked for.
    """

    always: Turn | Callable[[Heard], Turn] = field(default_factory=Answers)
    turns: deque[Turn] = field(default_factory=deque)
    heard: list[Heard] = field(default_factory=list)
    left: int = 0
    names: list[str | None] = field(default_factory=list)
    port: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def listening(self, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
        """Run on a free port of 127.0.0.1."""
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?from=parley"

    async def until(self, check: Callable[[], object]) -> None:
        """Wait for what is heard, or for who leaves."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(check)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            heard = Heard(method, path, headers, body)
            async with self._changed:
                self.heard.append(heard)
                self._changed.notify_all()
            always = self.always(heard) if callable(self.always) else self.always
            await self._answer(self.turns.popleft() if self.turns else always, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            async with self._changed:
                self.left += 1
                self._changed.notify_all()
            writer.close()

    async def _answer(self, turn: Turn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match turn:
            case Answers(status, headers, size):
                lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {size}", *headers]
                writer.write("\r\n".join([*lines, "", ""]).encode() + b"x" * size)
                await writer.drain()
            case StaysSilent():
                await reader.read()  # until the other side leaves
            case TalksForEver(first, piece):
                writer.write(first)
                while True:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
            case SaysGarbage(text):
                writer.write(text)
                await writer.drain()
            case HangsUp():
                pass
