"""OpenAI, Groq, DeepSeek and Ollama through the real pipecat services: text, tools, counts, and vendors that fail."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from typing import Any

import openai as sdk
import pytest
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

from core.settings import Settings
from providers import catalog, chat_completions, ollama
from providers.base import Brief
from providers.chat_completions import ANSWER_TOKENS, THOUGHT_TOKENS, EstimatedTokens
from providers.phrases import Phrases
from tests.doubles.openai_chat import USAGE, Calls, Errs, Fails, OpenAIChat, Says, Turn, Unended
from tests.doubles.script import Script
from tests.talking import BALANCE, BRANCH, Talking, talking, unanswered

BRIEF = Brief("banking", "You answer for a bank.", Phrases(intents=(), can_do="I can tell your balance."))
KEY = "sk-proj-q8zRk5LwT2vXy7"
ONE = Calls([(BALANCE, {"account": "savings"})], whole=False)
BOTH = ((BALANCE, {"account": "savings"}), (BRANCH, {}))

Make = Callable[..., LLMService]


def settings_for(vendor: str, url: str, *, key: str = KEY, model: str = "") -> Settings:
    values = {f"{vendor}_base_url": url, f"{vendor}_api_key": key, "llm_provider": vendor, "ollama_model": "test-model"}
    if model:
        values[f"{vendor}_model"] = model
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue, reportArgumentType]


def of(vendor: str) -> Any:
    """The module of a vendor's language models."""
    return catalog._part(vendor, "llm")


@pytest.fixture(params=["openai", "groq", "deepseek", "ollama"])
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make(vendor: str) -> Make:
    """Makes the vendor's service."""

    def make(server: OpenAIChat, **kwargs: Any) -> LLMService:
        return of(vendor).llm(settings_for(vendor, server.url, **kwargs), BRIEF)

    return make


def only_error(talk: Talking) -> tuple[ErrorCategory | None, str]:
    assert len(talk.errors) == 1
    assert talk.errors[0].exception is not None
    return talk.errors[0].category, talk.errors[0].error


# The double


@pytest.mark.parametrize("whole", [True, False])
async def test_the_vendors_own_sdk_talks_to_the_double(whole: bool) -> None:
    calls = Calls(BOTH, whole=whole, together=False)
    async with (
        OpenAIChat(calls, Says(["Ten."]), key=KEY) as server,
        sdk.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client,
    ):
        ask: Any = {"model": "test-model", "messages": [{"role": "user", "content": "Hello"}]}
        stream = await client.chat.completions.create(**ask, stream=True)
        chunks = [chunk async for chunk in stream]
        answer = await client.chat.completions.create(**ask)
        models = await client.models.list()
    deltas = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()]
    names = [call.function.name for call in deltas if call.function and call.function.name]
    assert names == [BALANCE, BRANCH]
    assert {call.index for call in deltas} == ({0} if whole else {0, 1})
    assert chunks[-1].usage is not None
    assert answer.choices[0].message.content == "Ten."
    assert [model.id for model in models.data] == ["test-model"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, sdk.AuthenticationError),
        (402, sdk.APIStatusError),
        (429, sdk.RateLimitError),
        (500, sdk.InternalServerError),
    ],
)
async def test_the_sdk_knows_the_doubles_refusals(status: int, error: type[sdk.APIStatusError]) -> None:
    async with OpenAIChat() as server, sdk.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
        server.scripts.always = Script(status=status, retry_after_s=7)
        with pytest.raises(error) as refused:
            await client.with_options(max_retries=0).chat.completions.create(
                model="test-model", messages=[{"role": "user", "content": "Hello"}]
            )
    assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (status, "7")


# What is sent


async def test_text_is_streamed_and_the_request_is_made_for_speech(make: Make, vendor: str) -> None:
    async with OpenAIChat(Says(["You have ", "ten ", "dollars."])) as server:
        async with talking(make(server)) as talk:
            assert await talk.turn() == "You have ten dollars."
        assert talk.text == ["You have ", "ten ", "dollars."]
        assert not talk.errors
        request, headers = server.requests[0], server.headers[0]
    assert request["messages"][0] == {"role": "system", "content": "You answer for a bank."}
    assert request["stream_options"] == {"include_usage": True}
    assert ANSWER_TOKENS <= (request.get("max_completion_tokens") or request["max_tokens"]) <= 2000
    assert request["temperature"] < 1
    assert headers["authorization"] == f"Bearer {chat_completions.NO_KEY if vendor == 'ollama' else KEY}"


@pytest.mark.parametrize(
    ("vendor_", "model", "thinks", "sent"),
    [
        ("openai", "gpt-4.1-mini", False, {"temperature": 0.2}),
        ("openai", "gpt-5-mini", True, {"reasoning_effort": "minimal"}),
        ("openai", "gpt-5.4-mini", False, {"reasoning_effort": "none"}),
        ("openai", "gpt-5-chat-latest", False, {"temperature": 0.2}),
        ("openai", "o4-mini", True, {"reasoning_effort": "low"}),
        ("groq", "openai/gpt-oss-120b", True, {"reasoning_effort": "low", "temperature": 0.2}),
        ("groq", "qwen/qwen3-32b", False, {"reasoning_effort": "none", "temperature": 0.2}),
        ("groq", "llama-3.3-70b-versatile", False, {"temperature": 0.2}),
    ],
)
async def test_a_model_is_told_to_think_as_little_as_it_can(
    vendor_: str, model: str, thinks: bool, sent: dict[str, Any]
) -> None:
    async with OpenAIChat(Says(["Hello."])) as server:
        async with talking(of(vendor_).llm(settings_for(vendor_, server.url, model=model), BRIEF)) as talk:
            assert await talk.turn() == "Hello."
        request = server.requests[0]
    assert {name: request.get(name) for name in ("reasoning_effort", "temperature") if name in request} == sent
    assert request["max_completion_tokens"] == ANSWER_TOKENS + (THOUGHT_TOKENS if thinks else 0)


async def test_deepseek_does_not_think_first() -> None:
    async with OpenAIChat(Says(["Hello."])) as server:
        async with talking(of("deepseek").llm(settings_for("deepseek", server.url), BRIEF)) as talk:
            await talk.turn()
        assert server.requests[0]["thinking"] == {"type": "disabled"}


async def test_a_line_is_used_again_for_the_next_turn(make: Make) -> None:
    async with OpenAIChat(answer=lambda _: Says(["Yes."])) as server, talking(make(server)) as talk:
        for _ in range(3):
            assert await talk.turn("And now?") == "Yes."
        assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize(
    ("configured", "usual", "address"),
    [
        ("", "https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1"),
        ("http://127.0.0.1:9", "https://api.groq.com/openai/v1", "http://127.0.0.1:9/openai/v1"),
        ("https://gateway.example/groq", "https://api.groq.com/openai/v1", "https://gateway.example/groq"),
    ],
)
def test_an_address_may_leave_out_the_usual_path(configured: str, usual: str, address: str) -> None:
    assert chat_completions.address(configured, usual) == address


# Tools


@pytest.mark.parametrize("whole", [True, False], ids=["whole calls", "in pieces"])
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
async def test_every_tool_of_a_turn_is_carried_out(make: Make, whole: bool, together: bool) -> None:
    async with OpenAIChat(Calls(BOTH, whole=whole, together=together), Says(["Done."])) as server:
        async with talking(make(server)) as talk:
            assert await talk.turn(answers=2) == "Done."
        assert sorted(talk.tools) == [(BALANCE, {"account": "savings"}), (BRANCH, {})]
        results = [message["tool_call_id"] for message in server.requests[1]["messages"] if message["role"] == "tool"]
        assert results == ["call_0", "call_1"]
        assert not talk.errors


async def test_a_tool_without_arguments_is_carried_out(make: Make) -> None:
    async with OpenAIChat(Calls([(BRANCH, "")]), Says(["Main Street."])) as server, talking(make(server)) as talk:
        assert await talk.turn(answers=2) == "Main Street."
        assert talk.tools == [(BRANCH, {})]


@pytest.mark.parametrize("given", ['{"account": "sav', "[1, 2]", "savings"])
async def test_arguments_that_cannot_be_read_run_nothing_and_are_not_logged(make: Make, given: str) -> None:
    async with OpenAIChat(Calls([(BALANCE, given), (BRANCH, {})]), Says(["Again."])) as server:
        async with talking(make(server)) as talk:
            await talk.turn()
            assert only_error(talk)[0] is ErrorCategory.SERVER
            assert talk.tools == []
            assert await talk.turn() == "Again."
        assert not [entry for entry in talk.log if given in entry]


EVENTS = 3  # of one tool call before the model says that it has finished: its name, and its arguments in two pieces


@pytest.mark.parametrize("events", range(EVENTS + 1))
@pytest.mark.parametrize("politely", [False, True], ids=["cut", "ended early"])
async def test_a_broken_off_tool_call_is_never_carried_out(make: Make, events: int, politely: bool) -> None:
    turn = Unended(ONE, events) if politely else ONE
    async with OpenAIChat(turn) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script() if politely else Script(cut_after=events))
        await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY
        assert talk.tools == []


async def test_a_whole_tool_call_is_carried_out_for_comparison(make: Make) -> None:
    async with OpenAIChat(Unended(ONE, EVENTS + 1), Says(["Ten."])) as server, talking(make(server)) as talk:
        await talk.turn(answers=2)
        assert len(talk.tools) == 1


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_tool_call_at_the_end_of_the_tokens_is_an_error(make: Make, finish: str) -> None:
    async with OpenAIChat(Calls([(BRANCH, {})], finish=finish)) as server, talking(make(server)) as talk:
        await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.SERVER
        assert talk.tools == []


# Failures


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (401, ErrorCategory.AUTHENTICATION),
        (402, ErrorCategory.QUOTA),
        (429, ErrorCategory.RATE_LIMIT),
        (500, ErrorCategory.SERVER),
        (503, ErrorCategory.SERVER),
        (529, ErrorCategory.SERVER),
    ],
)
async def test_a_refusal_is_told_at_once_and_asked_once(make: Make, status: int, category: ErrorCategory) -> None:
    async with OpenAIChat() as server, talking(make(server)) as talk:
        server.scripts.always = Script(status=status, retry_after_s=30)
        began = time.monotonic()
        assert await talk.turn() == ""
        assert time.monotonic() - began < 2
        told, words = only_error(talk)
        assert told is category
        assert words.startswith(f"{status}: ")
        assert len(server.requests) == 1
        assert talk.usage == []


async def test_a_request_that_is_not_taken_does_not_end_the_call(make: Make) -> None:
    refusal = Fails(400, "Failed to call a function.", code="tool_use_failed", more={"failed_generation": "Ravi owes"})
    async with OpenAIChat(refusal, Says(["Again."])) as server, talking(make(server)) as talk:
        assert await talk.turn() == ""
        assert only_error(talk) == (ErrorCategory.UNKNOWN, "400: Failed to call a function. (tool_use_failed)")
        assert talk.llm.is_usable
        assert await talk.turn() == "Again."
        assert not talk.ended
        assert not [entry for entry in talk.log if "Ravi owes" in entry]


async def test_a_used_up_credit_is_not_taken_for_haste(make: Make) -> None:
    refusal = Fails(429, "You exceeded your current quota.", kind="insufficient_quota", code="insufficient_quota")
    async with OpenAIChat(refusal) as server, talking(make(server)) as talk:
        await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.QUOTA


@pytest.mark.parametrize(
    ("kind", "category"),
    [("server_error", ErrorCategory.SERVER), ("rate_limit_exceeded", ErrorCategory.RATE_LIMIT)],
)
async def test_an_error_in_the_middle_of_an_answer_keeps_what_was_said(
    make: Make, kind: str, category: ErrorCategory
) -> None:
    async with OpenAIChat(Errs(["You have "], kind=kind)) as server, talking(make(server)) as talk:
        assert await talk.turn() == "You have "
        told, words = only_error(talk)
        assert (told, kind in words) == (category, True)


@pytest.mark.parametrize("politely", [False, True], ids=["cut", "ended early"])
async def test_a_broken_off_answer_keeps_what_was_said(make: Make, politely: bool) -> None:
    says = Says(["You have ", "ten."])
    async with OpenAIChat(Unended(says, 1) if politely else says) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script() if politely else Script(cut_after=1))
        assert await talk.turn() == "You have "
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


@pytest.mark.parametrize("stall_after", [0, 1], ids=["from the start", "after a word"])
async def test_a_vendor_that_falls_silent_is_given_up_and_told_of(
    make: Make, stall_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_completions, "SILENT_S", 0.3)
    monkeypatch.setattr(ollama, "SILENT_S", 0.3)
    async with OpenAIChat(Says(["You have ", "ten."])) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(stall_after=stall_after))
        began = time.monotonic()
        assert await talk.turn() == ("You have " if stall_after else "")
        assert time.monotonic() - began < 3
        category, words = only_error(talk)
        assert category is ErrorCategory.CONNECTIVITY
        assert "timed out" in words.lower()
        await asyncio.wait_for(server.stopped.wait(), 5)


async def test_a_slow_drip_is_an_answer(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_completions, "SILENT_S", 0.5)
    monkeypatch.setattr(ollama, "SILENT_S", 0.5)
    async with OpenAIChat(Says(["You ", "have ", "ten."])) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(first_byte_s=0.2, pace_s=0.1))
        assert await talk.turn() == "You have ten."
        assert not talk.errors


async def test_garbage_is_an_error(make: Make) -> None:
    async with OpenAIChat(Says(["Hello."])) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(garbage=True))
        assert await talk.turn() == ""
        assert only_error(talk)[0] is ErrorCategory.SERVER


async def test_an_answer_without_a_word_is_one(make: Make) -> None:
    async with OpenAIChat(Says(["Hello."])) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(wrong=True))
        assert await talk.turn() == ""
        assert not talk.errors


@pytest.mark.parametrize("scheme", ["http", "https"], ids=["no answer to the call", "no answer to the handshake"])
async def test_a_vendor_that_does_not_pick_up_is_given_up(
    vendor: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_completions, "CONNECT_S", 0.3)
    with unanswered(full=scheme == "http") as port:
        settings = settings_for(vendor, f"{scheme}://127.0.0.1:{port}")
        async with talking(of(vendor).llm(settings, BRIEF)) as talk:
            began = time.monotonic()
            assert await talk.turn() == ""
            assert time.monotonic() - began < 2
    assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


async def test_a_vendor_that_is_not_there_is_told_of_at_once(make: Make) -> None:
    async with OpenAIChat() as server, talking(make(server)) as talk:
        await server.__aexit__(None, None, None)
        began = time.monotonic()
        assert await talk.turn() == ""
        assert time.monotonic() - began < 3
        assert only_error(talk)[0] is ErrorCategory.CONNECTIVITY


# What is used


async def test_what_was_found_in_the_cache_is_counted(make: Make) -> None:
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 16}}
    async with OpenAIChat(Says(["Yes."]), usage=usage) as server, talking(make(server)) as talk:
        await talk.turn()
        (used,) = talk.usage
    assert type(used).__name__ == "LLMTokenUsage"
    assert (used.prompt_tokens, used.cache_read_input_tokens, used.completion_tokens) == (20, 16, 7)


async def test_an_interrupted_answer_is_counted_by_estimate_and_hung_up_on(make: Make) -> None:
    async with OpenAIChat(Says(["You have ten dollars. "] * 20)) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(stall_after=10))
        await talk.begin()
        await talk.until(lambda: len(talk.text) == 10)
        await talk.interrupt()
        await asyncio.wait_for(server.stopped.wait(), 5)
        (used,) = talk.usage
        assert isinstance(used, EstimatedTokens)
        assert used.completion_tokens == 55  # 220 bytes
        assert used.prompt_tokens > 50
        assert not talk.errors


async def test_a_turn_interrupted_before_its_first_word_is_counted_by_estimate(make: Make) -> None:
    async with OpenAIChat(Says(["Hello."])) as server, talking(make(server)) as talk:
        server.scripts.turns.append(Script(stall_after=0))
        await talk.begin()
        while not server.requests:
            await asyncio.sleep(0.01)
        await talk.interrupt()
        (used,) = talk.usage
        assert isinstance(used, EstimatedTokens)
        assert (used.completion_tokens, used.prompt_tokens > 50) == (0, True)


@pytest.mark.parametrize(
    ("vendor_", "model", "output"),
    [
        ("openai", "gpt-4.1-mini-2025-04-14", "1.60"),
        ("openai", "gpt-4.1", "8"),
        ("groq", "openai/gpt-oss-120b", "0.60"),
        ("deepseek", "deepseek-flash", "1.20"),
        ("ollama", "anything", "0"),
    ],
)
def test_models_have_the_price_of_their_name(vendor_: str, model: str, output: str) -> None:
    prices = catalog.load(vendor_).PRICES.of(model)
    assert float(prices.llm_output_mtok) == float(output)


@pytest.mark.parametrize(("vendor_", "model"), [("openai", "gpt-5.5"), ("deepseek", "deepseek-chat")])
def test_a_model_whose_price_is_not_known_has_none(vendor_: str, model: str) -> None:
    assert catalog.load(vendor_).PRICES.of(model) is None


# The key


@pytest.mark.parametrize("turn", [Fails(500, f"we were sent {KEY}"), Errs(["a"], message=f"we were sent {KEY}")])
@pytest.mark.parametrize("vendor", ["openai", "groq", "deepseek"])
async def test_the_key_is_told_to_nobody(make: Make, turn: Turn) -> None:
    async with OpenAIChat(turn) as server, talking(make(server)) as talk:
        await talk.turn()
    assert "we were sent [key] (" in only_error(talk)[1]
    assert not [entry for entry in talk.log if KEY in entry]


async def test_a_wrong_key_is_told_of_without_it() -> None:
    async with OpenAIChat(key="another") as server:
        async with talking(of("openai").llm(settings_for("openai", server.url), BRIEF)) as talk:
            await talk.turn()
        category, words = only_error(talk)
        assert category is ErrorCategory.AUTHENTICATION
        assert words == "401: Incorrect API key provided: [key]. (invalid_api_key)"


async def test_a_password_in_the_address_is_sent_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with OpenAIChat(Says(["Hello."])) as server:
        url = server.url.replace("//", "//anna:geh%2Fheim@")
        async with talking(ollama.llm(settings_for("ollama", url), BRIEF)) as talk:
            assert await talk.turn() == "Hello."
        sent = server.headers[0]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"anna:geh/heim"
    assert "chat/completions" in caplog.text
    assert "heim" not in caplog.text + "".join(talk.log)


async def test_checking_the_key(vendor: str) -> None:
    check = catalog.load(vendor).check
    key = chat_completions.NO_KEY if vendor == "ollama" else KEY
    async with OpenAIChat(key=key) as server:
        await check(settings_for(vendor, server.url))
        server.scripts.always = Script(status=503)
        with pytest.raises(sdk.InternalServerError):
            await check(settings_for(vendor, server.url))
        assert len(server.headers) == 2
    with pytest.raises(sdk.APIConnectionError):
        await check(settings_for(vendor, server.url))


@pytest.mark.parametrize("vendor_", ["openai", "groq", "deepseek"])
async def test_checking_a_wrong_key(vendor_: str) -> None:
    async with OpenAIChat(key="another") as server:
        with pytest.raises(sdk.AuthenticationError):
            await catalog.load(vendor_).check(settings_for(vendor_, server.url))


@pytest.mark.parametrize("vendor_", ["openai", "groq", "deepseek"])
async def test_without_a_key_it_is_not_ready_and_the_vendor_says_so(vendor_: str) -> None:
    assert catalog.readiness(settings_for(vendor_, "", key=""), vendor_, "llm").why == (
        f"{vendor_.upper()}_API_KEY is not set"
    )
    assert catalog.readiness(settings_for(vendor_, ""), vendor_, "llm").ok
    async with OpenAIChat(key=KEY) as server:
        async with talking(of(vendor_).llm(settings_for(vendor_, server.url, key=""), BRIEF)) as talk:
            await talk.turn()
        assert only_error(talk)[0] is ErrorCategory.AUTHENTICATION


async def test_nothing_is_left_open(make: Make) -> None:
    async with OpenAIChat(Says(["Hello."])) as server:
        async with talking(make(server)) as talk:
            await talk.turn()
        client: Any = talk.llm
        assert client._client.is_closed()


async def test_it_is_loaded_before_the_first_call(vendor: str) -> None:
    of(vendor)._service.cache_clear()
    async with OpenAIChat(Says(["Hello."])) as server:
        await of(vendor).warm(settings_for(vendor, server.url), [BRIEF])
    assert of(vendor)._service.cache_info().currsize == 1
