"""Language models behind one another: the same turn is put to the next, unless the first has begun to act."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

from core.clock import monotonic_s
from providers.base import ENGLISH, Words
from providers.failover.chain import Failover, Link, Listener
from providers.failover.member import Member

FIRST_TOKEN_S = 2.2
"""From the question to the first piece of the answer."""

NEXT_TOKEN_S = 2.5
"""Between two pieces."""

GUESS_S = 6.0
"""From the question to the first piece, while the turn is not over; whoever guessed takes it back after 5 s."""

FILLER_S = 1.6
"""From the end of speech, as it was noticed, to "one moment", if nothing has been said by then."""

FILLER_LEAST_S = 0.7
"""From the question to it, where the end of the turn took long to tell; so long an answer may well take."""

TOOLS_S = 60.0
"""How long a model that has failed is kept for the sake of the tools it has called."""

_CALLS = (FunctionCallsStartedFrame, FunctionCallInProgressFrame, FunctionCallResultFrame, FunctionCallCancelFrame)


@dataclass
class _Turn:
    """One question to the model.

    Attributes:
        guess: Whether the caller's turn may not be over: the answer is then held back where it is made.
        start: The beginning of its response, held back until there is something in it.
        said: Whether words of it have gone on.
        acted: Whether tools have been called: from then on it is not put to anybody else.
    """

    guess: bool
    start: LLMFullResponseStartFrame | None = None
    said: bool = False
    acted: bool = False

    @property
    def within_s(self) -> float:
        """How long its first piece may take."""
        return GUESS_S if self.guess else FIRST_TOKEN_S


class FailoverLLM(Failover):
    """A chain of language models."""

    kind = "llm"

    def __init__(self, links: Sequence[Link], listener: Listener | None = None, *, words: Words = ENGLISH) -> None:
        super().__init__(links, listener, words=words)
        self._tools: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []
        self._turns: deque[_Turn] = deque()
        self._calls: set[str] = set()
        self._no_calls = asyncio.Event()
        self._no_calls.set()
        self._again = False
        self._silent_at: float | None = None

    def register_function(self, name: str, handler: Callable[..., Any], **options: Any) -> None:
        """Let the models call a tool; like `LLMService.register_function`."""
        self._tools.append((name, handler, options))

    def _welcome(self, member: Member) -> None:
        assert isinstance(member.service, LLMService)
        for name, handler, options in self._tools:
            member.service.register_function(name, handler, **options)

    def _takes(self, frame: Frame) -> None:
        match frame:
            case LLMContextFrame():
                self._take_back(but=frame)
                self._turns.append(_Turn(guess=frame.speculation))
                if len(self._turns) == 1:
                    self._expect(self._turns[0].within_s)
                if not frame.speculation:
                    self._bridge_the_wait()
            case UserStoppedSpeakingFrame() if self._turns and self._turns[0].guess:
                self._turns[0].guess = False
                self._expect(FIRST_TOKEN_S)
                self._bridge_the_wait()
            case EagerEndOfTurnCancelFrame():
                self._take_back()
            case VADUserStoppedSpeakingFrame():
                self._silent_at = monotonic_s()
            case VADUserStartedSpeakingFrame():
                self._silent_at = None

    def _bridge_the_wait(self) -> None:
        """The caller waits since they fell silent; one who types, from now on."""
        waited_s = 0.0 if self._silent_at is None else monotonic_s() - self._silent_at
        self._filler.begin(max(FILLER_S - waited_s, FILLER_LEAST_S))

    def _take_back(self, *, but: Frame | None = None) -> None:
        """Nobody waits for the answer to a guess any more; what is asked instead is not in it."""
        if not self._turns or not self._turns[0].guess:
            return
        self._turns.clear()
        self._kept = {
            id_: kept for id_, kept in self._kept.items() if not isinstance(kept[0], LLMContextFrame) or kept[0] is but
        }
        self._relax()

    def _interrupt(self) -> None:
        super()._interrupt()
        self._turns.clear()
        self._again = False
        self._filler.withdraw()

    async def _puts_out(self, frame: Frame) -> bool:
        turn = self._turns[0] if self._turns else None
        match frame:
            case EagerEndOfTurnCancelFrame():  # it wants a tool, which no guess is good enough for
                self._take_back()
            case LLMFullResponseStartFrame() if turn is not None:
                turn.start = frame
                return False
            case LLMTextFrame() if turn is not None and frame.text:
                await self._begin(turn)
                turn.said = True
                self._expect(NEXT_TOKEN_S)
            case FunctionCallsStartedFrame() if turn is not None:
                await self._begin(turn)
                turn.acted = True
                self._relax()
            case LLMFullResponseEndFrame() if turn is not None:
                return await self._end(turn)
        self._follow_calls(frame)
        return True

    async def _begin(self, turn: _Turn) -> None:
        """The answer has begun."""
        self._served()
        self._filler.withdraw()
        self._silent_at = None
        if turn.start is not None:
            start, turn.start = turn.start, None
            await self.push_frame(start)
        if self._again:
            self._again = False
            await self.push_frame(LLMTextFrame(self._words.again))

    async def _end(self, turn: _Turn) -> bool:
        """The answer is complete; whether its end is handed on."""
        self._filler.withdraw()
        if not turn.said and not turn.acted and self._may_fail_over:
            self._fail(ErrorCategory.UNKNOWN)  # no answer is not one
            return False
        self._relax()
        if turn.start is not None:
            await self.push_frame(turn.start)
        self._turns.popleft()
        self._kept.pop(
            next((id_ for id_, (kept, _) in self._kept.items() if isinstance(kept, LLMContextFrame)), -1), None
        )
        if self._turns:
            self._expect(self._turns[0].within_s)
        self._maybe_return()
        return True

    def _follow_calls(self, frame: Frame) -> None:
        if isinstance(frame, FunctionCallInProgressFrame):
            self._calls.add(frame.tool_call_id)
        elif isinstance(frame, FunctionCallResultFrame | FunctionCallCancelFrame):
            self._calls.discard(frame.tool_call_id)
        if self._calls:
            self._no_calls.clear()
        else:
            self._no_calls.set()

    def _belongs(self, frame: Frame) -> bool:
        """What a tool has done counts, whoever asked for it."""
        self._follow_calls(frame)
        return isinstance(frame, _CALLS)

    async def _settled(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TOOLS_S):
                await self._no_calls.wait()

    def _is_quiet(self) -> bool:
        return not self._turns and not self._calls and super()._is_quiet()

    async def _replay(self) -> list[tuple[Frame, FrameDirection]]:
        kept = await super()._replay()
        turns, self._turns = self._turns, deque()
        if not turns:
            return kept
        if turns[0].said:
            await self.push_frame(LLMFullResponseEndFrame())
            self._again = True
        if not turns[0].guess:
            kept = [(_certain(frame), direction) for frame, direction in kept]
        if turns[0].acted:
            at = next((n for n, (frame, _) in enumerate(kept) if isinstance(frame, LLMContextFrame)), len(kept))
            del kept[at : at + 1]
        return kept

    async def _give_up(self) -> None:
        self._filler.withdraw()
        await self.push_frame(TTSSpeakFrame(self._words.apology))


def _certain(frame: Frame) -> Frame:
    """A question as it is put once the caller's turn is over."""
    if isinstance(frame, LLMContextFrame) and frame.speculation:
        return LLMContextFrame(context=frame.context)
    return frame
