"""Receiver and sender between two real peers over loopback."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtpPacket
from pylibsrtp import Session

from agent import datagrams
from agent.media import receiver as receiving
from agent.media import sender as sending
from agent.media.opus import carries_copy
from agent.media.receiver import WINDOW_BYTES, Receiver, payload_type_of
from agent.media.sender import FRAME_S, HANGOVER_FRAMES, LOOK_AHEAD_S, Sender
from agent.media.unpacking import RATE, RTP_HZ
from tests.unit.agent.media.sound import HZ, packets, pitch, tone

OUT_RATE = 24_000


def test_the_places_they_take_are_there() -> None:
    receiving.verify()
    sending.verify()


@dataclass
class Line:
    """Two peers, one of them ours, and what is heard on both sides."""

    sender: Sender
    receiver: Receiver
    theirs: RTCPeerConnection
    ours: RTCPeerConnection
    windows: asyncio.Queue[bytes]
    arrived: list[tuple[float, RtpPacket]] = field(default_factory=list)

    async def heard(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            return b"".join([await self.windows.get() for _ in range(count)])

    async def received(self, count: int) -> list[tuple[float, RtpPacket]]:
        async with asyncio.timeout(10):
            while len(self.arrived) < count:
                await asyncio.sleep(0.005)
        return self.arrived[:count]

    @property
    def session(self) -> Any:
        """What the caller protects its packets with."""
        return self.theirs.getTransceivers()[0].sender.transport

    def send(self, packet: bytes) -> None:
        """Have the caller send an RTP packet."""
        pair = self.session.transport._connection._nominated[1]
        pair.protocol.transport.sendto(self.session._tx_srtp.protect(packet), pair.remote_addr)

    def control(self, packet: bytes) -> None:
        """Have the caller send an RTCP packet."""
        pair = self.session.transport._connection._nominated[1]
        pair.protocol.transport.sendto(self.session._tx_srtp.protect_rtcp(packet), pair.remote_addr)


@asynccontextmanager
async def line(offered: str = "sendrecv") -> AsyncIterator[Line]:
    datagrams.install(loopback=True)
    receiving.ask_for_fec()
    config = RTCConfiguration(iceServers=[])
    theirs, ours = RTCPeerConnection(config), RTCPeerConnection(config)
    theirs.addTransceiver("audio", direction=offered)
    windows: asyncio.Queue[bytes] = asyncio.Queue()
    sender = Sender(OUT_RATE)
    receiver = Receiver(windows.put_nowait, loss=sender.expect_loss)
    try:
        await theirs.setLocalDescription(await theirs.createOffer())
        await ours.setRemoteDescription(theirs.localDescription)
        ours.getTransceivers()[0].direction = "sendrecv"
        await ours.setLocalDescription(await ours.createAnswer())
        assert "useinbandfec=1" in ours.localDescription.sdp
        await theirs.setRemoteDescription(ours.localDescription)
        made = Line(sender, receiver, theirs, ours, windows)

        async def arrive(packet: RtpPacket, arrival_time_ms: int) -> None:
            del arrival_time_ms
            made.arrived.append((asyncio.get_running_loop().time(), packet))

        theirs.getTransceivers()[0].receiver._handle_rtp_packet = arrive
        async with asyncio.timeout(10):
            while not ours.connectionState == theirs.connectionState == "connected":
                await asyncio.sleep(0.01)
        transceiver = ours.getTransceivers()[0]
        receiver.listen(transceiver.receiver)
        sender.speak(transceiver.sender, payload_type_of(transceiver))
        yield made
    finally:
        sender.close()
        receiver.close()
        await theirs.close()
        await ours.close()


def rtp(number: int, payload: bytes, *, ssrc: int = 7, payload_type: int = 96, start: int = 0) -> bytes:
    return RtpPacket(payload_type, 0, number & 0xFFFF, (start + number * 960) & 0xFFFFFFFF, ssrc, payload).serialize()


# In


async def test_what_is_said_is_heard_in_windows() -> None:
    async with line() as call:
        for number, payload in enumerate(packets(40)):
            call.send(rtp(number, payload))
        heard = await call.heard(24)
        assert len(heard) == 24 * WINDOW_BYTES
        assert pitch(heard[3200:]) == pytest.approx(HZ, abs=5)
        assert call.receiver.last_at is not None
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name], "aiortc's thread is left"


async def test_what_is_missing_is_waited_for_and_then_bridged() -> None:
    async with line() as call:
        sent, before = packets(20), receiving.dropped.copy()
        for number in (0, 1, 3, 4, 2, 5, 6, 8, 9, 10):  # 2 comes late, 7 never
            call.send(rtp(number, sent[number]))
        heard = await call.heard(6)
        assert pitch(heard[3200:]) == pytest.approx(HZ, abs=10)
        assert not receiving.dropped - before


async def test_silence_goes_on_when_nothing_comes() -> None:
    """A page may save silence, or the line be dead: the end of speech is noticed all the same."""
    async with line() as call:
        for number, payload in enumerate(packets(5)):
            call.send(rtp(number, payload))
        heard = await call.heard(20)
        assert not any(heard[-10 * WINDOW_BYTES :])


async def test_another_source_begins_anew() -> None:
    async with line() as call:
        sent = packets(40)
        for number in range(20):
            call.send(rtp(number, sent[number], ssrc=7))
        for number in range(20, 40):
            call.send(rtp(number + 30_000, sent[number], ssrc=8, start=12345))
        assert pitch((await call.heard(24))[3200:]) == pytest.approx(HZ, abs=5)
        assert list(call.receiver._streams) == [8]


async def test_new_keys_are_taken_as_they_come() -> None:
    async with line() as call:
        sent, ours = packets(40), call.ours.getTransceivers()[0].receiver.transport
        for number in range(20):
            call.send(rtp(number, sent[number]))
        await call.heard(12)
        refused = receiving.dropped["srtp"]
        key = secrets.token_bytes(30)
        call.session._tx_srtp, ours._rx_srtp = (
            Session(_policy(key, outbound=True)),
            Session(_policy(key, outbound=False)),
        )
        for number in range(20, 40):
            call.send(rtp(number, sent[number]))
        assert pitch(await call.heard(12)) == pytest.approx(HZ, abs=10)
        assert receiving.dropped["srtp"] == refused


def _policy(key: bytes, *, outbound: bool) -> Any:
    from pylibsrtp import Policy

    return Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND)


async def test_what_is_no_speech_of_the_callers_is_dropped_and_counted() -> None:
    async with line() as call:
        (good, *_), before = packets(3), receiving.dropped.copy()
        pair = call.session.transport._connection._nominated[1]
        pair.protocol.transport.sendto(b"\x80" + bytes(40), pair.remote_addr)  # not protected
        call.send(rtp(0, good))
        protected = call.session._tx_srtp.protect(rtp(1, good))
        for _ in range(2):
            pair.protocol.transport.sendto(protected, pair.remote_addr)  # sent again
        call.send(rtp(2, good, payload_type=0))
        call.send(rtp(3, b"\xff" * 3))
        for number in range(4, 8):
            call.send(rtp(number, good))
        await call.heard(2)
        assert receiving.dropped - before == {"srtp": 2, "payload_type": 1, "opus": 1}


async def test_a_flood_of_sound_is_cut_to_what_time_has_room_for() -> None:
    async with line() as call:
        before, sent = receiving.dropped.copy(), packets(10)
        for number in range(300):
            call.send(rtp(number, sent[number % 10]))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while not (receiving.dropped - before)["flood"]:
                await asyncio.sleep(0.01)
        assert call.windows.qsize() * WINDOW_BYTES / RATE / 2 < 3


async def test_a_line_that_stands_still_again_and_again_loses_nothing() -> None:
    """What stood still comes all at once; the silence that was put in meanwhile must not be held against it."""
    async with line() as call:
        before, sent = receiving.dropped.copy(), packets(10)
        for stall in range(20):
            for number in range(10):
                call.send(rtp(stall * 10 + number, sent[number]))
            await call.heard(6 + 4)  # 200 ms that have come, and silence, which ends only with the next
        assert (receiving.dropped - before)["flood"] == 0


# Out


async def test_what_is_spoken_arrives_at_its_pace_and_with_its_time() -> None:
    async with line() as call:
        call.sender.write(tone(0.4, OUT_RATE))
        arrived = await call.received(20)
        stamps = [(packet.timestamp - arrived[0][1].timestamp) & 0xFFFFFFFF for _, packet in arrived]
        assert stamps == [n * RTP_HZ // 50 for n in range(20)]
        numbers = [(packet.sequence_number - arrived[0][1].sequence_number) & 0xFFFF for _, packet in arrived]
        assert numbers == list(range(20))
        assert arrived[-1][0] - arrived[0][0] > 19 * FRAME_S - 0.01
        assert [packet.marker for _, packet in arrived] == [1] + [0] * 19


async def test_who_only_listens_hears() -> None:
    async with line("recvonly") as call:
        call.sender.write(bytes(OUT_RATE // 5 * 2))
        async with asyncio.timeout(5):
            while not call.arrived:
                await asyncio.sleep(0.01)
        assert call.arrived[0][1].payload_type == 96


async def test_room_is_given_ahead_of_sending() -> None:
    """The writer may go on while sound is still unsent, so a late loop is not heard."""
    async with line() as call:
        assert call.sender.write(tone(LOOK_AHEAD_S, OUT_RATE)).done()
        full = call.sender.write(tone(0.08, OUT_RATE))
        assert not full.done()
        async with asyncio.timeout(1):
            assert await full


async def test_silence_is_not_sent_and_speech_after_it_leaves_at_once() -> None:
    async with line() as call:
        call.sender.write(tone(FRAME_S, OUT_RATE))
        await call.received(1 + HANGOVER_FRAMES)
        await asyncio.sleep(0.2)
        assert len(call.arrived) == 1 + HANGOVER_FRAMES
        written_at = asyncio.get_running_loop().time()
        call.sender.write(tone(FRAME_S, OUT_RATE))
        (*_, (_, last), (at, first)) = await call.received(2 + HANGOVER_FRAMES)
        assert at - written_at < FRAME_S
        assert first.marker == 1
        assert (first.timestamp - last.timestamp) & 0xFFFFFFFF > 0.15 * RTP_HZ, "the clock stood still"


async def test_an_interruption_drops_what_is_not_sent_and_wakes_the_writer() -> None:
    async with line() as call:
        waiting = call.sender.write(tone(1, OUT_RATE))
        await call.received(3)
        call.sender.drop()
        assert waiting.done()
        sent = len(call.arrived)
        await asyncio.sleep(0.3)
        assert len(call.arrived) <= sent + 1 + HANGOVER_FRAMES


async def test_loss_that_is_reported_is_provided_for() -> None:
    async with line() as call:
        call.sender.write(tone(0.2, OUT_RATE))
        plain = [packet.payload for _, packet in await call.received(10)]
        assert not any(carries_copy(payload) for payload in plain)
        report = RtcpReceiverInfo(call.ours.getTransceivers()[0].sender._ssrc, round(0.2 * 256), 0, 0, 0, 0, 0)
        before = len(call.arrived)
        call.control(bytes(RtcpRrPacket(1, [report])))
        async with asyncio.timeout(10):
            while not call.sender._loss:
                await asyncio.sleep(0)
        call.sender.write(tone(0.4, OUT_RATE))
        protected = [packet.payload for _, packet in (await call.received(before + 20))[before + 5 :]]
        assert any(carries_copy(payload) for payload in protected)
        for _ in range(30):
            call.sender.expect_loss(0.0)
        assert round(call.sender._loss, 2) == 0.0


async def test_a_closed_sender_lets_go_of_everybody() -> None:
    async with line() as call:
        writing = call.sender.write(tone(1, OUT_RATE))
        call.sender.close()
        assert writing.done()
