"""Portal codes, for administrators: making them, changing them, taking them back (source 003)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.deps import Acting, App, Shared, admin
from api.fields import Moment, PathId, Text
from api.limited import OPERATOR
from calls import usage
from core.clock import utc_now
from core.db import MAX_PAGE
from core.vault import DamagedField
from identity import otp
from identity.otp import MAX_COUNT, MAX_PER_PAGE, MAX_USES, CodeState, OtpCode

TOTAL_HEADER = "X-Total-Count"
MAX_LIFE_MINUTES = 10 * 366 * 24 * 60

router = APIRouter(prefix="/api/otps", tags=["codes"], dependencies=[Depends(admin), OPERATOR])

Uses = Annotated[int, Field(ge=0, le=MAX_USES, strict=True)]
Label = Annotated[str, Field(max_length=120)]


class OtpIn(BaseModel):
    """New codes."""

    count: int = Field(1, ge=1, le=MAX_COUNT, strict=True)
    max_uses: int = Field(5, ge=1, le=MAX_USES, strict=True, description="Calls each is good for")
    expires_in_minutes: int | None = Field(None, ge=1, le=MAX_LIFE_MINUTES, description="Null: they do not expire")
    label: Label | None = Field(None, description="What they are for")


class OtpChangeIn(BaseModel):
    """What to change of a code; what is not named stays."""

    max_uses: Uses | None = Field(None, description="Calls in all; fewer than were made leave none")
    disabled: bool | None = Field(None, description="true: it opens nothing until it is enabled again")
    label: Label | None = None
    expires_at: Moment | None = Field(None, description="null: it does not expire")

    @model_validator(mode="after")
    def _not_null(self) -> Self:
        for name in ("max_uses", "disabled"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self


class CodesWanted(BaseModel):
    """Which codes."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    per_page: int = Field(500, ge=1, le=MAX_PER_PAGE)
    state: CodeState | None = None
    search: Text | None = Field(None, max_length=120, description="Part of the label, or the id")


class OtpOut(BaseModel):
    """A code."""

    id: str
    code: str | None = Field(description="Shown when it is made; later only where OTP_REVEAL keeps a sealed copy")
    label: str | None
    max_uses: int
    used: int
    remaining_uses: int
    created_at: datetime
    created_by: str | None = Field(description="Id of the administrator; null for the command line")
    expires_at: datetime | None
    disabled: bool
    state: CodeState
    last_used_at: datetime | None
    budget_usd: float | None = Field(description="What all its calls together may cost (MAX_CODE_USD); null: anything")


@router.get("/")
@router.get("", include_in_schema=False)
async def list_codes(app: App, response: Response, wanted: Annotated[CodesWanted, Query()]) -> list[OtpOut]:
    """Codes, the newest first; `X-Total-Count` says how many there are."""
    now = utc_now()
    async with app.db.reading() as db:
        rows, total = await otp.page(
            db, now=now, state=wanted.state, search=wanted.search, page=wanted.page, per_page=wanted.per_page
        )
        used_at = await usage.last_used(db, [row.id for row in rows])
    response.headers[TOTAL_HEADER] = str(total)
    return [_shown(app, row, now, used_at.get(row.id)) for row in rows]


@router.post("/", status_code=201)
@router.post("", status_code=201, include_in_schema=False)
async def issue_codes(body: OtpIn, app: App, actor: Acting) -> list[OtpOut]:
    """Make new codes. The answer is the only place where they are readable, unless OTP_REVEAL is on."""
    now = utc_now()
    life = body.expires_in_minutes
    async with app.db.transaction() as db:
        issued = await otp.issue(
            db,
            secret=app.secret,
            fmt=app.settings.code_format,
            actor=actor,
            count=body.count,
            max_uses=body.max_uses,
            label=body.label or None,
            expires_at=None if life is None else now + timedelta(minutes=life),
            keep_clear=app.settings.otp_reveal,
            now=now,
        )
    return [_shown(app, each.row, now, None, code=each.code) for each in issued]


@router.get("/{otp_id}")
async def get_code(otp_id: PathId, app: App) -> OtpOut:
    """One code."""
    async with app.db.reading() as db:
        row = await otp.get(db, otp_id)
        used_at = await usage.last_used(db, [otp_id])
    return _shown(app, row, utc_now(), used_at.get(otp_id))


@router.put("/{otp_id}")
async def change_code(otp_id: PathId, body: OtpChangeIn, app: App, actor: Acting) -> OtpOut:
    """Change a code's uses, label or expiry, or switch it off and on; calls end with a code that opens nothing more."""
    now = utc_now()
    async with app.db.transaction() as db:
        row = await otp.change(db, otp_id=otp_id, changes=body.model_dump(exclude_unset=True), actor=actor, now=now)
        used_at = await usage.last_used(db, [otp_id])
    if row.state(now) in (CodeState.DISABLED, CodeState.EXPIRED):
        await app.switchboard.hang_up_all_of(otp_id, "withdrawn")
    return _shown(app, row, now, used_at.get(otp_id))


@router.delete("/{otp_id}", status_code=204)
async def delete_code(otp_id: PathId, app: App, actor: Acting) -> None:
    """Delete a code for good; whoever is logged in with it is out. Its calls stay in the record."""
    async with app.db.transaction() as db:
        await otp.remove(db, otp_id=otp_id, actor=actor, now=utc_now())
    await app.switchboard.hang_up_all_of(otp_id, "withdrawn")


def _shown(
    app: Shared, row: OtpCode, now: datetime, last_used_at: datetime | None, *, code: str | None = None
) -> OtpOut:
    return OtpOut(
        id=row.id,
        code=code or (_clear(row) if app.settings.otp_reveal else None),
        label=row.label,
        max_uses=row.max_uses,
        used=row.uses,
        remaining_uses=row.remaining,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        disabled=row.disabled_at is not None,
        state=row.state(now),
        last_used_at=last_used_at,
        budget_usd=float(app.settings.max_code_usd) or None,
    )


def _clear(row: OtpCode) -> str | None:
    try:
        return row.clear
    except DamagedField:  # sealed under a key that is gone: the list must not fail for it
        return None
