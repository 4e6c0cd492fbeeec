"""The media bench must count words, turns and servers' settings right."""

from bench.media import Heard, Talk, Turn, Words, compare, result
from bench.process import named


def test_words_are_compared_however_the_text_is_cut_and_written() -> None:
    assert compare(["What's sitting in my savings.", "ok"], ["what's sitting", "in my savings okay"]) == Words(6, 0)
    assert compare(["one two three"], ["one three four"]) == Words(3, 2)
    assert compare(["one two"], []) == Words(2, 2)
    assert compare([], ["anything"]).rate is None


def test_a_call_that_broke_off_leaves_its_turns_unanswered_but_not_its_words_unsaid() -> None:
    whole = Talk(1, 2, [Turn("a b", 300.0, answered=True), Turn("c", 500.0, answered=True)], ["a b", "c"], ["x y"])
    broken = Talk(2, 2, [Turn("d")], [], [], lost=True)
    heard = [Heard(("x",), 40, 1, 3), Heard(("",), 10, 4, 0)]
    found = result("parley", "loss", [whole, broken], heard, exceptions=1)
    assert (found.recognised, found.heard) == (Words(4, 1), Words(2, 1))
    assert (found.turns, found.answered, found.answered_after) == (4, 2, 1)
    assert (found.not_connected, found.lost, found.exceptions) == (1, 1, 1)
    assert (found.concealed, found.restored) == (0.1, 0.06)
    assert found.voice_to_voice_ms["median"] == 400


def test_settings_come_behind_the_servers_name() -> None:
    assert named("pipecat") == ("pipecat", {})
    assert named("parley:A=1,B=x=y") == ("parley", {"A": "1", "B": "x=y"})
