"""Deepgram through the real pipecat services against a local server of its wire: words, silence, faults, languages."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    MetricsFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
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
from core.spoken.amounts import hear_amounts
from providers import deepgram
from providers.base import Brief, LanguageNotOffered, Prices
from providers.chat_completions import tls
from providers.failover.breaker import category_of
from providers.frames import NothingHeardFrame
from providers.phrases import Phrases
from tests.doubles.deepgram import Connection, Deepgram
from tests.doubles.hearing import says
from tests.doubles.script import Script

AUDIO = Path(__file__).parents[1] / "audio"
KEY = "k-5f0c2d-not-to-be-seen"
PATIENCE_S = 20.0
PHRASES = Phrases(intents=(), can_do="I can tell your balance.")
NAMES = ("Ravi Kumar", "Priya Sharma")
PIECE = 640
RATE = 16_000


def settings_for(url: str, *, model: str = "nova-3", key: str = KEY) -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        deepgram_api_key=SecretStr(key),
        deepgram_base_url=url,
        deepgram_model=model,
        stt_provider="deepgram",
    )


def brief(language: str = "en", names: tuple[str, ...] = NAMES) -> Brief:
    return Brief("banking", "", PHRASES, names, language)


def recording(name: str) -> bytes:
    """Without the silence at its end."""
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        return file.readframes(file.getnframes())[: -int(RATE * 0.6) * 2]


def noise(seconds: float) -> bytes:
    """Something loud."""
    return np.random.default_rng(1).integers(-9_000, 9_000, int(RATE * seconds)).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(int(RATE * seconds) * 2)


class Ear(BaseObserver):
    """What leaves the recogniser."""

    def __init__(self, stt: STTService) -> None:
        super().__init__()
        self._stt = stt
        self.frames: list[Frame] = []
        self._changed = asyncio.Event()

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.source is self._stt and not isinstance(data.frame, InputAudioRawFrame):
            self.frames.append(data.frame)
            self._changed.set()

    def all(self, *kinds: type[Frame]) -> list[Any]:
        return list({frame.id: frame for frame in self.frames if isinstance(frame, kinds)}.values())

    async def hears(self, kind: type[Frame], count: int = 1) -> Any:
        """The `count`th frame of a kind, as soon as it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := self.all(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[count - 1]

    async def billed(self) -> Prices | None:
        """What a minute of the sound that was reported first costs."""
        count = 1
        while not (used := [each for each in (await self.hears(MetricsFrame, count)).data if _is_usage(each)]):
            count += 1
        return deepgram.PRICES.of(used[0].model)


def _is_usage(metric: object) -> bool:
    return isinstance(metric, STTUsageMetricsData)


class Call:
    """A pipeline of the recogniser alone, and a caller."""

    def __init__(self, worker: PipelineWorker, stt: STTService, ear: Ear, started_s: float) -> None:
        self.worker, self.stt, self.ear, self.started_s = worker, stt, ear, started_s

    async def sends(self, *frames: Frame) -> None:
        for frame in frames:
            await self.worker.queue_frame(frame)

    async def sounds(self, sound: bytes) -> None:
        for at in range(0, len(sound), PIECE):
            await self.sends(InputAudioRawFrame(sound[at : at + PIECE], RATE, 1))

    async def starts(self) -> None:
        await self.sends(VADUserStartedSpeakingFrame(start_secs=0.2))

    async def stops(self) -> None:
        await self.sends(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    async def utters(self, sound: bytes, *, then: float = 0.5) -> None:
        """Make a sound that a detector notices as in a call, and then be silent for so many seconds."""
        noticed = int(RATE * 0.3) * 2
        await self.sounds(sound[:noticed])
        await self.starts()
        await self.sounds(sound[noticed:] + silence(0.2))
        await self.stops()
        await self.sounds(silence(then))


@asynccontextmanager
async def calling(settings: Settings, told: Brief | None = None, *, last: Frame | None = None) -> AsyncIterator[Call]:
    stt = deepgram.stt(settings, told or brief())
    ear = Ear(stt)
    worker = PipelineWorker(
        Pipeline([stt]),
        observers=[ear],
        params=PipelineParams(audio_in_sample_rate=RATE, enable_metrics=True, enable_usage_metrics=True),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    started, before = asyncio.Event(), time.monotonic()
    worker.add_event_handler("on_pipeline_started", lambda *_: started.set())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(started.wait(), PATIENCE_S)
        yield Call(worker, stt, ear, time.monotonic() - before)
    finally:
        await worker.queue_frame(last or CancelFrame())
        await asyncio.wait_for(running, PATIENCE_S)


# The wire, as Deepgram's own SDK sees it


@asynccontextmanager
async def sdk(server: Deepgram) -> AsyncIterator[Any]:
    from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment

    ws = server.url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=server.url, production=ws, agent=ws, agent_rest=server.url)
    async with httpx.AsyncClient() as client:
        yield AsyncDeepgramClient(api_key=KEY, environment=environment, httpx_client=client)


pytestmark = pytest.mark.filterwarnings("ignore:websockets.* is deprecated:DeprecationWarning")


async def test_the_sdk_listens_with_nova() -> None:
    from deepgram.listen.v1.types import ListenV1Metadata, ListenV1Results

    async with (
        Deepgram(says("what is my balance"), key=KEY) as server,
        sdk(server) as client,
        client.listen.v1.connect(
            model="nova-3", encoding="linear16", sample_rate=RATE, interim_results="true", endpointing="300"
        ) as connection,
    ):
        for sound in (noise(1.5), silence(0.4), noise(0.5), silence(0.1)):
            await connection.send_media(sound)
        await connection.send_keep_alive()
        await connection.send_finalize()
        await connection.send_close_stream()
        got = [message async for message in connection]
    *results, metadata = got
    assert all(isinstance(message, ListenV1Results) for message in results)
    assert isinstance(metadata, ListenV1Metadata)
    assert round(metadata.duration, 2) == 2.5
    marks = [(result.is_final, result.speech_final, result.from_finalize) for result in results]
    assert marks == [(False, False, False), (True, True, False), (True, False, True)]
    assert {result.channel.alternatives[0].transcript for result in results} == {"what is my balance"}
    assert [word.word for word in results[1].channel.alternatives[0].words] == ["what", "is", "my", "balance"]
    assert (results[2].start, round(results[2].start + results[2].duration, 2)) == (1.8, 2.5)


async def test_the_sdk_listens_with_flux() -> None:
    from deepgram.listen.v2.types import ListenV2Connected, ListenV2TurnInfo

    async with (
        Deepgram(says("what is my balance"), key=KEY) as server,
        sdk(server) as client,
        client.listen.v2.connect(
            model="flux-general-en", encoding="linear16", sample_rate=RATE, eager_eot_threshold=0.5
        ) as connection,
    ):
        for sound in (noise(1.0), silence(0.4), noise(0.3), silence(0.7)):
            await connection.send_media(sound)
        await connection.send_close_stream()
        got = [message async for message in connection]
    connected, *turns = got
    assert isinstance(connected, ListenV2Connected)
    assert all(isinstance(message, ListenV2TurnInfo) for message in turns)
    events = [turn.event for turn in turns if turn.event != "Update"]
    assert events == ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"]
    assert [turn.sequence_id for turn in turns] == list(range(1, len(turns) + 1))
    last = next(turn for turn in turns if turn.event == "EndOfTurn")
    assert (last.transcript, last.trigger, last.turn_index) == ("what is my balance", "model", 0)


async def test_the_sdk_lists_projects_and_understands_a_refusal() -> None:
    from deepgram.core import ApiError

    async with Deepgram(says("")) as server, sdk(server) as client:
        listed = await client.manage.v1.projects.list()
        assert listed.projects[0].name == "Parley"
        server.checks.then([Script(status=402)])
        with pytest.raises(ApiError) as refused:
            await client.manage.v1.projects.list(request_options={"max_retries": 0})
        assert refused.value.status_code == 402
        assert refused.value.body["err_code"] == "ASR_PAYMENT_REQUIRED"
        server.scripts.then([Script(status=401)])
        with pytest.raises(ApiError, match="invalid credentials"):
            async with client.listen.v1.connect(model="nova-3"):
                pass
    assert (server.checked, server.refused, server.connections) == (2, 1, [])


# Words and silence


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deepgram")


def only(server: Deepgram) -> Connection:
    assert len(server.connections) == 1
    return server.connections[0]


async def test_nova_hears_an_amount_and_a_name_as_they_were_said(cache_dir: Path) -> None:
    async with Deepgram(key=KEY, cache_dir=cache_dir) as server, calling(settings_for(server.url)) as call:
        await call.utters(recording("send"))
        final = await call.ear.hears(TranscriptionFrame)
        price = await call.ear.billed()
    assert final.text == "send five hundred to ravi"
    assert [heard.money.minor for heard in hear_amounts(final.text)] == [500_00]
    assert final.finalized
    assert [each.text for each in call.ear.all(InterimTranscriptionFrame)][-1].startswith("send five hundred")
    assert call.ear.all(TranscriptionFrame) == [final]
    assert call.ear.all(NothingHeardFrame, ErrorFrame) == []
    assert price == deepgram.PRICES.models["nova-3+keyterms"]


async def test_flux_hears_an_amount_and_a_name_as_they_were_said(cache_dir: Path) -> None:
    async with (
        Deepgram(key=KEY, cache_dir=cache_dir) as server,
        calling(settings_for(server.url, model="flux")) as call,
    ):
        await call.utters(recording("send"), then=0.6)
        final = await call.ear.hears(TranscriptionFrame)
        await call.ear.hears(ProposedUserStoppedSpeakingFrame)
        price = await call.ear.billed()
    assert (final.text, final.finalized) == ("send five hundred to ravi", True)
    assert len(call.ear.all(ProposedUserStartedSpeakingFrame)) == 2  # one each way
    assert price == deepgram.PRICES.models["flux-general-en+keyterms"]


async def test_nova_is_asked_for_words_not_figures_and_for_nothing_to_be_kept() -> None:
    async with Deepgram(says("yes"), key=KEY) as server, calling(settings_for(server.url)) as call:
        await call.utters(noise(0.6))
        await call.ear.hears(TranscriptionFrame)
        connection = only(server)
    asked = {name: values[0] for name, values in connection.query.items() if len(values) == 1}
    wanted = {
        "model": "nova-3",
        "language": "en",
        "encoding": "linear16",
        "sample_rate": "16000",
        "channels": "1",
        "interim_results": "true",
        "punctuate": "true",
        "numerals": "false",
        "smart_format": "false",
        "endpointing": "500",
        "mip_opt_out": "true",
    }
    assert asked.items() >= wanted.items()
    assert connection.query["keyterm"] == list(NAMES)
    assert len(connection.sound) == 2 * int(RATE * 1.3)


async def test_flux_is_asked_for_early_ends_of_turns_and_for_nothing_to_be_kept() -> None:
    async with Deepgram(says("yes"), key=KEY) as server, calling(settings_for(server.url, model="flux")):
        connection = only(server)
    assert connection.query["keyterm"] == list(NAMES)
    assert {name: values[0] for name, values in connection.query.items() if name != "keyterm"} == {
        "model": "flux-general-en",
        "sample_rate": "16000",
        "encoding": "linear16",
        "eager_eot_threshold": "0.5",
        "mip_opt_out": "true",
    }


@pytest.mark.parametrize("terse", [False, True], ids=["answered", "left unanswered"])
async def test_nova_says_so_when_a_cough_was_no_words(terse: bool) -> None:
    async with Deepgram(says(""), terse=terse) as server, calling(settings_for(server.url)) as call:
        await call.utters(noise(0.4))
        await call.sounds(silence(1.0))
        await call.ear.hears(NothingHeardFrame)
        await call.utters(noise(0.4))
        await call.sounds(silence(1.0))
        await call.ear.hears(NothingHeardFrame, 2)
    assert call.ear.all(TranscriptionFrame, ErrorFrame) == []
    assert len(call.ear.all(NothingHeardFrame)) == 2


async def test_nova_says_so_when_all_words_had_come_before_it_was_asked() -> None:
    async with Deepgram(says("check my balance")) as server, calling(settings_for(server.url)) as call:
        await call.starts()
        await call.sounds(noise(1.0) + silence(0.6))
        early = await call.ear.hears(TranscriptionFrame)
        await call.stops()
        await call.ear.hears(NothingHeardFrame)
    assert (early.text, early.finalized) == ("check my balance", False)
    assert call.ear.all(TranscriptionFrame) == [early]


async def test_flux_says_so_when_a_cough_was_no_words() -> None:
    async with Deepgram(says("")) as server, calling(settings_for(server.url, model="flux")) as call:
        await call.utters(noise(0.4))
        await call.ear.hears(NothingHeardFrame)
        await call.utters(noise(0.4))
        await call.ear.hears(NothingHeardFrame, 2)
    assert call.ear.all(TranscriptionFrame, ProposedUserStartedSpeakingFrame, ErrorFrame) == []


async def test_flux_says_so_when_the_turn_was_over_before_the_detector_noticed() -> None:
    async with Deepgram(says("yes"), end_s=0.1) as server, calling(settings_for(server.url, model="flux")) as call:
        await call.starts()
        await call.sounds(noise(0.8) + silence(0.2))
        await call.ear.hears(TranscriptionFrame)
        assert call.ear.all(NothingHeardFrame) == []
        await call.stops()
        await call.sounds(silence(0.5))
        await call.ear.hears(NothingHeardFrame)


async def test_the_end_of_fluxs_turn_is_answer_enough() -> None:
    async with (
        Deepgram(says("yes"), end_s=0.3) as server,
        calling(settings_for(server.url, model="flux")) as call,
    ):
        await call.starts()
        await call.sounds(noise(0.6) + silence(0.2))
        await call.ear.hears(InterimTranscriptionFrame)
        await call.stops()
        await call.sounds(silence(1.0))
        await call.ear.hears(TranscriptionFrame)
        await asyncio.sleep(0.1)
    assert call.ear.all(NothingHeardFrame) == []


async def test_flux_guesses_that_a_turn_is_over_and_takes_it_back() -> None:
    async with Deepgram(says("pay the water bill")) as server, calling(settings_for(server.url, model="flux")) as call:
        await call.sounds(noise(1.0) + silence(0.4))
        guess = await call.ear.hears(EagerTranscriptionFrame)
        assert call.ear.all(TranscriptionFrame) == []
        await call.sounds(noise(0.3))
        await call.ear.hears(EagerEndOfTurnCancelFrame)
        await call.sounds(silence(0.7))
        final = await call.ear.hears(TranscriptionFrame)
    assert guess.text == final.text == "pay the water bill"
    assert final.finalized


# A line that does not come up


@pytest.fixture(params=["nova-3", "flux"])
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Everything that is logged, at its most talkative."""
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {exception}")
    yield lines
    logger.remove(sink)


REFUSALS = {
    400: ErrorCategory.INVALID_REQUEST,
    401: ErrorCategory.AUTHENTICATION,
    402: ErrorCategory.QUOTA,
    403: ErrorCategory.AUTHORIZATION,
    429: ErrorCategory.RATE_LIMIT,
    500: ErrorCategory.SERVER,
    529: ErrorCategory.SERVER,
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_is_told_once_with_its_reason(model: str, status: int, log: list[str]) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.always = Script(status=status, retry_after_s=7)
        async with calling(settings_for(server.url, model=model)) as call:
            error = await call.ear.hears(ErrorFrame)
            await call.utters(noise(0.4))
            assert call.started_s < 2.0
    assert error.category is REFUSALS[status]
    assert error.exception is not None
    assert str(status) in error.error
    assert not call.stt.is_usable
    assert call.ear.all(ErrorFrame) == [error]
    assert (server.refused, server.connections) == (1, [])
    assert KEY not in repr(error) + str(error.exception) + repr(vars(error.exception)) + "".join(log)


async def test_a_wrong_key_is_called_one(model: str) -> None:
    async with Deepgram(says("yes"), key="another") as server, calling(settings_for(server.url, model=model)) as call:
        error = await call.ear.hears(ErrorFrame)
    assert "Invalid credentials" in error.error
    assert error.category is ErrorCategory.AUTHENTICATION


async def test_nobody_there_is_told_at_once(model: str) -> None:
    async with Deepgram(says("yes")) as server:
        url = server.url
    async with calling(settings_for(url, model=model)) as call:
        error = await call.ear.hears(ErrorFrame)
    assert call.started_s < 2.0
    assert error.category is ErrorCategory.CONNECTIVITY
    assert call.ear.all(ErrorFrame) == [error]


async def test_somebody_there_who_never_answers_is_given_up(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(deepgram._SOCKET, "open_timeout", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with calling(settings_for(f"http://127.0.0.1:{silent.getsockname()[1]}", model=model)) as call:
            error = await call.ear.hears(ErrorFrame)
    assert 0.3 <= call.started_s < 2.0
    assert error.category is ErrorCategory.CONNECTIVITY


def test_no_step_of_connecting_takes_longer_than_a_caller_waits() -> None:
    assert deepgram._SOCKET["open_timeout"] == deepgram.CONNECT_S <= 3.0
    assert deepgram._flux()._CONNECTION_TIMEOUT == deepgram.CONNECT_S


async def test_flux_that_never_confirms_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram._flux(), "_CONNECTION_TIMEOUT", 0.3)
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(stall_after=0)])
        async with calling(settings_for(server.url, model="flux")) as call:
            error = await call.ear.hears(ErrorFrame)
    assert error.category is ErrorCategory.CONNECTIVITY


# A line that fails later


def ends(how: str) -> Callable[[Deepgram], Awaitable[None]]:
    async def end(server: Deepgram) -> None:
        if how == "cut":
            server.cut()
        else:
            await server.hang_up(int(how))

    return end


@pytest.mark.parametrize("how", ["cut", "1011", "1000"])
async def test_a_line_that_ends_in_a_call_is_told_at_once(model: str, how: str) -> None:
    async with Deepgram(says("yes")) as server, calling(settings_for(server.url, model=model)) as call:
        await call.sounds(silence(0.2))
        before = time.monotonic()
        await ends(how)(server)
        error = await call.ear.hears(ErrorFrame)
        took_s = time.monotonic() - before
        await call.utters(noise(0.4))
    assert took_s < 1.0
    assert error.category is ErrorCategory.CONNECTIVITY
    assert not call.stt.is_usable
    assert call.ear.all(ErrorFrame) == [error]
    assert len(server.connections) == 1


async def test_half_a_turn_is_not_handed_on_when_the_line_is_cut() -> None:
    async with Deepgram(says("send five")) as server, calling(settings_for(server.url, model="flux")) as call:
        await call.sounds(noise(0.8))
        await call.ear.hears(ProposedUserStartedSpeakingFrame)
        server.cut()
        await call.ear.hears(ErrorFrame)
    assert call.ear.all(TranscriptionFrame, ProposedUserStoppedSpeakingFrame) == []


@pytest.mark.parametrize("pieces", [0, 1])
async def test_a_line_cut_before_the_words_is_told(model: str, pieces: int) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(cut_after=pieces)])
        async with calling(settings_for(server.url, model=model)) as call:
            await call.utters(noise(1.2), then=1.0)
            error = await call.ear.hears(ErrorFrame)
    assert error.category is ErrorCategory.CONNECTIVITY
    assert call.ear.all(TranscriptionFrame) == []


async def test_what_is_not_the_protocol_is_told(model: str) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(garbage=True)])
        async with calling(settings_for(server.url, model=model)) as call:
            await call.utters(noise(0.4))
            error = await call.ear.hears(ErrorFrame)
    assert error.category is ErrorCategory.SERVER
    assert call.ear.all(ErrorFrame) == [error]
    assert call.ear.all(TranscriptionFrame) == []


async def test_nova_that_reports_an_error_is_given_up() -> None:
    async with Deepgram(says("yes")) as server, calling(settings_for(server.url)) as call:
        await call.stt._connection._send({"type": "Nonsense"})  # pyright: ignore[reportAttributeAccessIssue]
        error = await call.ear.hears(ErrorFrame)
    assert "unknown variant" in error.error
    assert error.category is ErrorCategory.CONNECTIVITY


async def test_answers_without_words_are_nothing_heard(model: str) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(wrong=True)])
        async with calling(settings_for(server.url, model=model)) as call:
            await call.utters(noise(0.4))
            await call.ear.hears(NothingHeardFrame)
    assert call.ear.all(TranscriptionFrame, ErrorFrame) == []


async def test_a_vendor_that_stalls_says_neither_words_nor_that_there_were_none(model: str) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(stall_after=1)])  # of Flux, "Connected"; of nova-3, an interim result
        async with calling(settings_for(server.url, model=model)) as call:
            await call.utters(noise(1.2), then=1.0)
            await server.heard(2 * int(RATE * 2.4))
            await asyncio.sleep(0.2)
    assert call.ear.all(TranscriptionFrame, NothingHeardFrame, ErrorFrame) == []


async def test_slow_answers_are_waited_for(model: str) -> None:
    async with Deepgram(says("yes")) as server:
        server.scripts.then([Script(first_byte_s=0.4, pace_s=0.05)])
        async with calling(settings_for(server.url, model=model)) as call:
            await call.utters(noise(0.6), then=1.0)
            before = time.monotonic()
            final = await call.ear.hears(TranscriptionFrame)
    assert final.text == "yes"
    assert time.monotonic() - before > 0.3


class Deaf:
    """Opens a websocket, and reads nothing from then on."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __aenter__(self) -> Deaf:
        self._server = await asyncio.start_server(self._open, "127.0.0.1", 0, limit=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left.set()
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opening = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in opening.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        writer.write(b'\x81\x36{"type":"Connected","request_id":"1","sequence_id":0}')
        reader._transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        await self.left.wait()
        writer.transport.abort()


async def test_a_vendor_that_stops_taking_sound_is_given_up(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram, "SEND_S", 0.3)
    async with Deaf() as server, calling(settings_for(server.url, model=model)) as call:
        second = InputAudioRawFrame(noise(10.0), RATE, 1)
        before = time.monotonic()
        while not call.ear.all(ErrorFrame) and time.monotonic() - before < 10:
            await call.sends(second)
            await asyncio.sleep(0.01)
        error = await call.ear.hears(ErrorFrame)
        assert time.monotonic() - before < 3.0
    assert error.category is ErrorCategory.CONNECTIVITY


# The end of a call


@pytest.mark.parametrize("last", [CancelFrame(), EndFrame()], ids=["cancelled", "ended"])
async def test_nothing_stays_behind(model: str, last: Frame) -> None:
    before = asyncio.all_tasks()
    async with Deepgram(says("yes")) as server:
        async with calling(settings_for(server.url, model=model), last=last) as call:
            await call.utters(noise(0.4), then=1.0)
            await call.ear.hears(TranscriptionFrame)
        connection = only(server)
        await asyncio.wait_for(connection.closed.wait(), 2)
    assert connection.messages[-1] == {"type": "CloseStream"}
    assert call.ear.all(ErrorFrame) == []
    assert asyncio.all_tasks() == before


async def test_a_vendor_that_does_not_say_goodbye_is_not_waited_for(model: str) -> None:
    before = asyncio.all_tasks()
    async with Deaf() as server:
        async with calling(settings_for(server.url, model=model)) as call:
            await call.sounds(silence(0.2))
            leaving = time.monotonic()
        assert time.monotonic() - leaving < deepgram.CLOSE_S + 1.0
        assert len(asyncio.all_tasks() - before) == 1  # the other side's


# Languages and names


@pytest.mark.parametrize(
    ("language", "asked", "hints"),
    [
        ("en", "en", None),
        ("en-IN", "en-IN", None),
        ("en-ZA", "en", None),
        ("hi", "multi", ["hi", "en"]),
        ("hi-IN", "multi", ["hi", "en"]),
        ("ta-IN", "multi", ["ta", "en"]),
        ("de-AT", "de", None),
    ],
)
async def test_the_language_as_nova_calls_it(language: str, asked: str, hints: list[str] | None) -> None:
    async with Deepgram(says("haan")) as server, calling(settings_for(server.url), brief(language)) as call:
        await call.utters(noise(0.6))
        final = await call.ear.hears(TranscriptionFrame)
        price = await call.ear.billed()
        connection = only(server)
    assert (connection.query["language"], connection.query.get("language_hint")) == ([asked], hints)
    assert final.text == "haan"
    priced = "nova-3-multilingual+keyterms" if asked == "multi" else "nova-3+keyterms"
    assert price == deepgram.PRICES.models[priced]


@pytest.mark.parametrize(
    ("model", "language", "asked", "hints"),
    [
        ("flux", "en-IN", "flux-general-en", None),
        ("flux-general-en", "en", "flux-general-en", None),
        ("flux", "hi-IN", "flux-general-multi", ["hi", "en"]),
        ("flux-general-multi", "en", "flux-general-multi", ["en"]),
    ],
)
async def test_the_language_as_flux_calls_it(model: str, language: str, asked: str, hints: list[str] | None) -> None:
    async with (
        Deepgram(says("haan")) as server,
        calling(settings_for(server.url, model=model), brief(language)) as call,
    ):
        await call.utters(noise(0.6), then=0.6)
        await call.ear.hears(TranscriptionFrame)
        connection = only(server)
    assert (connection.query["model"], connection.query.get("language_hint")) == ([asked], hints)


@pytest.mark.parametrize(("model", "language"), [("nova-3", "sw"), ("flux", "ta"), ("flux-general-en", "hi")])
def test_a_language_that_is_not_offered_is_refused(model: str, language: str) -> None:
    with pytest.raises(LanguageNotOffered, match=f"Deepgram's {model} does not hear {language}"):
        deepgram.stt(settings_for("", model=model), brief(language))


async def test_no_more_names_are_sent_than_deepgram_takes(model: str) -> None:
    names = tuple(f"Venkataraman {number}" for number in range(100))
    async with Deepgram(says("yes")) as server:
        async with calling(settings_for(server.url, model=model), brief(names=names)):
            sent = only(server).query["keyterm"]
        async with calling(settings_for(server.url, model=model), brief(names=())):
            assert "keyterm" not in server.connections[1].query
    assert sent == list(names[: len(sent)])
    assert 20 < len(sent) < 50
    assert sum(len(name.encode()) + 1 for name in sent) <= deepgram.MAX_KEYTERM_BYTES


def test_names_in_other_scripts_count_by_their_bytes() -> None:
    assert len(deepgram._keyterms(["रवि कुमार"] * 100)) == 500 // (len("रवि कुमार".encode()) + 1)


# Whether it serves


@pytest.mark.parametrize("status", REFUSALS)
async def test_the_check_says_what_is_wrong(status: int) -> None:
    async with Deepgram(says(""), key=KEY) as server:
        await deepgram.check(settings_for(server.url))
        server.checks.then([Script(status=status, retry_after_s=7)])
        with pytest.raises(Exception) as failed:
            await deepgram.check(settings_for(server.url))
        assert server.checked == 2
    assert category_of(failed.value) is REFUSALS[status]
    assert KEY not in str(failed.value) + repr(vars(failed.value))


async def test_the_check_does_not_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram, "CHECK_S", 0.3)
    async with Deepgram(says("")) as server:
        server.checks.then([Script(stall_after=0), Script(cut_after=0)])
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await deepgram.check(settings_for(server.url))
        assert server.checked == 2
    assert deepgram.CHECK_S <= 5.0


async def test_a_real_line_is_encrypted_with_certificates_read_beforehand(model: str) -> None:
    await deepgram.warm(settings_for("", model=model), [])
    assert deepgram._line("wss://api.deepgram.com/v1/listen")["ssl"] is tls()
    assert "ssl" not in deepgram._line("ws://127.0.0.1:1/v1/listen")


def test_it_is_ready_when_it_has_a_key() -> None:
    assert deepgram.ready(settings_for(""), "stt").why == "DEEPGRAM_API_KEY is set; nova-3"
    without = deepgram.ready(settings_for("", key=""), "stt")
    assert (without.ok, without.why) == (False, "DEEPGRAM_API_KEY is not set")
