"""All calls of a server: who may start one, which voice worker carries it, and how they all end.

Only plain data goes to the workers and comes back (`agent.worker.words`): the process that carries a call may be
another than the one that was asked.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum, auto

from loguru import logger

from agent.profiles import OutOfOrder
from agent.sdp import MAX_CANDIDATES
from agent.webrtc import Candidate, check_candidate, check_offer
from agent.worker.words import (
    AlreadyUsed,
    Answer,
    Crew,
    Digits,
    Drain,
    Entered,
    HangUp,
    NeverAsked,
    Opening,
    Reader,
    Reload,
    Renegotiation,
    ServerBusy,
    Sound,
    StartFailed,
    Text,
    TooManyCalls,
    Trickled,
    Unreachable,
    Worker,
    WorkerState,
)
from calls.budgets import DayOverBudget
from calls.refusals import Refusals
from core import metrics
from core.clock import monotonic_s
from core.errors import AppError, Conflict, NotFound
from core.ids import new_id
from core.settings import Settings
from core.tasks import finish
from identity.tokens import Claims
from pipelines import catalog as agent_types

SESSION_TTL_S = 120.0
"""From being promised a session to sending the offer."""

LOST_TTL_S = 300.0
"""How long the pages of calls that went down with their worker are told what has become of them."""

MAX_SESSIONS = 1000
MAX_SESSIONS_PER_OWNER = 10

RETRY_AFTER_S = 5

CALL_SHARE = 0.04
"""Of a core: what a call is reckoned to need until it shows in its worker's figures."""

SETTLING_S = 1.5
"""From being placed to showing there: the window of `WorkerState.busy` and a state's way."""

_TURNED_AWAY = (ServerBusy.code, TooManyCalls.code, DayOverBudget.code, OutOfOrder.code)
"""What counts as a refusal in the traffic."""


class CallLost(AppError):
    """The call's worker has died, and the call with it."""

    code = "call_lost"
    status = 410

    def __init__(self) -> None:
        super().__init__("The call was cut off by a fault of ours. Please call again.")


class Stage(Enum):
    """How far a session has come."""

    PROMISED = auto()
    STARTING = auto()
    OPEN = auto()
    LOST = auto()


@dataclass(slots=True)
class Session:
    """A promised call: from `start` to the end of the call.

    Attributes:
        since: When it came to its stage.
        worker: Who carries it, or is about to.
        life: Of the worker when it took the call.
        revision: States of the worker from this one on know of the call.
        given_up: Why it shall end as soon as it has started.
    """

    id: str
    owner: Claims
    agent_type: str
    since: float
    stage: Stage = Stage.PROMISED
    worker: Worker | None = None
    life: int = 0
    revision: int = 0
    pc_id: str | None = None
    given_up: str | None = None
    early_candidates: deque[Candidate] = field(default_factory=lambda: deque(maxlen=MAX_CANDIDATES))

    @property
    def seated(self) -> bool:
        """Whether it takes a seat."""
        return self.stage in (Stage.STARTING, Stage.OPEN)


@dataclass(frozen=True, slots=True)
class Load:
    """A worker that may take another call, or may not.

    Attributes:
        taken: Seats, with calls that it has not told of yet.
        busy: Share of its core, with what calls that have just been placed will add.
        full: Why it takes no more; empty if it does.
    """

    worker: Worker
    taken: int
    seats: int
    busy: float
    full: str

    @property
    def rank(self) -> tuple[float, int, int]:
        """The less, the better it can take another."""
        return max(self.taken / self.seats, self.busy), self.taken, self.worker.number


class Switchboard:
    """Admits, places, finds and ends calls.

    It knows each worker by what it has last told, and looks at that before it does anything: calls that have ended or
    were lost since are then no longer there.

    Args:
        node: Name of this server in the record.
        clock: Seconds that only grow.
    """

    def __init__(self, settings: Settings, crew: Crew, *, node: str, clock: Callable[[], float] = monotonic_s) -> None:
        self.node = node
        self.refusals = Refusals(node)
        self.draining = False
        self._settings = settings
        self._crew = crew
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    # What is going on

    @property
    def workers(self) -> Sequence[Worker]:
        """Whoever carries calls."""
        return self._crew.workers

    @property
    def states(self) -> list[WorkerState]:
        """Those of the workers that can be reached."""
        return [state for worker in self.workers if (state := worker.state) is not None]

    @property
    def seats(self) -> int:
        """Calls that can be open at once, just now."""
        return sum(state.seats for state in self.states)

    @property
    def seats_taken(self) -> int:
        """Calls open or being opened now."""
        self._reconcile()
        return sum(load.taken for load in self._loads())

    @property
    def lag_ms(self) -> float:
        """How late the latest worker's event loop is, 95th percentile of the last five seconds."""
        return max((state.lag_ms for state in self.states), default=0.0)

    @property
    def sound(self) -> Sound:
        """How well calls have sounded: sums over the workers, and the longest wait."""
        each = [asdict(state.sound) for state in self.states]
        sums = {name: sum(one[name] for one in each) for name in asdict(Sound())}
        return Sound(**sums | {"verdict_wait_ms": max((one["verdict_wait_ms"] for one in each), default=0)})

    def resting(self) -> dict[tuple[str, str], int]:
        """The vendors that workers leave alone, by kind and name, and how many of them do."""
        return dict(Counter((each.kind, each.vendor) for state in self.states for each in state.resting))

    async def texts(self, subject: str) -> list[Text]:
        """What workers have sent to somebody's page in the last minutes; of those that answer."""
        found = await asyncio.gather(
            *(worker.texts(Reader(subject)) for worker in self.workers), return_exceptions=True
        )
        return [text for texts in found if not isinstance(texts, BaseException) for text in texts]

    async def figures(self) -> dict[int, bytes]:
        """What each worker counts, by its number; of those that answer."""
        self._crew.look()
        workers = self.workers
        found = await asyncio.gather(*(worker.figures() for worker in workers), return_exceptions=True)
        told = {worker.number: text for worker, text in zip(workers, found, strict=True) if isinstance(text, bytes)}
        metrics.workers_silent.inc(len(workers) - len(told))
        return told

    async def reload(self, agent_type: str) -> None:
        """Have every worker load what an agent type's changed profile needs; else it does so at the next call."""
        await _all("load what has changed", [worker.reload(Reload(agent_type)) for worker in self.workers])

    def _reconcile(self) -> None:
        """See which calls have ended, which were lost, and which sessions nobody wants any more."""
        now = self._clock()
        told = {worker.number: _told(worker.state) for worker in self.workers}
        for session in list(self._sessions.values()):
            worker = session.worker
            if session.seated and worker is not None and worker.life != session.life:
                self._come_to(session, Stage.LOST)
            elif session.stage is Stage.OPEN and worker is not None:
                revision, calls = told[worker.number]
                # A state from before the call was opened cannot know of it.
                if revision >= session.revision and session.id not in calls:
                    del self._sessions[session.id]
            elif (session.stage is Stage.PROMISED and now - session.since > SESSION_TTL_S) or (
                session.stage is Stage.LOST and now - session.since > LOST_TTL_S
            ):
                del self._sessions[session.id]

    def _come_to(self, session: Session, stage: Stage) -> None:
        session.stage, session.since = stage, self._clock()

    def _place(self, session: Session, worker: Worker) -> None:
        session.worker, session.life = worker, worker.life
        self._come_to(session, Stage.STARTING)

    # Admission

    def promise(self, owner: Claims, agent_type: str) -> Session:
        """Make a session that one offer may turn into a call.

        Raises: UnknownAgent, ServerBusy, TooManyCalls.
        """
        agent_types.load(agent_type)
        self._admit(owner, agent_type)
        waiting = [each for each in self._sessions.values() if each.stage is Stage.PROMISED]
        own = sum(1 for each in waiting if each.owner.subject == owner.subject)
        if own >= MAX_SESSIONS_PER_OWNER or len(waiting) >= MAX_SESSIONS:
            raise TooManyCalls("Too many calls were prepared and not started; wait two minutes", retry_after_s=120)
        session = Session(new_id("call"), owner, agent_type, self._clock())
        self._sessions[session.id] = session
        return session

    def _admit(self, owner: Claims, agent_type: str) -> Worker:
        """Who would carry a call now.

        Raises: ServerBusy, TooManyCalls; then the refusal counts in the traffic.
        """
        try:
            return self._find_room(owner)
        except (ServerBusy, TooManyCalls) as refusal:
            self.turned_away(agent_type, refusal.code)
            raise

    def turned_away(self, agent_type: str, code: str) -> None:
        """Count a caller who has got no call."""
        self.refusals.count(agent_type, code)
        metrics.calls_refused.labels(agent_type, code).inc()

    def _find_room(self, owner: Claims) -> Worker:
        self._reconcile()
        if self.draining:
            raise _busy("The server is restarting; try again in a moment")
        worker = self._roomiest()
        own = sum(1 for each in self._sessions.values() if each.owner.subject == owner.subject and each.seated)
        if own >= self._settings.max_calls_per_user:
            raise TooManyCalls("You already have a call open; end it first", retry_after_s=RETRY_AFTER_S)
        return worker

    def _roomiest(self, *, but: Sequence[Worker] = ()) -> Worker:
        """The worker that can take another call best.

        Raises: ServerBusy if none can.
        """
        loads = [load for load in self._loads() if load.worker not in but]
        free = [load for load in loads if not load.full]
        if not free:
            raise _busy(loads[0].full if loads else "The server is busy; try again in a moment")
        return min(free, key=lambda load: load.rank).worker

    def _loads(self) -> list[Load]:
        """How much each worker that can be reached has to do."""
        return [self._load(worker, state) for worker in self.workers if (state := worker.state) is not None]

    def _load(self, worker: Worker, state: WorkerState) -> Load:
        seated = [each for each in self._sessions.values() if each.seated and each.worker is worker]
        taken = max(len(seated), state.seats_taken)
        settling = sum(1 for each in seated if self._clock() - each.since < SETTLING_S)
        busy = state.busy + settling * CALL_SHARE
        full = ""
        if state.draining:
            full = "The server is restarting; try again in a moment"
        elif taken >= state.seats:
            full = "All lines are busy; try again in a moment"
        elif self._late(state) or self._too_busy(busy):
            full = "The server is busy; try again in a moment"
        return Load(worker, taken, state.seats, busy, full)

    def _late(self, state: WorkerState) -> bool:
        return state.lag_ms > self._settings.max_loop_lag_ms

    def _too_busy(self, busy: float) -> bool:
        most = self._settings.max_loop_busy
        return most < 1 and busy > most

    # Signalling

    async def offer(
        self, session_id: str, owner: Claims, *, sdp: str, pc_id: str | None = None, restart: bool = False
    ) -> Answer:
        """Answer an offer: the first starts the call, later ones renegotiate it.

        Raises: NotFound, CallLost, AlreadyUsed, Invalid, ServerBusy, TooManyCalls, or what opening the call raises.
        """
        checked = check_offer(self._settings, sdp)
        session = self._find(session_id, owner)
        if session.stage is Stage.OPEN and pc_id == session.pc_id:
            return await self._renegotiate(session, checked, restart=restart)
        if session.stage is not Stage.PROMISED:
            raise AlreadyUsed("This session has already started its call; begin a new one")
        self._place(session, self._admit(owner, session.agent_type))
        # Also when whoever has asked is gone: the worker will not ask who still wants the call.
        return await finish(self._start(session, checked), owner=f"start {session.id}")

    async def _start(self, session: Session, offer: str) -> Answer:
        try:
            answer = await self._open(session, offer)
        except AppError as refusal:
            self._not_started(session, refusal)
            raise
        except BaseException:
            self._sessions.pop(session.id, None)
            raise
        session.revision, session.pc_id = answer.revision, answer.pc_id
        self._come_to(session, Stage.OPEN)
        if session.given_up is not None:
            await self._end(session, session.given_up)
            raise NotFound("The call was given up while it started")
        if session.early_candidates:
            early, session.early_candidates = tuple(session.early_candidates), deque()
            assert session.worker is not None
            try:
                await session.worker.trickle(Trickled(session.id, early))
            except AppError as error:  # The call is open, and may do without them; if it is gone, its page will see.
                logger.warning("Early candidates did not reach their call: {}", error.code)
        return answer

    async def _open(self, session: Session, offer: str) -> Answer:
        """Have a worker open the call; where one has no room or is gone, the next."""
        opening = Opening(session.id, session.owner, session.agent_type, offer)
        tried: list[Worker] = []
        while True:
            assert session.worker is not None
            try:
                return await session.worker.open(opening)
            except AppError as refusal:
                if not isinstance(refusal, NeverAsked) and refusal.code != ServerBusy.code:
                    raise
                tried.append(session.worker)
            self._place(session, self._roomiest(but=tried))

    def _not_started(self, session: Session, refusal: AppError) -> None:
        if refusal.code in _TURNED_AWAY:
            self.turned_away(session.agent_type, refusal.code)
        if isinstance(refusal, Unreachable):
            # The call may be on record, or even open until it finds that nobody comes: the id is used up.
            self._come_to(session, Stage.LOST)
        elif refusal.code == StartFailed.code or session.given_up is not None:
            self._sessions.pop(session.id, None)
        else:
            # Nothing has been used up, and the session stays good for another try.
            session.worker = None
            self._come_to(session, Stage.PROMISED)

    async def _renegotiate(self, session: Session, offer: str, *, restart: bool) -> Answer:
        assert session.worker is not None
        answer = await session.worker.renegotiate(Renegotiation(session.id, offer, restart))
        session.pc_id = answer.pc_id
        return answer

    async def candidates(self, session_id: str, owner: Claims, candidates: Sequence[Candidate]) -> None:
        """Take trickled candidates, also those that overtake the offer.

        Raises: NotFound, CallLost, Invalid.
        """
        session = self._find(session_id, owner)
        if session.stage is Stage.OPEN:
            assert session.worker is not None
            await session.worker.trickle(Trickled(session.id, tuple(candidates)))
            return
        for candidate in candidates:
            check_candidate(self._settings, candidate)
            session.early_candidates.append(candidate)

    def session_of_peer(self, pc_id: str, owner: Claims) -> str:
        """The session a peer connection belongs to.

        Raises: NotFound, CallLost.
        """
        for session in self._sessions.values():
            if session.pc_id == pc_id:
                return self._find(session.id, owner).id
        raise NotFound("There is no such call")

    def _find(self, session_id: str, owner: Claims) -> Session:
        self._reconcile()
        session = self._sessions.get(session_id)
        if session is None or session.owner.subject != owner.subject:
            raise NotFound("There is no such call; it may have ended")
        if session.stage is Stage.LOST:
            raise CallLost
        return session

    def forget(self, session_id: str) -> None:
        """Drop a session that has no call."""
        session = self._sessions.get(session_id)
        if session is not None and session.stage is Stage.PROMISED:
            del self._sessions[session_id]

    # The keypad

    async def enter_code(self, session_id: str, owner: Claims, code: str | None) -> Entered:
        """Give a call the digits typed on its keypad; None cancels.

        Raises: NotFound, CallLost; Conflict if no code is asked for.
        """
        session = self._find(session_id, owner)
        if session.stage is not Stage.OPEN or session.worker is None:
            raise Conflict("No code is asked for just now.", code="no_code_asked")
        return await session.worker.enter(Digits(session.id, code))

    # The end

    async def hang_up(self, session_id: str, owner: Claims) -> None:
        """End a call at its owner's wish.

        Raises: NotFound, CallLost.
        """
        await self._end(self._find(session_id, owner), "hung_up")

    async def _end(self, session: Session, reason: str) -> None:
        match session.stage:
            case Stage.OPEN if session.worker is not None:
                await session.worker.hang_up(HangUp(session.id, reason))
            case Stage.STARTING:
                session.given_up = reason
            case Stage.PROMISED:
                self._sessions.pop(session.id, None)
            case _:
                pass

    async def hang_up_all_of(self, subject: str, reason: str) -> None:
        """End every call of a user or portal code, also the ones that are promised or just starting."""
        self._reconcile()
        own = [session for session in self._sessions.values() if session.owner.subject == subject]
        await _all("end a call", [self._end(session, reason) for session in own])

    async def drain(self, *, timeout_s: float) -> None:
        """Take no more calls, let running ones go on for `timeout_s`, then end them with a sentence."""
        self.draining = True
        self._crew.retire()
        await _all("drain", [worker.drain(Drain(timeout_s)) for worker in self.workers])


async def _all(what: str, words: Sequence[Awaitable[None]]) -> None:
    """Say these words at once; those that do not get through are in the log."""
    for failed in await asyncio.gather(*words, return_exceptions=True):
        if isinstance(failed, BaseException):
            logger.warning("A voice worker could not be told to {}: {}", what, type(failed).__name__)


def _told(state: WorkerState | None) -> tuple[int, frozenset[str]]:
    """Of a worker: as of which revision its calls are known, and which they are."""
    return (-1, frozenset()) if state is None else (state.revision, frozenset(call.id for call in state.calls))


def _busy(message: str) -> ServerBusy:
    return ServerBusy(message, retry_after_s=_retry_after())


def _retry_after() -> int:
    """Seconds to wait, spread so that callers do not all come back at once."""
    return RETRY_AFTER_S + random.randrange(RETRY_AFTER_S)  # noqa: S311 - spreads load, guards nothing
