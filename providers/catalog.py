"""Which vendors there are, which of them serves each part of a call, and who steps in when one fails."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

import providers
from core.errors import AppError
from core.settings import Settings
from providers.base import Brief, Kind, Readiness
from providers.failover import Breaker, Breakers, FailoverLLM, FailoverSTT, FailoverTTS, Link, Listener
from providers.prompts import Prompts

KINDS: tuple[Kind, ...] = ("stt", "llm", "tts")
_NOT_VENDORS = {
    "base",
    "catalog",
    "chat_completions",
    "expand",
    "failover",
    "frames",
    "local",
    "phrases",
    "prompts",
    "speakable",
    "websocket_voice",
}
_CLOUD = ("deepgram", "anthropic", "cartesia", "openai", "groq", "deepseek", "elevenlabs")
"""Preferred in this order among those that have a key."""

_LOCAL = ("moonshine", "whisper", "kokoro", "piper", "ollama")
"""Run on this machine: preferred in this order, after every vendor that has a key."""

_LAST = "offline"
"""Needs neither key nor network; stands behind all others, and alone when nothing better is ready."""

_CHAIN = "fallback:"
_FAILOVER = {"stt": FailoverSTT, "llm": FailoverLLM}

_added: dict[str, ModuleType] = {}

breakers = Breakers()
"""Which vendors are trusted just now, by all calls of this process."""

prompts = Prompts()
"""Fixed sentences in the voices of this process."""


class UnknownProvider(AppError):
    """A setting names a vendor there is no file for, or one that does not offer this."""

    code = "unknown_provider"
    status = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider that serves one kind, and why it was chosen.

    Attributes:
        behind: Who steps in when it fails, in this order.
        passed_over: Who was wished for and cannot serve, each with the reason.
    """

    kind: Kind
    name: str
    why: str
    behind: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def chain(self) -> tuple[str, ...]:
        """All of them, in the order of preference."""
        return (self.name, *self.behind)

    @property
    def told(self) -> str:
        """Who serves and why, who steps in, and who was passed over, for people."""
        behind = f"; behind it: {', '.join(self.behind)}" if self.behind else ""
        over = f"; passed over: {', '.join(self.passed_over)}" if self.passed_over else ""
        return f"{self.name}: {self.why}{behind}{over}"


def add(name: str, module: ModuleType) -> None:
    """Offer a vendor that lives outside this package (a plug-in, a benchmark's stand-in)."""
    _added[name] = module


def remove(name: str) -> None:
    """Withdraw what `add` offered."""
    _added.pop(name, None)


def names() -> list[str]:
    """Every provider there is a file for, in the order of preference, the last resort last."""
    found = _files() | set(_added)
    others = sorted(found - {*_CLOUD, *_LOCAL, _LAST})
    return [*(name for name in _CLOUD if name in found), *others, *(name for name in _LOCAL if name in found), _LAST]


@cache
def _files() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(providers.__path__)) - _NOT_VENDORS


def load(name: str) -> ModuleType:
    """The module of a provider.

    Raises: UnknownProvider.
    """
    if name not in names():
        raise UnknownProvider(f"There is no provider named {name!r}; there are: {', '.join(names())}")
    return _added.get(name) or importlib.import_module(f"providers.{name}")


def _part(name: str, kind: Kind) -> ModuleType | None:
    """Where a provider offers `kind`: its module, or in a package the submodule of that name; None if it does not."""
    if not _offers(name, kind):
        return None
    module = load(name)
    return importlib.import_module(f"{module.__name__}.{kind}") if _has_submodule(module, kind) else module


def _offers(name: str, kind: Kind) -> bool:
    module = load(name)
    return callable(getattr(module, kind, None)) or _has_submodule(module, kind)


def _has_submodule(module: ModuleType, kind: Kind) -> bool:
    return hasattr(module, "__path__") and find_spec(f"{module.__name__}.{kind}") is not None


def choose(settings: Settings, kind: Kind) -> Choice:
    """Who serves `kind`: those set, else those that have a key, else the best that runs on this machine.

    Behind all of them stands the offline one, if it is installed.

    Raises: UnknownProvider.
    """
    wanted = _wanted(settings, kind)
    if wanted:
        states = {name: readiness(settings, name, kind) for name in wanted}
        able = [name for name in wanted if states[name].ok]
        why = f"set by {kind.upper()}_PROVIDER"
        passed_over = tuple(f"{name}: {states[name].why}" for name in wanted if name not in able)
    else:
        able, why = _best(settings, kind)
        passed_over = ()
    last = readiness(settings, _LAST, kind)
    if _LAST not in able and (last.ok or not (able or wanted)):
        able.append(_LAST)
    if not able:
        able, why = wanted, f"{why}; {passed_over[0]}" if passed_over else why
    elif able == [_LAST] and not wanted:
        why = last.why
    return Choice(kind, able[0], why, tuple(able[1:]), passed_over)


def _wanted(settings: Settings, kind: Kind) -> list[str]:
    """The vendors a setting names."""
    value = {"stt": settings.stt_provider, "llm": settings.llm_provider, "tts": settings.tts_provider}[kind]
    listed = value.removeprefix(_CHAIN).split(",") if value.startswith(_CHAIN) else [value]
    found = list(dict.fromkeys(name.strip() for name in listed if name.strip()))
    for name in found:
        if not _offers(name, kind):
            raise UnknownProvider(f"{kind.upper()}_PROVIDER={value}: {name} has no {kind}")
    return found


def _best(settings: Settings, kind: Kind) -> tuple[list[str], str]:
    """Everybody who has a key, else the first that runs here; and why."""
    able, why = [], ""
    for name in names():
        if name == _LAST or name in _added or (able and name in _LOCAL) or not _offers(name, kind):
            continue
        state = readiness(settings, name, kind)
        if state.ok:
            able.append(name)
            why = why or state.why
            if name in _LOCAL:
                break
    return able, why


def readiness(settings: Settings, name: str, kind: Kind) -> Readiness:
    """Whether a provider can serve `kind` here and now."""
    return load(name).ready(settings, kind)


def make(settings: Settings, kind: Kind, brief: Brief, listener: Listener | None = None) -> Any:
    """A pipecat service of `kind` for one call, or a chain of them that looks like one."""
    choice = choose(settings, kind)
    if not choice.behind:
        return _service(settings, choice.name, kind, brief)
    links = [
        Link(
            name,
            partial(_service, settings, name, kind, brief),
            breaker(settings, name, kind),
            getattr(load(name), "PATIENCE_S", 0.0),
        )
        for name in choice.chain
    ]
    return FailoverTTS(links, listener, prompts) if kind == "tts" else _FAILOVER[kind](links, listener)


def _service(settings: Settings, name: str, kind: Kind, brief: Brief) -> FrameProcessor:
    part = _part(name, kind)
    assert part is not None, "choose() names only providers that offer the kind"
    return getattr(part, kind)(settings, brief)


def breaker(settings: Settings, name: str, kind: Kind) -> Breaker:
    """What is known of a vendor in this process."""
    check = getattr(load(name), "check", None)
    ask = None if check is None else partial(check, settings)
    return breakers.of(name, kind, ask, first_rest_s=settings.vendor_rest_s)


def vendors(settings: Settings) -> list[Breaker]:
    """What is known of every vendor of the chains that can be asked."""
    return [
        breaker(settings, name, kind)
        for kind in KINDS
        for name in choose(settings, kind).chain
        if hasattr(load(name), "check")
    ]


async def check(settings: Settings) -> list[Breaker]:
    """Ask every vendor of the chains whether it serves us; those that do not.

    They are given a rest at once, so that the first caller is spared the discovery.
    """
    asked = vendors(settings)
    troubles = await asyncio.gather(*(found.ask() for found in asked))
    for found, trouble in zip(asked, troubles, strict=True):
        if trouble is not None:
            found.rest(trouble)
    return [found for found in asked if found.open]


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Load the models of the chosen providers before the first call."""
    for part in _chosen_parts(settings):
        if hasattr(part, "warm"):
            await part.warm(settings, briefs)


async def prepare_prompts(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Have the first voice speak the fixed sentences, where it can without a call; it takes as long as it takes."""
    name = choose(settings, "tts").name
    part = _part(name, "tts")
    if part is not None and hasattr(part, "say"):
        await prompts.prepare(name, part, settings, briefs)


async def close(settings: Settings) -> None:
    """Give back what `warm` took."""
    breakers.close()
    prompts.clear()
    for part in _chosen_parts(settings):
        if hasattr(part, "close"):
            await part.close()


def _chosen_parts(settings: Settings) -> list[ModuleType]:
    parts = (_part(name, kind) for kind in KINDS for name in choose(settings, kind).chain)
    return list(dict.fromkeys(part for part in parts if part is not None))
