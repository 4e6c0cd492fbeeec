"""What can be seen of a real call from outside: its caller's side on record, figures for Prometheus, and traces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from tests.doubles.listener import Answers, Listener
from tests.doubles.openai_chat import Fails, OpenAIChat, Says, Turn
from tests.e2e.conftest import AUDIO, Dial, end_reason
from tests.e2e.test_call import greeted
from tests.servers import Server

TOKEN = "a token for Prometheus alone"
GREETING = {"rtt_ms": 12, "jitter_buffer_ms": 45, "playout_ms": 80}
ANSWER = {"rtt_ms": 14, "playout_ms": 90}
PLAIN = {
    *("banking", "voice", "conversation", "stt", "llm", "chat", "tts", "text", "speech"),
    *("pocketsphinx", "pocketsphinx-en-us", "offline", "phrases", "espeak", "unknown"),
    *("ollama", "test-model", "exception", "openai.BadRequestError"),
}
"""Every text that a span of this call may hold, but for the id of the call."""


def answer(body: dict[str, Any]) -> Turn:
    """A model that cannot send money, and says why."""
    asked = str(body["messages"][-1]["content"])
    return Fails(400, f"not allowed: {asked}") if "Ravi" in asked else Says(["It is ten thousand rupees."])


async def test_a_call_is_seen_in_figures_and_in_traces_and_not_heard_in_either(data_dir: Path, dial: Dial) -> None:
    async with (
        Listener(always=Answers(headers=("Connection: close",))).listening() as collector,
        OpenAIChat(answer=answer) as model,
    ):
        settings = {
            "LLM_PROVIDER": "ollama",
            "OLLAMA_BASE_URL": model.url,
            "OLLAMA_MODEL": "test-model",
            "METRICS_TOKEN": TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20key",
        }
        server = Server(data_dir, settings, database="telemetry.db")
        try:
            await asyncio.to_thread(server.start)
            caller = await dial(server)
            caller.send("client-message", {"t": "heard", "d": {"playout_ms": 7}})  # of what nobody has said yet
            await greeted(caller)
            caller.send("client-message", {"t": "heard", "d": GREETING})
            caller.send("client-message", {"t": "heard", "d": {"playout_ms": 8}})  # once more
            await caller.say(AUDIO / "balance.wav")
            await caller.message("bot-stopped-speaking", timeout_s=30)
            caller.send("client-message", {"t": "heard", "d": {"playout_ms": "soon"}})
            caller.send("client-message", {"t": "heard", "d": ANSWER})
            caller.type("Send five hundred to Ravi")
            await caller.message("server-message", timeout_s=30, where=lambda told: told["data"]["type"] == "draft")
            open_now = await asyncio.to_thread(figures, server)
            await caller.hang_up()
            await end_reason(server, caller)
            after = await asyncio.to_thread(figures, server)
            assert await asyncio.to_thread(server.stop) == 0
        finally:
            await asyncio.to_thread(server.kill)

        sides = "SELECT rtt_ms, jitter_buffer_ms, playout_ms FROM answers WHERE call_id = ? ORDER BY seq"
        assert server.rows(sides, caller.session_id) == [(12, 45, 80), (14, None, 90)]
        refused = [message["data"]["code"] for message in caller.messages if message["type"] == "error-response"]
        assert refused == ["invalid_message"]

        assert open_now["parley_calls_open", "banking"] == open_now["parley_seats_taken",] == 1
        assert after["parley_calls_open", "banking"] == 0
        assert after["parley_seats",] == 8
        assert after["parley_greeting_seconds_count", "banking"] == 1
        assert after["parley_answer_seconds_count", "banking"] == 1
        assert after["parley_answer_stage_seconds_count", "banking", "tts"] == 1
        assert after["parley_caller_side_seconds_count", "banking", "playout"] == 2
        assert after["parley_caller_side_seconds_sum", "banking", "rtt"] == pytest.approx(0.026)
        assert after["parley_vendor_first_byte_seconds_count", "llm", "ollama"] >= 1
        assert after["parley_vendor_first_byte_seconds_count", "llm", "offline"] >= 1
        assert after["parley_vendor_first_byte_seconds_count", "tts", "offline"] >= 2
        failure = ("parley_vendor_failures_total", "llm", "ollama")
        assert [value for key, value in after.items() if key[:3] == failure] == [1], "whatever it is taken for"
        assert after["parley_vendor_takeovers_total", "llm", "offline"] == 1
        assert after["parley_vendor_at_rest", "llm", "ollama"] == 0
        assert after["parley_tool_seconds_count", "ok", "send_money"] == 1
        assert after["parley_calls_ended_total", "banking", "hung_up"] == 1
        assert after["parley_client_messages_refused_total", "invalid_message"] == 1

        spans = [span for heard in collector.heard for span in spans_of(heard.body)]
        assert {heard.path for heard in collector.heard} == {"/v1/traces"}
        assert {heard.headers["x-key"] for heard in collector.heard} == {"a key"}
        names = [span.name for span in spans]
        assert set(names) == {"conversation", "turn", "answer", "stt", "llm", "tts"}
        assert names.count("answer") == 2
        assert len({span.trace_id for span in spans}) == 1
        texts = {text for span in spans for text in texts_of(span)}
        assert texts - PLAIN - {caller.session_id} == set()
        everything = b"".join(heard.body for heard in collector.heard).lower()
        said = " ".join(text for (text,) in server.rows("SELECT text FROM turns"))
        for word in {word.strip(".,?!").lower() for word in said.split()} - PLAIN - {"turn", "answer"}:
            assert len(word) < 4 or word.encode() not in everything, word


def figures(server: Server) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    answer = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    samples = (sample for family in families for sample in family.samples)
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "le")): sample.value
        for sample in samples
    }


def spans_of(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def texts_of(span: Span) -> Iterator[str]:
    """What it says in words: values of attributes, events, status."""
    yield from (attribute.value.string_value for attribute in span.attributes if attribute.value.string_value)
    for event in span.events:
        yield event.name
        yield from (attribute.value.string_value for attribute in event.attributes)
    if span.status.message:
        yield span.status.message
