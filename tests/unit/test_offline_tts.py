from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    AssistantTurnStoppedMessage,
    LLMAssistantAggregator,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.context.word_completion_tracker import WordCompletionTracker
from pipecat.workers.runner import WorkerRunner

from core.settings import Settings
from core.spoken import normalise
from providers.base import Brief, LanguageNotOffered, VoiceNotOffered
from providers.offline import espeak
from providers.offline.tts import EspeakTTSService, EspeakTTSSettings, close, ready, tts, voice_for, warm
from providers.phrases import Phrases

SAMPLE_RATE = 24_000


def brief(language: str = "en") -> Brief:
    return Brief("banking", "", Phrases(intents=(), can_do=""), language=language)


class Loudspeaker(BaseOutputTransport):
    """Plays at the pace a loudspeaker would and keeps what it played."""

    def __init__(self) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0))
        self.played = bytearray()
        self._due_s = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.played.extend(frame.audio)
        now_s = asyncio.get_running_loop().time()
        self._due_s = max(self._due_s, now_s) + frame.num_frames / frame.sample_rate
        await asyncio.sleep(self._due_s - now_s)  # the sound card's clock
        return True


class Tap(FrameProcessor):
    """Sees every frame that passes and lets a test wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Frame] = []
        self._changed = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        async with self._changed:
            self.seen.append(frame)
            self._changed.notify_all()
        await self.push_frame(frame, direction)

    async def wait(self, wanted: Callable[[Frame], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: any(wanted(frame) for frame in self.seen))

    def of(self, kind: type[Frame]) -> list[Frame]:
        return [frame for frame in self.seen if isinstance(frame, kind)]


class Line:
    """A call's pipeline from the synthesiser on: synthesiser, loudspeaker, assistant aggregator."""

    def __init__(self, service: EspeakTTSService, *, played: bool = True) -> None:
        self.service = service
        self.context = LLMContext()
        self.written, self.made, self.heard, self.end = Tap(), Tap(), Tap(), Tap()
        self.speaker = Loudspeaker()
        assistant = LLMAssistantAggregator(self.context)
        self._turns: asyncio.Queue[AssistantTurnStoppedMessage] = asyncio.Queue()

        @assistant.event_handler("on_assistant_turn_stopped")
        async def on_assistant_turn_stopped(_: object, turn: AssistantTurnStoppedMessage) -> None:
            await self._turns.put(turn)

        rest = [self.speaker, self.heard, assistant] if played else []
        self.worker = PipelineWorker(
            Pipeline([self.written, service, self.made, *rest, self.end]),
            params=PipelineParams(audio_out_sample_rate=SAMPLE_RATE),
            cancel_on_idle_timeout=False,
            enable_rtvi=False,
        )

    async def reply(self, *texts: str) -> None:
        await self.worker.queue_frames(
            [LLMFullResponseStartFrame(), *(LLMTextFrame(text) for text in texts), LLMFullResponseEndFrame()]
        )

    async def interrupt(self) -> None:
        await self.worker.queue_frame(InterruptionFrame())
        await self.end.wait(lambda frame: isinstance(frame, InterruptionFrame))

    async def turn(self) -> tuple[str, bool]:
        """What the next finished turn left in the context, and whether it was cut off."""
        async with asyncio.timeout(20):
            turn = await self._turns.get()
        return turn.content, turn.interrupted

    def remembered(self) -> list[str]:
        return [str(message["content"]) for message in self.context.messages if message["role"] == "assistant"]  # type: ignore[index]

    def audio(self) -> bytes:
        return b"".join(frame.audio for frame in self.made.of(TTSAudioRawFrame))  # type: ignore[attr-defined]

    def words(self) -> list[str]:
        return [frame.text for frame in self.heard.of(TTSTextFrame)]  # type: ignore[attr-defined]


@asynccontextmanager
async def line(service: EspeakTTSService | None = None, *, played: bool = True) -> AsyncIterator[Line]:
    call = Line(service or EspeakTTSService(), played=played)
    started = asyncio.Event()

    @call.worker.event_handler("on_pipeline_started")
    async def on_started(*_: object) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(call.worker)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(10):
            await started.wait()
        yield call
    finally:
        await call.worker.cancel()
        await running


@pytest.fixture(autouse=True)
async def no_thread_left() -> AsyncIterator[None]:
    yield
    await close()
    assert not [thread for thread in threading.enumerate() if thread.name == "espeak"]


def stopped(frame: Frame) -> bool:
    return isinstance(frame, TTSStoppedFrame)


async def test_a_reply_is_one_stream_of_audio_between_start_and_stop() -> None:
    async with line(played=False) as call:
        await call.reply("Your balance is ten thousand rupees.", " Anything", " else?")
        await call.made.wait(stopped)
        kinds = [type(f) for f in call.made.seen if isinstance(f, (TTSStartedFrame, TTSAudioRawFrame, TTSStoppedFrame))]
        assert kinds[0] is TTSStartedFrame
        assert kinds[-1] is TTSStoppedFrame
        assert set(kinds[1:-1]) == {TTSAudioRawFrame}
        frames = [frame for frame in call.made.seen if isinstance(frame, TTSAudioRawFrame)]
        assert {frame.sample_rate for frame in frames} == {SAMPLE_RATE}
        assert len({frame.context_id for frame in frames}) == 1
        assert all(frame.num_frames <= SAMPLE_RATE * 0.3 for frame in frames)
        samples = np.frombuffer(call.audio(), "<i2") / 32768
        assert 2.5 < len(samples) / SAMPLE_RATE < 4.5
        assert -22 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -14
        assert np.abs(samples).max() < 1.0


async def test_an_interrupted_reply_is_remembered_as_far_as_it_was_heard() -> None:
    reply = "Your balance is ten thousand rupees. The last payment was to the water company on the ninth of November."
    async with line() as call:
        await call.reply(reply)
        await call.heard.wait(lambda frame: isinstance(frame, TTSTextFrame) and frame.text == "payment")
        await call.interrupt()
        await call.heard.wait(lambda frame: isinstance(frame, BotStoppedSpeakingFrame))
        assert await call.turn() == ("Your balance is ten thousand rupees. The last payment", True)
        assert call.remembered() == ["Your balance is ten thousand rupees. The last payment"]
        # What was heard is what was played: the words' times agree with the loudspeaker's.
        ends = [w.end_s async for c in espeak.speak("The last payment was to") for w in c.words]
        first = (
            sum([len(c.audio) async for c in espeak.speak("Your balance is ten thousand rupees.")]) / 2 / SAMPLE_RATE
        )
        heard_s = len(call.speaker.played) / 2 / SAMPLE_RATE
        assert first + ends[2] - 0.25 < heard_s < first + 0.25 + ends[4] + 0.3

        # Nothing of it is left: the next reply starts with its own first word.
        call.speaker.played.clear()
        await call.reply("Goodbye.")
        await call.heard.wait(lambda frame: isinstance(frame, TTSTextFrame) and frame.text == "Goodbye.")
        await call.heard.wait(stopped)
        alone = sum([len(c.audio) async for c in espeak.speak("Goodbye.")])
        assert alone <= len(call.speaker.played) <= alone + 2 * SAMPLE_RATE // 10
        assert call.words()[-1] == "Goodbye."


async def test_an_amount_is_spoken_in_words_and_remembered_as_written() -> None:
    async with line() as call:
        await call.reply("You paid ₹500 today.")
        assert await call.turn() == ("You paid ₹500 today.", False)
        assert call.words() == ["You", "paid", "five", "hundred", "rupees", "today."]


@pytest.mark.parametrize(
    "written",
    [
        "You paid ₹1,23,456.50 on 12 Nov at 14:30 from XXXX1234.",
        "Your OTP is 482913, **not** 7.25% of it.",
        "IFSC HDFC0001234, ref TXN98765 - R&D & KYC.",
        "Dr. Rao's EMIs — ₹5k–₹6k — are due by 2026-11-12…",
        "Mail a@b.com, call +91 98765 43210 😀 and/or wait 3-4 days.",
    ],
)
def test_words_spoken_for_notation_are_attributed_to_all_that_was_written(written: str) -> None:
    spoken = normalise(written)
    tracker = WordCompletionTracker(spoken, llm_text=written, user_facing_text=written)
    kept, complete = [], False
    for word in spoken.split():
        complete = tracker.add_word_and_check_complete(word)
        if not tracker.suppress_in_context():
            kept.append(tracker.get_llm_consumed() or "")
    assert complete
    assert "".join("".join(kept).split()) == "".join(written.split())


async def test_an_amount_cut_off_in_the_middle_is_not_remembered() -> None:
    async with line() as call:
        await call.reply("You paid ₹523 today.")
        await call.heard.wait(lambda frame: isinstance(frame, TTSTextFrame) and frame.text == "hundred")
        await call.interrupt()
        assert await call.turn() == ("You paid", True)


async def test_words_after_a_gap_in_the_reply_are_not_ahead_of_their_sound() -> None:
    async with line() as call:
        await call.worker.queue_frames([LLMFullResponseStartFrame(), LLMTextFrame("One. Two")])
        await call.heard.wait(lambda frame: isinstance(frame, TTSTextFrame) and frame.text == "One.")
        await asyncio.sleep(0.6)  # the model thinks
        resumed_ns = call.service.get_clock().get_time()
        await call.worker.queue_frames([LLMTextFrame(" three."), LLMFullResponseEndFrame()])
        assert await call.turn() == ("One. Two three.", False)
        two = next(f for f in call.heard.of(TTSTextFrame) if f.text == "Two")  # type: ignore[attr-defined]
        spoken = [w.end_s async for c in espeak.speak("Two three.") for w in c.words]
        assert two.pts is not None
        assert (two.pts - resumed_ns) / 1e9 == pytest.approx(spoken[0], abs=0.1)


async def test_two_announcements_are_remembered_in_order() -> None:
    async with line() as call:
        await call.worker.queue_frames([TTSSpeakFrame("One moment."), TTSSpeakFrame("Here it is.")])
        assert await call.turn() == ("One moment.", False)
        assert await call.turn() == ("Here it is.", False)
        assert call.words() == ["One", "moment.", "Here", "it", "is."]


async def test_slower_takes_effect_on_the_next_sentence() -> None:
    async with line(played=False) as call:

        async def seconds(text: str) -> float:
            call.made.seen.clear()
            await call.reply(text)
            await call.made.wait(stopped)
            return len(call.audio()) / 2 / SAMPLE_RATE

        normal = await seconds("Your balance is ten thousand rupees.")
        await call.worker.queue_frame(TTSUpdateSettingsFrame(delta=EspeakTTSSettings(rate_wpm=120)))
        slow = await seconds("Your balance is ten thousand rupees.")
        await call.worker.queue_frame(TTSUpdateSettingsFrame(delta=EspeakTTSSettings(rate_wpm=1)))
        slowest = await seconds("Your balance is ten thousand rupees.")
        assert normal * 1.2 < slow < slowest
        assert call.service._settings.rate_wpm == espeak.MIN_RATE_WPM


async def test_a_rate_out_of_range_is_kept_in_range() -> None:
    assert EspeakTTSService(settings=EspeakTTSSettings(rate_wpm=9_999))._settings.rate_wpm == espeak.MAX_RATE_WPM


async def test_what_cannot_be_said_is_skipped_without_an_error() -> None:
    async with line(played=False) as call:
        await call.reply("😀")
        await call.reply("...")
        await call.reply("Yes.")
        await call.made.wait(stopped)
        assert len(call.made.of(TTSStartedFrame)) == 1
        assert not call.made.of(ErrorFrame)


async def test_an_interruption_before_any_sound_leaves_nothing() -> None:
    async with line(played=False) as call:
        await call.worker.queue_frames([LLMFullResponseStartFrame(), LLMTextFrame("Your balance is ten")])
        await call.written.wait(lambda frame: isinstance(frame, LLMTextFrame))
        await call.interrupt()
        await call.reply("Yes.")
        await call.made.wait(stopped)
        alone = sum([len(c.audio) async for c in espeak.speak("Yes.")])
        assert len(call.audio()) == pytest.approx(alone, rel=0.02)


async def test_an_engine_failure_is_reported_not_raised() -> None:
    service = EspeakTTSService(settings=EspeakTTSSettings(voice="no-such-voice"))
    errors: list[str] = []

    @service.event_handler("on_error")
    async def on_error(_: object, error: ErrorFrame) -> None:
        errors.append(error.error)

    async with line(service, played=False) as call:
        await call.reply("Yes.")
        await call.made.wait(lambda frame: isinstance(frame, LLMFullResponseEndFrame))
        assert any("no voice named" in error for error in errors)


def test_the_voice_follows_the_language() -> None:
    assert voice_for("en") == "en-us"
    assert voice_for("en_IN") == "en-us"
    assert voice_for("hi-IN") == "hi"
    with pytest.raises(LanguageNotOffered, match="espeak-ng does not speak tlh"):
        voice_for("tlh")


def test_a_voice_is_one_that_speaks_the_language() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    scottish = replace(brief("en-IN"), voice="en-gb-scotland")
    assert tts(settings, scottish)._settings.voice == "en-gb-scotland"
    for wrong in ("hi", "en-nowhere", "f786b574-daa5-4673-aa0c-cbe3e8534c02"):
        with pytest.raises(VoiceNotOffered, match=f"no voice {wrong} for en; it has: .*en-us"):
            tts(settings, replace(brief(), voice=wrong))


async def test_the_vendor_contract() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert ready(settings, "tts").ok
    assert not ready(settings, "stt").ok
    await warm(settings, [brief(), brief("hi")])
    service = tts(settings, brief("hi"))
    assert isinstance(service, EspeakTTSService)
    assert service._settings.voice == "hi"
