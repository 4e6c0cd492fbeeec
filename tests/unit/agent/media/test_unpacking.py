"""Whatever is missing, sound keeps its time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.media.unpacking import MAX_GAP, RATE, Piece, Unpacker
from core import metrics
from tests.unit.agent.media.sound import FRAME, HZ, level, packets, pitch

STEP = 960  # RTP time of 20 ms


def pieces(count: int, *, expected_loss: int = 0) -> list[Piece]:
    start = 2**32 - 5 * STEP  # RTP time wraps around soon
    sent = packets(count, expected_loss=expected_loss)
    return [Piece((65_530 + at) & 0xFFFF, (start + at * STEP) & 0xFFFFFFFF, sent[at]) for at in range(count)]


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / RATE


def test_a_whole_stream_is_its_own_length() -> None:
    unpacker = Unpacker()
    heard = b"".join(unpacker.take(piece) for piece in pieces(50))
    assert seconds(heard) == 1.0
    assert abs(pitch(heard[3200:]) - HZ) < 5


def test_a_loss_is_bridged_and_counted() -> None:
    unpacker, before = Unpacker(), metrics.concealed_seconds._value.get()
    sent = pieces(30, expected_loss=20)
    heard = b"".join(unpacker.take(piece) for at, piece in enumerate(sent) if at not in (10, 20, 21))
    assert seconds(heard) == 0.6
    assert abs(pitch(heard[3200:]) - HZ) < 5
    assert level(heard[10 * FRAME * 2 : 11 * FRAME * 2]) > 2000, "there is a hole"
    assert round(metrics.concealed_seconds._value.get() - before, 3) == 0.06


def test_silence_that_was_not_sent_is_silence() -> None:
    """With DTX, numbers go on without a gap and time does not."""
    sent = pieces(20)
    unpacker = Unpacker()
    unpacker.take(sent[0])
    later = Piece((sent[0].number + 1) & 0xFFFF, (sent[0].timestamp + 11 * STEP) & 0xFFFFFFFF, sent[11].payload)
    heard = unpacker.take(later)
    assert seconds(heard) == 0.22
    assert level(heard[: 10 * FRAME * 2]) == 0


def test_what_was_put_in_as_time_passed_is_not_put_in_again() -> None:
    unpacker, before = Unpacker(), metrics.concealed_seconds._value.get()
    sent = pieces(30)
    unpacker.take(sent[0])
    idle = b"".join(unpacker.idle(480) for _ in range(10))
    heard = unpacker.take(sent[20])
    assert seconds(idle) == 0.3
    assert seconds(heard) == 0.1, "19 packets were missing, 15 of them had been filled"
    assert round(metrics.concealed_seconds._value.get() - before, 3) == 0.38


def test_a_leap_in_time_is_not_filled() -> None:
    unpacker = Unpacker()
    first, second = pieces(2)
    unpacker.take(first)
    leap = Piece(second.number, (second.timestamp + (MAX_GAP + RATE) * 3) & 0xFFFFFFFF, second.payload)
    assert seconds(unpacker.take(leap)) == 0.02


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(1, 48)))
def test_whatever_is_lost_the_length_stays(lost: set[int]) -> None:
    unpacker = Unpacker()
    heard = b"".join(unpacker.take(piece) for at, piece in enumerate(pieces(50)) if at not in lost)
    assert seconds(heard) == 1.0
