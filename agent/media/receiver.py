"""What the caller says, from the datagram to windows of sound, in the callback that brings the datagram.

aiortc would queue the datagram, wake a task, queue the packet, wake a thread and queue the sound back. It still makes
the connection, counts what arrives, reports it to the sender (RTCP, RFC 3550) and answers for the statistics.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import pylibsrtp
from aiortc import RTCRtpReceiver, RTCRtpTransceiver
from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSrPacket, RtpPacket, is_rtcp
from loguru import logger

from agent.bucket import TokenBucket
from agent.datagrams import GuardedConnection
from agent.media.opus import OpusError
from agent.media.order import Order
from agent.media.unpacking import RTP_HZ, Piece, Unpacker
from core.clock import monotonic_s
from core.fit import require_fit, unset
from core.tasks import spawn
from pipelines.voice import RATE, WINDOW_BYTES

HOLD_S = 0.06
"""How long a packet waits for those missing before it: longer than Wi-Fi shuffles them, shorter than it hurts."""

IDLE_AFTER_S = 0.1
"""Nothing for this long, and silence is put in as time passes, so that the end of speech is noticed all the same."""

IDLE_STEP = RATE * 30 // 1000
IDLE_MOST_S = 2.5
"""By then everybody has understood that nothing comes."""

AHEAD_S = 2.0
"""Sound that may come faster than time passes, after a line has stood still; more is a flood, and is dropped."""

REGAIN = 1.25
"""Seconds of sound that a second makes room for: at no more than one, a caller who has been that far ahead once would
lose whatever comes a little early for the rest of the call."""

MEDIA_PER_S, CONTROLS_PER_S = 500, 50
"""Packets that are looked at: Opus makes fifty a second, at most four hundred (RFC 7587, section 4.2)."""

MEDIA_BURST = 1_000
"""After a line has stood still, everything comes at once."""

UNPROVEN_PER_S = 2_000
"""Packets whose seal is looked at. Whoever forges the caller's address takes from this, and nothing from the caller."""

MAX_SOURCES = 32
"""SSRCs that a caller may send from, control packets included: libsrtp keeps what it knows of each, and searches them
one by one for every packet."""

MAX_JITTER = 0xFFFFFFFF
"""What its field holds (RFC 3550, section 6.4.1)."""

dropped: Counter[str] = Counter()
"""Media packets thrown away since the process started, by reason, for the metrics."""

_CODECS, _STREAMS = "_RTCRtpReceiver__codecs", "_RTCRtpReceiver__remote_streams"
_STOP_DECODER = "_RTCRtpReceiver__stop_decoder"
_AGREED = "_codecs"


class _Statistics(StreamStatistics):
    """aiortc's, with what would make its reports wrong put right."""

    def add(self, packet: RtpPacket) -> None:
        """Count a packet; `max_seq` goes on where the packets' numbers begin anew, as reports need it."""
        if self.max_seq is not None:
            self.max_seq &= 0xFFFF
        super().add(packet)
        assert self.max_seq is not None
        self.cycles &= 0xFFFF0000
        self.max_seq += self.cycles

    @property
    def packets_expected(self) -> int:
        assert self.max_seq is not None
        assert self.base_seq is not None
        return self.max_seq - self.base_seq + 1

    @property
    def jitter(self) -> int:
        # Leaps of the caller's clock make more of it than its field holds, and aiortc's task that reports it would end
        # with an error, for whose regular end closing the connection then waits for ever.
        return min(super().jitter, MAX_JITTER)


class Receiver:
    """The sound of one call's caller.

    Args:
        hear: Takes each window, `WINDOW_BYTES` of 16 kHz mono 16-bit PCM; must not block.
        loss: Told what share of our own packets the caller's side has lost, 0..1, whenever it reports.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        hear: Callable[[bytes], None],
        *,
        loss: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.last_at: float | None = None
        """When sound last came from the caller."""
        self._hear = hear
        self._loss = loss
        self._clock = clock
        self._order: Order[Piece] = Order(refused=dropped)
        self._unpacker = Unpacker()
        self._pcm = bytearray()
        self._ssrc: int | None = None
        self._left: int | None = None
        self._left_at = 0.0
        self._sources: set[bytes] = set()
        self._rtp: Any = None
        self._dtls: Any = None
        self._ice: GuardedConnection | None = None
        self._streams: dict[int, StreamStatistics] = {}
        self._payload_types: tuple[int, ...] = ()
        self._gap: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._credit_s, self._credited_at = AHEAD_S, 0.0
        self._unproven = TokenBucket(rate_per_s=UNPROVEN_PER_S, burst=2 * UNPROVEN_PER_S, clock=clock)
        self._media_packets = TokenBucket(rate_per_s=MEDIA_PER_S, burst=MEDIA_BURST, clock=clock)
        self._control_packets = TokenBucket(rate_per_s=CONTROLS_PER_S, burst=CONTROLS_PER_S, clock=clock)
        self._stumbled = False

    # From aiortc, and back

    def listen(self, receiver: RTCRtpReceiver) -> None:
        """Take over what a connected `receiver` gets from now on, also from an earlier one (ICE restart)."""
        self.close()
        # What aiortc does not have in its public interface; `verify` knows whether it is still there.
        self._rtp = receiver
        getattr(self._rtp, _STOP_DECODER)()
        self._streams = getattr(self._rtp, _STREAMS)
        codecs = getattr(self._rtp, _CODECS)
        self._payload_types = tuple(number for number, codec in codecs.items() if codec.name.lower() == "opus")
        self._dtls = self._rtp.transport
        self._ice = self._dtls.transport._connection
        assert isinstance(self._ice, GuardedConnection)
        self._begin_stream(None)
        self._sources.clear()
        self._credit_s, self._credited_at = AHEAD_S, self._clock()
        self._ice.media = self.receive

    def close(self) -> None:
        """Take nothing more."""
        for timer in (self._gap, self._idle):
            if timer is not None:
                timer.cancel()
        self._gap = self._idle = None
        if self._ice is not None:
            self._ice.media = None

    # Datagrams

    def receive(self, data: bytes) -> bool:
        """Take an SRTP or SRTCP packet from where the caller is known to be; runs fifty times a second.

        Returns:
            Whether the caller has sent it, and not sent it before.
        """
        control = is_rtcp(data)
        source = data[4:8] if control else data[8:12]
        if source not in self._sources and len(self._sources) >= MAX_SOURCES:
            dropped["sources"] += 1
            return False
        if not self._unproven.take():
            dropped["flood"] += 1
            return False
        try:
            session = self._dtls._rx_srtp
            packet = session.unprotect_rtcp(data) if control else session.unprotect(data)
            self._sources.add(source)
            if (self._control_packets if control else self._media_packets).take():
                take = self._control if control else self._media
                take(packet)
            else:
                dropped["flood"] += 1
            return True
        except pylibsrtp.Error:
            dropped["srtp"] += 1  # Forged, repeated or damaged.
        except (ValueError, struct.error, IndexError):
            dropped["malformed"] += 1
        except Exception as error:  # noqa: BLE001 - the root of a callback: what leaves it is logged for each datagram
            dropped["failed"] += 1
            if not self._stumbled:
                self._stumbled = True
                logger.opt(exception=error).error("A packet of a caller was not understood: {}", type(error).__name__)
        return False

    def _media(self, data: bytes) -> None:
        packet = RtpPacket.parse(data)
        speech = packet.payload_type in self._payload_types
        if not speech:
            dropped["payload_type"] += 1
            if packet.ssrc != self._ssrc:
                return
        elif packet.ssrc != self._ssrc:
            if packet.ssrc == self._left and self._clock() - self._left_at < HOLD_S:
                dropped["late"] += 1
                return
            self._left, self._left_at = self._ssrc, self._clock()
            self._begin_stream(packet.ssrc)
        self._streams[packet.ssrc].add(packet)
        self.last_at = self._clock()
        # What holds no speech (padding, keys pressed) is numbered among what does, and is not missed.
        payload = packet.payload if speech else b""
        piece = Piece(packet.sequence_number, packet.timestamp, payload, self.last_at)
        for ready in self._order.put(piece.number, piece):
            self._unpack(ready)
        self._watch_gap()
        if self._idle is None:
            self._idle = self._later(IDLE_AFTER_S, self._fill)

    def _begin_stream(self, ssrc: int | None) -> None:
        """Another source speaks: its numbers, its clock and its codec's state are its own."""
        while self._order.waiting:
            self._give_up()
        self._ssrc = ssrc
        self._order.reset()
        self._unpacker.reset()
        self._streams.clear()
        if ssrc is not None:
            self._streams[ssrc] = _Statistics(RTP_HZ)

    # Gaps

    def _watch_gap(self) -> None:
        if not self._order.waiting:
            if self._gap is not None:
                self._gap.cancel()
                self._gap = None
        elif self._gap is None:
            oldest_s = self._clock() - min(piece.at for piece in self._order.held)
            self._gap = self._later(max(0.0, HOLD_S - oldest_s), self._give_up)

    def _give_up(self) -> None:
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        for ready in self._order.give_up():
            self._unpack(ready)
        self._watch_gap()

    def _fill(self) -> None:
        """Nothing may have come for a while: put silence in as time passes."""
        assert self.last_at is not None
        silent_s = self._clock() - self.last_at
        if silent_s < IDLE_AFTER_S:
            self._idle = self._later(IDLE_AFTER_S - silent_s, self._fill)
        elif silent_s > IDLE_MOST_S:
            self._idle = None
        else:
            self._idle = self._later(IDLE_STEP / RATE, self._fill)
            while self._order.waiting:
                self._give_up()  # What is held behind several gaps comes before the silence.
            # It takes no credit: what it stands in for may still come, all at once.
            self._hand_on(self._unpacker.idle(IDLE_STEP))

    def _later(self, delay_s: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, act)

    # Sound

    def _unpack(self, piece: Piece) -> None:
        try:
            if not piece.payload:
                self._unpacker.skip(piece)
            elif self._has_room():
                self._give(self._unpacker.take(piece))
            else:
                dropped["flood"] += 1
                self._unpacker.skip(piece)
        except OpusError:
            dropped["opus"] += 1

    def _has_room(self) -> bool:
        """Whether sound has not come much faster than time passes."""
        now = self._clock()
        self._credit_s = min(AHEAD_S, self._credit_s + (now - self._credited_at) * REGAIN)
        self._credited_at = now
        return self._credit_s > 0

    def _give(self, pcm: bytes) -> None:
        """Hand the sound of packets on."""
        self._credit_s -= len(pcm) / (RATE * 2)
        self._hand_on(pcm)

    def _hand_on(self, pcm: bytes) -> None:
        """Hand whole windows on."""
        self._pcm += pcm
        while len(self._pcm) >= WINDOW_BYTES:
            window = bytes(self._pcm[:WINDOW_BYTES])
            del self._pcm[:WINDOW_BYTES]
            self._hear(window)

    # Control

    def _control(self, data: bytes) -> None:
        """Reports of the caller's side (RTCP); aiortc answers for them, and nothing else of it concerns us."""
        taken: set[type] = set()
        for packet in RtcpPacket.parse(data):
            # One of each kind is what a caller sends (RFC 3550, section 6.1); a packet could hold fifty.
            if not isinstance(packet, RtcpRrPacket | RtcpSrPacket) or type(packet) in taken:
                continue
            taken.add(type(packet))
            for report in packet.reports:
                self._loss(report.fraction_lost / 256)
            recipients = self._dtls._rtp_router.route_rtcp(packet)
            if isinstance(packet, RtcpSrPacket):
                if packet.ssrc != self._ssrc:
                    continue  # aiortc would remember each source for ever.
                recipients.add(self._rtp)
            for recipient in recipients:
                spawn(recipient._handle_rtcp_packet(packet), owner="RTCP")


def payload_type_of(transceiver: RTCRtpTransceiver) -> int:
    """The number that was agreed for Opus, also where the caller only listens."""
    codecs = getattr(transceiver, _AGREED)
    return next(codec.payloadType for codec in codecs if codec.name.lower() == "opus")


def ask_for_fec() -> None:
    """Have every answer ask for in-band FEC (RFC 7587, section 6.1): browsers send none unasked."""
    for codec in CODECS["audio"]:
        if codec.name.lower() == "opus":
            codec.parameters |= {"minptime": 10, "useinbandfec": 1}


def verify() -> None:
    """Check that the installed aiortc still has the places that `Receiver` takes; call it at start-up.

    Raises:
        RuntimeError: It has not; calls would be deaf.
    """
    methods = {name for name in vars(RTCRtpReceiver) if callable(getattr(RTCRtpReceiver, name))}
    missing = unset(RTCRtpReceiver, _CODECS, _STREAMS) + unset(RTCDtlsTransport, "_rx_srtp", "_rtp_router")
    missing += unset(RTCRtpTransceiver, _AGREED)
    missing += [name for name in (_STOP_DECODER, "_handle_rtcp_packet") if name not in methods]
    require_fit("receiver of calls", "aiortc", missing=missing, file="agent/media/receiver.py")
