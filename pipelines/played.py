"""Which of the server's own sentences the caller has heard to the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipecat.frames.frames import ControlFrame, Frame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor


@dataclass
class SpeechMark(ControlFrame):
    """Travels behind speech through voice and transport, and comes out when that speech has been played.

    Like the speech itself it is dropped by an interruption.

    Attributes:
        token: Which speech.
        begins: Whether it stands before the speech or behind it.
    """

    token: int = 0
    begins: bool = False


class Played(FrameProcessor):
    """After the transport: tells which marked speech was played to its end, and how much sound it had."""

    def __init__(self, heard: Callable[[int, float], None]) -> None:
        super().__init__(enable_direct_mode=True)
        self._heard = heard
        self._seconds = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Count what is played between two marks."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            self._seconds += frame.num_frames / frame.sample_rate
            return  # It has been played: nobody further down needs it, and every hop costs.
        if isinstance(frame, SpeechMark):
            if frame.begins:
                self._seconds = 0.0
            else:
                self._heard(frame.token, self._seconds)
        await self.push_frame(frame, direction)
