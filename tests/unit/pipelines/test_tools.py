"""Tool requests of a language model that cannot be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import pytest_asyncio
from pydantic import Field

from core.db import Database, migrate
from core.errors import Busy, NotFound
from core.settings import Settings
from identity.actor import Actor
from identity.delivery import of_settings
from pipelines.base import Draft, Means, Spoken, Tool, ToolContext
from pipelines.tools import MAX_CALLS_PER_TURN, ToolDesk, schemas, tool

seen: list[ToolContext] = []


@tool(doing="Counting")
async def count_up(
    ctx: ToolContext,
    count: Annotated[int, Field(ge=1, le=20, description="How many")] = 3,
    account: Literal["savings", "current"] | None = None,
) -> Spoken:
    """Count to a number."""
    seen.append(ctx)
    return Spoken(f"{count} {account}", {"count": count})


@tool()
async def lose(ctx: ToolContext) -> Spoken:
    """Always fail, as expected."""
    raise NotFound("There is no such account", spoken="I can't find that account.")


@tool()
async def break_down(ctx: ToolContext) -> Spoken:
    """Always fail, unexpectedly."""
    raise RuntimeError("psql://bank:secret@db refused")


@tool()
async def find_nobody_in(ctx: ToolContext) -> Spoken:
    """Fail for a fault of ours that passes."""
    raise Busy("The server is busy")


@tool()
async def dawdle(ctx: ToolContext) -> Spoken:
    """Never come to an end."""
    await asyncio.Event().wait()
    raise AssertionError


@tool(doing="Drafting", writes=True)
async def draft(ctx: ToolContext) -> Spoken:
    """Ask for the caller's word."""
    seen.append(ctx)
    return Spoken("Shall I?", draft=Draft("trf_1", "Shall I?", {"id": "trf_1"}))


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    migrate(url)
    db = Database(url)
    yield db
    await db.close()


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def desk(db: Database, told: list[Any]) -> ToolDesk:
    seen.clear()
    return ToolDesk(
        db,
        customer_id="cus_1",
        call_id="call_1",
        actor=Actor("otp_1", "otp", "voice", call_id="call_1"),
        means=Means(Settings(_env_file=None), "s" * 32, of_settings(Settings(_env_file=None))),  # pyright: ignore
        notify=told.append,
    )


async def run(desk: ToolDesk, asked: Tool, arguments: dict[str, Any], call_key: str = "k") -> dict[str, Any]:
    result, draft = await desk.run(asked, arguments, call_key=call_key)
    assert draft is None
    return result


async def test_a_tool_runs_as_the_logged_in_customer(desk: ToolDesk, told: list[Any]) -> None:
    result = await run(desk, count_up, {"count": 5, "account": "savings"})
    assert result == {"say": "5 savings", "facts": {"count": 5}}
    assert (seen[0].customer_id, seen[0].call_id, seen[0].key) == ("cus_1", "call_1", "call_1:0:k")
    assert [message["type"] for message in told] == ["tool-started", "tool-finished"]
    assert told[0]["doing"] == "Counting"
    assert told[1]["card"] == {"count": 5}


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 0},
        {"count": 10**30},
        {"count": "many"},
        {"account": "yours"},
        {"customer_id": "cus_2"},
        {"count": None},
    ],
)
async def test_arguments_are_checked_and_identity_is_none_of_them(desk: ToolDesk, arguments: dict[str, Any]) -> None:
    result = await run(desk, count_up, arguments)
    assert result["error"] == "invalid_arguments"
    assert result["fields"] == next(iter(arguments))
    assert not seen


async def test_expected_failures_are_said_as_they_are(desk: ToolDesk) -> None:
    assert await run(desk, lose, {}) == {"error": "not_found", "say": "I can't find that account."}


async def test_unexpected_failures_tell_nothing(desk: ToolDesk) -> None:
    result = await run(desk, break_down, {})
    assert result["error"] == "failed"
    assert "psql" not in str(result)


async def test_a_model_in_a_loop_is_stopped_until_the_caller_speaks_again(desk: ToolDesk) -> None:
    for number in range(MAX_CALLS_PER_TURN):
        assert "error" not in await run(desk, count_up, {}, str(number))
    assert (await run(desk, count_up, {}, "x"))["error"] == "too_many_steps"
    desk.new_turn()
    assert "error" not in await run(desk, count_up, {}, "y")


def test_the_model_is_told_names_types_and_bounds() -> None:
    told = {schema.name: schema for schema in schemas([count_up]).standard_tools}
    assert set(told) == {"count_up", "end_call"}
    assert told["count_up"].description == "Count to a number."
    assert told["count_up"].required == []
    assert told["count_up"].properties["count"]["maximum"] == 20


async def test_what_waits_for_a_word_is_not_the_models_to_say(desk: ToolDesk) -> None:
    result, drafted = await desk.run(draft, {}, call_key="k")
    assert drafted is not None and drafted.id == "trf_1"
    assert "say" not in result and "Shall I" not in str(result)


async def test_a_tool_is_told_what_the_caller_said_lately_and_no_more(desk: ToolDesk) -> None:
    for number in range(20):
        desk.hear(f"turn {number}")
    await run(desk, count_up, {})
    assert seen[0].heard == tuple(f"turn {number}" for number in range(12, 20))
    assert seen[0].actor.command == "turn 19"
    desk.forget_heard()
    await run(desk, count_up, {})
    assert seen[1].heard == ()


async def test_what_became_of_a_tool_is_told_without_what_was_in_it(desk: ToolDesk) -> None:
    told: list[tuple[str, int, str]] = []
    desk.on_tool = lambda name, took_ms, outcome: told.append((name, took_ms, outcome))
    await run(desk, count_up, {"count": 5, "account": "savings"})
    await run(desk, count_up, {"count": "many"})  # it did not run
    for failing in (lose, find_nobody_in, break_down):
        await run(desk, failing, {})
    await desk.run(draft, {}, call_key="k")
    cut_off = asyncio.ensure_future(desk.run(dawdle, {}, call_key="k"))
    await asyncio.sleep(0.01)
    cut_off.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut_off
    assert [(name, outcome) for name, _, outcome in told] == [
        ("count_up", "ok"),
        ("lose", "refused"),
        ("find_nobody_in", "failed"),
        ("break_down", "failed"),
        ("draft", "ok"),
    ]
    assert all(0 <= took_ms < 5_000 for _, took_ms, _ in told)
