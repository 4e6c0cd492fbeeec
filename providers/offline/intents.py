"""Which intent a caller's words belong to: a linear classifier made from an agent type's phrase templates at start-up.

Sentences are drawn from the templates, roughened the way recognisers roughen speech, and described by their words, word
pairs and letter groups, weighted by rarity. A multinomial logistic regression is fitted to them. What scores below a
threshold is not understood; the threshold is set on templates the classifier had not seen.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.expand import Sample, expand, sample
from providers.offline.everyday import ELSEWHERE, EVERYDAY
from providers.offline.hearing import Ear, literals_of, words_of
from providers.phrases import Intent, Phrases

OUT_OF_SCOPE = "out_of_scope"
"""The intent of remarks that are no business of any agent."""

_ROUGHENED = 0.2  # of the sentences
_FEATURES = 5000
_RARE_WEIGHT = 3.0  # of a feature never met in training, about what the rarest known one weighs
_OWN_SHARE = 0.02  # of an agent's templates use a word that it talks about
_KEPT_BACK = 4  # every fourth template sets the threshold
_PENALTY = 1e-4
_STEPS, _MORE_STEPS = 18, 8
_FIRST_STEP, _SHORTEST_STEP = 20.0, 0.01
_CURVATURES = 8  # steps remembered
_KEPT_CLASSIFIERS = 16
_EXACT = 10.0
_ALIKE = 0.005

_FILLERS = ("uh", "um", "please", "so", "well", "okay", "yes", "just", "the", "a", "to")
_MISHEARD = {
    "the": "a", "a": "the", "my": "the", "to": "the", "for": "four", "is": "as", "in": "and", "of": "a", "me": "my",
    "can": "could", "would": "will", "are": "or", "and": "in", "that": "the", "i": "a", "your": "you",
    "account": "count",
}  # fmt: skip

Matrix = NDArray[np.float32]
Columns = NDArray[np.intp]
Features = tuple[Counter[str], Counter[str]]


@dataclass(frozen=True, slots=True)
class Guess:
    """An intent and how clearly the words belong to it: from 0 it is good enough to act on, higher is clearer."""

    intent: str
    score: float


class Classifier:
    """Ranks intents for words. It never changes once made, so all calls share one.

    Attributes:
        literals: For `Ear`: where the templates use an entity's words without meaning the entity.
    """

    def __init__(
        self,
        intents: Sequence[str],
        space: _Space,
        weights: Matrix,
        threshold: float,
        literals: frozenset[tuple[str, ...]],
    ) -> None:
        self._intents = tuple(intents)
        self._space = space
        self._weights = weights
        self._threshold = threshold
        self.literals = literals

    def as_arrays(self) -> tuple[Mapping[str, Any], Matrix]:
        """All it consists of: what JSON can hold, and the weights."""
        told = {
            "intents": self._intents,
            "features": self._space.features,
            "rarities": self._space.rarities,
            "threshold": self._threshold,
            "literals": sorted(self.literals),
        }
        return told, self._weights

    @classmethod
    def of_arrays(cls, told: Mapping[str, Any], weights: Matrix) -> Classifier:
        """Of what `as_arrays` gave.

        Raises: KeyError, TypeError or ValueError for anything else.
        """
        space = _Space(told["features"], told["rarities"])
        if weights.shape != (len(told["features"]) + 1, len(told["intents"])) or len(space.rarities) + 1 != len(
            weights
        ):
            raise ValueError("not the weights of these intents and features")
        literals = frozenset(tuple(words) for words in told["literals"])
        return cls(told["intents"], space, weights, float(told["threshold"]), literals)

    def rank(self, words: Sequence[str]) -> list[Guess]:
        """All intents, clearest first.

        `OUT_OF_SCOPE` is among them, first where the words look like a remark about something else; scores of the
        others are above zero only where they beat it.

        Args:
            words: Tagged words, as from `Ear.tagged`.
        """
        if (known := _said_exactly().get(" ".join(words))) and known in self._intents:
            return [Guess(known, _EXACT), *(Guess(intent, -_EXACT) for intent in self._intents if intent != known)]
        columns, values = self._space.row(_features(words))
        scores = values @ self._weights[columns] + self._weights[-1]
        elsewhere = float(scores[self._intents.index(OUT_OF_SCOPE)])
        floor = max(self._threshold, elsewhere)
        guesses = [
            Guess(intent, float(score) - (self._threshold if intent == OUT_OF_SCOPE else floor))
            for intent, score in zip(self._intents, scores, strict=True)
        ]
        first = self._intents[int(np.argmax(scores))]
        return sorted(guesses, key=lambda guess: (guess.intent != first, -guess.score))


def train(phrases: Phrases, *, seed: int = 0) -> Classifier:
    """Make the classifier of an agent type; some seconds of processor time, so not on the event loop.

    Args:
        phrases: The agent type's declarations. `EVERYDAY` and `ELSEWHERE` are added; an everyday intent the agent type
            declares itself replaces ours.
        seed: Of the sentences drawn; the same seed gives the same classifier.
    """
    rng = random.Random(seed)  # noqa: S311 - draws sentences, guards nothing
    drawn = list(_draw(phrases, rng))
    samples = [example for example, _ in drawn]
    own = {intent.name for intent in phrases.intents}
    literals = literals_of(phrases, [example for example in samples if example.intent in own])
    ear = Ear(phrases, literals)
    # What would be taken down as somebody's own words is no remark about something else.
    drawn = [
        each for each in drawn if each[0].intent != OUT_OF_SCOPE or "#text" not in ear.tagged(words_of(each[0].text))
    ]
    samples = [example for example, _ in drawn]
    rows = [_features(ear.tagged(_roughen(words_of(example.text), rng))) for example in samples]
    space = _Space.of_rows(rows)
    design = space.matrix(rows)
    intents = sorted({example.intent for example in samples})
    labels = np.array([intents.index(example.intent) for example in samples])

    seen = np.array([number % _KEPT_BACK != _KEPT_BACK - 1 for _, number in drawn])
    rehearsal = _fit(design[seen], labels[seen], len(intents), _STEPS)
    threshold = _threshold(design[~seen] @ rehearsal, labels[~seen], intents.index(OUT_OF_SCOPE))
    weights = _fit(design, labels, len(intents), _MORE_STEPS, start=rehearsal)
    return Classifier(intents, space, weights, threshold, literals)


_kept: list[tuple[Phrases, Classifier]] = []
_training = threading.Lock()


async def trained(phrases: Phrases, make: Callable[[Phrases], Classifier] = train) -> Classifier:
    """The classifier of an agent type, made in a thread when first asked for and kept from then on."""
    return _known(phrases) or await asyncio.to_thread(_make_once, phrases, make)


def _make_once(phrases: Phrases, make: Callable[[Phrases], Classifier]) -> Classifier:
    with _training:
        if (classifier := _known(phrases)) is None:
            classifier = make(phrases)
            _kept.append((phrases, classifier))
            del _kept[:-_KEPT_CLASSIFIERS]
        return classifier


def _known(phrases: Phrases) -> Classifier | None:
    return next((classifier for own, classifier in _kept if own is phrases or own == phrases), None)


def _draw(phrases: Phrases, rng: random.Random) -> Iterator[tuple[Sample, int]]:
    """Sentences of every template, each with its template's number within the intent."""
    names = {intent.name for intent in phrases.intents}
    everyday = [intent for intent in EVERYDAY.intents if intent.name not in names]
    yield from _sentences(phrases, phrases.intents, rng)
    yield from _sentences(phrases, everyday, rng)
    common, own = _vocabulary(EVERYDAY.intents), _vocabulary(phrases.intents, _OWN_SHARE)
    for example, number in _sentences(phrases, [Intent(OUT_OF_SCOPE, ELSEWHERE)], rng):
        telling = set(words_of(example.text)) - common
        if not telling or len(telling & own) * 2 < len(telling):  # what the agent itself talks about is in its scope
            yield example, number


def _sentences(phrases: Phrases, intents: Sequence[Intent], rng: random.Random) -> Iterator[tuple[Sample, int]]:
    for intent in intents:
        for number, template in enumerate(intent.phrases):
            alone = Phrases((Intent(intent.name, (template,), intent.slots),), "", phrases.entities)
            count = 2 + template.count("|") + template.count("[")  # the more choices, the more sentences
            for example in sample(alone, (), rng, count):
                yield example, number


@lru_cache(maxsize=1)
def _said_exactly() -> dict[str, str]:
    """Everyday sentences in full: they are short, and a learnt guess on one or two words is not good enough."""
    return {
        " ".join(words_of(" ".join(map(str, sentence)))): intent.name
        for intent in EVERYDAY.intents
        for template in intent.phrases
        for sentence in expand(template)
    }


def _vocabulary(intents: Sequence[Intent], share: float = 0.0) -> set[str]:
    """The words that at least such a share of the templates use."""
    templates = [set(words_of(template)) for intent in intents for template in intent.phrases]
    met = Counter(word for words in templates for word in words)
    return {word for word, count in met.items() if count >= share * len(templates)}


def _roughen(words: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    """Now and then a word is lost, misheard or put in, as happens between a mouth and a transcript."""
    if rng.random() >= _ROUGHENED:
        return words
    heard: list[str] = []
    for word in words:
        fate = rng.random()
        if fate < 0.07:
            continue
        if fate > 0.97:
            heard.append(rng.choice(_FILLERS))
        heard.append(_MISHEARD.get(word, word) if fate < 0.14 else word)
    return tuple(heard) or words


def _features(words: Sequence[str]) -> Features:
    """How often each word and word pair, and each group of two to four letters, occurs."""
    bounded = ["<", *words, ">"]
    whole = Counter(words)
    whole.update(f"{left} {right}" for left, right in pairwise(bounded))
    return whole, Counter(group for word in words for group in _letters(word))


def _letters(word: str) -> tuple[str, ...]:
    if word.startswith("#"):
        return ()
    padded = f"^{word}$"
    return tuple(padded[at : at + size] for size in (2, 3, 4) for at in range(len(padded) - size + 1))


class _Space:
    """The features met often enough, each with its column and its weight by rarity; both halves have length one."""

    def __init__(self, features: Sequence[str], rarities: Sequence[float]) -> None:
        self.features = features
        self.rarities = rarities
        self._columns = {feature: column for column, feature in enumerate(features)}

    @classmethod
    def of_rows(cls, rows: Sequence[Features]) -> _Space:
        met: Counter[str] = Counter()
        for whole, letters in rows:
            met.update(whole.keys())
            met.update(letters.keys())
        kept = [feature for feature, count in met.most_common(_FEATURES) if count > 1]
        return cls(kept, [math.log(len(rows) / met[feature]) + 1 for feature in kept])

    def row(self, features: Features) -> tuple[Columns, Matrix]:
        """Columns and values of one sentence; unknown features make the known ones count for less."""
        columns: list[int] = []
        values: list[float] = []
        for half in features:
            here = {
                column: count for feature, count in half.items() if (column := self._columns.get(feature)) is not None
            }
            weighed = [(1 + math.log(count)) * self.rarities[column] for column, count in here.items()]
            unknown = (len(half) - len(here)) * _RARE_WEIGHT**2
            length = math.sqrt(sum(value * value for value in weighed) + unknown) or 1.0
            columns += here
            values += [value / length for value in weighed]
        return np.array(columns, np.intp), np.array(values, np.float32)

    def matrix(self, rows: Sequence[Features]) -> Matrix:
        """One dense row a sentence, shape (len(rows), features + 1); the last column is 1."""
        matrix = np.zeros((len(rows), len(self._columns) + 1), np.float32)
        matrix[:, -1] = 1.0
        for number, features in enumerate(rows):
            columns, values = self.row(features)
            matrix[number, columns] = values
        return matrix


def _fit(design: Matrix, labels: NDArray[np.intp], classes: int, steps: int, *, start: Matrix | None = None) -> Matrix:
    """Weights of a multinomial logistic regression by L-BFGS, shape (columns, classes)."""
    weights = np.zeros((design.shape[1], classes), np.float32) if start is None else start
    loss = _Loss(design, labels, classes)
    value, slope = loss(weights)
    past: deque[tuple[Matrix, Matrix, float]] = deque(maxlen=_CURVATURES)
    for _ in range(steps):
        direction = _downhill(slope, past)
        fall = float(np.vdot(slope, direction))
        length = 1.0
        while True:
            moved = weights + np.float32(length) * direction
            new_value, new_slope = loss(moved)
            if new_value <= value + 1e-4 * length * fall or length < _SHORTEST_STEP:
                break
            length *= 0.4
        step: Matrix = (moved - weights).astype(np.float32)
        bend: Matrix = (new_slope - slope).astype(np.float32)
        if (curvature := float(np.vdot(step, bend))) > 1e-10:
            past.append((step, bend, 1 / curvature))
        weights, value, slope = weights + step, new_value, new_slope
    return weights


class _Loss:
    """Mean cross-entropy with a ridge penalty: its value and its slope."""

    def __init__(self, design: Matrix, labels: NDArray[np.intp], classes: int) -> None:
        self._design = design
        self._target = np.eye(classes, dtype=np.float32)[labels]
        self._at = np.arange(len(labels)), labels

    def __call__(self, weights: Matrix) -> tuple[float, Matrix]:
        scores = self._design @ weights
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        value = -float(logs[self._at].mean()) + _PENALTY / 2 * float(np.vdot(weights, weights))
        error = (np.exp(logs) - self._target) / np.float32(len(logs))
        return value, self._design.T @ error + np.float32(_PENALTY) * weights


def _downhill(slope: Matrix, past: Sequence[tuple[Matrix, Matrix, float]]) -> Matrix:
    """The quasi-Newton direction: the two-loop recursion of Nocedal (1980)."""
    direction: Matrix = -slope
    if not past:
        return (_FIRST_STEP * direction).astype(np.float32)
    shares: list[float] = []
    for step, bend, inverse in reversed(past):
        shares.append(inverse * float(np.vdot(step, direction)))
        direction -= np.float32(shares[-1]) * bend
    _, bend, inverse = past[-1]
    direction *= np.float32(1 / (inverse * float(np.vdot(bend, bend))))
    for (step, bend, inverse), share in zip(past, reversed(shares), strict=True):
        direction += np.float32(share - inverse * float(np.vdot(bend, direction))) * step
    return direction


def _threshold(scores: Matrix, labels: NDArray[np.intp], elsewhere: int) -> float:
    """The lowest score that parts requests from remarks about something else as well as any, or nearly.

    Both kinds of error count alike.
    """
    inside = labels != elsewhere
    best = np.where(np.arange(scores.shape[1]) == elsewhere, -np.inf, scores).max(axis=1)
    wins = best > scores[:, elsewhere]
    levels = np.linspace(0, 6, 61)
    kept = [np.mean((best >= level) & wins & inside) / inside.mean() for level in levels]
    refused = [np.mean(~((best >= level) & wins) & ~inside) / (1 - inside.mean()) for level in levels]
    good = np.add(kept, refused)
    return float(levels[int(np.argmax(good >= good.max() - _ALIKE))])
