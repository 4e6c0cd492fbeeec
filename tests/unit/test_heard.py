"""What the benchmark with a browser makes of its statistics and its sound."""

from __future__ import annotations

from typing import Any

import pytest

from bench.heard import Look, Recording, report
from bench.witness import Note

REPLY_S = 3.0
EVERY_S = 6.5
PIECE_S = 0.01
OFFSET_S = 100.0
"""The server's clock is this far ahead of the page's."""

DELAY_S = 0.08


def piece(at_s: float, *, hole: bool) -> list[float]:
    """The levels of 10 ms of a call in which every slot begins with a reply."""
    into_s = at_s % EVERY_S
    loud = into_s < REPLY_S - PIECE_S / 2 and not (hole and 1.0 < into_s < 1.02 + PIECE_S / 2)
    return [0.1, 0.1] if loud else [0.0, 0.0]


def recorded(seconds: float, *, hole: bool = False) -> Recording:
    recording = Recording()
    for number in range(round(seconds / PIECE_S)):
        at_s = number * PIECE_S
        recording.add(at_s, piece(at_s, hole=hole))
    return recording


def looks(seconds: float, *, clock: float = 1.0, concealed: int = 0) -> list[Look]:
    """Statistics every 100 ms: the RTP clock runs at `clock` times the right pace, inside replies some is made up."""
    found: list[Look] = []
    made_up = silent = 0
    for number in range(round(seconds * 10)):
        at_s = number / 10
        talking = at_s % EVERY_S < REPLY_S
        made_up += concealed if talking else 4800
        silent += 0 if talking else 4800
        inbound: dict[str, float] = {
            "packetsReceived": number * 5,
            "packetsLost": 0,
            "packetsDiscarded": 0,
            "jitter": 0.002,
            "jitterBufferDelay": number * 4800 * 0.04,
            "jitterBufferEmittedCount": number * 4800,
            "totalSamplesReceived": number * 4800,
            "concealedSamples": made_up,
            "silentConcealedSamples": silent,
            "concealmentEvents": 0,
            "insertedSamplesForDeceleration": 0,
            "removedSamplesForAcceleration": 0,
        }
        look = {f"inbound-rtp.{name}": value for name, value in inbound.items()}
        look |= {"at_ms": at_s * 1000, "outbound-rtp.packetsSent": number * 5}
        found.append(look | {"rtp": int(at_s * 48_000 * clock + 2**32 - 48_000) % 2**32, "rtp_at_ms": at_s * 1000})
    return found


def notes(seconds: float, *, hears: float = 1.0) -> list[Note]:
    """The server speaks a little before each reply is heard, and hears `hears` times what is sent."""
    found: list[Note] = []
    for slot in range(round(seconds // EVERY_S)):
        at_s = slot * EVERY_S + OFFSET_S
        found.append(Note("spoke", at_s - DELAY_S))
        found.append(Note("turn", at_s + 5, round((at_s + 5 - OFFSET_S) * 16_000 * hears)))
    return found


def figures(statistics: list[Look], recording: Recording, noted: list[Note]) -> dict[str, Any]:
    return report(statistics, recording, noted, offset_s=OFFSET_S, reply_s=REPLY_S)


def test_a_good_call_is_heard_as_it_was_sent() -> None:
    found = figures(looks(65), recorded(65), notes(65))
    assert found["replies"]["count"] == 10
    assert found["replies"]["heard_ms"]["median"] == pytest.approx(3000, abs=10)
    assert found["replies"]["with_holes"] == 0
    assert found["concealment"]["inside_percent"] == 0
    assert found["concealment"]["silent_percent"] == pytest.approx(53.8, abs=1)
    assert found["inbound"]["jitter_buffer_ms"]["median"] == 40
    assert found["drift"]["from_sending_to_hearing_ms"]["median"] == pytest.approx(80, abs=1)
    assert all(abs(figure["grown"]) < 1 for figure in found["drift"].values())


def test_what_is_missing_from_replies_shows() -> None:
    found = figures(looks(65, concealed=48), recorded(65, hole=True), notes(65))
    assert found["replies"]["with_holes"] == 10
    assert found["replies"]["holes_ms"] == pytest.approx(200, abs=100)
    assert found["concealment"]["inside_percent"] == 1
    assert found["concealment"]["replies_with_any"] == 10


def test_a_clock_that_runs_fast_shows_across_its_wrap_around() -> None:
    ahead = figures(looks(650, clock=1.0001), recorded(650), notes(650))["drift"]["rtp_ahead_of_playing_ms"]
    assert ahead["max"] == pytest.approx(65, abs=1)
    assert ahead["grown"] == pytest.approx(52, abs=2)


def test_a_server_that_hears_too_little_shows() -> None:
    heard = figures(looks(650), recorded(650), notes(650, hears=0.9999))["drift"]["heard_ahead_of_sent_ms"]
    assert heard["grown"] == pytest.approx(-52, abs=2)
