import asyncio

import numpy as np
import pytest

from agent.transport import LOOK_AHEAD_MS, LookAheadTrack

RATE = 24_000
MS = RATE // 1000 * 2  # bytes of 16-bit mono


def tone(ms: int, value: int = 1000) -> bytes:
    return np.full(ms * RATE // 1000, value, np.int16).tobytes()


async def test_room_is_given_ahead_of_playing() -> None:
    """The writer may go on while audio is still unplayed, so a late loop is not heard."""
    track = LookAheadTrack(RATE)
    assert track.add_audio_bytes(tone(LOOK_AHEAD_MS)).done()
    full = track.add_audio_bytes(tone(40))
    assert not full.done()
    for _ in range(4):
        await track.recv()
    assert full.done()


async def test_what_is_queued_is_played_in_order_and_then_silence() -> None:
    track = LookAheadTrack(RATE)
    track.add_audio_bytes(tone(10, 1) + tone(10, 2))
    heard = [int((await track.recv()).to_ndarray()[0, 0]) for _ in range(3)]
    assert heard == [1, 2, 0]


async def test_an_interruption_drops_what_is_not_played_and_wakes_the_writer() -> None:
    track = LookAheadTrack(RATE)
    waiting = track.add_audio_bytes(tone(400))
    await track.recv()
    track.drop()
    assert waiting.done()
    assert not (await track.recv()).to_ndarray().any()


async def test_a_late_idle_track_does_not_send_the_missed_silence_in_a_burst() -> None:
    track = LookAheadTrack(RATE)
    await track.recv()
    track._start -= 1.0  # as if the loop had stood still for a second
    started = asyncio.get_running_loop().time()
    stamps = [(await track.recv()).pts for _ in range(5)]
    assert stamps[0] is not None and stamps[0] >= RATE * 9 // 10, "the clock was not moved on"
    assert asyncio.get_running_loop().time() - started > 0.02, "frames were sent in a burst"


async def test_odd_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        LookAheadTrack(RATE).add_audio_bytes(bytes(7 * MS))
