"""What a process that carries calls needs: made once, warmed before the first call, given back after the last."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

from loguru import logger

from agent import serving
from agent.call import Parts
from agent.webrtc import guard
from core import tasks
from core.db import Database
from core.settings import Settings
from identity.delivery import Delivery
from pipelines import voice
from pipelines.base import AgentType, Means
from pipelines.smart_turn import SmartTurnModel
from providers import catalog as vendors

if TYPE_CHECKING:
    from core.tracing import Tracing  # an extra


def make_parts(settings: Settings, *, secret: str, db: Database, delivery: Delivery, node: str) -> Parts:
    """What the calls of this process share; nothing is loaded yet.

    Args:
        node: Name of this process in the record of calls.
    """
    smart_turn = SmartTurnModel(own_process=settings.smart_turn_process)
    tracing = _tracing(settings, node)
    return Parts(means=Means(settings, secret, delivery), db=db, smart_turn=smart_turn, node=node, tracing=tracing)


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


async def warm(parts: Parts) -> list[asyncio.Task[Any]]:
    """Guard the media's edge and load what the first call would else wait for; what goes on in the background.

    Raises: RuntimeError if the guards do not fit the installed libraries; then no call may be taken.
    """
    settings = parts.settings
    await guard(settings)
    voice.warm()
    # pipecat imports it when it first makes a language service, and half a second of the first caller's time with it.
    await asyncio.to_thread(import_module, "pipecat.adapters.llm.services.open_ai_adapter")
    # Calls need not wait for Smart Turn: until it is there, the silence alone ends a turn.
    tasks.spawn(parts.smart_turn.warm(), owner="smart turn")
    served = await serving.look(parts.db, settings)
    for each in served:
        if each.trouble:
            logger.error("Nobody can call {}: {}", each.agent.id, each.trouble)
    known = serving.briefs(served)
    await vendors.warm(settings, known)
    # Nor for the vendors' answers: one that does not serve is replaced in the call.
    return [
        tasks.spawn(vendors.check(settings, known), owner="vendors' keys"),
        tasks.spawn(vendors.prepare_prompts(settings, known), owner="fixed prompts"),
    ]


def keep_for_good() -> None:
    """Spare what start-up has made from the garbage collector.

    It is there to stay; looked through again and again, it would keep every call waiting for a quarter of a second
    each time.
    """
    gc.collect()
    gc.freeze()
    # Anew, for the collector waits until a quarter has been added to what it has last seen: else to what is spared now,
    # and what ended calls leave would grow until clearing it takes a tenth of a second.
    gc.collect()


async def reload_profile(parts: Parts, agent: AgentType) -> None:
    """Load and make what the next call with a changed profile will need."""
    known = serving.briefs([each for each in await serving.look(parts.db, parts.settings) if each.agent.id == agent.id])
    await vendors.warm(parts.settings, known)
    await vendors.check(parts.settings, known)
    await vendors.prepare_prompts(parts.settings, known)


async def free(parts: Parts) -> None:
    """Give back what calls needed; all that they had under way has ended."""
    await vendors.close()
    parts.smart_turn.close()
    if parts.tracing is not None:
        await asyncio.to_thread(parts.tracing.close)
