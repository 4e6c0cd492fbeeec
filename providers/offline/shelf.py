"""Trained classifiers on disk, so that a server's processes, and its next start, need not train them again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from loguru import logger

import core
import providers
from providers.offline.intents import Classifier, train
from providers.phrases import Phrases

MAX_KEPT = 32
"""Classifiers in a folder; the oldest make room."""


def fetch(phrases: Phrases, folder: Path) -> Classifier:
    """The classifier of an agent type, from the folder or trained and put there; takes seconds, so call it in a thread.

    A folder that cannot be read or written costs time, nothing else.
    """
    path = folder / f"intents-{_content_hash(phrases)}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return Classifier.of_arrays(json.loads(str(kept["words"])), kept["weights"])
    except FileNotFoundError:
        pass
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        logger.warning("{} cannot be read and is made again: {}", path.name, type(error).__name__)
    classifier = train(phrases)
    try:
        _put(classifier, path)
    except OSError as error:
        logger.warning("{} cannot be kept: {}", path.name, error.strerror)
    return classifier


def _put(classifier: Classifier, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    words, weights = classifier.as_arrays()
    handle, scratch = tempfile.mkstemp(prefix=".intents-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, words=np.array(json.dumps(words)), weights=weights)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)
    by_age = sorted(path.parent.glob("intents-*.npz"), key=lambda each: each.stat().st_mtime)
    for old in by_age[:-MAX_KEPT]:
        with suppress(OSError):
            old.unlink()


def _content_hash(phrases: Phrases) -> str:
    return hashlib.sha256(f"{_code()} {np.__version__} {phrases!r}".encode()).hexdigest()[:16]


@cache
def _code() -> str:
    """Of all that a classifier is made with: what is spoken of is heard with the help of `core.spoken`."""
    digest = hashlib.sha256()
    for room in (core, providers):
        for file in sorted(Path(room.__path__[0]).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
