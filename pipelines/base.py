"""What an agent type is: one frozen declaration, and the context its tools run in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from core.money import Money
from core.settings import Settings
from identity.actor import Actor
from identity.delivery import Delivery
from identity.mfa import Asked
from identity.tokens import Claims
from providers.base import LanguageNotOffered
from providers.phrases import Phrases

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Means:
    """What the server gives every agent type to work with.

    Attributes:
        secret: Signs drafts and hashes codes.
        delivery: Sends codes to people.
    """

    settings: Settings
    secret: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who is asking and with what means; made by the server for each tool call, never from the model's words.

    Attributes:
        db: A session inside the tool call's one transaction; the tool neither commits nor rolls back.
        customer_id: The logged-in customer.
        call_id: The call this happens in.
        key: Idempotency key of this tool call, stable over retries.
        now: The moment of the call, aware UTC.
        actor: The caller, for the record.
        means: The server's own.
        heard: The caller's latest turns as recognised or typed, oldest first.
        language: Of the conversation, without a region.
    """

    db: AsyncSession
    customer_id: str
    call_id: str
    key: str
    now: datetime
    actor: Actor
    means: Means
    heard: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Draft:
    """Something that waits for the caller's word, as it stands in the database.

    Attributes:
        id: Of the draft.
        read_back: What is read to the caller before they are asked: rendered by the server from the row.
        card: The same for the page.
    """

    id: str
    read_back: str
    card: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Act:
    """What an act is about, for holding the model's claims against.

    Attributes:
        amount: The money it moves; None where it moves none.
        names: To whom, or what it is about: every name it may be called by, the one to speak first.
    """

    amount: Money | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a draft, read from its committed row.

    Attributes:
        state: `open` is a draft that still waits for a word or a code.
        say: The sentence for the caller.
        card: The row for the page, where something was done.
        act: What was, or was not, done.
        code: The second factor that is asked for.
        right: Whether the code just given was right, where one was.
    """

    state: Literal["open", "done", "declined", "expired", "failed"]
    say: str
    act: Act
    card: Mapping[str, Json] = field(default_factory=dict)
    code: Asked | None = None
    right: bool | None = None


class Drafts(Protocol):
    """How an agent type's drafts are settled; each function runs in one transaction of its own."""

    async def confirm(self, ctx: ToolContext, draft_id: str) -> Outcome:
        """The caller has agreed."""
        ...

    async def decline(self, ctx: ToolContext, draft_id: str) -> Outcome:
        """The caller does not want it, or it was replaced."""
        ...

    async def answer(self, ctx: ToolContext, draft_id: str, code: str) -> Outcome:
        """The caller has typed a code."""
        ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a tool found or did, for the ear and for the page.

    Attributes:
        text: One or two short sentences, already in spoken form ("ten thousand rupees").
        card: Plain data the call page may show.
        draft: What waits for the caller's word; the server then reads it out itself, and the model stays silent.
        foreign: Texts in `text` that people wrote, and that prove nothing.
        also: Sentences the model may say although `text` has no room for them.
        done: What was committed with this tool call.
        view: The page to show, one of the agent type's `views`.
    """

    text: str
    card: Mapping[str, Json] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    draft: Draft | None = None
    done: Act | None = None
    view: str | None = None


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
class Wording:
    """What an agent type says, and what is said of it, in one more language; see `AgentType` for each."""

    name: str
    description: str
    greeting: str
    instructions: str
    can_do: tuple[str, ...] = ()
    try_saying: tuple[str, ...] = ()


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
        drafts: How what needs the caller's word is settled; None where nothing does.
        views: The pages a tool may have shown.
        language: The language all this is in, without a region ("en", "hi").
        also_in: What it is called and says in other languages, by their tags without a region.
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
    drafts: Drafts | None = None
    views: frozenset[str] = frozenset()
    language: str = "en"
    also_in: Mapping[str, Wording] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it serves, without regions, its own first."""
        return (self.language, *self.also_in)

    def in_language(self, tag: str) -> AgentType:
        """The same agent type, speaking the language of a BCP 47 tag ("hi", "hi-IN").

        Raises: LanguageNotOffered.
        """
        language = base_language(tag)
        if language == self.language:
            return self
        wording = self.also_in.get(language)
        if wording is None:
            raise LanguageNotOffered(f"The agent type {self.id} does not speak {tag}")
        own = Wording(self.name, self.description, self.greeting, self.instructions, self.can_do, self.try_saying)
        return replace(
            self,
            name=wording.name,
            description=wording.description,
            greeting=wording.greeting,
            instructions=wording.instructions,
            can_do=wording.can_do,
            try_saying=wording.try_saying,
            language=language,
            also_in={tag: other for tag, other in self.also_in.items() if tag != language} | {self.language: own},
        )


def base_language(tag: str) -> str:
    """A BCP 47 tag without region and script: "hi" of "hi-IN"."""
    return tag.replace("_", "-").partition("-")[0].lower()
