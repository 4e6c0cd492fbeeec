"""While a code is asked for, nothing the caller says goes any further: not to the recogniser, not on record."""

from __future__ import annotations

from pipecat.frames.frames import Frame, InputAudioRawFrame, InputDTMFFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor


class Hush(FrameProcessor):
    """First after the transport: turns the caller's audio into silence while `on`.

    Silence, not nothing: voice activity detection, recogniser and recorder keep their clock, and a word begun before
    ends there.
    """

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.on = False

    def over(self, window: bytes) -> bytes:
        """The same for sound that comes beside the pipeline."""
        return bytes(len(window)) if self.on else window

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on, audio as silence and keys not at all while `on`."""
        await super().process_frame(frame, direction)
        if self.on and isinstance(frame, InputDTMFFrame):
            return
        if isinstance(frame, InputAudioRawFrame):
            frame.audio = self.over(frame.audio)
        await self.push_frame(frame, direction)
