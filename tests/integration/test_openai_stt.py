"""OpenAI's Whisper through the real pipecat service against a local server of its wire."""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger
from openai import AsyncOpenAI, AuthenticationError
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    MetricsFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import STTUsageMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.stt_service import STTService
from pipecat.utils.errors import ErrorCategory
from pipecat.workers.runner import WorkerRunner
from pydantic import SecretStr

from core.settings import Settings
from providers.base import Brief, LanguageNotOffered
from providers.frames import NothingHeardFrame
from providers.openai import stt as whisper
from providers.phrases import Phrases
from tests.doubles.hearing import says
from tests.doubles.openai_audio import OpenAIAudio
from tests.doubles.script import Script

AUDIO = Path(__file__).parents[1] / "audio"
KEY = "sk-5f0c2d-not-to-be-seen"
PATIENCE_S = 20.0
PHRASES = Phrases(intents=(), can_do="I can tell your balance.")
NAMES = ("Ravi Kumar", "Priya Sharma")
RATE = 16_000


def settings_for(url: str, *, model: str = "whisper-1") -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        openai_api_key=SecretStr(KEY),
        openai_base_url=url,
        openai_stt_model=model,
    )


def brief(language: str = "en", names: tuple[str, ...] = NAMES) -> Brief:
    return Brief("banking", "", PHRASES, names, language)


def recording(name: str) -> bytes:
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        return file.readframes(file.getnframes())


def noise(seconds: float) -> bytes:
    return np.random.default_rng(1).integers(-9_000, 9_000, int(RATE * seconds)).astype("<i2").tobytes()


class Ear(BaseObserver):
    """What leaves the recogniser."""

    def __init__(self, stt: STTService) -> None:
        super().__init__()
        self._stt = stt
        self.frames: dict[int, Frame] = {}
        self._changed = asyncio.Event()

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.source is self._stt and not isinstance(data.frame, InputAudioRawFrame):
            self.frames[data.frame.id] = data.frame
            self._changed.set()

    def all(self, *kinds: type[Frame]) -> list[Any]:
        return [frame for frame in self.frames.values() if isinstance(frame, kinds)]

    async def hears(self, kind: type[Frame], count: int = 1) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while len(found := self.all(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[count - 1]


class Call:
    """A pipeline of the recogniser alone, and a caller."""

    def __init__(self, worker: PipelineWorker, stt: STTService, ear: Ear) -> None:
        self.worker, self.stt, self.ear = worker, stt, ear

    async def utters(self, sound: bytes, *, piece_s: float = 0.02) -> None:
        await self.worker.queue_frame(VADUserStartedSpeakingFrame(start_secs=0.2))
        step = int(RATE * piece_s) * 2
        for at in range(0, len(sound), step):
            await self.worker.queue_frame(InputAudioRawFrame(sound[at : at + step], RATE, 1))
        await self.worker.queue_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))


@asynccontextmanager
async def calling(settings: Settings, told: Brief | None = None, *, last: Frame | None = None) -> AsyncIterator[Call]:
    stt = whisper.stt(settings, told or brief())
    ear = Ear(stt)
    worker = PipelineWorker(
        Pipeline([stt]),
        observers=[ear],
        params=PipelineParams(audio_in_sample_rate=RATE, enable_metrics=True, enable_usage_metrics=True),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        yield Call(worker, stt, ear)
    finally:
        await worker.queue_frame(last or CancelFrame())
        await asyncio.wait_for(running, PATIENCE_S)


def used_s(call: Call) -> list[float]:
    """The seconds of sound of each request that is charged for."""
    data = [data for frame in call.ear.all(MetricsFrame) for data in frame.data]
    return [data.value.audio_seconds for data in data if isinstance(data, STTUsageMetricsData)]


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Everything that is logged, at its most talkative."""
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {exception}")
    yield lines
    logger.remove(sink)


# The wire, as OpenAI's own SDK sees it


async def test_the_sdk_transcribes_and_understands_a_refusal() -> None:
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(noise(1.0))
    async with (
        OpenAIAudio(says("what is my balance"), key=KEY) as server,
        AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client,
        AsyncOpenAI(api_key="another", base_url=f"{server.url}/v1", max_retries=0) as stranger,
    ):
        upload = ("audio.wav", file.getvalue(), "audio/wav")
        plain = await client.audio.transcriptions.create(file=upload, model="whisper-1", language="en")
        full = await client.audio.transcriptions.create(file=upload, model="whisper-1", response_format="verbose_json")
        with pytest.raises(AuthenticationError) as refused:
            await stranger.audio.transcriptions.create(file=upload, model="whisper-1")
    assert plain.text == full.text == "what is my balance"
    assert full.segments is not None
    assert (full.duration, full.segments[0].end) == (1.0, 1.0)
    assert refused.value.code == "invalid_api_key"
    assert (len(server.requests), server.refused) == (2, 1)
    assert (len(server.requests[0].sound), server.requests[0].asked("language")) == (2 * RATE, "en")


# Words and silence


async def test_an_utterance_is_heard_as_a_whole(tmp_path: Path) -> None:
    async with OpenAIAudio(key=KEY, cache_dir=tmp_path) as server, calling(settings_for(server.url)) as call:
        await call.utters(recording("send"))
        final = await call.ear.hears(TranscriptionFrame)
        [metadata] = {frame.ttfs_p99_latency for frame in call.ear.all(STTMetadataFrame)}
    used = [each for frame in call.ear.all(MetricsFrame) for each in frame.data]
    [usage] = [each for each in used if isinstance(each, STTUsageMetricsData)]
    assert (final.text, final.finalized) == ("send five hundred to ravi", True)
    assert usage.model == "whisper-1"
    assert usage.value.audio_seconds == pytest.approx(len(server.requests[0].sound) / 2 / RATE)
    assert metadata == 2.01
    fields = {name: values for name, values in server.requests[0].fields.items() if name != "response_format"}
    assert fields == {"model": ["whisper-1"], "language": ["en"], "prompt": ["Ravi Kumar, Priya Sharma"]}
    assert call.ear.all(NothingHeardFrame, ErrorFrame) == []


async def test_newer_models_are_given_names_as_keywords() -> None:
    async with (
        OpenAIAudio(says("haan")) as server,
        calling(settings_for(server.url, model="gpt-transcribe"), brief("hi-IN")) as call,
    ):
        await call.utters(noise(0.5))
        await call.ear.hears(TranscriptionFrame)
    assert server.requests[0].fields == {"model": ["gpt-transcribe"], "language": ["hi"], "keywords": list(NAMES)}


async def test_names_are_sent_as_far_as_they_are_read() -> None:
    names = tuple(f"Venkataraman {number}" for number in range(100))
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url), brief(names=names)) as call:
        await call.utters(noise(0.5))
        await call.ear.hears(TranscriptionFrame)
    prompt = server.requests[0].asked("prompt")
    assert prompt.startswith("Venkataraman 0, Venkataraman 1, ")
    assert 150 < len(prompt.encode()) <= whisper.MAX_NAMES_BYTES


async def test_a_cough_is_nothing_heard() -> None:
    async with OpenAIAudio(says("")) as server, calling(settings_for(server.url)) as call:
        await call.utters(noise(0.3))
        await call.ear.hears(NothingHeardFrame)
    assert call.ear.all(TranscriptionFrame, ErrorFrame) == []


@pytest.mark.parametrize(
    ("no_speech_prob", "avg_logprob", "heard"), [(0.8, -0.9, False), (0.8, -0.2, True), (0.1, -0.9, True)]
)
async def test_what_whisper_makes_of_a_noise_is_nothing_heard(
    no_speech_prob: float, avg_logprob: float, heard: bool
) -> None:
    async with (
        OpenAIAudio(says("Thank you."), no_speech_prob=no_speech_prob, avg_logprob=avg_logprob) as server,
        calling(settings_for(server.url)) as call,
    ):
        await call.utters(noise(0.3))
        await call.ear.hears(TranscriptionFrame if heard else NothingHeardFrame)
    assert len(call.ear.all(TranscriptionFrame, NothingHeardFrame)) == 1


async def test_speech_without_a_pause_is_heard_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "LONGEST_S", 2.0)
    async with OpenAIAudio(says("and so on")) as server, calling(settings_for(server.url)) as call:
        await call.utters(noise(5.0))
        await call.ear.hears(TranscriptionFrame, 3)
    assert [round(len(request.sound) / 2 / RATE, 1) for request in server.requests] == [2.5, 2.5, 1.5]


# Faults

REFUSALS = {
    400: ErrorCategory.UNKNOWN,
    401: ErrorCategory.AUTHENTICATION,
    402: ErrorCategory.QUOTA,
    403: ErrorCategory.AUTHORIZATION,
    429: ErrorCategory.RATE_LIMIT,
    500: ErrorCategory.SERVER,
    529: ErrorCategory.SERVER,
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_is_told_at_once_with_its_reason(status: int, log: list[str]) -> None:
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url)) as call:
        server.scripts.then([Script(status=status, retry_after_s=7)])
        before = time.monotonic()
        await call.utters(noise(0.3))
        error = await call.ear.hears(ErrorFrame)
        took_s = time.monotonic() - before
    assert took_s < 2.0
    assert error.category is REFUSALS[status]
    assert error.error.startswith(f"{status}: ")
    assert call.ear.all(ErrorFrame) == [error]
    assert call.ear.all(TranscriptionFrame, NothingHeardFrame) == []
    assert server.refused == 1
    assert used_s(call) == []
    assert KEY not in repr(error) + str(error.exception) + "".join(log)


async def test_the_next_utterance_is_heard_after_a_failure() -> None:
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url)) as call:
        server.scripts.then([Script(status=500)])
        await call.utters(noise(0.3))
        await call.ear.hears(ErrorFrame)
        await call.utters(noise(0.3))
        assert (await call.ear.hears(TranscriptionFrame)).text == "yes"
    assert used_s(call) == [pytest.approx(0.8, abs=0.01)], "what failed costs nothing"


async def test_nobody_there_is_told_at_once() -> None:
    async with OpenAIAudio(says("yes")) as server:
        url = server.url
    async with calling(settings_for(url)) as call:
        await call.utters(noise(0.3))
        error = await call.ear.hears(ErrorFrame)
    assert error.category is ErrorCategory.CONNECTIVITY


@pytest.mark.parametrize(
    ("script", "category"),
    [
        (Script(stall_after=0), ErrorCategory.CONNECTIVITY),
        (Script(stall_after=2), ErrorCategory.CONNECTIVITY),
        (Script(cut_after=0), ErrorCategory.CONNECTIVITY),
        (Script(cut_after=2), ErrorCategory.CONNECTIVITY),
        (Script(garbage=True), ErrorCategory.SERVER),
    ],
    ids=["no answer", "half an answer", "cut", "cut in the answer", "garbage"],
)
async def test_an_answer_that_does_not_come_is_told(
    script: Script, category: ErrorCategory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper, "ANSWER_S", 0.4)
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url)) as call:
        server.scripts.then([script])
        before = time.monotonic()
        await call.utters(noise(0.3))
        error = await call.ear.hears(ErrorFrame)
        took_s = time.monotonic() - before
    assert took_s < 3.0
    assert error.category is category
    assert call.ear.all(ErrorFrame) == [error]
    assert call.ear.all(TranscriptionFrame, NothingHeardFrame) == []


async def test_an_answer_without_words_is_nothing_heard() -> None:
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url)) as call:
        server.scripts.then([Script(wrong=True)])
        await call.utters(noise(0.3))
        await call.ear.hears(NothingHeardFrame)
    assert call.ear.all(TranscriptionFrame, ErrorFrame) == []


async def test_a_slow_answer_is_waited_for() -> None:
    async with OpenAIAudio(says("yes")) as server, calling(settings_for(server.url)) as call:
        server.scripts.then([Script(first_byte_s=0.3, pace_s=0.1)])
        before = time.monotonic()
        await call.utters(noise(0.3))
        await call.ear.hears(TranscriptionFrame)
    assert time.monotonic() - before >= 0.6


@pytest.mark.parametrize("last", [CancelFrame(), EndFrame()], ids=["cancelled", "ended"])
async def test_nothing_stays_behind(last: Frame) -> None:
    before = asyncio.all_tasks()
    async with OpenAIAudio(says("yes")) as server:
        async with calling(settings_for(server.url), last=last) as call:
            await call.utters(noise(0.3))
            await call.ear.hears(TranscriptionFrame)
        assert call.stt._client.is_closed()  # pyright: ignore[reportAttributeAccessIssue]
    assert asyncio.all_tasks() == before


async def test_a_question_under_way_ends_with_the_call() -> None:
    async with OpenAIAudio(says("yes")) as server:
        server.scripts.then([Script(stall_after=0)])
        async with calling(settings_for(server.url)) as call:
            await call.utters(noise(0.3))
            while not server.requests:
                await asyncio.sleep(0.01)
        await asyncio.wait_for(server.left.wait(), 2)
    assert call.ear.all(ErrorFrame, NothingHeardFrame) == []
    assert used_s(call) == [pytest.approx(0.8, abs=0.01)], "the vendor had begun to listen"


def test_a_language_that_is_not_offered_is_refused() -> None:
    with pytest.raises(LanguageNotOffered, match="OpenAI's whisper-1 does not hear bho-IN"):
        whisper.stt(settings_for(""), brief("bho-IN"))
