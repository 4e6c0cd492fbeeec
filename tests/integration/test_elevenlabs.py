"""ElevenLabs through the real pipecat service: speech, words, interruptions, and every way a vendor can fail."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from loguru import logger
from pipecat.frames.frames import (
    ErrorFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.services.tts_service import TTSService
from pipecat.utils.errors import ErrorCategory, classify_http_exception
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from core.settings import Settings
from providers import elevenlabs, websocket_voice
from providers.base import Brief, LanguageNotOffered
from providers.offline import espeak
from providers.offline.tts import close
from providers.phrases import Phrases
from tests.doubles.elevenlabs import KEY, MAX_CONTEXTS, VOICE, ElevenLabs
from tests.doubles.script import Script
from tests.doubles.speech import hums
from tests.listening import SAMPLE_RATE, listening

COUNTING = "One two three four five six."
AT_ONCE_S = 1.0


@pytest.fixture(autouse=True)
async def no_thread_left() -> AsyncIterator[None]:
    yield
    await close()


def settings_for(url: str, **others: Any) -> Settings:
    return Settings(_env_file=None, elevenlabs_base_url=url, **{"elevenlabs_api_key": KEY} | others)  # pyright: ignore[reportCallIssue]


def voice(url: str, *, language: str = "en", id_: str = "", **others: Any) -> TTSService:
    brief = Brief("banking", "", Phrases(intents=(), can_do=""), language=language, voice=id_)
    return elevenlabs.tts(settings_for(url, **others), brief)


async def length_s(text: str) -> float:
    return sum([len(chunk.audio) async for chunk in espeak.speak(text, sample_rate=SAMPLE_RATE)]) / 2 / SAMPLE_RATE


# Speech ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snake_case", [False, True], ids=["contextId", "context_id"])
async def test_a_reply_is_heard_word_by_word_and_remembered_as_written(snake_case: bool) -> None:
    async with ElevenLabs(snake_case=snake_case) as vendor, listening(voice(vendor.url)) as call:
        await call.reply("You paid ₹15,000 ", "today. ", "Anything else?")
        assert await call.remembered() == "You paid ₹15,000 today. Anything else?"
        assert call.words == ["You", "paid", "fifteen", "thousand", "rupees", "today.", "Anything", "else?"]
        assert vendor.spoken() == ["You paid fifteen thousand rupees today. ", "Anything else? "]
        both = await length_s("You paid fifteen thousand rupees today.") + await length_s("Anything else?")
        assert len(call.sound) / 2 / SAMPLE_RATE == pytest.approx(both, rel=0.02)
        assert call.errors == []
        headers, query = vendor.handshakes[0]
        assert headers["xi-api-key"] == KEY
        assert query == {
            "model_id": "eleven_flash_v2_5",
            "output_format": "pcm_24000",
            "auto_mode": "true",
            "language_code": "en",
        }


async def test_the_line_is_up_before_the_greeting_and_every_turn_is_a_context_that_is_closed() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        assert len(vendor.lines) == 1
        await call.say("Good morning.")
        assert await call.remembered() == "Good morning."
        await call.reply("Yes. No.")
        assert await call.remembered() == "Yes. No."
        by_context: dict[str, list[str]] = {}
        for message in vendor.messages:
            by_context.setdefault(message["context_id"], []).append(message.get("text", "").strip())
        assert [[text for text in texts if text] for texts in by_context.values()] == [
            ["Good morning."],
            ["Yes.", "No."],
        ]
        assert sum("close_context" in message for message in vendor.messages) == 2
        assert (len(vendor.handshakes), vendor.most_contexts) == (1, 1)


async def test_what_a_call_asks_for_goes_before_what_is_set_and_that_before_our_choice() -> None:
    async with ElevenLabs(speak=hums, voices=("b",)) as vendor:
        async with listening(voice(vendor.url, id_="b", elevenlabs_voice_id="a")) as call:
            await call.say("Yes.")
            assert await call.remembered() == "Yes."
        async with listening(voice(vendor.url, elevenlabs_voice_id="b")) as call:
            await call.say("Yes.")
            assert await call.remembered() == "Yes."
    assert voice(vendor.url).settings.voice == VOICE  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("model", "tag", "code"),
    [
        ("eleven_flash_v2_5", "en-IN", "en"),
        ("eleven_flash_v2_5", "hi-IN", "hi"),
        ("eleven_multilingual_v2", "hi", None),
        ("eleven_flash_v2", "en-IN", None),
        ("eleven_v4_turbo", "bn-IN", "bn"),
        ("eleven_of_tomorrow", "hi", None),
    ],
)
def test_languages_are_written_the_vendors_way(model: str, tag: str, code: str | None) -> None:
    service = voice("http://127.0.0.1:9", language=tag, elevenlabs_model=model)
    assert service.settings.language == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("model", "tag"),
    [("eleven_flash_v2_5", "bn-IN"), ("eleven_flash_v2", "hi"), ("eleven_multilingual_v2", "vi"), ("eleven_v3", "tlh")],
)
def test_a_language_it_does_not_speak_is_refused_by_name(model: str, tag: str) -> None:
    with pytest.raises(LanguageNotOffered, match=f"ElevenLabs' {model} does not speak {tag}"):
        voice("http://127.0.0.1:9", language=tag, elevenlabs_model=model)


# Interruptions --------------------------------------------------------------------------------------------------------


async def test_an_interrupted_reply_leaves_no_sound_and_no_times_behind() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.lines[0].script = Script(pace_s=0.02)
        await call.reply(COUNTING[:-1] + " seven eight nine ten.")
        await call.until(lambda: len(call.words) == 3)
        await call.interrupt()
        assert await call.remembered() == "One two three"
        old = vendor.messages[0]["context_id"]
        await call.reply("Yes, no.")
        # What was under way is spoken to its end, and arrives between the pieces of the next reply.
        await vendor.until(lambda: vendor.lines[0].pieces == 12)
        assert {"context_id": old, "close_context": True} in vendor.messages
        assert await call.remembered() == "Yes, no."
        since = call.seen[call.seen.index(call.of(InterruptionFrame)[0]) :]
        assert call.contexts(since) == [vendor.messages[-1]["context_id"]] != [old]
        assert call.words[3:] == ["Yes,", "no."]
        yes, no = call.of(TTSTextFrame)[3:]
        assert no.pts - yes.pts == pytest.approx(0.1e9, rel=0.05)
        assert call.errors == []


async def test_many_interruptions_do_not_use_up_the_contexts() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        vendor.lines[0].script = Script(pace_s=0.01)
        for _ in range(2 * MAX_CONTEXTS):
            await call.reply(COUNTING)
            await call.until(lambda: len(call.words) >= 2)
            await call.interrupt()
            call.clear()
        await call.reply("Yes.")
        await call.until(lambda: call.words == ["Yes."])
        assert (vendor.most_contexts, call.errors) == (1, [])


async def test_a_model_that_thinks_between_two_sentences_has_both_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_voice, "SILENT_S", 0.2)
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await call.write("One moment. ", "Here")
        await call.until(lambda: len(call.words) == 2)
        await asyncio.sleep(0.4)  # the model thinks for longer than a vendor may be silent
        await call.worker.queue_frames([LLMTextFrame(" it is."), LLMFullResponseEndFrame()])
        assert await call.remembered() == "One moment. Here it is."
        assert len(call.sound) / 2 / SAMPLE_RATE == pytest.approx(0.5)
        assert call.errors == []


# Faults ---------------------------------------------------------------------------------------------------------------


async def fault(script: Script, **others: Any) -> tuple[ErrorFrame, float, list[str], str, int]:
    """What a fault of the first line brings: the error, after how long, what is claimed, and how it goes on."""
    async with ElevenLabs(speak=hums, **others) as vendor:
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


@pytest.mark.parametrize(("cut_after", "words"), [(0, []), (3, ["One", "two", "three"])])
async def test_a_line_that_is_cut_is_reported_at_once_and_claims_nothing_more(cut_after: int, words: list[str]) -> None:
    error, took_s, claimed, then, handshakes = await fault(Script(cut_after=cut_after))
    assert error.category is ErrorCategory.CONNECTIVITY
    assert took_s < AT_ONCE_S
    assert (claimed, then, handshakes) == (words, "Yes.", 2)


@pytest.mark.parametrize(("stall_after", "words"), [(0, []), (3, ["One", "two", "three"])])
async def test_a_vendor_that_falls_silent_is_reported(
    stall_after: int, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_voice, "SILENT_S", 0.3)
    error, took_s, claimed, then, handshakes = await fault(Script(stall_after=stall_after))
    assert error.category is ErrorCategory.CONNECTIVITY
    assert 0.3 <= took_s < 0.3 + AT_ONCE_S
    assert (claimed, then, handshakes) == (words, "Yes.", 2)


@pytest.mark.parametrize("nonsense", ["<html>502</html>", '["audio"]', "null", b"\xff\xfe\x00"])
async def test_garbage_is_reported_at_once(nonsense: str | bytes) -> None:
    error, took_s, words, then, handshakes = await fault(Script(garbage=True), nonsense=nonsense)
    assert error.category is ErrorCategory.SERVER
    assert took_s < AT_ONCE_S
    assert (words, then, handshakes) == ([], "Yes.", 2)


async def test_sound_of_no_context_is_no_sound() -> None:
    error, took_s, words, _, _ = await fault(Script(garbage=True), nonsense='{"audio": "AAAA"}')
    assert error.category is ErrorCategory.SERVER
    assert took_s < AT_ONCE_S
    assert words == []


async def test_a_reply_without_sound_is_reported_and_not_remembered() -> None:
    async with ElevenLabs(speak=hums) as vendor:
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
    async with ElevenLabs(speak=hums) as vendor:
        vendor.scripts.always = Script(first_byte_s=0.3, pace_s=0.1)
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            assert await call.remembered() == COUNTING
            assert call.errors == []


@pytest.mark.parametrize("in_words", [False, True], ids=["by status", "in words"])
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
async def test_a_refused_connection_says_why_and_is_tried_once_a_sentence(
    status: int, category: ErrorCategory, in_words: bool
) -> None:
    async with ElevenLabs(speak=hums, in_words=in_words) as vendor:
        vendor.scripts.always = Script(status=status, retry_after_s=7)
        async with listening(voice(vendor.url)) as call:
            _, error = await call.failed()
            assert error.category is category
            assert call.started_s < AT_ONCE_S
            await call.reply(COUNTING)
            await call.ended()
            assert call.words == []
            assert len(vendor.handshakes) == (1 if category.is_permanent else 2)


async def test_a_credit_that_is_used_up_is_not_taken_for_a_wrong_key() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"detail": {"status": "quota_exceeded", "message": "You have 0 credits left."}}'
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening(voice(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as call:
        _, error = await call.failed()
        assert error.category is ErrorCategory.QUOTA
    server.close()


async def test_a_close_that_only_gives_a_reason_is_understood() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await vendor.lines[0].websocket.close(code=1008, message=b"This request exceeds your quota of 10000.")
        _, error = await call.failed()
        assert error.category is ErrorCategory.QUOTA
        assert len(vendor.handshakes) == 1


async def test_an_unknown_voice_is_reported_in_the_vendors_words() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url, id_="nobody")) as call:
        asked = time.monotonic()
        await call.reply(COUNTING)
        _, error = await call.failed()
        assert "A voice with the voice_id does not exist." in error.error
        assert error.category is ErrorCategory.INVALID_REQUEST
        assert time.monotonic() - asked < AT_ONCE_S
        await call.ended()
        assert (call.words, len(call.errors), call.service.is_usable) == ([], 1, False)


async def test_a_vendor_that_is_not_there_holds_nobody_up() -> None:
    async with ElevenLabs() as vendor:
        url = vendor.url
    async with listening(voice(url)) as call:
        _, error = await call.failed()
        assert error.category is ErrorCategory.CONNECTIVITY
        assert call.started_s < AT_ONCE_S
        await call.reply(COUNTING)
        await call.ended()
        assert call.words == []


# Connections that have ended between replies --------------------------------------------------------------------------


async def test_an_idle_line_that_was_closed_is_back_before_the_next_sentence_without_a_word() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await call.reply("Yes.")
        await call.ended()
        await vendor.hang_up()
        await vendor.until(lambda: len(vendor.handshakes) == 2 and len(vendor.lines) == 1)
        await call.reply("No.")
        await call.ended(2)
        assert (call.words, call.errors, len(vendor.handshakes)) == (["Yes.", "No."], [], 2)


async def test_a_line_that_is_closed_again_and_again_is_reported() -> None:
    async with ElevenLabs(speak=hums) as vendor, listening(voice(vendor.url)) as call:
        await vendor.hang_up()
        await vendor.until(lambda: len(vendor.handshakes) == 2 and len(vendor.lines) == 1)
        await vendor.hang_up()
        _, error = await call.failed()
        assert error.category is ErrorCategory.CONNECTIVITY
        assert len(vendor.handshakes) == 2


async def test_hanging_up_in_the_middle_of_a_reply_closes_the_line_without_an_error() -> None:
    async with ElevenLabs(speak=hums) as vendor:
        vendor.scripts.always = Script(pace_s=0.05)
        async with listening(voice(vendor.url)) as call:
            await call.reply(COUNTING)
            await call.until(lambda: len(call.words) == 2)
        await vendor.until(lambda: not vendor.lines)
        assert call.errors == []


# Requests -------------------------------------------------------------------------------------------------------------


async def test_a_fixed_prompt_is_made_in_one_piece() -> None:
    async with ElevenLabs() as vendor:
        settings = settings_for(vendor.url)
        sound = await elevenlabs.say(settings, "Transfer ₹500?", voice="", language="en", sample_rate=16_000)
        assert len(sound) / 2 / 16_000 == pytest.approx(await length_s("Transfer five hundred rupees?"), rel=0.02)
        method, path, body = vendor.requests[0]
        assert (method, path) == ("POST", f"/v1/text-to-speech/{VOICE}?output_format=pcm_16000")
        assert body == {
            "text": "Transfer five hundred rupees?",
            "model_id": "eleven_flash_v2_5",
            "language_code": "en",
        }


@pytest.mark.parametrize("status", [401, 402, 404, 429, 529])
async def test_a_prompt_that_is_refused_is_not_asked_for_twice(status: int) -> None:
    async with ElevenLabs(speak=hums) as vendor:
        vendor.scripts.always = Script(status=status)
        with pytest.raises(httpx.HTTPStatusError, match=str(status)) as caught:
            await elevenlabs.say(settings_for(vendor.url), "Yes.", voice="", language="en", sample_rate=16_000)
        assert KEY not in str(caught.value)
        assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("script", "error"), [(Script(wrong=True), ValueError), (Script(cut_after=1), httpx.HTTPError)]
)
async def test_a_prompt_that_is_not_whole_is_an_error(script: Script, error: type[Exception]) -> None:
    async with ElevenLabs(speak=hums) as vendor:
        vendor.scripts.always = script
        with pytest.raises(error):
            await elevenlabs.say(settings_for(vendor.url), "Yes, no.", voice="", language="en", sample_rate=16_000)


async def test_the_check_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "CHECK_S", 0.3)
    async with ElevenLabs() as vendor:
        await elevenlabs.check(settings_for(vendor.url))
        assert vendor.requests == [("GET", "/v1/models", None)]
        with pytest.raises(httpx.HTTPStatusError) as wrong_key:
            await elevenlabs.check(settings_for(vendor.url, elevenlabs_api_key="sk_el_secret"))
        assert classify_http_exception(wrong_key.value) is ErrorCategory.AUTHENTICATION
        assert "sk_el_secret" not in str(wrong_key.value)
        vendor.scripts.always = Script(stall_after=0)
        with pytest.raises(httpx.TimeoutException):
            await elevenlabs.check(settings_for(vendor.url))


def test_it_is_ready_with_a_key() -> None:
    assert elevenlabs.ready(settings_for("", elevenlabs_api_key=""), "tts").why == "ELEVENLABS_API_KEY is not set"
    state = elevenlabs.ready(settings_for(""), "tts")
    assert (state.ok, state.why) == (True, "ELEVENLABS_API_KEY is set; eleven_flash_v2_5")


def test_models_cost_what_the_list_says() -> None:
    flash, fine = elevenlabs.PRICES.of("eleven_flash_v2_5"), elevenlabs.PRICES.of("eleven_multilingual_v2")
    assert flash is not None
    assert fine is not None
    assert (flash.micros(characters=1000), fine.micros(characters=1000)) == (50_000, 100_000)
    assert elevenlabs.PRICES.of("eleven_v4") is None


async def test_the_key_is_in_no_log_and_no_error(tmp_path: Path) -> None:
    key = "sk_0123456789abcdef"
    log = tmp_path / "log"
    sink = logger.add(log, level=0, format="{message} {exception}")
    try:
        async with ElevenLabs(speak=hums, key=key) as vendor:
            vendor.scripts.then([Script(), Script(status=429), Script(cut_after=1)])
            async with listening(voice(vendor.url, elevenlabs_api_key=key)) as call:
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


# The double is right: it does on the wire what the vendor's reference says --------------------------------------------


async def test_the_double_answers_as_the_vendors_reference_says() -> None:
    async with ElevenLabs() as vendor:
        url = f"{vendor.url.replace('http', 'ws')}/v1/text-to-speech/{VOICE}/multi-stream-input?output_format=pcm_24000"
        async with connect(url, additional_headers={"xi-api-key": KEY}) as line:
            for message in (
                {"text": " ", "context_id": "first", "voice_settings": {"stability": 0.5}},
                {"text": "The road goes ", "context_id": "first"},
                {"text": "ever on. ", "context_id": "first", "flush": True},
                {"text": ""},
                {"context_id": "first", "close_context": True},
                {"text": "Another. ", "context_id": "second"},
                {"context_id": "second", "close_context": True},
            ):
                await line.send(json.dumps(message))
            sound: dict[str, bytes] = {"first": b"", "second": b""}
            chars = ""
            final: list[str] = []
            while len(final) < 2:
                told = json.loads(await line.recv())
                if told.get("isFinal"):
                    final.append(told["contextId"])
                    continue
                sound[told["contextId"]] += base64.b64decode(told["audio"])
                times = told["alignment"]
                if times is not None and told["contextId"] == "first":
                    assert len(times["chars"]) == len(times["charStartTimesMs"]) == len(times["charDurationsMs"])
                    assert times["charStartTimesMs"] == sorted(times["charStartTimesMs"])
                    chars += "".join(times["chars"])
            assert chars == "The road goes ever on. "
            assert len(sound["first"]) > len(sound["second"]) > SAMPLE_RATE / 2
            await line.send(json.dumps({"close_socket": True}))
            await line.wait_closed()
            assert line.close_code == 1000


async def test_the_double_refuses_as_the_vendor_does() -> None:
    async with ElevenLabs(speak=hums) as vendor:
        url = f"{vendor.url.replace('http', 'ws')}/v1/text-to-speech/{VOICE}/multi-stream-input?output_format=pcm_24000"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, additional_headers={"xi-api-key": "no"}):
                pass
        assert json.loads(refused.value.response.body or b"")["detail"]["status"] == "invalid_api_key"
        async with connect(url, additional_headers={"xi-api-key": KEY}) as line:
            for number in range(MAX_CONTEXTS + 1):
                await line.send(json.dumps({"text": " ", "context_id": str(number)}))
            assert json.loads(await line.recv())["error"] == "max_active_conversations"
            with pytest.raises(ConnectionClosedError) as closed:
                await line.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
