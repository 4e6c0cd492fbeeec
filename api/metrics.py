"""Figures of this process for Prometheus, at `GET /metrics`."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from agent import datachannel, datagrams, rtvi
from api.deps import App, Shared
from core import metrics
from core.errors import NotFound, Unauthorized
from pipelines import catalog as agent_types
from pipelines import turns
from providers import catalog as vendors

router = APIRouter(include_in_schema=False)

metrics.show("client_messages_refused", "RTVI messages refused", "reason", rtvi.refused)
metrics.show("channel_refused", "Data channel messages and channels refused", "reason", datachannel.refused)
metrics.show("datagrams_dropped", "Datagrams and chunks thrown away", "reason", datagrams.dropped)
metrics.show("turns_without_verdict", "Ends of turns that did not wait for Smart Turn", "why", turns.late_verdicts)


@router.get("/metrics")
async def read_metrics(request: Request, app: App) -> Response:
    """Everything that is counted, for whoever shows METRICS_TOKEN; without one set there is no such page.

    Where a request comes from says nothing: behind a proxy on this machine all come from here.
    """
    token = app.settings.metrics_token.get_secret_value()
    if not token:
        raise NotFound("There is nothing at this address")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Unauthorized("Show METRICS_TOKEN as a bearer token")
    look(app)
    return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def look(app: Shared) -> None:
    """Set what is a state and not a sum."""
    board = app.switchboard
    open_calls = Counter(call.agent.id for call in board.calls())
    for agent_type in agent_types.all_types():
        metrics.calls_open.labels(agent_type).set(open_calls[agent_type])
    metrics.seats.set(board.seats)
    metrics.seats_taken.set(board.seats_taken)
    metrics.draining.set(board.draining)
    metrics.loop_lag_seconds.set(board.lag_ms / 1000)
    vendors.vendors(app.settings)  # also those that nobody has needed so far
    for breaker in vendors.breakers.all():
        if breaker.check is not None:
            metrics.vendor_at_rest.labels(breaker.kind, breaker.vendor).set(breaker.open)
