"""The recogniser's language model, its pronunciations and the library binding."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from providers.expand import TemplateError
from providers.offline import language_model, pronunciation, sphinx, trigrams
from providers.offline.decoders import name_words
from providers.offline.trigrams import StockModel, Trigrams
from providers.phrases import Intent, Phrases

WORDS = ["<s>", "</s>", "[name]", "the", "a", "balance", "my", "is", "what", "please", "send", "money", "to"]
NUMBER = {word: i for i, word in enumerate(WORDS)}
SIZE = len(WORDS)
# Their pronunciations have all 39 phones.
ALL_PHONES = {
    "joy",
    "cheese",
    "vision",
    "thing",
    "that",
    "how",
    "book",
    "blue",
    "paper",
    "ugly",
    "sofa",
    "shark",
    "wife",
}
ALL_PHONES |= {"yes", "hat", "dog", "zoo", "measure", "father", "law", "bird", "home", "kite", "under", "raw", "eat"}


@pytest.fixture(scope="module")
def stock() -> StockModel:
    return StockModel(sphinx.model_dir() / "en-us.lm.bin")


def domain() -> Trigrams:
    sentences = ["what is my balance", "what is the balance please", "send money to [name]", "my balance please"]
    return trigrams.estimate([sentence.split() for sentence in sentences], NUMBER)


def sum_after(model: Trigrams, first: str, second: str) -> float:
    """Probability of all words that may follow two others."""
    history = NUMBER[first] * SIZE + NUMBER[second]
    keys = np.array([history * SIZE + NUMBER[word] for word in WORDS], np.int64)
    return float(model.trigram(keys).sum())


@pytest.mark.parametrize("history", [("<s>", "what"), ("what", "is"), ("to", "money"), ("balance", "please")])
def test_estimated_probabilities_sum_to_one(history: tuple[str, str]) -> None:
    assert sum_after(domain(), *history) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("history", [("<s>", "what"), ("what", "is"), ("to", "money"), ("balance", "please")])
def test_a_mixture_is_still_a_distribution(stock: StockModel, history: tuple[str, str]) -> None:
    mixed = trigrams.mix([(0.6, domain()), (0.4, stock.restricted(NUMBER))])
    assert sum_after(mixed, *history) == pytest.approx(1, abs=0.02)


def test_a_mixture_keeps_what_its_parts_know(stock: StockModel) -> None:
    phrases, everyday = domain(), stock.restricted(NUMBER)
    mixed = trigrams.mix([(0.6, phrases), (0.4, everyday)])
    asked = np.array([(NUMBER["what"] * SIZE + NUMBER["is"]) * SIZE + NUMBER["my"]], np.int64)
    expected = 0.6 * phrases.trigram(asked) + 0.4 * everyday.trigram(asked)
    assert mixed.trigram(asked) == pytest.approx(expected, rel=0.01)


def test_the_stock_model_is_read_as_the_library_reads_it(stock: StockModel) -> None:
    from pocketsphinx import Config, LogMath, NGramModel

    path = sphinx.model_dir() / "en-us.lm.bin"
    library = NGramModel(Config(lm=None, loglevel="FATAL"), LogMath(), str(path))
    everyday = stock.restricted(NUMBER)
    rng = random.Random(3)
    words = [word for word in WORDS if word not in ("<s>", "[name]")]
    for _ in range(200):
        a, b, c = (rng.choice(words) for _ in range(3))
        key = np.array([(NUMBER[a] * SIZE + NUMBER[b]) * SIZE + NUMBER[c]], np.int64)
        ours = float(np.log(everyday.trigram(key)[0]) / np.log(1.0001))
        assert ours == pytest.approx(library.prob([c, b, a]), abs=20)


def test_pruning_drops_only_what_says_little(stock: StockModel) -> None:
    number = {word: i for i, word in enumerate(["<s>", "</s>", *stock.frequent(500)])}
    whole = stock.restricted(number)
    less = trigrams.pruned(whole, 1e-5)
    assert len(less.k3) < len(whole.k3) / 2
    assert set(less.k3.tolist()) < set(whole.k3.tolist())
    histories = less.k3 // whole.size
    assert np.isin(histories, less.k2).all()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"Something else" * 100)
    with pytest.raises(sphinx.SphinxError):
        StockModel(other)


def test_a_model_is_built_once_for_the_same_phrases(tmp_path: Path) -> None:
    phrases = Phrases(intents=(Intent("ask", ("what is my balance",)),), can_do="")
    made = language_model.build(phrases, tmp_path)
    stamp = made.model.stat().st_mtime_ns
    assert language_model.build(phrases, tmp_path) == made
    assert made.model.stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir()] == [made.model.parent.name]
    with pytest.raises(TemplateError):
        language_model.build(Phrases(intents=(Intent("ask", ("what is (my",)),), can_do=""), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [made.model.parent.name]


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("bˈæləns", "B AE L AH N S"),
        ("tʃˈiːz", "CH IY Z"),
        ("ɹˈaʊ", "R AW"),
        ("dʒˈɔɪ", "JH OY"),
        ("ʃˈɑːɹmə", "SH AA R M AH"),
    ],
)
def test_ipa_becomes_the_recognisers_phones(ipa: str, phones: str) -> None:
    assert pronunciation.from_ipa(ipa) == phones


def test_the_dictionary_goes_before_guesses() -> None:
    found = pronunciation.of({"balance", "zzyzxqua"})
    assert found["balance"] == ["B AE L AH N S"]
    assert found["zzyzxqua"]
    assert not pronunciation.guesses("123")


@pytest.mark.parametrize("word", ["priya", "rahul", "verma", "petrova", "quixby"])
def test_letters_alone_give_known_phones(word: str) -> None:
    known = {phone for ways in pronunciation.of(ALL_PHONES).values() for way in ways for phone in way.split()}
    assert set(pronunciation.from_letters(word).split()) <= known


def test_names_are_spelled_plainly_and_share_one_class() -> None:
    shares, ways = name_words(["María González", "Priya", "  ", "李明"])
    assert set(shares) == {"name:maria_gonzalez", "name:maria", "name:gonzalez", "name:priya"}
    assert shares["name:maria"] > shares["name:gonzalez"]
    assert all(ways[word] for word in shares)


def test_unusable_files_are_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.bin"
    broken.write_text("nothing")
    decoder = sphinx.Decoder(sphinx.model_dir() / "cmudict-en-us.dict")
    try:
        with pytest.raises(sphinx.SphinxError):
            decoder.load(broken, sphinx.model_dir() / "cmudict-en-us.dict", tag="[name]", members={}, words={})
        with pytest.raises(sphinx.SphinxError):
            decoder.start()
    finally:
        decoder.close()
    with pytest.raises(sphinx.SphinxError):
        sphinx.compile_model(broken, tmp_path / "out.bin")
