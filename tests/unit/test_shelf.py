"""Classifiers that are kept on disk are those that were trained."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from providers.offline import shelf
from providers.offline.intents import Classifier, train
from providers.phrases import Entity, Intent, Phrases, Slot

PHRASES = Phrases(
    (
        Intent("open", ("open the {what} [please]", "(open|unlock) up"), (Slot("what", "thing"),)),
        Intent("close", ("close the {what} [please]", "(shut|lock) up"), (Slot("what", "thing"),)),
    ),
    "I open and close things.",
    (Entity("thing", {"door": ("door", "gate"), "window": ("window",)}),),
)
SAID = (["open", "the", "#thing"], ["lock", "up", "now"], ["what", "a", "day"], [])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Path]:
    """A classifier, and where it is kept."""
    folder = tmp_path_factory.mktemp("shelf")
    made = shelf.fetch(PHRASES, folder)
    (path,) = folder.iterdir()
    return made, path


def test_what_is_kept_understands_as_what_was_trained(kept: tuple[Classifier, Path]) -> None:
    made, path = kept
    before = path.stat()
    found, trained = shelf.fetch(PHRASES, path.parent), train(PHRASES)
    assert made is not found
    for words in SAID:
        assert made.rank(words) == found.rank(words) == trained.rank(words)
    assert found.literals == trained.literals
    assert path.stat() == before


def test_other_phrases_are_other_classifiers_and_the_oldest_make_room(
    kept: tuple[Classifier, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_KEPT", 2)
    for number in range(3):
        (tmp_path / f"intents-{number}.npz").touch()
        os.utime(tmp_path / f"intents-{number}.npz", (number, number))
    other = shelf.fetch(replace(PHRASES, intents=PHRASES.intents[:1]), tmp_path)
    assert other.rank(SAID[0]) != kept[0].rank(SAID[0])
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 2
    assert "intents-2.npz" in names
    assert kept[1].name not in names


@pytest.mark.parametrize("wrong", ["nothing", "a half", "another form"])
def test_what_cannot_be_read_is_made_again(kept: tuple[Classifier, Path], tmp_path: Path, wrong: str) -> None:
    made, path = kept
    whole, here = path.read_bytes(), tmp_path / path.name
    if wrong == "another form":
        with here.open("wb") as file:
            np.savez(file, words=np.array("{}"), weights=np.zeros(3))
    else:
        here.write_bytes(whole[: len(whole) // 2] if wrong == "a half" else b"")
    assert shelf.fetch(PHRASES, tmp_path).rank(SAID[0]) == made.rank(SAID[0])
    assert here.read_bytes() == whole


def test_without_a_place_to_keep_it_there_is_a_classifier_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert shelf.fetch(PHRASES, tmp_path / "cache").rank(SAID[0])
