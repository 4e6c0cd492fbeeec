"""espeak-ng through its shared library: phonemes and speech in this process.

The library keeps one global state, so every call into it happens under one lock, and all speech is made on one
thread that takes texts in the order they came. Speech is made about a thousand times faster than it is heard, so
calls hardly wait for one another. Structures and constants follow `speak_lib.h` of espeak-ng 1.52, the version in the
`espeakng_loader` wheel.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import queue
import re
import threading
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from loguru import logger

SAMPLE_RATE = 22_050
DEFAULT_VOICE = "en-us"
DEFAULT_RATE_WPM = 165
MIN_RATE_WPM, MAX_RATE_WPM = 90, 260

_MAX_WAITING = 64  # texts waiting for the synthesis thread; a call has at most one
_PIECE_CHARS = 300  # longer texts are made in pieces, so that other calls get their turn in between
_CHUNK_MS = 100  # how much audio is handed over at once, after a first chunk that comes as soon as there is any

# Brings the voice's speech from -21 dBFS RMS to about -18; the limiter keeps what exceeds the knee below full scale.
_GAIN = 1.4
_KNEE = 0.8

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: audio goes to the callback, on the calling thread
_BLOCK_MS = 60
_DO_NOT_EXIT = 0x8000  # report a failed start instead of ending the process
_UTF8 = 1
_PHONEMES_IN_BRACKETS = 0x100
_BY_CHARACTER = 1
_IPA = 0x02
_RATE = 1
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_CLAUSE_END = 0, 1, 5


class EspeakError(RuntimeError):
    """The speech library is missing, refused a call, or has too much waiting."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and when it is heard, in seconds from the start of its text's audio.

    Attributes:
        text: The word as given, with its punctuation.
        start_s: When it begins.
        end_s: When it has been heard in full; includes the pause a comma or full stop makes.
    """

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of speech.

    Attributes:
        audio: 16-bit little-endian mono PCM.
        words: The words that end in this piece of audio.
    """

    audio: bytes
    words: tuple[Word, ...]


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_voice: str | None = None


def phonemes(text: str, *, voice: str = DEFAULT_VOICE, separator: str = "") -> str:
    """How `text` is pronounced, in IPA with stress marks; words are separated by spaces.

    Args:
        text: Words in the voice's language.
        voice: Name of an espeak-ng voice.
        separator: One ASCII character put between the phonemes of a word, so that a diphthong stays one piece.

    Raises:
        EspeakError: The library is missing, or there is no such voice.
    """
    mode = _IPA | (ord(separator) << 8 if separator else 0)
    buffer = ctypes.create_string_buffer(_printable(text).encode())
    position = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses: list[str] = []
    with _lock:
        library = _loaded()
        _use_voice(library, voice)
        while position.value:
            clause = library.espeak_TextToPhonemes(ctypes.byref(position), _UTF8, mode)
            if clause:
                clauses.append(clause.decode().strip())
    return " ".join(clause for clause in clauses if clause)


def installed() -> bool:
    """Whether the wheel with the library and its voices is there."""
    return importlib.util.find_spec("espeakng_loader") is not None


@cache
def voices() -> frozenset[str]:
    """Names of the languages that can be spoken, lower case: `en-us`, `hi`.

    Raises:
        EspeakError: The library is missing.
    """
    return frozenset(path.name.lower() for path in (_data_folder() / "lang").rglob("*") if path.is_file())


def synthesize(
    text: str,
    *,
    voice: str = DEFAULT_VOICE,
    rate_wpm: int = DEFAULT_RATE_WPM,
    respell: Mapping[str, str] | None = None,
    on_audio: Callable[[bytes], bool],
    on_word: Callable[[Word], None],
) -> bool:
    """Make the speech of `text` on this thread; True when all of it was made.

    Args:
        text: What to say; taken as plain text, without mark-up of any kind.
        voice: Name of an espeak-ng voice.
        rate_wpm: Words a minute, kept within MIN_RATE_WPM and MAX_RATE_WPM.
        respell: Lower-case words, and single capitals for letters, to how they are pronounced, as `[[phonemes]]` or as
            another spelling.
        on_audio: Gets each block of 16-bit mono PCM at SAMPLE_RATE (about 60 ms); answers whether to go on.
        on_word: Gets each word once its end is known, in order and before audio that lies after it.

    Raises:
        EspeakError: The library is missing, or refused the voice or the text.
    """
    with _lock:
        library = _loaded()
        _use_voice(library, voice)
        library.espeak_SetParameter(_RATE, min(max(rate_wpm, MIN_RATE_WPM), MAX_RATE_WPM), 0)
        return _Synthesis(text, respell or {}, on_audio, on_word).run(library)


async def speak(
    text: str,
    *,
    voice: str = DEFAULT_VOICE,
    rate_wpm: int = DEFAULT_RATE_WPM,
    sample_rate: int = 24_000,
    respell: Mapping[str, str] | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Speech of `text` as it is made, at a comfortable loudness; closing the generator stops the synthesis at once.

    Word times run from the start of the text. Arguments are those of `synthesize`.

    Args:
        text: What to say.
        voice: Name of an espeak-ng voice.
        rate_wpm: Words a minute.
        sample_rate: Of the audio to yield, in Hz.
        respell: Words pronounced otherwise than they are written.

    Raises:
        EspeakError: The library is missing, refused the voice or the text, or too many texts are waiting.
    """
    elapsed_s = 0.0
    for piece in _pieces(text):
        job = _Job(piece, voice, rate_wpm, sample_rate, respell or {}, asyncio.get_running_loop())
        _worker.submit(job)
        made_s = 0.0
        try:
            while (made := await job.made.get()) is not None:
                if isinstance(made, EspeakError):
                    raise made
                made_s += len(made.audio) / 2 / sample_rate
                yield Chunk(
                    made.audio,
                    tuple(Word(w.text, elapsed_s + w.start_s, elapsed_s + w.end_s) for w in made.words),
                )
        finally:
            job.cancelled = True
        elapsed_s += made_s


def close() -> None:
    """Stop the synthesis thread and give the library's memory back; the next call starts both again.

    Waits for the running text to stop, a few milliseconds. Texts still waiting end with an EspeakError.
    """
    global _library, _voice
    _worker.stop()
    with _lock:
        if _library is not None:
            _library.espeak_Terminate()
        _library = _voice = None


# The library ----------------------------------------------------------------------------------------------------------


def _data_folder() -> Path:
    if not installed():
        raise EspeakError("espeak-ng is not installed; run: pip install parley-voice[offline]")
    import espeakng_loader

    return Path(espeakng_loader.get_data_path())


def _loaded() -> ctypes.CDLL:
    """The initialised library; the caller holds the lock."""
    global _library
    if _library is not None:
        return _library
    data = _data_folder()
    import espeakng_loader

    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise EspeakError(f"the espeak-ng library does not load: {error}") from error
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
    library.espeak_SetSynthCallback.argtypes = [_Callback]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    rate = library.espeak_Initialize(_SYNCHRONOUS, _BLOCK_MS, str(data).encode(), _DO_NOT_EXIT)
    if rate != SAMPLE_RATE:
        raise EspeakError(f"espeak-ng does not start with its data in {data}")
    library.espeak_SetSynthCallback(_receive)
    _library = library
    return library


def _use_voice(library: ctypes.CDLL, voice: str) -> None:
    global _voice
    if voice != _voice:
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            _voice = None
            raise EspeakError(f"espeak-ng has no voice named {voice!r}")
        _voice = voice


def _printable(text: str) -> str:
    """`text` without what the library takes for commands: control characters and phonemes in brackets."""
    return re.sub(r"[\0-\x1f\x7f]", " ", text).replace("[[", "[ [")


_running: _Synthesis | None = None


@_Callback
def _receive(samples: int | None, count: int, events: Any) -> int:
    return _running.receive(samples, count, events) if _running is not None else 1


class _Synthesis:
    """One text on its way through the library: finds out which words its events stand for."""

    def __init__(
        self,
        text: str,
        respell: Mapping[str, str],
        on_audio: Callable[[bytes], bool],
        on_word: Callable[[Word], None],
    ) -> None:
        self._tokens = _printable(text).split()
        written = _respelled(self._tokens, respell)
        self._data = " ".join(written).encode()
        # Where each token begins in what the library is given, in characters.
        self._starts = [0]
        for token in written:
            self._starts.append(self._starts[-1] + len(token) + 1)
        self._on_audio = on_audio
        self._on_word = on_word
        self._current = -1  # index of the token being spoken
        self._began = 0  # its first sample
        self._made = 0  # samples handed over
        self._stopped = False
        self._error: BaseException | None = None

    def run(self, library: ctypes.CDLL) -> bool:
        """Make the speech; the caller holds the lock."""
        global _running
        _running = self
        try:
            status = library.espeak_Synth(
                self._data, len(self._data) + 1, 0, _BY_CHARACTER, 0, _UTF8 | _PHONEMES_IN_BRACKETS, None, None
            )
        finally:
            _running = None
        if self._error is not None:
            raise self._error
        if status != 0:
            raise EspeakError(f"espeak-ng refused the text (status {status})")
        if not self._stopped:
            self._end_words(len(self._tokens), self._made)
        return not self._stopped

    def receive(self, samples: int | None, count: int, events: Any) -> int:
        """Take a block of audio and its events; 1 stops the synthesis."""
        if not self._stopped:
            try:
                self._read_events(events)
                if samples and count > 0:
                    self._made += count
                    self._stopped = not self._on_audio(ctypes.string_at(samples, 2 * count))
            except BaseException as error:  # noqa: BLE001 - it cannot cross the library, so `run` raises it
                self._error, self._stopped = error, True
        return int(self._stopped)

    def _read_events(self, events: Any) -> None:
        at = 0
        while events[at].type != _EVENT_END_OF_LIST:
            if events[at].type == _EVENT_WORD:
                token = bisect_right(self._starts, events[at].text_position - 1) - 1
                # A token may be several words to the library ("well-known"); the first one begins it.
                if self._current < token < len(self._tokens):
                    self._end_words(token, events[at].sample)
                    self._current, self._began = token, events[at].sample
            at += 1

    def _end_words(self, until: int, sample: int) -> None:
        """Report the tokens before `until` as ended; those without an event of their own (a dash) end with them."""
        for index in range(max(self._current, 0), until):
            self._on_word(Word(self._tokens[index], self._began / SAMPLE_RATE, sample / SAMPLE_RATE))
            self._began = sample


def _respelled(tokens: Sequence[str], respell: Mapping[str, str]) -> list[str]:
    """The tokens as the library is to read them.

    A lone capital inside a sentence is a letter ("H D A C"), not the article a sentence may begin with.
    """
    written = []
    for index, token in enumerate(tokens):
        bare = token.strip(".,!?;:()\"'")
        inside = index > 0 and tokens[index - 1][-1] not in ".!?"
        before_letter = index + 1 < len(tokens) and len(tokens[index + 1]) == 1 and tokens[index + 1].isupper()
        letter = len(bare) == 1 and bare.isupper() and (inside or before_letter)
        sound = respell.get(bare if letter else bare.lower())
        written.append(token.replace(bare, sound) if sound else token)
    return written


# The thread -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Job:
    """One text to be spoken, and where its speech goes: chunks, then None, or an error."""

    text: str
    voice: str
    rate_wpm: int
    sample_rate: int
    respell: Mapping[str, str]
    loop: asyncio.AbstractEventLoop
    made: asyncio.Queue[Chunk | EspeakError | None] = field(default_factory=asyncio.Queue)  # bounded by the text
    cancelled: bool = False

    def post(self, item: Chunk | EspeakError | None) -> None:
        try:
            self.loop.call_soon_threadsafe(self.made.put_nowait, item)
        except RuntimeError:  # the loop is closed, nobody listens any more
            self.cancelled = True


class _Worker:
    """The thread all speech is made on; it starts with the first text."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting: queue.Queue[_Job | None] = queue.Queue(_MAX_WAITING)
        self._stopping = False

    def submit(self, job: _Job) -> None:
        with self._guard:
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="espeak", daemon=True)
                self._thread.start()
            try:
                self._waiting.put_nowait(job)
            except queue.Full:
                raise EspeakError(f"{_MAX_WAITING} texts are waiting to be spoken already") from None

    def stop(self) -> None:
        with self._guard:
            if self._thread is None:
                return
            self._stopping = True
            with contextlib.suppress(queue.Full):  # a full queue wakes the thread as well
                self._waiting.put_nowait(None)
            self._thread.join()
            self._thread = None
            while not self._waiting.empty():
                if (job := self._waiting.get_nowait()) is not None:
                    job.post(EspeakError("the speech engine has been closed"))

    def _run(self) -> None:
        while not self._stopping:
            job = self._waiting.get()
            if job is None or job.cancelled:
                continue
            try:
                self._make(job)
            except EspeakError as error:
                job.post(error)
            except Exception as error:  # noqa: BLE001 - the thread's root
                logger.exception("Speech synthesis failed: {}", type(error).__name__)
                job.post(EspeakError("speech synthesis failed"))

    def _make(self, job: _Job) -> None:
        finish = _Finish(job.sample_rate)
        audio = bytearray()
        words: list[Word] = []
        enough = 1  # the first chunk goes out as soon as there is any audio

        def hand_over() -> None:
            nonlocal enough
            job.post(Chunk(bytes(audio), tuple(words)))
            audio.clear()
            words.clear()
            enough = 2 * job.sample_rate * _CHUNK_MS // 1000

        def on_audio(block: bytes) -> bool:
            audio.extend(finish(block))
            if len(audio) >= enough:
                hand_over()
            return not (job.cancelled or self._stopping)

        if not synthesize(
            job.text,
            voice=job.voice,
            rate_wpm=job.rate_wpm,
            respell=job.respell,
            on_audio=on_audio,
            on_word=words.append,
        ):
            job.post(EspeakError("the speech engine has been closed") if self._stopping else None)
            return
        audio.extend(finish(b"", last=True))
        if audio or words:
            hand_over()
        job.post(None)


_worker = _Worker()


class _Finish:
    """Brings the library's audio to the listener's sample rate and to a comfortable loudness."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = (
            soxr.ResampleStream(SAMPLE_RATE, sample_rate, 1, dtype="float32", quality="HQ")
            if sample_rate != SAMPLE_RATE
            else None
        )

    def __call__(self, block: bytes, *, last: bool = False) -> bytes:
        samples = np.frombuffer(block, dtype="<i2").astype(np.float32) * (_GAIN / 32768)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        excess = np.maximum(np.abs(samples) - _KNEE, 0)
        limited = np.minimum(np.abs(samples), _KNEE) + (1 - _KNEE) * np.tanh(excess / (1 - _KNEE))
        return (np.copysign(limited, samples) * 32767).astype("<i2").tobytes()


def _pieces(text: str) -> Sequence[str]:
    """`text` in pieces of at most _PIECE_CHARS, cut after a sentence, else after a comma, else between words."""
    text = " ".join(text.split())
    pieces: list[str] = []
    while len(text) > _PIECE_CHARS:
        head = text[: _PIECE_CHARS + 1]
        cut = max(head.rfind(mark) for mark in (". ", "? ", "! "))
        if cut < 0:
            cut = max(head.rfind(mark) for mark in (", ", "; ", ": "))
        if cut < 0:
            cut = head.rfind(" ") - 1
        cut = cut + 1 if cut > 0 else _PIECE_CHARS
        pieces.append(text[:cut])
        text = text[cut:].lstrip()
    return [*pieces, text] if text else pieces
