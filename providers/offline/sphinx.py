"""The pocketsphinx library through its C interface.

The package's own Python class holds the interpreter lock while it decodes, which would stop every call in the process
for hundreds of milliseconds; `ctypes` lets go of it. The C interface also has what the class lacks: word classes in a
language model, by which a caller's own names are recognised. The model files are those the `pocketsphinx` wheel brings.

Nothing here is thread-safe: one thread at a time per `Decoder`.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Mapping, Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_size_t, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SAMPLE_RATE = 16_000
FRAME_RATE = 100
"""Feature frames per second, the unit of the library's word times."""

_NGRAM_AUTO, _NGRAM_BIN = 0, 2
_SEARCH = b"call"


class SphinxError(RuntimeError):
    """The library is missing, cannot be used here, or refused a call."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    Attributes:
        word: As spelled in the dictionary.
        start: Seconds from the start of the utterance.
        end: Seconds from the start of the utterance.
        confidence: Posterior probability in the word lattice, 0 to 1.
    """

    word: str
    start: float
    end: float
    confidence: float


_SIGNATURES: Mapping[str, tuple[object, tuple[object, ...]]] = {
    "ps_config_init": (c_void_p, (c_void_p,)),
    "ps_config_set_str": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "ps_config_free": (c_int, (c_void_p,)),
    "ps_init": (c_void_p, (c_void_p,)),
    "ps_free": (c_int, (c_void_p,)),
    "ps_get_config": (c_void_p, (c_void_p,)),
    "ps_get_logmath": (c_void_p, (c_void_p,)),
    "ps_load_dict": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p)),
    "ps_add_word": (c_int, (c_void_p, c_char_p, c_char_p, c_int)),
    "ps_add_lm": (c_int, (c_void_p, c_char_p, c_void_p)),
    "ps_activate_search": (c_int, (c_void_p, c_char_p)),
    "ps_remove_search": (c_int, (c_void_p, c_char_p)),
    "ps_get_cmn": (c_char_p, (c_void_p, c_int)),
    "ps_set_cmn": (c_int, (c_void_p, c_char_p)),
    "ps_start_utt": (c_int, (c_void_p,)),
    "ps_process_raw": (c_int, (c_void_p, c_char_p, c_size_t, c_int, c_int)),
    "ps_end_utt": (c_int, (c_void_p,)),
    "ps_get_hyp": (c_char_p, (c_void_p, POINTER(c_int32))),
    "ps_seg_iter": (c_void_p, (c_void_p,)),
    "ps_seg_next": (c_void_p, (c_void_p,)),
    "ps_seg_word": (c_char_p, (c_void_p,)),
    "ps_seg_frames": (None, (c_void_p, POINTER(c_int), POINTER(c_int))),
    "ps_seg_prob": (c_int32, (c_void_p, POINTER(c_int32), POINTER(c_int32), POINTER(c_int32))),
    "logmath_init": (c_void_p, (c_double, c_int, c_int)),
    "logmath_exp": (c_double, (c_void_p, c_int)),
    "logmath_free": (c_int, (c_void_p,)),
    "ngram_model_read": (c_void_p, (c_void_p, c_char_p, c_int, c_void_p)),
    "ngram_model_write": (c_int, (c_void_p, c_char_p, c_int)),
    "ngram_model_free": (c_int, (c_void_p,)),
    "ngram_model_add_class": (c_int, (c_void_p, c_char_p, c_float, POINTER(c_char_p), POINTER(c_float), c_int32)),
    "err_set_loglevel_str": (c_char_p, (c_char_p,)),
}


@cache
def library() -> ctypes.CDLL:
    """The loaded library.

    Raises: SphinxError.
    """
    if importlib.util.find_spec("pocketsphinx") is None:
        raise SphinxError("pocketsphinx is not installed; run: pip install parley-voice[offline]")
    # The wheel's one shared object is both the Python extension and the library; importing it resolves its symbols.
    from pocketsphinx import _pocketsphinx

    loaded = ctypes.CDLL(_pocketsphinx.__file__)
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise SphinxError(f"this build of pocketsphinx does not export its C interface: {error}") from error
    loaded.err_set_loglevel_str(b"FATAL")
    return loaded


def model_dir() -> Path:
    """Where the wheel's US English models are.

    Raises: SphinxError.
    """
    library()
    from pocketsphinx import get_model_path

    return Path(get_model_path()) / "en-us"


def compile_model(arpa: Path, binary: Path) -> None:
    """Write an ARPA language model in the library's binary form, which loads some twenty times faster.

    Raises: SphinxError.
    """
    lib = library()
    # The base is that of the decoder's own log tables; the binary form is only valid for one base.
    logmath = lib.logmath_init(1.0001, 0, 1)
    try:
        model = lib.ngram_model_read(None, str(arpa).encode(), _NGRAM_AUTO, logmath)
        if not model:
            raise SphinxError(f"not a readable language model: {arpa}")
        try:
            if lib.ngram_model_write(model, str(binary).encode(), _NGRAM_BIN) != 0:
                raise SphinxError(f"cannot write {binary}")
        finally:
            lib.ngram_model_free(model)
    finally:
        lib.logmath_free(logmath)


class Decoder:
    """One recogniser: an acoustic model and a dictionary of its own, and whichever language model it is given."""

    def __init__(self, dictionary: Path, **options: str) -> None:
        """Load the acoustic model and a dictionary; takes some 0.3 s of CPU.

        Args:
            dictionary: Dictionary file.
            options: Overrides of the library's settings, by name, e.g. `beam="1e-60"`.

        Raises: SphinxError.
        """
        self._lib = lib = library()
        config = lib.ps_config_init(None)
        settings = {
            "hmm": str(model_dir() / "en-us"),
            "dict": str(dictionary),
            "loglevel": "FATAL",
            # The second pass over a turn gains next to nothing and doubles the wait at its end.
            "fwdflat": "no",
            **options,
        }
        for name, value in settings.items():
            if not lib.ps_config_set_str(config, name.encode(), value.encode()):
                raise SphinxError(f"pocketsphinx has no setting {name}={value}")
        self._decoder = lib.ps_init(config)  # Owns the configuration from here on.
        if not self._decoder:
            raise SphinxError("the acoustic model does not load")
        self._dictionary = dictionary
        self._added: set[str] = set()
        self._cmn = bytes(lib.ps_get_cmn(self._decoder, 0))
        self._in_utterance = False
        self._listening = False

    def close(self) -> None:
        """Free the models; the decoder cannot be used afterwards."""
        if self._decoder:
            self._lib.ps_free(self._decoder)
            self._decoder = None

    def load(
        self,
        model: Path,
        dictionary: Path,
        *,
        tag: str,
        members: Mapping[str, float],
        words: Mapping[str, Sequence[str]],
    ) -> None:
        """Listen with another language model from now on.

        Args:
            model: Language model file.
            dictionary: Dictionary of its words.
            tag: Word class in the model, e.g. `[name]`.
            members: Words of that class and their share; not to be words of the dictionary.
            words: Pronunciations of the members, each a string of phones.

        Raises: SphinxError.
        """
        lib = self._lib
        self.stop()
        if self._listening:
            lib.ps_remove_search(self._decoder, _SEARCH)
            self._listening = False
        if self._added or dictionary != self._dictionary:
            # The library cannot take a word out of a dictionary, but reading the file again does.
            if lib.ps_load_dict(self._decoder, str(dictionary).encode(), None, None) != 0:
                raise SphinxError(f"not a readable dictionary: {dictionary}")
            self._dictionary = dictionary
            self._added.clear()
        known: dict[str, float] = {}
        for word, share in members.items():
            for i, phones in enumerate(words[word]):
                spelling = f"{word}({i + 1})" if i else word
                if lib.ps_add_word(self._decoder, spelling.encode(), phones.encode(), 0) >= 0:
                    self._added.add(spelling)
                    known[word] = share
        ngrams = lib.ngram_model_read(
            lib.ps_get_config(self._decoder), str(model).encode(), _NGRAM_AUTO, lib.ps_get_logmath(self._decoder)
        )
        if not ngrams:
            raise SphinxError(f"not a readable language model: {model}")
        try:
            if known:
                total = sum(known.values())
                spellings = (c_char_p * len(known))(*(word.encode() for word in known))
                shares = (c_float * len(known))(*(share / total for share in known.values()))
                if lib.ngram_model_add_class(ngrams, tag.encode(), 1.0, spellings, shares, len(known)) < 0:
                    raise SphinxError(f"the language model takes no class {tag}")
            if lib.ps_add_lm(self._decoder, _SEARCH, ngrams) != 0:
                raise SphinxError(f"the decoder does not take {model}")
        finally:
            lib.ngram_model_free(ngrams)
        if lib.ps_activate_search(self._decoder, _SEARCH) != 0:
            raise SphinxError("the decoder does not start listening")
        self._listening = True
        self.forget_voice()

    def forget_voice(self) -> None:
        """Drop what was learned of the last speaker's voice and microphone."""
        self._lib.ps_set_cmn(self._decoder, self._cmn)

    def start(self) -> None:
        """Begin an utterance; the mean of the cepstra heard before in this call is kept.

        Raises: SphinxError.
        """
        self.stop()
        if self._lib.ps_start_utt(self._decoder) != 0:
            raise SphinxError("the decoder does not start an utterance")
        self._in_utterance = True

    def feed(self, audio: bytes, *, whole: bool = False) -> None:
        """Decode 16 kHz 16-bit mono audio.

        Args:
            audio: The next samples.
            whole: This is all of the utterance, so that its own mean normalises it.
        """
        self._lib.ps_process_raw(self._decoder, audio, len(audio) // 2, 0, int(whole))

    def stop(self) -> None:
        """End the utterance, if one is running."""
        if self._in_utterance:
            self._in_utterance = False
            self._lib.ps_end_utt(self._decoder)

    def text(self) -> str:
        """What has been understood so far, without word times."""
        return (self._lib.ps_get_hyp(self._decoder, None) or b"").decode()

    def words(self) -> list[Word]:
        """What has been understood, word by word, fillers left out."""
        lib = self._lib
        logmath = lib.ps_get_logmath(self._decoder)
        start, end, scores = c_int(), c_int(), (c_int32(), c_int32(), c_int32())
        found: list[Word] = []
        segment = lib.ps_seg_iter(self._decoder)
        while segment:
            word = lib.ps_seg_word(segment).decode()
            if word[0] not in "<[+":
                lib.ps_seg_frames(segment, byref(start), byref(end))
                posterior = lib.logmath_exp(logmath, lib.ps_seg_prob(segment, *map(byref, scores)))
                found.append(
                    Word(
                        word.partition("(")[0],
                        start.value / FRAME_RATE,
                        (end.value + 1) / FRAME_RATE,
                        round(min(1.0, posterior), 3),
                    )
                )
            segment = lib.ps_seg_next(segment)
        return found
