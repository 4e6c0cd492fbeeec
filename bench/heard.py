"""What a browser heard of a call, from its statistics and from the sound itself: replies, concealment, drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.load import summary
from bench.sound import AUDIBLE_RMS, STEP_MS
from bench.witness import Note

Look = dict[str, float]
"""The browser's statistics at one moment, by `type.name` as WebRTC has them, and `at_ms`, `rtp`, `rtp_at_ms`: when they
were read, and which RTP time was played when."""

Numbers = NDArray[np.float64]

STEP_S = STEP_MS / 1000
PAUSE_S = 0.5
"""Silence that parts two replies; less is a hole in one."""

INSIDE_S = 0.15
"""This far from its ends a reply is sure to be one: statistics and sound are read at moments of their own."""

PER_MS = 48
"""Samples of the browser's decoder."""

INBOUND = "inbound-rtp."


@dataclass(frozen=True, slots=True)
class Reply:
    """Something audible, times on the recording's clock.

    Attributes:
        begins_s: First audible step.
        ends_s: End of the last one.
        heard_ms: How much sound it was, played at the pace it was played at.
        holes_ms: Silence inside.
    """

    begins_s: float
    ends_s: float
    heard_ms: float
    holes_ms: float


@dataclass(slots=True)
class Recording:
    """What was played, as root mean squares of 5 ms each, in the pieces it came in.

    Attributes:
        at_s: When each piece was played.
        levels: Of each piece.
    """

    at_s: list[float] = field(default_factory=list)
    levels: list[list[float]] = field(default_factory=list)

    def add(self, at_s: float, levels: list[float]) -> None:
        """Take the next piece."""
        self.at_s.append(at_s)
        self.levels.append(levels)

    def replies(self) -> list[Reply]:
        """Everything audible that has come to its end, in its order."""
        if not self.levels:
            return []
        times = np.repeat(self.at_s, [len(piece) for piece in self.levels])
        loud = np.flatnonzero(np.concatenate(self.levels) > AUDIBLE_RMS)
        runs = np.split(loud, np.flatnonzero(np.diff(loud) * STEP_S > PAUSE_S) + 1)
        replies = [_reply(times, run) for run in runs if len(run)]
        return [reply for reply in replies if reply.ends_s + PAUSE_S <= self.at_s[-1]]

    def behind_ms(self) -> Numbers:
        """For each piece, how far what has been played is behind the time that has passed since the first."""
        played_s = np.cumsum([len(piece) * STEP_S for piece in self.levels])
        passed_s = np.array(self.at_s)
        return ((passed_s - passed_s[0]) - (played_s - played_s[0])) * 1000


def _reply(times: Numbers, run: NDArray[np.int64]) -> Reply:
    first, last = run[0], run[-1]
    steps = int(last - first) + 1
    return Reply(float(times[first]), float(times[last]) + STEP_S, steps * STEP_MS, (steps - len(run)) * STEP_MS)


def report(
    looks: Sequence[Look], recording: Recording, notes: Sequence[Note], *, offset_s: float, reply_s: float
) -> dict[str, Any]:
    """The figures of a call.

    Args:
        looks: The page's statistics, oldest first.
        recording: The page's sound.
        notes: What the server noted.
        offset_s: To be added to the page's times to have the server's.
        reply_s: How long a reply is that nobody has cut off.
    """
    # Until its first packet a stream has no counters.
    looks = [look for look in looks if f"{INBOUND}packetsReceived" in look and "outbound-rtp.packetsSent" in look]
    whole = [reply for reply in recording.replies() if abs(reply.heard_ms / 1000 - reply_s) < reply_s / 2]
    last = looks[-1]
    inside = _inside(looks, whole)
    concealed = _total(looks, "concealedSamples")
    silent = _total(looks, "silentConcealedSamples")
    return {
        "seconds": round((last["at_ms"] - looks[0]["at_ms"]) / 1000, 1),
        "turns": sum(note.what == "turn" for note in notes),
        "replies": {
            "count": len(whole),
            "heard_ms": summary([reply.heard_ms for reply in whole], samples=False),
            "shortest_ms": min((reply.heard_ms for reply in whole), default=None),
            "with_holes": sum(reply.holes_ms > 0 for reply in whole),
            "holes_ms": sum(reply.holes_ms for reply in whole),
        },
        "inbound": {
            "packets": _total(looks, "packetsReceived"),
            "lost": _total(looks, "packetsLost"),
            "late": _total(looks, "packetsDiscarded"),
            "jitter_ms": summary([value * 1000 for value in inside["jitter"]], samples=False),
            "jitter_buffer_ms": summary(inside["buffered_ms"], samples=False),
        },
        "concealment": {
            "inside_percent": _percent(sum(inside["concealedSamples"]), sum(inside["totalSamplesReceived"])),
            "inside_events": sum(inside["concealmentEvents"]),
            "replies_with_any": sum(samples > 0 for samples in inside["concealedSamples"]),
            "audible_at_ends_ms_per_reply": _each(concealed - silent - sum(inside["concealedSamples"]), len(whole)),
            "silent_percent": _percent(silent, _total(looks, "totalSamplesReceived")),
            "slowed_ms_per_reply": _each(_total(looks, "insertedSamplesForDeceleration"), len(whole)),
            "hurried_ms_per_reply": _each(_total(looks, "removedSamplesForAcceleration"), len(whole)),
        },
        "outbound": {
            "packets": last["outbound-rtp.packetsSent"],
            "target_bps": last.get("outbound-rtp.targetBitrate"),
            "lost_percent": 100 * max(look.get("remote-inbound-rtp.fractionLost", 0) for look in looks),
            "round_trip_ms": summary(_values(looks, "remote-inbound-rtp.roundTripTime", 1000), samples=False),
        },
        "drift": _drift(looks, recording, notes, whole, offset_s=offset_s),
        "each_reply": [asdict(reply) for reply in whole],
    }


def _inside(looks: Sequence[Look], replies: Sequence[Reply]) -> dict[str, list[float]]:
    """What was counted inside each reply, between the first and the last look that are sure to be."""
    at_s = np.array([look["at_ms"] for look in looks]) / 1000
    found: dict[str, list[float]] = {name: [] for name in ("jitter", "buffered_ms")}
    counters = ("concealedSamples", "concealmentEvents", "totalSamplesReceived")
    for reply in replies:
        first = int(np.searchsorted(at_s, reply.begins_s + INSIDE_S))
        last = int(np.searchsorted(at_s, reply.ends_s - INSIDE_S)) - 1
        if last <= first:
            continue
        begins, ends = looks[first], looks[last]
        for name in counters:
            found.setdefault(name, []).append(_between(begins, ends, name))
        emitted = _between(begins, ends, "jitterBufferEmittedCount")
        found["buffered_ms"].append(1000 * _between(begins, ends, "jitterBufferDelay") / max(emitted, 1))
        found["jitter"].append(ends[f"{INBOUND}jitter"])
    return {name: found.get(name, []) for name in (*counters, *found)}


def _drift(
    looks: Sequence[Look], recording: Recording, notes: Sequence[Note], replies: Sequence[Reply], *, offset_s: float
) -> dict[str, Any]:
    """How far what should go at one pace has moved apart during the call."""
    at_s = np.array([look["at_ms"] for look in looks]) / 1000
    sent_ms = np.array([look["outbound-rtp.packetsSent"] for look in looks]) * 20
    turns = [note for note in notes if note.what == "turn" and at_s[0] <= note.at_s - offset_s <= at_s[-1]]
    heard_ms = np.array([note.samples / 16 for note in turns])
    sent_by_ms = np.interp([note.at_s - offset_s for note in turns], at_s, sent_ms)
    spoke_s = np.array([note.at_s - offset_s for note in notes if note.what == "spoke"])
    delays_ms = [1000 * (reply.begins_s - spoke_s[spoke_s <= reply.begins_s][-1]) for reply in replies]
    return {
        "rtp_ahead_of_playing_ms": _apart(_rtp_ahead_ms(looks, replies)),
        "from_sending_to_hearing_ms": _apart(delays_ms),
        "playing_behind_time_ms": _apart(recording.behind_ms()),
        "heard_ahead_of_sent_ms": _apart(heard_ms - sent_by_ms),
        "microphone_behind_time_ms": _apart((at_s - at_s[0]) * 1000 - (sent_ms - sent_ms[0])),
    }


def _rtp_ahead_ms(looks: Sequence[Look], replies: Sequence[Reply]) -> list[float]:
    """At each reply, how far the RTP time that is played is ahead of the time that has passed since the first reply."""
    played = [look for look in looks if "rtp" in look]
    at_s = np.array([look["rtp_at_ms"] for look in played]) / 1000
    found: list[float] = []
    for reply in replies:
        index = int(np.searchsorted(at_s, reply.begins_s + INSIDE_S))
        if index < len(played):
            first, look = played[0], played[index]
            passed = (look["rtp_at_ms"] - first["rtp_at_ms"]) * PER_MS
            stepped = (look["rtp"] - first["rtp"] - passed + 2**31) % 2**32 - 2**31
            found.append(stepped / PER_MS)
    return found


def _apart(values: Sequence[float] | Numbers) -> dict[str, Any]:
    """A quantity over the call: its medians fifth by fifth (drift rises from each to the next, a busy spell passes)."""
    there = [float(value) for value in values]
    parts = np.array_split(there, min(5, len(there))) if there else []
    fifths = [round(float(np.median(part)), 1) for part in parts]
    return summary(there, samples=False) | {
        "min": round(min(there), 1) if there else None,
        "fifths": fifths,
        "grown": round(fifths[-1] - fifths[0], 1) if fifths else None,
    }


def _values(looks: Sequence[Look], name: str, times: float) -> list[float]:
    return [look[name] * times for look in looks if name in look]


def _total(looks: Sequence[Look], name: str) -> float:
    return _between(looks[0], looks[-1], name)


def _between(begins: Look, ends: Look, name: str) -> float:
    return ends[INBOUND + name] - begins[INBOUND + name]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3) if whole else 0.0


def _each(samples: float, count: int) -> float:
    return round(samples / PER_MS / max(count, 1), 2)
