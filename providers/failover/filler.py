"""The sentence that bridges a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipecat.frames.frames import BotStartedSpeakingFrame, BotStoppedSpeakingFrame, Frame


class Filler:
    """Has something said when a wait becomes long; while the bot speaks there is none.

    Args:
        say: Has the sentence spoken.
    """

    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._bot_speaks = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, frame: Frame) -> None:
        """Follow whether the bot speaks."""
        if isinstance(frame, BotStartedSpeakingFrame):
            self._bot_speaks = True
            self.withdraw()
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._bot_speaks = False

    def begin(self, seconds: float) -> None:
        """The caller waits from now on, and after this time is told to."""
        self.withdraw()
        if not self._bot_speaks:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._say)

    def withdraw(self) -> None:
        """The wait is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
