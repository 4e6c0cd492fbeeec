"""What a caller may send through the data channel, with a real peer on the other side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from loguru import logger
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from agent import datachannel
from agent.bucket import TokenBucket
from agent.datachannel import BURST, MAX_BYTES, MAX_PENDING, MAX_VIOLATIONS, GuardedConnection

SOON_S = 10.0
READY = {"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {"version": "2.0.0"}}


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Line:
    """A caller's open data channel, and what comes out of the server's connection."""

    caller: RTCPeerConnection
    connection: SmallWebRTCConnection
    channel: RTCDataChannel
    received: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def delivered(self) -> None:
        """Wait until everything sent so far has arrived: the transport's acknowledgements are in order."""
        sctp = self.caller.sctp
        assert sctp is not None
        async with asyncio.timeout(SOON_S):
            while sctp._outbound_queue or sctp._sent_queue or sctp._data_channel_queue:
                await asyncio.sleep(0.01)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.received.get(), SOON_S)


@asynccontextmanager
async def line(
    make: Callable[[], SmallWebRTCConnection] = GuardedConnection, *, join: bool = True
) -> AsyncIterator[Line]:
    caller = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    caller.addTransceiver("audio", direction="sendrecv")
    channel = caller.createDataChannel("chat")
    opened = asyncio.Event()
    channel.on("open", opened.set)
    here = Line(caller, make(), channel)

    @here.connection.event_handler("app-message")
    async def receive(_connection: SmallWebRTCConnection, message: Any) -> None:
        here.received.put_nowait(message)

    try:
        await caller.setLocalDescription(await caller.createOffer())
        await here.connection.initialize(caller.localDescription.sdp, "offer")
        answer = here.connection.get_answer()
        assert answer is not None
        await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await asyncio.wait_for(opened.wait(), SOON_S)
        if join:
            await here.connection.connect()
        yield here
    finally:
        await here.connection.disconnect()
        await caller.close()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Everything logged, at any level."""
    texts: list[str] = []
    sink = logger.add(lambda message: texts.append(str(message)), level=0)
    yield texts
    logger.remove(sink)


async def test_messages_arrive_in_order() -> None:
    async with line() as here:
        for number in range(10):
            here.channel.send(json.dumps({**READY, "id": str(number)}))
        assert [(await here.next())["id"] for _ in range(10)] == [str(number) for number in range(10)]


@pytest.mark.parametrize("pinged_at", [None, 1.0])
async def test_messages_sent_before_the_pipeline_is_ready_wait_for_it(pinged_at: float | None) -> None:
    async with line(join=False) as here:
        here.channel.send(json.dumps(READY))
        await here.delivered()
        assert here.received.empty()
        vars(here.connection)["_last_received_time"] = pinged_at
        await here.connection.connect()
        await here.connection.connect()
        here.channel.send(json.dumps({**READY, "id": "2"}))
        assert await here.next() == READY
        assert (await here.next())["id"] == "2"


async def test_a_late_ping_does_not_hold_messages_back() -> None:
    async with line() as here:
        vars(here.connection)["_last_received_time"] = 1.0
        assert not here.connection.is_connected()
        here.channel.send(json.dumps(READY))
        assert await here.next() == READY
        assert here.connection.is_connected()


async def test_a_ping_keeps_the_connection_alive() -> None:
    async with line() as here:
        vars(here.connection)["_last_received_time"] = 1.0
        here.channel.send("ping: 1730000000000")
        await here.delivered()
        assert here.connection.is_connected()


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "text": ("my account number is 12345678", "format"),
    "half JSON": ('{"type": "my account number is 12345678', "format"),
    "array": ("[1, 2, 3]", "format"),
    "number": ("17", "format"),
    "NaN": ('{"type": "x", "data": NaN}', "format"),
    "long number": ('{"type": "x", "data": ' + "9" * 10_000 + "}", "format"),
    "deep": ("[" * 10_000, "format"),
    "deep object": ('{"type":' * 2_000, "format"),
    "no type": ('{"label": "rtvi-ai"}', "format"),
    "type is a list": ('{"type": ["x"]}', "format"),
    "empty": ("", "format"),
    "bytes": (json.dumps(READY).encode(), "binary"),
    "no bytes": (b"", "binary"),
    "large": (json.dumps({**READY, "data": "x" * MAX_BYTES}), "size"),
    "large in bytes": (json.dumps({**READY, "data": "é" * (MAX_BYTES // 2)}, ensure_ascii=False), "size"),
    "signal without message": ('{"type": "signalling"}', "format"),
    "unknown signal": ('{"type": "signalling", "message": {"type": "renegotiate"}}', "format"),
    "signal of nothing": (
        '{"type": "signalling", "message": {"type": "trackStatus", "receiver_index": 9, "enabled": true}}',
        "format",
    ),
    "signal of text": (
        '{"type": "signalling", "message": {"type": "trackStatus", "receiver_index": 0, "enabled": "12345678"}}',
        "format",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_a_message_is_dropped_counted_and_never_logged(name: str, log: list[str]) -> None:
    content, reason = REFUSED[name]
    before = datachannel.refused[reason]
    async with line() as here:
        here.channel.send(content)
        here.channel.send(json.dumps(READY))
        assert await here.next() == READY
    assert datachannel.refused[reason] == before + 1
    assert not any("12345678" in text for text in log)


async def test_pipecat_alone_logs_what_it_cannot_parse(log: list[str]) -> None:
    async with line(SmallWebRTCConnection) as here:
        here.channel.send("my account number is 12345678")
        here.channel.send(json.dumps(READY))
        await here.next()
    assert any("12345678" in text for text in log)


async def test_a_muted_track_is_told() -> None:
    async with line() as here:
        told: asyncio.Queue[tuple[int, bool]] = asyncio.Queue()

        @here.connection.event_handler("track-status")
        async def note(_connection: SmallWebRTCConnection, index: int, enabled: bool) -> None:
            told.put_nowait((index, enabled))

        signal = {"type": "trackStatus", "receiver_index": 0, "enabled": False}
        here.channel.send(json.dumps({"type": "signalling", "message": signal}))
        assert await asyncio.wait_for(told.get(), SOON_S) == (0, False)


async def test_messages_that_come_too_fast_are_dropped() -> None:
    clock = Clock()
    async with line(lambda: GuardedConnection(clock=clock)) as here:
        for _ in range(BURST + 25):
            here.channel.send(json.dumps(READY))
        await here.delivered()
        assert here.received.qsize() == BURST
        clock.now_s += 1
        here.channel.send(json.dumps({**READY, "id": "later"}))
        for _ in range(BURST):
            await here.next()
        assert (await here.next())["id"] == "later"


async def waiting(make: Callable[[], SmallWebRTCConnection]) -> int:
    """How many messages are kept for a pipeline that is not ready."""
    async with line(make, join=False) as here:
        for _ in range(200):
            here.channel.send(json.dumps(READY))
        await here.delivered()
        return len(here.connection._pending_app_messages)


async def test_what_waits_for_the_pipeline_is_bounded() -> None:
    assert await waiting(GuardedConnection) == MAX_PENDING


async def test_pipecat_alone_keeps_everything_that_waits() -> None:
    assert await waiting(SmallWebRTCConnection) == 200


async def test_a_caller_that_goes_on_is_reported_once() -> None:
    reports: list[None] = []

    def make() -> GuardedConnection:
        return GuardedConnection(on_abuse=lambda: reports.append(None), clock=Clock())

    async with line(make) as here:
        for _ in range(MAX_VIOLATIONS):
            here.channel.send(b"x")
        await here.delivered()
        assert reports == []
        for _ in range(50):
            here.channel.send(b"x")
        await here.delivered()
        assert reports == [None]


async def test_only_the_first_data_channel_counts() -> None:
    async with line() as here:
        second = here.caller.createDataChannel("second")
        closed = asyncio.Event()
        second.on("close", closed.set)
        await asyncio.wait_for(closed.wait(), SOON_S)
        here.channel.send(json.dumps(READY))
        assert await here.next() == READY
        answers: asyncio.Queue[str | bytes] = asyncio.Queue()
        here.channel.on("message", answers.put_nowait)
        here.connection.send_app_message({"type": "server-message"})
        assert await asyncio.wait_for(answers.get(), SOON_S) == '{"type": "server-message"}'


async def test_messages_to_a_browser_that_takes_none_are_dropped() -> None:
    async with line() as here:
        channel = here.connection._data_channel
        assert channel is not None
        before = datachannel.refused["unsent"]
        channel._addBufferedAmount(2_000_000)
        here.connection.send_app_message({"type": "server-message"})
        assert datachannel.refused["unsent"] == before + 1


async def test_no_renegotiation_for_video_that_is_not_there() -> None:
    """pipecat asks every client with a video section to negotiate again, to get a keyframe."""
    connection = GuardedConnection()
    assert connection.video_input_track() is None
    assert connection.screen_video_input_track() is None
    await connection.disconnect()


def test_tokens_come_back_at_a_steady_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate_per_s=2.0, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now_s += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now_s += 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_the_guard_fits_the_installed_pipecat() -> None:
    datachannel.verify()
