"""How the parts of this process are: since when, and what was last wrong with each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

MAX_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One part, as it was last seen.

    Attributes:
        ok: Whether it works.
        detail: More about that, in words an operator understands.
        since: When it began, or ceased, to work.
        last_error: What was wrong the last time that something was.
    """

    name: str
    ok: bool
    detail: str
    since: datetime
    last_error: str | None = None
    last_error_at: datetime | None = None


class Parts:
    """What is known of every part; a part is there once something has been noted of it."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}

    def note(self, name: str, *, ok: bool, at: datetime, detail: str = "") -> None:
        """Note how a part is now."""
        detail = detail[:MAX_DETAIL]
        known = self._parts.get(name) or Part(name, ok, detail, since=at)
        known = replace(known, ok=ok, detail=detail, since=known.since if known.ok == ok else at)
        self._parts[name] = known if ok else replace(known, last_error=detail, last_error_at=at)

    def get(self, name: str) -> Part | None:
        """A part as it was last noted."""
        return self._parts.get(name)

    def forget(self, name: str) -> None:
        """A part is none any more."""
        self._parts.pop(name, None)

    def all(self) -> list[Part]:
        """Every part, in the order in which they were first noted."""
        return list(self._parts.values())
