"""How the language model's requests become acts: validated, in one transaction, answered in a sentence."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import FunctionCallResultProperties
from pipecat.services.llm_service import FunctionCallParams
from pydantic import ConfigDict, ValidationError, create_model
from sqlalchemy.ext.asyncio import AsyncSession

from calls.events import ToolOutcome
from core.clock import monotonic_s, utc_now
from core.db import Database
from core.errors import AppError
from core.tasks import finish
from identity.actor import Actor
from pipelines.base import Draft, Json, Means, Spoken, Tool, ToolContext, ToolFunction
from pipelines.truth import Truth

T = TypeVar("T")

TOOL_TIMEOUT_S = 8.0
"""A tool that takes longer is reported as failed; what it writes may still complete and is found in the record."""

MAX_CALLS_PER_TURN = 8
"""Tool calls one turn may draw; a model in a loop is stopped here."""

END_CALL = "end_call"
"""The tool every agent type has: take leave and hang up."""

MAX_HEARD = 8
"""The caller's last turns in which an amount may have been said."""

MAX_HEARD_CHARS = 1000

Notify = Callable[[Mapping[str, Json]], None]
OnDraft = Callable[[Draft], Awaitable[None]]


def tool(*, doing: str = "", writes: bool = False) -> Callable[[ToolFunction], Tool]:
    """Make a `Tool` of `async def name(ctx, argument: type = default, …) -> Spoken`.

    The docstring is what the language model reads; annotate arguments with `Annotated[…, Field(description=…)]`.

    Args:
        doing: What the page shows meanwhile.
        writes: Whether it changes data.
    """

    def make(function: ToolFunction) -> Tool:
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (hints[name], default)
        arguments = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
        return Tool(
            name=function.__name__,
            description=inspect.getdoc(function) or "",
            arguments=arguments,
            run=function,
            doing=doing,
            writes=writes,
        )

    return make


def schemas(tools: Sequence[Tool]) -> ToolsSchema:
    """What the language model is told about `tools`, with `end_call` added."""
    end_call = FunctionSchema(
        name=END_CALL,
        description="Hang up, after the caller has taken leave and you have said goodbye.",
        properties={},
        required=[],
    )
    return ToolsSchema(standard_tools=[*map(_schema, tools), end_call])


def _schema(tool: Tool) -> FunctionSchema:
    schema = tool.arguments.model_json_schema()
    return FunctionSchema(
        name=tool.name,
        description=tool.description,
        properties=schema.get("properties", {}),
        required=schema.get("required", []),
    )


class ToolDesk:
    """Carries out one call's tool requests as its customer, whatever the model claims.

    Args:
        db: Where the tools work.
        customer_id: The logged-in customer; no tool takes another.
        call_id: The call, for the record and for idempotency keys.
        actor: The caller, for the record.
        means: The server's own.
        notify: Tells the page what is being done; must not block.
        admitted: Raises if the caller's log-in does not stand any more; asked in every transaction that writes.
        language: Of the conversation, without a region.
    """

    def __init__(
        self,
        db: Database,
        *,
        customer_id: str,
        call_id: str,
        actor: Actor,
        means: Means,
        notify: Notify,
        admitted: Callable[[AsyncSession], Awaitable[None]] | None = None,
        language: str = "en",
    ) -> None:
        self.language = language
        self.truth = Truth(language)
        self.on_draft: OnDraft | None = None
        self.on_view: Callable[[str], None] | None = None
        self.on_tool: Callable[[str, int, ToolOutcome], None] | None = None
        """Told a tool's name, how many milliseconds it took and how it ended; not of one that the caller cut off."""
        self._db = db
        self._customer_id = customer_id
        self._call_id = call_id
        self._actor = actor
        self._means = means
        self._notify = notify
        self._admitted = admitted
        self._calls_this_turn = 0
        self._turn = 0
        self._heard: deque[tuple[int, str]] = deque(maxlen=MAX_HEARD)
        self._guess = ""

    def new_turn(self) -> None:
        """The caller spoke again: the count of tool calls starts anew."""
        self._calls_this_turn = 0

    def hear(self, text: str) -> None:
        """Remember what the caller said: amounts are taken from their own words only."""
        self._turn += 1
        self._heard.append((self._turn, text[:MAX_HEARD_CHARS]))
        self._guess = ""

    def guess(self, text: str) -> None:
        """Note what the caller has probably said before their turn is over ("": nothing); no act may rest on it."""
        self._guess = text[:MAX_HEARD_CHARS]

    @property
    def last_heard(self) -> str:
        """The caller's newest words that still count, or are about to."""
        return self._guess or (self._heard[-1][1] if self._heard else "")

    @property
    def turn(self) -> int:
        """How many turns the caller has had."""
        return self._turn

    def forget_heard(self, *, until: int | None = None) -> None:
        """What was said up to a turn (all, if None) has been settled and counts for nothing else."""
        while self._heard and (until is None or self._heard[0][0] <= until):
            self._heard.popleft()

    def handler(self, tool: Tool) -> Callable[[FunctionCallParams], Any]:
        """The pipecat function handler that runs `tool`."""

        async def handle(params: FunctionCallParams) -> None:
            result, draft = await self.run(tool, params.arguments, call_key=params.tool_call_id)
            # A draft is read out by the server; the model has nothing to add.
            silent = FunctionCallResultProperties(run_llm=False) if draft is not None else None
            await params.result_callback(result, properties=silent)
            if draft is not None and self.on_draft is not None:
                await self.on_draft(draft)

        return handle

    async def run(
        self, tool: Tool, arguments: Mapping[str, Any], *, call_key: str
    ) -> tuple[dict[str, Json], Draft | None]:
        """Run `tool`; what the model is told (`{"say": …}`, `{"error": code, "say": …}`) and what waits for a word."""
        self._calls_this_turn += 1
        if self._calls_this_turn > MAX_CALLS_PER_TURN:
            return self._failed("too_many_steps", "I'm going round in circles. Please ask me again in other words.")
        try:
            checked = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            # The model reads this and may correct itself; the fields are named, what was in them is not repeated.
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()) or "arguments"
            return self._failed("invalid_arguments", "Sorry, I didn't get that right. Could you say it again?", fields)
        self._notify({"type": "tool-started", "name": tool.name, "doing": tool.doing})
        card: Mapping[str, Json] = {}
        outcome: ToolOutcome | None = None
        began_at = monotonic_s()
        try:
            work = self._transact(tool, {name: getattr(checked, name) for name in type(checked).model_fields}, call_key)
            async with asyncio.timeout(TOOL_TIMEOUT_S):
                # What has begun to write is finished, whatever happens to the line.
                spoken = await (finish(work, owner=f"tool {tool.name}") if tool.writes else work)
            outcome = "ok"
            card = spoken.card
            self._take_note(spoken, arguments)
            if spoken.draft is not None:
                return {"status": "read to the caller by the server; it is not done yet, wait for their answer"}, (
                    spoken.draft
                )
            return {"say": spoken.text, **({"facts": dict(card)} if card else {})}, None
        except AppError as error:
            outcome = "refused" if error.status < 500 else "failed"
            return self._failed(error.code, error.spoken, arguments=arguments)
        except TimeoutError:
            outcome = "failed"
            logger.error("Tool {} took longer than {} s", tool.name, TOOL_TIMEOUT_S)
            return self._failed("timeout", "That is taking too long just now. Please ask me again in a moment.")
        except Exception as error:  # noqa: BLE001 - a tool's edge: the call goes on, the cause goes to the log
            outcome = "failed"
            logger.opt(exception=error).error("Tool {} failed: {}", tool.name, type(error).__name__)
            return self._failed("failed", "Sorry, something went wrong on our side. Please try again.")
        finally:
            self._notify({"type": "tool-finished", "name": tool.name, "card": dict(card) if card else None})
            if outcome is not None and self.on_tool is not None:
                self.on_tool(tool.name, round((monotonic_s() - began_at) * 1000), outcome)

    def _take_note(self, spoken: Spoken, arguments: Mapping[str, Any]) -> None:
        """What the database has said may be said by the model too, but for what came from it or from others."""
        for text in (spoken.text, *spoken.also):
            self.truth.told(_without(text, (*_texts(arguments), *spoken.foreign)))
        if spoken.done is not None:
            self.truth.committed(spoken.done.amount, *spoken.done.names)
        if spoken.view is not None and self.on_view is not None:
            self.on_view(spoken.view)

    async def in_transaction(self, act: Callable[[ToolContext], Awaitable[T]]) -> T:
        """Do `act` as the caller, in one write transaction.

        Raises: AppError.
        """
        async with self._db.transaction() as db:
            await self._check_admitted(db)
            return await act(self._context(db, f"{self._call_id}:teller"))

    async def _transact(self, tool: Tool, arguments: Mapping[str, Any], call_key: str) -> Spoken:
        async with self._db.transaction() if tool.writes else self._db.reading() as db:
            # Models number their calls as they like; within one turn the same number is the same call.
            key = f"{self._call_id}:{self._turn}:{call_key}"
            if tool.writes:
                await self._check_admitted(db)
            return await tool.run(self._context(db, key), **arguments)

    async def _check_admitted(self, db: AsyncSession) -> None:
        if self._admitted is not None:
            await self._admitted(db)

    def _context(self, db: AsyncSession, key: str) -> ToolContext:
        return ToolContext(
            db=db,
            customer_id=self._customer_id,
            call_id=self._call_id,
            key=key,
            now=utc_now(),
            actor=replace(self._actor, command=self.last_heard or None),
            means=self._means,
            heard=tuple(text for _, text in self._heard),
            language=self.language,
        )

    def _failed(
        self, code: str, say: str, fields: str = "", arguments: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Json], None]:
        self.truth.told(_without(say, _texts(arguments or {})))
        return {"error": code, "say": say, **({"fields": fields} if fields else {})}, None


def _texts(arguments: Mapping[str, Any]) -> list[str]:
    return [value for value in arguments.values() if isinstance(value, str)]


def _without(text: str, foreign: Iterable[str]) -> str:
    """`text` without what somebody else put into it: that proves nothing."""
    for words in sorted(filter(None, foreign), key=len, reverse=True):
        if " " in words.strip():  # a single word claims nothing, and names belong into sentences
            text = re.sub(re.escape(words.strip()), " … ", text, flags=re.IGNORECASE)
    return text
