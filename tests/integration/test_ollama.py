"""A local language model through the real pipecat service: text, tool calls, and a server that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.workers.runner import WorkerRunner

from core.settings import Settings
from providers import catalog, ollama
from providers.base import Brief
from providers.phrases import Phrases
from tests.doubles.openai_chat import Breaks, Calls, Fails, OpenAIChat, Says, StaysSilent, Turn

BRIEF = Brief("banking", "You answer for a bank.", Phrases(intents=(), can_do="I can tell your balance."))


def settings_for(url: str, tmp_path: Path, *, model: str = "test-model", provider: str = "ollama") -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data_dir=tmp_path,
        llm_provider=provider,
        ollama_base_url=url,
        ollama_model=model,
    )


class Heard(BaseObserver):
    """What the language model said, and the errors on the way."""

    def __init__(self, llm: LLMService) -> None:
        super().__init__()
        self.text: list[str] = []
        self.errors: list[str] = []
        self.done: asyncio.Queue[None] = asyncio.Queue()
        self._llm = llm

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.source is not self._llm:
            return
        frame: Frame = data.frame
        if isinstance(frame, LLMTextFrame):
            self.text.append(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.errors.append(frame.error)
        elif isinstance(frame, LLMFullResponseEndFrame):
            self.done.put_nowait(None)


class Talk:
    """A pipeline of context and language model, as in a call, without its audio."""

    def __init__(self, server: OpenAIChat, heard: Heard, worker: PipelineWorker, context: LLMContext) -> None:
        self.server = server
        self.heard = heard
        self.context = context
        self.tool_calls: list[tuple[str, dict[str, Any]]] = []
        self._worker = worker

    async def turn(self, *, answers: int = 1) -> str:
        """Have the model answer and return what it said once it has ended `answers` responses."""
        await self._worker.queue_frame(LLMRunFrame())
        for _ in range(answers):
            await asyncio.wait_for(self.heard.done.get(), 20)
        return "".join(self.heard.text)


@asynccontextmanager
async def talking(tmp_path: Path, *turns: Turn) -> AsyncIterator[Talk]:
    """A conversation with a server that answers from a script, with two tools that can be called."""
    async with OpenAIChat(*turns) as server:
        llm = ollama.llm(settings_for(server.url, tmp_path), BRIEF)
        tools = [
            FunctionSchema(name=name, description=name, properties={"account": {"type": "string"}}, required=[])
            for name in ("get_balance", "get_branch")
        ]
        context = LLMContext([{"role": "user", "content": "What is my balance?"}], ToolsSchema(standard_tools=tools))  # pyright: ignore[reportArgumentType]
        pair = LLMContextAggregatorPair(context)
        heard = Heard(llm)
        worker = PipelineWorker(Pipeline([pair.user(), llm, pair.assistant()]), observers=[heard])
        talk = Talk(server, heard, worker, context)

        async def run_tool(params: FunctionCallParams) -> None:
            talk.tool_calls.append((params.function_name, dict(params.arguments)))
            await params.result_callback({"say": f"{params.function_name} done"})

        for schema in tools:
            llm.register_function(schema.name, run_tool)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        try:
            yield talk
        finally:
            await worker.cancel()
            await asyncio.wait_for(running, 10)


async def test_text_is_streamed_piece_by_piece(tmp_path: Path) -> None:
    async with talking(tmp_path, Says(["You have ", "ten ", "dollars."])) as talk:
        assert await talk.turn() == "You have ten dollars."
        assert talk.heard.text == ["You have ", "ten ", "dollars."]
        request = talk.server.requests[0]
    assert request["model"] == "test-model"
    assert request["stream"] is True
    assert request["messages"][0] == {"role": "system", "content": "You answer for a bank."}
    assert request["max_tokens"] == ollama.ANSWER_TOKENS
    assert [tool["function"]["name"] for tool in request["tools"]] == ["get_balance", "get_branch"]


async def test_a_tool_call_is_carried_out_and_its_result_goes_back(tmp_path: Path) -> None:
    async with talking(tmp_path, Calls([("get_balance", {"account": "savings"})]), Says(["Ten dollars."])) as talk:
        assert await talk.turn(answers=2) == "Ten dollars."
        assert talk.tool_calls == [("get_balance", {"account": "savings"})]
        results = [message for message in talk.server.requests[1]["messages"] if message["role"] == "tool"]
    assert "get_balance done" in results[0]["content"]


@pytest.mark.parametrize("together", [True, False], ids=["in one chunk", "in two chunks"])
async def test_two_calls_that_both_claim_to_be_the_first_are_both_carried_out(tmp_path: Path, together: bool) -> None:
    calls = Calls([("get_balance", {"account": "savings"}), ("get_branch", {})], together=together)
    async with talking(tmp_path, calls, Says(["Done."])) as talk:
        assert await talk.turn(answers=2) == "Done."
    assert sorted(talk.tool_calls) == [("get_balance", {"account": "savings"}), ("get_branch", {})]


async def test_a_server_that_is_down_gives_one_clear_error_and_the_next_turn_works(tmp_path: Path) -> None:
    async with talking(tmp_path, Fails(503, "busy"), Says(["Hello."])) as talk:
        assert await talk.turn() == ""
        assert len(talk.heard.errors) == 1
        assert "503" in talk.heard.errors[0]
        assert await talk.turn() == "Hello."


async def test_a_missing_server_gives_one_clear_error(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.server.__aexit__(None, None, None)
        assert await talk.turn() == ""
        assert len(talk.heard.errors) == 1
        assert "onnection" in talk.heard.errors[0]


async def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with talking(tmp_path, Fails(404, "model 'test-model' not found")) as talk:
        await talk.turn()
        assert "model 'test-model' not found" in talk.heard.errors[0]


async def test_a_cut_line_keeps_what_was_said_and_reports_the_error(tmp_path: Path) -> None:
    async with talking(tmp_path, Breaks(["You have "])) as talk:
        assert await talk.turn() == "You have "
        assert len(talk.heard.errors) == 1


async def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "SILENT_S", 0.2)
    async with talking(tmp_path, StaysSilent()) as talk:
        assert await talk.turn() == ""
        assert "timed out" in talk.heard.errors[0].lower()
        await asyncio.wait_for(talk.server.stopped.wait(), 5)


async def test_starting_up_loads_the_model_and_survives_a_missing_server(tmp_path: Path) -> None:
    async with OpenAIChat(Says(["Hi"])) as server:
        settings = settings_for(server.url, tmp_path)
        await ollama.warm(settings, [BRIEF])
        assert server.requests[0]["max_tokens"] == 1
    await ollama.warm(settings, [BRIEF])


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434", "http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"])
def test_the_address_may_be_written_with_or_without_its_path(url: str, tmp_path: Path) -> None:
    assert ollama.ready(settings_for(url, tmp_path), "llm").why == "test-model at http://127.0.0.1:11434/v1"


def test_it_is_chosen_only_when_asked_for(tmp_path: Path) -> None:
    url = "http://127.0.0.1:11434"
    assert catalog.choose(settings_for(url, tmp_path), "llm").name == "ollama"
    assert catalog.choose(settings_for(url, tmp_path, provider=""), "llm").name == "offline"
    unset = catalog.choose(settings_for(url, tmp_path, model=""), "llm")
    assert unset.name == "offline"
    assert unset.passed_over == ("ollama: OLLAMA_MODEL is not set",)
