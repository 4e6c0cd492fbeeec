"""The timer of what is said: what counts as silence put into speech."""

from agent.media.sender import FRAME_S, HANGOVER_FRAMES, PATIENCE, Sender
from core import metrics

RATE = 24_000


class Line:
    """A sender that nobody listens to, and whose time passes frame by frame."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sender = Sender(RATE, clock=lambda: self.now_s)
        self.inserted_before = metrics.total(metrics.inserted_seconds)

    def say(self, seconds: float) -> None:
        self.sender.write(b"\1\0" * round(seconds * RATE))

    def pass_frames(self, count: int) -> None:
        for _ in range(count):
            self.now_s += FRAME_S
            for _ in range(PATIENCE + 1):
                if self.sender._timer is not None:
                    self.sender._timer.cancel()
                    self.sender._tick()

    @property
    def inserted_ms(self) -> int:
        return round((metrics.total(metrics.inserted_seconds) - self.inserted_before) * 1000)


async def test_speech_without_a_gap_has_no_silence_in_it() -> None:
    line = Line()
    line.say(0.05)
    line.pass_frames(1)
    line.say(0.05)
    line.pass_frames(10)
    assert line.inserted_ms == 0


async def test_a_short_gap_counts() -> None:
    line = Line()
    line.say(2 * FRAME_S)
    line.pass_frames(2)
    line.say(FRAME_S)
    line.pass_frames(1)
    assert line.inserted_ms == 20


async def test_a_gap_in_which_nothing_was_sent_any_more_counts_in_full() -> None:
    line = Line()
    line.say(2 * FRAME_S)
    line.pass_frames(HANGOVER_FRAMES + 47)
    assert line.sender._timer is None
    line.say(FRAME_S)
    assert line.inserted_ms == 20 * (HANGOVER_FRAMES + 45)


async def test_silence_after_speech_that_was_whole_does_not_count() -> None:
    line = Line()
    line.say(2 * FRAME_S)
    line.sender.finish()
    line.pass_frames(50)
    line.say(FRAME_S)
    assert line.inserted_ms == 0


async def test_silence_after_an_interruption_does_not_count() -> None:
    line = Line()
    line.say(10 * FRAME_S)
    line.pass_frames(3)
    line.sender.drop()
    line.pass_frames(50)
    line.say(FRAME_S)
    assert line.inserted_ms == 0


async def test_silence_after_speech_that_was_told_to_be_whole_only_later_does_not_count() -> None:
    line = Line()
    line.say(2 * FRAME_S)
    line.pass_frames(HANGOVER_FRAMES + 20)
    assert line.sender._timer is None
    line.sender.finish()
    line.pass_frames(50)
    line.say(FRAME_S)
    assert line.inserted_ms == 0
