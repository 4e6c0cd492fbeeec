"""OpenAI's language models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from core.settings import Settings
from providers.base import Brief
from providers.chat_completions import ANSWER_TOKENS, TEMPERATURE, THOUGHT_TOKENS, ChatCompletions, key_of, load
from providers.openai import base_url

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_GPT_5 = re.compile(r"gpt-5(\.\d+)?(?!.*chat)")


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief."""
    service = _service()
    return service(
        api_key=key_of(settings.openai_api_key),
        base_url=base_url(settings),
        settings=service.Settings(
            model=settings.openai_model, system_instruction=brief.instructions, **_manner(settings.openai_model)
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Import the SDK."""
    await load(_service)


def _manner(model: str) -> dict[str, Any]:
    """What to send along so that a model answers briefly and thinks as little as it can.

    Models that think take no temperature, and with tools the newer ones take no effort but "none".
    """
    gpt_5 = _GPT_5.match(model)
    if gpt_5 and gpt_5[1]:
        return {"max_completion_tokens": ANSWER_TOKENS, "extra": {"reasoning_effort": "none"}}
    if gpt_5 or re.match(r"o\d", model):
        effort = "minimal" if gpt_5 else "low"
        return {"max_completion_tokens": ANSWER_TOKENS + THOUGHT_TOKENS, "extra": {"reasoning_effort": effort}}
    return {"max_completion_tokens": ANSWER_TOKENS, "temperature": TEMPERATURE}


@cache
def _service() -> Any:
    from pipecat.services.openai.llm import OpenAILLMService

    class OpenAI(ChatCompletions, OpenAILLMService):
        """pipecat's service, mended."""

    return OpenAI
