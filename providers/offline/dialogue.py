"""What to say or do about each turn of one conversation, decided by rules and one shared classifier.

Everything about the agent's business comes from its `Phrases`. What the conversation is about stands in one frozen
`Memory`, so a turn that is taken back takes its effects with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product

from core.clock import utc_now
from providers.offline.everyday import ELSEWHERE, EVERYDAY
from providers.offline.hearing import Ear, Span, words_of
from providers.offline.intents import OUT_OF_SCOPE, Classifier, Guess
from providers.phrases import Intent, Phrases, Slot, Value

END_CALL = "end_call"
"""The tool that hangs up, called after taking leave wherever the pipeline offers it."""

UNCLEAR = "unclear"
"""The intent of words that were probably meant for the agent but were not understood."""

MAX_CALLS = 3
"""Tool calls one turn may lead to ("my savings and my current account")."""

_OPTIONS_NAMED = 6
"""A question is repeated with its possible answers where there are at most this many."""

_SURE = 1.5
"""From this score on, words decide what is wanted even where something else was expected."""

_NEARLY = 2.0
_CLOSE = 1.0
_JOINTS_TRIED = 3

_SURE_OF_GOODBYE = 3.0
"""From this score on, a turn without "bye" is a goodbye: nothing is worse than to hang up on a guess."""

_EVERYDAY = {intent.name: intent for intent in EVERYDAY.intents}

_ELSEWHERE = {word for template in ELSEWHERE for word in words_of(template)}

_NOT_UNDERSTOOD = (
    "Sorry, I didn't catch that. Could you say it again?",
    "I'm sorry, I still didn't get that. Please try other words. {can_do}",
    "I'm having trouble understanding you. A short sentence works best. {can_do}",
)
_CANNOT = (
    "I can't help with that. {can_do}",
    "That's outside what I can do here. {can_do}",
    "I'm afraid that's not something I know about. {can_do}",
)
_HELP = ("{can_do} What would you like?", "{can_do} Just ask.")
_MORE = "Is there anything else?"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that carry no wish of their own: what is left of a turn without them and without values tells whether the
# values complete the request before ("no, the current one", "and the last three").
_CARRIERS = _set(
    "a about account again also an and another but can could do either else first for from give how i in instead is it "
    "just last latest like make me mean meant my need no not now of oh okay on one ones only or other please recent "
    "right said say show so some sorry tell than that the them then these this those to uh um want wanted well what "
    "which with would yes you actually rather newest past previous most check try thing things hey will be was let us "
    "hmm mm er erm ah use using change amount same mine instead wait rupees hold oops should say take"
)
_NEGATIONS = _set("not except without than isn't never")
_AFTER_NEGATION = _set("my the a from in to for on with that it using of")
_NEGATION_REACHES = 3
# What people put before a request; it is no request itself.
_OPENERS = _set(
    "hi hello hey okay thanks thank you yes yeah no nope please sorry um uh well so and also then right alright good "
    "morning afternoon evening great fine perfect sure now actually oh there sir madam wait hmm mm er erm ah"
)
_CORRECTS = _set("no not sorry actually wait make meant mean instead rather oops correction")
_LEAVING = _set("bye goodbye")
_JOINTS = _set("and then also plus")
# With one of these a turn is a sentence of its own, unless it goes on with "about": "what about savings".
_ASKING = _set("what how check show tell give read say is can could want like need")
# A text that was asked for does not begin with one of these.
_QUESTIONS = _set("what how which who when where why is are do does did can could show tell")
# With one of these a request takes over what is known of the one before.
_SAME = _set("it that same him her them no not actually sorry wait instead rather")
# Turns that are about the talking, not the business: what was said before them is still "the last thing said".
_ASIDES = _set("unclear repeat slower faster wait louder hear_me")


@dataclass(frozen=True, slots=True)
class Call:
    """A request for one of the pipeline's tools."""

    tool: str
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """What to do about a turn.

    Attributes:
        intent: What the turn was taken for: an intent's name, `OUT_OF_SCOPE` or `UNCLEAR`.
        say: What to say at once; the answer of `calls` comes later.
        calls: Tools to ask for.
        pace: Steps to speak faster, negative for slower.
        slots: What is known about the intent, by slot.
    """

    intent: str
    say: str = ""
    calls: tuple[Call, ...] = ()
    pace: int = 0
    slots: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a conversation is about at one moment.

    Attributes:
        intent: The last thing asked for that a tool does.
        slots: What is known about it.
        asking: The slot whose question is open.
        calls: Tool calls of the last act.
        said: The last thing said, in full even if the caller cut it off.
        unclear: Words of the last turn, if it was not understood.
        misses: Turns not understood in a row.
        refusals: Turns out of scope so far; varies the wording.
        refused: Whether the last answer of a tool was that it could not be done so.
        acts: What was last known about each thing to be done, for "send him two hundred more".
    """

    intent: str | None = None
    slots: Mapping[str, Value] = field(default_factory=dict)
    asking: str | None = None
    calls: tuple[Call, ...] = ()
    said: str = ""
    unclear: tuple[str, ...] = ()
    misses: int = 0
    refusals: int = 0
    refused: bool = False
    acts: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


class Dialogue:
    """One conversation.

    Args:
        phrases: The agent type's declarations.
        classifier: Made from the same `phrases`; shared by all conversations.
        names: Proper names this caller may say, as written.
        clock: Tells the present moment.
    """

    def __init__(
        self,
        phrases: Phrases,
        classifier: Classifier,
        names: Collection[str] = (),
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.memory = Memory()
        self._phrases = phrases
        self._classifier = classifier
        self._ear = Ear(phrases, classifier.literals, names, currency=phrases.currency, clock=clock)
        self._own = {intent.name: intent for intent in phrases.intents}

    def hear(self, text: str, *, tools: Collection[str]) -> Act:
        """Decide about a turn.

        Args:
            text: What the caller said or typed.
            tools: Names of the tools on offer.
        """
        words = self._ear.listen(text)
        act = self._answer_asked(words, tools) or self._follow_up(words, tools) or self._request(words, tools)
        if act is None and self.memory.unclear:
            # A turn that ended too early makes sense once the rest has come.
            act = self._request((*self.memory.unclear, *words), tools, least=_SURE)
        act = act or self._not_understood(words)
        if act.intent != UNCLEAR:
            self.memory = replace(self.memory, misses=0, unclear=())
        said = self.memory.said if act.intent in _ASIDES else act.say or self.memory.said
        self.memory = replace(self.memory, calls=act.calls, said=said)
        return act

    def told(self, text: str, error: str = "") -> None:
        """Remember what a tool's answer made the agent say.

        Args:
            text: What was said.
            error: The code of a refusal. Where it names a slot or its entity ("which_payee", "bad_time"), that slot's
                value is what the caller may say next.
        """
        self.memory = replace(self.memory, said=text, calls=(), refused=bool(error))
        if error:
            intent, about = self._own.get(self.memory.intent or ""), error.split("_")
            slots = intent.slots if intent else ()
            asking = next((slot.name for slot in slots if slot.name in about or slot.entity in about), None)
            self.memory = replace(self.memory, asking=asking)

    def resume(self) -> Act:
        """Go on after noise cut the agent off: ask for the unfinished tools again, or say the last thing again."""
        return Act("resume", "" if self.memory.calls else self.memory.said, self.memory.calls)

    # What the words are taken for. Each gives None where they are not that.

    def _answer_asked(self, words: Sequence[str], tools: Collection[str]) -> Act | None:
        """The answer to the open question about a slot, if there is one."""
        asked = self._asked_slot()
        if asked is None:
            return None
        intent = self._own[self.memory.intent or ""]
        guess = self._best(words)
        values = self._values(intent, words, answer=True)
        if not values and asked.entity in ("date", "time"):
            words = ("at", *words)  # "Nine" says when only as an answer.
            values = self._values(intent, words, answer=True)
        fits = guess is None or guess.intent == intent.name
        sure = guess is not None and guess.score >= _SURE
        if sure and fits:
            values = self._values(intent, words) | values  # a whole sentence: a name nobody knows is not the one before
        if asked.entity == "text" and (fits or not self._is_own_turn(guess, words)):
            text = self._ear.answer(asked, intent, words)
            values |= {asked.name: text} if text else {}
            fits = True
        complete = self._residue(intent, words) == 0
        if (asked.name in values and (complete or fits)) or (values and complete and (fits or not sure)):
            return self._do(intent, {**self.memory.slots, **values}, tools)
        if guess is not None and (sure or (guess.intent in _EVERYDAY and asked.name not in values)):
            return None
        if asked.name not in values and asked.text_after and (said := self._ear.answer(asked, intent, words)):
            values[asked.name] = said
        if asked.name in values:
            return self._do(intent, {**self.memory.slots, asked.name: values[asked.name]}, tools)
        return self._ask_again(asked) if asked.ask else None

    def _is_own_turn(self, guess: Guess | None, words: Sequence[str]) -> bool:
        """Whether words that could be the text asked for are rather a turn of their own ("never mind")."""
        if guess is None or guess.score < _SURE:
            return False
        return guess.intent in _EVERYDAY or bool(_QUESTIONS.intersection(words[:1]))

    def _follow_up(self, words: Sequence[str], tools: Collection[str]) -> Act | None:
        """A turn that only makes sense as a change to the request before: "and the current account?", "no, five"."""
        intent = self._own.get(self.memory.intent or "")
        if intent is None:
            return None
        values = self._values(intent, words, answer=True)
        if not values and any(slot.entity == "time" for slot in intent.slots):
            words = ("at", *(word for word in words if word not in _CARRIERS))  # "make it ten"
            values = self._values(intent, words, answer=True)
        if not values or self._residue(intent, words) > 0:
            return None
        guess = self._best(words)
        another = self._own.get(guess.intent) if guess is not None and guess.score >= _SURE else None
        if (
            another not in (None, intent)
            and another.tool
            and any(word in _ASKING and words[at + 1 : at + 2] != ("about",) for at, word in enumerate(words))
        ):
            return None
        told = {slot.name for slot in intent.slots if slot.ask or slot.entity not in self._ear.declared}
        settled = not (self.memory.refused or self.memory.said.endswith("?"))
        if _acts(intent) and settled and not told.intersection(values):
            return None  # "What about my savings" is no wish to do it once more from there.
        return self._do(intent, {**self.memory.slots, **values}, tools, words)

    def _request(self, words: Sequence[str], tools: Collection[str], least: float = 0.0) -> Act | None:
        guess = self._best(words)
        if guess is None or guess.intent not in self._own:
            at = next((i for i, word in enumerate(words) if word not in _OPENERS), len(words))
            rest = self._best(words[at:]) if 0 < at < len(words) - 1 else None
            if rest is not None and (guess is None or rest.intent in self._own):
                guess = rest
        if guess is None:
            guess = self._likely(words)
        if guess is None or guess.score < least:
            return None
        if guess.intent not in self._own:
            return self._everyday(guess.intent, tools)
        intent = self._own[guess.intent]
        values = self._values(intent, words)
        if _SAME.intersection(words):  # "no, send it to Ravi"
            unclear = {slot.name for slot in intent.slots if slot.entity == "money" and self._ear.find("number", words)}
            before = self.memory.acts.get(intent.name, {})
            values = {name: value for name, value in before.items() if name not in unclear} | values
        return self._two_requests(words, tools) or self._do(intent, values, tools, words)

    def _two_requests(self, words: Sequence[str], tools: Collection[str]) -> Act | None:
        """Both parts of "my balance and the last three transactions"."""
        joints = [at for at, word in enumerate(words) if word in _JOINTS and 0 < at < len(words) - 1]
        for at in joints[:_JOINTS_TRIED]:
            first, second = self._best(words[:at]), self._best(words[at + 1 :])
            if first is None or second is None or first.intent == second.intent:
                continue
            if min(first.score, second.score) < _SURE or not {first.intent, second.intent} <= self._own.keys():
                continue
            parts = [(self._own[first.intent], words[:at]), (self._own[second.intent], words[at + 1 :])]
            if any(intent.tool not in tools or _acts(intent) for intent, _ in parts):
                continue
            if any(self._residue(intent, part) == 0 for intent, part in parts):
                continue  # a mere value is no request of its own: "savings and current"
            acts = [self._do(intent, self._values(intent, heard), tools, heard) for intent, heard in parts]
            return Act(second.intent, calls=tuple(call for act in acts for call in act.calls)[:MAX_CALLS])
        return None

    def _not_understood(self, words: Sequence[str]) -> Act:
        memory = self.memory
        first = self._classifier.rank(self._ear.tagged(words))[0].intent if words else UNCLEAR
        if first == OUT_OF_SCOPE and not memory.misses:
            self.memory = replace(memory, refusals=memory.refusals + 1, asking=None)
            return Act(OUT_OF_SCOPE, self._worded(_CANNOT[memory.refusals % len(_CANNOT)]))
        self.memory = replace(memory, misses=memory.misses + 1, unclear=tuple(words))
        return Act(UNCLEAR, self._worded(_NOT_UNDERSTOOD[min(memory.misses, len(_NOT_UNDERSTOOD) - 1)]))

    # What is done about them.

    def _do(self, intent: Intent, slots: Mapping[str, Value], tools: Collection[str], words: Sequence[str] = ()) -> Act:
        """Carry out one of the agent's own intents, or ask for what is missing."""
        if intent.tool is None or intent.tool not in tools:
            self.memory = replace(self.memory, intent=None, slots={}, asking=None)
            say = intent.reply or self._worded("I can't do that just now. {can_do}")
            return Act(intent.name, say, slots=slots)
        known = self._dated(intent, slots)
        missing = next((slot for slot in intent.slots if slot.ask and slot.name not in known), None)
        self.memory = replace(
            self.memory, intent=intent.name, slots=dict(slots), asking=missing.name if missing else None, refused=False
        )
        if _acts(intent):
            self.memory = replace(self.memory, acts={**self.memory.acts, intent.name: dict(slots)})
        if missing is not None:
            return Act(intent.name, missing.ask or "", slots=slots)
        return Act(intent.name, intent.reply or "", self._calls(intent, intent.tool, known, words), slots=known)

    def _dated(self, intent: Intent, slots: Mapping[str, Value]) -> Mapping[str, Value]:
        """With the day, where a time of day was said without one: the next such time."""
        day = next((slot.name for slot in intent.slots if slot.entity == "date" and slot.ask), None)
        time = next((slot.name for slot in intent.slots if slot.entity == "time"), None)
        if day is None or time is None or day in slots or time not in slots:
            return slots
        return {**slots, day: self._ear.next_day_at(str(slots[time]))}

    def _calls(self, intent: Intent, tool: str, slots: Mapping[str, Value], words: Sequence[str]) -> tuple[Call, ...]:
        """One call, or one for each value where several were named ("savings and current")."""
        several = [] if _acts(intent) else [slot for slot in intent.slots if slot.entity in self._ear.declared]
        named = {slot.name: self._named(slot, words) for slot in several}
        choices = [named.get(name) or [value] for name, value in slots.items()]
        combinations = [dict(zip(slots, values, strict=True)) for values in product(*choices)]
        return tuple(Call(tool, {**intent.arguments, **arguments}) for arguments in combinations[:MAX_CALLS])

    def _ask_again(self, slot: Slot) -> Act:
        """The open question once more; from the second time on with what may be answered."""
        misses = self.memory.misses
        options = [value for e in self._phrases.entities if e.name == slot.entity for value in e.values]
        question = f"Sorry, I didn't get that. {slot.ask}"
        if misses and 1 < len(options) <= _OPTIONS_NAMED:
            question = f"Please say {', '.join(options[:-1])} or {options[-1]}."
        self.memory = replace(self.memory, misses=misses + 1)
        return Act(UNCLEAR, question)

    def _everyday(self, name: str, tools: Collection[str]) -> Act:
        """What every conversation has."""
        memory = self.memory
        question = self._question()
        if name in ("no", "cancel") and memory.said.endswith(_MORE):
            name = "goodbye"
        if name == "goodbye":
            self.memory = Memory(said=memory.said)
            return Act(name, self._phrases.goodbye, (Call(END_CALL),) if END_CALL in tools else ())
        if name in ("no", "cancel"):
            self.memory = replace(memory, asking=None)
            return Act(name, _EVERYDAY["cancel"].reply or "") if question else Act(name, _EVERYDAY[name].reply or "")
        if name == "help":
            return Act(name, self._worded(_HELP[bool(memory.said)]))
        if name == "repeat":
            return Act(name, memory.said or self._worded(_HELP[0]))
        if name == "slower":
            return Act(name, f"I'll try to speak more slowly. {memory.said}".strip(), pace=-1)
        if name == "faster":
            return Act(name, f"I'll try to speak faster. {question}".strip(), pace=1)
        reply = _EVERYDAY[name].reply or ""
        if name == "who_are_you":
            reply = f"{reply} {self._phrases.can_do}"
        if name == "wait" or not question:
            return Act(name, reply)
        return Act(name, f"{reply.split('. ')[0].rstrip('.')}. {question}")

    # What is read out of the words.

    def _best(self, words: Sequence[str]) -> Guess | None:
        """The clearest intent that is clear enough; of several nearly as clear, the one that accounts for most."""
        if not words:
            return None
        guesses = self._classifier.rank(self._ear.tagged(words))
        guess = guesses[0]
        if guess.intent in self._own:
            close = [g for g in guesses if g.intent in self._own and g.score >= max(0.0, guess.score - _CLOSE)]
            guess = max(close, key=lambda g: len(self._named_slots(g.intent, words)), default=guess)
        least = _SURE_OF_GOODBYE if guess.intent == "goodbye" and not _LEAVING.intersection(words) else 0.0
        return guess if guess.intent != OUT_OF_SCOPE and guess.score >= least else None

    def _named_slots(self, name: str, words: Sequence[str]) -> list[Slot]:
        """The intent's slots that were given a value, in other words than people use about everything ("today")."""
        intent = self._own[name]
        common = {slot.name: _ELSEWHERE if slot.entity in self._ear.declared else () for slot in intent.slots}
        return [
            slot
            for slot in intent.slots
            if any(
                not set(words[span.start : span.end]).issubset(common[slot.name])
                for span in self._spans(slot, words, intent)
            )
        ]

    def _likely(self, words: Sequence[str]) -> Guess | None:
        """An intent that just missed being clear, while all it needs, or a thing it may be about, was named."""
        for guess in self._classifier.rank(self._ear.tagged(words)):
            intent = self._own.get(guess.intent)
            if intent is None or not intent.tool or guess.score < -_NEARLY:
                continue
            named = self._named_slots(guess.intent, words)
            needed = [slot for slot in intent.slots if slot.ask]
            all_needed = len(needed) > 1 and all(slot in named for slot in needed)
            if all_needed or (not needed and any(slot.entity in self._ear.declared for slot in named)):
                return replace(guess, score=0.0)
        return None

    def _values(self, intent: Intent, words: Sequence[str], *, answer: bool = False) -> dict[str, Value]:
        """The value each slot is given; of several the last, since people correct themselves forwards.

        What is to be done is done one at a time: of several that are merely listed, the first.

        Args:
            intent: Whose slots.
            words: What was said.
            answer: Whether they answer a question or change a request, and need not be a request of their own.
        """
        found: dict[str, Value] = {}
        which = 0 if _acts(intent) and not _CORRECTS.intersection(words) else -1
        for slot in intent.slots:
            if spans := self._spans(slot, words, intent, answer=answer):
                found[slot.name] = spans[which].value
            elif not answer and (text := self._ear.text(slot, intent, words)):
                found[slot.name] = text.value
        return found

    def _named(self, slot: Slot, words: Sequence[str]) -> list[Value]:
        """All values given for a slot where they are listed rather than corrected."""
        if _CORRECTS.intersection(words):
            return []
        return list(dict.fromkeys(span.value for span in self._spans(slot, words)))

    def _spans(
        self, slot: Slot, words: Sequence[str], intent: Intent | None = None, *, answer: bool = False
    ) -> list[Span]:
        """Where a slot's values stand, without those ruled out ("not savings, current")."""
        spans = self._ear.find(slot.entity, words)
        ends = [0, *(span.end for span in spans)]
        spans = [
            span
            for span, end in zip(spans, ends, strict=False)
            if not span.dropped and not _is_ruled_out(words[end : span.start])
        ]
        alone = intent is None or sum(other.entity == slot.entity for other in intent.slots) == 1
        if not slot.after or (answer and alone):
            return spans
        return [span for span in spans if _comes_after(slot.after, words[: span.start])]

    def _residue(self, intent: Intent, words: Sequence[str]) -> int:
        """How many words neither belong to a value of the intent's slots nor merely carry one."""
        taken = {
            at
            for slot in intent.slots
            for span in self._ear.find(slot.entity, words)
            for at in range(span.start, span.end)
        }
        return sum(1 for at, word in enumerate(words) if at not in taken and word not in _CARRIERS)

    def _asked_slot(self) -> Slot | None:
        intent = self._own.get(self.memory.intent or "")
        if intent is None or self.memory.asking is None:
            return None
        return next(slot for slot in intent.slots if slot.name == self.memory.asking)

    def _question(self) -> str:
        asked = self._asked_slot()
        return (asked.ask or "") if asked else ""

    def _worded(self, pattern: str) -> str:
        return pattern.format(can_do=self._phrases.can_do)


def _is_ruled_out(before: Sequence[str]) -> bool:
    """Whether the words before a value say that it is not the one: "not from my", but not "I do not have my"."""
    at = len(before)
    while at and len(before) - at < _NEGATION_REACHES and before[at - 1] in _AFTER_NEGATION:
        at -= 1
    return at > 0 and before[at - 1] in _NEGATIONS


def _comes_after(cues: Sequence[str], words: Sequence[str]) -> bool:
    """Whether one of the cues stands last, a possessive or an article behind it or not."""
    said = list(words)
    while said and said[-1] in ("my", "the", "our", "own"):
        said.pop()
    return any(said[-len(cue) :] == cue for cue in (cue.split() for cue in cues))


def _acts(intent: Intent) -> bool:
    """Whether it needs to be told something: such things are done one at a time, questions may be put together."""
    return any(slot.ask for slot in intent.slots)
