"""The recogniser's language model: an agent type's phrases, everyday English and the stock model, mixed into one.

The three are interpolated with fixed weights and written once, with a dictionary beside the model. Proper names are one
word class, `NAME_TAG`, which a decoder fills with a caller's own.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from loguru import logger

from providers.expand import sample
from providers.offline import pronunciation, sphinx, trigrams
from providers.phrases import BUILTIN_ENTITIES, Intent, Phrases, Slot

NAME_TAG = "[name]"
"""The word class of proper names."""

PHRASES_WEIGHT, ENGLISH_WEIGHT, STOCK_WEIGHT = 0.5, 0.25, 0.25
PHRASE_SENTENCES, ENGLISH_SENTENCES = 30_000, 20_000
STOCK_WORDS = 5000
"""How many of the stock model's most frequent words are understood beyond those of the phrases."""

STOCK_PRUNING = 3e-7
"""How little an n-gram of the stock model may add before it is left out; most of a decoder's memory hangs on it."""

_building = threading.Lock()
_VERSION = 1


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Files of a finished model.

    Attributes:
        model: Binary n-gram model.
        dictionary: Pronunciations of its words.
    """

    model: Path
    dictionary: Path


def build(phrases: Phrases, cache_dir: Path) -> LanguageModel:
    """The language model for an agent type; made on first use, found in `cache_dir` afterwards.

    Takes some seconds of CPU the first time, so call it in a thread. Processes sharing the folder may build at once.

    Raises: SphinxError, TemplateError, OSError.
    """
    folder = cache_dir / f"stt-{_content_hash(phrases)}"
    made = LanguageModel(folder / "model.bin", folder / "words.dict")
    with _building:  # Whoever asks meanwhile waits for this one instead of building it as well.
        if not folder.is_dir():
            began = time.monotonic()
            _build_folder(phrases, folder)
            logger.info("Built the speech recogniser's language model in {:.1f} s", time.monotonic() - began)
    return made


def _build_folder(phrases: Phrases, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".stt-", dir=folder.parent))
    try:
        _write(phrases, scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # Otherwise another process was faster.
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _content_hash(phrases: Phrases) -> str:
    stock = (sphinx.model_dir() / "en-us.lm.bin").stat().st_size
    weights = (PHRASES_WEIGHT, ENGLISH_WEIGHT, STOCK_WEIGHT, trigrams.DISCOUNT, STOCK_PRUNING)
    sizes = (PHRASE_SENTENCES, ENGLISH_SENTENCES, STOCK_WORDS)
    content = repr((_VERSION, stock, weights, sizes, _BEFORE, _AFTER, phrases.intents, phrases.entities, _english()))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def training_texts(phrases: Phrases) -> tuple[list[str], list[str]]:
    """Sentences of the agent type and of everyday English, the same each time; names are `NAME_TAG`.

    Raises: TemplateError.
    """
    rng = random.Random(1)  # noqa: S311 - the same phrases must give the same model
    domain = [_around(each.text, rng) for each in sample(phrases, [NAME_TAG], rng, PHRASE_SENTENCES)]
    everyday = [each.text for each in sample(_as_phrases(_english()), [NAME_TAG], rng, ENGLISH_SENTENCES)]
    return domain, everyday


def _english() -> str:
    return resources.files("providers.offline").joinpath("data/english.txt").read_text("utf-8")


def _write(phrases: Phrases, folder: Path) -> None:
    domain, everyday = training_texts(phrases)
    stock = trigrams.StockModel(sphinx.model_dir() / "en-us.lm.bin")
    corpora = [_sentences(domain), _sentences(everyday)]
    spoken = {word for corpus in corpora for sentence in corpus for word in sentence}
    pronounced = pronunciation.of(spoken.union(stock.frequent(STOCK_WORDS)) - {NAME_TAG})
    words = ["<s>", "</s>", NAME_TAG, *sorted(pronounced)]
    number = {word: i for i, word in enumerate(words)}
    parts = [
        (weight, trigrams.estimate(corpus, number))
        for weight, corpus in zip((PHRASES_WEIGHT, ENGLISH_WEIGHT), corpora, strict=True)
    ]
    mixed = trigrams.mix([*parts, (STOCK_WEIGHT, trigrams.pruned(stock.restricted(number), STOCK_PRUNING))])
    trigrams.write_arpa(mixed, words, folder / "model.arpa")
    sphinx.compile_model(folder / "model.arpa", folder / "model.bin")
    (folder / "model.arpa").unlink()
    with (folder / "words.dict").open("w", encoding="utf-8") as out:
        for word in sorted(pronounced):
            for i, phones in enumerate(pronounced[word]):
                out.write(f"{word}({i + 1}) {phones}\n" if i else f"{word} {phones}\n")


_BEFORE = "um|uh|okay|so|hi|hello|yes|and|well|please|hey|no|now|also|could you|can you"
_AFTER = "please|thanks|thank you|for me|now|today|please thank you|right now|then|too"


def _around(text: str, rng: random.Random) -> str:
    """People hesitate before a request and thank after it, whatever the template says."""
    if rng.random() < 0.15:
        text = f"{rng.choice(_BEFORE.split('|'))} {text}"
    if rng.random() < 0.1:
        text = f"{text} {rng.choice(_AFTER.split('|'))}"
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
