"""Strangers' datagrams, ports and addresses, with real sockets and two real peers.

Where a guard is claimed to help, the same attack runs without it and must do its damage: otherwise the test shows
nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aioice.ice
import aiortc.rtcicetransport
import pytest
from aioice import Candidate
from aioice.stun import Class, Message, Method
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from aiortc.rtcsctptransport import SCTP_DATA_FIRST_FRAG, DataChunk, ForwardTsnChunk, SackChunk
from google_crc32c import value as crc32c
from OpenSSL import SSL

from agent import datagrams
from core.errors import Busy

SOON_S = 10.0
NOT_HAPPENING_S = 2.5
ENDLESS = 200


@pytest.fixture(autouse=True)
def _libraries_as_they_came() -> Iterator[None]:
    datagrams.uninstall()
    yield
    datagrams.uninstall()


def peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def guard(**settings: Any) -> None:
    datagrams.install(**{"bind_addresses": ["127.0.0.1"], **settings})


@dataclass
class Line:
    """A caller with the libraries as they come, a server that may be guarded, and what the server hears."""

    caller: RTCPeerConnection
    server: RTCPeerConnection
    channel: RTCDataChannel
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    echoed: asyncio.Queue[str | bytes] = field(default_factory=asyncio.Queue)
    track: MediaStreamTrack | None = None

    @property
    def ice(self) -> aioice.ice.Connection:
        sctp = self.server.sctp
        assert sctp is not None
        return sctp.transport.transport.iceGatherer._connection

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the server listens."""
        return [(candidate.host, candidate.port) for candidate in self.ice.local_candidates]

    async def answer(self, *, named_candidates: bool = True) -> None:
        offer = self.caller.localDescription.sdp
        if not named_candidates:
            offer = "".join(line for line in offer.splitlines(keepends=True) if not line.startswith("a=candidate"))
        await self.server.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in self.server.getTransceivers():
            transceiver.direction = "sendrecv"
        await self.server.setLocalDescription(await self.server.createAnswer())

    async def connect(self) -> None:
        await self.caller.setRemoteDescription(self.server.localDescription)

    async def works(self) -> None:
        """Wait until a message has come back and a fifth of a second of audio has been heard."""
        async with asyncio.timeout(SOON_S):
            await self.connected.wait()
            self.channel.send("hello")
            assert await self.echoed.get() == "hello"
            assert self.track is not None
            for _ in range(10):
                await self.track.recv()
        assert self.server.connectionState == self.caller.connectionState == "connected"


@asynccontextmanager
async def line(*, guarded: bool) -> AsyncIterator[Line]:
    caller = peer()
    caller.addTrack(AudioStreamTrack())
    channel = caller.createDataChannel("chat")
    await caller.setLocalDescription(await caller.createOffer())
    if guarded:
        guard()
    here = Line(caller, peer(), channel)
    channel.on("open", here.connected.set)
    channel.on("message", here.echoed.put_nowait)

    @here.server.on("datachannel")
    def accept(channel: RTCDataChannel) -> None:
        channel.on("message", channel.send)

    @here.server.on("track")
    def hear(track: MediaStreamTrack) -> None:
        here.track = track

    @here.server.on("connectionstatechange")
    def note() -> None:
        if here.server.connectionState in ("failed", "closed"):
            here.ended.set()

    try:
        yield here
    finally:
        await asyncio.gather(here.caller.close(), here.server.close())


@asynccontextmanager
async def talking(*, guarded: bool) -> AsyncIterator[Line]:
    """A line on which each has heard the other."""
    async with line(guarded=guarded) as here:
        await here.answer()
        await here.connect()
        await here.works()
        yield here


def send_from_a_stranger(datagram: bytes, addresses: list[tuple[str, int]], *, times: int = 1) -> None:
    for host, port in addresses:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(times):
                stranger.sendto(datagram, (host, port))


def client_hello() -> bytes:
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD))
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(4_096)


def endless_stun() -> bytes:
    """As long as a datagram can be; taking it apart would take 30 ms."""
    return b"\0\1\xfa\0\x21\x12\xa4\x42" + bytes(12) + b"\x80\x22\0\0" * 16_000


FATAL_ALERT = b"\x15\xfe\xff" + bytes(8) + b"\x00\x02\x02\x28"
DATAGRAMS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "hello": client_hello,
    "alert": lambda: FATAL_ALERT,
    "garbage": lambda: b"\xff" * 1_200,
    "RTP": lambda: b"\x80\x6f" + bytes(170),
    "RTCP": lambda: b"\x80\xc9\x00\x01" + bytes(4),
    "zero": lambda: b"\0",
    "STUN": lambda: bytes(Message(Method.BINDING, Class.REQUEST)),
    "short STUN": lambda: bytes(Message(Method.BINDING, Class.REQUEST))[:7],
    "endless STUN": lambda: endless_stun(),
    "STUN with a short attribute": lambda: b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x24\x00\x02" * 2,
}


# Strangers


@pytest.mark.parametrize("name", DATAGRAMS)
async def test_a_strangers_datagram_before_the_handshake_harms_nobody(name: str) -> None:
    async with line(guarded=True) as here:
        await here.answer()
        send_from_a_stranger(DATAGRAMS[name](), here.addresses, times=20)
        await here.connect()
        await here.works()


@pytest.mark.parametrize("name", DATAGRAMS)
async def test_a_strangers_datagram_during_a_call_harms_nobody(name: str) -> None:
    async with talking(guarded=True) as here:
        send_from_a_stranger(DATAGRAMS[name](), here.addresses, times=20)
        await here.works()
        assert not here.ended.is_set()


@pytest.mark.parametrize("name", ["empty", "hello", "alert"])
async def test_without_the_guard_a_stranger_prevents_a_call(name: str) -> None:
    async with line(guarded=False) as here:
        await here.answer()
        send_from_a_stranger(DATAGRAMS[name](), here.addresses, times=20)
        await here.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.connected.wait(), NOT_HAPPENING_S)


async def test_without_the_guard_one_empty_datagram_ends_a_call() -> None:
    async with talking(guarded=False) as here:
        send_from_a_stranger(b"", here.addresses)
        await asyncio.wait_for(here.ended.wait(), SOON_S)


async def errors_of_the_loop(*, guarded: bool) -> int:
    """How many exceptions reach the event loop, and so the log, when a stranger sends malformed STUN."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    async with talking(guarded=guarded) as here:
        send_from_a_stranger(DATAGRAMS["STUN with a short attribute"](), here.addresses, times=5)
        await here.works()
    return len(errors)


async def test_malformed_stun_does_not_fill_the_log() -> None:
    assert await errors_of_the_loop(guarded=True) == 0


async def test_without_the_guard_malformed_stun_fills_the_log() -> None:
    assert await errors_of_the_loop(guarded=False) >= 5


async def test_what_is_dropped_is_counted() -> None:
    before = datagrams.dropped.copy()
    async with talking(guarded=True) as here:
        send_from_a_stranger(b"", here.addresses, times=2)
        send_from_a_stranger(FATAL_ALERT, here.addresses, times=3)
        send_from_a_stranger(endless_stun(), here.addresses)
        await here.works()
    counted = datagrams.dropped - before
    assert (counted["empty"], counted["stranger"], counted["malformed"]) == (2, 3, 1)


async def test_strangers_checks_cost_only_so_much() -> None:
    before = datagrams.dropped["flood"]
    async with talking(guarded=True) as here:
        protocol, check = here.ice._protocols[0], bytes(Message(Method.BINDING, Class.REQUEST))
        for port in range(1_000):
            protocol.datagram_received(check, ("127.0.0.1", 20_000 + port))
        await here.works()
    assert datagrams.dropped["flood"] - before >= 1_000 - 3 * datagrams.STRANGERS_PER_S


# The caller itself


async def waiting_datagrams(*, guarded: bool) -> int:
    """How many datagrams are kept when a named candidate sends before ICE is done."""
    async with line(guarded=guarded) as here:
        await here.answer()
        protocol = here.ice._protocols[0]
        named = here.ice.remote_candidates[0]
        for _ in range(5_000):
            protocol.datagram_received(FATAL_ALERT, (named.host, named.port))
            protocol.datagram_received(b"\x01nothing", (named.host, named.port))
        return here.ice._queue.qsize()


async def test_what_waits_for_the_handshake_is_bounded() -> None:
    assert await waiting_datagrams(guarded=True) <= datagrams.MAX_QUEUED


async def test_without_the_guard_everything_waits() -> None:
    assert await waiting_datagrams(guarded=False) == 10_000


async def learned_candidates(*, guarded: bool) -> int:
    """How many addresses get connectivity checks when the caller's credentials are used from a thousand sources."""
    async with line(guarded=guarded) as here:
        await here.answer()
        ice, protocol = here.ice, here.ice._protocols[0]
        ice.remote_password = "x" * 22
        for port in range(20_000, 21_000):
            check = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 1})
            ice.check_incoming(check, ("127.0.0.1", port), protocol)
        return len(ice.remote_candidates)


async def test_a_caller_cannot_have_checks_sent_to_any_number_of_addresses() -> None:
    assert await learned_candidates(guarded=True) == datagrams.MAX_REMOTE_CANDIDATES


async def test_without_the_guard_every_source_gets_checks() -> None:
    assert await learned_candidates(guarded=False) >= 1_000


async def connects_unnamed(*, guarded: bool) -> bool:
    """Whether a call comes about when the offer names no candidate but ends their list."""
    async with line(guarded=guarded) as here:
        await here.answer(named_candidates=False)
        await here.connect()
        try:
            await asyncio.wait_for(here.connected.wait(), NOT_HAPPENING_S)
        except TimeoutError:
            return False
        await here.works()
        return True


async def test_a_caller_that_names_no_candidate_is_found_by_its_own_checks() -> None:
    assert await connects_unnamed(guarded=True)


async def test_without_the_guard_a_caller_that_names_no_candidate_is_lost() -> None:
    assert not await connects_unnamed(guarded=False)


async def refusals(*, guarded: bool) -> tuple[int, str]:
    """How often a caller is asked again that refuses whichever role the server takes, and how its ICE is then."""
    async with line(guarded=guarded) as here:
        await here.answer()
        ice, asked = here.caller.getTransceivers()[0].sender.transport.transport._connection, 0

        def refuse(message: Message, addr: tuple[str, int], protocol: aioice.ice.StunProtocol) -> None:
            nonlocal asked
            asked += 1
            ice.respond_error(message, addr, protocol, (487, "Role Conflict"))

        ice.request_received = refuse
        await here.connect()
        async with asyncio.timeout(SOON_S):
            while here.server.iceConnectionState != "failed" and asked < ENDLESS:
                await asyncio.sleep(0.01)
        return min(asked, ENDLESS), here.server.iceConnectionState


async def test_a_caller_that_agrees_with_neither_role_is_given_up() -> None:
    asked, state = await refusals(guarded=True)
    assert asked <= datagrams.MAX_ROLE_SWITCHES + 1
    assert state == "failed"


async def test_without_the_guard_such_a_caller_is_asked_without_end() -> None:
    assert await refusals(guarded=False) == (ENDLESS, "checking")


async def test_mdns_names_are_not_asked_of_the_local_network() -> None:
    async with line(guarded=True) as here:
        await here.answer(named_candidates=False)
        await here.ice.add_remote_candidate(Candidate("1", 1, "udp", 1, "somebody.local", 5_000, "host"))
        assert here.ice.remote_candidates == []
        assert here.ice._remote_candidates_resolving == 0


async def fragments_kept(*, guarded: bool) -> tuple[int, str]:
    """What a server keeps of a message that never ends, and the state of its association."""
    async with talking(guarded=guarded) as here:
        sctp, hostile = here.server.sctp, here.caller.sctp
        assert sctp is not None
        assert hostile is not None
        for number in range(1_300):
            chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG if number == 0 else 0)
            chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = hostile._local_tsn, 1, 1, 51
            chunk.user_data = bytes(1_000)
            hostile._local_tsn += 1
            await hostile._send_chunk(chunk)
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON_S):
            while sctp.state == "connected" and len(sctp._inbound_streams[1].reassembly) < 1_300:
                await asyncio.sleep(0.01)
        return len(sctp._inbound_streams[1].reassembly), sctp.state


async def test_a_message_that_never_ends_closes_the_data_channel() -> None:
    kept, state = await fragments_kept(guarded=True)
    assert kept <= datagrams.MAX_FRAGMENTS
    assert state == "closed"


async def test_without_the_guard_a_message_that_never_ends_is_kept() -> None:
    assert await fragments_kept(guarded=False) == (1_300, "connected")


async def longest_stop_of_bombs(*, guarded: bool) -> tuple[float, str]:
    """How long a server stands still over an acknowledgement of 1,200 bytes, and how its connection is."""
    async with talking(guarded=guarded) as here:
        sctp, hostile = here.server.sctp, here.caller.sctp
        assert sctp is not None
        assert hostile is not None
        bomb = SackChunk()
        bomb.cumulative_tsn = hostile._last_received_tsn or 0
        bomb.gaps = [(1, 0xFFFF)] * 250
        skip = ForwardTsnChunk()
        skip.cumulative_tsn = (sctp._last_received_tsn or 0) + 1
        skip.streams = [(number, 0) for number in range(250)]
        begun_s = time.thread_time()
        await sctp._receive_sack_chunk(bomb)
        took_s = time.thread_time() - begun_s
        await sctp._receive_forward_tsn_chunk(skip)
        return took_s, f"{len(sctp._inbound_streams)} streams"


async def test_small_chunks_that_mean_much_are_dropped() -> None:
    took_s, streams = await longest_stop_of_bombs(guarded=True)
    assert took_s < 0.01
    assert streams == "1 streams"


async def test_without_the_guard_they_stop_the_server() -> None:
    took_s, streams = await longest_stop_of_bombs(guarded=False)
    assert took_s > 0.3
    assert streams == "250 streams"


async def state_after_a_malformed_chunk(*, guarded: bool) -> str:
    """How a call is after an SCTP packet with a good checksum and a chunk that ends too early."""
    async with talking(guarded=guarded) as here:
        hostile = here.caller.sctp
        assert hostile is not None
        header = struct.pack("!HHI", 5_000, 5_000, hostile._remote_verification_tag)
        chunk = b"\x03\0\0\x05\0\0\0\0"
        await hostile.transport._send_data(header + struct.pack("<I", crc32c(header + bytes(4) + chunk)) + chunk)
        if guarded:
            await here.works()
        else:
            await asyncio.wait_for(here.ended.wait(), SOON_S)
        return here.server.connectionState


async def test_a_malformed_chunk_does_not_end_a_call() -> None:
    assert await state_after_a_malformed_chunk(guarded=True) == "connected"


async def test_without_the_guard_a_malformed_chunk_ends_a_call() -> None:
    assert await state_after_a_malformed_chunk(guarded=False) == "closed"


async def test_messages_behind_holes_are_bounded() -> None:
    """Every one of them makes aiortc sort all of them."""
    async with talking(guarded=True) as here:
        sctp = here.server.sctp
        assert sctp is not None
        for number in range(2_000):
            chunk = DataChunk(flags=7)  # whole and unordered
            chunk.stream_id, chunk.stream_seq, chunk.protocol = 1, 0, 99
            chunk.tsn = ((sctp._last_received_tsn or 0) + 2 + number * 2) % (1 << 32)
            chunk.user_data = b"word"
            await sctp._receive_data_chunk(chunk)
        assert len(sctp._sack_misordered) <= datagrams.MAX_MISORDERED
        assert sctp.state == "closed"


# Ports and addresses


@asynccontextmanager
async def gathered() -> AsyncIterator[list[Candidate]]:
    """The candidates of a server's peer connection."""
    server = peer()
    server.createDataChannel("chat")
    try:
        await server.setLocalDescription(await server.createOffer())
        assert server.sctp is not None
        yield server.sctp.transport.transport.iceGatherer._connection.local_candidates
    finally:
        await server.close()


def free_ports(count: int) -> tuple[int, int]:
    """A range of ports that are free on 127.0.0.1 right now."""
    for low in range(42_000, 60_000, count):
        try:
            for port in range(low, low + count):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        return low, low + count - 1
    raise AssertionError("no free ports")


async def test_calls_use_only_ports_of_the_range_and_give_them_back() -> None:
    low, high = free_ports(3)
    guard(port_range=(low, high))
    for _ in range(4):
        async with gathered() as first, gathered() as second, gathered() as third:
            ports = [candidate.port for candidate in first + second + third]
            assert sorted(ports) == list(range(low, high + 1))


async def test_a_full_port_range_is_an_error_that_says_so() -> None:
    guard(port_range=free_ports(1))
    async with gathered():
        with pytest.raises(Busy, match="UDP port") as busy:
            async with gathered():
                raise AssertionError("there is no port for a second call")
        assert busy.value.retryable
        assert busy.value.status == 503
    async with gathered() as candidates:
        assert len(candidates) == 1


async def test_a_call_works_in_a_port_range() -> None:
    low, high = free_ports(4)
    async with line(guarded=False) as here:
        guard(port_range=(low, high))
        here.server = await replaced(here)
        await here.answer()
        await here.connect()
        await asyncio.wait_for(here.connected.wait(), SOON_S)
        assert all(low <= port <= high for _, port in here.addresses)


async def replaced(here: Line) -> RTCPeerConnection:
    await here.server.close()
    return peer()


async def test_only_the_given_addresses_are_used() -> None:
    guard()
    async with gathered() as candidates:
        assert [candidate.host for candidate in candidates] == ["127.0.0.1"]


async def test_loopback_is_added_when_the_browser_is_on_this_machine() -> None:
    datagrams.install(loopback=True)
    async with gathered() as candidates:
        assert "127.0.0.1" in {candidate.host for candidate in candidates}


def test_without_any_network_loopback_is_used() -> None:
    datagrams.install()
    assert datagrams.host_addresses([]) == ["127.0.0.1"]
    assert datagrams.host_addresses(["169.254.3.4"]) == ["127.0.0.1"]
    assert datagrams.host_addresses(["192.168.1.5"]) == ["192.168.1.5"]


def test_a_machine_with_many_addresses_does_not_open_a_socket_on_each() -> None:
    datagrams.install()
    assert len(datagrams.host_addresses([f"10.0.0.{n}" for n in range(200)])) == datagrams.MAX_ADDRESSES


@pytest.mark.parametrize("ports", [(0, 10), (10, 9), (60_000, 65_536)])
def test_an_impossible_port_range_is_refused(ports: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="port range"):
        datagrams.install(ports)


def test_an_impossible_address_is_refused() -> None:
    with pytest.raises(ValueError, match="address"):
        datagrams.install(bind_addresses=["localhost"])


# The self-test


async def test_the_guard_finds_itself_in_place() -> None:
    guard()
    before = datagrams.dropped.total()
    await datagrams.verify()
    assert datagrams.dropped.total() == before


async def test_a_guard_that_is_not_installed_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="not installed"):
        await datagrams.verify()


def a_method_is_gone(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(aioice.ice.Connection, "check_incoming")


def a_method_takes_something_else(patch: pytest.MonkeyPatch) -> None:
    async def get_component_candidates(self: object, component: int) -> list[Candidate]:
        return []

    patch.setattr(aioice.ice.Connection, "get_component_candidates", get_component_candidates)


def aiortc_takes_its_own_class_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aiortc.rtcicetransport, "Connection", aioice.ice.Connection)


def sockets_are_made_elsewhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aioice.ice, "StunProtocol", datagrams.GuardedProtocol.__base__)


@pytest.mark.parametrize(
    "change",
    [a_method_is_gone, a_method_takes_something_else, aiortc_takes_its_own_class_again, sockets_are_made_elsewhere],
)
async def test_a_change_in_the_libraries_is_noticed(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard()
    with monkeypatch.context() as patch:
        change(patch)
        with pytest.raises(RuntimeError, match=r"agent/datagrams\.py"):
            await datagrams.verify()
