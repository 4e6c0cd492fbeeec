"""The caller's sound beside the pipeline: every window reaches whoever needs it by direct call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InputAudioRawFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from core import metrics
from pipelines.keypad import Hush
from pipelines.turns import UserAggregator
from pipelines.voice import RATE
from providers.failover import FailoverSTT, hear

MAX_WINDOWS = 256
"""Eight seconds waiting for the recogniser; then the oldest are dropped."""


class Listening(FrameProcessor):
    """Stands behind all who listen to the caller, and gives them what they hear.

    Each 32 ms go to the hush, to voice activity and end of turn, to whoever records, and to the recogniser, in this
    order. Only the recogniser may take its time. Where the transport puts sound into the pipeline instead, it has
    passed the others when it comes here, is recorded, and ends.

    Args:
        hush: Silences the caller.
        user: Hears voices and turns.
        stt: Puts them into words.
        also: Whoever else hears what the recogniser hears; must not block.
    """

    def __init__(
        self, *, hush: Hush, user: UserAggregator, stt: FrameProcessor, also: Sequence[Callable[[bytes], None]] = ()
    ) -> None:
        super().__init__(enable_direct_mode=True)
        self._hush = hush
        self._user = user
        self._recognise = stt.hear if isinstance(stt, FailoverSTT) else partial(hear, stt)
        self._also = also
        self._windows: asyncio.Queue[bytes] = asyncio.Queue(MAX_WINDOWS)
        self._recogniser: asyncio.Task[None] | None = None

    def hear(self, window: bytes) -> None:
        """Take 32 ms of 16 kHz 16-bit mono, as long as the pipeline runs."""
        if self._recogniser is None:
            return
        window = self._hush.over(window)
        self._user.hear(window)
        for listener in self._also:
            listener(window)
        if self._windows.full():
            self._windows.get_nowait()
            metrics.dropped_windows.inc()
        self._windows.put_nowait(window)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Listen while the pipeline runs; sound that came through it ends here: nobody further down needs it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            for listener in self._also:
                listener(frame.audio)
            return
        if isinstance(frame, StartFrame):  # The recogniser and the turns, which stand before, have started.
            self._recogniser = self.create_task(self._feed())
        elif isinstance(frame, EndFrame | CancelFrame):
            await self._stop()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Stop, however the pipeline ended."""
        await self._stop()
        await super().cleanup()

    async def _stop(self) -> None:
        task, self._recogniser = self._recogniser, None
        if task is not None:
            await self.cancel_task(task)

    async def _feed(self) -> None:
        while True:
            # Once more: the hush may have begun while the window waited.
            await self._recognise(InputAudioRawFrame(self._hush.over(await self._windows.get()), RATE, 1))
