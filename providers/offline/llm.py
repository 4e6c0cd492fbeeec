"""The offline language service: a pipecat LLM service that understands by phrases and rules instead of a model.

It reads the universal context like any LLM service, answers with text and asks for tools by ordinary function calls, so
the pipeline around it is the same as with a cloud model. A tool's result is a JSON object whose `say` is spoken; one
without `say` is silent, unless it tells of an error.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipecat.adapters.llm.base_llm_adapter import BaseLLMAdapter
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.processors.aggregators import async_tool_messages
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage, standard_message_text
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.utils.types import NOT_GIVEN, NotGiven

from core.settings import Settings
from providers.base import Brief, Kind, Readiness
from providers.offline.dialogue import OUT_OF_SCOPE, UNCLEAR, Act, Call, Dialogue, Memory
from providers.offline.espeak import DEFAULT_RATE_WPM, MAX_RATE_WPM, MIN_RATE_WPM
from providers.offline.hearing import words_of
from providers.offline.intents import trained

RATE_STEP_WPM = 30
"""How much slower or faster one request makes the voice."""

_APOLOGY = "Sorry, something went wrong. Please try again."
_TOO_LONG = "Sorry, that took too long. Please ask me again."
_SENTENCE = re.compile(r"[^.!?]+(?:[.!?](?!\s|$)[^.!?]*)*[.!?]*\s*")


def llm(settings: Settings, brief: Brief) -> LLMService:  # noqa: ARG001 - the contract of a vendor file
    """The language service of one call."""
    return OfflineLLMService(brief)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """It needs nothing but this code."""
    return Readiness(True, "rules and phrases on this machine; no model, no key")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Train the classifier of every agent type."""
    for brief in briefs:
        await trained(brief.phrases)


@dataclass
class RateDelta(TTSSettings):
    """A change of speaking rate, for a voice that has one; pipecat's settings ignore fields a voice does not know.

    Attributes:
        rate_wpm: Words a minute.
    """

    rate_wpm: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)


class OfflineLLMService(LLMService):
    """Understands one caller. Calls share only the trained classifier, which never changes.

    Args:
        brief: What the agent type declares, and the names this caller may say.
    """

    # The base class would load a vendor's SDK for its adapter; there is no vendor here.
    adapter_class = None

    def __init__(self, brief: Brief) -> None:
        super().__init__(
            settings=LLMSettings(
                model="phrases",
                system_instruction=None,
                temperature=None,
                max_tokens=None,
                top_p=None,
                top_k=None,
                frequency_penalty=None,
                presence_penalty=None,
                seed=None,
                filter_incomplete_user_turns=False,
                user_turn_completion_config=None,
            )
        )
        self._brief = brief
        self._dialogue: Dialogue | None = None
        self._rate_wpm = DEFAULT_RATE_WPM
        self._turns = 0  # of the caller's messages, how many have been dealt with
        self._before_speculation: tuple[Memory, int] | None = None
        self._told: set[str] = set()  # tool calls whose result was spoken

    def can_generate_metrics(self) -> bool:
        """Time to first text and processing time are reported; there are no tokens."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context; everything else passes."""
        await super().process_frame(frame, direction)
        if isinstance(frame, EagerEndOfTurnCancelFrame):
            self._forget_speculation()
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await self.start_processing_metrics()
            await self.start_ttfb_metrics()
            await self._answer(frame.context, speculative=frame.speculation)
        finally:
            await self.stop_processing_metrics()
            await self.push_frame(LLMFullResponseEndFrame())
