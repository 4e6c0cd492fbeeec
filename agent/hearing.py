"""Incoming audio: packets decoded where they arrive, handed on in the windows that the pipeline works in."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiortc import RTCRtpCodecParameters, RTCRtpReceiver
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from av import AudioFrame, AudioResampler
from av.error import FFmpegError
from loguru import logger

from core import metrics
from core.clock import monotonic_s
from pipelines.build import AUDIO_IN_HZ

WINDOW_BYTES = 1024
"""32 ms of 16 kHz 16-bit mono: what Silero takes at once."""

MAX_WINDOWS = 256
"""Eight seconds waiting for the pipeline; then the oldest are dropped."""

JITTER_CAPACITY = 16  # packets, aiortc's own; a gap longer than this is given up

_QUEUE = "_RTCRtpReceiver__decoder_queue"
_JITTER = "_RTCRtpReceiver__jitter_buffer"


class _Queue(Protocol):
    def put(self, item: Any) -> None: ...
    def get(self) -> Any: ...


class Hearing:
    """The caller's audio as 16 kHz mono windows.

    aiortc hands every packet to a thread of its own and every decoded frame back; at fifty packets a second and call
    the hand-overs cost several times what decoding does. `listen` puts this object in the place of that thread's
    queue. Nor does it wait for the four packets that a playout clock would need: a recogniser does not care.
    """

    def __init__(self) -> None:
        self.windows: asyncio.Queue[bytes] = asyncio.Queue(MAX_WINDOWS)
        self.last_at: float | None = None
        self.dropped = 0
        self._thread: _Queue | None = None
        self._codec = ""
        self._decoder: Any = None
        self._resampler = AudioResampler("s16", "mono", AUDIO_IN_HZ)
        self._held = bytearray()

    def listen(self, receiver: RTCRtpReceiver) -> None:
        """Take over what `receiver` hears from now on."""
        self._thread = getattr(receiver, _QUEUE)
        self._codec = ""
        setattr(receiver, _QUEUE, self)
        setattr(receiver, _JITTER, JitterBuffer(capacity=JITTER_CAPACITY, prefetch=0))

    def put(self, task: tuple[RTCRtpCodecParameters, JitterFrame] | None) -> None:
        """Take what aiortc would give its thread; None ends the thread."""
        if task is None:
            assert self._thread is not None
            self._thread.put(None)
            return
        self.last_at = monotonic_s()
        codec, encoded = task
        if codec.name != self._codec:
            self._codec, self._decoder = codec.name, get_decoder(codec)
        try:
            frames = self._decoder.decode(encoded)
            for frame in frames:
                self._hear(frame)
        except FFmpegError as error:
            logger.debug("A packet could not be decoded: {}", type(error).__name__)

    def get(self) -> Any:
        """What aiortc's thread waits for when it starts after `listen`: nothing but its end."""
        assert self._thread is not None
        return self._thread.get()

    def _hear(self, frame: AudioFrame) -> None:
        for resampled in self._resampler.resample(frame):
            self._held += resampled.to_ndarray().tobytes()
        while len(self._held) >= WINDOW_BYTES:
            if self.windows.full():
                self.windows.get_nowait()
                self.dropped += 1
                metrics.dropped_windows.inc()
            self.windows.put_nowait(bytes(self._held[:WINDOW_BYTES]))
            del self._held[:WINDOW_BYTES]


def verify() -> None:
    """Check that the installed aiortc still has the places that `Hearing` takes; call it at start-up.

    Raises:
        RuntimeError: It has not; calls would be deaf.
    """
    names = RTCRtpReceiver.__init__.__code__.co_names
    missing = [name for name in (_QUEUE, _JITTER) if name not in names]
    if not hasattr(RTCRtpReceiver, "_handle_rtp_packet"):
        missing.append("_handle_rtp_packet")
    if missing:
        raise RuntimeError(
            f"agent/hearing.py does not fit the installed aiortc: {', '.join(missing)} has moved. "
            "Install the locked versions, or adapt it to the new one."
        )
