from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from providers.offline import espeak

TEXT = "Your balance is ten thousand rupees, and fifty paise. Anything else?"


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    espeak.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "espeak"]


def made(text: str, **options: object) -> tuple[np.ndarray, list[espeak.Word]]:
    audio, words = bytearray(), list[espeak.Word]()
    assert espeak.synthesize(
        text,
        on_audio=lambda block: audio.extend(block) is None,
        on_word=words.append,
        **options,  # type: ignore[arg-type]
    )
    return np.frombuffer(bytes(audio), "<i2").astype(float) / 32768, words


async def spoken(text: str, **options: object) -> tuple[np.ndarray, list[espeak.Word]]:
    chunks = [chunk async for chunk in espeak.speak(text, **options)]  # type: ignore[arg-type]
    audio = b"".join(chunk.audio for chunk in chunks)
    return np.frombuffer(audio, "<i2").astype(float) / 32768, [word for chunk in chunks for word in chunk.words]


def level_db(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2))))


def test_phonemes_are_ipa() -> None:
    assert espeak.phonemes("hello") == "həlˈoʊ"
    assert espeak.phonemes("hello", separator="_") == "h_ə_l_ˈoʊ"
    assert espeak.phonemes("Hello, Priya. How?") == "həlˈoʊ pɹˈɪjə hˈaʊ"
    assert espeak.phonemes("") == ""
    assert espeak.phonemes("fifteen") != espeak.phonemes("fifty")


def test_an_unknown_voice_is_an_error_and_the_next_call_works() -> None:
    with pytest.raises(espeak.EspeakError, match="no voice named"):
        espeak.phonemes("hello", voice="no-such-voice")
    assert espeak.phonemes("hello") == "həlˈoʊ"


def test_voices_are_listed() -> None:
    assert {"en-us", "hi", "de"} <= espeak.voices()


def test_words_come_in_order_with_times_that_cover_the_audio() -> None:
    samples, words = made(TEXT)
    length_s = len(samples) / espeak.SAMPLE_RATE
    assert [word.text for word in words] == TEXT.split()
    assert words[0].start_s == 0.0
    assert all(a.end_s == b.start_s for a, b in pairwise(words))
    assert all(word.end_s > word.start_s for word in words)
    assert words[-1].end_s == pytest.approx(length_s, abs=0.01)
    assert 3.0 < length_s < 6.0
    assert -26 < level_db(samples) < -16


def test_a_comma_makes_a_pause_that_belongs_to_its_word() -> None:
    _, words = made("ten rupees, ten rupees")
    assert words[1].end_s - words[1].start_s > words[3].end_s - words[3].start_s - 0.2
    assert words[1].text == "rupees,"


@pytest.mark.parametrize(
    "text",
    [
        "well-known words — with dashes",
        "it's José's café, naïve",
        "one. two. three",
        "3.5% of it",
        "a (really) b",
        "- - -",
        "yes",
        "ends with a dash —",
    ],
)
def test_every_written_word_is_reported_once(text: str) -> None:
    samples, words = made(text)
    assert [word.text for word in words] == text.split()
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= len(samples) / espeak.SAMPLE_RATE + 0.01


def test_nothing_to_say_makes_nothing() -> None:
    samples, words = made("  ")
    assert not samples.any()
    assert words == []


def test_stopping_means_no_further_audio_and_leaves_no_residue() -> None:
    alone, _ = made("Yes.")
    blocks: list[bytes] = []
    words: list[espeak.Word] = []

    def first_only(block: bytes) -> bool:
        blocks.append(block)
        return False

    assert not espeak.synthesize(TEXT, on_audio=first_only, on_word=words.append)
    assert len(blocks) == 1
    assert len(words) < len(TEXT.split())
    again, after = made("Yes.")
    assert len(again) == pytest.approx(len(alone), rel=0.02)
    assert [word.text for word in after] == ["Yes."]


def test_an_error_in_the_listener_reaches_the_caller() -> None:
    def fail(_: bytes) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        espeak.synthesize(TEXT, on_audio=fail, on_word=lambda _: None)
    assert len(made("Yes.")[0])


def test_the_rate_is_kept_in_range() -> None:
    normal, slow, slower = (len(made(TEXT, rate_wpm=rate)[0]) for rate in (165, 90, 10))
    assert slow > 1.4 * normal
    assert slower == pytest.approx(slow, rel=0.02)


def test_a_word_can_be_pronounced_otherwise_than_written() -> None:
    plain, _ = made("Two lakh.")
    respelled, words = made("Two Lakh.", respell={"lakh": "[[l'A:k]]"})
    assert [word.text for word in words] == ["Two", "Lakh."]
    assert len(respelled) != len(plain)


def test_a_lone_capital_inside_a_sentence_is_a_letter() -> None:
    letter = {"A": "double u double u double u"}
    assert len(made("H D A C", respell=letter)[0]) > len(made("H D A C")[0]) + espeak.SAMPLE_RATE
    assert len(made("A bank.", respell=letter)[0]) == pytest.approx(len(made("A bank.")[0]), rel=0.05)


def test_commands_in_the_text_are_only_text() -> None:
    by_phonemes, _ = made("lakh", respell={"lakh": "[[l'A:k]]"})
    as_text, words = made("[[l'A:k]]")
    assert len(as_text) > 1.5 * len(by_phonemes)
    assert [word.text for word in words] == ["[", "[l'A:k]]"]
    plain, _ = made("hello there")
    commanded, _ = made("hello \x01200S there\x00")
    assert len(commanded) > len(plain)  # the digits are read out, not obeyed


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050, 24_000, 48_000])
async def test_speech_lasts_as_long_at_every_sample_rate(sample_rate: int) -> None:
    reference, _ = made(TEXT)
    samples, words = await spoken(TEXT, sample_rate=sample_rate)
    assert len(samples) / sample_rate == pytest.approx(len(reference) / espeak.SAMPLE_RATE, abs=0.03)
    assert [word.text for word in words] == TEXT.split()


async def test_speech_is_comfortably_loud_and_never_clips() -> None:
    samples, _ = await spoken(TEXT)
    assert -20 < level_db(samples) < -16
    assert np.abs(samples).max() < 0.99


async def test_the_first_chunk_is_short_and_the_rest_are_not() -> None:
    chunks = [len(chunk.audio) / 48_000 async for chunk in espeak.speak(TEXT)]
    assert chunks[0] <= 0.1
    assert all(0.1 <= chunk <= 0.2 for chunk in chunks[1:-1])


async def test_a_long_text_is_spoken_whole_with_times_that_run_on() -> None:
    text = " ".join([TEXT] * 12) + " " + "word " * 100 + "x" * 400
    samples, words = await spoken(text)
    assert "".join(word.text for word in words) == "".join(text.split())
    assert all(later.end_s >= word.end_s for word, later in pairwise(words))
    assert words[-1].end_s == pytest.approx(len(samples) / 24_000, abs=0.2)


async def test_two_calls_take_turns_and_keep_apart() -> None:
    long, short = " ".join([TEXT] * 20), "Yes, of course."
    order: list[str] = []

    async def call(name: str, text: str) -> list[str]:
        words = []
        async for chunk in espeak.speak(text):
            order.append(name)
            words.extend(word.text for word in chunk.words)
        return words

    first, second = await asyncio.gather(call("long", long), call("short", short))
    assert first == long.split()
    assert second == short.split()
    assert order.index("short") < len(order) - 1 - order[::-1].index("long")


async def test_closing_a_stream_stops_the_synthesis() -> None:
    seconds_whole = 200 * len((await spoken(TEXT))[0]) / 24_000
    job = espeak._Job(" ".join([TEXT] * 200), espeak.DEFAULT_VOICE, 165, 24_000, {}, asyncio.get_running_loop())
    espeak._worker.submit(job)
    made_bytes = 0
    while isinstance(chunk := await job.made.get(), espeak.Chunk):
        made_bytes += len(chunk.audio)
        job.cancelled = True
    assert chunk is None
    assert made_bytes / 48_000 < seconds_whole / 2


class Busy:
    """Keeps the library busy until released."""

    def __init__(self) -> None:
        self._inside, self._release = threading.Event(), threading.Event()

        def wait(_: bytes) -> bool:
            self._inside.set()
            self._release.wait(30)
            return False

        self._thread = threading.Thread(
            target=lambda: espeak.synthesize(TEXT, on_audio=wait, on_word=lambda _: None), daemon=True
        )

    def __enter__(self) -> Busy:
        self._thread.start()
        assert self._inside.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()
        self._thread.join()


async def test_too_many_waiting_texts_are_refused() -> None:
    with Busy():
        calls = [asyncio.create_task(spoken("Yes.")) for _ in range(80)]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
        while len(done) < 80 - 65:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
            done |= more
        assert all(isinstance(call.exception(), espeak.EspeakError) for call in done)
    for result in await asyncio.gather(*waiting):
        assert len(result[0])


async def test_closing_ends_waiting_texts_with_an_error_and_can_be_followed_by_more() -> None:
    with Busy():
        waiting = [asyncio.create_task(spoken(TEXT)) for _ in range(3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(espeak.close))
        await asyncio.sleep(0)
    await closing
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, espeak.EspeakError)
    assert len((await spoken("Yes."))[0])


async def test_a_voice_that_does_not_exist_is_an_error_of_that_call_only() -> None:
    with pytest.raises(espeak.EspeakError, match="no voice named"):
        await spoken("Yes.", voice="no-such-voice")
    assert len((await spoken("Yes."))[0])


def test_phonemes_can_be_asked_for_while_another_thread_speaks() -> None:
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.extend(espeak.phonemes("hello") for _ in range(200)))
    thread.start()
    for _ in range(20):
        assert [word.text for word in made(TEXT)[1]] == TEXT.split()
    thread.join()
    assert set(results) == {"həlˈoʊ"}
