"""Media packets nobody should send: endless attacks on one call, of well-formed packets and what is done to them.

An attack is an endless iterator of datagrams for the wire, `None` where it waits; the same seed makes the same attack.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pylibsrtp
from aioice.stun import Class, Message, Method
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    pack_remb_fci,
    pack_rtcp_packet,
)
from google_crc32c import value as crc32c
from OpenSSL import SSL

from bench.caller import Caller
from bench.load import UTTERANCES
from bench.sound import VOICE, load_clip

CALM_HZ, FLOOD_HZ = 250, 1_000
KEPT = 500
MOST_BYTES = 1_400
CLOCK = 1 << 32

Packets = Iterator[bytes | None]


@dataclass
class Speaker:
    """Who has a call's keys: all that media packets need.

    Attributes:
        session: Protects what is sent.
        random: Its chance.
    """

    session: pylibsrtp.Session
    random: random.Random
    number: int = 0
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ssrc, self.their_ssrc = self.random.getrandbits(32), self.random.getrandbits(32)

    def protected(self, packet: bytes, *, control: bool = False) -> bytes:
        """As SRTP or SRTCP; what libsrtp refuses to protect goes as it is."""
        try:
            return self.session.protect_rtcp(packet) if control else self.session.protect(packet)
        except (pylibsrtp.Error, ValueError):
            return packet


class Line(Speaker):
    """An attacker's own call, seen from below."""

    def __init__(self, caller: Caller, chance: random.Random) -> None:
        sender: Any = caller._pc.getTransceivers()[0].sender
        sender.replaceTrack(None)  # The microphone's numbers would be in the way of ours.
        self.caller = caller
        self.dtls: Any = sender.transport
        self.ice: Any = self.dtls.transport._connection
        self.sctp: Any = caller._pc.sctp
        self._pair: Any = self.ice._nominated[1]
        super().__init__(self.dtls._tx_srtp, chance)

    def send(self, datagram: bytes) -> None:
        """Put it on the wire, from where the server knows the call to be."""
        self._pair.protocol.transport.sendto(datagram, self._pair.remote_addr)

    def encrypted(self, data: bytes) -> bytes | None:
        """As a DTLS record."""
        try:
            self.dtls._ssl.send(data)
            return self.dtls._ssl.bio_read(MOST_BYTES + 100)
        except SSL.Error:
            return None


# Well-formed packets

_SPEECH = load_clip(VOICE / UTTERANCES[0]).packets


def rtp(
    number: int,
    payload: bytes,
    *,
    ssrc: int,
    timestamp: int | None = None,
    payload_type: int = 96,
    csrc: int = 0,
    extension: bytes | None = None,
    padding: int = 0,
) -> bytes:
    """An RTP packet (RFC 3550, section 5.1)."""
    first = 2 << 6 | bool(padding) << 5 | (extension is not None) << 4 | csrc
    stamp = number * 960 if timestamp is None else timestamp
    header = struct.pack("!BBHII", first, payload_type & 0xFF, number & 0xFFFF, stamp % CLOCK, ssrc % CLOCK)
    more = b"" if extension is None else struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
    end = bytes(padding - 1) + bytes([padding]) if padding else b""
    return header + bytes(4 * csrc) + more + payload + end


def speech(line: Speaker) -> bytes:
    """The next packet of a stream of speech."""
    line.number += 1
    return rtp(line.number, _SPEECH[line.number % len(_SPEECH)], ssrc=line.ssrc)


def controls(line: Speaker) -> list[bytes]:
    """One RTCP packet of each type."""
    chance = line.random
    numbers = [chance.getrandbits(32) for _ in range(6)]
    report = RtcpReceiverInfo(
        line.their_ssrc, numbers[0] & 0xFF, chance.randint(-(1 << 23), (1 << 23) - 1), *numbers[1:5]
    )
    sender = RtcpSenderInfo(chance.getrandbits(64), *numbers[:3])
    reports = [report] * chance.randint(0, 31)
    return [
        bytes(RtcpSrPacket(chance.choice([line.ssrc, numbers[5]]), sender, reports)),
        bytes(RtcpRrPacket(line.ssrc, reports)),
        bytes(RtcpSdesPacket([RtcpSourceInfo(line.ssrc, [(1, chance.randbytes(20))])])),
        bytes(RtcpByePacket([line.ssrc, *numbers])),
        bytes(RtcpRtpfbPacket(1, line.ssrc, line.their_ssrc, sorted({number & 0xFFFF for number in numbers}))),
        bytes(RtcpPsfbPacket(1, line.ssrc, line.their_ssrc)),
        bytes(RtcpPsfbPacket(15, line.ssrc, 0, pack_remb_fci(chance.getrandbits(40), [line.their_ssrc]))),
        pack_rtcp_packet(204, 0, struct.pack("!I4s", line.ssrc, b"name") + chance.randbytes(8)),
        pack_rtcp_packet(207, 0, struct.pack("!I", line.ssrc) + chance.randbytes(4 * chance.randrange(20))),
    ]


def check(line: Line, *, ours: bool) -> Message:
    """A connectivity check, with the call's own credentials or somebody else's."""
    ice = line.ice
    attributes: dict[str, Any] = {"USERNAME": f"{ice.remote_username}:{ice.local_username}", "PRIORITY": 1}
    role = line.random.choice(["ICE-CONTROLLING", "ICE-CONTROLLED", None])
    if role:
        attributes[role] = line.random.getrandbits(64)
    if line.random.random() < 0.5:
        attributes["USE-CANDIDATE"] = None
    kind = line.random.choice([Class.REQUEST, Class.REQUEST, Class.INDICATION, Class.RESPONSE, Class.ERROR])
    if kind is Class.ERROR:
        attributes["ERROR-CODE"] = (line.random.choice([400, 401, 487, 699]), "no")
    message = Message(line.random.choice(list(Method)[:1] * 4 + list(Method)), kind, attributes=attributes)
    message.add_message_integrity(ice.remote_password.encode() if ours else line.random.randbytes(22))
    return message


# What is done to them


def flipped(packet: bytes, chance: random.Random, *, most: int = 8) -> bytes:
    """With some of its bits turned around."""
    changed = bytearray(packet)
    for _ in range(chance.randint(1, most) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(packet: bytes, chance: random.Random) -> bytes:
    """Its beginning."""
    return packet[: chance.randrange(len(packet) + 1)]


def mangled(packet: bytes, chance: random.Random) -> bytes:
    """Flipped, cut, doubled, with something in the middle, or as it is."""
    at = chance.randrange(len(packet) + 1)
    return chance.choice(
        [
            packet,
            flipped(packet, chance),
            cut(packet, chance),
            packet + packet,
            packet[:at] + chance.randbytes(chance.randrange(40)) + packet[at:],
        ]
    )[:MOST_BYTES]


# Attacks of an authenticated caller


def bits(line: Speaker) -> Packets:
    """RTP with flipped bits, cut off or swollen, then protected."""
    while True:
        yield line.protected(mangled(speech(line), line.random))


def heads(line: Speaker) -> Packets:
    """RTP with extensions, contributing sources and padding, some of them longer than the packet."""
    chance = line.random
    while True:
        line.number += 1
        packet = rtp(
            line.number,
            chance.choice(_SPEECH[:50]) if chance.random() < 0.8 else b"",
            ssrc=line.ssrc,
            csrc=chance.choice([0, 0, 1, 15]),
            extension=chance.choice([None, b"", chance.randbytes(4 * chance.randrange(60))]),
            padding=chance.choice([0, 0, 1, 4, 200]),
        )
        if chance.random() < 0.3:  # the last byte says how much padding there is
            packet = packet[:-1] + bytes([chance.randrange(256)])
        yield line.protected(packet)


def payload_types(line: Speaker) -> Packets:
    """Every payload type, those of RTCP included."""
    while True:
        line.number += 1
        yield line.protected(
            rtp(line.number, _SPEECH[0], ssrc=line.ssrc, payload_type=line.random.randrange(256)),
        )


def sources(line: Speaker) -> Packets:
    """Every packet from another source, and a report of each."""
    while True:
        ssrc = line.random.getrandbits(32)
        yield line.protected(rtp(line.random.getrandbits(16), _SPEECH[0], ssrc=ssrc))
        yield line.protected(bytes(RtcpSrPacket(ssrc, RtcpSenderInfo(0, 0, 0, 0))), control=True)


def turns(line: Speaker) -> Packets:
    """A few sources that take turns with every packet."""
    while True:
        line.number += 1
        yield line.protected(rtp(line.number, _SPEECH[line.number % 50], ssrc=line.ssrc + line.number % 4))


def leaps(line: Speaker) -> Packets:
    """Sequence numbers and timestamps that jump, wrap, stand still and go back."""
    chance, stamp = line.random, 0
    while True:
        line.number += chance.choice([1, 1, 1, 2, 5, 9, 100, 2_999, 3_001, 0x7FFF, 0x8000, -1, -3, -100])
        stamp += chance.choice([0, 960, 960, 960, 48_000, 47_999, 1 << 31, -960, -(1 << 31), CLOCK - 1])
        yield line.protected(rtp(line.number, chance.choice(_SPEECH[:50]), ssrc=line.ssrc, timestamp=stamp))


def jitter(line: Speaker) -> Packets:
    """A clock that goes from its end to its beginning and back, late and at once: no report can hold such jitter."""
    while True:
        line.number += 2
        yield line.protected(rtp(line.number, _SPEECH[0], ssrc=line.ssrc, timestamp=CLOCK - 1))
        yield from [None] * (10 if line.number > 800 else 0)
        yield line.protected(rtp(line.number + 1, _SPEECH[0], ssrc=line.ssrc, timestamp=0))


def codec(line: Speaker) -> Packets:
    """Opus packets of every mode, length and number of frames, up to 120 ms and down to nothing, with noise in them."""
    chance = line.random
    while True:
        line.number += 1
        toc = chance.randrange(256)
        frames = bytes([chance.randrange(256)]) if toc & 3 == 3 else b""
        payload = chance.choice([b"", bytes([toc]), bytes([toc]) + frames + chance.randbytes(chance.randrange(1_200))])
        yield line.protected(rtp(line.number, payload, ssrc=line.ssrc))


def long_packets(line: Speaker) -> Packets:
    """Six frames of 20 ms in each packet, a second apart: much sound from little."""
    while True:
        line.number += 2
        payload = b"\xf7\x06" + line.random.randbytes(6 * 40)
        yield line.protected(rtp(line.number, payload, ssrc=line.ssrc, timestamp=line.number * 24_000))


def gaps(line: Speaker) -> Packets:
    """Some packets, then nothing for a while, with holes and the wrong order inside."""
    while True:
        some = [line.protected(speech(line)) for _ in range(line.random.randint(1, 12))]
        line.random.shuffle(some)
        yield from some[: line.random.randint(1, len(some))]
        yield from [None] * line.random.randint(1, 150)


def flood(line: Speaker) -> Packets:
    """Good speech, twenty times as fast as it is spoken."""
    while True:
        yield line.protected(speech(line))


def reports(line: Speaker) -> Packets:
    """RTCP of every type, some together, some mangled, with lengths and counts that are not theirs."""
    chance = line.random
    while True:
        packets = chance.sample(controls(line), chance.randint(1, 4))
        if chance.random() < 0.6:
            packets[0] = flipped(packets[0][:4], chance, most=3) + packets[0][4:]
        whole = b"".join(packets)[: MOST_BYTES & ~3]
        yield line.protected(mangled(whole, chance) if chance.random() < 0.3 else whole, control=True)


def feedback(line: Speaker) -> Packets:
    """As many NACKs as a packet holds, each of all there is."""
    while True:
        lost = struct.pack("!II", line.ssrc, line.their_ssrc) + b"\xff" * 1_300
        yield line.protected(pack_rtcp_packet(205, 1, lost), control=True)
        yield line.protected(pack_rtcp_packet(203, 0, b"") * 330, control=True)


def crowds(line: Speaker) -> Packets:
    """As many reports as a packet holds, each of which has to be answered for."""
    while True:
        yield line.protected(controls(line)[0] * (MOST_BYTES // len(controls(line)[0])), control=True)


def damaged(line: Speaker) -> Packets:
    """SRTP and SRTCP whose tag does not fit any more."""
    while True:
        control = line.random.random() < 0.3
        packet = line.random.choice(controls(line)) if control else speech(line)
        yield flipped(line.protected(packet, control=control), line.random)


def replays(line: Speaker) -> Packets:
    """What has been sent before, again and again."""
    while True:
        if len(line.sent) < KEPT:
            line.sent.append(line.protected(speech(line)))
            line.sent.append(line.protected(controls(line)[1], control=True))
            yield line.sent[-2]
            yield line.sent[-1]
        yield line.random.choice(line.sent)


def checks(line: Line) -> Packets:
    """STUN with the right and with wrong credentials, as it should be and mangled."""
    chance = line.random
    while True:
        message = bytes(check(line, ours=chance.random() < 0.7))
        yield message if chance.random() < 0.4 else mangled(message, chance)


def bare_checks(line: Line) -> Packets:
    """Authenticated checks whose attributes are noise: what is signed is parsed."""
    chance = line.random
    while True:
        message = check(line, ours=True)
        for name in ("PRIORITY", "USERNAME", "USE-CANDIDATE"):
            if chance.random() < 0.4:
                message.attributes.pop(name, None)
        message.add_message_integrity(line.ice.remote_password.encode())
        yield bytes(message)


def records(line: Line) -> Packets:
    """DTLS garbage where the handshake took place: alerts, hellos, records of another epoch."""
    chance = line.random
    while True:
        body = chance.randbytes(chance.randrange(200))
        header = struct.pack("!BHHIHH", chance.choice([20, 21, 22, 23, 25, 63]), 0xFEFD, chance.randrange(3), 0, 1, 0)
        yield chance.choice([header + body, header[:-2] + struct.pack("!H", len(body)) + body, chance.randbytes(30)])


def chunks(line: Line) -> Packets:
    """SCTP with a good checksum in good DTLS records, and chunks with noise in them.

    Of every type but those that end the association at once (abort, shutdown acknowledged).
    """
    chance = line.random
    kinds = (0, 0, 0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 14, 64, 130, 192, 255)
    while True:
        tag = chance.choice([line.sctp._remote_verification_tag] * 4 + [0, chance.getrandbits(32)])
        many = b"" if chance.random() < 0.8 else _sctp_bomb(line)
        for _ in range(chance.randint(0 if many else 1, 3)):
            body = chance.randbytes(chance.choice([0, 1, 3, 4, 8, 12, 13, 16, 40, 200]))
            length = len(body) + 4 if chance.random() < 0.8 else chance.getrandbits(16)
            padding = bytes(-len(body) % 4)
            many += struct.pack("!BBH", chance.choice(kinds), chance.randrange(8), length) + body + padding
        header = struct.pack("!HHI", 5_000, 5_000, tag)
        yield line.encrypted(header + struct.pack("<I", crc32c(header + bytes(4) + many)) + many)


def _sctp_bomb(line: Line) -> bytes:
    """A chunk that is small and means much."""
    far = line.sctp._local_tsn + line.random.randrange(1, 2_000, 2)
    match line.random.randrange(3):
        case 0:  # acknowledges everything, again and again
            sack = struct.pack("!IIHH", line.sctp._last_received_tsn % CLOCK, 1, 280, 0) + b"\0\1\xff\xff" * 280
            return struct.pack("!BBH", 3, 0, 4 + len(sack)) + sack
        case 1:  # skips in hundreds of streams
            some = struct.pack("!I", far % CLOCK) + line.random.randbytes(4 * 280)
            return struct.pack("!BBH", 192, 0, 4 + len(some)) + some
        case _:  # whole messages of no kind, each with a hole before it
            chunk = struct.Struct("!BBHIHHI4s")
            return b"".join(chunk.pack(0, 7, 20, (far + 2 * n) % CLOCK, n % 4, 0, 99, b"word") for n in range(50))


def noise(line: Speaker) -> Packets:
    """Random bytes of any length."""
    while True:
        yield line.random.randbytes(line.random.randrange(MOST_BYTES))


MEDIA: dict[str, tuple[Callable[[Speaker], Packets], int]] = {
    "bits": (bits, CALM_HZ),
    "heads": (heads, CALM_HZ),
    "payload types": (payload_types, CALM_HZ),
    "sources": (sources, FLOOD_HZ),
    "sources in turns": (turns, CALM_HZ),
    "leaps": (leaps, CALM_HZ),
    "jitter": (jitter, CALM_HZ),
    "codec": (codec, CALM_HZ),
    "long packets": (long_packets, FLOOD_HZ),
    "gaps": (gaps, CALM_HZ),
    "flood of sound": (flood, FLOOD_HZ),
    "reports": (reports, CALM_HZ),
    "flood of reports": (feedback, FLOOD_HZ),
    "crowds of reports": (crowds, FLOOD_HZ),
    "damaged": (damaged, CALM_HZ),
    "flood of replays": (replays, FLOOD_HZ),
    "noise": (noise, FLOOD_HZ),
}
"""What can be done with a call's keys alone, and how many times a second."""

ATTACKS: dict[str, tuple[Callable[[Line], Packets], int]] = {
    **MEDIA,
    "checks": (checks, CALM_HZ),
    "bare checks": (bare_checks, CALM_HZ),
    "records": (records, CALM_HZ),
    "chunks": (chunks, CALM_HZ),
}
"""What an authenticated caller does."""


def strangers_datagram(chance: random.Random) -> bytes:
    """What somebody sends who belongs to no call."""
    message = Message(chance.choice(list(Method)), chance.choice(list(Class)), attributes={"USERNAME": "ab:cd"})
    message.add_message_integrity(b"guessed")
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x40\x01" + chance.randbytes(63)
    return chance.choice(
        [
            b"",
            chance.randbytes(chance.randrange(MOST_BYTES)),
            bytes(message),
            mangled(bytes(message), chance),
            b"\0\1\xfa\x00\x21\x12\xa4\x42" + bytes(12) + b"\x80\x22\x00\x00" * 16_000,  # 64 kB of empty attributes
            hello,
            mangled(hello, chance),
            rtp(chance.getrandbits(16), _SPEECH[0], ssrc=chance.getrandbits(32)),
            b"\x80\xc8\x00\x06" + chance.randbytes(24),
        ]
    )
