"""Sound to send and to recognise again."""

from __future__ import annotations

import numpy as np

from agent.media.opus import Encoder

RATE = 16_000
FRAME = 320
"""Samples of 20 ms."""

HZ = 440


def tone(seconds: float, rate: int = RATE) -> bytes:
    """16-bit PCM of a tone."""
    return (np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * HZ / rate) * 8000).astype(np.int16).tobytes()


def packets(count: int, *, expected_loss: int = 0) -> list[bytes]:
    """Opus packets of 20 ms each of one tone."""
    encoder = Encoder(RATE, bit_rate=32_000, complexity=5)
    encoder.expect_loss(expected_loss)
    sound = tone(count * 0.02)
    return [encoder.encode(sound[at : at + FRAME * 2]) for at in range(0, len(sound), FRAME * 2)]


def level(pcm: bytes) -> float:
    """Root mean square of samples."""
    return float(np.sqrt(np.mean(np.square(np.frombuffer(pcm, np.int16).astype(float))))) if pcm else 0.0


def pitch(pcm: bytes, rate: int = RATE) -> float:
    """The strongest frequency in it."""
    samples = np.frombuffer(pcm, np.int16).astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))
