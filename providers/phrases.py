"""What an agent type declares about how people speak to it.

The offline recogniser builds its language model from these declarations and the offline language service takes its
intents and slots from them. Cloud vendors use them for hints only. Templates are written as

    (what is|what's) my [{account}] balance [please]

where `(a|b)` is a choice, `[x]` is optional, and `{slot}` stands for any value of the slot's entity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

Value = str | int | float
"""What a slot is filled with; a truth value counts as a whole number."""

BUILTIN_ENTITIES = ("number", "money", "digits", "date", "time", "name", "text")
"""Entities every agent type may use without declaring them. `name` is filled with the caller's own names, `text` with
whatever is said behind one of the slot's `text_after`."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A closed list of things a caller may name.

    Attributes:
        name: As used in slots.
        values: Canonical value to the ways of saying it, all in lower case words.
        telling: Whether which of the values is said tells what is wanted ("open my bills"); of others only matters that
            there is one ("send it from my savings").
    """

    name: str
    values: Mapping[str, tuple[str, ...]]
    telling: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument of an intent's tool.

    Attributes:
        name: The tool's argument name, and the `{name}` in templates.
        entity: A declared entity's name or one of `BUILTIN_ENTITIES`.
        ask: The question that fills it when the caller left it out; None makes the slot optional.
        after: Words one of which stands before the value ("from", "out of"), where other words before it would mean
            something else; an answer needs none.
        text_after: Words behind which anything is taken as it was said, where no value of the entity is; those that
            tell most come first.
    """

    name: str
    entity: str
    ask: str | None = None
    after: tuple[str, ...] = ()
    text_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing a caller may want.

    Attributes:
        name: Snake_case, unique in the agent type.
        phrases: Templates, the more varied the better.
        slots: What may be heard inside the phrases.
        tool: Name of the tool that does it, called with the slots as arguments.
        reply: What to answer when no tool is needed or there; what to say before a tool's answer otherwise.
        arguments: What the tool is called with besides the slots.
    """

    name: str
    phrases: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    tool: str | None = None
    reply: str | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phrases:
    """All that an agent type declares about its conversations.

    Attributes:
        intents: What callers may want, beyond what every conversation has (help, repeat, slower, yes, no, thanks,
            goodbye), which the offline language service brings itself.
        entities: The closed lists used by the slots.
        can_do: One sentence that says what this agent can do; the answer to "what can you do" and to anything
            out of scope.
        goodbye: What to say when the caller takes leave.
        zone: Where the callers live: what today and nine o'clock are.
        currency: Of the amounts this agent type deals with; amounts in others are none.
    """

    intents: tuple[Intent, ...]
    can_do: str
    entities: tuple[Entity, ...] = field(default=())
    goodbye: str = "Goodbye."
    zone: tzinfo = UTC
    currency: str = "INR"
