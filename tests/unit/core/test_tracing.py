"""What leaves the process in a span: times, numbers and plain names, whatever was put into it."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from pipecat.utils.tracing.service_attributes import (
    add_llm_span_attributes,
    add_stt_span_attributes,
    add_tts_span_attributes,
)

from calls.answers import STAGES
from core.tracing import NAMES, NUMBERS, SPANS, WithoutContent, _headers

SAID = "Send five hundred to Ravi"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(kept: InMemorySpanExporter) -> trace.Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(WithoutContent(SimpleSpanProcessor(kept)))
    return provider.get_tracer("pipecat")


def the_one(kept: InMemorySpanExporter) -> ReadableSpan:
    (span,) = kept.get_finished_spans()
    assert "Ravi" not in span.to_json()
    return span


def test_what_pipecat_writes_about_a_service_loses_all_that_was_said(
    tracer: trace.Tracer, kept: InMemorySpanExporter
) -> None:
    with tracer.start_as_current_span("llm") as span:
        add_llm_span_attributes(
            span,
            "OfflineLLMService",
            "phrases",
            messages=SAID,
            output=SAID,
            tools=SAID,
            tool_count=3,
            tool_choice=SAID,
            system_instructions=SAID,
            parameters={"temperature": 0.5, "instructions": SAID},
            extra_parameters={"note": SAID},
            ttfb=0.2,
        )
    assert dict(the_one(kept).attributes or {}) == {
        "gen_ai.provider.name": "offline",
        "gen_ai.request.model": "phrases",
        "gen_ai.operation.name": "chat",
        "gen_ai.output.type": "text",
        "stream": True,
        "tool_count": 3,
        "metrics.ttfb": 0.2,
    }


def test_neither_voices_nor_transcripts_get_out(tracer: trace.Tracer, kept: InMemorySpanExporter) -> None:
    with tracer.start_as_current_span("tts") as span:
        add_tts_span_attributes(span, "EspeakTTSService", "x", "Ravi's voice", text=SAID, character_count=25)
    assert set(the_one(kept).attributes or {}) == {
        *("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.operation.name", "gen_ai.output.type"),
        "metrics.character_count",
    }
    kept.clear()
    with tracer.start_as_current_span("stt") as span:
        add_stt_span_attributes(span, "PocketsphinxSTTService", "x", transcript=SAID, user_id="Ravi", is_final=True)
    assert set(the_one(kept).attributes or {}) == {
        *("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.operation.name", "is_final"),
    }


def test_what_went_wrong_is_told_by_its_kind_alone(tracer: trace.Tracer, kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Ravi"), tracer.start_as_current_span("llm") as span:
        span.add_event(SAID, {"text": SAID})
        span.set_status(Status(StatusCode.ERROR, SAID))
        raise ValueError(f"no account of {SAID}")
    told = the_one(kept)
    assert (told.status.status_code, told.status.description) == (StatusCode.ERROR, None)
    assert [(event.name, dict(event.attributes or {})) for event in told.events] == [
        ("exception", {"exception.type": "ValueError"})
    ]


def test_an_allowed_attribute_is_a_number_or_a_plain_name(tracer: trace.Tracer, kept: InMemorySpanExporter) -> None:
    with tracer.start_as_current_span("turn") as span:
        span.set_attribute("turn.number", SAID)
        span.set_attribute("turn.type", SAID)
        span.set_attribute("conversation.id", "Ravi" * 30)
        span.set_attribute("gen_ai.request.model", [SAID])
        span.set_attribute("turn.duration_seconds", 2.5)
        span.set_attribute("conversation.type", "voice")
    assert dict(the_one(kept).attributes or {}) == {"turn.duration_seconds": 2.5, "conversation.type": "voice"}


def test_spans_of_others_stay_here(tracer: trace.Tracer, kept: InMemorySpanExporter) -> None:
    with tracer.start_as_current_span(f"POST /say?text={SAID}"):
        pass
    assert kept.get_finished_spans() == ()


def test_the_place_of_a_span_is_kept_and_nothing_that_hangs_on_it(
    tracer: trace.Tracer, kept: InMemorySpanExporter
) -> None:
    state = TraceState([("vendor", "Ravi")])
    other = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED), trace_state=state)
    above = trace.set_span_in_context(trace.NonRecordingSpan(other))
    with tracer.start_as_current_span("turn", context=above, links=[Link(other, {"text": SAID})]) as span:
        pass
    told = the_one(kept)
    assert told.context is not None and told.parent is not None
    assert (told.context.trace_id, told.context.span_id) == (7, span.get_span_context().span_id)
    assert (told.parent.trace_id, told.parent.span_id) == (7, 8)
    assert not told.context.trace_state and not told.parent.trace_state
    assert told.links == ()


def test_the_lists_name_every_stage() -> None:
    assert {f"parley.{stage}_ms" for stage in STAGES} <= NUMBERS
    assert not NAMES & NUMBERS
    assert "answer" in SPANS


def test_headers_are_written_as_the_standard_has_them() -> None:
    assert _headers("x-key=a%2Cb, x-team = voice=1,") == {"x-key": "a,b", "x-team": "voice=1"}
    assert _headers("") == {}
