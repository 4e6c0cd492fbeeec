"""Voice activity in noise: what each gate in front of Silero costs and saves, without network or real time.

    python -m bench noise [--quick] [--all] [--out FILE]

A recording is a caller's sentence, three seconds after its start, in noise that never stops. Detectors hear it in
32 ms windows as in a call, and what is written down is when they say that somebody speaks. `stock` is pipecat's
detector as it comes, with its smoothed loudness gate; `ours` is the product's; the others are candidates for it. Noise
alone shows how often a bot would be interrupted by nobody. `echo` is the bot's own voice as a poor echo canceller
leaves it.

Levels are dB of full scale: of speech the mean power while somebody speaks, of noise the mean power. All speakers are
synthetic and every random choice is seeded, so two runs agree to the digit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from loguru import logger
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADState

from bench.gates import GATES, OURS, Gate, detectors
from bench.recordings import ALONE, NOISES, WINDOW_S, at_level, decibels, record, to_pcm, utterances, windows
from bench.sound import Pcm
from bench.voices import NEEDS_FLITE, flite_installed

NOTICE_S = 1.0
"""Speech that is not noticed for this long is missed."""

SPEECH_DBFS = (-20, -26, -32, -38)
SNR_DB = (20, 10, 5)
ALONE_DBFS = (-30, -40, -50, -60)
ALONE_S = 300.0
PIECE_S = 30.0
"""Noise alone is heard in pieces of this length, each by a detector of its own, as in so many calls."""

OUT = Path("build/bench/noise.json")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a detector made of one utterance.

    Attributes:
        early: Whether it said that somebody spoke when nobody did yet; the onset then says nothing.
        missed: Whether it did not notice in time.
        onset_ms: From the first voiced sample to the start.
        premature: Ends inside the utterance.
        end_ms: From the last voiced sample to the end; `None` if it had ended before, or not by the end.
        stuck: Whether it had not ended by the end of the recording.
    """

    early: bool
    missed: bool
    onset_ms: float | None
    premature: int
    end_ms: float | None
    stuck: bool


def judge(active: Sequence[bool], first_s: float, last_s: float) -> Outcome:
    """Read what a detector said after each window beside when somebody spoke.

    Args:
        active: Whether it took somebody to be speaking, window by window.
        first_s: When the first voiced sample is heard.
        last_s: When the last one has been heard.
    """
    before = int(first_s / WINDOW_S)  # windows wholly before the speech
    inside = int(last_s / WINDOW_S)
    early = before > 0 and active[before - 1]
    on = next((n for n in range(before, len(active)) if active[n]), None)
    noticed = early or (on is not None and (on + 1) * WINDOW_S - first_s <= NOTICE_S)
    off = next((n for n in range(inside, len(active)) if not active[n]), None)
    going_on = inside > 0 and active[inside - 1]
    return Outcome(
        early=early,
        missed=not noticed,
        onset_ms=((on + 1) * WINDOW_S - first_s) * 1000 if noticed and not early and on is not None else None,
        premature=sum(active[n - 1] and not active[n] for n in range(max(before, 1), inside)),
        end_ms=((off + 1) * WINDOW_S - last_s) * 1000 if going_on and off is not None else None,
        stuck=going_on and off is None,
    )


def starts(active: Sequence[bool]) -> int:
    """How often somebody was taken to begin to speak."""
    return sum(now and not before for before, now in zip([False, *active[:-1]], active, strict=True))


async def listen(detector: VADAnalyzer, pcm: Pcm) -> list[bool]:
    """Whether somebody speaks, after each window."""
    states = [await detector.analyze_audio(window.tobytes()) for window in windows(pcm)]
    return [state in (VADState.SPEAKING, VADState.STOPPING) for state in states]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance heard by one detector."""

    gate: str
    noise: str
    snr_db: float | None
    speech_dbfs: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Nobody:
    """Noise alone heard by one detector.

    Attributes:
        starts_per_minute: How often it took it for speech.
        speaking: For how much of the time, as a share.
    """

    gate: str
    noise: str
    noise_dbfs: float
    starts_per_minute: float
    speaking: float


async def in_speech(gates: Sequence[Gate], count: int, *, with_ours: bool) -> list[Spoken]:
    """Every utterance at every level in every noise."""
    found: list[Spoken] = []
    cells = [("clean", None), *((noise, snr) for noise in NOISES for snr in SNR_DB)]
    for number, utterance in enumerate(utterances(count)):
        for cell, (noise, snr) in enumerate(cells):
            for level in SPEECH_DBFS:
                heard = record(utterance, level, noise, snr, (1, number, cell, -level))
                for name, detector in detectors(heard.pcm, gates, with_ours=with_ours):
                    outcome = judge(await listen(detector, heard.pcm), heard.first_s, heard.last_s)
                    found.append(Spoken(name, noise, snr, level, outcome))
    return found


async def in_noise_alone(gates: Sequence[Gate], seconds: float, *, with_ours: bool) -> list[Nobody]:
    """Every noise at every level, with nobody speaking."""
    found: list[Nobody] = []
    for number, (noise, make) in enumerate(ALONE.items()):
        for level in ALONE_DBFS:
            heard: dict[str, list[list[bool]]] = {}
            for piece in range(round(seconds / PIECE_S)):
                sound = make(PIECE_S, np.random.default_rng((2, number, -level, piece)))
                pcm = to_pcm(at_level(sound, decibels(sound), level))
                for name, detector in detectors(pcm, gates, with_ours=with_ours):
                    heard.setdefault(name, []).append(await listen(detector, pcm))
            for name, pieces in heard.items():
                often = sum(starts(piece) for piece in pieces) / (len(pieces) * PIECE_S) * 60
                found.append(Nobody(name, noise, level, often, float(np.mean(np.concatenate(pieces)))))
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Outcomes taken together; shares of one, times in ms (`None`: nothing to take them from)."""

    n: int
    missed: float
    early: float
    onset_p50: float | None
    onset_p95: float | None
    premature: float
    end_p50: float | None
    end_p95: float | None
    stuck: float


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Shares, medians and 95th percentiles."""
    n = len(outcomes)
    onsets = [each.onset_ms for each in outcomes if each.onset_ms is not None]
    ends = [each.end_ms for each in outcomes if each.end_ms is not None]
    return Figures(
        n=n,
        missed=sum(each.missed for each in outcomes) / n,
        early=sum(each.early for each in outcomes) / n,
        onset_p50=_percentile(onsets, 50),
        onset_p95=_percentile(onsets, 95),
        premature=sum(each.premature > 0 for each in outcomes) / n,
        end_p50=_percentile(ends, 50),
        end_p95=_percentile(ends, 95),
        stuck=sum(each.stuck for each in outcomes) / n,
    )


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 1) if values else None


COLUMNS = ("n", "missed", "early", "onset ms p50", "p95", "cut short", "end ms p50", "p95", "stuck")


def _cells(found: Figures) -> str:
    shares = {name: f"{getattr(found, name):.1%}" for name in ("missed", "early", "premature", "stuck")}
    values = {name: "-" if value is None else f"{value:.0f}" for name, value in asdict(found).items()} | shares
    return " | ".join(values.values())


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {row} |" for row in rows)])


def _cell_name(noise: str, snr_db: float | None) -> str:
    return noise if snr_db is None else f"{noise} {snr_db:.0f} dB"


def grouped(spoken: Sequence[Spoken], key: Callable[[Spoken], str]) -> dict[str, Figures]:
    """Figures of the outcomes that share a key, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for each in spoken:
        groups.setdefault(key(each), []).append(each.outcome)
    return {name: figures(outcomes) for name, outcomes in groups.items()}


def report(spoken: Sequence[Spoken], nobody: Sequence[Nobody], *, every_cell: bool) -> str:
    """Everything, in Markdown."""
    names = list(dict.fromkeys(each.gate for each in spoken))
    usual = [each for each in spoken if each.noise != "babble"]
    noises = list(dict.fromkeys((each.noise, each.noise_dbfs) for each in nobody))
    by_noise = {(each.gate, each.noise, each.noise_dbfs): [each] for each in nobody}
    parts = [
        "Each gate over all cells (`early`: somebody was taken to speak when nobody did yet; `cut short`: ended inside "
        "the utterance; `stuck`: not ended 1.5 s after it), its worst cell, and of noise alone: starts a minute / "
        "share of the time that was taken for speech",
        _table(
            ("gate", *COLUMNS, "worst cell", "steady noise", "babble", "echo"),
            [
                f"{name} | {_cells(found)} | {_worst(spoken, name)} | "
                + " | ".join(
                    _alone([each for each in nobody if each.gate == name and each.noise in kinds]) for kinds in _KINDS
                )
                for name, found in grouped(spoken, lambda each: each.gate).items()
            ],
        ),
        "The same without babble",
        _table(
            ("gate", *COLUMNS),
            [f"{name} | {_cells(found)}" for name, found in grouped(usual, lambda each: each.gate).items()],
        ),
        "By level of the speech: clean and 20 dB",
        _table(
            ("gate, speech dBFS", *COLUMNS),
            [
                f"{name} | {_cells(found)}"
                for name, found in grouped(
                    [each for each in spoken if each.snr_db in (None, 20)],
                    lambda each: f"{each.gate}, {each.speech_dbfs:.0f}",
                ).items()
            ],
        ),
        "Noise alone by its dBFS: starts a minute / share of the time that was taken for speech",
        _table(
            ("gate", *(f"{noise} {level:.0f}" for noise, level in noises)),
            [f"{name} | " + " | ".join(_alone(by_noise[name, *noise]) for noise in noises) for name in names],
        ),
    ]
    if every_cell:
        rows = grouped(spoken, lambda each: f"{each.gate} | {_cell_name(each.noise, each.snr_db)}")
        parts += [
            "Every cell, over the speech levels",
            _table(("gate", "noise", *COLUMNS), [f"{name} | {_cells(found)}" for name, found in sorted(rows.items())]),
        ]
    return "\n\n".join(parts)


_KINDS = (("white", "pink", "hum", "clicks"), ("babble",), ("echo",))


def _alone(nobody: Sequence[Nobody]) -> str:
    often, share = (
        float(np.mean(values)) for values in zip(*((n.starts_per_minute, n.speaking) for n in nobody), strict=True)
    )
    return f"{often:.1f} / {share:.0%}" if often or share else "0"


def _worst(spoken: Sequence[Spoken], gate: str) -> str:
    cells = grouped(
        [each for each in spoken if each.gate == gate],
        lambda each: f"{_cell_name(each.noise, each.snr_db)} at {each.speech_dbfs:.0f}",
    )
    name = max(cells, key=lambda cell: (cells[cell].missed, cells[cell].premature))
    return f"{name}: {cells[name].missed:.0%} missed, {cells[name].premature:.0%} cut"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of `python -m bench noise`."""
    parser = argparse.ArgumentParser(prog="python -m bench noise", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four utterances, half a minute of each noise alone")
    parser.add_argument("--all", action="store_true", help="also print every gate in every cell")
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--only", nargs="+", help="these gates")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the JSON goes ({OUT})")
    args = parser.parse_args(arguments)
    logger.remove()
    if not flite_installed():
        print(NEEDS_FLITE, file=sys.stderr)
        return 2
    gates = [gate for gate in GATES if not args.only or gate.name in args.only]
    with_ours = not args.only or OURS in args.only
    began = time.monotonic()
    spoken = asyncio.run(in_speech(gates, 4 if args.quick else args.utterances, with_ours=with_ours))
    nobody = asyncio.run(in_noise_alone(gates, PIECE_S if args.quick else ALONE_S, with_ours=with_ours))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rows = {"spoken": [asdict(each) for each in spoken], "nobody": [asdict(each) for each in nobody]}
    args.out.write_text(json.dumps(rows) + "\n")
    print(report(spoken, nobody, every_cell=args.all))
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
