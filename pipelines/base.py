"""What an agent type is: one frozen declaration, and the context its tools run in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from identity.tokens import Claims
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
    """A function the language model may ask for; made by the `tool` decorator of `pipelines.tools`.

    Attributes:
        name: What the model calls it.
        description: What the model reads: the function's docstring.
        arguments: Model of the arguments; validates what the language model sent.
        run: `async def run(ctx, **arguments) -> Spoken`.
        doing: What the page shows while it runs ("Looking up your balance").
        writes: Whether it changes data; it then runs in a write transaction and speech never cancels it.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    run: ToolFunction
    doing: str = ""
    writes: bool = False


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
        admit: The customer of whoever is logged in, made at first use for a guest; raises AppError for anyone else.
        can_do: Short lines for the card.
        try_saying: Example sentences for the card.
        names: Loads the proper names this customer may say; None when there are none.
    """

    id: str
    name: str
    description: str
    greeting: str
    instructions: str
    phrases: Phrases
    tools: tuple[Tool, ...]
    admit: Callable[[AsyncSession, Claims, datetime], Awaitable[str]]
    can_do: tuple[str, ...] = ()
    try_saying: tuple[str, ...] = ()
    names: Callable[[AsyncSession, str], Awaitable[tuple[str, ...]]] | None = None
