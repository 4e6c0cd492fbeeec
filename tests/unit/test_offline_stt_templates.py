"""The template language that the recogniser and the offline language service share."""

from __future__ import annotations

import random

import pytest

from providers.expand import Mark, TemplateError, expand, fill, number_words, sample
from providers.phrases import Entity, Intent, Phrases, Slot

ACCOUNT = Entity("account", {"savings": ("savings", "savings account"), "current": ("checking",)})
PHRASES = Phrases(
    intents=(
        Intent("balance", ("(what is|what's) my [{account}] balance",), (Slot("account", "account"),)),
        Intent("transfer", ("send {amount} to {payee}",), (Slot("amount", "money"), Slot("payee", "name"))),
        Intent("silent", ()),
    ),
    entities=(ACCOUNT,),
    can_do="",
)


def test_a_template_expands_to_all_its_sentences() -> None:
    assert list(expand("(Tell|show (me|us)) [the|a] {thing} now")) == [
        [*start, *middle, Mark("thing"), "now"]
        for start in (["tell"], ["show", "me"], ["show", "us"])
        for middle in ([], ["the"], ["a"])
    ]


def test_a_huge_template_is_expanded_lazily() -> None:
    sentences = expand(" ".join(["(a|b|c|d)"] * 60))
    assert next(sentences) == ["a"] * 60


@pytest.mark.parametrize("template", ["(a", "a)", "a|b", "[a", "a]", "{A}", "a{b", "(a]", "(" * 30 + ")" * 30])
def test_broken_templates_are_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        list(expand(template))


def test_samples_name_their_slots_and_repeat_with_the_seed() -> None:
    samples = sample(PHRASES, ["Priya Sharma"], random.Random(7), 60)
    assert samples == sample(PHRASES, ["Priya Sharma"], random.Random(7), 60)
    assert {each.intent for each in samples} == {"balance", "transfer"}
    for each in samples:
        assert all(value in each.text for value in each.slots.values())
    assert {each.slots["payee"] for each in samples if each.intent == "transfer"} == {"priya sharma"}
    spoken = {each.slots["account"] for each in samples if "account" in each.slots}
    assert spoken == {"savings", "savings account", "checking"}


def test_undeclared_slots_and_entities_are_refused() -> None:
    with pytest.raises(TemplateError):
        sample(Phrases((Intent("x", ("to {nobody}",)),), ""), (), random.Random(1), 1)
    with pytest.raises(TemplateError):
        fill("nothing", PHRASES, (), random.Random(1))


@pytest.mark.parametrize("entity", ["number", "money", "digits", "date", "time", "name"])
def test_builtin_entities_are_spoken_words(entity: str) -> None:
    rng = random.Random(5)
    values = {fill(entity, PHRASES, (), rng) for _ in range(300)}
    assert len(values) > 20
    assert all(value == value.lower() and not any(c.isdigit() for c in value) for value in values)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (14, "fourteen"),
        (90, "ninety"),
        (250, "two hundred and fifty"),
        (1005, "one thousand and five"),
        (12_345, "twelve thousand three hundred and forty five"),
        (2_000_000, "two million"),
    ],
)
def test_numbers_in_words(value: int, words: str) -> None:
    assert number_words(value) == words


@pytest.mark.parametrize("value", [-1, 100_000_000])
def test_numbers_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        number_words(value)
