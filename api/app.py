"""The application: what is shared, what is mounted where, and how it starts and stops."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from loguru import logger

from agent import serving
from agent.call import Parts
from agent.switchboard import Switchboard
from agent.webrtc import guard
from api import (
    admins,
    agent_profiles,
    agents,
    audit,
    auth,
    bank,
    call_logs,
    calls,
    errors,
    health,
    live,
    metrics,
    otps,
    pages,
    portal,
    requests,
    system,
    traffic,
    webhooks,
)
from api.deps import Shared
from api.edge import Edge
from api.upkeep import Upkeep
from calls import log as call_log
from calls import usage
from core import VERSION, tasks, vault
from core.clock import utc_now
from core.crypto import load_secret
from core.db import Database
from core.settings import Settings
from identity import delivery
from identity.limits import PACES_S, LoginLimits, Rates
from identity.tokens import Tokens, keys_of_settings
from pipelines import voice
from pipelines.base import Means
from pipelines.smart_turn import SmartTurnModel
from providers import catalog as vendors

if TYPE_CHECKING:
    from core.tracing import Tracing  # an extra

STOP_TIMEOUT_S = 5.0
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def create_app(settings: Settings) -> FastAPI:
    """Build the application; it starts its parts when the server starts it.

    The database must be migrated (`python run.py migrate`).
    """
    secret = load_secret(settings)
    vault.unlock(vault.of_settings(settings))
    db = Database(settings.sqlalchemy_url)
    smart_turn = SmartTurnModel(own_process=settings.smart_turn_process)
    node = settings.node_name or f"{socket.gethostname()}:{settings.port}"
    post = delivery.of_settings(settings)
    tracing = _tracing(settings, node)
    parts = Parts(means=Means(settings, secret, post), db=db, smart_turn=smart_turn, node=node, tracing=tracing)
    shared = Shared(
        settings=settings,
        secret=secret,
        db=db,
        tokens=Tokens(keys_of_settings(settings, secret=secret), ttl_minutes=settings.session_ttl_minutes),
        limits=LoginLimits(paces_s={"otp": PACES_S[settings.code_format]}),
        switchboard=Switchboard(parts),
        delivery=post,
        rates=Rates(settings.rate_factor),
    )
    ticker = live.Ticker(shared)
    upkeep = Upkeep(shared)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await guard(settings)
        async with db.transaction() as session:
            orphans = await call_log.sweep_orphans(session, node=node)
            await usage.return_unserved(session, call_ids=orphans, now=utc_now())
        if orphans:
            logger.warning("Closed {} calls that a crash had left open", len(orphans))
        voice.warm()
        # Calls need not wait for Smart Turn: until it is there, the silence alone ends a turn.
        tasks.spawn(smart_turn.warm(), owner="smart turn")
        served = await serving.look(db, settings)
        for each in served:
            if each.trouble:
                logger.error("Nobody can call {}: {}", each.agent.id, each.trouble)
        known = serving.briefs(served)
        await vendors.warm(settings, known)
        # Nor for the vendors' answers: one that does not serve is replaced in the call.
        asking = tasks.spawn(vendors.check(settings, known), owner="vendors' keys")
        speaking = tasks.spawn(vendors.prepare_prompts(settings, known), owner="fixed prompts")
        await system.look(shared)
        upkeep.begin()
        shared.switchboard.open()
        # What start-up has made is there to stay. Looked through by the garbage collector again and again, it would
        # keep every call waiting for a quarter of a second each time.
        gc.collect()
        gc.freeze()
        yield
        asking.cancel()
        speaking.cancel()
        await ticker.close()
        await shared.switchboard.close()
        vendors.breakers.close()  # they would go on asking
        await upkeep.close()
        await tasks.drain(timeout_s=STOP_TIMEOUT_S)
        await post.close()
        await vendors.close()
        smart_turn.close()
        await db.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="Parley",
        version=VERSION,
        description="Real-time voice agents that can be trusted.",
        lifespan=lifespan,
        # FastAPI's own documentation pages load scripts from another host, which no page of ours does.
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": errors.ErrorOut}, "5XX": {"model": errors.ErrorOut}},
    )
    app.state.shared = shared
    app.state.ticker = ticker
    errors.install(app)
    _mount(app)
    app.add_middleware(
        Edge,
        tls=settings.url.startswith("https://"),
        origins=settings.cors_origins,
        quiet=("/health", "/liveness", "/metrics", "/readiness"),
    )
    if settings.cors_origins:  # Around the edge, so that its refusals too can be read from other sites.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["Idempotency-Replayed", "Retry-After", "X-Request-ID", otps.TOTAL_HEADER, *RATE_HEADERS],
        )
    return app


def _tracing(settings: Settings, node: str) -> Tracing | None:
    """The sending of traces, if it is asked for and can be done; calls do not depend on it."""
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from core.tracing import Tracing
    except ImportError:
        logger.error("OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent: pip install 'parley-voice[tracing]'")
        return None
    return Tracing(settings, node=node)


def _mount(app: FastAPI) -> None:
    """Every router at its canonical path, and hidden at the bare path its source document promises."""
    app.include_router(auth.router)
    app.include_router(otps.router)
    app.include_router(agents.router)
    app.include_router(traffic.agents)
    app.include_router(calls.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    versioned = APIRouter(prefix="/api/v1")
    versioned.include_router(auth.customers)
    versioned.include_router(calls.record)
    for noun in (portal, bank, call_logs, traffic, live, system, agent_profiles, admins, audit, webhooks, requests):
        versioned.include_router(noun.router)
    app.include_router(versioned)
    app.include_router(auth.customers, include_in_schema=False)
    app.include_router(bank.bare)
    app.include_router(pages.router)
