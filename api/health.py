"""Whether the server is alive, ready, and well."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from agent import serving
from api.deps import App, Shared
from core.errors import AppError
from providers import catalog as vendors
from providers.failover import Breaker

router = APIRouter(tags=["health"])

CHECK_TIMEOUT_S = 2.0


class HealthOut(BaseModel):
    """The state of every part."""

    status: str = Field(
        description="`healthy`, `degraded` while a vendor is left alone or an agent has none, or `unhealthy`"
    )
    service: str = "parley"
    checks: dict[str, str]
    vendors: dict[str, str] = Field(description="Each vendor that can be asked, by kind and name: `ok`, or its trouble")
    agents: dict[str, str] = Field(description="Each agent type: `ok`, or why nobody can call it now")
    calls: int
    seats: int


class StateOut(BaseModel):
    """A yes or no with its reason."""

    status: str


@router.get("/health")
async def health(app: App, response: Response) -> HealthOut:
    """The state of the database and of each speech and language vendor."""
    checks = {"database": await database_state(app)}
    for kind in vendors.KINDS:
        choice = vendors.choose(app.settings, kind)
        state = vendors.readiness(app.settings, choice.name, kind)
        checks[kind] = "ok" if state.ok else f"{choice.name}: {state.why}"
    if app.settings.workers:
        # One that carries calls will do: who has died is started anew.
        checks["voice workers"] = "ok" if app.switchboard.states else "none can be reached"
    served = await serving.look(app.db, app.settings)
    resting, workers = app.switchboard.resting(), len(app.switchboard.workers)
    known = {
        f"{each.kind} {each.vendor}": _rest(each, resting.get((each.kind, each.vendor), 0), workers)
        for each in vendors.vendors(app.settings, serving.briefs(served))
    }
    agents = {each.agent.id: each.trouble or "ok" for each in served}
    healthy = all(check == "ok" for check in checks.values())
    if not healthy:
        response.status_code = 503
    all_reached = len(app.switchboard.states) == workers
    well = "healthy" if all_reached and {*known.values(), *agents.values()} <= {"ok"} else "degraded"
    return HealthOut(
        status=well if healthy else "unhealthy",
        checks=checks,
        vendors=known,
        agents=agents,
        calls=app.switchboard.seats_taken,
        seats=app.switchboard.seats,
    )


@router.get("/liveness")
async def liveness() -> StateOut:
    """The process answers."""
    return StateOut(status="alive")


@router.get("/readiness")
async def readiness(app: App, response: Response) -> StateOut:
    """New calls are taken; 503 while draining, without a database, or while nobody can carry calls."""
    if app.switchboard.draining:
        response.status_code = 503
        return StateOut(status="draining")
    if not app.switchboard.states:
        response.status_code = 503
        return StateOut(status="no voice workers")
    database = await database_state(app)
    if database != "ok":
        response.status_code = 503
    return StateOut(status="ready" if database == "ok" else "no database")


def _rest(vendor: Breaker, by: int, workers: int) -> str:
    """`ok`, or who leaves a vendor alone: all that carry calls, or some."""
    if vendor.open:
        return f"at rest: it {vendor.words}"
    return f"at rest in {by} of {workers} workers" if by else "ok"


async def database_state(app: Shared) -> str:
    """`ok`, or what is wrong with the database."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), app.db.reading() as db:
            await db.execute(text("SELECT 1"))
    except (TimeoutError, SQLAlchemyError, AppError) as error:
        return f"no answer: {type(error).__name__}"
    return "ok"
