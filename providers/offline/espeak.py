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
        respell: Lower-case words to how they are pronounced, as `[[phonemes]]` or as another spelling.
        on_audio: Gets each block of 16-bit mono PCM at SAMPLE_RATE (about 60 ms); answers whether to go on.
        on_word: Gets each word once its end is known, in order and before audio that lies after it.

    Raises:
        EspeakError: The library is missing, or refused the voice or the text.
    """
    tokens = _printable(text).split()
    written = [_respelled(token, respell or {}) for token in tokens]
    starts = [0]
    for token in written:
        starts.append(starts[-1] + len(token) + 1)
    tracker = _WordTracker(tokens, starts, on_word)
    failure: list[BaseException] = []

    def callback(samples: int | None, count: int, events: Any) -> int:  # noqa: ANN401 - a ctypes pointer
        # An exception cannot cross the library; it is kept and the synthesis stopped.
        try:
            at = 0
            while events[at].type != _EVENT_END_OF_LIST:
                event = events[at]
                if event.type == _EVENT_WORD:
                    tracker.begin(event.text_position - 1, event.sample)
                elif event.type == _EVENT_CLAUSE_END:
                    tracker.pause(event.sample)
                at += 1
            if not samples or count <= 0:
                return 0
            tracker.samples += count
            return 0 if on_audio(ctypes.string_at(samples, 2 * count)) else 1
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure.append(error)
            return 1

    data = " ".join(written).encode()
    stopped = False

    def stoppable(samples: int | None, count: int, events: Any) -> int:  # noqa: ANN401
        nonlocal stopped
        stopped = bool(callback(samples, count, events)) or stopped
        return int(stopped)

    with _lock:
        library = _loaded()
        _use_voice(library, voice)
        library.espeak_SetParameter(_RATE, min(max(rate_wpm, MIN_RATE_WPM), MAX_RATE_WPM), 0)
        reference = _Callback(stoppable)
        library.espeak_SetSynthCallback(reference)
        try:
            status = library.espeak_Synth(
                data, len(data) + 1, 0, _BY_CHARACTER, 0, _UTF8 | _PHONEMES_IN_BRACKETS, None, None
            )
        finally:
            library.espeak_SetSynthCallback(_Callback(0))
    if failure:
        raise failure[0]
    if status != 0:
        raise EspeakError(f"espeak-ng refused the text (status {status})")
    if not stopped:
        tracker.finish()
    return not stopped
