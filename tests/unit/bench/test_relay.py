"""The relay must harm as much as it says, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from bench.relay import Address, Harm, Relay, Way

SDP = (
    "v=0\r\nm=audio 1 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.7 40000 typ host\r\n"
    "a=candidate:2 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"
    "a=end-of-candidates\r\n"
)


class Far:
    """The far end of one direction: the numbers that came through."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._more = asyncio.Event()

    def receive(self, data: bytes) -> None:
        self.numbers.append(int(data))
        self._more.set()

    async def has(self, count: int) -> list[int]:
        """Wait for so many."""
        async with asyncio.timeout(10):
            while len(self.numbers) < count:
                self._more.clear()
                await self._more.wait()
        return self.numbers


async def carried(harm: Harm, count: int, *, seed: str = "any") -> list[int]:
    """What comes through at once of so many datagrams."""
    way, far = Way(seed), Far()
    way.harm = harm
    for number in range(count):
        way.carry(str(number).encode(), far.receive)
    return far.numbers


async def delayed(harm: Harm, count: int) -> list[int]:
    """The order in which so many datagrams come through."""
    way, far = Way("any"), Far()
    way.harm = harm
    for number in range(count):
        way.carry(str(number).encode(), far.receive)
    return await far.has(count)


async def test_unharmed_datagrams_pass_at_once_and_in_order() -> None:
    assert await carried(Harm(), 50) == list(range(50))


async def test_the_share_asked_for_is_lost() -> None:
    assert 0.09 < 1 - len(await carried(Harm(loss=0.1), 10_000)) / 10_000 < 0.11


async def test_bursts_lose_the_same_share_several_in_a_row() -> None:
    arrived = await carried(Harm(loss=0.2, burst=4), 20_000)
    gaps = [after - before - 1 for before, after in pairwise(arrived) if after > before + 1]
    assert 0.18 < 1 - len(arrived) / 20_000 < 0.22
    assert 3.5 < sum(gaps) / len(gaps) < 4.5


async def test_a_seed_decides_who_is_lost() -> None:
    lossy = Harm(loss=0.3)
    assert await carried(lossy, 100, seed="one") == await carried(lossy, 100, seed="one")
    assert await carried(lossy, 100, seed="one") != await carried(lossy, 100, seed="two")


async def test_repeats_arrive_twice() -> None:
    arrived = await carried(Harm(duplicates=0.2), 5_000)
    assert set(arrived) == set(range(5_000))
    assert 900 < len(arrived) - 5_000 < 1_100


async def test_jitter_reorders_unless_it_is_told_not_to() -> None:
    shuffled = await delayed(Harm(jitter_s=0.04), 50)
    ordered = await delayed(Harm(jitter_s=0.04, reorders=False), 50)
    assert sorted(shuffled) == ordered == list(range(50))
    assert shuffled != ordered


async def test_nothing_passes_a_black_out_and_everything_after_it() -> None:
    way, far = Way("any"), Far()
    for number, shut_for_s in enumerate((3600, 0)):
        way.shut_until = asyncio.get_running_loop().time() + shut_for_s
        way.carry(str(number).encode(), far.receive)
    assert far.numbers == [1]
    assert way.counts == {"black_out": 1, "passed": 1, "repeated": 0}


class Peer(asyncio.DatagramProtocol):
    """A socket at either end of a relay."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.got.put_nowait((data, addr))

    async def next(self) -> tuple[bytes, Address]:
        async with asyncio.timeout(5):
            return await self.got.get()

    @property
    def sdp(self) -> str:
        return SDP.format(port=self.transport.get_extra_info("sockname")[1])


class Path:
    """A caller and a server with a relay between them."""

    def __init__(self, relay: Relay, caller: Peer, server: Peer) -> None:
        self.relay, self.caller, self.server = relay, caller, server
        self.back: Address = ("127.0.0.1", port_in(relay.towards_server(caller.sdp)))
        self.front: Address = ("127.0.0.1", port_in(relay.towards_caller(server.sdp)))


def port_in(sdp: str) -> int:
    (line,) = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return int(line.split()[5])


async def peer() -> Peer:
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    return protocol


@pytest.fixture
async def path() -> AsyncIterator[Path]:
    caller, server = await peer(), await peer()
    async with Relay(seed=7) as relay:
        yield Path(relay, caller, server)
    caller.transport.close()
    server.transport.close()


async def test_each_side_is_told_of_the_relay_only(path: Path) -> None:
    rewritten = path.relay.towards_server(path.caller.sdp)
    assert "192.0.2.7" not in rewritten
    assert str(path.caller.transport.get_extra_info("sockname")[1]) not in rewritten
    assert rewritten.endswith("a=end-of-candidates\r\n")
    assert port_in(rewritten) == path.back[1]
    assert path.back != path.front


async def test_an_sdp_without_a_loopback_candidate_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="loopback"):
        path.relay.towards_server("v=0\r\n")


async def test_answers_find_back_the_way_that_the_question_came(path: Path) -> None:
    path.caller.transport.sendto(b"question", path.front)
    assert await path.server.next() == (b"question", path.back)
    path.server.transport.sendto(b"answer", path.back)
    assert await path.caller.next() == (b"answer", path.front)


async def test_after_a_move_the_server_sees_another_port_and_the_old_one_is_dead(path: Path) -> None:
    moved: Address = ("127.0.0.1", await path.relay.move())
    assert moved != path.back
    path.caller.transport.sendto(b"here I am", path.front)
    assert await path.server.next() == (b"here I am", moved)
    path.server.transport.sendto(b"to the old one", path.back)
    path.server.transport.sendto(b"to the new one", moved)
    assert (await path.caller.next())[0] == b"to the new one"


async def test_strangers_are_not_passed_on(path: Path) -> None:
    stranger = await peer()
    stranger.transport.sendto(b"from a stranger", path.back)
    path.server.transport.sendto(b"from the server", path.back)
    assert (await path.caller.next())[0] == b"from the server"
    stranger.transport.close()
