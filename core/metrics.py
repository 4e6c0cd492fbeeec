"""Figures of this process for Prometheus: the one registry, and what is counted in it.

Labels come from lists of our own (agent types, stages, vendors, tools, reasons), never from a caller: each value stays
in memory until the process ends. Nothing here tells one caller from another.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # as many lines again, for what the process' own start time tells
registry = CollectorRegistry()
ProcessCollector(registry=registry)

_ANSWER_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 8, 15)
_PART_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10)


def _seconds(name: str, says: str, *labels: str, buckets: Iterable[float] = _PART_S) -> Histogram:
    return Histogram(f"parley_{name}_seconds", says, labels, registry=registry, buckets=tuple(buckets))


def _count(name: str, says: str, *labels: str) -> Counter:
    return Counter(f"parley_{name}", says, labels, registry=registry)


def _now(name: str, says: str, *labels: str) -> Gauge:
    return Gauge(f"parley_{name}", says, labels, registry=registry)


# Answers
answer_seconds = _seconds(
    "answer", "From the caller's last sound to the agent's first, at the server", "agent_type", buckets=_ANSWER_S
)
answer_stage_seconds = _seconds("answer_stage", "What answers' time is made of", "agent_type", "stage")
greeting_seconds = _seconds(
    "greeting", "From a connected caller to the agent's first sound, at the server", "agent_type", buckets=_ANSWER_S
)
caller_side_seconds = _seconds("caller_side", "What callers' pages measured of answers", "agent_type", "part")

# Vendors and tools
vendor_first_byte_seconds = _seconds(
    "vendor_first_byte", "From the request to the first of the reply; for stt, from silence to words", "kind", "vendor"
)
vendor_failures = _count("vendor_failures", "Failures in calls that another vendor took over", "kind", "vendor", "why")
vendor_takeovers = _count("vendor_takeovers", "Times a vendor took over from one that failed", "kind", "vendor")
vendor_returns = _count("vendor_returns", "Times a vendor came back into a call", "kind", "vendor")
vendors_exhausted = _count("vendors_exhausted", "Calls that no vendor was left for", "kind")
vendor_at_rest = _now("vendor_at_rest", "1 while calls leave the vendor alone (its breaker is open)", "kind", "vendor")
tool_seconds = _seconds("tool", "How long tools took", "tool", "outcome")

# Calls
calls_open = _now("calls_open", "Calls that are open", "agent_type")
calls_ended = _count("calls_ended", "Calls that have ended", "agent_type", "reason")
calls_refused = _count("calls_refused", "Calls that were turned away", "agent_type", "reason")
seats = _now("seats", "Calls this process takes at once")
seats_taken = _now("seats_taken", "Seats that are taken, by calls being opened too")
workers_silent = _count("workers_silent", "Times a voice worker did not give its figures when it was asked")
worker_restarts = _count("worker_restarts", "Times a voice worker was started anew")
draining = _now("draining", "1 while the process takes no new calls because it is about to end")

# The media
_WAIT_S = (0.001, 0.01, 0.03, 0.06, 0.1, 0.15, 0.3)
verdict_wait_seconds = _seconds("verdict_wait", "From the end of speech to Smart Turn's verdict", buckets=_WAIT_S)

# The process
loop_lag_seconds = _now("event_loop_lag_seconds", "How late the event loop is, 95th percentile of five seconds")
loop_busy = _now("event_loop_busy_share", "Share of the last second in which the event loop's thread was at work")
late_packets = _count("late_packets", "Packets of speech that left more than their own length late")
inserted_seconds = _count("inserted_silence_seconds", "Silence put into speech because its sound came too late")
concealed_seconds = _count(
    "concealed_seconds", "Callers' sound that was lost: copied, made up, or left silent where too much of it was"
)
dropped_windows = _count("dropped_windows", "32 ms of callers' sound dropped because a call did not keep up")
lost_lines = _count("lost_record_lines", "Lines of calls' records that could not be written")


def answered(agent_type: str, stages: Mapping[str, int], *, greeting: bool) -> None:
    """Count an answer.

    Args:
        stages: Milliseconds; those that took none are left out of their histograms.
        greeting: Whether it was the first words of the call, which answer nobody.
    """
    total_s = sum(stages.values()) / 1000
    if greeting:
        greeting_seconds.labels(agent_type).observe(total_s)
        return
    answer_seconds.labels(agent_type).observe(total_s)
    for stage, took_ms in stages.items():
        if took_ms:
            answer_stage_seconds.labels(agent_type, stage).observe(took_ms / 1000)


def heard(agent_type: str, parts: Mapping[str, int | None]) -> None:
    """Count what a caller's page measured of an answer: milliseconds by the names of fields, `rtt_ms` and its like."""
    for name, took_ms in parts.items():
        if took_ms is not None:
            caller_side_seconds.labels(agent_type, name.removesuffix("_ms")).observe(took_ms / 1000)


class _Tally(Collector):
    """Shows what is counted elsewhere anyway."""

    def __init__(self, name: str, says: str, label: str, tally: Tally[str]) -> None:
        self._name, self._says, self._label, self._tally = name, says, label, tally

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The counts as they are now."""
        family = CounterMetricFamily(self._name, self._says, labels=[self._label])
        for value, count in dict(self._tally).items():  # it may grow while another thread reads
            family.add_metric([value], count)
        yield family


def show(name: str, says: str, label: str, tally: Tally[str]) -> None:
    """Have the registry show a tally too; its keys are the values of `label`."""
    registry.register(_Tally(f"parley_{name}", says, label, tally))


def total(counter: Counter) -> float:
    """What a counter without labels has come to."""
    return next(sample.value for family in counter.collect() for sample in family.samples)


def text() -> bytes:
    """Everything, in Prometheus' text format 0.0.4; some milliseconds of work."""
    return generate_latest(registry)
