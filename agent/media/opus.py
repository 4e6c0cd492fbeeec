"""Opus by libopus itself: concealment and in-band FEC, which PyAV does not offer, and no detour over 48 kHz.

The library is the one that PyAV brings along (aiortc stands on it anyway), else the system's. A call takes 20 to
200 µs, so the GIL is kept: letting go of it and taking it back would cost more than other threads gain.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import av

MAX_PACKET_S = 0.12
"""The longest packet there is (RFC 6716, section 2.1.4)."""

MAX_PACKET_BYTES = 1275
"""The largest frame (RFC 6716, section 3.2.1): 20 ms never need more."""

_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_PACKET_LOSS = 4002, 4010, 4012, 4014
_RESET_STATE = 4028


class OpusError(Exception):
    """What libopus says of a packet it cannot decode, or of settings it does not know."""


@cache
def _library() -> ctypes.PyDLL:
    """Raises: OSError if there is no libopus."""
    for path in _candidates():
        try:
            library = ctypes.PyDLL(path)
        except OSError:
            continue
        _declare(library)
        return library
    raise OSError("libopus is neither with PyAV nor on the system: install libopus0, or PyAV from its wheel")


def _candidates() -> list[str]:
    package = Path(av.__file__).parent
    bundled = [*package.parent.glob("av.libs/*opus*"), *package.glob(".dylibs/*opus*")]
    system = ctypes.util.find_library("opus")
    return [str(path) for path in sorted(bundled)] + ([system] if system else [])


def _declare(library: ctypes.PyDLL) -> None:
    pointer, c_int, int32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int32
    library.opus_decoder_create.restype = library.opus_encoder_create.restype = pointer
    library.opus_decoder_create.argtypes = [int32, c_int, pointer]
    library.opus_encoder_create.argtypes = [int32, c_int, c_int, pointer]
    library.opus_decode.argtypes = [pointer, ctypes.c_char_p, int32, pointer, c_int, c_int]
    library.opus_encode.argtypes = [pointer, ctypes.c_char_p, c_int, pointer, int32]
    library.opus_decoder_get_nb_samples.argtypes = [pointer, ctypes.c_char_p, int32]
    library.opus_packet_has_lbrr.argtypes = [ctypes.c_char_p, int32]
    library.opus_decoder_destroy.argtypes = library.opus_encoder_destroy.argtypes = [pointer]
    library.opus_decoder_destroy.restype = library.opus_encoder_destroy.restype = None
    # The two _ctl functions are variadic: what follows their two named arguments is given its type at each call.
    library.opus_decoder_ctl.argtypes = library.opus_encoder_ctl.argtypes = [pointer, c_int]
    library.opus_strerror.argtypes, library.opus_strerror.restype = [c_int], ctypes.c_char_p


def _checked(result: int) -> int:
    if result < 0:
        raise OpusError(_library().opus_strerror(result).decode())
    return result


class Decoder:
    """One stream's decoder: packets to 16-bit mono PCM.

    Args:
        rate: 8,000, 12,000, 16,000, 24,000 or 48,000 Hz, whatever the packets were made from.
    """

    def __init__(self, rate: int) -> None:
        self._opus = _library()
        error = ctypes.c_int()
        self._state = self._opus.opus_decoder_create(rate, 1, ctypes.byref(error))
        _checked(error.value)
        self._most = int(rate * MAX_PACKET_S)
        self._out = ctypes.create_string_buffer(self._most * 2)
        self._pcm = memoryview(self._out).cast("B")

    def samples(self, packet: bytes) -> int:
        """How many samples per channel a packet holds.

        Raises: OpusError.
        """
        return _checked(self._opus.opus_decoder_get_nb_samples(self._state, packet, len(packet)))

    def decode(self, packet: bytes) -> bytes:
        """The sound of a packet.

        Raises: OpusError; the stream can be gone on with.
        """
        return self._take(packet, len(packet), self._most, fec=False)

    def recover(self, packet: bytes, samples: int) -> bytes:
        """The sound before `packet` that was lost, from the copy in it if there is one, else made up (RFC 6716, 2.1.7).

        Args:
            samples: How many were lost; a multiple of 2.5 ms.

        Raises: OpusError.
        """
        return self._take(packet, len(packet), min(samples, self._most), fec=True)

    def conceal(self, samples: int) -> bytes:
        """Sound made up for what was lost, fading out; a multiple of 2.5 ms.

        Raises: OpusError.
        """
        return self._take(None, 0, min(samples, self._most), fec=False)

    def reset(self) -> None:
        """Forget the stream so far: another one begins."""
        _checked(self._opus.opus_decoder_ctl(self._state, _RESET_STATE))

    def _take(self, packet: bytes | None, length: int, samples: int, *, fec: bool) -> bytes:
        made = _checked(self._opus.opus_decode(self._state, packet, length, self._out, samples, fec))
        return bytes(self._pcm[: made * 2])

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_decoder_destroy(self._state)


class Encoder:
    """One stream's encoder: 16-bit mono PCM of speech to packets.

    Args:
        rate: Of the PCM, in Hz; see `Decoder`.
        bit_rate: Bits per second.
        complexity: 0 to 10, effort for quality.
    """

    def __init__(self, rate: int, *, bit_rate: int, complexity: int) -> None:
        self._opus = _library()
        error = ctypes.c_int()
        self._state = self._opus.opus_encoder_create(rate, 1, _VOIP, ctypes.byref(error))
        _checked(error.value)
        self._out = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self._packet = memoryview(self._out).cast("B")
        self._set(_SET_BITRATE, bit_rate)
        self._set(_SET_COMPLEXITY, complexity)

    def expect_loss(self, percent: int) -> None:
        """Spend bits on a copy of each packet in the next one, as many packets of a hundred as are lost; 0: none."""
        self._set(_SET_INBAND_FEC, int(percent > 0))
        self._set(_SET_PACKET_LOSS, percent)

    def encode(self, pcm: bytes) -> bytes:
        """A packet of 2.5, 5, 10, 20, 40 or 60 ms.

        Raises: OpusError for any other length.
        """
        made = _checked(self._opus.opus_encode(self._state, pcm, len(pcm) // 2, self._out, MAX_PACKET_BYTES))
        return bytes(self._packet[:made])

    def _set(self, what: int, value: int) -> None:
        _checked(self._opus.opus_encoder_ctl(self._state, what, ctypes.c_int(value)))

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_encoder_destroy(self._state)


def carries_copy(packet: bytes) -> bool:
    """Whether a packet holds the one before it, too (in-band FEC)."""
    return _library().opus_packet_has_lbrr(packet, len(packet)) > 0


def verify() -> None:
    """Check that libopus is there and works; call it at start-up.

    Raises: RuntimeError.
    """
    try:
        silence = Encoder(16_000, bit_rate=24_000, complexity=1).encode(bytes(640))
        works = Decoder(16_000).decode(silence) and len(Decoder(16_000).conceal(320)) == 640
    except (OSError, OpusError, AttributeError) as error:
        raise RuntimeError(f"The Opus codec cannot be used: {error}") from error
    if not works:
        raise RuntimeError("The Opus codec cannot be used: it returns no sound")
