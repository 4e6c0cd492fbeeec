"""The offline recogniser inside a pipeline, on real audio (tests/audio, spoken by flite)."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from core.settings import Settings
from providers.base import Brief
from providers.offline import stt
from providers.offline.decoders import DecoderPool
from providers.offline.stt import PocketsphinxSTTService
from providers.phrases import Entity, Intent, Phrases, Slot

AUDIO = Path(__file__).parents[1] / "audio"
PATIENCE_S = 60.0
T = TypeVar("T")

PHRASES = Phrases(
    intents=(
        Intent("balance", ("(what is|what's) my [{account}] balance [please]",), (Slot("account", "account"),)),
        Intent("transactions", ("(tell me|read) my last {count} transactions",), (Slot("count", "number"),)),
        Intent("transfer", ("send {amount} to {payee}",), (Slot("amount", "money"), Slot("payee", "name"))),
    ),
    entities=(Entity("account", {"savings": ("savings", "savings account")}),),
    can_do="I can tell you your balance.",
)
SIX_NAMES = ("Priya Sharma", "Rahul Verma", "Tom Becker", "María González", "Aisha Khan", "John Miller")


def pieces(name: str) -> list[bytes]:
    """A recording in 20 ms pieces."""
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        samples = file.readframes(file.getnframes())
    return [samples[at : at + 640] for at in range(0, len(samples), 640)]


class Ear(FrameProcessor):
    """Collects the transcripts that leave the recogniser."""

    def __init__(self) -> None:
        super().__init__()
        self.interims: asyncio.Queue[InterimTranscriptionFrame] = asyncio.Queue()
        self.finals: asyncio.Queue[TranscriptionFrame] = asyncio.Queue()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.stopped = asyncio.Queue[VADUserStoppedSpeakingFrame]()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterimTranscriptionFrame):
            self.interims.put_nowait(frame)
        elif isinstance(frame, TranscriptionFrame):
            self.finals.put_nowait(frame)
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self.stopped.put_nowait(frame)
        await self.push_frame(frame, direction)


class Caller:
    """Someone who speaks recordings into a pipeline of the recogniser alone."""

    def __init__(self, worker: PipelineWorker, ear: Ear) -> None:
        self.worker = worker
        self.ear = ear

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.worker.queue_frame(frame)

    async def audio(self, *audio: bytes) -> None:
        await self.send(*(InputAudioRawFrame(each, 16_000, 1) for each in audio))

    async def starts(self, name: str) -> list[bytes]:
        """Speak a recording up to where a VAD notices speech; returns the rest of it."""
        audio = pieces(name)
        await self.audio(*audio[:25])
        await self.send(VADUserStartedSpeakingFrame(start_secs=0.2))
        return audio[25:]

    async def finishes(self, rest: list[bytes]) -> None:
        """Speak on until a VAD notices the end; the recordings have 0.6 s of silence there."""
        await self.audio(*rest[:-20])
        await self.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await self.audio(*rest[-20:])

    async def says(self, name: str) -> TranscriptionFrame:
        await self.finishes(await self.starts(name))
        return await self.hears(self.ear.finals)

    async def hears(self, queue: asyncio.Queue[T]) -> T:
        return await asyncio.wait_for(queue.get(), PATIENCE_S)


@asynccontextmanager
async def call(pool: DecoderPool, *names: str, last: Frame | None = None) -> AsyncIterator[Caller]:
    ear = Ear()
    service = PocketsphinxSTTService(pool, Brief("bank", "", PHRASES, names))
    worker = PipelineWorker(Pipeline([service, ear]), cancel_on_idle_timeout=False, enable_rtvi=False)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        yield Caller(worker, ear)
    finally:
        await worker.queue_frame(last or EndFrame())
        await asyncio.wait_for(running, PATIENCE_S)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stt-cache")


@pytest.fixture
async def pool(cache_dir: Path) -> AsyncIterator[DecoderPool]:
    pool = DecoderPool(2, cache_dir)
    yield pool
    await pool.close()


async def test_a_turn_gives_interims_and_then_exactly_one_final(pool: DecoderPool) -> None:
    async with call(pool) as caller:
        rest = await caller.starts("transactions")
        await caller.audio(*rest[:60])
        interim = await caller.hears(caller.ear.interims)
        await caller.finishes(rest[60:])
        final = await caller.hears(caller.ear.finals)
        # What follows in the same call proves that nothing else of the first turn was on its way.
        assert (await caller.says("balance")).text == "what is my balance"
    assert interim.text.startswith("tell me")
    assert final.text == "tell me my last three transactions"
    assert final.finalized
    assert caller.ear.finals.empty()


async def test_words_come_with_times_and_confidences(pool: DecoderPool) -> None:
    async with call(pool) as caller:
        final = await caller.says("balance")
    words = final.result
    assert words is not None
    assert " ".join(word.word for word in words) == final.text
    assert all(a.start < a.end <= b.start for a, b in pairwise(words))
    assert all(0 < word.confidence <= 1 for word in words)


async def test_names_are_understood_only_from_callers_who_have_them(pool: DecoderPool) -> None:
    async with call(pool, *SIX_NAMES) as caller:
        assert (await caller.says("payee")).text == "send fifty dollars to priya"
    async with call(pool, "Tom Becker") as caller:
        assert "priya" not in (await caller.says("payee")).text
    assert pool.idle == 1


async def test_stop_and_goodbye_are_understood(pool: DecoderPool) -> None:
    async with call(pool) as caller:
        assert (await caller.says("stop")).text == "wait stop please"
        assert (await caller.says("goodbye")).text == "goodbye thank you"


async def test_silence_gives_no_transcript(pool: DecoderPool) -> None:
    async with call(pool) as caller:
        await caller.audio(*[bytes(640)] * 50)
        await caller.send(VADUserStartedSpeakingFrame(start_secs=0.2))
        await caller.audio(*[bytes(640)] * 50)
        await caller.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        assert (await caller.says("balance")).text == "what is my balance"
    assert caller.ear.finals.empty()


async def test_endless_speech_is_transcribed_in_pieces(pool: DecoderPool) -> None:
    async with call(pool) as caller:
        rest = await caller.starts("balance")
        spoken = rest[:-20]
        pieces_needed = int(stt.MAX_UTTERANCE_S / 0.02) + 10
        await caller.audio(*(spoken * (pieces_needed // len(spoken) + 1))[:pieces_needed])
        assert "balance" in (await caller.hears(caller.ear.finals)).text


@pytest.mark.parametrize("last", [EndFrame, CancelFrame])
async def test_a_call_that_ends_mid_sentence_gives_its_decoder_back(pool: DecoderPool, last: type[Frame]) -> None:
    async with call(pool) as caller:
        await caller.says("balance")
    threads = threading.active_count()
    async with call(pool, last=last()) as caller:
        rest = await caller.starts("transactions")
        await caller.audio(*rest[:60])
        await caller.hears(caller.ear.interims)
        assert pool.lent == 1
    assert (pool.lent, pool.idle) == (0, 1)
    assert caller.ear.finals.empty()
    assert threading.active_count() == threads
    async with call(pool) as caller:
        assert (await caller.says("balance")).text == "what is my balance"
    await pool.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stt-decoder")]


async def test_a_call_that_ends_at_once_gives_its_seat_back(pool: DecoderPool) -> None:
    for _ in range(3):
        async with call(pool, last=CancelFrame()):
            pass
    async with call(pool) as one, call(pool) as two:
        assert (await one.says("balance")).text == (await two.says("balance")).text


async def test_no_more_decoders_than_seats(pool: DecoderPool) -> None:
    first = await pool.lend(PHRASES, ())
    second = await pool.lend(PHRASES, ())
    third = asyncio.create_task(pool.lend(PHRASES, ()))
    done, _ = await asyncio.wait({third}, timeout=0.05)
    assert not done
    pool.take_back(first)
    assert await asyncio.wait_for(third, PATIENCE_S) is first
    pool.take_back(second)
    pool.take_back(first)


async def test_decoding_leaves_the_event_loop_free(pool: DecoderPool) -> None:
    decoder = await pool.lend(PHRASES, ())
    work = asyncio.create_task(decoder.transcribe(b"".join(pieces("transactions"))))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    pool.take_back(decoder)
    # Holding the interpreter lock for the length of a decoding would leave a handful.
    assert turns > 500


async def test_the_module_warms_up_once_and_closes(tmp_path: Path, cache_dir: Path) -> None:
    (tmp_path / "cache").symlink_to(cache_dir)
    settings = Settings(_env_file=None, data_dir=tmp_path, max_calls=1)  # pyright: ignore[reportCallIssue]
    brief = Brief("bank", "", PHRASES)
    await stt.warm(settings, [brief])
    try:
        assert [thread.name for thread in threading.enumerate()].count("stt-decoder_0") == 1
        assert isinstance(stt.stt(settings, brief), PocketsphinxSTTService)
    finally:
        await stt.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stt-decoder")]
