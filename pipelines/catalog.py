"""The agent types there are, found by their files."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import pipelines
from core.errors import NotFound
from pipelines.base import AgentType


class UnknownAgent(NotFound):
    """There is no agent type of that name."""

    code = "unknown_agent"


@cache
def all_types() -> dict[str, AgentType]:
    """Every agent type by its id, in alphabetical order: each module of this room that declares `AGENT`."""
    found: dict[str, AgentType] = {}
    for info in sorted(pkgutil.iter_modules(pipelines.__path__), key=lambda module: module.name):
        agent = getattr(importlib.import_module(f"pipelines.{info.name}"), "AGENT", None)
        if isinstance(agent, AgentType):
            found[agent.id] = agent
    return found


def load(agent_type: str) -> AgentType:
    """An agent type by its id.

    Raises: UnknownAgent.
    """
    try:
        return all_types()[agent_type]
    except KeyError:
        known = ", ".join(all_types())
        raise UnknownAgent(f"There is no agent of that type; there are: {known}") from None
