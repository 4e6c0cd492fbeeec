"""libopus by its own interface."""

from __future__ import annotations

import numpy as np
import pytest

from agent.media.opus import Decoder, Encoder, OpusError, verify
from tests.unit.agent.media.sound import FRAME, HZ, RATE, level, packets, pitch, tone


def test_it_is_there() -> None:
    verify()


def test_what_is_encoded_comes_out_again() -> None:
    decoder = Decoder(RATE)
    heard = b"".join(decoder.decode(packet) for packet in packets(20))
    assert pitch(heard[3200:]) == pytest.approx(HZ, abs=5)


def test_a_packet_that_is_lost_is_found_in_the_next_one() -> None:
    """A burst of noise in a tone cannot be guessed, only copied."""
    encoder = Encoder(RATE, bit_rate=32_000, complexity=5)
    encoder.expect_loss(20)
    sound = [tone(0.02) for _ in range(20)]
    sound[10] = np.random.default_rng(1).integers(-9000, 9000, FRAME).astype(np.int16).tobytes()
    sent = [encoder.encode(piece) for piece in sound]
    copied, guessed = Decoder(RATE), Decoder(RATE)
    for packet in sent[:10]:
        copied.decode(packet)
        guessed.decode(packet)
    assert hiss(guessed.conceal(FRAME)) < 0.1 < hiss(copied.recover(sent[11], FRAME))


def hiss(pcm: bytes) -> float:
    """The share of power above 1.5 kHz."""
    power = np.square(np.abs(np.fft.rfft(np.frombuffer(pcm, np.int16).astype(float))))
    return float(power[1500 * FRAME // RATE :].sum() / power.sum())


def test_what_is_made_up_fades() -> None:
    decoder = Decoder(RATE)
    for packet in packets(10):
        decoder.decode(packet)
    first, *_, last = (level(decoder.conceal(FRAME)) for _ in range(15))
    assert first > 1000 > 100 > last


@pytest.mark.parametrize("damaged", [b"\xff" * 3, bytes(2000), b"\xfb"], ids=["code 3", "too long", "no count"])
def test_a_damaged_packet_is_refused_and_the_stream_goes_on(damaged: bytes) -> None:
    decoder, sent = Decoder(RATE), packets(2)
    with pytest.raises(OpusError):
        decoder.decode(damaged)
    assert len(decoder.decode(sent[0])) == FRAME * 2


def test_a_length_that_opus_does_not_have_is_refused() -> None:
    with pytest.raises(OpusError):
        Encoder(24_000, bit_rate=32_000, complexity=5).encode(bytes(100))


def test_a_rate_that_opus_does_not_have_is_refused() -> None:
    with pytest.raises(OpusError):
        Decoder(44_100)
