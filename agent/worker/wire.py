"""How the words travel: HTTP with JSON over a Unix socket, today between processes; over TCP and TLS the same words.

`POST /<word>` asks one question; the answer is its dataclass (200), or what is wrong as data (its HTTP status).
`GET /state` never ends: one line of JSON for each state. `GET /figures` is Prometheus' text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from agent.worker import words
from core.errors import AppError

Q = TypeVar("Q")
A = TypeVar("A")

MAX_QUESTION_BYTES = 256 * 1024
"""An offer of the longest kind with every character escaped."""

MAX_ANSWER_BYTES = 1024 * 1024
MAX_STATE_BYTES = 4 * 1024 * 1024
MAX_FIGURES_BYTES = 8 * 1024 * 1024


class Garbled(Exception):
    """What came over the wire is not what was agreed."""


@dataclass(frozen=True, slots=True)
class Word(Generic[Q, A]):
    """One question that may be asked.

    Attributes:
        name: Of the method of `words.Worker`, and in the address.
        timeout_s: From asking to the answer, beyond what the question itself says.
    """

    name: str
    question: type[Q]
    answer: type[A] | None
    timeout_s: float


OPEN = Word("open", words.Opening, words.Answer, 60.0)
RENEGOTIATE = Word("renegotiate", words.Renegotiation, words.Answer, 20.0)
TRICKLE = Word("trickle", words.Trickled, None, 10.0)
ENTER = Word("enter", words.Digits, words.Entered, 20.0)
HANG_UP = Word("hang_up", words.HangUp, None, 10.0)
DRAIN = Word("drain", words.Drain, None, 60.0)
RELOAD = Word("reload", words.Reload, None, 5.0)
TEXTS = Word("texts", words.Reader, tuple[words.Text, ...], 2.0)

ALL: dict[str, Word[Any, Any]] = {
    word.name: word for word in (OPEN, RENEGOTIATE, TRICKLE, ENTER, HANG_UP, DRAIN, RELOAD, TEXTS)
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """An expected failure as data."""

    code: str
    message: str
    status: int
    spoken: str
    retryable: bool
    retry_after_s: int | None

    @classmethod
    def of(cls, error: AppError) -> Wrong:
        """An error, ready to cross."""
        return cls(error.code, error.message, error.status, error.spoken, error.retryable, error.retry_after_s)

    def error(self) -> AppError:
        """The same on the other side: its code tells what it is, not its class."""
        return AppError(**asdict(self))


def dump(kind: Any, value: object) -> bytes:
    """`value`, of a type of `words`, as JSON."""
    return _adapter(kind).dump_json(value)


def load(kind: type[A], text: bytes) -> A:
    """The value of that type which JSON tells of.

    Raises: Garbled.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError:
        # Without its text: that would repeat what was sent, which may be a code.
        raise Garbled(f"no {getattr(kind, '__name__', kind)}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
