"""Whatever comes in a caller's media packets, nothing is raised, nothing grows, and the caller is heard again."""

from __future__ import annotations

import random
import secrets
from itertools import islice
from typing import Any

import pytest
from aiortc import RTCCertificate, RTCIceGatherer, RTCIceTransport, RTCRtpReceiver
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpReceiverInfo, RtcpRtpfbPacket
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from agent import datagrams
from agent.media import receiver as receiving
from agent.media.order import MAX_HELD
from agent.media.receiver import AHEAD_S, MAX_SOURCES, MEDIA_BURST, REGAIN, WINDOW_BYTES, Receiver
from agent.media.unpacking import MAX_GAP, RATE
from bench.hostile import MEDIA, Speaker, rtp
from core import tasks
from tests.unit.agent.media.sound import HZ, packets, pitch

PACKET_S = 0.02
HOME = 5
LONGEST_S = MAX_GAP / RATE + 0.18  # of one packet: the gap before it, what is made up for it, and its own sound

_certificate = RTCCertificate.generateCertificate()


class Ear:
    """A receiver on a connection of aiortc's that never was made, with real keys, and a clock that is set by hand."""

    def __init__(self, seed: int) -> None:
        datagrams.install(bind_addresses=["127.0.0.1"])
        key = secrets.token_bytes(30)
        self.now_s = 100.0
        self.heard: list[bytes] = []
        self._said = 0
        self.receiver = Receiver(self.heard.append, clock=lambda: self.now_s)
        dtls: Any = RTCDtlsTransport(RTCIceTransport(RTCIceGatherer(iceServers=[])), [_certificate])
        dtls._rx_srtp = Session(_policy(key, Policy.SSRC_ANY_INBOUND))
        rtp: Any = RTCRtpReceiver("audio", dtls)
        opus = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48_000, channels=2, payloadType=96)
        getattr(rtp, receiving._CODECS)[96] = opus
        self.receiver.listen(rtp)
        self.speaker = Speaker(Session(_policy(key, Policy.SSRC_ANY_OUTBOUND)), random.Random(seed))
        self.says(packets(1)[0])

    def says(self, payload: bytes, after_s: float = PACKET_S, *, payload_type: int = 96) -> None:
        """The caller's own words; attacks come from other sources of theirs."""
        self._said += 1
        packet = rtp(self._said, payload, ssrc=HOME, payload_type=payload_type)
        self.takes(self.speaker.protected(packet), after_s)

    def loses(self) -> None:
        """A packet of theirs does not come."""
        self._said += 1

    def takes(self, datagram: bytes | None, after_s: float = PACKET_S) -> None:
        self.now_s += after_s
        if datagram is not None:
            self.receiver.receive(datagram)
        self.is_bounded()

    def is_bounded(self) -> None:
        receiver = self.receiver
        assert len(receiver._order._held) < MAX_HELD
        assert len(receiver._streams) <= 1
        assert len(receiver._sources) <= MAX_SOURCES
        assert len(receiver._pcm) < WINDOW_BYTES
        passed_s = self.now_s - 100.0
        assert len(self.heard) * WINDOW_BYTES / RATE / 2 <= AHEAD_S + passed_s * REGAIN + LONGEST_S
        for stream in receiver._streams.values():
            assert stream.max_seq is not None
            lost = stream.fraction_lost, stream.packets_lost
            assert bytes(RtcpReceiverInfo(1, *lost, stream.max_seq, stream.jitter, 0, 0))

    def hears_again(self) -> None:
        """The caller goes on, and their words are heard."""
        self.now_s += 10.0
        self.heard.clear()
        for payload in packets(60):
            self.says(payload)
        assert pitch(b"".join(self.heard[-15:])) == pytest.approx(HZ, abs=40)

    def close(self) -> None:
        self.receiver.close()
        assert self.receiver._gap is None
        assert self.receiver._idle is None


def _policy(key: bytes, kind: int) -> Policy:
    policy = Policy(key=key, ssrc_type=kind)
    policy.allow_repeat_tx, policy.window_size = True, 1024
    return policy


attacks = st.tuples(st.sampled_from(sorted(MEDIA)), st.integers(1, 60), st.sampled_from([0.0, 0.001, PACKET_S, 0.2]))
datagram = st.builds(lambda first, rest: bytes([first]) + rest, st.integers(128, 191), st.binary(max_size=120))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 32), st.lists(st.one_of(attacks, datagram), max_size=6))
async def test_nothing_is_raised_nothing_grows_and_the_caller_is_heard_again(
    seed: int, hostile: list[tuple[str, int, float] | bytes]
) -> None:
    before, ear = receiving.dropped.copy(), Ear(seed)
    try:
        for each in hostile:
            if isinstance(each, bytes):
                ear.takes(each)
                continue
            name, count, after_s = each
            for packet in islice(MEDIA[name][0](ear.speaker), count):
                ear.takes(packet, after_s)
        ear.hears_again()
    finally:
        ear.close()
        await tasks.drain(timeout_s=5)
    assert not (receiving.dropped - before)["failed"], "something was raised that nobody had thought of"


async def test_a_caller_has_only_so_many_sources() -> None:
    """libsrtp searches all it has seen for every packet: twenty thousand of them take 20 ms."""
    ear = Ear(1)
    for ssrc in range(1, 200):
        packet = rtp(1, packets(1)[0], ssrc=ssrc, padding=4)
        # Every other one claims more padding than it is long: authentic, and of no use.
        ear.takes(ear.speaker.protected(packet[:-1] + b"\xff" if ssrc % 2 else packet))
    refused = receiving.dropped["sources"]
    ear.takes(ear.speaker.protected(rtp(1, packets(1)[0], ssrc=200)))
    assert receiving.dropped["sources"] == refused + 1
    assert len(ear.receiver._sources) == MAX_SOURCES
    ear.close()


async def test_no_jitter_is_beyond_its_field() -> None:
    """A report that cannot be written ends aiortc's task, and closing the connection would wait for it for ever."""
    ear = Ear(1)
    for packet in islice(MEDIA["jitter"][0](ear.speaker), 1_200):
        ear.takes(packet, 0.0)
    (stream,) = ear.receiver._streams.values()
    stream._jitter_q4 = 1 << 40
    ear.is_bounded()
    ear.close()


async def test_a_report_tells_how_often_the_numbers_began_anew() -> None:
    """RFC 3550, section 6.4.1: the upper half of the highest sequence number."""
    ear = Ear(1)
    for number in range(0, 0x30000, 0x1000):
        ear.takes(ear.speaker.protected(rtp(number & 0xFFFF, b"", ssrc=HOME + 1, padding=4)), 1.0)
        ear.takes(ear.speaker.protected(rtp(number & 0xFFFF, packets(1)[0], ssrc=HOME + 1)), 1.0)
    (stream,) = ear.receiver._streams.values()
    assert stream.max_seq == 0x2F000
    assert stream.packets_expected == 0x2F001
    ear.close()


async def test_nobody_makes_the_numbers_begin_anew_more_often_than_a_report_can_tell() -> None:
    ear = Ear(1)
    (stream,) = ear.receiver._streams.values()
    stream.cycles = 0xFFFF0000
    for number in (0x6000, 0xC000, 0x1000):
        ear.takes(ear.speaker.protected(rtp(number, packets(1)[0], ssrc=HOME)))
    assert stream.max_seq == 0x1000
    ear.close()


async def test_a_flood_is_not_even_looked_at() -> None:
    ear, (word, *_), before = Ear(1), packets(1), receiving.dropped.copy()
    for _ in range(MEDIA_BURST + 500):
        ear.says(word, 0.0)
    seen = receiving.dropped - before
    assert ear.receiver._streams[HOME].packets_received <= MEDIA_BURST + 1
    assert seen["flood"] >= 500
    ear.hears_again()
    ear.close()


async def test_a_new_source_loses_nothing_of_the_one_before() -> None:
    ear = Ear(1)
    ear.loses()
    for payload in packets(5):
        ear.says(payload)
    assert ear.receiver._order.waiting
    heard = len(ear.heard)
    ear.takes(ear.speaker.protected(rtp(700, packets(1)[0], ssrc=HOME + 1)))
    assert len(ear.heard) >= heard + 2
    straggler = ear.speaker.protected(rtp(ear._said + 1, packets(1)[0], ssrc=HOME))
    before = receiving.dropped["late"]
    ear.takes(straggler)
    assert ear.receiver._ssrc == HOME + 1
    assert receiving.dropped["late"] == before + 1
    ear.takes(ear.speaker.protected(rtp(ear._said + 2, packets(1)[0], ssrc=HOME)), 0.2)
    assert ear.receiver._ssrc == HOME  # It is back, indeed.
    ear.close()


async def test_padding_and_pressed_keys_are_not_missed() -> None:
    """They are numbered like speech; what follows them does not wait."""
    ear = Ear(1)
    for number, payload in enumerate(packets(9)):
        ear.says(b"" if number == 5 else payload, payload_type=101 if number == 3 else 96)
        assert not ear.receiver._order.waiting
    ear.close()


async def test_who_was_far_ahead_once_is_not_cut_short_from_then_on() -> None:
    ear, (word, *_), before = Ear(1), packets(1), receiving.dropped.copy()
    ear.now_s += 2.0
    for after_s in [0.0] * 100 + [PACKET_S] * 100 + [2 * PACKET_S, 0.0] * 20:  # late, in time, two at a time
        ear.says(word, after_s)
    assert (receiving.dropped - before)["flood"] <= 2
    ear.close()


async def test_what_is_held_comes_before_the_silence_that_follows() -> None:
    ear = Ear(1)
    for payload in packets(3):
        ear.loses()
        ear.says(payload)
    assert ear.receiver._order.waiting
    ear.now_s += 0.15
    ear.receiver._fill()
    assert not ear.receiver._order.waiting
    ear.close()


async def test_requests_for_what_was_sent_cost_nothing() -> None:
    ear, before = Ear(1), tasks.running()
    nack = bytes(RtcpRtpfbPacket(1, ear.speaker.ssrc, 7, list(range(100))))
    assert ear.receiver.receive(ear.speaker.protected(nack * 10, control=True))
    assert tasks.running() == before
    ear.close()


async def test_control_packets_beyond_the_limit_prove_nothing() -> None:
    """What has not been verified must not tell where the caller is."""
    ear = Ear(1)
    forged = b"\x80\xc8\x00\x06" + bytes(40)
    assert not any(ear.receiver.receive(forged) for _ in range(200))
    ear.close()


async def test_who_forges_the_callers_address_takes_nothing_from_them() -> None:
    ear, (word, *_) = Ear(1), packets(1)
    forged = ear.speaker.protected(rtp(9, word, ssrc=HOME))
    assert forged is not None
    before = ear.receiver._streams[HOME].packets_received
    for number in range(MEDIA_BURST + 500):
        ear.takes(forged[:-1] + bytes([forged[-1] ^ (number % 255 + 1)]), 0.0)
    for _ in range(20):
        ear.says(word, 0.0)
    assert ear.receiver._streams[HOME].packets_received == before + 20
    ear.close()
