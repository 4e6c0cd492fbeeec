"""What the switchboard and a voice worker say to each other: plain data only, so that they may be on two machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from agent.webrtc import Candidate
from core.errors import AppError, Busy, Conflict
from identity.tokens import Claims
from providers.base import Kind

# What the switchboard says


@dataclass(frozen=True, slots=True)
class Opening:
    """A call to open: one that was promised to `owner`, with the offer it begins with."""

    call_id: str
    owner: Claims
    agent_type: str
    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renegotiation:
    """A later offer of an open call; `restart` asks for a new connection in its place."""

    call_id: str
    sdp: str = field(repr=False)
    restart: bool


@dataclass(frozen=True, slots=True)
class Trickled:
    """ICE candidates of an open call's peer."""

    call_id: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Digits:
    """What was typed on an open call's keypad; None cancels."""

    call_id: str
    code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class HangUp:
    """An open call to end, and why."""

    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drain:
    """No more calls: those that are open go on for `timeout_s`, then end with a sentence."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Reload:
    """An agent type whose profile has changed: what its next call needs is to be loaded beforehand."""

    agent_type: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who looks for the texts that were sent to their page."""

    subject: str


# What a worker says


@dataclass(frozen=True, slots=True)
class Answer:
    """Our half of the signalling.

    Attributes:
        revision: A state of the worker with this revision or a later one knows of the call.
    """

    sdp: str = field(repr=False)
    type: str
    pc_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of the digits.

    Attributes:
        right: Whether the code was right; None where it was cancelled.
        state: Of what the code was asked for.
    """

    right: bool | None
    tries_left: int
    state: Literal["open", "done", "declined", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was sent to somebody's page."""

    text: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that a worker carries."""

    id: str
    agent_type: str


@dataclass(frozen=True, slots=True)
class Resting:
    """A vendor that a worker leaves alone just now.

    Attributes:
        trouble: pipecat's category of what was last wrong.
    """

    kind: Kind
    vendor: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Sound:
    """How well a worker's calls have sounded since it began.

    Attributes:
        late_packets: Speech that left more than a packet's length late.
        inserted_ms: Silence put into speech because its sound came too late.
        concealed_ms: Callers' sound that was lost, and copied, made up or left silent.
        dropped_ms: Callers' sound that the recogniser did not keep up with.
        late_verdicts: Ends of turns that did not wait for Smart Turn.
        verdict_wait_ms: 95th percentile of how long the latest ends of turns waited for it.
    """

    late_packets: int = 0
    inserted_ms: int = 0
    concealed_ms: int = 0
    dropped_ms: int = 0
    late_verdicts: int = 0
    verdict_wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkerState:
    """All there is to know of a worker: each one told replaces those before it.

    Attributes:
        revision: Grows whenever a call is opened or has ended.
        seats_taken: By calls that are open or being opened.
        lag_ms: How late the event loop is, 95th percentile of five seconds.
        busy: Share of the last second in which the event loop's thread was at work, 0 to 1.
    """

    pid: int
    revision: int
    seats: int
    seats_taken: int
    lag_ms: float
    busy: float
    draining: bool
    calls: tuple[OpenCall, ...] = ()
    resting: tuple[Resting, ...] = ()
    sound: Sound = Sound()


# What is wrong


class ServerBusy(Busy):
    """No seat is free, or no worker can take another call well."""

    code = "server_busy"


class AlreadyUsed(Conflict):
    """One session id starts one call."""

    code = "session_used"
    status = 410


class TooManyCalls(AppError):
    """The person already has as many calls, or as many offers, as one may have."""

    code = "too_many_calls"
    status = 429
    retryable = True


class StartFailed(AppError):
    """The call was on record when starting it failed: it is closed, its use is given back, and its id is used up."""

    code = "failed_to_start"
    status = 500


class Unreachable(Busy):
    """The worker does not answer; whether it has done what it was asked to is not known."""

    code = "worker_unreachable"

    def __init__(self) -> None:
        super().__init__("The server is busy; try again in a moment", retry_after_s=5)


class NeverAsked(Unreachable):
    """The question did not get to the worker."""


# How one speaks with a worker


class Worker(Protocol):
    """The calls of one process, in this one or in another. Each question raises `Unreachable`, or what its work does.

    Attributes:
        number: Which of the server's workers; 0 is the process that serves HTTP.
        life: Grows when the process is lost, and with it its calls.
        restarts: How often it was started anew.
    """

    number: int
    life: int
    restarts: int

    @property
    def state(self) -> WorkerState | None:
        """The newest it told; None while there is none that can be relied on."""
        ...

    async def open(self, opening: Opening) -> Answer:
        """Open a call and answer its offer.

        Raises: Invalid, ServerBusy, AlreadyUsed, or what keeps the call from being registered, and then the id stays
            good; StartFailed.
        """
        ...

    async def renegotiate(self, offer: Renegotiation) -> Answer:
        """Answer a later offer.

        Raises: NotFound, Invalid, TooManyCalls.
        """
        ...

    async def trickle(self, trickled: Trickled) -> None:
        """Add candidates.

        Raises: NotFound, Invalid.
        """
        ...

    async def enter(self, digits: Digits) -> Entered:
        """Enter what was typed on the keypad.

        Raises: NotFound; Conflict if no code is asked for.
        """
        ...

    async def hang_up(self, ending: HangUp) -> None:
        """End a call; one that has ended is let be."""
        ...

    async def drain(self, drain: Drain) -> None:
        """Take no more calls; returns when all have ended."""
        ...

    async def reload(self, reload: Reload) -> None:
        """Have what a changed profile needs loaded in the background."""
        ...

    async def texts(self, reader: Reader) -> tuple[Text, ...]:
        """The texts of the last minutes that this process has sent to a page, the newest first."""
        ...

    async def figures(self) -> bytes:
        """Everything it counts, in Prometheus' text format."""
        ...


class Crew(Protocol):
    """Whoever carries the server's calls: this process alone, or workers of its own."""

    @property
    def workers(self) -> Sequence[Worker]:
        """All of them, whether they can be reached or not."""
        ...

    async def open(self) -> None:
        """Get ready to carry calls; then they are taken."""
        ...

    def retire(self) -> None:
        """The server takes no more calls: who ends from now on is not replaced."""
        ...

    async def close(self) -> None:
        """End what calls are left."""
        ...

    def look(self) -> None:
        """Set those figures of this process that no worker tells."""
        ...

    async def free(self) -> None:
        """Give back what calls needed, after every task of theirs has ended."""
        ...
