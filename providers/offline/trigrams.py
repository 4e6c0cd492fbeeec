"""Trigram models as sorted arrays: estimated from sentences, read from the recogniser's wheel, mixed, and written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from providers.offline.sphinx import SphinxError

DISCOUNT = 0.7
"""Taken off every count and given to what was not seen."""

_STOCK_HEADER = b"Trie Language Model"
_LOG_BASE = 1.0001

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Trigrams:
    """A back-off trigram model over word numbers, as sorted arrays.

    A bigram (a, b) has the key a * V + b, a trigram (a, b, c) the key (a * V + b) * V + c, with V words in all.
    Probabilities and back-off weights are plain, not logarithms.
    """

    def __init__(
        self,
        size: int,
        unigrams: tuple[Floats, Floats],
        bigrams: tuple[Ints, Floats, Floats],
        trigrams: tuple[Ints, Floats],
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


def estimate(sentences: Sequence[Sequence[str]], number: Mapping[str, int]) -> Trigrams:
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
    p1 = np.maximum(n1 - DISCOUNT, 0) / n1.sum()
    p1[n1 > 0] += DISCOUNT * seen / n1.sum() / seen
    b1, p2 = _discounted(tails // size, n2, p1[tails % size], size)
    # The trigram (<s>, <s>, w) is how the stream starts, not something to back off from.
    real = k3 // (size * size) * size + k3 // size % size != start * size + start
    k3, n3 = k3[real], n3[real]
    histories, at = np.unique(k3 // size, return_inverse=True)
    lower = p2[np.searchsorted(tails, k3 % (size * size))]
    weights, p3 = _discounted(at, n3.astype(np.float64), lower, len(histories))
    # Every history is a bigram that was seen, except at the start of a sentence where it may lack a word before it.
    k2: Ints = np.union1d(tails, histories).astype(np.int64)
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
    backoff = np.divide(DISCOUNT * kinds, totals, out=np.ones(size), where=totals > 0)
    return backoff, np.maximum(counts - DISCOUNT, 0) / totals[history] + backoff[history] * lower


class StockModel:
    """The n-grams of the model in the wheel.

    The library's own writer crashes on this file (cmusphinx/pocketsphinx issue 502), so the file is read here: a
    header, tables of 16-bit quantised values, unigrams, and two bit-packed arrays sorted by reversed n-gram.
    """

    def __init__(self, path: Path) -> None:
        raw = np.fromfile(path, np.uint8)
        at = len(_STOCK_HEADER)
        if raw[:at].tobytes() != _STOCK_HEADER or raw[at] != 3:
            raise SphinxError(f"not a trigram model in the library's binary form: {path}")
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
            raise SphinxError(f"not the expected layout: {path}")
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

    def restricted(self, number: Mapping[str, int]) -> Trigrams:
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


def _view(raw: npt.NDArray[np.uint8], at: int, n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
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
    return np.exp(scores.astype(np.float64) * np.log(_LOG_BASE))


def _keys(new: Ints, columns: Sequence[Ints], size: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Keys of the n-grams all of whose words are known, and which those are."""
    numbers = [new[column] for column in columns]
    keep = np.all([n >= 0 for n in numbers], axis=0)
    key = np.zeros(int(keep.sum()), np.int64)
    for n in numbers:
        key = key * size + n[keep]
    return key, keep


def pruned(model: Trigrams, least: float) -> Trigrams:
    """Leave out n-grams whose shorter form says nearly the same.

    An n-gram counts for p(h, w) * |log p(w|h) - log of its back-off estimate|, the main term of the relative entropy
    by which Stolcke (1998) prunes; what counts for less than `least` goes, unless a longer n-gram stands on it.
    """
    size = model.size
    history, tail = model.k3 // size, model.k3 % (size * size)
    found, at = _find(model.k2, history)
    backed_off = model.bigram(tail)
    backed_off[found] *= model.b2[at]
    # The start mark has no probability of its own, but every sentence has one.
    p1 = np.where(model.p1 > 0, model.p1, 0.1)
    weight = p1[history // size] * model.bigram(history) * model.p3
    keep = weight * np.abs(np.log(model.p3 / backed_off)) > least
    k3, p3 = model.k3[keep], model.p3[keep]
    first, second = model.k2 // size, model.k2 % size
    estimate_p = np.maximum(model.b1[first] * model.p1[second], 1e-12)
    keep = p1[first] * model.p2 * np.abs(np.log(model.p2 / estimate_p)) > least
    keep |= np.isin(model.k2, k3 // size) | np.isin(model.k2, k3 % (size * size))
    return Trigrams(size, (model.p1, model.b1), (model.k2[keep], model.p2[keep], model.b2[keep]), (k3, p3))


def mix(parts: Sequence[tuple[float, Trigrams]]) -> Trigrams:
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


def write_arpa(model: Trigrams, words: Sequence[str], path: Path) -> None:
    """Write a model as text in the ARPA form, the one every toolkit reads.

    Raises: OSError.
    """
    size = model.size
    with path.open("w", encoding="utf-8") as out:
        out.write(f"\\data\\\nngram 1={size}\nngram 2={len(model.k2)}\nngram 3={len(model.k3)}\n\n\\1-grams:\n")
        for word, p, b in zip(words, _log10(model.p1), _log10(model.b1), strict=True):
            out.write(f"{p:.4f} {word} {b:.4f}\n")
        out.write("\n\\2-grams:\n")
        rows = zip(
            (model.k2 // size).tolist(), (model.k2 % size).tolist(), _log10(model.p2), _log10(model.b2), strict=True
        )
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
