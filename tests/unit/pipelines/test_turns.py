"""Voice activity and ends of turns, on real speech with the real models."""

import asyncio
import os
import signal
import wave
from concurrent.futures import CancelledError, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.metrics.metrics import TurnMetricsData

from pipelines.smart_turn import HUNG_S, MAX_SAMPLES, REST_S, NoVerdict, SmartTurnModel
from pipelines.turns import MAX_CHUNKS, SmartTurnAnalyzer, late_verdicts
from pipelines.voice import SileroVAD

AUDIO = Path(__file__).resolve().parents[2] / "audio"
CHUNK = 640  # 20 ms of 16-bit mono at 16 kHz


def speech(name: str) -> bytes:
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        assert file.getframerate() == 16_000
        return file.readframes(file.getnframes())


def chunks(pcm: bytes) -> list[bytes]:
    return [pcm[i : i + CHUNK] for i in range(0, len(pcm) - CHUNK + 1, CHUNK)]


async def hear(vad: SileroVAD, turn: SmartTurnAnalyzer | None, pcm: bytes) -> list[VADState]:
    states = []
    for chunk in chunks(pcm):
        state = await vad.analyze_audio(chunk)
        states.append(state)
        if turn is not None:
            turn.append_audio(chunk, state in (VADState.SPEAKING, VADState.STOPPING))
    return states


def make(turn: SmartTurnAnalyzer | None = None) -> SileroVAD:
    vad = SileroVAD() if turn is None else SileroVAD(falls_silent=turn.speculate, goes_on=turn.withdraw)
    vad.set_sample_rate(16_000)
    if turn is not None:
        turn.set_sample_rate(16_000)
    return vad


async def test_speech_is_found_and_its_end() -> None:
    states = await hear(make(), None, speech("balance") + bytes(16_000))
    assert states[0] is VADState.QUIET
    assert VADState.SPEAKING in states
    assert states[-1] is VADState.QUIET


async def test_two_calls_share_the_session_and_nothing_else() -> None:
    alone = await hear(make(), None, speech("balance"))
    first, second = make(), make()
    mixed, noise = [], chunks(speech("transactions"))
    for number, chunk in enumerate(chunks(speech("balance"))):
        mixed.append(await first.analyze_audio(chunk))
        await second.analyze_audio(noise[number % len(noise)])
    assert mixed == alone


@pytest.fixture(scope="module")
def model():
    model = SmartTurnModel(own_process=False)
    yield model
    model.close()


async def test_a_whole_sentence_is_complete_and_asked_ahead(model: SmartTurnModel) -> None:
    turn = SmartTurnAnalyzer(model, deadline_s=30)
    vad = make(turn)
    pcm = speech("balance") + bytes(16_000)
    asked_ahead = False
    for chunk in chunks(pcm):
        state = await vad.analyze_audio(chunk)
        turn.append_audio(chunk, state in (VADState.SPEAKING, VADState.STOPPING))
        asked_ahead = asked_ahead or turn._ahead is not None
        if asked_ahead and state is VADState.QUIET:
            break
    verdict, metrics = await turn.analyze_end_of_turn()
    assert asked_ahead
    assert verdict is EndOfTurnState.COMPLETE
    assert isinstance(metrics, TurnMetricsData) and metrics.probability > 0.5


async def test_half_a_sentence_is_not_complete(model: SmartTurnModel) -> None:
    turn = SmartTurnAnalyzer(model, deadline_s=30)
    pcm = speech("transactions")
    half = pcm[: len(pcm) // 2 // CHUNK * CHUNK]
    await hear(make(turn), turn, half)
    verdict, _ = await turn.analyze_end_of_turn()
    assert verdict is EndOfTurnState.INCOMPLETE


async def test_speaking_on_withdraws_the_question(model: SmartTurnModel) -> None:
    turn = SmartTurnAnalyzer(model, deadline_s=30)
    vad = make(turn)
    voiced = speech("balance")
    await hear(vad, turn, voiced[: len(voiced) * 6 // 10 // CHUNK * CHUNK])
    for chunk in chunks(bytes(CHUNK * 20)):
        await vad.analyze_audio(chunk)
        turn.append_audio(chunk, True)
        if turn._ahead is not None:
            break
    assert turn._ahead is not None
    for chunk in chunks(voiced[CHUNK * 20 :]):
        if await vad.analyze_audio(chunk) is VADState.SPEAKING:
            break
    assert turn._ahead is None


async def test_a_late_verdict_is_not_waited_for(model: SmartTurnModel) -> None:
    turn = SmartTurnAnalyzer(model, deadline_s=0)
    pcm = speech("transactions")
    await hear(make(turn), turn, pcm[: len(pcm) // 2 // CHUNK * CHUNK])
    late = late_verdicts.total()
    verdict, metrics = await turn.analyze_end_of_turn()
    assert (verdict, metrics) == (EndOfTurnState.COMPLETE, None)
    assert late_verdicts.total() == late + 1


async def test_a_process_of_its_own_gives_the_same_verdict(model: SmartTurnModel) -> None:
    samples = np.frombuffer(speech("balance"), np.int16)
    beside = SmartTurnModel(own_process=True)
    try:
        apart = await asyncio.wait_for(asyncio.wrap_future(beside.ask(samples)), 30)
    finally:
        beside.close()
    assert apart == pytest.approx(await asyncio.wrap_future(model.ask(samples)), abs=1e-4)


async def test_many_verdicts_get_a_process_and_none_is_lost_on_the_way() -> None:
    samples, now = np.frombuffer(speech("balance"), np.int16), 0.0
    model = SmartTurnModel(clock=lambda: now)
    model._may_move = True  # also where there is one core
    try:
        verdicts: list[float] = []
        async with asyncio.timeout(60):
            while not model.own_process:
                verdicts += await asyncio.gather(*(asyncio.wrap_future(model.ask(samples)) for _ in range(3)))
        verdicts.append(await asyncio.wrap_future(model.ask(samples)))
        assert len({round(verdict, 3) for verdict in verdicts}) == 1
    finally:
        model.close()


async def test_a_process_that_hangs_is_given_up_and_tried_again_later() -> None:
    samples, now = np.frombuffer(speech("balance"), np.int16), 0.0
    model = SmartTurnModel(own_process=True, clock=lambda: now)
    try:
        async with asyncio.timeout(90):
            verdict = await asyncio.wrap_future(model.ask(samples))
            assert isinstance(model._executor, ProcessPoolExecutor)
            (process,) = model._executor._processes
            os.kill(process, signal.SIGTERM)  # meant for the server, which still has calls
            assert await asyncio.wrap_future(model.ask(samples)) == verdict
            os.kill(process, signal.SIGSTOP)
            lost = model.ask(samples)
            now += HUNG_S + 1
            after = model.ask(samples)
            with pytest.raises(NoVerdict):
                await asyncio.wrap_future(lost)
            assert await asyncio.wrap_future(after) == pytest.approx(verdict, abs=1e-4)
            assert not model.own_process
            now += REST_S
            while not model.own_process:
                await asyncio.wrap_future(model.ask(samples))
    finally:
        model.close()


async def test_a_question_that_is_withdrawn_is_not_answered(model: SmartTurnModel) -> None:
    samples = np.frombuffer(speech("balance"), np.int16)
    first, second = model.ask(samples), model.ask(samples)
    second.cancel()
    assert await asyncio.wrap_future(first) > 0.5
    assert second.cancelled()


async def test_a_question_that_nobody_could_answer_in_time_is_dropped_for_those_behind_it() -> None:
    samples, now = np.frombuffer(speech("balance"), np.int16), 0.0
    model = SmartTurnModel(own_process=False, clock=lambda: now)
    try:
        await model.warm()  # now it knows how long one takes
        first, hopeless, last = model.ask(samples), model.ask(samples, within_s=0.001), model.ask(samples, within_s=5)
        assert model.waiting == 3
        assert await asyncio.wrap_future(last) == await asyncio.wrap_future(first)
        assert not hopeless.done()
        assert model.waiting == 0
    finally:
        model.close()


async def test_a_lone_question_is_asked_however_slow_the_model_was() -> None:
    model = SmartTurnModel(own_process=False)
    try:
        model._takes_s = 60.0
        assert await asyncio.wrap_future(model.ask(np.zeros(16_000, np.int16), within_s=10)) >= 0
        assert model._takes_s < 60
    finally:
        model.close()


async def test_a_model_that_cannot_be_asked_fails_its_question_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = SmartTurnModel(own_process=False)
    try:
        with monkeypatch.context() as broken:
            broken.setattr("threading.Thread.start", _no_more_threads)
            question = model.ask(np.zeros(16_000, np.int16))
            with pytest.raises(NoVerdict):
                await asyncio.wrap_future(question)
            turn = SmartTurnAnalyzer(model)
            pcm = speech("transactions")
            await hear(make(turn), turn, pcm[: len(pcm) // 2 // CHUNK * CHUNK])
            assert await turn.analyze_end_of_turn() == (EndOfTurnState.COMPLETE, None)
        model.close()  # a pool that could not start its thread stays as it is
        assert 0 <= await asyncio.wrap_future(model.ask(np.zeros(16_000, np.int16))) <= 1
    finally:
        model.close()


def _no_more_threads(_thread: object) -> None:
    raise RuntimeError("can't start new thread")


def test_questions_that_nobody_waits_for_are_not_kept() -> None:
    model = SmartTurnModel(own_process=False)
    try:
        for _ in range(5):
            model.ask(np.zeros(16_000, np.int16)).cancel()
        assert len(model._questions) <= 1
    finally:
        model.close()


async def test_of_a_turn_without_end_no_more_is_kept_than_the_model_takes(model: SmartTurnModel) -> None:
    turn = SmartTurnAnalyzer(model)
    turn.set_sample_rate(16_000)
    for _ in range(3_000):
        turn.append_audio(bytes(1024), True)
    assert len(turn._audio_buffer) == MAX_CHUNKS
    segment = turn._segment()
    assert segment is not None
    assert MAX_SAMPLES <= len(segment) < MAX_SAMPLES + 512


def test_nobody_waits_for_a_model_that_was_closed() -> None:
    model = SmartTurnModel(own_process=False)
    questions = [model.ask(np.zeros(16_000, np.int16)) for _ in range(3)]
    model.close()
    for question in questions:
        with suppress(CancelledError, NoVerdict):
            question.result(timeout=30)
        assert question.done()


def test_the_process_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    import os
    import signal
    import subprocess
    import sys
    import time

    program = tmp_path / "parent.py"
    program.write_text(
        "import numpy as np, signal\n"
        "from pipelines.smart_turn import SmartTurnModel\n"
        "if __name__ == '__main__':\n"
        "    model = SmartTurnModel(own_process=True)\n"
        "    model.ask(np.zeros(16_000, np.int16)).result()\n"
        "    print(*model._executor._processes, flush=True)\n"
        "    signal.pause()\n"
    )
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _alive(child):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    """Whether a process that is not ours runs; a zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
