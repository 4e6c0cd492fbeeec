"""The noise bench must not be wrong about who heard what when."""

from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer

from bench.gates import STOCK, Floor, Gate, GatedVAD, Scores, detectors
from bench.noise import judge, listen, starts
from bench.recordings import NOISES, WINDOW_S, active_level, at_level, decibels, record, to_pcm, voiced
from bench.recordings import windows as cut
from bench.sound import read_wav
from bench.voices import SAMPLE_RATE

BALANCE = Path(__file__).parents[2] / "audio" / "balance.wav"


@pytest.fixture
def utterance() -> np.ndarray:
    sound = read_wav(BALANCE)[0].astype(np.float32) / 32768
    first, end = voiced(sound)
    return sound[first:end]


def windows(*spans: tuple[int, bool]) -> list[bool]:
    return [state for count, state in spans for _ in range(count)]


def test_a_timely_detector_is_read_to_the_window() -> None:
    # Speech from the start of window 10 to the end of window 29.
    outcome = judge(windows((16, False), (20, True), (10, False)), 10 * WINDOW_S, 30 * WINDOW_S)
    assert outcome.onset_ms == pytest.approx(7 * 32)
    assert outcome.end_ms == pytest.approx(7 * 32)
    assert not (outcome.missed or outcome.early or outcome.premature or outcome.stuck)


def test_speech_that_nobody_notices_within_a_second_is_missed() -> None:
    late = judge(windows((45, False), (20, True), (10, False)), 10 * WINDOW_S, 60 * WINDOW_S)
    never = judge(windows((75, False)), 10 * WINDOW_S, 60 * WINDOW_S)
    assert late.missed
    assert never.missed
    assert late.onset_ms is never.onset_ms is None


def test_a_detector_that_was_already_on_has_no_onset() -> None:
    outcome = judge(windows((5, False), (60, True)), 10 * WINDOW_S, 30 * WINDOW_S)
    assert outcome.early
    assert outcome.stuck
    assert outcome.onset_ms is outcome.end_ms is None


def test_an_end_inside_the_speech_is_counted_and_is_not_its_end() -> None:
    outcome = judge(windows((16, False), (5, True), (3, False), (4, True), (20, False)), 10 * WINDOW_S, 30 * WINDOW_S)
    assert outcome.premature == 2
    assert outcome.end_ms is None


def test_every_start_is_counted_the_first_window_included() -> None:
    assert starts(windows((2, True), (3, False), (1, True), (1, False))) == 2
    assert starts(windows((9, False))) == 0


@pytest.mark.parametrize("noise", sorted(set(NOISES) - {"babble"}))  # which needs flite
def test_speech_and_noise_have_the_levels_that_were_asked_for(noise: str, utterance: np.ndarray) -> None:
    clean = record(utterance, -26, noise, None, (1,))
    noisy = record(utterance, -26, noise, 10, (1,))
    speech = clean.pcm.astype(np.float32) / 32768
    alone = (noisy.pcm.astype(np.float32) - clean.pcm.astype(np.float32)) / 32768
    assert active_level(speech[round(clean.first_s * SAMPLE_RATE) :]) == pytest.approx(-26, abs=0.1)
    assert decibels(alone) == pytest.approx(-36, abs=0.1)
    assert clean.last_s - clean.first_s == pytest.approx(len(utterance) / SAMPLE_RATE)


def test_silence_around_speech_does_not_change_its_level(utterance: np.ndarray) -> None:
    padded = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), utterance, np.zeros(SAMPLE_RATE, np.float32)])
    assert active_level(padded) == pytest.approx(active_level(utterance), abs=0.1)


def test_a_tenth_of_the_last_windows_lies_below_the_floor() -> None:
    floor = Floor(memory_s=20 * WINDOW_S)
    for dbfs in [-90.0] * 50 + [float(-level) for level in range(20, 40)]:
        floor.learn(dbfs)
    assert floor.dbfs == -37


async def test_shared_scores_are_those_of_pipecats_own_detector(utterance: np.ndarray) -> None:
    heard = record(utterance, -32, "pink", 10, (3,))
    plain = SileroVADAnalyzer()
    plain.set_sample_rate(SAMPLE_RATE)
    try:
        expected = await listen(plain, heard.pcm)
    finally:
        await plain.cleanup()
    found = {name: await listen(each, heard.pcm) for name, each in detectors(heard.pcm, [STOCK], with_ours=True)}
    assert any(expected)
    assert found["stock"] == expected


async def test_one_recording_serves_detectors_that_clear_their_state_at_different_times(utterance: np.ndarray) -> None:
    heard = record(utterance, -20, "white", 5, (4,))
    whole = cut(heard.pcm).astype(np.float32) / 32768
    shared, deaf, keen = Scores(whole), Gate("deaf", least_dbfs=0), Gate("keen", confidence=0.05)
    together = [await listen(GatedVAD(gate, shared), heard.pcm) for gate in (deaf, keen)]
    apart = [await listen(GatedVAD(gate, Scores(whole)), heard.pcm) for gate in (deaf, keen)]
    assert together == apart
    assert not any(together[0])
    assert any(together[1])


async def test_a_gate_that_lets_go_lower_than_it_begins_keeps_hold_of_fading_speech(utterance: np.ndarray) -> None:
    loud, soft = (at_level(utterance, active_level(utterance), level) for level in (-30, -54))
    pcm = to_pcm(np.concatenate([np.zeros(16_000, np.float32), loud, soft]))
    scores = Scores(cut(pcm).astype(np.float32) / 32768)
    heard = [
        await listen(GatedVAD(gate, scores), pcm)
        for gate in (Gate("one level", -46), Gate("two levels", -46, keeps_dbfs=-100))
    ]
    assert sum(heard[1]) > sum(heard[0])
    assert heard[0].index(True) == heard[1].index(True)
