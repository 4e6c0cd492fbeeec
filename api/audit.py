"""The audit log for administrators: what was done, and whether the record of it still stands."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.deps import App, admin
from api.fields import Moment
from api.limited import OPERATOR
from api.paging import PageOut, Paging
from core.crypto import load_secret
from core.db import Database
from core.settings import Settings
from identity import audit
from identity.audit import Heads, Record, Verdict

router = APIRouter(prefix="/audit-logs", tags=["audit"], dependencies=[Depends(admin), OPERATOR])

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class RecordsIn(Paging):
    """Which records."""

    act: Name | None = Field(None, description="What was done, such as transfer.posted")
    customer: Name | None = Field(None, description="Whose money or data it concerned")
    call: Name | None = Field(None, description="The call it was done in")
    since: Moment | None = None
    until: Moment | None = None


class RecordOut(BaseModel):
    """One act on record."""

    id: str
    seq: int = Field(description="Its place in the chain")
    user_id: str = Field(description="Who did it: a user, a portal code, or system")
    role: str
    channel: str
    call_id: str | None
    customer_id: str | None
    command_text: str | None = Field(description="What they said or asked for, where that is kept")
    action_json: dict[str, Any] = Field(description="What was done: act, subject, details")
    result: str
    created_at: datetime
    hash: str


class VerdictOut(BaseModel):
    """Whether the newest records are as they were written."""

    ok: bool
    checked: int
    first_broken: int | None = Field(description="Place of the first record that is not as it was written")
    why: str
    heads: int = Field(description="Signed heads the chain was held against")
    public_key: str = Field(description="Ed25519 key that the heads are signed with, base64")


@router.get("")
async def records(app: App, wanted: Annotated[RecordsIn, Query()]) -> PageOut[RecordOut]:
    """What was done, the newest first."""
    async with app.db.reading() as db:
        rows, total = await audit.page(
            db,
            act=wanted.act,
            customer_id=wanted.customer,
            call_id=wanted.call,
            since=wanted.since,
            until=wanted.until,
            page=wanted.page,
            per_page=wanted.per_page,
        )
    return wanted.of([_shown(row) for row in rows], total)


@router.get("/verify")
async def verify(app: App, last: Annotated[int, Query(ge=1, le=200_000)] = 10_000) -> VerdictOut:
    """Recompute the newest records' chain and hold it against the signed heads (all: `python run.py audit`)."""
    heads = Heads.of_settings(app.settings, secret=app.secret)
    verdict = await _verdict(app.db, heads, last=last)
    return VerdictOut(
        ok=verdict.ok,
        checked=verdict.checked,
        first_broken=verdict.first_broken,
        why=verdict.why,
        heads=verdict.heads,
        public_key=heads.public_key,
    )


async def verify_installation(settings: Settings) -> Verdict:
    """Hold the whole chain of an installation against its signed heads; `python run.py audit`."""
    db = Database(settings.sqlalchemy_url)
    try:
        return await _verdict(db, Heads.of_settings(settings, secret=load_secret(settings)), last=None)
    finally:
        await db.close()


async def _verdict(db: Database, heads: Heads, *, last: int | None) -> Verdict:
    # The heads first: the chain may grow meanwhile, and then holds more than they say.
    try:
        signed = await asyncio.to_thread(lambda: list(heads.read()))
    except ValueError as error:
        return Verdict(ok=False, checked=0, why=str(error))
    async with db.reading() as session:
        return await audit.verify(session, signed, last=last)


def _shown(row: Record) -> RecordOut:
    return RecordOut(
        id=f"aud_{row.seq}",
        seq=row.seq,
        user_id=row.actor,
        role=row.role,
        channel=row.channel,
        call_id=row.call_id,
        customer_id=row.customer_id,
        command_text=row.command,
        action_json={"act": row.act, "subject": row.subject, "details": json.loads(row.details)},
        result=row.result,
        created_at=row.at,
        hash=row.hash,
    )
