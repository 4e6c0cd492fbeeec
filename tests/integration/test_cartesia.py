"""Cartesia through the real pipecat service: speech, words, interruptions, and every way a vendor can fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cartesia import APIConnectionError, AsyncCartesia, NotFoundError
from loguru import logger
from pipecat.frames.frames import ErrorFrame, InterruptionFrame, LLMFullResponseEndFrame, LLMTextFrame, TTSStoppedFrame
from pipecat.services.tts_service import TTSService
from pipecat.utils.errors import ErrorCategory, classify_http_exception

from core.settings import Settings
from providers import cartesia, catalog, websocket_voice
from providers.base import Brief, LanguageNotOffered, VoiceNotOffered
from providers.offline import espeak
from providers.offline.tts import close
from providers.phrases import Phrases
from tests.doubles.cartesia import HINDI_VOICE, KEY, VOICE, VOICES, Cartesia
from tests.doubles.script import Script
from tests.doubles.speech import hums
from tests.listening import SAMPLE_RATE, Listening, listening

COUNTING = "One two three four five six."
AT_ONCE_S = 1.0


@pytest.fixture(autouse=True)
async def no_thread_left() -> AsyncIterator[None]:
    yield
    await close()


def settings_for(url: str, **others: Any) -> Settings:
    return Settings(_env_file=None, cartesia_base_url=url, **{"cartesia_api_key": KEY} | others)  # pyright: ignore[reportCallIssue]


def voice(url: str, *, language: str = "en", id_: str = "", **others: Any) -> TTSService:
    brief = Brief("banking", "", Phrases(intents=(), can_do=""), language=language, voice=id_)
    return cartesia.tts(settings_for(url, **others), brief)


async def length_s(text: str) -> float:
    return sum([len(chunk.audio) async for chunk in espeak.speak(text, sample_rate=SAMPLE_RATE)]) / 2 / SAMPLE_RATE


def seconds(call: Listening) -> float:
    return len(call.sound) / 2 / SAMPLE_RATE


# Speech ---------------------------------------------------------------------------------------------------------------


async def test_a_reply_is_heard_word_by_word_and_remembered_as_written() -> None:
    async with Cartesia() as vendor, listening(voice(vendor.url)) as call:
        await call.reply("You paid ₹15,000 ", "today. ", "Anything else?")
        assert await call.remembered() == "You paid ₹15,000 today. Anything else?"
        assert call.words == ["You", "paid", "fifteen", "thousand", "rupees", "today.", "Anything", "else?"]
        assert vendor.spoken() == ["You paid fifteen thousand rupees today. ", "Anything else? "]
        both = await length_s("You paid fifteen thousand rupees today.") + await length_s("Anything else?")
        assert seconds(call) == pytest.approx(both, rel=0.02)
        assert call.errors == []
        asked = vendor.messages[0]
        assert (asked["model_id"], asked["voice"], asked["language"]) == (
            "sonic-3.6",
            {"mode": "id", "id": VOICE},
            "en",
        )
        assert asked["output_format"] == {"container": "raw", "encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE}
        assert vendor.handshakes[0]["x-api-key"] == KEY


async def test_the_line_is_up_before_the_greeting_and_every_turn_is_a_context_of_its_own() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        assert len(vendor.lines) == 1
        await call.say("Good morning.")
        assert await call.remembered() == "Good morning."
        await call.reply("Yes. No.")
        assert await call.remembered() == "Yes. No."
        assert len(vendor.handshakes) == 1
        by_context: dict[str, list[str]] = {}
        for message in vendor.messages:
            by_context.setdefault(message["context_id"], []).append(message["transcript"])
        assert list(by_context.values()) == [["Good morning. ", ""], ["Yes. ", "No. ", ""]]


async def test_what_a_call_asks_for_goes_before_what_is_set_and_that_before_our_choice() -> None:
    async with Cartesia(speak=hums, voices={name: (name, "en") for name in ("a", "b", VOICE, HINDI_VOICE)}) as vendor:
        for chosen, service in {
            "b": voice(vendor.url, id_="b", cartesia_voice_id="a"),
            "a": voice(vendor.url, cartesia_voice_id="a"),
            VOICE: voice(vendor.url),
            HINDI_VOICE: voice(vendor.url, language="hi-IN"),
        }.items():
            async with listening(service) as call:
                await call.say("Yes.")
                await call.remembered()
            assert [message["voice"]["id"] for message in vendor.messages if message["transcript"]] == [chosen]
            vendor.messages.clear()


@pytest.mark.parametrize(
    ("model", "tag", "code"),
    [
        ("sonic-3.6", "en", "en"),
        ("sonic-3.6", "en-IN", "en-IN"),
        ("sonic-3.6", "en-AQ", "en"),
        ("sonic-3.6", "hi-IN", "hi-IN"),
        ("sonic-3.6", "fil", "tl"),
        ("sonic-2", "hi-IN", "hi"),
    ],
)
async def test_languages_are_written_the_vendors_way(model: str, tag: str, code: str) -> None:
    service = voice("http://127.0.0.1:9", language=tag, cartesia_model=model)
    assert service.settings.language == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(("model", "tag"), [("sonic-3.6", "sw"), ("sonic-3.6", "tlh"), ("sonic-2", "ta-IN")])
def test_a_language_it_does_not_speak_is_refused_by_name(model: str, tag: str) -> None:
    with pytest.raises(LanguageNotOffered, match=f"Cartesia's {model} does not speak {tag}"):
        voice("http://127.0.0.1:9", language=tag, cartesia_model=model)


async def test_hindi_keeps_its_notation_and_loses_mark_up() -> None:
    async with Cartesia() as vendor, listening(voice(vendor.url, language="hi")) as call:
        await call.reply("आपका **बैलेंस** ₹15,000 है।")
        await call.ended()
        assert vendor.spoken() == ["आपका बैलेंस ₹15,000 है। "]
        assert call.words[-1] == "है।"
        assert call.errors == []


# Interruptions --------------------------------------------------------------------------------------------------------


async def test_an_interrupted_reply_leaves_no_sound_behind() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.lines[0].script = Script(pace_s=0.02)
        await call.reply(COUNTING[:-1] + " seven eight nine ten.")
        await call.until(lambda: len(call.words) == 3)
        await call.interrupt()
        assert await call.remembered() == "One two three"
        old = vendor.messages[0]["context_id"]
        assert vendor.messages[-1] == {"context_id": old, "cancel": True}
        await call.reply("Yes.")
        # The vendor finishes the sentence it has begun, and its sound arrives between that of the next reply.
        await vendor.until(lambda: vendor.lines[0].pieces == 11)
        assert await call.remembered() == "Yes."
        since = call.seen[call.seen.index(call.of(InterruptionFrame)[0]) :]
        assert call.contexts(since) == [vendor.messages[-1]["context_id"]] != [old]
        assert call.words[3:] == ["Yes."]
        assert call.errors == []


async def test_a_model_that_thinks_between_two_sentences_has_both_spoken() -> None:
    async with Cartesia(speak=hums, expires_s=0.1) as vendor, listening(voice(vendor.url)) as call:
        await call.write("One moment. ", "Here")
        await call.until(lambda: call.of(TTSStoppedFrame))
        await call.worker.queue_frames([LLMTextFrame(" it is."), LLMFullResponseEndFrame()])
        assert await call.remembered() == "One moment. Here it is."
        assert seconds(call) == pytest.approx(0.5)
        assert call.errors == []


# Faults ---------------------------------------------------------------------------------------------------------------


async def fault(script: Script, **others: Any) -> tuple[ErrorFrame, float, list[str], str, int]:
    """What a fault of the first line brings: the error, after how long, what is claimed, and how it goes on."""
    async with Cartesia(speak=hums, **others) as vendor:
        vendor.scripts.then([script])
        async with listening(voice(vendor.url)) as call:
            asked = time.monotonic()
            await call.reply(COUNTING)
            at, error = await call.failed()
            took_s = time.monotonic() - asked
            await call.ended()
            words = list(call.words)
            # Whoever stands around the voice hears of the error before the reply seems to be over.
            assert [at < end for end in call.at(TTSStoppedFrame)] == [True]
            assert len(call.errors) == 1
            await call.reply("Yes.")
            await call.ended(2)
            return error, took_s, words, " ".join(call.words[len(words) :]), len(vendor.handshakes)


async def test_a_line_that_is_cut_is_reported_at_once_and_claims_nothing_more() -> None:
    error, took_s, words, then, handshakes = await fault(Script(cut_after=3))
    assert error.category is ErrorCategory.CONNECTIVITY
    assert error.exception is not None
    assert took_s < AT_ONCE_S
    assert words == ["One", "two"]  # the time of the third did not come through
    assert (then, handshakes) == ("Yes.", 2)


async def test_a_line_that_is_cut_before_the_first_sound_is_reported_at_once() -> None:
    error, took_s, words, then, _ = await fault(Script(cut_after=0))
    assert error.category is ErrorCategory.CONNECTIVITY
    assert took_s < AT_ONCE_S
    assert (words, then) == ([], "Yes.")


async def test_what_a_model_writes_after_the_line_was_cut_goes_over_the_next_one() -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.then([Script(cut_after=2)])
        async with listening(voice(vendor.url)) as call:
            await call.write("One two three. ", "Four")
            await call.failed()
            await call.worker.queue_frames([LLMTextFrame(" five."), LLMFullResponseEndFrame()])
            await call.ended()
            assert call.words == ["One", "Four", "five."]
            assert len({message["context_id"] for message in vendor.messages}) == 2
            assert len(call.errors) == 1


@pytest.mark.parametrize(("stall_after", "words"), [(0, []), (3, ["One", "two"])])
async def test_a_vendor_that_falls_silent_is_reported(
    stall_after: int, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_voice, "SILENT_S", 0.3)
    error, took_s, claimed, then, handshakes = await fault(Script(stall_after=stall_after))
    assert error.category is ErrorCategory.CONNECTIVITY
    assert 0.3 <= took_s < 0.3 + AT_ONCE_S
    assert (claimed, then, handshakes) == (words, "Yes.", 2)


@pytest.mark.parametrize(
    "nonsense",
    [
        '{"type": "chunk", "data": "AAAA", "done": false}',
        '{"type": "chunk", "context_id": ',
        '["chunk"]',
        "null",
        b"\xff\xfe\x00",
    ],
    ids=["no context", "half a message", "a list", "nothing", "bytes"],
)
async def test_garbage_is_reported_at_once(nonsense: str | bytes) -> None:
    error, took_s, words, then, handshakes = await fault(Script(garbage=True), nonsense=nonsense)
    assert error.category is ErrorCategory.SERVER
    assert took_s < AT_ONCE_S
    assert (words, then, handshakes) == ([], "Yes.", 2)


async def test_a_reply_without_sound_is_reported_and_not_remembered() -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = Script(wrong=True)
        async with listening(voice(vendor.url)) as call:
            asked = time.monotonic()
            await call.reply(COUNTING)
            _, error = await call.failed()
            assert error.category is ErrorCategory.SERVER
            assert time.monotonic() - asked < AT_ONCE_S
            await call.ended()
            assert (call.words, call.sound, len(call.errors)) == ([], b"", 1)


async def test_a_slow_vendor_is_borne() -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = Script(first_byte_s=0.3, pace_s=0.1)
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            assert await call.remembered() == COUNTING
            assert call.errors == []


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (401, ErrorCategory.AUTHENTICATION),
        (402, ErrorCategory.QUOTA),
        (429, ErrorCategory.RATE_LIMIT),
        (500, ErrorCategory.SERVER),
        (529, ErrorCategory.SERVER),
    ],
)
async def test_a_refused_handshake_says_why_and_is_tried_once_a_sentence(status: int, category: ErrorCategory) -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = Script(status=status, retry_after_s=7)
        async with listening(voice(vendor.url)) as call:
            _, error = await call.failed()
            assert error.category is category
            assert error.exception.response.headers["Retry-After"] == "7"  # type: ignore[union-attr]
            assert call.started_s < AT_ONCE_S
            await call.reply(COUNTING)
            await call.ended()
            assert (call.words, len(vendor.handshakes)) == ([], 1 if category.is_permanent else 2)


async def test_a_wrong_key_is_refused() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url, cartesia_api_key="sk_car_x")) as call:
        _, error = await call.failed()
        assert error.category is ErrorCategory.AUTHENTICATION


async def test_a_vendor_that_is_not_there_holds_nobody_up() -> None:
    async with Cartesia() as vendor:
        url = vendor.url
    async with listening(voice(url)) as call:
        _, error = await call.failed()
        assert error.category is ErrorCategory.CONNECTIVITY
        assert call.started_s < AT_ONCE_S


async def test_a_vendor_that_does_not_answer_the_handshake_holds_the_start_up_for_less_than_three_seconds() -> None:
    gone = asyncio.Event()

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with listening(voice(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as call:
        _, error = await call.failed()
        assert error.category is ErrorCategory.CONNECTIVITY
        assert websocket_voice.CONNECT_S <= call.started_s < 3
    gone.set()
    server.close()


async def test_an_unknown_voice_is_reported_in_the_vendors_words() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url, id_="nobody")) as call:
        asked = time.monotonic()
        await call.reply(COUNTING)
        _, error = await call.failed()
        assert (error.error, error.category) == (
            "Voice not found: There is no voice nobody.",
            ErrorCategory.INVALID_REQUEST,
        )
        assert time.monotonic() - asked < AT_ONCE_S
        await call.ended()
        assert (call.words, len(call.errors), call.service.is_usable) == ([], 1, False)


@pytest.mark.parametrize(
    ("refusal", "category"),
    [
        ({"status_code": 402, "error_code": "quota_exceeded"}, ErrorCategory.QUOTA),
        ({"status_code": 429, "error_code": "concurrency_limited"}, ErrorCategory.RATE_LIMIT),
        ({"status_code": 400, "error_code": None}, ErrorCategory.INVALID_REQUEST),
        ({"status_code": 500}, ErrorCategory.SERVER),
        ({}, ErrorCategory.SERVER),
    ],
)
async def test_an_error_that_names_no_context_fails_all_that_is_under_way(
    refusal: dict[str, Any], category: ErrorCategory
) -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.then([Script(stall_after=2)])
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            await call.until(lambda: len(call.words) == 1)
            error = {"type": "error", "done": True, "title": "Sorry", "message": f"not with {KEY}"} | refusal
            await vendor.lines[0].websocket.send_json(error)
            _, reported = await call.failed()
            assert (reported.error, reported.category) == ("Sorry: not with [key]", category)
            await call.ended()
            assert (call.words, len(call.errors)) == (["One"], 1)


async def test_an_error_in_the_middle_of_a_reply_does_not_write_the_voice_off() -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.then([Script(stall_after=2)])
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            await call.until(lambda: len(call.words) == 1)
            context_id = vendor.messages[0]["context_id"]
            error = {"type": "error", "context_id": context_id, "status_code": 400, "title": "Sorry", "message": "no"}
            await vendor.lines[0].websocket.send_json(error)
            _, reported = await call.failed()
            assert reported.category is ErrorCategory.SERVER
            assert call.service.is_usable


# Connections that have ended between replies --------------------------------------------------------------------------


async def test_an_idle_line_that_was_closed_is_back_before_the_next_sentence_without_a_word() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await call.reply("Yes.")
        await call.ended()
        await vendor.hang_up()
        await vendor.until(lambda: len(vendor.handshakes) == 2 and len(vendor.lines) == 1)
        await call.reply("No.")
        await call.ended(2)
        assert (call.words, call.errors, len(vendor.handshakes)) == (["Yes.", "No."], [], 2)


async def test_a_sentence_that_comes_while_the_line_is_being_opened_waits_for_it() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.distance_s = 0.2
        await vendor.hang_up()
        await vendor.until(lambda: len(vendor.handshakes) == 2)
        await call.reply("Yes.")
        await call.ended()
        assert (call.words, call.errors, len(vendor.handshakes)) == (["Yes."], [], 2)


async def test_an_idle_line_that_was_cut_is_back_as_well() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.lines[0].cut()
        await vendor.until(lambda: len(vendor.handshakes) == 2 and len(vendor.lines) == 1)
        await call.reply("Yes.")
        await call.ended()
        assert (call.words, call.errors) == (["Yes."], [])


async def test_a_line_that_is_closed_while_a_sentence_is_on_its_way_is_opened_for_it() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        closing = asyncio.gather(vendor.hang_up(), call.reply("Yes."))
        await closing
        await call.ended()
        # Either the sentence got through before the end of the line, and is reported, or it is spoken.
        assert (call.words == ["Yes."]) != bool(call.errors)


async def test_a_line_that_is_closed_again_and_again_is_reported() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await vendor.hang_up()
        await vendor.until(lambda: len(vendor.handshakes) == 2 and len(vendor.lines) == 1)
        await vendor.hang_up()
        _, error = await call.failed()
        assert error.category is ErrorCategory.CONNECTIVITY
        assert len(vendor.handshakes) == 2


async def test_a_vendor_that_is_gone_when_the_idle_line_is_closed_is_reported() -> None:
    async with Cartesia(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.scripts.always = Script(status=529)
        await vendor.hang_up()
        _, error = await call.failed()
        assert error.category is ErrorCategory.SERVER
        assert len(vendor.handshakes) == 2


async def test_hanging_up_in_the_middle_of_a_reply_closes_the_line_without_an_error() -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = Script(pace_s=0.05)
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            await call.until(lambda: len(call.words) == 2)
        await vendor.until(lambda: not vendor.lines)
        assert call.errors == []


# Requests -------------------------------------------------------------------------------------------------------------


async def test_a_fixed_prompt_is_made_in_one_piece() -> None:
    async with Cartesia() as vendor:
        settings = settings_for(vendor.url)
        sound = await cartesia.say(settings, "Transfer ₹500?", voice="", language="en", sample_rate=16_000)
        assert len(sound) / 2 / 16_000 == pytest.approx(await length_s("Transfer five hundred rupees?"), rel=0.02)
        body = vendor.requests[0][2]
        assert (body["transcript"], body["voice"], body["language"]) == ("Transfer five hundred rupees?", VOICE, "en")
        await cartesia.say(settings, "नमस्ते", voice="", language="hi", sample_rate=16_000)
        assert vendor.requests[1][2]["voice"] == HINDI_VOICE


@pytest.mark.parametrize(
    ("script", "category"),
    [
        (Script(status=401), ErrorCategory.AUTHENTICATION),
        (Script(status=402), ErrorCategory.QUOTA),
        (Script(status=429), ErrorCategory.RATE_LIMIT),
        (Script(status=529), ErrorCategory.SERVER),
    ],
)
async def test_a_prompt_that_is_refused_is_not_asked_for_twice(script: Script, category: ErrorCategory) -> None:
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = script
        with pytest.raises(Exception, match=str(script.status)) as caught:
            await cartesia.say(settings_for(vendor.url), "Yes.", voice="", language="en", sample_rate=16_000)
        assert classify_http_exception(caught.value) is category
        assert KEY not in str(caught.value)
        assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(wrong=True), ValueError),
        (Script(cut_after=1), APIConnectionError),
        (Script(stall_after=1), TimeoutError),
    ],
)
async def test_a_prompt_that_is_not_whole_is_an_error(
    script: Script, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cartesia, "SAY_S", 0.3)
    async with Cartesia(speak=hums) as vendor:
        vendor.scripts.always = script
        with pytest.raises(error):
            await cartesia.say(settings_for(vendor.url), "Yes, no.", voice="", language="en", sample_rate=16_000)


async def test_voices_are_listed_page_by_page_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Cartesia() as vendor:
        listed = await cartesia.list_voices(settings_for(vendor.url))
        assert [(each.id, each.name, each.language) for each in listed] == [
            (HINDI_VOICE, "Arushi", "hi"),
            (VOICE, "Katie", "en"),
        ]
    monkeypatch.setattr(cartesia, "MAX_VOICES", 150)
    async with Cartesia(voices={f"v{n:03}": (f"Voice {n}", "en") for n in range(400)}) as vendor:
        assert len(await cartesia.list_voices(settings_for(vendor.url))) == 150
        assert len(vendor.requests) == 2


async def test_a_voice_is_asked_for_before_it_is_chosen() -> None:
    async with Cartesia() as vendor:
        settings = settings_for(vendor.url)
        await catalog.confirm_voice(settings, "cartesia", HINDI_VOICE)
        with pytest.raises(VoiceNotOffered, match="Cartesia has no voice nobody for this key"):
            await catalog.confirm_voice(settings, "cartesia", "nobody")
        vendor.scripts.always = Script(status=500)
        await catalog.confirm_voice(settings, "cartesia", "nobody")  # who cannot answer stands in nobody's way


async def test_the_check_asks_one_cheap_question() -> None:
    async with Cartesia() as vendor:
        await cartesia.check(settings_for(vendor.url))
        await cartesia.check(settings_for(vendor.url, cartesia_voice_id=VOICE))
        assert vendor.requests == [("GET", "/voices", {"limit": "1"}), ("GET", f"/voices/{VOICE}", {})]


async def test_the_check_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cartesia, "CHECK_S", 0.3)
    async with Cartesia() as vendor:
        with pytest.raises(Exception, match="401") as wrong_key:
            await cartesia.check(settings_for(vendor.url, cartesia_api_key="sk_car_secret"))
        assert classify_http_exception(wrong_key.value) is ErrorCategory.AUTHENTICATION
        assert "sk_car_secret" not in str(wrong_key.value)
        with pytest.raises(NotFoundError, match="There is no voice nobody"):
            await cartesia.check(settings_for(vendor.url, cartesia_voice_id="nobody"))
        vendor.scripts.always = Script(stall_after=0)
        asked = time.monotonic()
        with pytest.raises(Exception, match="timed out"):
            await cartesia.check(settings_for(vendor.url))
        assert time.monotonic() - asked < 0.3 + AT_ONCE_S


def test_it_is_ready_with_a_key() -> None:
    assert cartesia.ready(settings_for("", cartesia_api_key=""), "tts").why == "CARTESIA_API_KEY is not set"
    state = cartesia.ready(settings_for(""), "tts")
    assert (state.ok, state.why) == (True, "CARTESIA_API_KEY is set; sonic-3.6")


def test_every_model_that_can_be_set_has_a_price() -> None:
    prices = cartesia.PRICES.of(Settings.model_fields["cartesia_model"].default)
    assert prices is not None
    assert prices.micros(characters=1000) == 50_000
    assert prices.tts_mchar == Decimal(50)


async def test_the_key_is_in_no_log_and_no_error(tmp_path: Path) -> None:
    key = "sk_car_0123456789abcdef"
    log = tmp_path / "log"
    sink = logger.add(log, level=0, format="{message} {exception}")
    try:
        async with Cartesia(speak=hums, key=key) as vendor:
            vendor.scripts.then([Script(), Script(status=429), Script(cut_after=1)])
            async with listening(voice(vendor.url, cartesia_api_key=key)) as call:
                await call.reply("Yes.")
                await call.ended()
                await vendor.hang_up()
                await call.failed()
                await call.reply("No, yes.")
                await call.failed(2)
                assert all(key not in repr(error) and key not in str(error.exception) for error in call.errors)
                assert key not in repr(call.service)
    finally:
        logger.remove(sink)
    assert "HTTP 429" in log.read_text()
    assert key not in log.read_text()


# The double is right: the vendor's own library talks with it ----------------------------------------------------------


async def test_the_vendors_library_speaks_with_the_double_over_a_websocket() -> None:
    async with (
        Cartesia() as vendor,
        AsyncCartesia(api_key=KEY, base_url=vendor.url, websocket_base_url=vendor.url.replace("http", "ws")) as client,
        client.tts.websocket_connect() as line,
    ):
        context = line.context(
            model_id="sonic-3.6",
            voice=VOICE,
            output_format={"container": "raw", "encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE},
            language="en",
            add_timestamps=True,
        )
        await context.push("The road ")
        await context.push("goes ever on.")
        await context.no_more_inputs()
        sound, words, starts = b"", [], []
        async for answer in context.receive():
            assert answer.type in ("chunk", "timestamps", "done"), answer
            if answer.type == "chunk":
                sound += answer.audio or b""
            elif answer.type == "timestamps" and answer.word_timestamps is not None:
                words += answer.word_timestamps.words
                starts += answer.word_timestamps.start
        assert words == ["The", "road", "goes", "ever", "on."]
        assert starts == sorted(starts)
        assert starts[2] == pytest.approx(await length_s("The road"), abs=0.05)
        assert len(sound) / 2 / SAMPLE_RATE > starts[-1]

        unknown = line.context(model_id="sonic-3.6", voice="nobody", output_format={"container": "raw"})
        await unknown.push("Hello.")
        answer = [each async for each in unknown.receive()][-1]
        assert answer.type == "error"
        assert (answer.status_code, answer.error) == (404, "Voice not found: There is no voice nobody.")


async def test_the_vendors_library_speaks_with_the_double_over_http() -> None:
    async with Cartesia() as vendor, AsyncCartesia(api_key=KEY, base_url=vendor.url, max_retries=0) as client:
        response = await client.tts.generate(
            model_id="sonic-3.6",
            transcript="The road goes ever on.",
            voice=VOICE,
            output_format={"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000},
        )
        made_s = len(await response.read()) / 2 / 16_000
        assert made_s == pytest.approx(await length_s("The road goes ever on."), rel=0.02)
        assert [(each.id, each.name) async for each in client.voices.list(limit=1)] == [
            (id_, name) for id_, (name, _) in sorted(VOICES.items())
        ]
        assert (await client.voices.get(VOICE)).name == "Katie"
