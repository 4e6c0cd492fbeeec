"""Voices behind one another: the next one goes on with the word at which the first broke off."""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    Frame,
    InterimTranscriptionFrame,
    LLMAssistantPushAggregationFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.tts_service import TTSService
from pipecat.utils.errors import ErrorCategory
from pipecat.utils.text.base_text_aggregator import TextType

from providers.failover.chain import Failover, Link, Listener
from providers.failover.member import Member
from providers.prompts import RATE, Prompts

FIRST_BYTE_S = 0.9
"""From a text to the first of its sound."""

NEXT_BYTE_S = 0.9
"""Between two pieces of sound while there is text that cannot have been spoken yet."""

FASTEST_CHARS_PER_S = 25.0
"""Nobody speaks faster: less sound than this for a text means that some of it is still to come."""

BEGUN_S = 0.03
"""So much of a word must have sounded for it to count as spoken."""

SLACK_S = 0.3
"""A word that begins later than this after the end of the sound was not spoken."""

_Item = tuple[Frame, FrameDirection]


@dataclass
class _Sounding:
    """The sound of one reply, from its start to its end.

    Attributes:
        began_ns: When its first piece came, by the pipeline's clock; word times count from here.
        made_s: How much of it there is.
    """

    context_id: str | None
    began_ns: int | None = None
    made_s: float = 0.0

    def covers(self, word: TTSTextFrame, *, slack_s: float = -BEGUN_S) -> bool:
        """Whether the sound has come as far as a word."""
        if word.pts is None or self.began_ns is None:
            return self.made_s > 0
        return (word.pts - self.began_ns) / 1e9 < self.made_s + slack_s


class FailoverTTS(Failover):
    """A chain of voices."""

    kind = "tts"

    def __init__(self, links: Sequence[Link], listener: Listener | None = None, prompts: Prompts | None = None) -> None:
        super().__init__(links, listener)
        self._prompts = prompts
        self._sounding: _Sounding | None = None
        self._unvoiced: deque[TTSTextFrame] = deque()  # whose sound has not come yet
        self._voiced: list[str] = []  # of the texts in `_kept`
        self._asked: dict[str, int] = {}  # characters of each reply that has not come to its end

    def _welcome(self, member: Member) -> None:
        assert isinstance(member.service, TTSService)

        @member.service.event_handler("on_tts_request")
        async def on_tts_request(_service: TTSService, context_id: str, text: str) -> None:
            if member is self._member:
                self._asked[context_id] = self._asked.get(context_id, 0) + len(text)
                if self._timer is None:
                    self._expect(FIRST_BYTE_S)

    async def _give(self, member: Member, frame: Frame, direction: FrameDirection) -> None:
        sound = self._kept_sound(member, frame) if isinstance(frame, TTSSpeakFrame) else None
        if sound is None:
            await super()._give(member, frame, direction)
        else:
            assert isinstance(frame, TTSSpeakFrame)
            await self._play(frame, sound)

    def _kept_sound(self, member: Member, frame: TTSSpeakFrame) -> bytes | None:
        """The sound of a fixed sentence, if nothing else is being spoken that it would overtake."""
        if self._prompts is None or not self._is_quiet() or self.processor_setup.audio_out_sample_rate != RATE:
            return None
        assert isinstance(member.service, TTSService)
        return self._prompts.find(member.name, member.service.settings, frame.text)

    async def _play(self, frame: TTSSpeakFrame, sound: bytes) -> None:
        """Put out what a voice would for a sentence of its own, all at once."""
        context_id = str(uuid.uuid4())
        announced = AggregatedTextFrame(frame.text, frame.text_type, raw_text=frame.text, context_id=context_id)
        announced.append_to_context, announced.will_be_spoken = False, True
        out: list[Frame] = [announced, TTSStartedFrame(context_id=context_id)]
        # Nobody has told when each word is heard; all letters taking the same time comes near enough.
        at_ns, ns_per_char = self.get_clock().get_time(), len(sound) / 2 / RATE * 1e9 / max(1, len(frame.text))
        for found in re.finditer(r"\S+", frame.text):
            said = TTSTextFrame(found[0], TextType.WORD, context_id=context_id, segment_id=announced.id)
            said.append_to_context = frame.append_to_context
            so_far = AggregatedTextProgressFrame(
                announced.id,
                context_id,
                text=frame.text,
                text_type=frame.text_type,
                accumulated_text=frame.text[: found.end()],
                remaining_text=frame.text[found.end() :],
            )
            said.pts = so_far.pts = int(at_ns)
            at_ns += (len(found[0]) + 1) * ns_per_char
            out += [said, so_far]
        step = RATE // 10 * 2
        pieces = (sound[at : at + step] for at in range(0, len(sound), step))
        out += [TTSAudioRawFrame(piece, RATE, 1, context_id=context_id) for piece in pieces]
        out.append(TTSStoppedFrame(context_id=context_id))
        if frame.append_to_context:
            out.append(LLMAssistantPushAggregationFrame())
            out[-1].pts = int(at_ns)  # by the transport's clock, like the words before it
        for piece in out:
            piece.interruptible = frame.interruptible
            await self.push_frame(piece)

    def _interrupt(self) -> None:
        super()._interrupt()
        self._sounding = None
        self._unvoiced.clear()
        self._voiced.clear()
        self._asked.clear()

    async def _puts_out(self, frame: Frame) -> bool:
        match frame:
            case TTSStartedFrame():
                self._sounding = _Sounding(frame.context_id)
            case TTSAudioRawFrame():
                await self._sound(frame)
            case TTSTextFrame():
                self._unvoiced.append(frame)
                await self._say_words()
                return False
            case TTSStoppedFrame():
                return await self._stop()
            case LLMFullResponseEndFrame():
                self._done_until(frame)
        return True

    async def _sound(self, frame: TTSAudioRawFrame) -> None:
        if self._sounding is None:
            self._sounding = _Sounding(frame.context_id)
        sounding = self._sounding
        if sounding.began_ns is None:
            sounding.began_ns = self.get_clock().get_time()
            self._served()
        sounding.made_s += frame.num_frames / frame.sample_rate
        await self._say_words()
        asked = self._asked.get(sounding.context_id or "", 0)
        if sounding.made_s * FASTEST_CHARS_PER_S < asked or self._all_given():
            self._expect(NEXT_BYTE_S)
        else:
            self._relax()

    def _all_given(self) -> bool:
        """Whether the vendor has the whole of what is being said, so that its end must come."""
        return any(isinstance(frame, LLMFullResponseEndFrame | TTSSpeakFrame) for frame, _ in self._kept.values())

    async def _say_words(self) -> None:
        """Hand on the words whose sound has come: only they were spoken, whatever happens next."""
        while self._unvoiced and self._sounding is not None and self._sounding.covers(self._unvoiced[0]):
            word = self._unvoiced.popleft()
            self._voiced.append(word.text)
            await self.push_frame(word)

    async def _stop(self) -> bool:
        """A reply has come to its end; whether that is handed on."""
        sounding = self._sounding
        if sounding is not None and self._may_fail_over:
            silent = not sounding.made_s and self._asked.get(sounding.context_id or "", 0)
            if silent or any(not sounding.covers(word, slack_s=SLACK_S) for word in self._unvoiced):
                self._fail(ErrorCategory.UNKNOWN)
                return False
        for word in self._unvoiced:
            self._voiced.append(word.text)
            await self.push_frame(word)
        self._unvoiced.clear()
        self._asked.pop((sounding and sounding.context_id) or "", None)
        self._sounding = None
        self._relax()
        if self._asked:
            self._expect(FIRST_BYTE_S)
        first = next(((id_, kept) for id_, (kept, _) in self._kept.items() if _is_text(kept)), None)
        if first is not None and isinstance(first[1], TTSSpeakFrame):
            del self._kept[first[0]]
            self._voiced.clear()
        if self._is_quiet():
            self._maybe_return()
        return True

    def _done_until(self, end: Frame) -> None:
        """A response has come out whole: what went in before its end is dealt with."""
        ids = list(self._kept)
        for id_ in ids[: ids.index(end.id) + 1 if end.id in self._kept else 0]:
            if id_ == end.id or _is_text(self._kept[id_][0]):
                del self._kept[id_]
        self._voiced.clear()
        if self._is_quiet():
            self._maybe_return()

    def _is_done_with(self, frame: Frame) -> bool:
        return not _is_text(frame)  # a text comes out when it is announced, and is spoken later

    def _is_quiet(self) -> bool:
        return self._sounding is None and not self._unvoiced and super()._is_quiet()

    async def _replay(self) -> list[_Item]:
        if self._sounding is not None and self._sounding.made_s:
            await self.push_frame(TTSStoppedFrame(context_id=self._sounding.context_id))
        kept = unspoken(await super()._replay(), " ".join(self._voiced))
        self._sounding = None
        self._asked.clear()
        self._unvoiced.clear()
        self._voiced.clear()
        if kept and isinstance(kept[0][0], TextFrame):
            start = LLMFullResponseStartFrame()  # the response has begun already, but not for this voice
            self._private.add(start.id)
            kept.insert(0, (start, FrameDirection.DOWNSTREAM))
        return kept


def _is_text(frame: Frame) -> bool:
    """Whether a voice keeps the frame to itself and speaks it."""
    if isinstance(frame, TTSSpeakFrame):
        return True
    return (
        isinstance(frame, TextFrame)
        and not frame.skip_tts
        and not isinstance(frame, TTSTextFrame | TranscriptionFrame | InterimTranscriptionFrame)
    )


def unspoken(kept: Sequence[_Item], voiced: str) -> list[_Item]:
    """What is left of the texts in `kept` after the words in `voiced` have been spoken, which begin them.

    Compared are letters and digits alone: voices space and punctuate as they like. Where a voice reports other words
    than it was given, the text it is in is spoken again from its beginning.
    """
    spoken = [char for char in voiced.casefold() if char.isalnum()]
    left: list[_Item] = []
    at = 0
    for frame, direction in kept:
        if not _is_text(frame):
            left.append((frame, direction))
            continue
        text: str = frame.text  # pyright: ignore[reportAttributeAccessIssue]
        end, here = _match(text, spoken, at)
        if here is None:  # other words
            left.append((_shortened(frame, text), direction))
            at = len(spoken)
        elif end < len(text):
            left.append((_shortened(frame, text[end:]), direction))
            at = len(spoken)
        else:
            at = here
    return left


def _match(text: str, spoken: Sequence[str], at: int) -> tuple[int, int | None]:
    """How far in `text` the spoken letters reach, and how many are used up; None where they are others."""
    for position, char in enumerate(text):
        for letter in char.casefold():
            if not letter.isalnum():
                continue
            if at == len(spoken):
                return position, at
            if spoken[at] != letter:
                return position, None
            at += 1
    return len(text), at


def _shortened(frame: Frame, text: str) -> Frame:
    """The rest of a text, as a frame that no voice has marked yet."""
    rest: Frame
    if isinstance(frame, AggregatedTextFrame):
        rest = AggregatedTextFrame(text, frame.text_type, raw_text=text)
    else:
        rest = replace(frame, text=text)  # pyright: ignore[reportCallIssue]
    rest.interruptible = frame.interruptible
    return rest
