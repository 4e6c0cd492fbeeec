"""Sound for measuring: utterances as Opus packets, loudness in 5 ms steps, and a reply that betrays every gap."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

import numpy as np
from av import AudioFrame, AudioResampler, Packet
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from numpy.typing import NDArray

RATE = 48_000  # RTP clock of Opus, whatever the audio bandwidth is.
FRAME_S = 0.02
FRAME_SAMPLES = 960
STEP_SAMPLES = 240  # Loudness is measured in 5 ms steps.
STEP_MS = 5
AUDIBLE_RMS = 0.01  # -40 dBFS: below every spoken syllable, above codec noise.
VOICE = Path(__file__).parent / "data" / "voice"

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Codec:
    """How an Opus encoder is set."""

    bit_rate: int
    layout: Literal["mono", "stereo"] = "mono"
    application: Literal["voip", "audio", "lowdelay"] = "voip"
    complexity: int = 10
    expected_loss: int = 0
    """Packets of a hundred: for more than none each packet carries a copy of the one before (in-band FEC)."""


MICROPHONE = Codec(48_000)


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance ready to send.

    Attributes:
        packets: One Opus packet per 20 ms.
        first_voiced: Index of the first packet whose microphone samples hold voice.
        last_voiced: Index of the last such packet.
    """

    packets: tuple[bytes, ...]
    first_voiced: int
    last_voiced: int

    @property
    def duration_s(self) -> float:
        """How long it takes to say."""
        return len(self.packets) * FRAME_S


def read_wav(path: Path) -> tuple[Pcm, int]:
    """16-bit samples of a mono WAV file, and their rate in Hz."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1:
            raise ValueError(f"{path} is not 16-bit mono")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


@lru_cache(maxsize=256)
def load_clip(path: Path, codec: Codec | None = None) -> Clip:
    """A WAV file as a clip; encoded once per process."""
    return encode(*read_wav(path), codec or MICROPHONE)


def encode(pcm: Pcm, rate: int, codec: Codec = MICROPHONE) -> Clip:
    """Encode mono samples at any rate into 20 ms Opus packets, the last one padded with silence."""
    frames = list(_frames(pcm, rate))
    levels = np.array([rms(frame) for frame in frames])
    voiced = np.flatnonzero(levels > max(float(levels.max(initial=0.0)) * 0.03, 0.001))
    if not len(voiced):
        raise ValueError("the clip is silent")
    tail = np.zeros(FRAME_SAMPLES, np.int16)  # Pushes the encoder's look-ahead of 6.5 ms out.
    return Clip(tuple(_packets([*frames, tail], codec)), int(voiced[0]), int(voiced[-1]))


@lru_cache(maxsize=1)
def silent_packet() -> bytes:
    """20 ms of digital silence as a settled encoder sends it."""
    return list(_packets([np.zeros(FRAME_SAMPLES, np.int16)] * 10, MICROPHONE))[-1]


def _frames(pcm: Pcm, rate: int) -> Iterable[Pcm]:
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=FRAME_SAMPLES)
    source = AudioFrame.from_ndarray(np.ascontiguousarray(pcm[np.newaxis, :]), format="s16", layout="mono")
    source.sample_rate = rate
    source.pts = 0
    source.time_base = Fraction(1, rate)
    for frame in [*resampler.resample(source), *resampler.resample(None)]:
        samples = frame.to_ndarray()[0]
        yield np.pad(samples, (0, FRAME_SAMPLES - len(samples)))


def _packets(frames: Iterable[Pcm], codec: Codec) -> Iterable[bytes]:
    encoder = cast(AudioCodecContext, CodecContext.create("libopus", "w"))
    encoder.bit_rate = codec.bit_rate
    encoder.format = "s16"
    encoder.layout = codec.layout
    encoder.sample_rate = RATE
    encoder.time_base = Fraction(1, RATE)
    encoder.options = {
        "application": codec.application,
        "compression_level": str(codec.complexity),
        "fec": str(int(codec.expected_loss > 0)),
        "packet_loss": str(codec.expected_loss),
    }
    channels = 2 if codec.layout == "stereo" else 1
    for index, samples in enumerate(frames):
        frame = AudioFrame.from_ndarray(np.repeat(samples, channels)[np.newaxis, :], format="s16", layout=codec.layout)
        frame.sample_rate = RATE
        frame.pts = index * FRAME_SAMPLES
        frame.time_base = Fraction(1, RATE)
        for packet in encoder.encode(frame):
            yield bytes(packet)


class Decoder:
    """Opus packets to 48 kHz mono samples, about 30 µs each."""

    def __init__(self) -> None:
        self._codec = cast(AudioCodecContext, CodecContext.create("libopus", "r"))
        self._codec.format = "s16"
        self._codec.layout = "mono"
        self._codec.sample_rate = RATE

    def decode(self, payload: bytes) -> Pcm:
        """Samples of one packet; empty if it is not Opus."""
        packet = Packet(payload)
        packet.time_base = Fraction(1, RATE)
        frames = [frame.to_ndarray()[0] for frame in self._codec.decode(packet)]
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)


def rms(pcm: Pcm) -> float:
    """Root mean square of samples, 1.0 = full scale."""
    return float(np.sqrt(np.mean(np.square(pcm.astype(np.float32) / 32768)))) if len(pcm) else 0.0


def step_levels(pcm: Pcm) -> tuple[float, ...]:
    """Root mean square of every whole 5 ms step of 48 kHz samples."""
    whole = pcm[: len(pcm) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, STEP_SAMPLES).astype(np.float32)
    return tuple(np.sqrt(np.mean(np.square(whole / 32768), axis=1)).tolist())


def pilot(seconds: float, rate: int = 24_000) -> bytes:
    """A reply with the spectrum and the rhythm of speech that is never quiet inside: 16-bit mono samples.

    Syllables of a 120 Hz voice, four a second, over a steady tone at -20 dBFS. The tone starts and ends at once, so
    5 ms without it inside a reply were put there by whoever delivered the reply.
    """
    t = np.arange(round(seconds * rate)) / rate
    syllables = np.square(np.sin(np.pi * 4 * t))
    harmonics = range(1, 20)
    voice = np.asarray(sum(np.sin(2 * np.pi * 120 * k * t + k) / k for k in harmonics))
    signal = 0.141 * np.sin(2 * np.pi * 660 * t) + 0.12 * syllables * voice
    return np.asarray(signal * 32767).clip(-32768, 32767).astype("<i2").tobytes()
