"""Who does something, and through which door: what every act on record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Channel = Literal["voice", "web", "api", "assistant", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody acting; made by the server from the log-in, never from what a client or model says.

    Attributes:
        subject: Id of the user or of the portal code; "system" for the bank's own jobs.
        role: `admin`, `user`, `otp` or `system`.
        channel: The door they came through.
        call_id: The call they are in, by voice.
        command: What they said or asked for, where it is kept (source 001's `command_text`).
    """

    subject: str
    role: str
    channel: Channel
    call_id: str | None = None
    command: str | None = None


SYSTEM = Actor("system", "system", "system")
