"""The recogniser's language model: an agent type's phrases, everyday English and the stock model, mixed into one.

Three trigram models are interpolated with fixed weights, p(w|h) = sum of weight * p_i(w|h), over the n-grams of all three,
and written once as a back-off model with a dictionary beside it. Names are one word class, `NAME_TAG`, which a
decoder fills with a caller's own names.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
from loguru import logger

from providers.expand import sample
from providers.offline import pronunciation, sphinx
from providers.phrases import BUILTIN_ENTITIES, Intent, Phrases, Slot

NAME_TAG = "[name]"
"""The word class of proper names."""

PHRASES_WEIGHT, ENGLISH_WEIGHT, STOCK_WEIGHT = 0.4, 0.25, 0.35
PHRASE_SENTENCES, ENGLISH_SENTENCES = 30_000, 20_000
STOCK_WORDS = 5000
"""How many of the stock model's most frequent words are understood beyond those of the phrases."""

_DISCOUNT = 0.7
_VERSION = 1
_STOCK_HEADER = b"Trie Language Model"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Files of a finished model.

    Attributes:
        model: Binary n-gram model.
        dictionary: Pronunciations of its words.
    """

    model: Path
    dictionary: Path


class Trigrams:
    """A back-off trigram model over word numbers, as sorted arrays.

    A bigram (a, b) has the key a * V + b, a trigram (a, b, c) the key (a * V + b) * V + c, with V words in all.
    Probabilities and back-off weights are plain, not logarithms.
    """

    def __init__(
        self, size: int, unigrams: tuple[Floats, Floats], bigrams: tuple[Ints, Floats, Floats], trigrams: tuple[Ints, Floats]
    ) -> None:
        self.size = size
        self.p1, self.b1 = unigrams
        self.k2, self.p2, self.b2 = bigrams
        self.k3, self.p3 = trigrams

    def bigram(self, keys: Ints) -> Floats:
        """p(b|a) for keys of (a, b)."""
        found, at = _find(self.k2, keys)
        p = self.b1[keys // self.size] * self.p1[keys % self.size]
        p[found] = self.p2[at]
        return p

    def trigram(self, keys: Ints) -> Floats:
        """p(c|a, b) for keys of (a, b, c)."""
        history, tail = keys // self.size, keys % (self.size * self.size)
        p = self.bigram(tail)
        found, at = _find(self.k2, history)
        p[found] *= self.b2[at]
        found, at = _find(self.k3, keys)
        p[found] = self.p3[at]
        return p


def _find(sorted_keys: Ints, keys: Ints) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which of `keys` are in `sorted_keys`, and where those are."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    found = sorted_keys[at] == keys
    return found, at[found]


def build(phrases: Phrases, cache_dir: Path) -> LanguageModel:
    """The language model for an agent type; made on first use, found in `cache_dir` afterwards.

    Takes some seconds of CPU the first time, so call it in a thread. Processes sharing the folder may build at once.

    Raises: SphinxError, TemplateError, OSError.
    """
    english = resources.files("providers.offline").joinpath("data/english.txt").read_text("utf-8")
    folder = cache_dir / f"stt-{_content_hash(phrases, english)}"
    made = LanguageModel(folder / "model.bin", folder / "words.dict")
    if folder.is_dir():
        return made
    began = time.monotonic()
    cache_dir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".stt-", dir=cache_dir))
    try:
        _write(phrases, english, scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # Otherwise another process was faster.
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    logger.info("Built the speech recogniser's language model in {:.1f} s", time.monotonic() - began)
    return made


def _content_hash(phrases: Phrases, english: str) -> str:
    stock = (sphinx.model_dir() / "en-us.lm.bin").stat().st_size
    weights = (PHRASES_WEIGHT, ENGLISH_WEIGHT, STOCK_WEIGHT, PHRASE_SENTENCES, ENGLISH_SENTENCES, STOCK_WORDS, _DISCOUNT)
    content = repr((_VERSION, stock, weights, phrases.intents, phrases.entities, english))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _write(phrases: Phrases, english: str, folder: Path) -> None:
    rng = random.Random(1)  # noqa: S311 - the same phrases must give the same model
    domain = [s.text for s in sample(phrases, [NAME_TAG], rng, PHRASE_SENTENCES)]
    domain = [_around(text, rng) for text in domain]
    everyday = [s.text for s in sample(_as_phrases(english), [NAME_TAG], rng, ENGLISH_SENTENCES)]
    stock = _Stock(sphinx.model_dir() / "en-us.lm.bin")
    corpora = [_sentences(domain), _sentences(everyday)]
    spoken = {word for corpus in corpora for sentence in corpus for word in sentence}
    pronounced = pronunciation.of(spoken.union(stock.frequent(STOCK_WORDS)) - {NAME_TAG})
    words = ["<s>", "</s>", NAME_TAG, *sorted(pronounced)]
    number = {word: i for i, word in enumerate(words)}
    parts = [(weight, _estimate(corpus, number)) for weight, corpus in zip((PHRASES_WEIGHT, ENGLISH_WEIGHT), corpora, strict=True)]
    mixed = _mix([*parts, (STOCK_WEIGHT, stock.restricted(number))])
    _write_arpa(mixed, words, folder / "model.arpa")
    sphinx.compile_model(folder / "model.arpa", folder / "model.bin")
    (folder / "model.arpa").unlink()
    with (folder / "words.dict").open("w", encoding="utf-8") as out:
        for word in sorted(pronounced):
            for i, phones in enumerate(pronounced[word]):
                out.write(f"{word}({i + 1}) {phones}\n" if i else f"{word} {phones}\n")


_BEFORE = ("um", "uh", "okay", "so", "hi", "hello", "yes", "and", "well", "please", "hey", "no", "now", "also", "could you", "can you")
_AFTER = ("please", "thanks", "thank you", "for me", "now", "today", "please thank you", "right now", "then", "too")


def _around(text: str, rng: random.Random) -> str:
    """People hesitate before a request and thank after it, whatever the template says."""
    if rng.random() < 0.15:
        text = f"{rng.choice(_BEFORE)} {text}"
    if rng.random() < 0.1:
        text = f"{text} {rng.choice(_AFTER)}"
    return text


def _as_phrases(english: str) -> Phrases:
    lines = [line.strip() for line in english.splitlines()]
    slots = tuple(Slot(entity, entity) for entity in BUILTIN_ENTITIES)
    return Phrases(
        intents=tuple(Intent(f"line_{i}", (line,), slots) for i, line in enumerate(lines) if line and line[0] != "#"),
        can_do="",
    )


_WORD = re.compile(r"\[name\]|[a-z]+(?:['.][a-z]+)*\.?|'[a-z]+")


def _sentences(texts: Iterable[str]) -> list[list[str]]:
    return [words for text in texts if (words := _WORD.findall(text.lower()))]


def _estimate(sentences: Sequence[Sequence[str]], number: dict[str, int]) -> Trigrams:
    """Interpolated Kneser-Ney smoothing with one discount (Chen & Goodman 1998, section 4.1)."""
    size = len(number)
    start, end = number["<s>"], number["</s>"]
    flat: list[int] = []
    for sentence in sentences:
        # A second mark in front keeps trigrams from reaching into the sentence before.
        flat.extend((start, start, *(number[word] for word in sentence if word in number), end))
    stream = np.array(flat, np.int64)
    a, b, c = stream[:-2], stream[1:-1], stream[2:]
    inside = (c != start) & (a != end) & ~((b == start) & (a != start))
    a, b, c = a[inside], b[inside], c[inside]
    k3, n3 = np.unique((a * size + b) * size + c, return_counts=True)
    # Kneser-Ney: a shorter n-gram counts as often as there are different words before it. Nothing but the start mark
    # precedes the first word of a sentence, so those bigrams keep their own counts.
    tails, tail_counts = np.unique(k3 % (size * size), return_counts=True)
    first = tails // size == start
    occurrences = np.bincount(np.searchsorted(tails, k3 % (size * size)), weights=n3, minlength=len(tails))
    n2 = np.where(first, occurrences, tail_counts)
    n1 = np.bincount(tails % size, minlength=size).astype(np.float64)
    seen = float(np.count_nonzero(n1))
    p1 = np.maximum(n1 - _DISCOUNT, 0) / n1.sum()
    p1[n1 > 0] += _DISCOUNT * seen / n1.sum() / seen
    b1, p2 = _discounted(tails // size, n2, p1[tails % size], size)
    # The trigram (<s>, <s>, w) is how the stream starts, not something to back off from.
    real = k3 // (size * size) * size + k3 // size % size != start * size + start
    k3, n3 = k3[real], n3[real]
    histories, at = np.unique(k3 // size, return_inverse=True)
    lower = p2[np.searchsorted(tails, k3 % (size * size))]
    weights, p3 = _discounted(at, n3.astype(np.float64), lower, len(histories))
    # Every history is a bigram that was seen, except at the start of a sentence where it may lack a word before it.
    k2 = np.union1d(tails, histories)
    p2_all = np.zeros(len(k2))
    p2_all[np.searchsorted(k2, tails)] = p2
    b2 = np.ones(len(k2))
    b2[np.searchsorted(k2, histories)] = weights
    missing = p2_all == 0
    p2_all[missing] = b1[k2[missing] // size] * p1[k2[missing] % size]
    return Trigrams(size, (p1, b1), (k2, p2_all, b2), (k3, p3))


def _discounted(history: Ints, counts: Floats, lower: Floats, size: int) -> tuple[Floats, Floats]:
    """Back-off weight of each history, and the interpolated probability of each n-gram."""
    totals = np.bincount(history, weights=counts, minlength=size)
    kinds = np.bincount(history, minlength=size)
    backoff = np.divide(_DISCOUNT * kinds, totals, out=np.ones(size), where=totals > 0)
    return backoff, np.maximum(counts - _DISCOUNT, 0) / totals[history] + backoff[history] * lower


class _Stock:
    """The n-grams of the model in the wheel.

    The library's own writer crashes on this file (cmusphinx/pocketsphinx issue 502), so the file is read here: a
    header, tables of 16-bit quantised values, unigrams, and two bit-packed arrays sorted by reversed n-gram.
    """

    def __init__(self, path: Path) -> None:
        raw = np.fromfile(path, np.uint8)
        at = len(_STOCK_HEADER)
        if raw[:at].tobytes() != _STOCK_HEADER or raw[at] != 3:
            raise sphinx.SphinxError(f"not a trigram model in the library's binary form: {path}")
        counts = [int(n) for n in raw[at + 1 : at + 13].view("<u4")]
        at += 17
        tables = _view(raw, at, 3 << 16, "<f4")
        at += tables.nbytes
        unigrams = _view(raw, at, counts[0] + 1, np.dtype([("p", "<f4"), ("b", "<f4"), ("next", "<u4")]))
        at += unigrams.nbytes
        word_bits, next_bits = counts[0].bit_length(), counts[2].bit_length()
        wide, narrow = word_bits + 32 + next_bits, word_bits + 16
        # The header counts a few bigrams more than there are; the links between the orders are exact.
        pairs = int(unigrams["next"][-1])
        before, backoff, p2, following = _unpack(raw, at, pairs + 1, wide, (word_bits, 16, 16, next_bits))
        at += ((1 + counts[1]) * wide + 7) // 8 + 8
        triples = int(following[-1])
        first, p3 = _unpack(raw, at, triples, narrow, (word_bits, 16))
        at += ((1 + counts[2]) * narrow + 7) // 8 + 8
        self.words = raw[at + 4 :].tobytes().decode().split("\0")[:-1]
        if len(self.words) != counts[0]:
            raise sphinx.SphinxError(f"not the expected layout: {path}")
        last = np.repeat(np.arange(counts[0]), np.diff(unigrams["next"].astype(np.int64)))
        pair = np.repeat(np.arange(pairs), np.diff(following))
        self._p1, self._b1 = (unigrams[field][:-1].astype(np.float64) for field in ("p", "b"))
        self._pairs = (before[:-1], last)
        self._p2, self._b2 = tables[p2[:-1]], tables[(1 << 16) + backoff[:-1]]
        self._triples = (first, before[:-1][pair], last[pair])
        self._p3 = tables[(2 << 16) + p3]

    def frequent(self, n: int) -> list[str]:
        """The `n` likeliest words."""
        order = np.argsort(-self._p1, kind="stable")
        plain = (self.words[i] for i in order if self.words[i][0] != "<")
        return [word for word, _ in zip(plain, range(n), strict=False)]

    def restricted(self, number: dict[str, int]) -> Trigrams:
        """The part of the model that is about the words of `number`, in its numbering."""
        size = len(number)
        new = np.array([number.get(word, -1) for word in self.words], np.int64)
        p1, b1 = np.zeros(size), np.ones(size)
        known = new >= 0
        p1[new[known]], b1[new[known]] = _plain(self._p1[known]), _plain(self._b1[known])
        p1[number["<s>"]] = 0
        k2, keep2 = _keys(new, self._pairs, size)
        k3, keep3 = _keys(new, self._triples, size)
        order2, order3 = np.argsort(k2), np.argsort(k3)
        return Trigrams(
            size,
            (p1, b1),
            (k2[order2], _plain(self._p2[keep2])[order2], _plain(self._b2[keep2])[order2]),
            (k3[order3], _plain(self._p3[keep3])[order3]),
        )


def _view(raw: npt.NDArray[np.uint8], at: int, n: int, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    return np.frombuffer(raw.data, dtype, n, at)


def _unpack(raw: npt.NDArray[np.uint8], at: int, n: int, stride: int, widths: Sequence[int]) -> list[Ints]:
    """Fields of `n` bit-packed records that start at byte `at` and are `stride` bits apart, lowest bit first."""
    fields: list[Ints] = []
    offset = np.arange(n, dtype=np.int64) * stride
    for width in widths:
        window = raw[(at + (offset >> 3))[:, None] + np.arange(8)].view("<u8")[:, 0]
        fields.append(((window >> (offset & 7).astype(np.uint64)) & np.uint64((1 << width) - 1)).astype(np.int64))
        offset += width
    return fields


def _plain(scores: npt.NDArray[np.floating]) -> Floats:
    """Probabilities from logarithms to the library's base."""
    return np.exp(scores.astype(np.float64) * np.log(1.0001))


def _keys(new: Ints, columns: Sequence[Ints], size: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Keys of the n-grams all of whose words are known, and which those are."""
    numbers = [new[column] for column in columns]
    keep = np.all([n >= 0 for n in numbers], axis=0)
    key = np.zeros(int(keep.sum()), np.int64)
    for n in numbers:
        key = key * size + n[keep]
    return key, keep


def _mix(parts: Sequence[tuple[float, Trigrams]]) -> Trigrams:
    """Linear interpolation, renormalised into one back-off model."""
    size = parts[0][1].size
    k3 = np.unique(np.concatenate([part.k3 for _, part in parts]))
    # The back-off form needs every trigram's history and tail as bigrams.
    k2 = np.unique(np.concatenate([*(part.k2 for _, part in parts), k3 // size, k3 % (size * size)]))
    p1 = np.sum([weight * part.p1 for weight, part in parts], axis=0)
    p1 /= p1.sum()
    p2 = np.sum([weight * part.bigram(k2) for weight, part in parts], axis=0)
    p3 = np.sum([weight * part.trigram(k3) for weight, part in parts], axis=0)
    b1, p2 = _normalised(k2 // size, p2, p1[k2 % size], size)
    histories = np.searchsorted(k2, k3 // size)
    b2, p3 = _normalised(histories, p3, p2[np.searchsorted(k2, k3 % (size * size))], len(k2))
    return Trigrams(size, (p1, b1), (k2, p2, b2), (k3, p3))


def _normalised(history: Ints, p: Floats, lower: Floats, size: int) -> tuple[Floats, Floats]:
    """Back-off weights that make each history's probabilities sum to one; sums above one are scaled down."""
    total = np.bincount(history, weights=p, minlength=size)
    excess = np.maximum(total / 0.999, 1.0)
    p = p / excess[history]
    left = 1.0 - np.bincount(history, weights=p, minlength=size)
    lower_left = np.maximum(1.0 - np.bincount(history, weights=lower, minlength=size), 1e-9)
    return np.clip(left / lower_left, 1e-6, 1e3), p


def _write_arpa(model: Trigrams, words: Sequence[str], path: Path) -> None:
    size = model.size
    with path.open("w", encoding="utf-8") as out:
        out.write(f"\\data\\\nngram 1={size}\nngram 2={len(model.k2)}\nngram 3={len(model.k3)}\n\n\\1-grams:\n")
        for word, p, b in zip(words, _log10(model.p1), _log10(model.b1), strict=True):
            out.write(f"{p:.4f} {word} {b:.4f}\n")
        out.write("\n\\2-grams:\n")
        rows = zip((model.k2 // size).tolist(), (model.k2 % size).tolist(), _log10(model.p2), _log10(model.b2), strict=True)
        out.writelines(f"{p:.4f} {words[a]} {words[b]} {w:.4f}\n" for a, b, p, w in rows)
        out.write("\n\\3-grams:\n")
        heads = ((model.k3 // (size * size)).tolist(), (model.k3 // size % size).tolist(), (model.k3 % size).tolist())
        rows = zip(*heads, _log10(model.p3), strict=True)
        out.writelines(f"{p:.4f} {words[a]} {words[b]} {words[c]}\n" for a, b, c, p in rows)
        out.write("\n\\end\\\n")
        out.flush()
        os.fsync(out.fileno())


def _log10(p: Floats) -> list[float]:
    return np.log10(np.maximum(p, 1e-10)).tolist()
