"""What an agent type is: one frozen declaration, and the context its tools run in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from providers.phrases import Phrases

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who is asking and with what means; made by the server for each tool call, never from the model's words.

    Attributes:
        db: A session inside the tool call's one transaction; the tool neither commits nor rolls back.
        customer_id: The logged-in customer.
        call_id: The call this happens in.
        key: Idempotency key of this tool call, stable over retries.
        now: The moment of the call, aware UTC.
    """

    db: AsyncSession
    customer_id: str
    call_id: str
    key: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a tool found, for the ear and for the page.

    Attributes:
        text: One or two short sentences, already in spoken form ("ten thousand rupees").
        card: Plain data the call page may show.
    """

    text: str
    card: Mapping[str, Json] = field(default_factory=dict)


ToolFunction = Callable[..., Awaitable[Spoken]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the language model may ask for.

    Attributes:
        name: What the model calls it.
        description: What the model reads: the function's docstring.
        parameters: JSON schema of the arguments, by name.
        required: Names that must be given.
        run: `async def run(ctx, **arguments) -> Spoken`.
        doing: What the page shows while it runs ("Looking up your balance").
        changes_money: Whether it moves money; such a tool is never cancelled by speech.
    """

    name: str
    description: str
    parameters: Mapping[str, Mapping[str, Json]]
    required: tuple[str, ...]
    run: ToolFunction
    doing: str = ""
    changes_money: bool = False


@dataclass(frozen=True, slots=True)
class AgentType:
    """One kind of agent: what it is called, what it says, what it can do.

    Attributes:
        id: Identifier in URLs and settings; the file's name in `pipelines/`.
        name: As shown on its card.
        description: One sentence on the card.
        greeting: First words of a call.
        instructions: System instruction for a language model.
        phrases: How callers speak to it.
        tools: What it can do.
        can_do: Short lines for the card.
        try_saying: Example sentences for the card.
        names: Loads the proper names this customer may say; None when there are none.
        admit: Makes sure the customer exists (a guest gets a demo customer at first use) and returns its id.
    """

    id: str
    name: str
    description: str
    greeting: str
    instructions: str
    phrases: Phrases
    tools: tuple[Tool, ...]
    can_do: tuple[str, ...] = ()
    try_saying: tuple[str, ...] = ()
    names: Callable[[AsyncSession, str], Awaitable[tuple[str, ...]]] | None = None
    admit: Callable[[AsyncSession, str], Awaitable[str]] | None = None
