"""Recognisers behind one another: what was said is kept until it is understood, and said again to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.utils.errors import ErrorCategory

from providers.base import ENGLISH, Words
from providers.failover.chain import Failover, Link, Listener
from providers.frames import NothingHeardFrame

FINAL_S = 1.0
"""From the end of speech to its words, or to more of what is not final yet; vendors take 0.1 to 0.4 s."""

LATE_S = 0.5
"""On top of what a recogniser itself says that it takes, where that is longer."""

AGAIN_S = 1.5
"""What whoever takes over gets at most, however long it says that it takes: the caller has waited already."""

FILLER_S = 1.6
"""From the end of speech, or from more of what is not final yet, to "one moment", if nobody has understood it by then.
The detector takes 0.2 s to notice that end, and a voice as long to begin."""

BEFORE_S = 1.0
"""Kept from before speech was noticed, which takes the detector 0.2 s and a soft first sound longer."""

OVERLAP_S = 0.3
"""Of what a vendor has put into words already, kept in case it had not yet heard the end of it."""

LONGEST_S = 35.0

SURELY_SPEECH_S = 1.0
"""A voice for so long said something; whoever has heard no words in it is not listening."""


@dataclass
class _Utterance:
    """What the caller says between two silences.

    Attributes:
        started: As the voice activity detector told it.
        stopped: Likewise; None while they speak.
    """

    started: VADUserStartedSpeakingFrame
    stopped: VADUserStoppedSpeakingFrame | None = None

    @property
    def length_s(self) -> float:
        """How long there was a voice."""
        if self.stopped is None:
            return 0.0
        ended_at = self.stopped.timestamp - self.stopped.stop_secs
        return ended_at - (self.started.timestamp - self.started.start_secs)


class FailoverSTT(Failover):
    """A chain of recognisers."""

    kind = "stt"
    gives_up = False  # many say nothing when they have heard nothing, and there may have been nothing to hear

    def __init__(self, links: Sequence[Link], listener: Listener | None = None, *, words: Words = ENGLISH) -> None:
        super().__init__(links, listener, words=words)
        self._sound: deque[InputAudioRawFrame] = deque()
        self._sound_s = 0.0
        self._utterance: _Utterance | None = None
        self._final_s = FINAL_S

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Time the caller's wait, also while one takes over and what comes in is kept."""
        match frame:
            case VADUserStoppedSpeakingFrame():
                self._filler.begin(FILLER_S)
            case VADUserStartedSpeakingFrame():
                self._filler.withdraw()
        await super().process_frame(frame, direction)

    async def hear(self, frame: InputAudioRawFrame) -> None:
        """Take a piece of sound by direct call: whoever else listens has heard it, so it never leaves the chain."""
        if self._waiting is not None:
            self._private.add(frame.id)
            self._waiting.append((frame, FrameDirection.DOWNSTREAM))
        elif self._member is not None and self._private:
            # What the member was given by the queue is still on its way through it.
            self._private.add(frame.id)
            await self._give(self._member, frame, FrameDirection.DOWNSTREAM)
        elif self._member is not None:
            self._takes(frame)
            await self._member.hear(frame)

    def _takes(self, frame: Frame) -> None:
        match frame:
            case InputAudioRawFrame():
                self._sound.append(frame)
                self._sound_s += frame.num_frames / frame.sample_rate
                self._forget_sound(BEFORE_S if self._utterance is None else LONGEST_S)
            case VADUserStartedSpeakingFrame():
                if self._utterance is None:
                    self._utterance = _Utterance(frame)
                self._utterance.stopped = None
                self._relax()
            case VADUserStoppedSpeakingFrame() if self._utterance is not None:
                self._utterance.stopped = frame
                self._expect(min(self._final_s, AGAIN_S) if frame.id in self._private else self._final_s)

    async def _puts_out(self, frame: Frame) -> bool:
        if isinstance(frame, STTMetadataFrame):
            self._final_s = max(FINAL_S, frame.ttfs_p99_latency + LATE_S)
        elif isinstance(frame, InterimTranscriptionFrame) and self._utterance and self._utterance.stopped:
            self._expect(self._final_s)  # it is listening
            self._filler.begin(FILLER_S)
        if isinstance(frame, NothingHeardFrame):
            if self._utterance is not None and self._utterance.length_s > SURELY_SPEECH_S and self._may_fail_over:
                self._fail(ErrorCategory.UNKNOWN)
            else:
                self._settle()
            return False
        if isinstance(frame, TranscriptionFrame):
            if frame.finalized or (self._utterance is not None and self._utterance.stopped is not None):
                self._settle()
            else:
                self._served()
                self._forget_sound(OVERLAP_S)
        return True

    def _settle(self) -> None:
        """What was said has been dealt with."""
        self._relax()
        self._filler.withdraw()
        self._served()
        if self._utterance is None or self._utterance.stopped is not None:
            self._utterance = None
            self._forget_sound(BEFORE_S)
            self._maybe_return()

    def _forget_sound(self, keep_s: float) -> None:
        while self._sound_s > keep_s and self._sound:
            frame = self._sound.popleft()
            self._sound_s -= frame.num_frames / frame.sample_rate

    def _is_quiet(self) -> bool:
        return self._utterance is None and super()._is_quiet()

    async def _replay(self) -> list[tuple[Frame, FrameDirection]]:
        kept = await super()._replay()
        said, self._utterance = self._utterance, None
        sound, self._sound, self._sound_s = self._sound, deque(), 0.0  # it comes in again
        again: list[tuple[Frame, FrameDirection]] = []
        if said is not None:
            again.append((_copy_of(said.started), FrameDirection.UPSTREAM))
        for piece in sound:
            copy = InputAudioRawFrame(piece.audio, piece.sample_rate, piece.num_channels)
            again.append((copy, FrameDirection.DOWNSTREAM))
        if said is not None and said.stopped is not None:
            again.append((_copy_of(said.stopped), FrameDirection.UPSTREAM))
        self._private.update(frame.id for frame, _ in again)  # the rest of the pipeline has heard it
        return [*kept, *again]


def _copy_of(frame: VADUserStartedSpeakingFrame | VADUserStoppedSpeakingFrame) -> Frame:
    if isinstance(frame, VADUserStartedSpeakingFrame):
        return VADUserStartedSpeakingFrame(start_secs=frame.start_secs, timestamp=frame.timestamp)
    return VADUserStoppedSpeakingFrame(stop_secs=frame.stop_secs, timestamp=frame.timestamp)
