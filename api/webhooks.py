"""Webhooks for administrators: who is told about what happens here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.deps import Acting, App, admin
from api.fields import PathId
from api.limited import OPERATOR
from api.paging import Page, PageOut
from core import egress, webhooks
from core.clock import utc_now
from core.webhooks import Event, Webhook
from identity import audit

router = APIRouter(prefix="/webhooks", tags=["webhooks"], dependencies=[Depends(admin), OPERATOR])


class WebhookIn(BaseModel):
    """Somebody to be told."""

    url: str = Field(min_length=1, max_length=egress.MAX_URL, description="Where to POST to; https")
    events: list[Event] = Field(min_length=1, max_length=len(Event))
    secret: Annotated[str, Field(min_length=16, max_length=256, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="Never shown again. X-Parley-Signature: t=<Unix time>,v1=<HMAC-SHA256 of t.body with it, hex>"
    )


class WebhookOut(BaseModel):
    """Somebody who is told, and how that goes."""

    id: str
    url: str
    events: list[Event]
    created_at: datetime
    disabled_at: datetime | None = Field(description="Since when it is told nothing: it was gone, or failed for a day")
    last_success_at: datetime | None
    last_error: str | None = Field(description="Why the last try failed")
    pending: int = Field(description="Events it has yet to take")


@router.get("")
async def list_webhooks(app: App, page: Page) -> PageOut[WebhookOut]:
    """Everybody who is told, the oldest first."""
    async with app.db.reading() as db:
        listeners = await webhooks.listeners(db)
    return page.cut([_shown(listener.webhook, listener.pending) for listener in listeners])


@router.post("", status_code=201)
async def add_webhook(body: WebhookIn, app: App, actor: Acting) -> WebhookOut:
    """Have somebody told about events from now on."""
    target = await egress.check(body.url, allow_private=app.settings.webhook_allow_private)
    now = utc_now()
    async with app.db.transaction() as db:
        webhook = await webhooks.add(db, url=str(target.url), events=body.events, secret=body.secret, now=now)
        audit.note(
            db,
            actor=actor,
            act="webhook.added",
            subject=webhook.id,
            at=now,
            details={
                "host": target.url.raw_host.decode("ascii"),
                "events": [event.value for event in webhook.listens_to],
            },
        )
    return _shown(webhook, 0)


@router.delete("/{webhook_id}", status_code=204)
async def remove_webhook(webhook_id: PathId, app: App, actor: Acting) -> None:
    """Tell somebody nothing any more, not even what they have missed."""
    async with app.db.transaction() as db:
        await webhooks.remove(db, webhook_id)
        audit.note(db, actor=actor, act="webhook.removed", subject=webhook_id, at=utc_now())


def _shown(webhook: Webhook, pending: int) -> WebhookOut:
    return WebhookOut(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.listens_to),
        created_at=webhook.created_at,
        disabled_at=webhook.disabled_at,
        last_success_at=webhook.last_success_at,
        last_error=webhook.last_error,
        pending=pending,
    )
