"""What our services tell each other beside pipecat's own frames."""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import DataFrame


@dataclass
class NothingHeardFrame(DataFrame):
    """A recogniser has dealt with what was said last, and there were no words in it.

    pipecat's services stay silent then, which looks the same as a vendor that has stopped answering.
    """
