"""How the language model's requests become acts: validated, in one transaction, answered in a sentence."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.services.llm_service import FunctionCallParams
from pydantic import ConfigDict, ValidationError, create_model

from core.clock import utc_now
from core.db import Database
from core.errors import AppError
from core.tasks import finish
from pipelines.base import Json, Spoken, Tool, ToolContext, ToolFunction

TOOL_TIMEOUT_S = 8.0
"""A tool that takes longer is reported as failed; what it writes may still complete and is found in the record."""

MAX_CALLS_PER_TURN = 8
"""Tool calls one turn may draw; a model in a loop is stopped here."""

END_CALL = "end_call"
"""The tool every agent type has: take leave and hang up."""

Notify = Callable[[Mapping[str, Json]], None]


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
        notify: Tells the page what is being done; must not block.
    """

    def __init__(self, db: Database, *, customer_id: str, call_id: str, notify: Notify) -> None:
        self._db = db
        self._customer_id = customer_id
        self._call_id = call_id
        self._notify = notify
        self._calls_this_turn = 0

    def new_turn(self) -> None:
        """The caller spoke again: the count of tool calls starts anew."""
        self._calls_this_turn = 0

    def handler(self, tool: Tool) -> Callable[[FunctionCallParams], Any]:
        """The pipecat function handler that runs `tool`."""

        async def handle(params: FunctionCallParams) -> None:
            await params.result_callback(await self.run(tool, params.arguments, call_key=params.tool_call_id))

        return handle

    async def run(self, tool: Tool, arguments: Mapping[str, Any], *, call_key: str) -> dict[str, Json]:
        """Run `tool` and return what the model is told: `{"say": …}` or `{"error": code, "say": …}`."""
        self._calls_this_turn += 1
        if self._calls_this_turn > MAX_CALLS_PER_TURN:
            return _failed("too_many_steps", "I'm going round in circles. Please ask me again in other words.")
        try:
            checked = tool.arguments.model_validate(arguments)
        except ValidationError as error:
            # The model reads this and may correct itself; the fields are named, what was in them is not repeated.
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()) or "arguments"
            return _failed("invalid_arguments", "Sorry, I didn't get that right. Could you say it again?", fields)
        self._notify({"type": "tool-started", "name": tool.name, "doing": tool.doing})
        card: Mapping[str, Json] = {}
        try:
            work = self._transact(tool, {name: getattr(checked, name) for name in type(checked).model_fields}, call_key)
            async with asyncio.timeout(TOOL_TIMEOUT_S):
                # What has begun to write is finished, whatever happens to the line.
                spoken = await (finish(work, owner=f"tool {tool.name}") if tool.writes else work)
            card = spoken.card
            return {"say": spoken.text, **({"facts": dict(card)} if card else {})}
        except AppError as error:
            return _failed(error.code, error.spoken)
        except TimeoutError:
            logger.error("Tool {} took longer than {} s", tool.name, TOOL_TIMEOUT_S)
            return _failed("timeout", "That is taking too long just now. Please ask me again in a moment.")
        except Exception as error:  # noqa: BLE001 - a tool's edge: the call goes on, the cause goes to the log
            logger.opt(exception=error).error("Tool {} failed: {}", tool.name, type(error).__name__)
            return _failed("failed", "Sorry, something went wrong on our side. Please try again.")
        finally:
            self._notify({"type": "tool-finished", "name": tool.name, "card": dict(card) if card else None})

    async def _transact(self, tool: Tool, arguments: Mapping[str, Any], call_key: str) -> Spoken:
        async with self._db.transaction() if tool.writes else self._db.reading() as db:
            context = ToolContext(
                db=db,
                customer_id=self._customer_id,
                call_id=self._call_id,
                key=f"{self._call_id}:{call_key}",
                now=utc_now(),
            )
            return await tool.run(context, **arguments)


def _failed(code: str, say: str, fields: str = "") -> dict[str, Json]:
    return {"error": code, "say": say, **({"fields": fields} if fields else {})}
