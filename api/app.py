"""The application: what is shared, what is mounted where, and how it starts and stops."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from loguru import logger

from agent.switchboard import Switchboard
from agent.worker.alone import Alone
from agent.worker.parts import keep_for_good, make_parts
from agent.worker.supervisor import COMMAND, Supervisor
from agent.worker.words import Crew
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

STOP_TIMEOUT_S = 5.0
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def create_app(settings: Settings, *, worker_command: Sequence[str] = COMMAND) -> FastAPI:
    """Build the application; it starts its parts when the server starts it.

    The database must be migrated (`python run.py migrate`).

    Args:
        worker_command: The program of its voice workers, where it has any.
    """
    secret = load_secret(settings)
    vault.unlock(vault.of_settings(settings))
    db = Database(settings.sqlalchemy_url)
    node = settings.node_name or f"{socket.gethostname()}:{settings.port}"
    post = delivery.of_settings(settings)
    crew: Crew
    if settings.workers:
        crew = Supervisor(settings, db=db, node=node, command=worker_command)
    else:
        crew = Alone(make_parts(settings, secret=secret, db=db, delivery=post, node=node))
    shared = Shared(
        settings=settings,
        secret=secret,
        db=db,
        tokens=Tokens(keys_of_settings(settings, secret=secret), ttl_minutes=settings.session_ttl_minutes),
        limits=LoginLimits(paces_s={"otp": PACES_S[settings.code_format]}),
        switchboard=Switchboard(settings, crew, node=node),
        delivery=post,
        rates=Rates(settings.rate_factor),
    )
    ticker = live.Ticker(shared)
    upkeep = Upkeep(shared)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with db.transaction() as session:
            orphans = await call_log.sweep_orphans(session, node=node)
            await usage.return_unserved(session, call_ids=orphans, now=utc_now())
        if orphans:
            logger.warning("Closed {} calls that a crash had left open", len(orphans))
        await crew.open()
        await system.look(shared)
        upkeep.begin()
        keep_for_good()
        yield
        await ticker.close()
        shared.switchboard.draining = True
        await crew.close()
        await upkeep.close()
        await tasks.drain(timeout_s=STOP_TIMEOUT_S)
        await post.close()
        await crew.free()
        await db.close()

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
