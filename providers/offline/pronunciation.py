"""How words are pronounced, in the phones of the recogniser's acoustic model (CMU's 39).

From the bundled dictionary where it has the word, else from espeak-ng's phonemes, else by letter rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache

from loguru import logger

from providers.offline import espeak, sphinx

_IPA = {
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "tʃ": "CH", "dʒ": "JH", "ɪŋ": "IH NG",
    "ɑː": "AA", "ɔː": "AO", "iː": "IY", "uː": "UW", "ɜː": "ER", "ɚ": "ER", "ɝ": "ER", "əl": "AH L", "ən": "AH N",
    "oːɹ": "AO R", "ɔːɹ": "AO R", "ɑːɹ": "AA R", "ɛɹ": "EH R", "ɪɹ": "IH R", "ʊɹ": "UH R",
    "aɪɚ": "AY ER", "aɪə": "AY AH",
    "iə": "IY AH", "iɪ": "IY IH", "juː": "Y UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "æ": "AE", "a": "AA", "ɑ": "AA",
    "ɒ": "AA", "ɔ": "AO", "o": "OW", "oː": "OW", "ɛ": "EH", "e": "EY", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH",
    "u": "UW", "b": "B", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "g": "G", "h": "HH", "j": "Y", "k": "K", "l": "L",
    "ɬ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "ɾ": "T", "s": "S", "ʃ": "SH", "t": "T",
    "θ": "TH", "v": "V", "w": "W", "x": "K", "z": "Z", "ʒ": "ZH", "ç": "SH", "ɲ": "N Y", "ʎ": "L Y", "y": "UW",
    "ø": "ER",
    "ʔ": "", "n̩": "AH N", "l̩": "AH L",
}  # fmt: skip
_LONGEST = max(map(len, _IPA))
_NOT_PHONES = re.compile("[ˈˌ_‿.̩̃ʲ]|\\([a-z-]+\\)")

_LETTERS = {
    "tch": "CH", "sch": "SH", "igh": "AY", "tion": "SH AH N", "ough": "AO", "augh": "AO",
    "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ar": "AA R", "bb": "B", "ch": "CH", "ck": "K", "dd": "D",
    "dh": "D",
    "ea": "IY", "ee": "IY", "ei": "EY", "er": "ER", "eu": "UW", "ew": "UW", "ey": "IY", "ff": "F", "gg": "G", "gh": "G",
    "ie": "IY", "ir": "ER", "jh": "JH", "kh": "K", "kn": "N", "ll": "L", "mm": "M", "ng": "NG", "nn": "N", "oa": "OW",
    "oi": "OY", "oo": "UW", "or": "AO R", "ou": "AW", "ow": "OW", "oy": "OY", "ph": "F", "pp": "P", "qu": "K W",
    "rr": "R", "sh": "SH", "ss": "S", "th": "TH", "tt": "T", "ur": "ER", "wh": "W", "wr": "R", "zh": "ZH", "zz": "Z",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "OW", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "UH", "v": "V",
    "w": "W", "x": "K S", "y": "Y", "z": "Z",
}  # fmt: skip
_ENDINGS = {"a": "AH", "e": "", "i": "IY", "o": "OW", "u": "UW", "y": "IY", "er": "ER", "ia": "IY AH"}


def of(words: Collection[str]) -> dict[str, list[str]]:
    """Pronunciations of each word, the commonest first.

    Args:
        words: Lower-case words.

    Returns: Word to strings of phones; words of which nothing can be said (`<unk>`, digits) are missing.
    """
    known = _dictionary(words)
    return known | {word: guess for word in sorted(set(words) - known.keys()) if (guess := guesses(word))}


def letters(text: str) -> str:
    """`text` as the recogniser spells words: lower case, accents removed, words of letters and apostrophes."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"[a-z]+(?:'[a-z]+)*", "".join(c for c in plain if not unicodedata.combining(c))))


def guesses(word: str) -> list[str]:
    """Pronunciations of a word no dictionary knows; none if it has no letters."""
    if not letters(word):
        return []
    try:
        phones = from_ipa(espeak.phonemes(word))
    except espeak.EspeakError as error:
        logger.debug("No phonemes from espeak-ng ({}); using letter rules", error)
        phones = ""
    phones = phones or from_letters(word)
    return [phones, *_variants(word, phones)] if phones else []


def from_ipa(ipa: str) -> str:
    """Phones of an IPA transcription; signs without an English counterpart are dropped."""
    return _longest_first(_NOT_PHONES.sub("", ipa).replace(" ", ""), _IPA, _LONGEST)


def from_letters(word: str) -> str:
    """Phones by English spelling, roughly: for when espeak-ng is not there."""
    letters = "".join(c for c in word.lower() if "a" <= c <= "z")
    for length in (2, 1):
        stem, ending = letters[:-length], letters[-length:]
        if len(stem) > 1 and ending in _ENDINGS:
            return f"{_longest_first(stem, _LETTERS, 4)} {_ENDINGS[ending]}".strip()
    return _longest_first(letters, _LETTERS, 4)


def _longest_first(text: str, table: dict[str, str], longest: int) -> str:
    phones: list[str] = []
    at = 0
    while at < len(text):
        for length in range(longest, 0, -1):
            if (piece := text[at : at + length]) in table:
                phones.append(table[piece])
                break
        else:
            length = 1
        at += length
    return " ".join(" ".join(phones).split())


def _variants(word: str, phones: str) -> list[str]:
    """Other ways an unknown word, most often a name, is said: foreign vowels are where espeak-ng errs."""
    found: list[str] = []
    if word.endswith("a") and phones.endswith("AE"):
        found.append(phones[:-2] + "AH")
    for ours, theirs in (("AY", "IY"), ("UH", "UW"), ("AE", "AA"), ("IH", "IY"), ("EY", "AA")):
        if f" {ours} " in f" {phones} ":
            found.append(f" {phones} ".replace(f" {ours} ", f" {theirs} ").strip())
    return [variant for variant in dict.fromkeys(found) if variant != phones][:3]


def _dictionary(words: Collection[str]) -> dict[str, list[str]]:
    return {word: phones for word in words if (phones := _look_up(word.encode()))}


@cache
def _dictionary_text() -> bytes:
    return (sphinx.model_dir() / "cmudict-en-us.dict").read_bytes()


def _look_up(word: bytes) -> list[str]:
    """Binary search in the file's text, whose lines `word phones` and `word(2) phones` are sorted by word."""
    text = _dictionary_text()
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        start, end = text.rfind(b"\n", 0, middle) + 1, text.find(b"\n", middle)
        if _spelling(text[start:end]) < word:
            low = end + 1
        else:
            high = start
    found: list[str] = []
    while low < len(text) and _spelling(line := text[low : text.find(b"\n", low)]) == word:
        found.append(line.partition(b" ")[2].decode())
        low += len(line) + 1
    return found


def _spelling(line: bytes) -> bytes:
    return line.partition(b" ")[0].partition(b"(")[0]
