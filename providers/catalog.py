"""Which vendors there are, and which of them serves each part of a call."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor

import providers
from core.errors import AppError
from core.settings import Settings
from providers.base import Brief, Kind, Readiness

KINDS: tuple[Kind, ...] = ("stt", "llm", "tts")
_NOT_VENDORS = {"base", "catalog", "expand", "local", "phrases"}
_LOCAL = ("moonshine", "whisper", "kokoro", "piper", "ollama")
"""Run on this machine: preferred in this order, after every vendor that has a key."""

_LAST = "offline"
"""Needs neither key nor network; chosen when nothing better is ready."""

_added: dict[str, ModuleType] = {}


class UnknownProvider(AppError):
    """A setting names a vendor there is no file for, or one that does not offer this."""

    code = "unknown_provider"
    status = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider that serves one kind, and why it was chosen."""

    kind: Kind
    name: str
    why: str


def add(name: str, module: ModuleType) -> None:
    """Offer a vendor that lives outside this package (a plug-in, a benchmark's stand-in)."""
    _added[name] = module


def remove(name: str) -> None:
    """Withdraw what `add` offered."""
    _added.pop(name, None)


def names() -> list[str]:
    """Every provider there is a file for, in the order of preference, the last resort last."""
    found = {module.name for module in pkgutil.iter_modules(providers.__path__)} - _NOT_VENDORS
    with_a_key = sorted((found | set(_added)) - {*_LOCAL, _LAST})
    return [*with_a_key, *(name for name in _LOCAL if name in found), _LAST]


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
    return importlib.import_module(f"{module.__name__}.{kind}") if hasattr(module, "__path__") else module


def _offers(name: str, kind: Kind) -> bool:
    module = load(name)
    return hasattr(module, kind) or (hasattr(module, "__path__") and find_spec(f"{module.__name__}.{kind}") is not None)


def choose(settings: Settings, kind: Kind) -> Choice:
    """The provider for `kind`: the one set, else the first that is ready, else the offline one.

    Raises: UnknownProvider.
    """
    wanted = {"stt": settings.stt_provider, "llm": settings.llm_provider, "tts": settings.tts_provider}[kind]
    if wanted:
        if not _offers(wanted, kind):
            raise UnknownProvider(f"{kind.upper()}_PROVIDER={wanted}: that provider has no {kind}")
        state = readiness(settings, wanted, kind)
        return Choice(kind, wanted, f"set by {kind.upper()}_PROVIDER" + ("" if state.ok else f"; {state.why}"))
    for name in names():
        if name != _LAST and name not in _added and _offers(name, kind):
            state = readiness(settings, name, kind)
            if state.ok:
                return Choice(kind, name, state.why)
    return Choice(kind, _LAST, readiness(settings, _LAST, kind).why)


def readiness(settings: Settings, name: str, kind: Kind) -> Readiness:
    """Whether a provider can serve `kind` here and now."""
    return load(name).ready(settings, kind)


def make(settings: Settings, kind: Kind, brief: Brief) -> Any:
    """A pipecat service of `kind` for one call."""
    part = _part(choose(settings, kind).name, kind)
    assert part is not None, "choose() names only providers that offer the kind"
    service: FrameProcessor = getattr(part, kind)(settings, brief)
    return service


async def warm(settings: Settings, briefs: Sequence[Brief]) -> None:
    """Load the models of the chosen providers before the first call."""
    for part in _chosen_parts(settings):
        if hasattr(part, "warm"):
            await part.warm(settings, briefs)


async def close(settings: Settings) -> None:
    """Give back what `warm` took."""
    for part in _chosen_parts(settings):
        if hasattr(part, "close"):
            await part.close()


def _chosen_parts(settings: Settings) -> list[ModuleType]:
    parts = (_part(choose(settings, kind).name, kind) for kind in KINDS)
    return list(dict.fromkeys(part for part in parts if part is not None))
