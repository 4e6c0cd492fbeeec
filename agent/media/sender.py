"""What is said to the caller: PCM to SRTP on one timer, a little ahead, at once when it begins, nothing in silence."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Callable
from typing import Any

from aioice.ice import Connection
from aiortc import MediaStreamError, RTCRtpSender
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport
from av import Packet

from agent.media.opus import Encoder
from agent.media.unpacking import RTP_HZ
from core import metrics
from core.clock import monotonic_s
from core.fit import require_fit, unset

FRAME_S = 0.02

LOOK_AHEAD_S = 0.06
"""Sound held beyond what has been sent. pipecat refills only when a chunk is used up, so there any delay of the event
loop is heard as a gap; an interruption drops what is held."""

PATIENCE, HURRY_S = 5, 0.002
"""When sound runs out its writer is given a little time, so often and so long, before silence is sent in its place: a
loop that was held up brings the writer's turn only after ours."""

HANGOVER_FRAMES = 3
"""Silent frames sent after speech: they drain the codec, so that the next answer does not begin with a residue."""

COMPLEXITY = 1
"""Of libopus' effort, which is 9 by default: two fifths of its CPU, and the same distance from the original at this bit
rate (8.3 dB for speech, 10.0 dB for the benches' reply; with 5 it is 8.1 and 9.8, with 10 8.1 and 9.8)."""

BIT_RATE = 32_000

FORGET_LOSS = 0.8
"""How much of the loss that was expected before still is, after a report of none."""

_HEADER = struct.Struct("!BBHII")
_VERSION = 2 << 6
_MARKER = 0x80
_COUNTS = tuple(f"_RTCRtpSender__{name}" for name in ("packet_count", "octet_count", "ntp_timestamp", "rtp_timestamp"))
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970 (RFC 5905, section 6)


class _Parked(AudioStreamTrack):
    """Keeps aiortc's own sending loop waiting: packets leave beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def recv(self) -> Packet:  # pyright: ignore[reportIncompatibleMethodOverride] - aiortc also takes packets
        await self._over.wait()
        raise MediaStreamError

    def stop(self) -> None:
        super().stop()
        self._over.set()


class Sender:
    """The speech of one call's agent.

    Args:
        rate: Of the 16-bit mono PCM it is given, in Hz.
        clock: Seconds that only grow; the event loop's, except in tests.
    """

    def __init__(self, rate: int, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._rate = rate
        self._clock = clock
        self._frame_bytes = int(rate * FRAME_S) * 2
        self._look_ahead_bytes = int(rate * LOOK_AHEAD_S) * 2
        self._encoder = Encoder(rate, bit_rate=BIT_RATE, complexity=COMPLEXITY)
        self._loss = 0.0
        self._buffer = bytearray()
        self._room: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hangover = 0
        self._patience = 0
        self._origin_s: float | None = None
        self._due_s = 0.0  # since the origin
        self._sound_until_s: float | None = None  # likewise; None between spurts
        self._finished = False
        self._sequence = secrets.randbelow(0x8000)  # Low, so that no early wrap-around confuses SRTP (RFC 3711, 3.3.1).
        self._timestamp = secrets.randbits(32)
        self._rtp: Any = None
        self._parked: _Parked | None = None
        self._payload_type = 0

    # To aiortc

    def speak(self, sender: RTCRtpSender, payload_type: int) -> None:
        """Send by a connected `sender` from now on, also instead of an earlier one (ICE restart)."""
        self._park()
        self._rtp, self._payload_type = sender, payload_type
        self._parked = _Parked()
        sender.replaceTrack(self._parked)

    def close(self) -> None:
        """Send nothing more, and wake whoever waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._park()
        self.drop()

    def _park(self) -> None:
        if self._parked is not None:
            self._parked.stop()
            self._parked = None
        self._rtp = None

    # Speech

    def write(self, pcm: bytes) -> asyncio.Future[bool]:
        """Queue PCM; the future is done when there is room for more."""
        self._finished = False
        self._buffer += pcm
        self._room = asyncio.get_running_loop().create_future()
        room = self._room
        if self._timer is None:
            self._begin()
        self._tell_room()
        return room

    def finish(self) -> None:
        """What has been written is a whole: silence after it is not for want of sound."""
        self._finished = True
        if self._timer is None and not self._buffer:  # it has run dry before
            self._patience, self._sound_until_s = 0, None

    def drop(self) -> None:
        """Forget what has not been sent: the caller has interrupted."""
        self._buffer.clear()
        self.finish()
        self._tell_room()

    def expect_loss(self, share: float) -> None:
        """The caller's side has lost this share of our packets, 0..1: protect the next ones accordingly."""
        before = round(self._loss * 100)
        self._loss = share if share > self._loss else self._loss * FORGET_LOSS + share * (1 - FORGET_LOSS)
        expected = round(self._loss * 100)
        if expected != before:
            self._encoder.expect_loss(min(expected, 30))

    def _tell_room(self) -> None:
        if self._room is not None and len(self._buffer) <= self._look_ahead_bytes:
            if not self._room.done():
                self._room.set_result(True)
            self._room = None

    # The timer

    def _begin(self) -> None:
        """The first packet after silence leaves at once; RTP's clock has gone on meanwhile."""
        now = self._clock()
        if self._origin_s is None:
            self._origin_s = now
        self._due_s = max(self._due_s, now - self._origin_s)
        self._tick()

    def _tick(self) -> None:
        """Send what is due."""
        assert self._origin_s is not None
        self._timer = None
        now_s = self._clock() - self._origin_s
        while self._due_s <= now_s:
            if len(self._buffer) < self._frame_bytes:
                if self._finished and not self._buffer:
                    self._patience, self._sound_until_s = 0, None
                if self._hangover == 0 and not self._buffer:
                    return  # Silence: the next `write` begins anew.
                if self._patience:
                    self._patience -= 1
                    self._wait(HURRY_S)
                    return
            if now_s - self._due_s > FRAME_S:
                metrics.late_packets.inc()
            self._send_frame()
        self._wait(self._due_s - now_s)

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)
        self._tell_room()

    def _send_frame(self) -> None:
        begins, sound = self._hangover == 0, bytes(self._buffer[: self._frame_bytes])
        del self._buffer[: self._frame_bytes]
        if sound:
            if self._sound_until_s is not None:
                metrics.inserted_seconds.inc(max(0.0, self._due_s - self._sound_until_s))
            self._sound_until_s = self._due_s + len(sound) / 2 / self._rate
            self._hangover, self._patience = HANGOVER_FRAMES, PATIENCE
        else:
            self._hangover -= 1
        self._send(self._encoder.encode(sound.ljust(self._frame_bytes, b"\0")), marker=begins)
        self._due_s += FRAME_S

    def _send(self, payload: bytes, *, marker: bool) -> None:
        sender = self._rtp
        if sender is None:
            return
        timestamp = (self._timestamp + round(self._due_s * RTP_HZ)) & 0xFFFFFFFF
        header = _HEADER.pack(_VERSION, _MARKER * marker | self._payload_type, self._sequence, timestamp, sender._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        dtls = sender.transport
        pair = dtls.transport._connection._nominated.get(1)
        if pair is None or dtls._tx_srtp is None:
            return  # The line is being made anew.
        pair.protocol.transport.sendto(dtls._tx_srtp.protect(header + payload), pair.remote_addr)
        packets, octets, ntp, rtp = _COUNTS  # for the reports that aiortc sends (RFC 3550, section 6.4.1)
        setattr(sender, packets, getattr(sender, packets) + 1)
        setattr(sender, octets, getattr(sender, octets) + len(payload))
        setattr(sender, ntp, int((time.time() + _NTP_EPOCH) * 2**32))
        setattr(sender, rtp, timestamp)


def verify() -> None:
    """Check that the installed aiortc still has the places that `Sender` takes; call it at start-up.

    Raises:
        RuntimeError: It has not; the agent would be dumb.
    """
    missing = unset(RTCRtpSender, *_COUNTS, "_ssrc") + unset(RTCDtlsTransport, "_tx_srtp")
    missing += unset(Connection, "_nominated")
    require_fit("sender of calls", "aiortc", missing=missing, file="agent/media/sender.py")
