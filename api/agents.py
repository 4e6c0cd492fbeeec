"""The agents one may talk to, and counting a code's use before a call."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from agent import serving
from agent.profiles import OutOfOrder
from agent.serving import Served
from api.deps import App, Caller, Shared, Who
from api.limited import Limited
from calls import budgets, usage
from calls.budgets import DayOverBudget
from core.clock import utc_now
from pipelines import catalog as agent_types

router = APIRouter(prefix="/api/agents", tags=["agents"])


class AgentOut(BaseModel):
    """An agent's card."""

    id: str
    name: str
    description: str
    can_do: list[str]
    try_saying: list[str]
    language: str = Field(description="BCP 47 tag of what it speaks and of the texts here")
    available: bool = Field(description="Whether a call can be started now")
    out_of_order: bool = Field(description="Nobody serves its calls, until vendors do again or its profile is changed")
    providers: dict[str, str] = Field(description="Which vendor serves stt, llm and tts")


class AgentConfigOut(AgentOut):
    """An agent's card with its first words."""

    greeting: str
    tools: list[str]


class AccessIn(BaseModel):
    """The agent one wants to talk to."""

    agent_type: str = Field(min_length=1, max_length=64)


class AccessOut(BaseModel):
    """A counted use; it may start one call."""

    agent_type: str
    access_id: str
    remaining_uses: int | None = Field(description="None for registered users, whose calls are not limited")


@router.get("/list")
async def list_agents(app: App, _who: Who) -> list[AgentOut]:
    """All agents, as cards."""
    return [AgentOut.model_validate(_card(app, each)) for each in await serving.look(app.db, app.settings)]


@router.get("/config/{agent_id}")
async def agent_config(agent_id: str, app: App, _who: Who) -> AgentConfigOut:
    """One agent."""
    agent_types.load(agent_id)
    [served] = [each for each in await serving.look(app.db, app.settings) if each.agent.id == agent_id]
    agent = served.agent
    return AgentConfigOut.model_validate(
        {**_card(app, served), "greeting": agent.greeting, "tools": [tool.name for tool in agent.tools]}
    )


@router.post("/access", dependencies=[Depends(Limited("120/minute"))])
async def access(body: AccessIn, app: App, caller: Caller) -> AccessOut:
    """Count one use of the code; a call of that type may then be started."""
    agent = agent_types.load(body.agent_type)
    by = {"otp_id": caller.subject} if caller.role == "otp" else {"user_id": caller.subject}
    try:
        await serving.ready(app.db, app.settings, agent)
        async with app.db.transaction() as db:
            await budgets.allowance(db, app.settings, otp_id=by.get("otp_id"), now=utc_now())
            granted = await usage.grant_access(db, agent_type=agent.id, now=utc_now(), **by)
    except (DayOverBudget, OutOfOrder) as refusal:
        app.switchboard.turned_away(agent.id, refusal.code)
        raise
    return AccessOut(agent_type=agent.id, access_id=granted.id, remaining_uses=granted.remaining_uses)


def _card(app: Shared, served: Served) -> dict[str, object]:
    agent, board = served.agent, app.switchboard
    free = not board.draining and board.seats_taken < board.seats
    return {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "can_do": list(agent.can_do),
        "try_saying": list(agent.try_saying),
        "language": served.profile.language,
        "available": free and not served.trouble,
        "out_of_order": bool(served.trouble),
        "providers": {kind: choice.name for kind, choice in served.choices.items()},
    }
