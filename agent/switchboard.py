"""All live calls of a process: who may start one, where it is, and how they all end.

What crosses this border is plain data (ids, SDP, candidates, reasons), so that the process carrying a call may one day
be another than the one that was asked.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from loguru import logger

from agent import webrtc
from agent.call import Call, Parts
from agent.loop import LoopMonitor
from agent.profiles import OutOfOrder
from agent.sdp import MAX_CANDIDATES, CandidateBudget
from agent.webrtc import Candidate
from calls.budgets import DayOverBudget
from calls.refusals import Refusals
from core import metrics
from core.clock import monotonic_s
from core.errors import AppError, Busy, Conflict, NotFound
from core.ids import new_id
from core.tasks import spawn
from identity.tokens import Claims
from pipelines import catalog as agent_types
from pipelines.base import Outcome

SESSION_TTL_S = 120.0
"""From being promised a session to sending the offer."""

MAX_RENEGOTIATIONS = 5
"""Offers after the first; each may name addresses that the server then probes."""

MAX_SESSIONS = 1000
MAX_SESSIONS_PER_OWNER = 10

RETRY_AFTER_S = 5
FORCED_END_S = 10.0
"""After the drain's last words, how long calls get to end by themselves."""


class ServerBusy(Busy):
    """No seat is free, or the process is too loaded to take another call well."""

    code = "server_busy"


class TooManyCalls(AppError):
    """The person already has as many calls as one may have."""

    code = "too_many_calls"
    status = 429
    retryable = True


class AlreadyUsed(Conflict):
    """One session id starts one call."""

    code = "session_used"
    status = 410


@dataclass(slots=True)
class Session:
    """A promised call: from `start` to the end of the call.

    Attributes:
        given_up: Why it shall end as soon as it has started.
    """

    id: str
    owner: Claims
    agent_type: str
    promised_at: float
    call: Call | None = None
    starting: bool = False
    given_up: str | None = None
    renegotiations: int = 0
    budget: CandidateBudget = field(default_factory=CandidateBudget)
    early_candidates: deque[Candidate] = field(default_factory=lambda: deque(maxlen=MAX_CANDIDATES))


@dataclass(frozen=True, slots=True)
class Answer:
    """Our half of the signalling."""

    sdp: str
    type: str
    pc_id: str


class Switchboard:
    """Admits, finds and ends calls."""

    def __init__(self, parts: Parts) -> None:
        self.node = parts.node
        self._settings = parts.settings
        self._parts = parts
        self._sessions: dict[str, Session] = {}
        self._seats_taken = 0
        self._seat_freed = asyncio.Event()
        self.refusals = Refusals(parts.node)
        self._monitor = LoopMonitor()
        self._monitor_task: asyncio.Task[None] | None = None
        self.draining = False

    def open(self) -> None:
        """Begin to watch the event loop; call once it runs."""
        self._monitor_task = spawn(self._monitor.run(), owner="loop monitor")

    # What is going on

    @property
    def seats(self) -> int:
        """Calls this process takes at once."""
        return self._settings.max_calls

    @property
    def seats_taken(self) -> int:
        """Calls open or being opened now."""
        return self._seats_taken

    @property
    def lag_ms(self) -> float:
        """How late the event loop is, 95th percentile of the last five seconds."""
        return self._monitor.lag_ms

    def calls(self) -> list[Call]:
        """The calls that are open."""
        return [session.call for session in self._sessions.values() if session.call is not None]

    # Admission

    def promise(self, owner: Claims, agent_type: str) -> Session:
        """Make a session that one offer may turn into a call.

        Raises: UnknownAgent, ServerBusy, TooManyCalls.
        """
        agent_types.load(agent_type)
        self._admit(owner, agent_type)
        self._forget_stale()
        waiting = [s for s in self._sessions.values() if s.owner.subject == owner.subject and s.call is None]
        if len(waiting) >= MAX_SESSIONS_PER_OWNER or len(self._sessions) >= MAX_SESSIONS:
            raise TooManyCalls("Too many calls were prepared and not started; wait two minutes", retry_after_s=120)
        session = Session(new_id("call"), owner, agent_type, monotonic_s())
        self._sessions[session.id] = session
        return session

    def _admit(self, owner: Claims, agent_type: str) -> None:
        """Raises: ServerBusy, TooManyCalls; then the refusal counts in the traffic."""
        try:
            self._check_room(owner)
        except (ServerBusy, TooManyCalls) as refusal:
            self.turned_away(agent_type, refusal.code)
            raise

    def turned_away(self, agent_type: str, code: str) -> None:
        """Count a caller who has got no call."""
        self.refusals.count(agent_type, code)
        metrics.calls_refused.labels(agent_type, code).inc()

    def _check_room(self, owner: Claims) -> None:
        if self.draining:
            raise ServerBusy("The server is restarting; try again in a moment", retry_after_s=_retry_after())
        if self._seats_taken >= self._settings.max_calls:
            raise ServerBusy("All lines are busy; try again in a moment", retry_after_s=_retry_after())
        if self.lag_ms > self._settings.max_loop_lag_ms:
            raise ServerBusy("The server is busy; try again in a moment", retry_after_s=_retry_after())
        own = sum(
            1
            for session in self._sessions.values()
            if session.owner.subject == owner.subject and (session.starting or session.call is not None)
        )
        if own >= self._settings.max_calls_per_user:
            raise TooManyCalls("You already have a call open; end it first", retry_after_s=RETRY_AFTER_S)

    def _forget_stale(self) -> None:
        oldest = monotonic_s() - SESSION_TTL_S
        for session in list(self._sessions.values()):
            if not session.starting and session.call is None and session.promised_at < oldest:
                del self._sessions[session.id]

    # Signalling

    async def offer(
        self, session_id: str, owner: Claims, *, sdp: str, pc_id: str | None = None, restart: bool = False
    ) -> Answer:
        """Answer an offer: the first starts the call, later ones renegotiate it.

        Raises: NotFound, AlreadyUsed, Invalid, ServerBusy, TooManyCalls, or what opening the call raises.
        """
        checked = webrtc.check_offer(self._settings, sdp)
        session = self._find(session_id, owner)
        if session.call is not None and pc_id == session.call.connection.pc_id:
            return await self._renegotiate(session, session.call, checked, restart=restart)
        if session.call is not None or session.starting:
            raise AlreadyUsed("This session has already started its call; begin a new one")
        self._admit(owner, session.agent_type)
        session.starting = True
        self._seats_taken += 1
        try:
            call = await self._start(session, checked)
        except BaseException:
            self._free_seat()
            session.starting = False
            raise
        session.call = call
        session.starting = False
        session.budget = CandidateBudget(offer=checked)
        spawn(self._carry(session, call), owner=f"call {call.id}")
        if session.given_up is not None:
            await call.hang_up(session.given_up)
            raise NotFound("The call was given up while it started")
        for candidate in session.early_candidates:
            await webrtc.add_candidate(self._settings, call.connection, candidate, session.budget)
        session.early_candidates.clear()
        return self._answer(call)

    def _free_seat(self) -> None:
        self._seats_taken -= 1
        self._seat_freed.set()

    async def _start(self, session: Session, offer_sdp: str) -> Call:
        agent = agent_types.load(session.agent_type)
        # If this fails nothing has been used up, and the session stays good for another try.
        try:
            call = await Call.register(self._parts, call_id=session.id, agent=agent, owner=session.owner)
        except (DayOverBudget, OutOfOrder) as refusal:
            self.turned_away(agent.id, refusal.code)
            raise
        try:
            await call.prepare(offer_sdp)
        except BaseException:
            self._sessions.pop(session.id, None)
            raise
        return call

    async def _renegotiate(self, session: Session, call: Call, offer_sdp: str, *, restart: bool) -> Answer:
        async with call.connection.signalling:
            if call.ending:
                raise NotFound("The call has ended")
            session.renegotiations += 1
            if session.renegotiations > MAX_RENEGOTIATIONS:
                raise TooManyCalls("The call has been renegotiated too often; begin a new one", code="too_many_offers")
            if restart:
                session.budget = CandidateBudget(offer=offer_sdp)
            await webrtc.renegotiate(call.connection, offer_sdp, restart=restart)
        return self._answer(call)

    def _answer(self, call: Call) -> Answer:
        answer = call.connection.get_answer()
        if answer is None:
            raise AppError("The server could not answer the offer", code="no_answer", status=500)
        return Answer(webrtc.announced(self._settings, answer["sdp"]), answer["type"], answer["pc_id"])

    async def candidates(self, session_id: str, owner: Claims, candidates: Sequence[Candidate]) -> None:
        """Take trickled candidates, also those that overtake the offer.

        Raises: NotFound, Invalid.
        """
        session = self._find(session_id, owner)
        for candidate in candidates:
            if session.call is not None:
                await webrtc.add_candidate(self._settings, session.call.connection, candidate, session.budget)
            else:
                webrtc.check_candidate(self._settings, candidate)
                session.early_candidates.append(candidate)

    def session_of_peer(self, pc_id: str, owner: Claims) -> str:
        """The session a peer connection belongs to.

        Raises: NotFound.
        """
        for session in self._sessions.values():
            if session.call is not None and session.call.connection.pc_id == pc_id:
                return self._find(session.id, owner).id
        raise NotFound("There is no such call")

    def _find(self, session_id: str, owner: Claims) -> Session:
        self._forget_stale()
        session = self._sessions.get(session_id)
        if session is None or session.owner.subject != owner.subject:
            raise NotFound("There is no such call; it may have ended")
        return session

    def forget(self, session_id: str) -> None:
        """Drop a session that has no call."""
        session = self._sessions.get(session_id)
        if session is not None and session.call is None and not session.starting:
            del self._sessions[session_id]

    # The keypad

    async def enter_code(self, session_id: str, owner: Claims, code: str | None) -> Outcome:
        """Give a call the digits typed on its keypad; None cancels.

        Raises: NotFound; Conflict if no code is asked for.
        """
        session = self._find(session_id, owner)
        if session.call is None:
            raise Conflict("No code is asked for just now.", code="no_code_asked")
        return await session.call.enter_code(code)

    # The end

    async def hang_up(self, session_id: str, owner: Claims) -> None:
        """End a call at its owner's wish.

        Raises: NotFound.
        """
        await self._end(self._find(session_id, owner), "hung_up")

    async def _end(self, session: Session, reason: str) -> None:
        if session.call is not None:
            await session.call.hang_up(reason)
        elif session.starting:
            session.given_up = reason
        else:
            self._sessions.pop(session.id, None)

    async def _carry(self, session: Session, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._free_seat()
            self._sessions.pop(session.id, None)

    async def hang_up_all_of(self, subject: str, reason: str) -> None:
        """End every call of a user or portal code here, also the ones that are promised or just starting."""
        own = [session for session in self._sessions.values() if session.owner.subject == subject]
        await asyncio.gather(*(self._end(session, reason) for session in own))

    async def drain(self, *, timeout_s: float) -> None:
        """Take no more calls, let running ones go on for `timeout_s`, then end them with a sentence."""
        self.draining = True
        calls = self.calls()
        if calls:
            logger.info("Draining: {} calls open, waiting up to {} s", len(calls), timeout_s)
        if await self._all_ended(timeout_s):
            return
        await asyncio.gather(*(call.close_down() for call in self.calls()))
        if not await self._all_ended(FORCED_END_S):
            await self.end_all("drained")

    async def end_all(self, reason: str) -> None:
        """End every call at once."""
        await asyncio.gather(*(call.hang_up(reason) for call in self.calls()))
        await self._all_ended(FORCED_END_S)

    async def _all_ended(self, timeout_s: float) -> bool:
        """Whether every seat is free within `timeout_s`, those of calls just being opened included."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._seats_taken:
                    self._seat_freed.clear()
                    await self._seat_freed.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End what is left and stop watching."""
        self.draining = True
        await self.end_all("server_stopped")
        if self._monitor_task is not None:
            self._monitor_task.cancel()
            self._monitor_task = None


def _retry_after() -> int:
    """Seconds to wait, spread so that callers do not all come back at once."""
    return RETRY_AFTER_S + random.randrange(RETRY_AFTER_S)  # noqa: S311 - spreads load, guards nothing
