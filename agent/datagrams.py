"""What may come in over UDP, and on which ports: the guard in front of aioice and aiortc.

Neither asks who sent a datagram: an empty one from any host ends a call, a forged DTLS hello before the handshake
makes it fail, and what arrives before ICE is done is kept without bound. Neither has settings for ports or addresses
either. `install()` puts three small subclasses in the places where aiortc looks their base classes up; `verify()`
says loudly at start-up when a new version of the libraries has moved those places.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import ipaddress
import secrets
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import aioice.ice
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
from aioice import Candidate, TransportPolicy
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair
from aioice.mdns import is_mdns_hostname
from aioice.stun import Message, TransactionError
from aiortc.rtcsctptransport import DataChunk, ForwardTsnChunk, RTCSctpTransport, SackChunk
from loguru import logger

from agent.bucket import TokenBucket
from core.errors import Busy

MAX_STUN_BYTE = 3  # first byte of a STUN message (RFC 7983)
MAX_STUN_BYTES = 1280  # of one message (RFC 8489, section 6.1); a stranger's 64 kB would take 30 ms to parse
MEDIA_BYTES = range(128, 192)  # first byte of SRTP and SRTCP, likewise
STRANGERS_PER_S = 100  # checks from where nobody is known to be; a browser sends a few for each of its addresses
MAX_QUEUED = 512  # datagrams waiting for DTLS: ten seconds of one caller's audio
MAX_REMOTE_CANDIDATES = 40  # named by the caller and learned from its own checks
MAX_ROLE_SWITCHES = 4  # of who decides on the pair; two honest sides agree after one
MAX_ADDRESSES = 16
MAX_PORT_TRIES = 1_024
MAX_STREAMS = 16
MAX_FRAGMENTS = 512  # of one data channel message; the largest one we announce has 239
MAX_MISORDERED = 1_024  # data chunks behind one that is missing: as many as fit the window, if they are worth sending
MAX_ACKNOWLEDGED = 4_096  # chunks in one acknowledgement; what we have under way is far less
RECEIVE_BUFFER_BYTES = 256 * 1024
SCTP_SLACK_BYTES = 64 * 1024

dropped: Counter[str] = Counter()
"""Datagrams and chunks thrown away since the process started, by reason, for the metrics."""


@dataclass(frozen=True)
class _Sockets:
    """Where calls may open their UDP sockets."""

    ports: range | None
    addresses: tuple[str, ...]
    loopback: bool


_sockets = _Sockets(ports=None, addresses=(), loopback=False)
_originals: tuple[Any, Any, Any] | None = None


def install(
    port_range: tuple[int, int] | None = None,
    *,
    bind_addresses: Sequence[str] | None = None,
    loopback: bool = False,
) -> None:
    """Guard every peer connection made from now on in this process. Calling it again changes only the settings.

    Args:
        port_range: First and last UDP port to use; None takes any free port.
        bind_addresses: Addresses of this machine to use; None takes what the network interfaces have, without
            loopback and link-local ones.
        loopback: Also use 127.0.0.1, for a browser on this machine. Without any other address it is used anyway:
            that is a machine without a network, and who calls it sits in front of it.

    Raises:
        ValueError: A port range that is empty or out of bounds, or an address that is none.
    """
    global _sockets, _originals
    ports = None
    if port_range is not None:
        low, high = port_range
        if not 1 <= low <= high <= 65_535:
            raise ValueError("the UDP port range must satisfy 1 <= first <= last <= 65535")
        ports = range(low, high + 1)
    addresses = tuple(str(ipaddress.ip_address(address)) for address in bind_addresses or ())
    _sockets = _Sockets(ports=ports, addresses=addresses, loopback=loopback)
    if _originals is None:
        ice, transport, peer = _places()
        _originals = (ice.StunProtocol, transport.Connection, peer.RTCSctpTransport)
        ice.StunProtocol, transport.Connection, peer.RTCSctpTransport = (
            GuardedProtocol,
            GuardedConnection,
            GuardedSctpTransport,
        )


def uninstall() -> None:
    """Put the libraries' own classes back; calls that run keep theirs."""
    global _originals
    if _originals is not None:
        ice, transport, peer = _places()
        ice.StunProtocol, transport.Connection, peer.RTCSctpTransport = _originals
        _originals = None


def _places() -> tuple[Any, Any, Any]:
    """The modules in which the names of the guarded classes are looked up."""
    return aioice.ice, aiortc.rtcicetransport, aiortc.rtcpeerconnection


class GuardedProtocol(aioice.ice.StunProtocol):
    """One UDP socket of a call: passes on STUN, and everything else only from where the caller is known to be."""

    receiver: GuardedConnection

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Take one datagram; runs fifty times a second for each call."""
        if not data:
            dropped["empty"] += 1
            return
        data = cast(bytes, data)
        if data[0] > MAX_STUN_BYTE:
            source = (addr[0], addr[1])
            if source not in self.receiver.remote_addresses():
                dropped["stranger"] += 1
            elif self.receiver.media is not None and data[0] in MEDIA_BYTES:
                if self.receiver.media(data):
                    self.receiver.follow(self, source)
            else:
                self.receiver.data_received(data, self.local_candidate.component)
            return
        if len(data) > MAX_STUN_BYTES:
            dropped["malformed"] += 1
            return
        if (addr[0], addr[1]) not in self.receiver.remote_addresses() and not self.receiver.has_time_for_strangers():
            dropped["flood"] += 1
            return
        try:
            super().datagram_received(data, addr)
        except (ValueError, LookupError, AssertionError, struct.error):
            # Malformed STUN. An error that left this method would be logged with a traceback for every datagram.
            dropped["malformed"] += 1


class _Undecided(ValueError):
    """A caller who does not agree with either role."""


class GuardedConnection(aioice.ice.Connection):
    """The ICE side of a call, with bounds, and with sockets only where `install` allows them."""

    media: Callable[[bytes], bool] | None = None
    """Takes SRTP and SRTCP as they arrive, in place of aiortc's queue; tells whether the caller has really sent it."""

    _known: frozenset[tuple[str, int]] = frozenset()
    _known_from = (0, 0)
    _role_switches = 0
    _strangers: TokenBucket | None = None

    def has_time_for_strangers(self) -> bool:
        """Whether one more check may be looked at that comes from where nobody is known to be."""
        if self._strangers is None:
            self._strangers = TokenBucket(rate_per_s=STRANGERS_PER_S, burst=2 * STRANGERS_PER_S)
        return self._strangers.take()

    def remote_addresses(self) -> frozenset[tuple[str, int]]:
        """Where the caller may send from: the candidates it named, and the sources of its authenticated checks."""
        sizes = (len(self._remote_candidates), len(self._early_checks))
        if sizes != self._known_from:
            # Both lists only grow, and an entry keeps its address, until the early checks move into the candidates.
            named = {(candidate._network_host, candidate.port) for candidate in self._remote_candidates}
            self._known = frozenset(named | {address for _, address, _ in self._early_checks})
            self._known_from = sizes
        return self._known

    def data_received(self, data: bytes, component: int) -> None:
        """Queue a datagram for DTLS, unless it is none of its kinds or too many wait already."""
        if not data or data[0] <= MAX_STUN_BYTE:
            dropped["malformed"] += 1
        elif self._queue.qsize() >= MAX_QUEUED:
            dropped["queue_full"] += 1
        else:
            super().data_received(data, component)

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: aioice.ice.StunProtocol) -> None:
        """Take an authenticated check, and learn its source as long as there are not too many."""
        if "PRIORITY" not in message.attributes:
            dropped["malformed"] += 1
        elif len(self._remote_candidates) >= MAX_REMOTE_CANDIDATES and addr not in self.remote_addresses():
            dropped["candidate"] += 1
        else:
            super().check_incoming(message, addr, protocol)

    def switch_role(self, ice_controlling: bool) -> None:
        """Take the other role.

        Raises: _Undecided, if the caller has refused both too often: aioice would ask again without end.
        """
        self._role_switches += 1
        if self._role_switches > MAX_ROLE_SWITCHES:
            dropped["role"] += 1
            raise _Undecided
        super().switch_role(ice_controlling)

    async def check_start(self, pair: CandidatePair) -> None:
        """Check a pair; one on which there is no agreement has failed."""
        try:
            await super().check_start(pair)
        except _Undecided:
            self.check_state(pair, CandidatePair.State.FAILED)
            self.check_complete(pair)

    def follow(self, protocol: aioice.ice.StunProtocol, source: tuple[str, int]) -> None:
        """Answer the caller where they now send from: a router may give them another port in mid-call.

        The address is known by an authenticated check of theirs, and it has answered one of ours.
        """
        current = self._nominated.get(protocol.local_candidate.component)
        if current is None or (current.protocol is protocol and current.remote_addr == source):
            return
        for pair in self._check_list:
            if pair.protocol is protocol and pair.remote_addr == source and pair.state is CandidatePair.State.SUCCEEDED:
                self._nominated[pair.component] = pair
                return

    async def add_remote_candidate(self, remote_candidate: Candidate | None) -> None:
        """Add a candidate, unless it is an mDNS name, which would be asked of the whole local network.

        The end-of-candidates mark is passed on only after a candidate: without one, aioice gives up at once or, when
        the caller's own checks arrive later, never completes.
        """
        if remote_candidate is None:
            if self._remote_candidates:
                await super().add_remote_candidate(None)
        elif not is_mdns_hostname(remote_candidate.host) and len(self._remote_candidates) < MAX_REMOTE_CANDIDATES:
            await super().add_remote_candidate(remote_candidate)

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        """Open the sockets of a call and find out how they are seen from outside.

        Raises:
            Busy: No socket could be opened.
        """
        if self._transport_policy == TransportPolicy.ALL:
            addresses = host_addresses(addresses)
        if _sockets.ports is None:
            candidates = await super().get_component_candidates(component, addresses, timeout)
        else:
            candidates = await self._open(component, addresses, _sockets.ports, timeout)
        if addresses and not any(candidate.type == "host" for candidate in candidates):
            raise Busy("No UDP port is free for another call. Try again shortly.", code="no_udp_port", retry_after_s=5)
        return candidates

    async def _open(self, component: int, addresses: list[str], ports: range, timeout: int) -> list[Candidate]:
        loop = asyncio.get_running_loop()
        candidates: list[Candidate] = []
        reflexive = []
        for address in addresses:
            bound = _bind(address, ports)
            if bound is None:
                continue
            _, protocol = await loop.create_datagram_endpoint(lambda: GuardedProtocol(self), sock=bound)
            self._protocols.append(protocol)  # from here on close() closes it
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=host,
                port=port,
                type="host",
            )
            candidates.append(protocol.local_candidate)
            if self.stun_server and ipaddress.ip_address(host).version == 4:
                query = aioice.ice.server_reflexive_candidate(protocol, self.stun_server)
                reflexive.append(asyncio.wait_for(query, timeout))
        queries = asyncio.gather(*reflexive, return_exceptions=True)
        relayed = await super().get_component_candidates(component, [], timeout)
        for result in await queries:
            if isinstance(result, tuple):
                candidates.append(result[0])
            elif not isinstance(result, (TransactionError, OSError)):  # a timeout is an OSError
                raise result
        return candidates + relayed


class GuardedSctpTransport(RTCSctpTransport):
    """The data channel's transport: drops malformed packets, and ends the association of a peer that sends too much.

    aiortc announces a window of 1 MiB but keeps whatever arrives; fragments that never become a message would fill
    the memory. What 1,200 bytes acknowledge or skip it goes through one by one, for seconds.
    """

    async def _handle_data(self, data: bytes) -> None:
        """Take a packet; a malformed one would end the call with a traceback in the log."""
        try:
            await super()._handle_data(data)
        except (ValueError, LookupError, AssertionError, struct.error):
            dropped["sctp"] += 1

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        stream = self._inbound_streams.get(chunk.stream_id)
        if (
            self._advertised_rwnd < -SCTP_SLACK_BYTES
            or (stream is None and len(self._inbound_streams) >= MAX_STREAMS)
            or (stream is not None and len(stream.reassembly) >= MAX_FRAGMENTS)
            or len(self._sack_misordered) >= MAX_MISORDERED
        ):
            dropped["sctp"] += 1
            if self.state != "closed":
                logger.warning("A data channel was closed: its peer sends more than it may")
                await self.stop()
            return
        await super()._receive_data_chunk(chunk)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        blocks = [end - start + 1 for start, end in chunk.gaps]
        if any(block < 1 for block in blocks) or sum(blocks) > MAX_ACKNOWLEDGED:
            dropped["sctp"] += 1
            return
        await super()._receive_sack_chunk(chunk)

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        if len(self._inbound_streams.keys() | {stream_id for stream_id, _ in chunk.streams}) > MAX_STREAMS:
            dropped["sctp"] += 1
            return
        await super()._receive_forward_tsn_chunk(chunk)


def host_addresses(found: Sequence[str]) -> list[str]:
    """Addresses of this machine on which a call listens.

    Args:
        found: What the interfaces have, without loopback.
    """
    if _sockets.addresses:
        return list(_sockets.addresses)
    usable = [address for address in found if not ipaddress.ip_address(address).is_link_local][:MAX_ADDRESSES]
    if _sockets.loopback or not usable:
        usable.append("127.0.0.1")
    return usable


def _bind(address: str, ports: range) -> socket.socket | None:
    """A UDP socket on a free port of the range, searched from a random place; None if none is free.

    At most `MAX_PORT_TRIES` ports are tried, about 2 ms.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:  # a machine without that family
        return None
    start = secrets.randbelow(len(ports))
    for step in range(min(len(ports), MAX_PORT_TRIES)):
        try:
            sock.bind((address, ports[(start + step) % len(ports)]))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            break
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return sock
    sock.close()
    return None


async def verify() -> None:
    """Check that the guard is in place and works with the installed aioice and aiortc; call it at start-up.

    Raises:
        RuntimeError: What does not fit. The server must not take calls then.
    """
    if _originals is None:
        raise RuntimeError("The UDP guard is not installed: call agent.datagrams.install() first")
    protocol_class, connection_class, sctp_class = _originals
    for owner, name, parameters in (
        (protocol_class, "datagram_received", ["self", "data", "addr"]),
        (connection_class, "data_received", ["self", "data", "component"]),
        (connection_class, "check_incoming", ["self", "message", "addr", "protocol"]),
        (connection_class, "check_start", ["self", "pair"]),
        (connection_class, "switch_role", ["self", "ice_controlling"]),
        (connection_class, "add_remote_candidate", ["self", "remote_candidate"]),
        (connection_class, "get_component_candidates", ["self", "component", "addresses", "timeout"]),
        (sctp_class, "_handle_data", ["self", "data"]),
        (sctp_class, "_receive_data_chunk", ["self", "chunk"]),
        (sctp_class, "_receive_sack_chunk", ["self", "chunk"]),
        (sctp_class, "_receive_forward_tsn_chunk", ["self", "chunk"]),
        (sctp_class, "stop", ["self"]),
    ):
        method: Callable[..., Any] | None = vars(owner).get(name)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            raise RuntimeError(_moved(f"{owner.__module__}.{owner.__qualname__}.{name}"))
    await _try_out()


async def _try_out() -> None:
    """Send datagrams through the guard as aiortc would set it up, without a socket."""
    peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    try:
        peer.createDataChannel("verify")
        sctp = peer.sctp
        connection = None if sctp is None else sctp.transport.transport.iceGatherer._connection
        if not isinstance(sctp, GuardedSctpTransport) or not isinstance(connection, GuardedConnection):
            raise RuntimeError(_moved("the classes aiortc builds a connection from"))
        if not {"_nominated", "_check_list"} <= vars(connection).keys():
            raise RuntimeError(_moved("the list of checks of a connection"))
        if not {"_advertised_rwnd", "_inbound_streams", "_sack_misordered"} <= vars(sctp).keys():
            raise RuntimeError(_moved("the receive window of RTCSctpTransport"))
        protocol = aioice.ice.StunProtocol(connection)
        caller = Candidate("1", 1, "udp", 1, "192.0.2.1", 50_000, "host")
        protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.2", 40_000, "host")
        before = dropped.copy()
        await connection.add_remote_candidate(caller)
        for data, source in ((b"", caller.port), (b"\x16\xfe\xfd", caller.port + 1), (b"\x16\xfe\xfd", caller.port)):
            protocol.datagram_received(data, (caller.host, source))
        if connection._queue.qsize() != 1 or (dropped - before) != Counter(empty=1, stranger=1):
            raise RuntimeError(_moved("the way of a datagram from aioice to aiortc"))
        dropped.subtract(["empty", "stranger"])
    except AttributeError as error:
        raise RuntimeError(_moved(f"attribute {error.name}")) from error
    finally:
        await peer.close()


def _moved(what: str) -> str:
    return (
        f"The UDP guard does not fit the installed aioice/aiortc: {what} has changed. "
        "Install the locked versions, or adapt agent/datagrams.py to the new ones."
    )
