"""A voice worker: the calls of this process, from their first offer to their end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from loguru import logger

from agent import webrtc
from agent.call import Call, Parts
from agent.loop import LoopMonitor
from agent.sdp import CandidateBudget
from agent.worker import figures
from agent.worker.parts import reload_profile
from agent.worker.words import (
    AlreadyUsed,
    Answer,
    Digits,
    Drain,
    Entered,
    HangUp,
    OpenCall,
    Opening,
    Reader,
    Reload,
    Renegotiation,
    Resting,
    ServerBusy,
    StartFailed,
    Text,
    TooManyCalls,
    Trickled,
    WorkerState,
)
from core import metrics
from core.clock import utc_now
from core.errors import AppError, NotFound
from core.tasks import finish, spawn
from identity.delivery import Inbox
from pipelines import catalog as agent_types
from providers import catalog as vendors

MAX_RENEGOTIATIONS = 5
"""Offers after the first; each may name addresses that the server then probes."""

TELL_EVERY_S = 0.5
"""The longest silence of a worker that has nothing new to tell."""

PREPARED_AT_ONCE = 2
"""Calls whose pipelines are built at the same time: each takes the loop for tens of milliseconds in several pieces, and
the pieces of many in a row would be heard in every open call.
"""

FORCED_END_S = 10.0
"""After the drain's last words, how long calls get to end by themselves."""


@dataclass(slots=True)
class _Carried:
    """A call that is open."""

    call: Call
    budget: CandidateBudget
    renegotiations: int = 0


class VoiceWorker:
    """The calls of this process.

    Args:
        number: Which of the server's workers; 0 is the process that serves HTTP.
        inbox: Where texts to pages are kept here, if somebody else is to ask for them.
    """

    life = 0
    restarts = 0

    def __init__(self, parts: Parts, *, number: int = 0, inbox: Inbox | None = None) -> None:
        self.number = number
        self._parts = parts
        self._settings = parts.settings
        self._inbox = inbox
        self._carried: dict[str, _Carried] = {}
        self._opening: set[str] = set()
        self._preparing = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._revision = 0
        self._news = asyncio.Condition()
        self._draining = False
        self._drained: asyncio.Task[None] | None = None
        self._closed = False
        self._monitor = LoopMonitor()
        self._monitor_task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to watch the event loop; call once it runs."""
        self._monitor_task = spawn(self._monitor.run(), owner="loop monitor")

    # What is going on

    @property
    def state(self) -> WorkerState:
        """All there is to know of it, now."""
        return WorkerState(
            pid=os.getpid(),
            revision=self._revision,
            seats=self._settings.max_calls,
            seats_taken=self.seats_taken,
            lag_ms=self._monitor.lag_ms,
            busy=self._monitor.busy,
            draining=self._draining,
            calls=tuple(OpenCall(call_id, each.call.agent.id) for call_id, each in self._carried.items()),
            resting=tuple(
                Resting(breaker.kind, breaker.vendor, breaker.trouble.value)
                for breaker in vendors.breakers.all()
                if breaker.open and breaker.trouble is not None
            ),
            sound=figures.sound(),
        )

    @property
    def seats_taken(self) -> int:
        """Calls open or being opened."""
        return len(self._carried) + len(self._opening)

    async def states(self) -> AsyncGenerator[WorkerState]:
        """What there is to know: now, at once when calls begin or end, and every half second; until it is closed."""
        while True:
            told = self._revision
            yield self.state
            try:
                async with asyncio.timeout(TELL_EVERY_S), self._news:
                    while self._revision == told and not self._closed:
                        await self._news.wait()
            except TimeoutError:
                pass
            if self._closed:
                return

    async def _changed(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _revise(self) -> int:
        self._revision += 1
        spawn(self._changed(), owner="worker's news")
        return self._revision

    async def figures(self) -> bytes:
        """Everything this process counts, in Prometheus' text format."""
        figures.look(self.state, self._settings)
        return await asyncio.to_thread(metrics.text)

    async def texts(self, reader: Reader) -> tuple[Text, ...]:
        """The texts of the last minutes to somebody's page, the newest first."""
        kept = [] if self._inbox is None else self._inbox.of(reader.subject, now=utc_now())
        return tuple(Text(text.text, text.at) for text in kept)

    async def reload(self, reload: Reload) -> None:
        """Have what a changed profile needs loaded in the background."""
        agent = agent_types.load(reload.agent_type)
        spawn(reload_profile(self._parts, agent), owner=f"profile {agent.id}")

    # Signalling

    async def open(self, opening: Opening) -> Answer:
        """Open a call and answer its offer.

        Raises: Invalid, ServerBusy, AlreadyUsed, or what keeps the call from being registered; StartFailed.
        """
        # Whoever asks has checked it as well; what stands next to the parser does not rely on that.
        offer = webrtc.check_offer(self._settings, opening.sdp)
        self._check_room()
        if opening.call_id in self._opening or opening.call_id in self._carried:
            raise AlreadyUsed("This session has already started its call; begin a new one")
        self._opening.add(opening.call_id)
        # Whoever has asked may be gone: what has begun is brought to its end all the same.
        return await finish(self._open(opening, offer), owner=f"open {opening.call_id}")

    def _check_room(self) -> None:
        if self._draining:
            raise ServerBusy("The server is restarting; try again in a moment", retry_after_s=5)
        if self.seats_taken >= self._settings.max_calls:
            raise ServerBusy("All lines are busy; try again in a moment", retry_after_s=5)

    async def _open(self, opening: Opening, offer: str) -> Answer:
        try:
            agent = agent_types.load(opening.agent_type)
            call = await Call.register(self._parts, call_id=opening.call_id, agent=agent, owner=opening.owner)
            await self._prepare(call, offer)
        except BaseException:
            self._opening.discard(opening.call_id)
            self._revise()
            raise
        self._opening.discard(call.id)
        self._carried[call.id] = _Carried(call, CandidateBudget(offer=offer))
        revision = self._revise()
        spawn(self._carry(call), owner=f"call {call.id}")
        return self._answer(call, revision)

    async def _prepare(self, call: Call, offer: str) -> None:
        try:
            async with self._preparing:
                await call.prepare(offer)
        except AppError as error:
            raise StartFailed(error.message, status=error.status, retry_after_s=error.retry_after_s) from error
        except Exception as error:
            logger.opt(exception=error).error("Call {} could not be started: {}", call.id, type(error).__name__)
            raise StartFailed("Something went wrong on our side. Please try again.") from error

    async def _carry(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._carried.pop(call.id, None)
            self._revise()

    def _answer(self, call: Call, revision: int) -> Answer:
        answer = call.connection.get_answer()
        if answer is None:
            raise AppError("The server could not answer the offer", code="no_answer", status=500)
        return Answer(webrtc.announced(self._settings, answer["sdp"]), answer["type"], answer["pc_id"], revision)

    async def renegotiate(self, offer: Renegotiation) -> Answer:
        """Answer a later offer.

        Raises: NotFound, Invalid, TooManyCalls.
        """
        checked = webrtc.check_offer(self._settings, offer.sdp)
        carried = self._find(offer.call_id)
        call = carried.call
        async with call.connection.signalling:
            if call.ending:
                raise NotFound("The call has ended")
            carried.renegotiations += 1
            if carried.renegotiations > MAX_RENEGOTIATIONS:
                raise TooManyCalls("The call has been renegotiated too often; begin a new one", code="too_many_offers")
            if offer.restart:
                carried.budget = CandidateBudget(offer=checked)
            await webrtc.renegotiate(call.connection, checked, restart=offer.restart)
        return self._answer(call, self._revision)

    async def trickle(self, trickled: Trickled) -> None:
        """Add candidates.

        Raises: NotFound, Invalid.
        """
        carried = self._find(trickled.call_id)
        for candidate in trickled.candidates:
            await webrtc.add_candidate(self._settings, carried.call.connection, candidate, carried.budget)

    def _find(self, call_id: str) -> _Carried:
        carried = self._carried.get(call_id)
        if carried is None:
            raise NotFound("There is no such call; it may have ended")
        return carried

    # The keypad

    async def enter(self, digits: Digits) -> Entered:
        """Give a call the digits typed on its keypad.

        Raises: NotFound; Conflict if no code is asked for.
        """
        outcome = await self._find(digits.call_id).call.enter_code(digits.code)
        return Entered(outcome.right, outcome.code.tries_left if outcome.code else 0, outcome.state)

    # The end

    async def hang_up(self, ending: HangUp) -> None:
        """End a call; one that has ended is let be."""
        if (carried := self._carried.get(ending.call_id)) is not None:
            await carried.call.hang_up(ending.reason)

    async def drain(self, drain: Drain) -> None:
        """Take no more calls, let running ones go on for a while, then end them with a sentence; once."""
        self._draining = True
        if self._drained is None:
            self._revise()
            self._drained = spawn(self._drain(drain.timeout_s), owner="drain")
        await asyncio.shield(self._drained)

    async def _drain(self, timeout_s: float) -> None:
        if self._carried:
            logger.info("Draining: {} calls open, waiting up to {} s", len(self._carried), timeout_s)
        if await self._all_ended(timeout_s):
            return
        await asyncio.gather(*(each.call.close_down() for each in list(self._carried.values())))
        if not await self._all_ended(FORCED_END_S):
            await self._end_all("drained")

    async def _end_all(self, reason: str) -> None:
        await asyncio.gather(*(each.call.hang_up(reason) for each in list(self._carried.values())))
        await self._all_ended(FORCED_END_S)

    async def _all_ended(self, timeout_s: float) -> bool:
        """Whether every seat is free within `timeout_s`, those of calls just being opened included."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while self.seats_taken:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Take no more calls, end at once what is left, and stop telling."""
        self._draining = True
        await self._end_all("server_stopped")
        self._closed = True
        await self._changed()
        if self._monitor_task is not None:
            self._monitor_task.cancel()
            self._monitor_task = None
