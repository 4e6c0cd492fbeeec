"""How the doubles of vendors behave: well, unless a script says otherwise, connection by connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Script:
    """The behaviour of one connection or request. The defaults behave well; each fault is one argument.

    Attributes:
        status: Refuse with this HTTP status (401, 402, 429, 500, 529 …), in the vendor's own words; 0 does not refuse.
        retry_after_s: Sent along with the refusal.
        first_byte_s: Wait before the first piece of each answer.
        pace_s: Wait before each further piece: 0.02 is a vendor's pace, 1.0 a slow drip.
        cut_after: After so many pieces of the connection the line is cut without a word; 0 cuts before the first.
        stall_after: After so many pieces nothing more comes, and the line stays open; 0 stalls from the start.
        garbage: Pieces are not what the protocol says.
        wrong: Pieces are well-formed and of no use: no words, another context, an empty sound.
    """

    status: int = 0
    retry_after_s: int | None = None
    first_byte_s: float = 0.0
    pace_s: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None
    garbage: bool = False
    wrong: bool = False


@dataclass
class Scripts:
    """Which script the next connection gets: those of `turns` one after the other, then `always`."""

    always: Script = field(default_factory=Script)
    turns: deque[Script] = field(default_factory=deque)

    def then(self, scripts: Iterable[Script]) -> None:
        """Queue scripts for the next connections."""
        self.turns.extend(scripts)

    def next(self) -> Script:
        """The script of a connection that has just come."""
        return self.turns.popleft() if self.turns else self.always
