"""Spans of a real conversation: what was said is in them where pipecat makes them, and in none that is handed on."""

from __future__ import annotations

import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.db import Database
from core.tracing import WithoutContent
from pipelines.banking import AGENT
from providers.base import Brief
from providers.offline.llm import OfflineLLMService
from tests.lines import Guest, Line


class Spans:
    """What pipecat has made, and what was handed on of it."""

    def __init__(self) -> None:
        self._made, self._told = InMemorySpanExporter(), InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._made))
        provider.add_span_processor(WithoutContent(SimpleSpanProcessor(self._told)))
        trace.set_tracer_provider(provider)  # which a process can do once

    def forget(self) -> None:
        self._made.clear()
        self._told.clear()

    @property
    def made(self) -> tuple[ReadableSpan, ...]:
        return self._made.get_finished_spans()

    @property
    def told(self) -> tuple[ReadableSpan, ...]:
        return self._told.get_finished_spans()


@pytest.fixture(scope="module")
def spans() -> Spans:
    return Spans()


def words_in(spans: tuple[ReadableSpan, ...]) -> str:
    return json.dumps([json.loads(span.to_json()) for span in spans]).lower()


async def test_a_whole_conversation_leaves_no_word_of_itself_in_any_span(database: Database, spans: Spans) -> None:
    spans.forget()
    guest = await Guest.arrives(database)
    llm = OfflineLLMService(Brief("banking", AGENT.instructions, AGENT.phrases, names=("Ravi",)))
    async with Line(database, guest, llm, call_id="call_traced", traced=True) as line:
        await line.conversation.say("Hello, this is your bank.")
        await line.voice.says(containing="your bank")
        await line.types("what is my balance")
        await line.voice.says(containing="rupees")
        await line.types("send five hundred to ravi")
        await line.read_back_heard()
        await line.types("yes")
        await line.voice.says(containing="sent")
        said = [*line.voice.said, "what is my balance", "send five hundred to ravi"]

    made, told = words_in(spans.made), words_in(spans.told)
    assert {"conversation", "turn", "llm", "tts"} == {span.name for span in spans.told}
    assert all(words.lower() in made for words in ("what is my balance", "send five hundred", "ravi", "your bank"))
    for words in {word.strip(".,!?'").lower() for text in said for word in text.split()}:
        if len(words) > 3:
            assert f" {words}" not in told, "a word within a text"
    for secret in ("ravi", "rupee", "hundred", "balance", "get_balance", "send_money", guest.customer_id, guest.otp_id):
        assert secret not in told, secret
    (conversation,) = [span for span in spans.told if span.name == "conversation"]
    assert dict(conversation.attributes or {}) == {
        "conversation.id": "call_traced",
        "conversation.type": "voice",
        "parley.agent_type": "banking",
    }
    assert conversation.context is not None
    assert {span.context.trace_id for span in spans.told if span.context} == {conversation.context.trace_id}
