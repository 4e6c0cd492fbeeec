"""Claude through the real pipecat service: text, tools, the cache, what it costs, and a vendor that fails."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import anthropic as sdk
import httpx2
import pytest
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.utils.errors import ErrorCategory

from core.errors import NotFound
from core.settings import Settings
from providers import anthropic, chat_completions
from providers.base import Brief
from providers.chat_completions import EstimatedTokens
from providers.phrases import Phrases
from tests.doubles.anthropic_messages import (
    AnthropicMessages,
    Errs,
    Fails,
    Says,
    Turn,
    Unended,
    Uses,
)
from tests.doubles.script import Script
from tests.talking import BALANCE, BRANCH, Talking, talking, unanswered

BRIEF = Brief("banking", "You answer for a bank.", Phrases(intents=(), can_do="I can tell your balance."))
KEY = "sk-ant-api03-q8zRk5LwT2vXy7"


def settings_for(url: str, *, key: str = KEY, model: str = "claude-haiku-4-5") -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        anthropic_api_key=key,  # pyright: ignore[reportArgumentType]
        anthropic_base_url=url,
        anthropic_model=model,
    )


def claude(server: AnthropicMessages, **kwargs: Any) -> LLMService:
    return anthropic.llm(settings_for(server.url, **kwargs), BRIEF)


def only_error(talk: Talking) -> tuple[ErrorCategory | None, str]:
    assert len(talk.errors) == 1
    assert talk.errors[0].exception is not None
    return talk.errors[0].category, talk.errors[0].error


# The double


async def test_the_vendors_own_sdk_talks_to_the_double() -> None:
    uses = Uses([(BALANCE, {"account": "savings"})], pieces=["Let me ", "look."])
    async with (
        AnthropicMessages(uses, uses, key=KEY) as server,
        sdk.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=0) as client,
    ):
        ask: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        ask["tools"] = [{"name": BALANCE, "input_schema": {"type": "object"}}]
        async with client.messages.stream(**ask) as stream:
            kinds = [event.type async for event in stream]
            streamed = await stream.get_final_message()
        whole = await client.messages.create(**ask)
        models = await client.models.list()
    assert {"message_start", "content_block_delta", "input_json", "text", "message_stop"} <= set(kinds)
    for message in (streamed, whole):
        assert [block.type for block in message.content] == ["text", "tool_use"]
        assert message.content[1].input == {"account": "savings"}  # pyright: ignore[reportAttributeAccessIssue]
        assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 7)
    assert [model.id for model in models.data] == ["claude-haiku-4-5"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, sdk.BadRequestError),
        (401, sdk.AuthenticationError),
        (429, sdk.RateLimitError),
        (500, sdk.InternalServerError),
        (529, sdk.APIStatusError),
    ],
)
async def test_the_sdk_knows_the_doubles_refusals(status: int, error: type[sdk.APIStatusError]) -> None:
    async with AnthropicMessages() as server, sdk.AsyncAnthropic(base_url=server.url, api_key=KEY) as client:
        server.scripts.always = Script(status=status, retry_after_s=7)
        with pytest.raises(error) as refused:
            await client.with_options(max_retries=0).messages.create(
                model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]
            )
    assert refused.value.status_code == status
    assert refused.value.response.headers["retry-after"] == "7"
    assert refused.value.type


# What is sent


async def test_the_line_is_open_before_the_first_question() -> None:
    async with AnthropicMessages(Says(["Hello."]), key=KEY) as server, talking(claude(server)) as talk:
        async with asyncio.timeout(5):
            while not server.connections:
                await asyncio.sleep(0.01)
        assert not server.requests
        await talk.turn()
        assert server.connections == 1


async def test_text_is_streamed_and_the_request_is_made_for_speech() -> None:
    async with AnthropicMessages(Says(["You have ", "ten ", "dollars."]), key=KEY) as server:
        async with talking(claude(server)) as talk:
            assert await talk.turn() == "You have ten dollars."
        assert talk.text == ["You have ", "ten ", "dollars."]
        assert not talk.errors
        request, headers = server.requests[0], server.headers[0]
    assert request["model"] == "claude-haiku-4-5"
    assert request["max_tokens"] == chat_completions.ANSWER_TOKENS
    assert request["thinking"] == {"type": "disabled"}
    assert request["stream"] is True
    assert [tool["name"] for tool in request["tools"]] == [BALANCE, BRANCH]
    assert request["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "temperature" not in request
    assert headers["x-api-key"] == KEY


async def test_without_tools_none_is_chosen() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server), tools=False) as talk:
        assert await talk.turn() == "Hello."
        assert "tool_choice" not in server.requests[0]


async def test_a_model_that_cannot_but_think_has_room_for_it() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server:
        async with talking(claude(server, model="claude-opus-5-5")) as talk:
            assert await talk.turn() == "Hello."
        assert server.requests[0]["max_tokens"] == chat_completions.ANSWER_TOKENS + chat_completions.THOUGHT_TOKENS
        assert server.requests[0]["output_config"] == {"effort": "low"}


async def test_a_call_that_begins_with_the_agents_greeting_begins_with_the_user_for_the_vendor() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server), said="") as talk:
        talk.context.add_message({"role": "assistant", "content": "Welcome to the bank."})
        assert await talk.turn("Hi") == "Hello."
        assert [message["role"] for message in server.requests[0]["messages"]] == ["user", "assistant", "user"]


async def test_an_answer_never_goes_on_with_the_agents_own_sentence() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server)) as talk:
        talk.context.add_message({"role": "assistant", "content": "You have"})
        assert await talk.turn() == "Hello."
        assert server.requests[0]["messages"][-1]["role"] == "user"


async def test_a_line_is_used_again_for_the_next_turn() -> None:
    async with AnthropicMessages(answer=lambda _: Says(["Yes."])) as server, talking(claude(server)) as talk:
        for _ in range(3):
            assert await talk.turn("And now?") == "Yes."
        assert (len(server.requests), server.connections) == (3, 1)


# Tools


async def test_a_tool_is_carried_out_and_its_result_goes_back() -> None:
    uses = Uses([(BALANCE, {"account": "savings"})], pieces=["One moment."])
    async with AnthropicMessages(uses, Says(["Ten dollars."])) as server, talking(claude(server)) as talk:
        assert await talk.turn(answers=2) == "One moment.Ten dollars."
        assert talk.tools == [(BALANCE, {"account": "savings"})]
        assert "get_balance done" in str(server.requests[1]["messages"][-1]["content"])
        assert not talk.errors


async def test_of_several_tools_the_first_is_carried_out_and_the_model_asked_again() -> None:
    def answer(body: dict[str, Any]) -> Turn:
        results = str(body["messages"]).count("'tool_result'")
        both = [(BALANCE, {"account": "savings"}), (BRANCH, {})]
        return Uses(both[results:]) if results < 2 else Says(["Done."])

    async with AnthropicMessages(answer=answer) as server, talking(claude(server)) as talk:
        assert await talk.turn(answers=3) == "Done."
        assert talk.tools == [(BALANCE, {"account": "savings"}), (BRANCH, {})]
        assert not talk.errors


@pytest.mark.parametrize("given", ['{"account": "sav', "[1, 2]", "savings"])
async def test_arguments_that_cannot_be_read_run_nothing_and_are_not_logged(given: str) -> None:
    async with AnthropicMessages(Uses([(BALANCE, given)]), Says(["Again."])) as server:
        async with talking(claude(server)) as talk:
            await talk.turn()
            category, _ = only_error(talk)
            assert category is ErrorCategory.SERVER
            assert talk.tools == []
            assert await talk.turn() == "Again."
        assert not [entry for entry in talk.log if given in entry]


EVENTS = 9  # of one tool use: message start, block start, ping, three deltas, block stop, message delta, message stop


@pytest.mark.parametrize("events", range(EVENTS))
@pytest.mark.parametrize("politely", [False, True], ids=["cut", "ended early"])
async def test_a_broken_off_tool_use_is_never_carried_out(events: int, politely: bool) -> None:
    uses = Uses([(BALANCE, {"account": "savings"})])
    turn = Unended(uses, events) if politely else uses
    async with AnthropicMessages(turn) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script() if politely else Script(cut_after=events))
        await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY
        assert talk.tools == []


async def test_a_whole_tool_use_is_carried_out_for_comparison() -> None:
    uses = Unended(Uses([(BALANCE, {"account": "savings"})]), EVENTS)
    async with AnthropicMessages(uses, Says(["Ten."])) as server, talking(claude(server)) as talk:
        await talk.turn(answers=2)
        assert len(talk.tools) == 1


async def test_a_tool_use_at_the_end_of_the_tokens_is_an_error() -> None:
    uses = Uses([(BALANCE, {"account": "savings"})], pieces=["Let me see."], stop="max_tokens")
    async with AnthropicMessages(uses) as server, talking(claude(server)) as talk:
        assert await talk.turn() == "Let me see."
        assert only_error(talk)[0] is ErrorCategory.SERVER
        assert talk.tools == []


# Failures


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (401, ErrorCategory.AUTHENTICATION),
        (402, ErrorCategory.QUOTA),
        (403, ErrorCategory.AUTHORIZATION),
        (404, ErrorCategory.INVALID_REQUEST),
        (429, ErrorCategory.RATE_LIMIT),
        (500, ErrorCategory.SERVER),
        (504, ErrorCategory.SERVER),
        (529, ErrorCategory.SERVER),
    ],
)
async def test_a_refusal_is_told_at_once_and_asked_once(status: int, category: ErrorCategory) -> None:
    async with AnthropicMessages() as server, talking(claude(server)) as talk:
        server.scripts.always = Script(status=status, retry_after_s=30)
        began = time.monotonic()
        assert await talk.turn() == ""
        assert time.monotonic() - began < 2
        told, words = only_error(talk)
        assert told is category
        assert words.startswith(f"{status}: ")
        assert len(server.requests) == 1
        assert talk.usage == []


@pytest.mark.parametrize("status", [400, 413])
async def test_a_request_that_is_not_taken_does_not_end_the_call(status: int) -> None:
    async with AnthropicMessages(Says(["Again."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(status=status))
        assert await talk.turn() == ""
        assert only_error(talk)[0] is ErrorCategory.UNKNOWN
        assert talk.llm.is_usable
        assert await talk.turn() == "Again."
        assert not talk.ended


@pytest.mark.parametrize(
    "told",
    [
        "Your credit balance is too low to access the Anthropic API.",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
    ],
)
async def test_a_used_up_credit_is_known_from_its_words(told: str) -> None:
    turn = Fails(400, "invalid_request_error", told)
    async with AnthropicMessages(turn) as server, talking(claude(server)) as talk:
        await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.QUOTA


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("overloaded_error", ErrorCategory.SERVER),
        ("api_error", ErrorCategory.SERVER),
        ("rate_limit_error", ErrorCategory.RATE_LIMIT),
    ],
)
async def test_an_error_in_the_middle_of_an_answer_keeps_what_was_said(kind: str, category: ErrorCategory) -> None:
    turn = Errs(Says(["You have ", "ten."]), events=4, kind=kind)
    async with AnthropicMessages(turn) as server, talking(claude(server)) as talk:
        assert await talk.turn() == "You have "
        told, words = only_error(talk)
        assert (told, kind in words) == (category, True)


@pytest.mark.parametrize("politely", [False, True], ids=["cut", "ended early"])
async def test_a_broken_off_answer_keeps_what_was_said(politely: bool) -> None:
    says = Says(["You have ", "ten."])
    async with AnthropicMessages(Unended(says, 4) if politely else says) as server, talking(claude(server)) as talk:
        if not politely:
            server.scripts.turns.append(Script(cut_after=4))
        assert await talk.turn() == "You have "
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


@pytest.mark.parametrize("stall_after", [0, 1, 4], ids=["from the start", "before a word", "after a word"])
async def test_a_vendor_that_falls_silent_is_given_up_and_told_of(
    stall_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anthropic, "SILENT_S", 0.3)
    async with AnthropicMessages(Says(["You have ", "ten."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(stall_after=stall_after))
        began = time.monotonic()
        assert await talk.turn() == ("You have " if stall_after == 4 else "")
        assert time.monotonic() - began < 3
        category, words = only_error(talk)
        assert category is ErrorCategory.CONNECTIVITY
        assert "timed out" in words.lower()
        await asyncio.wait_for(server.stopped.wait(), 5)


async def test_a_slow_drip_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic, "SILENT_S", 0.5)
    async with AnthropicMessages(Says(["You ", "have ", "ten."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(first_byte_s=0.2, pace_s=0.1))
        assert await talk.turn() == "You have ten."
        assert not talk.errors


async def test_garbage_is_an_error() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(garbage=True))
        assert await talk.turn() == ""
        assert only_error(talk)[0] is ErrorCategory.SERVER


async def test_an_answer_without_a_word_is_one() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(wrong=True))
        assert await talk.turn() == ""
        assert not talk.errors


@pytest.mark.parametrize("scheme", ["http", "https"], ids=["no answer to the call", "no answer to the handshake"])
async def test_a_vendor_that_does_not_pick_up_is_given_up(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic, "CONNECT_S", 0.3)
    with unanswered(full=scheme == "http") as port:
        async with talking(anthropic.llm(settings_for(f"{scheme}://127.0.0.1:{port}"), BRIEF)) as talk:
            began = time.monotonic()
            assert await talk.turn() == ""
            assert time.monotonic() - began < 2
    assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


async def test_a_vendor_that_is_not_there_is_told_of_at_once() -> None:
    async with AnthropicMessages() as server, talking(claude(server)) as talk:
        await server.__aexit__(None, None, None)
        began = time.monotonic()
        assert await talk.turn() == ""
        assert time.monotonic() - began < 3
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


async def test_what_a_tool_raises_is_no_fault_of_the_vendor() -> None:
    async with AnthropicMessages(Uses([(BRANCH, {})]), Says(["Sorry."])) as server, talking(claude(server)) as talk:

        async def fail(_params: FunctionCallParams) -> None:
            raise NotFound("there is no such branch")

        talk.llm.register_function(BRANCH, fail)
        assert await talk.turn(answers=2) == "Sorry."
        category, words = only_error(talk)
        assert category is ErrorCategory.APPLICATION
        assert "get_branch" in words


# What is used


async def test_each_turn_finds_the_one_before_in_the_cache() -> None:
    async with AnthropicMessages(answer=lambda _: Says(["Yes."])) as server, talking(claude(server)) as talk:
        for _ in range(3):
            await talk.turn("And now?")
            await talk.remembered("Yes.")
        marked = [block for block in server.requests[0]["system"] if "cache_control" in block]
    first, second, third = talk.usage
    assert len(marked) == 1
    assert first.cache_creation_input_tokens
    assert not first.cache_read_input_tokens
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert (third.cache_read_input_tokens or 0) > (second.cache_read_input_tokens or 0)
    for used in talk.usage:
        assert type(used).__name__ == "LLMTokenUsage"
        assert used.completion_tokens == 7
        read, written = used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0
        assert used.total_tokens == used.prompt_tokens + read + written + 7


async def test_an_interrupted_answer_is_counted_by_estimate_and_hung_up_on() -> None:
    async with AnthropicMessages(Says(["You have ten dollars. "] * 20)) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(stall_after=13))
        await talk.begin()
        await talk.until(lambda: len(talk.text) == 10)
        await talk.interrupt()
        await asyncio.wait_for(server.stopped.wait(), 5)
        (used,) = talk.usage
        assert isinstance(used, EstimatedTokens)
        assert used.completion_tokens == 55  # 220 bytes
        assert used.cache_creation_input_tokens
        assert not talk.errors


async def test_a_turn_interrupted_before_its_first_word_is_counted_by_estimate() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(stall_after=0))
        await talk.begin()
        while not server.requests:
            await asyncio.sleep(0.01)
        await talk.interrupt()
        (used,) = talk.usage
        assert isinstance(used, EstimatedTokens)
        assert used.prompt_tokens > 50
        assert used.completion_tokens == 0


async def test_a_broken_off_answer_is_counted_by_estimate() -> None:
    async with AnthropicMessages(Says(["You have ten dollars.", "x"])) as server, talking(claude(server)) as talk:
        server.scripts.turns.append(Script(cut_after=4))
        await talk.turn()
        (used,) = talk.usage
        assert isinstance(used, EstimatedTokens)
        assert used.completion_tokens == 6


@pytest.mark.parametrize(
    ("model", "output"), [("claude-haiku-4-5-20251001", 5), ("claude-sonnet-5", 10), ("claude-opus-5-5", 20)]
)
def test_models_have_the_price_of_their_name(model: str, output: int) -> None:
    prices = anthropic.PRICES.of(model)
    assert prices is not None
    assert prices.llm_output_mtok == output


def test_an_unknown_model_has_no_price() -> None:
    assert anthropic.PRICES.of("claude-nobody-9") is None


# The key


@pytest.mark.parametrize("turn", [Fails(500, "api_error", f"we were sent {KEY}"), Errs(Says(["a"]), 3, message=KEY)])
async def test_the_key_is_told_to_nobody(turn: Turn) -> None:
    async with AnthropicMessages(turn) as server:
        async with talking(claude(server)) as talk:
            await talk.turn()
            _, words = only_error(talk)
        assert KEY not in words + repr(talk.llm) + str(talk.errors[0])
        assert not [entry for entry in talk.log if KEY in entry]


async def test_checking_the_key() -> None:
    async with AnthropicMessages(key=KEY) as server:
        await anthropic.check(settings_for(server.url))
        with pytest.raises(sdk.AuthenticationError):
            await anthropic.check(settings_for(server.url, key="sk-ant-wrong"))
        server.scripts.always = Script(status=529)
        with pytest.raises(sdk.APIStatusError):
            await anthropic.check(settings_for(server.url))
        assert len(server.headers) == 3
    with pytest.raises(sdk.APIConnectionError):
        await anthropic.check(settings_for(server.url))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (KEY, "ANTHROPIC_API_KEY is set; claude-haiku-4-5"),
        (f" {KEY}\n", "ANTHROPIC_API_KEY is set; claude-haiku-4-5"),
        ("", "ANTHROPIC_API_KEY is not set"),
        ("sk-ant…", "ANTHROPIC_API_KEY holds characters that no key has"),
        ("sk ant", "ANTHROPIC_API_KEY holds characters that no key has"),
    ],
)
def test_it_is_ready_with_a_key(key: str, why: str) -> None:
    state = anthropic.ready(settings_for("", key=key), "llm")
    assert (state.ok, state.why) == ("is set" in why, why)


async def test_a_key_with_a_line_break_is_sent_without(tmp_path: Path) -> None:
    async with AnthropicMessages(Says(["Hello."]), key=KEY) as server, talking(claude(server, key=f"{KEY}\n")) as talk:
        assert await talk.turn() == "Hello."


async def test_nothing_is_left_open() -> None:
    async with AnthropicMessages(Says(["Hello."])) as server:
        async with talking(claude(server)) as talk:
            await talk.turn()
        client: Any = talk.llm
        assert client._client.is_closed()
        assert isinstance(client._client._client, httpx2.AsyncClient)


async def test_it_is_loaded_before_the_first_call() -> None:
    anthropic._service.cache_clear()
    await anthropic.warm(settings_for(""), [BRIEF])
    assert anthropic._service.cache_info().currsize == 1
