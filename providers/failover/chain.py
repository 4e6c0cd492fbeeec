"""Vendors behind one another: the first that can serves, and its work is taken over when it fails.

What stands in the pipeline is one processor. Inside it is the service of one vendor at a time; the others are made when
their turn comes, so that nobody pays for connections that are not used. Frames that have gone into a service and have
not come out again are kept, and go into the next one when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    StartFrame,
    SystemFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.errors import ErrorCategory

from core.errors import AppError
from providers.base import ENGLISH, Kind, Words
from providers.failover.breaker import WORDS, Breaker, category_of
from providers.failover.filler import Filler
from providers.failover.member import CLOSE_S, Member

OPEN_S = 4.0
"""A service that has not come up by then is passed over."""

LAST_S = 6.0
"""The least a deadline is for the last of a chain: nobody is behind it, and the caller is told when it is over."""

MAX_KEPT = 2_000
"""Frames that are with a service; beyond it the oldest are forgotten, which only a stuck service could bring about."""


@dataclass(frozen=True, slots=True)
class Link:
    """One vendor of a chain.

    Attributes:
        patience_s: The least any of its deadlines is; engines on small machines need longer than vendors with many.
    """

    name: str
    make: Callable[[], FrameProcessor]
    breaker: Breaker
    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Switch:
    """That one vendor has taken over from another.

    Attributes:
        why: What was wrong; None when a better one has come back.
        asked: Whether the other one was asked in this call: one that had been given a rest before is not.
    """

    kind: Kind
    left: str
    took: str
    why: ErrorCategory | None
    asked: bool = True


class Listener:
    """Told what becomes of a chain; does nothing, to be overridden."""

    def switched(self, switch: Switch) -> None:
        """Another vendor serves."""

    def exhausted(self, kind: Kind) -> None:
        """Nobody is left who could serve."""


class Failover(FrameProcessor):
    """A chain of vendors of one kind, in the place of a service.

    Args:
        links: In the order of preference; the last one is tried even while it is given a rest.
        listener: Told of changes.
        words: What it says itself, in the language of the call.
    """

    kind: Kind
    gives_up = True
    """Whether the last of the chain has failed when it is not heard of in time, as the others have."""

    def __init__(self, links: Sequence[Link], listener: Listener | None = None, *, words: Words = ENGLISH) -> None:
        super().__init__(enable_direct_mode=True)
        self._links = list(links)
        self._listener = listener or Listener()
        self._words = words
        self._filler = Filler(self._bridge)
        self._member: Member | None = None
        self._opening: dict[Member, ErrorCategory | None] = {}
        self._failed_meanwhile: ErrorCategory | None = None
        self._better: Member | None = None
        self._tried: set[str] = set()
        self._kept: dict[int, tuple[Frame, FrameDirection]] = {}
        self._passing: dict[int, tuple[Frame, FrameDirection]] = {}  # system frames, which a take-over need not repeat
        self._waiting: list[tuple[Frame, FrameDirection]] | None = None
        self._private: set[int] = set()
        self._started = False
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._bridged = False
        self._switching: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._farewells: dict[asyncio.Task[None], Member] = {}
        self._vendors: dict[str, str] = {}

    # What the pipeline asks

    def vendor_of(self, processor: str) -> str | None:
        """The vendor behind a processor's name in metrics; None if it is none of this chain's."""
        return self._vendors.get(processor)

    def can_generate_metrics(self) -> bool:
        """The services inside report their own."""
        return False

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Bring the first vendor up that can serve."""
        await super().setup(setup)
        first, link = self._links[0], self._pick()
        rested = None
        if link is not None and link is not first:
            rested = Switch(self.kind, first.name, link.name, first.breaker.trouble or ErrorCategory.UNKNOWN, False)
        self._member = await self._open_next(rested)

    async def cleanup(self) -> None:
        """Give back what the services hold."""
        self._over = True
        self._relax()
        for task in (self._switching, self._returning):
            if task is not None:
                await self.cancel_task(task)
        for member in (self._member, self._better):
            if member is not None:
                await member.clean_up()
        if self._farewells:
            await asyncio.wait(self._farewells, timeout=CLOSE_S)
            for task in list(self._farewells):
                await self.cancel_task(task)
        await super().cleanup()

    # Frames in and out

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        """Hand on; a sentence that only bridges a wait is said once a turn, whichever chain it comes from."""
        if isinstance(frame, TTSSpeakFrame) and not frame.append_to_context:
            if self._bridged:
                return
            self._bridged = True
        await super().push_frame(frame, direction)

    def _bridge(self) -> None:
        if not self._over:
            self.create_task(self.push_frame(TTSSpeakFrame(self._words.one_moment, append_to_context=False)))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Give the frame to the vendor that serves, or keep it while one takes over."""
        await super().process_frame(frame, direction)
        self._filler.watch(frame)
        if isinstance(frame, StartFrame):
            self._started = True
        if isinstance(frame, CancelFrame):
            self._over = True
            self._relax()
        if isinstance(frame, InterruptionFrame):
            self._interrupt()
            for member in list(self._farewells.values()):
                await member.take(InterruptionFrame(), direction)  # it may still be at work for us
        if self._waiting is not None and not isinstance(frame, InterruptionFrame | CancelFrame):
            self._waiting.append((frame, direction))
        elif self._waiting is not None or self._member is None:
            await self.push_frame(frame, direction)  # nobody inside has anything to lose by it
            if isinstance(frame, StartFrame):
                await self._nobody_left()
        else:
            await self._give(self._member, frame, direction)

    async def _give(self, member: Member, frame: Frame, direction: FrameDirection) -> None:
        kept = self._passing if isinstance(frame, SystemFrame) and not isinstance(frame, StartFrame) else self._kept
        kept[frame.id] = (frame, direction)
        if len(kept) > MAX_KEPT:
            del kept[next(iter(kept))]
        self._takes(frame)
        await member.take(frame, direction)

    async def _hears(self, member: Member, frame: Frame, direction: FrameDirection) -> None:
        """Hand on what the serving vendor puts out; what others say is theirs."""
        if isinstance(frame, ErrorFrame) and frame.processor is member.service:
            await self._error(member, frame)
        elif frame.id in self._private:
            self._private.discard(frame.id)
            self._kept.pop(frame.id, None)
            self._passing.pop(frame.id, None)
        elif member is self._member:
            if isinstance(frame, EndFrame):
                self._over = True
                self._relax()
            if await self._puts_out(frame):
                await self.push_frame(frame, direction)
            if self._is_done_with(frame):
                self._kept.pop(frame.id, None)
            self._passing.pop(frame.id, None)
        elif self._belongs(frame):
            await self.push_frame(frame, direction)

    async def _error(self, member: Member, frame: ErrorFrame) -> None:
        category = frame.category or ErrorCategory.UNKNOWN
        if category is ErrorCategory.APPLICATION:
            if member is self._member:
                await self.push_frame(frame, FrameDirection.UPSTREAM)
        elif member is self._member:
            self._fail(category)
        elif member is self._better:
            self._better = None
            self._link(member.name).breaker.failed(category)
            self._dismiss(member)
        elif member in self._opening:
            self._opening[member] = category

    def _interrupt(self) -> None:
        """Whatever an interruption may drop is not replayed either."""
        self._kept = {id_: kept for id_, kept in self._kept.items() if not kept[0].interruptible}
        if self._waiting is not None:
            self._waiting = [
                item for item in self._waiting if not item[0].interruptible or isinstance(item[0], SystemFrame)
            ]
        self._relax()
        self._bridged = False

    # What a kind of work adds

    def _takes(self, frame: Frame) -> None:
        """Look at a frame on its way in."""

    async def _puts_out(self, frame: Frame) -> bool:
        """Look at a frame on its way out; whether it is handed on."""
        del frame
        return True

    def _is_done_with(self, frame: Frame) -> bool:
        """Whether a frame that has come out need not be replayed."""
        del frame
        return True

    def _belongs(self, frame: Frame) -> bool:
        """Whether a frame counts though its vendor no longer serves."""
        del frame
        return False

    def _is_quiet(self) -> bool:
        """Whether a better vendor may come back now: nothing is under way."""
        return not self._kept

    async def _replay(self) -> list[tuple[Frame, FrameDirection]]:
        """What the vendor that takes over is given; also settles what the other one left open downstream."""
        return list(self._kept.values())

    def _welcome(self, member: Member) -> None:
        """Prepare a service that has just been made."""

    async def _give_up(self) -> None:
        """Nobody is left."""

    # Deadlines

    @property
    def _may_fail_over(self) -> bool:
        return self._pick(beside=self._member) is not None

    def _expect(self, within_s: float) -> None:
        """The vendor has failed unless it is heard of within this time; the last of a chain has more of it."""
        self._relax()
        last = not self._may_fail_over
        if self._member is not None and not self._over and (self.gives_up or not last):
            within_s = max(within_s, self._link(self._member.name).patience_s, LAST_S if last else 0.0)
            self._timer = self.get_event_loop().call_later(within_s, self._fail, ErrorCategory.CONNECTIVITY)

    def _relax(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _served(self) -> None:
        """The vendor has done what was asked."""
        if self._member is not None:
            self._link(self._member.name).breaker.served()
        self._tried.clear()

    # Taking over

    def _link(self, name: str) -> Link:
        return next(link for link in self._links if link.name == name)

    def _pick(self, *, beside: Member | None = None) -> Link | None:
        """Who is next: the first that is trusted, in a pinch the last."""
        left = [link for link in self._links if link.name not in self._tried]
        left = [link for link in left if beside is None or link.name != beside.name]
        trusted = (link for link in left if not link.breaker.open)
        return next(trusted, left[-1] if left and left[-1] is self._links[-1] else None)

    def _fail(self, category: ErrorCategory) -> None:
        """The serving vendor has failed: have another one take over."""
        member = self._member
        if member is None or self._over:
            return
        if self._waiting is not None:
            self._failed_meanwhile = category
            return
        self._relax()
        logger.warning("{}: {} {}", self.kind, member.name, WORDS.get(category, "failed"))
        self._link(member.name).breaker.failed(category)
        self._tried.add(member.name)
        self._member, self._waiting = None, []
        self._private.clear()  # whatever it still puts out is ignored
        self._dismiss(member)
        self._switching = self.create_task(self._take_over(member.name, category))

    async def _take_over(self, left: str, why: ErrorCategory) -> None:
        for frame, direction in list(self._passing.values()):
            await self.push_frame(frame, direction)
        self._passing.clear()
        replay = await self._replay()
        self._kept.clear()
        self._waiting = [*replay, *(self._waiting or [])]  # from here on an interruption may drop it
        link = self._pick()
        member = await self._open_next(None if link is None else Switch(self.kind, left, link.name, why))
        if member is None:
            await self._nobody_left()
            self._waiting = [item for item in self._waiting if item[0].id not in self._private]
        await self._install(member)

    async def _nobody_left(self) -> None:
        logger.error("{}: nobody is left to serve", self.kind)
        await self._give_up()
        self._listener.exhausted(self.kind)

    async def _install(self, member: Member | None) -> None:
        """Let a member serve, beginning with what waits for it."""
        self._member = member
        starts = any(isinstance(frame, StartFrame) for frame, _ in self._waiting or [])
        if member is not None and self._started and not starts:
            start = StartFrame()  # the pipeline's own has gone through another vendor
            self._private.add(start.id)
            await member.take(start, FrameDirection.DOWNSTREAM)
        while self._waiting:
            frame, direction = self._waiting.pop(0)
            if member is None:
                await self.push_frame(frame, direction)
            else:
                await self._give(member, frame, direction)
        self._waiting = None
        if self._failed_meanwhile is not None:
            category, self._failed_meanwhile = self._failed_meanwhile, None
            self._fail(category)

    async def _open_next(self, switch: Switch | None = None) -> Member | None:
        """Bring up whoever is next and can; None if nobody can.

        Args:
            switch: What has made them next, to be told once they were tried.
        """
        while (link := self._pick()) is not None:
            opened = await self._open(link)
            if switch is not None:
                self._listener.switched(switch)
            if isinstance(opened, Member):
                return opened
            self._tried.add(link.name)
            after = self._pick()
            switch = None if after is None else Switch(self.kind, link.name, after.name, opened)
        return None

    async def _open(self, link: Link) -> Member | ErrorCategory:
        """The vendor's service, brought up; or what was wrong."""
        try:
            member = Member(link.name, link.make(), self._hears)
        except Exception as error:  # noqa: BLE001 - whatever keeps a vendor from being made, the next one may serve
            reason = error.code if isinstance(error, AppError) else type(error).__name__
            logger.warning("{}: {} cannot serve: {}", self.kind, link.name, reason)
            return ErrorCategory.INVALID_REQUEST if isinstance(error, AppError) else ErrorCategory.UNKNOWN
        self._vendors[member.service.name] = link.name
        self._welcome(member)
        trouble = await self._set_up(member)
        if trouble is None:
            return member
        logger.warning("{}: {} did not come up", self.kind, link.name)
        link.breaker.failed(trouble)
        self._dismiss(member)
        return trouble

    async def _set_up(self, member: Member) -> ErrorCategory | None:
        """Bring a member up; what was wrong, if it did not come."""
        self._opening[member] = None
        try:
            async with asyncio.timeout(OPEN_S):
                await member.set_up(self.processor_setup)
        except asyncio.CancelledError:
            await member.clean_up()
            raise
        except Exception as error:  # noqa: BLE001 - a vendor's SDK may raise anything
            return category_of(error)
        finally:
            trouble = self._opening.pop(member)
        return trouble

    def _dismiss(self, member: Member) -> None:
        task = self.create_task(self._part_with(member))
        self._farewells[task] = member
        task.add_done_callback(lambda task: self._farewells.pop(task, None))

    async def _part_with(self, member: Member) -> None:
        await self._settled()
        await member.put_away()

    async def _settled(self) -> None:
        """Wait for what a vendor still has to finish for us."""

    # Coming back

    def _maybe_return(self) -> None:
        """At a quiet moment: let a better vendor serve again that is trusted again."""
        if self._over or self._member is None or self._returning is not None:
            return
        link = self._pick()
        names = [link.name for link in self._links]
        if link is not None and names.index(link.name) < names.index(self._member.name):
            self._returning = self.create_task(self._come_back(link))

    async def _come_back(self, link: Link) -> None:
        try:
            if self._better is None:
                opened = await self._open(link)
                self._better = opened if isinstance(opened, Member) else None
            if self._better is not None and self._started:
                await self._change_to(self._better)
        finally:
            self._returning = None

    async def _change_to(self, better: Member) -> None:
        serving = self._member
        if serving is None or self._waiting is not None or not self._is_quiet() or self._over:
            return  # another time
        self._better, self._member, self._waiting = None, None, []
        self._dismiss(serving)
        self._listener.switched(Switch(self.kind, serving.name, better.name, None))
        await self._install(better)
