"""One vendor's service while it stands in a chain: brought up, fed, heard, and put away whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger
from pipecat.frames.frames import CancelFrame, Frame, InputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.services.stt_service import STTService
from pipecat.utils.errors import ErrorCategory

Hears = Callable[["Member", Frame, FrameDirection], Awaitable[None]]
"""Told of every frame that a member puts out."""

CLOSE_S = 3.0
"""What a service gets to let go of its connections; afterwards they are dropped."""


class Member:
    """A service between two ends of our own, as if it stood in the pipeline.

    Attributes:
        name: Of the vendor.
        service: Made for this member; another one is made when the vendor's turn comes again.
        closing: Whether it is being put away.
    """

    def __init__(self, name: str, service: FrameProcessor, hears: Hears) -> None:
        self.name = name
        self.service = service
        self.closing = False
        self._cancelled = asyncio.Event()
        self._hears = hears
        self._above = _End(self._heard, name=f"{service.name}::above")
        self._below = _End(self._heard, name=f"{service.name}::below")
        self._above.link(service)
        service.link(self._below)

    async def set_up(self, setup: FrameProcessorSetup) -> None:
        """Bring the service up, which may take as long as its connection."""
        await self._above.setup(setup)
        await self._below.setup(setup)
        await self.service.setup(setup)

    async def take(self, frame: Frame, direction: FrameDirection) -> None:
        """Give the service a frame."""
        await self.service.queue_frame(frame, direction)

    async def hear(self, frame: InputAudioRawFrame) -> None:
        """Have a recogniser hear a piece of sound by direct call."""
        await hear(self.service, frame)

    async def _heard(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, CancelFrame):
            self._cancelled.set()
        await self._hears(self, frame, direction)

    async def put_away(self) -> None:
        """End the service for good; nothing it still says is heard by the caller."""
        self.closing = True
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.service.queue_frame(CancelFrame(reason="another vendor has taken over"))
                await self._cancelled.wait()
        except TimeoutError:
            logger.warning("{} did not end in {} s", self.service.name, CLOSE_S)
        finally:
            await self.clean_up()

    async def clean_up(self) -> None:
        """Give back what the service holds."""
        self.closing = True
        await self.service.cleanup()
        await self._above.cleanup()
        await self._below.cleanup()


async def hear(service: FrameProcessor, frame: InputAudioRawFrame) -> None:
    """Have a service hear a piece of sound by direct call; what goes wrong with it is the service's error, as ever."""
    assert isinstance(service, STTService)
    try:
        await service.process_audio_frame(frame, FrameDirection.DOWNSTREAM)
    except Exception as error:  # noqa: BLE001 - what pipecat does where a frame is processed
        await service.push_error("sound could not be taken", exception=error, category=ErrorCategory.UNKNOWN)


class _End(FrameProcessor):
    """Hands on what comes out of the service; what goes in does not pass here."""

    def __init__(self, tell: Callable[[Frame, FrameDirection], Awaitable[None]], *, name: str) -> None:
        super().__init__(enable_direct_mode=True, name=name)
        self._tell = tell

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self._tell(frame, direction)
