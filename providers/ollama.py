"""Ollama: a language model on this machine or in the house, through its OpenAI-compatible interface."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loguru import logger

from core.settings import Settings
from providers.base import FREE, Brief, Kind, Readiness
from providers.chat_completions import (
    ANSWER_TOKENS,
    NO_KEY,
    TEMPERATURE,
    ChatCompletions,
    ask_for_models,
    client,
    load,
)

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

PRICES = FREE

SILENT_S = 20.0
"""Longest wait for the next piece of an answer, the first included: models in a house are slow."""

PATIENCE_S = SILENT_S

LOADING_S = 90.0
"""How long start-up waits for Ollama to bring the model into memory."""


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """Whether it was asked for; it is never chosen by itself, because small models answer less surely than rules."""
    if not _model(settings):
        return Readiness(False, "OLLAMA_MODEL is not set")
    if "ollama" not in settings.llm_provider:
        return Readiness(False, "LLM_PROVIDER is not ollama")
    return Readiness(True, f"{_model(settings)} at {_place(settings)}")


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language model, told how to behave by the brief; a server that is down shows at the first turn."""
    service = _service()
    return service(
        base_url=_base_url(settings),
        api_key=NO_KEY,
        settings=service.Settings(
            model=_model(settings),
            system_instruction=brief.instructions,
            temperature=TEMPERATURE,
            max_tokens=ANSWER_TOKENS,
        ),
    )


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Have Ollama load the model, which takes it up to a minute; without it the first caller would wait."""
    from openai import OpenAIError

    await load(_service)
    async with client(base_url=_base_url(settings), api_key=NO_KEY, silent_s=LOADING_S) as asking:
        try:
            await asking.chat.completions.create(
                model=_model(settings), messages=[{"role": "user", "content": "Hello"}], max_tokens=1
            )
        except OpenAIError as error:
            # Calls can be taken all the same: Ollama may be started later.
            logger.warning("Ollama at {} is not ready: {}", _place(settings), error)


async def check(settings: Settings) -> None:
    """Ask which models there are."""
    await ask_for_models(base_url=_base_url(settings), api_key=NO_KEY)


def _model(settings: Settings) -> str:
    return settings.ollama_model


def _base_url(settings: Settings) -> str:
    url = settings.ollama_base_url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


def _place(settings: Settings) -> str:
    """Its address for people to read, without the name and password that may stand in it."""
    url = urlsplit(_base_url(settings))
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


@cache
def _service() -> Any:
    from pipecat.services.ollama.llm import OLLamaLLMService

    class Ollama(ChatCompletions, OLLamaLLMService):
        """pipecat's service, mended, with more patience."""

        @property
        def silent_s(self) -> float:
            return SILENT_S

    return Ollama
