"""What an agent type declares about how people speak to it.

The offline recogniser builds its language model from these declarations and the offline language service takes its
intents and slots from them. Cloud vendors use them for hints only. Templates are written as

    (what is|what's) my [{account}] balance [please]

where `(a|b)` is a choice, `[x]` is optional, and `{slot}` stands for any value of the slot's entity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BUILTIN_ENTITIES = ("number", "money", "digits", "date", "time", "name")
"""Entities every agent type may use without declaring them. `name` is filled with the caller's own names."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A closed list of things a caller may name.

    Attributes:
        name: As used in slots.
        values: Canonical value to the ways of saying it, all in lower case words.
    """

    name: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument of an intent's tool.

    Attributes:
        name: The tool's argument name, and the `{name}` in templates.
        entity: A declared entity's name or one of `BUILTIN_ENTITIES`.
        ask: The question that fills it when the caller left it out; None makes the slot optional.
    """

    name: str
    entity: str
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing a caller may want.

    Attributes:
        name: Snake_case, unique in the agent type.
        phrases: Templates, the more varied the better.
        slots: What may be heard inside the phrases.
        tool: Name of the tool that does it, called with the slots as arguments.
        reply: What to answer when no tool is needed.
    """

    name: str
    phrases: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    tool: str | None = None
    reply: str | None = None


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
    """

    intents: tuple[Intent, ...]
    can_do: str
    entities: tuple[Entity, ...] = field(default=())
    goodbye: str = "Goodbye."
