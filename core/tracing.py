"""Traces of calls (OpenTelemetry): where the time of a conversation went, and not a word of what was said in it.

pipecat writes what it knows into its spans: messages, prompts, transcripts, spoken texts, the arguments and results of
tools, and the texts of exceptions. Spans are therefore made anew before anything keeps them: of the spans named here,
with the attributes named here, where their values are numbers or plain names. What pipecat may add one day stays out
until somebody lets it in.

Needs the extra `tracing`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, Status
from opentelemetry.util.types import Attributes, AttributeValue

from core import VERSION
from core.settings import Settings

SEND_TIMEOUT_S = 5.0

SPANS = frozenset({"conversation", "turn", "stt", "llm", "tts", "answer"})

NUMBERS = frozenset(
    {
        "turn.number",
        "turn.duration_seconds",
        "turn.user_bot_latency_seconds",
        "turn.was_interrupted",
        "turn.ended_by_conversation_end",
        "metrics.ttfb",
        "metrics.audio_seconds",
        "metrics.character_count",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "tool_count",
        "stream",
        "is_final",
        "stt.incomplete",
        "tts.interrupted",
        "parley.greeting",
        "parley.total_ms",
        "parley.endpointing_ms",
        "parley.transcription_ms",
        "parley.turn_ms",
        "parley.llm_ms",
        "parley.tool_ms",
        "parley.sentence_ms",
        "parley.tts_ms",
        "parley.output_ms",
        "parley.other_ms",
    }
)
"""Attributes whose values may be numbers, or yes and no."""

NAMES = frozenset(
    {
        "conversation.id",
        "conversation.type",
        "turn.type",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.operation.name",
        "gen_ai.output.type",
        "parley.agent_type",
        "exception.type",
    }
)
"""Attributes whose values may be one word of ours or of a vendor's."""

_NAME = re.compile(r"[A-Za-z0-9_.:/@-]{1,100}")


class Tracing:
    """The sending of traces, from the start of the process to its end."""

    def __init__(self, settings: Settings, *, node: str) -> None:
        """Begin; spans go to the collector of `OTEL_EXPORTER_OTLP_ENDPOINT`, in batches, from a thread.

        Args:
            node: This process, by its name in the record of calls.
        """
        self._exporter = OTLPSpanExporter(
            endpoint=f"{settings.otel_exporter_otlp_endpoint}/v1/traces",
            headers=_headers(settings.otel_exporter_otlp_headers.get_secret_value()),
            timeout=SEND_TIMEOUT_S,
        )
        resource = Resource.create(
            {"service.name": settings.otel_service_name, "service.version": VERSION, "service.instance.id": node}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(WithoutContent(BatchSpanProcessor(self._exporter)))
        trace.set_tracer_provider(self._provider)  # pipecat asks for this one

    def answered(self, turn: Context | None, at: datetime, stages: Mapping[str, int], *, greeting: bool) -> None:
        """Add an answer and what its time was made of.

        Args:
            turn: What it is part of.
            at: When the caller fell silent; for the greeting, when there was somebody to greet.
            stages: Milliseconds.
            greeting: Whether it is the first words of the call.
        """
        begun_ns = int(at.timestamp() * 1e9)
        total_ms = sum(stages.values())
        attributes: dict[str, AttributeValue] = {f"parley.{stage}_ms": took for stage, took in stages.items()}
        span = self._provider.get_tracer("parley").start_span(
            "answer",
            context=turn,
            start_time=begun_ns,
            attributes=attributes | {"parley.total_ms": total_ms, "parley.greeting": greeting},
        )
        span.end(begun_ns + total_ms * 1_000_000)

    def close(self) -> None:
        """Send what is left; blocks while the collector takes it, at most twice `SEND_TIMEOUT_S`."""
        giving_up = threading.Timer(SEND_TIMEOUT_S, self._exporter.shutdown)
        giving_up.start()
        try:
            self._provider.shutdown()
        finally:
            giving_up.cancel()


class WithoutContent(SpanProcessor):
    """Hands spans on without anything personal.

    Args:
        inner: What is to have them.
    """

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on what may be known of a finished span."""
        if span.name in SPANS:
            self._inner.on_end(without_content(span))

    def shutdown(self) -> None:
        """Shut the inner one down."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the inner one."""
        return self._inner.force_flush(timeout_millis)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """The span with its times and its place, and of all else only what the lists above allow."""
    return ReadableSpan(
        name=span.name,
        context=_place(span.context),
        parent=_place(span.parent),
        resource=span.resource,
        attributes=_allowed(span.attributes),
        events=[
            Event("exception", attributes=_allowed(event.attributes), timestamp=event.timestamp)
            for event in span.events
            if event.name == "exception"
        ],
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _place(context: SpanContext | None) -> SpanContext | None:
    """A span's ids, without the state that others may have added."""
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _allowed(attributes: Attributes) -> dict[str, AttributeValue]:
    return {
        key: value
        for key, value in (attributes or {}).items()
        if (key in NUMBERS and isinstance(value, bool | int | float))
        or (key in NAMES and isinstance(value, str) and _NAME.fullmatch(value))
    }


def _headers(pairs: str) -> dict[str, str]:
    """`name=value,name=value`, values percent-encoded, as in the standard's `OTEL_EXPORTER_OTLP_HEADERS`."""
    split = (pair.partition("=") for pair in pairs.split(",") if pair.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in split}
