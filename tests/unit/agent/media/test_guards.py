"""Nobody but the caller is heard, and nobody takes the agent's voice away from them: between two real peers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aioice import Candidate
from aioice.ice import CandidatePair
from aioice.stun import Class, Message, Method

from agent import datagrams
from agent.datagrams import GuardedConnection, GuardedProtocol
from agent.media import receiver as receiving
from tests.unit.agent.media.sound import packets
from tests.unit.agent.media.test_lines import Line, line, rtp

COUNT = 10


@contextmanager
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        sock.setblocking(False)
        yield sock


def ice(call: Line) -> GuardedConnection:
    """Our end of the call."""
    connection = call.ours.getTransceivers()[0].receiver.transport.transport._connection
    assert isinstance(connection, GuardedConnection)
    return connection


def socket_of(call: Line) -> tuple[GuardedProtocol, tuple[str, int]]:
    """The socket the caller sends to, and its address."""
    pair: Any = ice(call)._nominated[1]
    return pair.protocol, pair.local_addr


def words(call: Line, count: int = COUNT) -> list[bytes]:
    """What the caller would send next, protected with their keys."""
    return [call.session._tx_srtp.protect(rtp(number, payload)) for number, payload in enumerate(packets(count))]


def known(call: Line, address: tuple[str, int], state: CandidatePair.State) -> None:
    """Have the caller named this address, and our check of it come to this."""
    candidate = Candidate("9", 1, "udp", 1, *address, "host")
    candidate._network_host = address[0]
    connection = ice(call)
    connection._remote_candidates.append(candidate)
    pair = CandidatePair(socket_of(call)[0], candidate)
    pair.state = state
    connection._check_list.append(pair)


def follows(call: Line, address: tuple[str, int]) -> bool:
    """Whether the agent's voice now goes there."""
    return ice(call)._nominated[1].remote_addr == address


async def counted(before: int, reason: str, count: int = COUNT) -> None:
    """Wait until so many datagrams were dropped for this reason."""
    async with asyncio.timeout(10):
        while datagrams.dropped[reason] < before + count:
            await asyncio.sleep(0.005)


async def test_a_strangers_media_never_reaches_the_receiver() -> None:
    """Not even with the caller's own keys."""
    async with line() as call:
        with stranger() as sock:
            before, media = datagrams.dropped["stranger"], receiving.dropped.copy()
            for packet in words(call):
                sock.sendto(packet, socket_of(call)[1])
            await counted(before, "stranger")
            assert receiving.dropped == media
            assert call.receiver.last_at is None
            assert call.windows.empty()


@pytest.mark.parametrize("state", [CandidatePair.State.FROZEN, CandidatePair.State.IN_PROGRESS])
async def test_an_address_that_has_not_answered_us_gets_nothing(state: CandidatePair.State) -> None:
    """A caller may name anybody's address, and check it in; only an answer to our own check shows who is there."""
    async with line() as call:
        address = ("127.0.0.1", 9)
        known(call, address, state)
        for packet in words(call):
            socket_of(call)[0].datagram_received(packet, address)
        assert call.receiver.last_at is not None
        assert not follows(call, address)


async def test_only_what_is_new_and_authentic_shows_where_the_caller_is() -> None:
    async with line() as call:
        address = ("127.0.0.1", 9)
        known(call, address, CandidatePair.State.SUCCEEDED)
        protocol, _ = socket_of(call)
        first, second, *_ = words(call)
        home = ice(call)._nominated[1].remote_addr
        protocol.datagram_received(first, home)
        protocol.datagram_received(first, address)  # a copy
        protocol.datagram_received(b"\x80" + second[1:-1] + b"\0", address)  # a forgery
        for _ in range(200):  # more control packets than are looked at
            protocol.datagram_received(b"\x80\xc8\x00\x06" + bytes(40), address)
        protocol.datagram_received(b"\xbf" * 1_400, address)
        assert follows(call, home)
        protocol.datagram_received(second, address)
        assert follows(call, address)


async def test_the_credentials_of_another_call_open_no_way() -> None:
    async with line() as call:
        connection, address = ice(call), ("127.0.0.1", 9)
        protocol, _ = socket_of(call)
        for username, password in (
            (f"{connection.local_username}:{connection.remote_username}", "another call's password"),
            ("abcd:efgh", connection.local_password),
        ):
            check = Message(Method.BINDING, Class.REQUEST, attributes={"USERNAME": username, "PRIORITY": 1})
            check.attributes["USE-CANDIDATE"] = None
            check.add_message_integrity(password.encode())
            protocol.datagram_received(bytes(check), address)
        assert address not in connection.remote_addresses()
        for packet in words(call):
            protocol.datagram_received(packet, address)
        assert call.receiver.last_at is None


async def test_the_callers_own_check_without_an_answer_to_ours_moves_nothing() -> None:
    """A check that is copied and sent on from elsewhere is authentic too."""
    async with line() as call:
        connection = ice(call)
        protocol, _ = socket_of(call)
        with stranger() as sock:
            here = ("127.0.0.1", sock.getsockname()[1])
            username = f"{connection.local_username}:{connection.remote_username}"
            check = Message(Method.BINDING, Class.REQUEST, attributes={"USERNAME": username, "PRIORITY": 1})
            check.attributes["USE-CANDIDATE"] = None
            check.add_message_integrity(connection.local_password.encode())
            protocol.datagram_received(bytes(check), here)
            assert here in connection.remote_addresses()
            for packet in words(call):
                protocol.datagram_received(packet, here)
            assert not follows(call, here)


async def test_a_call_that_was_hung_up_hears_nothing() -> None:
    async with line() as call:
        first, *rest = words(call)
        protocol, _ = socket_of(call)
        home = ice(call)._nominated[1].remote_addr
        protocol.datagram_received(first, home)
        heard_at = call.receiver.last_at
        assert heard_at is not None
        call.receiver.close()
        assert ice(call).media is None
        assert call.receiver._idle is None
        assert call.receiver._gap is None
        for packet in rest:
            protocol.datagram_received(packet, home)
        assert call.receiver.last_at == heard_at
        assert call.windows.empty()


async def test_a_connection_made_anew_is_heard_and_the_old_one_is_not() -> None:
    async with line() as old, line() as new:
        old.receiver.listen(new.ours.getTransceivers()[0].receiver)
        assert ice(old).media is None
        protocol, _ = socket_of(old)
        for packet in words(old):
            protocol.datagram_received(packet, ice(old)._nominated[1].remote_addr)
        assert old.receiver.last_at is None
        for number, payload in enumerate(packets(COUNT)):
            new.send(rtp(number, payload))
        await old.heard(3)
