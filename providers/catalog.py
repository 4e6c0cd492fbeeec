"""Which vendors there are, which of them serves each part of a call, and who steps in when one fails."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

import providers
from core.errors import AppError
from core.settings import Settings
from providers.base import KIND_NAMES, Brief, Kind, LanguageNotOffered, Readiness, VoiceNotOffered
from providers.failover import Breaker, Breakers, FailoverLLM, FailoverSTT, FailoverTTS, Link, Listener
from providers.failover.breaker import CHECK_TIMEOUT_S
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

_WORK = {"stt": "hear", "llm": "answer in", "tts": "speak"}

_added: dict[str, ModuleType] = {}

_used: dict[ModuleType, None] = {}
"""What may hold models of this process."""

_warm: dict[ModuleType, None] = {}
"""What has been warmed, or tried."""

_warming = asyncio.Lock()

breakers = Breakers()
"""Which vendors are trusted just now, by all calls of this process."""

prompts = Prompts()
"""Fixed sentences in the voices of this process."""


class UnknownProvider(AppError):
    """A setting names a vendor there is no file for, or one that does not offer this."""

    code = "unknown_provider"
    status = 500


class ProviderNotReady(AppError):
    """A vendor that was named has no key here, or is not installed."""

    code = "provider_not_ready"
    status = 422


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider that serves one kind, and why it was chosen.

    Attributes:
        behind: Who steps in when it fails, in this order.
        passed_over: Who was wished for and cannot serve, or not in this language, each with the reason.
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


def choose(settings: Settings, kind: Kind, brief: Brief | None = None) -> Choice:
    """Who serves `kind`: those a brief names, else those set, else all who have a key, else the best that runs here.

    Behind all of them stands the offline one, if it is installed. Whoever does not serve the brief's language is left
    out, and so is one that a brief names and there is no file for any more.

    Raises: UnknownProvider; LanguageNotOffered if nobody is left who does.
    """
    language = "en" if brief is None else brief.language
    named = brief is not None and kind in brief.providers
    settings = _as_named(settings, kind, brief)
    wanted = _wanted(settings, kind)
    if not named:
        _check_offered(kind, wanted, where=f"{kind.upper()}_PROVIDER={getattr(settings, f'{kind}_provider')}: ")
    mute: dict[str, str] = {}  # who could serve, but not in this language, and why
    if wanted:
        states = {name: _readiness_of_any(settings, name, kind) for name in wanted}
        able = [name for name in wanted if states[name].ok and _serves(settings, name, kind, language, mute)]
        why = "set by the agent's profile" if named else f"set by {kind.upper()}_PROVIDER"
        passed_over = tuple(f"{name}: {mute.get(name) or states[name].why}" for name in wanted if name not in able)
    else:
        able, why, unready = _best(settings, kind, language, mute)
        passed_over = tuple(f"{name}: {refusal}" for name, refusal in (unready | mute).items())
    last = readiness(settings, _LAST, kind)
    if _LAST not in able and (
        _serves(settings, _LAST, kind, language, mute) if last.ok else not (able or wanted or mute)
    ):
        able.append(_LAST)
    if not able and mute:
        raise LanguageNotOffered(
            f"Nobody who is set up here can {_WORK[kind]} {language}: {'; '.join(mute.values())}. "
            "Choose a vendor who can, give the server its key if it lacks that, or choose another language"
        )
    if not able:
        able, why = wanted, f"{why}; {passed_over[0]}" if passed_over else why
    elif able == [_LAST] and not wanted:
        why = last.why
    return Choice(kind, able[0], why, tuple(able[1:]), passed_over)


def confirm(settings: Settings, kind: Kind, brief: Brief) -> Choice:
    """Who would serve a brief; stricter than `choose`, for somebody who is about to ask for it.

    Raises: UnknownProvider; ProviderNotReady if one that the brief names lacks its key; LanguageNotOffered if nobody
        serves its language; VoiceNotOffered if the first of them is known not to have its voice.
    """
    named = _as_named(settings, kind, brief)
    wanted = _wanted(named, kind) if kind in brief.providers else []
    _check_offered(kind, wanted)
    for name in wanted:
        state = readiness(named, name, kind)
        if not state.ok:
            raise ProviderNotReady(f"{name} cannot serve: {state.why}")
    choice = choose(settings, kind, brief)
    check_voice = getattr(_part(choice.name, kind), "check_voice", None)
    if kind == "tts" and check_voice is not None:
        check_voice(settings, brief.voice, brief.language)
    return choice


async def confirm_voice(settings: Settings, name: str, voice: str) -> None:
    """Ask a vendor for a voice; one that cannot be asked, or does not answer, is believed to have it.

    Raises: VoiceNotOffered.
    """
    find_voice = getattr(_part(name, "tts"), "find_voice", None)
    if find_voice is None:
        return
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await find_voice(settings, voice)
    except VoiceNotOffered:
        raise
    except Exception as error:  # noqa: BLE001 - a vendor's SDK may raise anything; calls go without that voice if need be
        logger.warning("{} did not tell whether it has a voice: {}", name, type(error).__name__)


def offered(settings: Settings, kind: Kind) -> dict[str, Readiness]:
    """Everybody who does `kind`, in the order of preference, and whether they could if they were named."""
    each = ((name, _with_provider(settings, kind, name)) for name in names() if _offers(name, kind))
    return {name: readiness(named, name, kind) for name, named in each}


def _as_named(settings: Settings, kind: Kind, brief: Brief | None) -> Settings:
    """The settings with the brief's providers in place of the server's."""
    value = brief.providers.get(kind) if brief is not None else None
    return settings if value is None else _with_provider(settings, kind, value)


def _with_provider(settings: Settings, kind: Kind, value: str) -> Settings:
    return settings.model_copy(update={f"{kind}_provider": value})


def _serves(settings: Settings, name: str, kind: Kind, language: str, mute: dict[str, str]) -> bool:
    """Whether a provider that is ready serves a language; if not, its reason goes into `mute`."""
    check_language = getattr(_part(name, kind), "check_language", None)
    try:
        if check_language is not None:
            check_language(settings, language)
    except LanguageNotOffered as refusal:
        mute[name] = refusal.message
        return False
    return True


def _wanted(settings: Settings, kind: Kind) -> list[str]:
    """The vendors a setting names."""
    value = {"stt": settings.stt_provider, "llm": settings.llm_provider, "tts": settings.tts_provider}[kind]
    listed = value.removeprefix(_CHAIN).split(",") if value.startswith(_CHAIN) else [value]
    return list(dict.fromkeys(name.strip() for name in listed if name.strip()))


def _check_offered(kind: Kind, wanted: Sequence[str], *, where: str = "") -> None:
    """Raises: UnknownProvider if there is no file for one of the vendors, or it does not do `kind`."""
    for name in wanted:
        if not _offers(name, kind):
            raise UnknownProvider(f"{where}{name} has no {kind}")


def _best(settings: Settings, kind: Kind, language: str, mute: dict[str, str]) -> tuple[list[str], str, dict[str, str]]:
    """Everybody who has a key, else the first that runs here, of those who serve a language; why; whose key is none."""
    able, why = [], ""
    unready: dict[str, str] = {}
    for name in names():
        if name == _LAST or name in _added or (able and name in _LOCAL) or not _offers(name, kind):
            continue
        state = readiness(settings, name, kind)
        if not state.ok and _has_key(settings, name):
            unready[name] = state.why
        elif state.ok and _serves(settings, name, kind, language, mute):
            able.append(name)
            why = why or state.why
            if name in _LOCAL:
                break
    return able, why, unready


def _has_key(settings: Settings, name: str) -> bool:
    key = getattr(settings, f"{name}_api_key", None)
    return key is not None and bool(key.get_secret_value().strip())


def _readiness_of_any(settings: Settings, name: str, kind: Kind) -> Readiness:
    """As `readiness`, also of a name nobody has."""
    if name not in names() or not _offers(name, kind):
        return Readiness(False, f"there is no such provider of {kind}")
    return readiness(settings, name, kind)


def readiness(settings: Settings, name: str, kind: Kind) -> Readiness:
    """Whether a provider can serve `kind` here and now."""
    return load(name).ready(settings, kind)


def make(settings: Settings, kind: Kind, brief: Brief, listener: Listener | None = None) -> Any:
    """A pipecat service of `kind` for one call, or a chain of them that looks like one.

    A vendor alone is a chain, too: nobody takes over, but the caller is told why there is no answer.

    Raises: as `choose`.
    """
    choice = choose(settings, kind, brief)
    if choice.chain == (_LAST,):
        return _service(settings, _LAST, kind, brief)
    links = [
        Link(
            name,
            partial(_service, settings, name, kind, brief),
            breaker(settings, name, kind),
            getattr(load(name), "PATIENCE_S", 0.0),
        )
        for name in choice.chain
    ]
    match kind:
        case "stt":
            return FailoverSTT(links, listener, words=brief.words)
        case "llm":
            return FailoverLLM(links, listener, words=brief.words)
        case "tts":
            return FailoverTTS(links, listener, prompts)


def _service(settings: Settings, name: str, kind: Kind, brief: Brief) -> FrameProcessor:
    part = _part(name, kind)
    assert part is not None, "choose() names only providers that offer the kind"
    _used[part] = None
    return getattr(part, kind)(settings, _brief_for(name, brief))


def _brief_for(name: str, brief: Brief) -> Brief:
    """What one vendor is told: a voice is known to its own vendor only."""
    return brief if brief.voice_of in ("", name) else replace(brief, voice="")


def breaker(settings: Settings, name: str, kind: Kind) -> Breaker:
    """What is known of a vendor in this process."""
    check = getattr(load(name), "check", None)
    ask = None if check is None else partial(check, settings)
    key = f"{name}_api_key"
    named = key.upper() if key in Settings.model_fields else ""
    return breakers.of(name, kind, ask, first_rest_s=settings.vendor_rest_s, key=named)


def resting(settings: Settings, choice: Choice) -> str:
    """Why nobody of a choice serves just now; empty if somebody does, or may."""
    asked = [breaker(settings, name, choice.kind) for name in choice.chain]
    if not all(each.open and each.check is not None for each in asked):
        return ""
    why = ", ".join(f"{each.vendor} {each.words}" for each in asked)
    return f"{KIND_NAMES[choice.kind]}: nobody serves just now: {why}"


def vendors(settings: Settings, briefs: Sequence[Brief] = ()) -> list[Breaker]:
    """What is known of every vendor that can be asked, of the chains set and of those that serve the briefs."""
    found: dict[tuple[str, Kind], None] = {}
    for kind in KINDS:
        for choice in (choose(settings, kind), *(choice for _, choice in _choices(settings, kind, briefs))):
            found |= {(name, kind): None for name in choice.chain}
    return [breaker(settings, name, kind) for name, kind in found if hasattr(load(name), "check")]


def _choices(settings: Settings, kind: Kind, briefs: Sequence[Brief]) -> Iterator[tuple[Brief, Choice]]:
    """Who serves each brief; without those that nobody serves, which are told where they are asked for."""
    for brief in briefs:
        with suppress(LanguageNotOffered, UnknownProvider):
            yield brief, choose(settings, kind, brief)


async def check(settings: Settings, briefs: Sequence[Brief] = ()) -> list[Breaker]:
    """Ask every vendor of the chains whether it serves us; those that do not.

    They are given a rest at once, so that the first caller is spared the discovery.
    """
    asked = vendors(settings, briefs)
    troubles = await asyncio.gather(*(found.ask() for found in asked))
    for found, trouble in zip(asked, troubles, strict=True):
        if trouble is not None:
            found.rest(trouble)
    return [found for found in asked if found.open]


async def warm(settings: Settings, briefs: Sequence[Brief], *, again: bool = True) -> None:
    """Load the models of those who serve the briefs before a call; one that cannot be is passed over in the call.

    Args:
        again: Also of those that have served here before, for what a brief may have brought with it.
    """
    concerned: dict[ModuleType, list[Brief]] = {}
    for kind in KINDS:
        for brief, choice in _choices(settings, kind, briefs):
            for name in choice.chain:
                part = _part(name, kind)
                assert part is not None
                concerned.setdefault(part, []).append(_brief_for(name, brief))
    for part, those in concerned.items():
        if hasattr(part, "warm") and (again or part not in _warm):
            async with _warming:
                _used[part] = _warm[part] = None
                try:
                    await part.warm(settings, those)
                except Exception as error:  # noqa: BLE001 - an engine may raise anything; others serve without it
                    logger.error("{} cannot be loaded: {}", part.__name__, type(error).__name__)


async def prepare_prompts(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Have each first voice speak its fixed sentences, where it can without a call; it takes as long as it takes."""
    concerned: dict[str, list[Brief]] = {}
    for brief, choice in _choices(settings, "tts", briefs):
        concerned.setdefault(choice.name, []).append(_brief_for(choice.name, brief))
    for name, those in concerned.items():
        part = _part(name, "tts")
        if part is not None and hasattr(part, "say"):
            await prompts.prepare(name, part, settings, those)


async def close() -> None:
    """Give back what `warm` and calls took."""
    breakers.close()
    prompts.clear()
    _warm.clear()
    while _used:
        part, _ = _used.popitem()
        if hasattr(part, "close"):
            await part.close()
