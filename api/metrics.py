"""Figures for Prometheus, at `GET /metrics`: of this process, and of every voice worker."""

from __future__ import annotations

import asyncio
import hmac

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from agent.worker.figures import merged
from api.deps import App
from core import metrics
from core.errors import NotFound, Unauthorized

router = APIRouter(include_in_schema=False)


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
    workers = await app.switchboard.figures()
    # The process that carries calls itself has told everything; what workers tell stands beside the server's own.
    text = workers.pop(0, None)
    if text is None:
        text = await asyncio.to_thread(lambda: merged(metrics.text(), workers))
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
