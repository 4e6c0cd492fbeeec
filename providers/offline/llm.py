"""The offline language service: a pipecat LLM service that understands by phrases and rules instead of a model.

It reads the universal context like any LLM service, answers with text and asks for tools by ordinary function calls, so
the pipeline around it is the same as with a cloud model. A tool's result is a JSON object whose `say` is spoken; one
without `say` is silent, unless it tells of an error.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from pipecat.adapters.llm.base_llm_adapter import BaseLLMAdapter
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators import async_tool_messages
from pipecat.processors.aggregators.llm_context import (
    LLMContext,
    LLMSpecificMessage,
    LLMStandardMessage,
    standard_message_text,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.utils.tracing.service_decorators import traced_llm
from pipecat.utils.types import NOT_GIVEN, NotGiven

from core.settings import Settings
from providers.base import Brief, Kind, Readiness, only_english
from providers.offline.dialogue import UNCLEAR, Act, Call, Dialogue, Memory
from providers.offline.espeak import DEFAULT_RATE_WPM, MAX_RATE_WPM, MIN_RATE_WPM
from providers.offline.intents import trained
from providers.offline.shelf import fetch
from providers.phrases import Value

RATE_STEP_WPM = 30
"""How much slower or faster one request makes the voice."""

_APOLOGY = "Sorry, something went wrong. Please try again."
_TOO_LONG = "Sorry, that took too long. Please ask me again."
_RUNNING = "IN_PROGRESS"  # what pipecat's aggregator puts in the place of a result that has not come
_CANCELLED = "CANCELLED"
_REMEMBERED = 32
_BEGINNING = 4
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TOKEN = re.compile(r"[a-z0-9']+")


def llm(settings: Settings, brief: Brief) -> LLMService:
    """The language service of one call.

    Raises: LanguageNotOffered.
    """
    check_language(settings, brief.language)
    return OfflineLLMService(brief)


def ready(settings: Settings, kind: Kind) -> Readiness:  # noqa: ARG001 - the contract of a vendor file
    """It needs nothing but this code."""
    return Readiness(True, "rules and phrases on this machine; no model, no key")


def check_language(settings: Settings, tag: str) -> None:  # noqa: ARG001 - the contract of a vendor file
    """Raises: LanguageNotOffered."""
    only_english(tag, "The offline language rules do not understand")


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Have the classifier of every agent type, trained here or at an earlier start."""
    for brief in briefs:
        await trained(brief.phrases, partial(fetch, folder=settings.data_dir / "cache"))


@dataclass
class RateDelta(TTSSettings):
    """A change of speaking rate, for a voice that has one; pipecat's settings ignore fields a voice does not know.

    Attributes:
        rate_wpm: Words a minute.
    """

    rate_wpm: int | NotGiven = field(default_factory=lambda: NOT_GIVEN)


class ContextAdapter(BaseLLMAdapter[dict[str, Any]]):
    """Leaves contexts as they are. The base class's default would load a vendor's SDK for nothing."""

    @property
    def id_for_llm_specific_messages(self) -> str:
        """Name of messages only this service understands; there are none."""
        return "offline"

    async def get_llm_invocation_params(self, context: LLMContext, **_kwargs: object) -> dict[str, Any]:
        """The messages, unchanged."""
        return {"messages": _messages(context)}

    def to_provider_tools_format(self, tools_schema: ToolsSchema) -> list[Any]:
        """The tools as plain data; only traces ask for them."""
        return [schema.to_default_dict() for schema in tools_schema.standard_tools]

    def get_messages_for_logging(self, context: LLMContext) -> list[dict[str, Any]]:
        """The messages, long values cut."""
        return cast("list[dict[str, Any]]", context.get_messages(truncate_large_values=True))


class OfflineLLMService(LLMService):
    """Understands one caller. Calls share only the trained classifier, which never changes.

    Args:
        brief: What the agent type declares, and the names this caller may say.
    """

    adapter_class = ContextAdapter

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
        self._dealt_with = 0  # of the caller's messages
        self._before = Memory()  # as it was before the last of them
        self._told: deque[str] = deque(maxlen=_REMEMBERED)  # tool calls whose result was spoken
        self._said: deque[str] = deque(maxlen=_REMEMBERED)

    def can_generate_metrics(self) -> bool:
        """Time to first text and processing time are reported, and that there are no tokens."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context; everything else passes."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await self.start_processing_metrics()
            await self.start_ttfb_metrics()
            await self._answer(frame.context)
        finally:
            await self.start_llm_usage_metrics(LLMTokenUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0))
            await self.stop_processing_metrics()
            await self.push_frame(LLMFullResponseEndFrame())

    @traced_llm
    async def _answer(self, context: LLMContext) -> None:
        if self._dialogue is None:
            self._dialogue = Dialogue(self._brief.phrases, await trained(self._brief.phrases), self._brief.names)
        waiting = _waiting(context)
        results = [result for result in waiting.results if result.call_id not in self._told]
        self._told.extend(result.call_id for result in results)
        found = " ".join(filter(None, map(_spoken, results)))
        if waiting.heard:
            act = self._hear(self._dialogue, context, waiting)
            # A result that came while the caller was speaking is still owed, unless they now want something else.
            found = "" if act.calls else found
            await self._do(replace(act, say="") if found and act.intent == UNCLEAR else act, context)
        elif waiting.prompted:
            await self._do(self._dialogue.resume(), context)
        if found:
            self._dialogue.told(found, next((code for code in map(_error, results) if code), ""))
            await self._say(found)

    def _hear(self, dialogue: Dialogue, context: LLMContext, waiting: _Waiting) -> Act:
        """Understand what the caller has said since the last answer.

        A turn that comes again, because an early guess at its end was withdrawn, replaces what it was before.
        """
        turns = sum(1 for message in _messages(context) if message.get("role") == "user")
        new = turns - self._dealt_with
        if new <= 0:
            dialogue.memory = self._before
        self._dealt_with, self._before = turns, dialogue.memory
        if waiting.last_said and not any(_is_part(waiting.last_said, said) for said in self._said):
            dialogue.told(waiting.last_said)  # somebody else speaks here too: the greeting, a read-back
        text = " ".join(waiting.heard[-max(new, 1) :])
        return dialogue.hear(text, tools=[schema.name for schema in _schemas(context)])

    async def _do(self, act: Act, context: LLMContext) -> None:
        if act.pace:
            rate = self._rate_wpm + act.pace * RATE_STEP_WPM
            self._rate_wpm = min(max(rate, MIN_RATE_WPM), MAX_RATE_WPM)
            await self.push_frame(TTSUpdateSettingsFrame(delta=RateDelta(rate_wpm=self._rate_wpm)))
        if act.say:
            await self._say(act.say)
        if act.calls:
            await self.stop_ttfb_metrics()
            await self.run_function_calls([_function_call(call, context) for call in act.calls])

    async def _say(self, text: str) -> None:
        """Stream a text sentence by sentence, so that speaking starts with the first."""
        self._said.append(text)
        await self.stop_ttfb_metrics()
        for sentence in _SENTENCE_END.split(text):
            await self._push_llm_text(f"{sentence} ")


@dataclass(frozen=True, slots=True)
class _Result:
    call_id: str
    content: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What stands at the end of a context and waits for an answer.

    Attributes:
        results: Of tools, oldest first; they may have come before or after the caller's last words.
        heard: The caller's messages since the agent last spoke or acted, oldest first.
        prompted: Whether a developer message asks the agent to go on.
        last_said: What the caller heard last.
    """

    results: Sequence[_Result] = ()
    heard: Sequence[str] = ()
    prompted: bool = False
    last_said: str = ""


def _waiting(context: LLMContext) -> _Waiting:
    results: list[_Result] = []
    heard: list[str] = []
    prompted = False
    messages = _messages(context)
    for message in reversed(messages):
        role, result = message.get("role"), _result(message)
        if result is not None:
            if prompted:
                break
            given_up = result.content.startswith(_CANCELLED) and (results or heard)  # for what came after it
            if result.content != _RUNNING and not given_up:
                results.append(result)
        elif role == "user" and not (results or prompted):
            heard.append(_text(message))
        elif role == "developer" and not (results or heard):
            prompted = True
        elif role != "assistant" or not message.get("tool_calls"):
            break
    said = (text for m in reversed(messages) if m.get("role") == "assistant" and (text := _text(m)))
    return _Waiting(results[::-1], heard[::-1], prompted, next(said, ""))


def _result(message: dict[str, Any]) -> _Result | None:
    """The tool result in a message; its content is `_RUNNING` where there is none yet."""
    payload = async_tool_messages.parse_message(cast("LLMStandardMessage", message))
    if payload is not None:
        return _Result(payload.tool_call_id, _RUNNING if payload.result is None else payload.result)
    if message.get("role") == "tool":
        return _Result(str(message.get("tool_call_id")), _text(message))
    return None


def _messages(context: LLMContext) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", m) for m in context.messages if not isinstance(m, LLMSpecificMessage)]


def _text(message: dict[str, Any]) -> str:
    return standard_message_text(cast("LLMStandardMessage", message))


def _schemas(context: LLMContext) -> list[FunctionSchema]:
    return context.tools.standard_tools if isinstance(context.tools, ToolsSchema) else []


def _function_call(call: Call, context: LLMContext) -> FunctionCallFromLLM:
    schema = next((schema for schema in _schemas(context) if schema.name == call.tool), None)
    properties = schema.properties if schema else {}
    arguments = {name: _within(value, properties[name]) for name, value in call.arguments.items() if name in properties}
    return FunctionCallFromLLM(
        function_name=call.tool, tool_call_id=f"call_{uuid.uuid4().hex}", arguments=arguments, context=context
    )


def _within(value: Value, schema: Mapping[str, Any]) -> Value:
    """A count moved into the range the tool takes: "the last hundred" gives as many as there may be."""
    if isinstance(value, str) or schema.get("type") != "integer":
        return value
    return max(schema.get("minimum", value), min(value, schema.get("maximum", value)))


def _spoken(result: _Result) -> str:
    """What to say about a tool's result."""
    if result.content == "COMPLETED":
        return ""
    if result.content.startswith(_CANCELLED):
        return _TOO_LONG
    told = _told(result)
    if told is None:
        return _APOLOGY
    say = told.get("say")
    return say if isinstance(say, str) else _APOLOGY if "error" in told else ""


def _error(result: _Result) -> str:
    """The code of a tool's refusal."""
    code = (_told(result) or {}).get("error")
    return code if isinstance(code, str) else ""


def _told(result: _Result) -> dict[str, Any] | None:
    try:
        told = json.loads(result.content)
    except json.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def _is_part(heard: str, said: str) -> bool:
    """Whether what the caller heard begins inside a text of ours; voices may respell what they say further on."""
    first = _TOKEN.findall(heard.lower())[:_BEGINNING]
    whole = _TOKEN.findall(said.lower())
    return any(whole[at : at + len(first)] == first for at in range(len(whole)))
