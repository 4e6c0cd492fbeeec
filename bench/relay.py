"""A UDP relay between a caller and a server that harms what passes, as bad networks and routers do.

The caller takes the relay for the server and the server takes it for the caller: each learns of it from the other's
SDP, in which the relay puts itself in the place of the real candidate. Everything is harmed alike, ICE's checks and the
data channel included. Two runs with one seed draw the same fates in the same order.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

Address = tuple[str, int]

LOOPBACK = "127.0.0.1"
_CANDIDATE = re.compile(r"^a=candidate:(\S+) (\d+) udp (\d+) (\S+) (\d+) typ (\S+).*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Harm:
    """What happens to the datagrams of one direction.

    Attributes:
        loss: Share that is lost.
        burst: How many are lost in a row, on average.
        jitter_s: Each is late by up to this much, evenly.
        reorders: Whether one that is less late overtakes; else it waits behind those before it.
        duplicates: Share that arrives twice.
    """

    loss: float = 0.0
    burst: float = 1.0
    jitter_s: float = 0.0
    reorders: bool = True
    duplicates: float = 0.0


NONE = Harm()


class Way:
    """One direction.

    Attributes:
        counts: Datagrams `passed`, `lost`, `repeated` and swallowed by a `black_out`.
    """

    def __init__(self, seed: str) -> None:
        self.harm = NONE
        self.counts: Counter[str] = Counter()
        self.shut_until = 0.0
        self._random = random.Random(seed)
        self._losing = False
        self._last_due = 0.0
        self._queued: deque[Callable[[], None]] = deque()

    def carry(self, data: bytes, send: Callable[[bytes], None]) -> None:
        """Let one datagram through now, later, twice or not at all."""
        loop = asyncio.get_running_loop()
        harm = self.harm
        if loop.time() < self.shut_until:
            self.counts["black_out"] += 1
            return
        if self._loses(harm):
            self.counts["lost"] += 1
            return
        copies = 1 + (harm.duplicates > 0 and self._random.random() < harm.duplicates)
        self.counts["passed"] += 1
        self.counts["repeated"] += copies - 1
        for _ in range(copies):
            if not harm.jitter_s:
                send(data)
                continue
            due = loop.time() + self._random.uniform(0, harm.jitter_s)
            if harm.reorders:
                loop.call_at(due, send, data)
            else:
                # The loop keeps no order among what is due at one moment.
                self._last_due = max(due, self._last_due)
                self._queued.append(partial(send, data))
                loop.call_at(self._last_due, lambda: self._queued.popleft()())

    def _loses(self, harm: Harm) -> bool:
        """Gilbert's model: two states, the share and the mean length of the bad one as asked for."""
        if not harm.loss:
            return False
        leave = 1 / harm.burst
        enter = harm.loss / (1 - harm.loss) * leave
        if harm.burst <= 1:
            return self._random.random() < harm.loss
        self._losing = self._random.random() >= leave if self._losing else self._random.random() < enter
        return self._losing


class Relay:
    """The relay of one call, on loopback.

        async with Relay(seed=1) as relay, Caller(url, relay=relay) as caller:
            relay.harm(up=Harm(loss=0.1))

    Attributes:
        up: From the caller to the server.
        down: From the server to the caller.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.up = Way(f"up {seed}")
        self.down = Way(f"down {seed}")
        self._front = self._back = _Socket(_drop)
        self._caller: Address | None = None
        self._server: Address | None = None

    async def __aenter__(self) -> Self:
        self._front = await _open(self._from_caller)
        self._back = await _open(self._from_server)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._front.close()
        self._back.close()

    def harm(self, *, up: Harm = NONE, down: Harm = NONE) -> None:
        """Do this to each direction from now on."""
        self.up.harm, self.down.harm = up, down

    def black_out(self, seconds: float) -> None:
        """Let nothing through for a while."""
        self.up.shut_until = self.down.shut_until = asyncio.get_running_loop().time() + seconds

    async def move(self) -> int:
        """Go on from another port towards the server, as a router does that forgot the old one; the new port."""
        old, self._back = self._back, await _open(self._from_server)
        old.close()
        return self._back.address[1]

    def towards_server(self, offer: str) -> str:
        """The caller's SDP with the relay in place of the caller.

        Raises:
            ValueError: It names no loopback candidate.
        """
        self._caller, offer = _put_in(offer, self._back.address)
        return offer

    def towards_caller(self, answer: str) -> str:
        """The server's SDP with the relay in place of the server.

        Raises:
            ValueError: It names no loopback candidate.
        """
        self._server, answer = _put_in(answer, self._front.address)
        return answer

    def _from_caller(self, data: bytes, source: Address) -> None:
        if self._server is not None:
            self._caller = source
            self.up.carry(data, self._to_server)

    def _from_server(self, data: bytes, source: Address) -> None:
        if source == self._server:
            self.down.carry(data, self._to_caller)

    def _to_server(self, data: bytes) -> None:
        assert self._server
        self._back.send(data, self._server)

    def _to_caller(self, data: bytes) -> None:
        assert self._caller
        self._front.send(data, self._caller)


def _put_in(sdp: str, relay: Address) -> tuple[Address, str]:
    """The loopback candidate of an SDP, and the SDP with `relay` as its only address."""
    found = [(match[4], int(match[5])) for match in _CANDIDATE.finditer(sdp) if match[4] == LOOPBACK]
    if not found:
        raise ValueError("the SDP names no UDP candidate on loopback, or is trickled")
    kept: list[str] = []
    for line in sdp.splitlines(keepends=True):
        match = _CANDIDATE.match(line.rstrip("\r\n"))
        if match is None:
            kept.append(line)
        elif (match[4], int(match[5])) == found[0]:
            kept.append(f"a=candidate:{match[1]} {match[2]} udp {match[3]} {relay[0]} {relay[1]} typ host\r\n")
    return found[0], "".join(kept)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, receive: Callable[[bytes, Address], None]) -> None:
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self.address: Address = (LOOPBACK, 0)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._receive(data, (addr[0], addr[1]))

    def send(self, data: bytes, to: Address) -> None:
        """Send, unless closed meanwhile: a datagram may have been on its way for a while."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _drop(data: bytes, source: Address) -> None:
    """Nobody listens yet."""


async def _open(receive: Callable[[bytes, Address], None]) -> _Socket:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: _Socket(receive), local_addr=(LOOPBACK, 0))
    return protocol
