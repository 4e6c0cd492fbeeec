"""What a process that carries calls shows Prometheus beside what it counts: states, and tallies kept elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from agent import datachannel, datagrams, rtvi
from agent.media import receiver
from agent.worker.words import Sound, WorkerState
from core import metrics
from core.settings import Settings
from pipelines import catalog as agent_types
from pipelines import turns
from pipelines.voice import RATE, WINDOW
from providers import catalog as vendors

metrics.show("client_messages_refused", "RTVI messages refused", "reason", rtvi.refused)
metrics.show("channel_refused", "Data channel messages and channels refused", "reason", datachannel.refused)
metrics.show("datagrams_dropped", "Datagrams and chunks thrown away", "reason", datagrams.dropped)
metrics.show("media_dropped", "Media packets thrown away", "reason", receiver.dropped)
metrics.show("turns_without_verdict", "Ends of turns that did not wait for Smart Turn", "why", turns.late_verdicts)


def look(state: WorkerState, settings: Settings) -> None:
    """Set what is a state and not a sum."""
    open_calls = Counter(call.agent_type for call in state.calls)
    for agent_type in agent_types.all_types():
        metrics.calls_open.labels(agent_type).set(open_calls[agent_type])
    metrics.seats.set(state.seats)
    metrics.seats_taken.set(state.seats_taken)
    metrics.draining.set(state.draining)
    metrics.loop_lag_seconds.set(state.lag_ms / 1000)
    metrics.loop_busy.set(state.busy)
    vendors.vendors(settings)  # also those that nobody has needed so far
    for breaker in vendors.breakers.all():
        if breaker.check is not None:
            metrics.vendor_at_rest.labels(breaker.kind, breaker.vendor).set(breaker.open)


def sound() -> Sound:
    """How well this process's calls have sounded."""
    return Sound(
        late_packets=round(metrics.total(metrics.late_packets)),
        inserted_ms=round(metrics.total(metrics.inserted_seconds) * 1000),
        concealed_ms=round(metrics.total(metrics.concealed_seconds) * 1000),
        dropped_ms=round(metrics.total(metrics.dropped_windows) * WINDOW * 1000 / RATE),
        late_verdicts=turns.late_verdicts.total(),
        verdict_wait_ms=round(turns.verdict_wait_s() * 1000),
    )


def merged(own: bytes, workers: Mapping[int, bytes]) -> bytes:
    """One text of several: each worker's samples get the label `worker`, and stand with their families as is the rule.

    Args:
        own: The figures of the process that answers, which stay as they are.
        workers: Those of each worker, by its number.
    """
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for label, text in [(b"", own), *((b'worker="%d"' % number, text) for number, text in workers.items())]:
        for name, about, samples in _families(text):
            _, lines = families.setdefault(name, (about, []))
            lines.extend(_labelled(sample, label) for sample in samples)
    return b"".join(line + b"\n" for about, samples in families.values() for line in (*about, *samples))


def _families(text: bytes) -> Iterable[tuple[bytes, list[bytes], list[bytes]]]:
    """The families of a text: name, lines about it, samples. Each begins with a `# HELP`."""
    name, about, samples = b"", [], []
    for line in text.splitlines():
        if line.startswith(b"# HELP "):
            if name:
                yield name, about, samples
            name, about, samples = line.split(b" ", 3)[2], [line], []
        elif line.startswith(b"#"):
            about.append(line)
        elif line:
            samples.append(line)
    if name:
        yield name, about, samples


def _labelled(sample: bytes, label: bytes) -> bytes:
    if not label:
        return sample
    name, labelled, rest = sample.partition(b"{")
    if labelled:
        return name + b"{" + label + b"," + rest
    name, _, value = sample.partition(b" ")
    return name + b"{" + label + b"} " + value
