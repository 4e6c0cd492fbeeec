"""Said is done: no sentence of the model that claims an act this call has no committed row for is heard."""

from __future__ import annotations

from loguru import logger
from pipecat.frames.frames import (
    AggregatedTextFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import Aggregation
from pipecat.utils.text.simple_text_aggregator import SimpleTextAggregator

from pipelines.tools import ToolDesk


class ClaimGate(FrameProcessor):
    """Between model and voice: gathers sentences, which the voice would do anyway, and holds back false claims.

    Args:
        desk: Knows what has been done in this call, as far as the database says, and what the caller asked.
    """

    def __init__(self, desk: ToolDesk) -> None:
        super().__init__()
        self._desk = desk
        self._sentences = SimpleTextAggregator()
        self._corrected = False
        self._timing = False

    def can_generate_metrics(self) -> bool:
        """How long a reply waits for its first whole sentence is measured."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass sentences on one by one; everything else as it comes."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame) and direction is FrameDirection.DOWNSTREAM and not frame.skip_tts:
            if not self._timing:
                self._timing = True
                await self.start_text_aggregation_metrics()
            async for sentence in self._sentences.aggregate(frame.text):
                await self._say(sentence)
            return
        if isinstance(frame, LLMFullResponseStartFrame):
            self._corrected = self._timing = False
        elif isinstance(frame, LLMFullResponseEndFrame):
            rest = await self._sentences.flush()
            if rest is not None:
                await self._say(rest)
        elif isinstance(frame, InterruptionFrame):
            await self._sentences.handle_interruption()
        await self.push_frame(frame, direction)

    async def _say(self, sentence: Aggregation) -> None:
        await self.stop_text_aggregation_metrics()
        text = sentence.text
        if not self._desk.truth.allows(text, asked=self._desk.last_heard):
            logger.warning("A sentence of the language model claimed what was not done; it was not spoken")
            if self._corrected:
                return
            self._corrected = True
            text = self._desk.truth.instead()
        await self.push_frame(AggregatedTextFrame(text, sentence.type, raw_text=text))
