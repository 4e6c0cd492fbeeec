"""What was sent to a portal guest, who has no telephone on record: for the page to show."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import App, Who
from core.clock import utc_now
from core.errors import Forbidden, NotFound
from identity.delivery import INBOX_TEXTS

router = APIRouter(prefix="/inbox", tags=["portal"])


class TextOut(BaseModel):
    """A text message."""

    text: str
    at: datetime


class InboxOut(BaseModel):
    """The texts of the last minutes, the newest first."""

    data: list[TextOut] = Field(max_length=INBOX_TEXTS)


@router.get("")
async def inbox(app: App, who: Who) -> InboxOut:
    """The texts sent to this guest. People with a telephone read theirs there."""
    if who.role != "otp":
        raise Forbidden("Your texts are sent to the address or number on record", code="not_a_guest")
    if app.delivery.inbox is None:
        raise NotFound("Texts are not shown on this page.", code="no_inbox")
    here = [TextOut(text=text.text, at=text.at) for text in app.delivery.inbox.of(who.subject, now=utc_now())]
    # Codes that are asked for in a call are sent by whoever carries it.
    there = [TextOut(text=text.text, at=text.at) for text in await app.switchboard.texts(who.subject)]
    return InboxOut(data=sorted(here + there, key=lambda text: text.at, reverse=True)[:INBOX_TEXTS])
