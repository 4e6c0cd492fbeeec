"""How well the offline language service understands: intents and slots of sentences nobody took from the templates.

    python -m bench.intents [--heard FILE] [--misses]

Sets, some rows as follow-ups to an earlier turn: `data/intents/fresh.jsonl` was written after the templates, which have
not been changed for it; `test.jsonl` was written before the last round of templates by the same author and `dev.jsonl`
used while writing them, so these two flatter. `data/recognition/utterances.jsonl` is another author's, written for the
recogniser; a few templates were added after a look at it. FILE is that set as the recogniser heard it: JSON lines with
`heard` beside `intent` and `slots`, as `bench.recognition --heard FILE` writes them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.banking import AGENT
from providers.offline.dialogue import END_CALL, UNCLEAR, Act, Dialogue
from providers.offline.intents import OUT_OF_SCOPE, Classifier, train

DATA = Path(__file__).parent / "data"
PHRASES = AGENT.phrases
TOOLS = (*(tool.name for tool in AGENT.tools), END_CALL)
NAMES = (
    *("Ravi", "Jane", "Mom", "Mike", "John", "Priya Sharma", "Maria Lopez", "David Miller", "Emily Clark"),
    *("Rahul Verma", "Tom Baker", "Aisha Khan", "Sunita Rao", "Olga Ivanova", "Mateo Rossi", "Chen Wei"),
)
# How the recogniser's set names things.
SLOT_NAMES = {"number": "count", "name": "payee"}
ACCOUNTS = {way: value for value, ways in PHRASES.entities[0].values.items() for way in ways}
STOPS = ("cancel", "wait", "no")


@dataclass(frozen=True, slots=True)
class Score:
    """Results on one set, as shares of its rows.

    Attributes:
        name: Of the set.
        rows: How many utterances.
        intent: Right intent; for what is out of scope, anything that calls no tool and says so.
        refused: Of the requests in scope, how many were not understood.
        out_of_scope: Of the remarks out of scope, how many were taken for that.
        wrong_call: Rows that led to a tool call nobody asked for.
        slots: Of the slot values said, how many were heard; for rows with the right intent or not.
        turn_us: Median microseconds of processor time a turn.
    """

    name: str
    rows: int
    intent: float
    refused: float
    out_of_scope: float | None
    wrong_call: float
    slots: float | None
    turn_us: float


def main() -> int:
    """Print a table and the same as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heard", type=Path, help="recognised utterances, JSON lines with heard, intent and slots")
    parser.add_argument("--misses", action="store_true", help="list what was misunderstood")
    options = parser.parse_args()

    started = time.process_time()
    classifier = train(PHRASES)
    training_s = time.process_time() - started
    sets = {
        "typed, fresh": _read(DATA / "intents" / "fresh.jsonl"),
        "typed, test": _read(DATA / "intents" / "test.jsonl"),
        "typed, dev": _read(DATA / "intents" / "dev.jsonl"),
        "typed, other author": _read(DATA / "recognition" / "utterances.jsonl"),
    }
    if options.heard:
        sets["recognised"] = [{**row, "text": row["heard"]} for row in _read(options.heard)]
    scores = [score(name, rows, classifier, misses=options.misses) for name, rows in sets.items()]

    print(f"{'set':22} {'rows':>5} {'intent':>7} {'refused':>8} {'scope':>7} {'wrong':>7} {'slots':>7} {'us':>6}")
    for s in scores:
        print(
            f"{s.name:22} {s.rows:5} {s.intent:7.1%} {s.refused:8.1%} {_share(s.out_of_scope)} {s.wrong_call:7.1%} "
            f"{_share(s.slots)} {s.turn_us:6.0f}"
        )
    print(json.dumps({"training_cpu_s": round(training_s, 2), "sets": [_as_json(s) for s in scores]}))
    return 0


def score(name: str, rows: Sequence[Mapping[str, Any]], classifier: Classifier, *, misses: bool = False) -> Score:
    """Have every row understood in a conversation of its own."""
    right = refused = inside = outside = outside_right = wrong_calls = said = heard = 0
    spent: list[float] = []
    for row in rows:
        dialogue = Dialogue(PHRASES, classifier, NAMES)
        for earlier in filter(None, [row.get("after")]):
            dialogue.hear(earlier, tools=TOOLS)
            dialogue.told("Done.")
        started = time.process_time()
        act = dialogue.hear(row["text"], tools=TOOLS)
        spent.append(time.process_time() - started)

        good = _is_right(row["intent"], act)
        right += good
        wrong_calls += bool(act.calls) and not good
        if row["intent"] in (OUT_OF_SCOPE, "other"):
            outside += 1
            outside_right += good
        else:
            inside += 1
            refused += act.intent in (OUT_OF_SCOPE, UNCLEAR)
        expected = _slots(row)
        found = sum(1 for slot, value in expected.items() if _same(act.slots.get(slot), value))
        said += len(expected)
        heard += found
        if misses and (not good or found < len(expected)):
            print(f"  {row['intent']:12} {row['text']!r} -> {act.intent} {dict(act.slots)}", file=sys.stderr)
    return Score(
        name=name,
        rows=len(rows),
        intent=right / len(rows),
        refused=refused / inside,
        out_of_scope=outside_right / outside if outside else None,
        wrong_call=wrong_calls / len(rows),
        slots=heard / said if said else None,
        turn_us=sorted(spent)[len(spent) // 2] * 1e6,
    )


def _is_right(intent: str, act: Act) -> bool:
    if intent == "stop":
        return act.intent in STOPS
    if intent == "other":  # matters this version cannot do, or no bank can
        return not act.calls
    if intent == OUT_OF_SCOPE:
        return act.intent in (OUT_OF_SCOPE, UNCLEAR)
    return act.intent == intent


def _slots(row: Mapping[str, Any]) -> dict[str, Any]:
    """The slots this agent type knows; neither a joint or business account nor an amount in dollars is one of them."""
    known = {SLOT_NAMES.get(str(name), str(name)): value for name, value in row["slots"].items()}
    if "dollars" in row["text"]:
        known.pop("amount", None)
    if "account" in known:
        account = ACCOUNTS.get(str(known.pop("account")))
        known |= {"account": account} if account and not known.get("amount") else {}
    return known


def _same(heard: object, said: object) -> bool:
    """Whether the values agree; of a name the first part is enough."""
    if heard is None:
        return False
    return str(heard).lower().split()[0] == str(said).lower().split()[0]


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _share(value: float | None) -> str:
    return f"{value:7.1%}" if value is not None else f"{'-':>7}"


def _as_json(result: Score) -> dict[str, Any]:
    return {field: getattr(result, field) for field in Score.__slots__}


if __name__ == "__main__":
    sys.exit(main())
