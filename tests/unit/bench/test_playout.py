"""The player must play what came in time, guess the rest, and keep time."""

from pathlib import Path

import numpy as np
import pytest
from av import AudioFrame
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext

from bench.playout import SAMPLE_RATE, Arrival, play
from bench.sound import load_clip, read_wav

VOICE = Path(__file__).parents[2] / "audio" / "balance.wav"
BALANCE = load_clip(VOICE).packets
FRAME = SAMPLE_RATE // 50


def arriving(packets: tuple[bytes, ...], *, first: int = 65_500) -> list[Arrival]:
    """On time, with sequence number and timestamp about to wrap."""
    return [
        Arrival(10 + n * 0.02, (first + n) & 0xFFFF, (2**32 - 4_800 + n * 960) & 0xFFFFFFFF, packet)
        for n, packet in enumerate(packets)
    ]


def test_what_arrives_is_played_whole() -> None:
    played = play(arriving(BALANCE))
    assert (played.packets, played.concealed, played.restored) == (len(BALANCE), 0, 0)
    assert len(played.pcm) == len(BALANCE) * FRAME


def test_order_and_repeats_do_not_matter_within_the_buffer() -> None:
    plain = arriving(BALANCE)
    swapped = plain.copy()
    for at in range(1, len(plain) - 1, 3):
        swapped[at : at + 2] = reversed(swapped[at : at + 2])
    assert np.array_equal(play([*swapped, plain[5]]).pcm, play(plain).pcm)


def test_what_is_missing_is_guessed_and_takes_its_time() -> None:
    arrivals = arriving(BALANCE)
    del arrivals[20:22]
    played = play(arrivals)
    assert played.concealed == 2
    assert len(played.pcm) == len(BALANCE) * FRAME


@pytest.mark.parametrize(("late_s", "concealed"), [(0.05, 0), (0.07, 1)])
def test_a_packet_later_than_the_buffer_is_as_good_as_lost(late_s: float, concealed: int) -> None:
    arrivals = arriving(BALANCE)
    late = arrivals[20]
    arrivals[20] = Arrival(late.at_s + late_s, late.sequence, late.timestamp, late.payload)
    assert play(arrivals).concealed == concealed


def test_a_sender_that_falls_behind_for_good_is_waited_for() -> None:
    arrivals = [
        Arrival(each.at_s + (0.2 if n >= 20 else 0), each.sequence, each.timestamp, each.payload)
        for n, each in enumerate(arriving(BALANCE))
    ]
    assert play(arrivals).concealed == 2


def test_a_pause_of_the_sender_is_silence_and_not_a_loss() -> None:
    arrivals = arriving(BALANCE)
    moved = [
        Arrival(each.at_s + 0.5, each.sequence, (each.timestamp + 24_000) & 0xFFFFFFFF, each.payload)
        for each in arrivals[20:]
    ]
    played = play([*arrivals[:20], *moved])
    assert played.concealed == 0
    assert len(played.pcm) == len(BALANCE) * FRAME + SAMPLE_RATE // 2
    assert not played.pcm[20 * FRAME : 20 * FRAME + SAMPLE_RATE // 2].any()


def test_redundancy_in_the_next_packet_is_used() -> None:
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.format, encoder.layout, encoder.bit_rate = 16_000, "s16", "mono", 24_000
    encoder.options = {"application": "voip", "fec": "1", "packet_loss": "20"}
    voice, _ = read_wav(VOICE)
    packets: list[bytes] = []
    for at in range(0, len(voice), 320):
        frame = AudioFrame.from_ndarray(voice[None, at : at + 320], format="s16", layout="mono")
        frame.sample_rate = 16_000
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    arrivals = arriving(tuple(packets))
    del arrivals[40]
    played = play(arrivals)
    assert (played.concealed, played.restored) == (0, 1)


def test_garbage_and_nothing_at_all_are_survived() -> None:
    assert not len(play([]).pcm)
    arrivals = arriving((*BALANCE[:5], b"\xff\xff\xff", *BALANCE[5:10]))
    assert len(play(arrivals).pcm) == 11 * FRAME
