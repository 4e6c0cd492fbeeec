"""Who serves the calls of each agent type, by its profile: for calls, for start-up, for health, for operators."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from agent import profiles
from agent.profiles import Profile
from core.db import Database
from core.errors import AppError
from core.settings import Settings
from pipelines import catalog as agent_types
from pipelines.base import AgentType
from pipelines.lines import lines
from providers import catalog as vendors
from providers.base import Brief, Kind
from providers.catalog import Choice

LOOK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """An agent type as callers meet it now.

    Attributes:
        agent: In the language of its profile, or in its own where it does not speak that.
        brief: What its services are told, without any caller; None where there can be none.
        choices: Who serves each kind.
        trouble: Why it takes no calls; empty if it does.
    """

    agent: AgentType
    profile: Profile
    brief: Brief | None = None
    choices: Mapping[Kind, Choice] = field(default_factory=dict)
    trouble: str = ""

    @property
    def told(self) -> str:
        """In which language, and by whom, for people."""
        return f"{self.profile.language}: {', '.join(' > '.join(choice.chain) for choice in self.choices.values())}"


async def look(db: Database, settings: Settings) -> list[Served]:
    """Every agent type; where the database does not answer, as if nobody had changed a profile."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S), db.reading() as session:
            saved = await profiles.load_all(session)
    except (TimeoutError, SQLAlchemyError, AppError, OSError):
        saved = {}
    return [serve(settings, agent, saved.get(agent.id)) for agent in agent_types.all_types().values()]


def serve(settings: Settings, agent: AgentType, profile: Profile | None) -> Served:
    """One agent type with its profile; None: nobody has changed it."""
    profile = profile or Profile(agent.id)
    try:
        agent = agent.in_language(profile.language)
        brief = profile.brief(agent, prompts=_prompts(agent))
        choices: dict[Kind, Choice] = {kind: vendors.choose(settings, kind, brief) for kind in vendors.KINDS}
    except AppError as refusal:
        return Served(agent, profile, trouble=refusal.message)
    trouble = " ".join(filter(None, (vendors.resting(settings, choice) for choice in choices.values())))
    return Served(agent, profile, brief, choices, trouble)


async def ready(db: Database, settings: Settings, agent: AgentType) -> Served:
    """An agent type for somebody who is about to call it.

    Raises: OutOfOrder; what is wrong is for operators, who read it in the log and on the page of the profiles.
    """
    async with db.reading() as session:
        profile = await profiles.load(session, agent.id)
    served = serve(settings, agent, profile)
    if served.trouble:
        logger.error("Nobody can call {}: {}", agent.id, served.trouble)
        raise profiles.OutOfOrder
    return served


def briefs(served: list[Served]) -> list[Brief]:
    """What the services of every agent type are told, but of those that nobody could serve."""
    return [each.brief for each in served if each.brief is not None]


def _prompts(agent: AgentType) -> tuple[str, ...]:
    """The sentences of an agent type that are the same in every call."""
    return (agent.greeting, *lines(agent.language).prompts)
