"""Which intent a caller's words belong to: a linear classifier made from an agent type's phrase templates at start-up.

Sentences are drawn from the templates, roughened the way recognisers roughen speech, and described by their words, word
pairs and letter groups. One ridge regression per intent tells its sentences from all others. A score below the
threshold means that nothing was understood; the threshold is set on templates the classifier has not seen.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from providers.expand import Sample, sample
from providers.offline.everyday import ELSEWHERE, EVERYDAY
from providers.offline.hearing import Ear, literals_of, words_of
from providers.phrases import Intent, Phrases

OUT_OF_SCOPE = "out_of_scope"
"""The intent of remarks that are no business of any agent."""

_SENTENCES = 110  # drawn per intent
_ROUGHENED = 0.35  # of them
_FEATURES = 3000
_RIDGE = 1.0
_UNSEEN = 0.25  # of the templates, kept back to set the threshold
_STEPS = 40

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Guess:
    """An intent and how clearly the words belong to it: about 1 for a template's sentence, about 0 for none."""

    intent: str
    score: float


class Classifier:
    """Ranks intents for words; immutable, so all calls share one."""

    def __init__(self, intents: Sequence[str], vocabulary: dict[str, int], idf: Matrix, weights: Matrix) -> None:
        self.intents = tuple(intents)
        self._vocabulary = vocabulary
        self._idf = idf
        self._weights = weights

    def rank(self, words: Sequence[str]) -> list[Guess]:
        """All intents, likeliest first.

        Args:
            words: Tagged words, as from `Ear.tagged`.
        """
        columns, values = _row(words, self._vocabulary, self._idf)
        scores = values @ self._weights[columns] + self._weights[-1]
        return [Guess(self.intents[i], float(scores[i])) for i in np.argsort(-scores)]
