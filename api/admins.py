"""Administrators, for one another: who there is, who may no longer, and where they are logged in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.deps import Acting, App, Who, admin
from api.fields import PathId
from api.limited import OPERATOR, Limited
from api.paging import Page, PageOut
from api.portal import SessionOut, SessionsOut
from core.clock import utc_now
from identity import admins, audit, mfa, sessions
from identity.tokens import Claims
from identity.users import User

router = APIRouter(prefix="/admins", tags=["admins"], dependencies=[Depends(admin), OPERATOR])

HASHING = Depends(Limited("20/minute"))


class AdminIn(BaseModel):
    """A new administrator."""

    username: Annotated[str, Field(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9._@-]+$")]
    name: str = Field(min_length=1, max_length=120)


class AdminChangeIn(BaseModel):
    """What to change."""

    disabled: bool


class ResetIn(BaseModel):
    """How far to reset."""

    remove_totp: bool = Field(False, description="Also take away the authenticator app: it is lost")


class AdminOut(BaseModel):
    """An administrator."""

    id: str
    username: str
    name: str
    created_at: datetime
    disabled: bool
    last_login_at: datetime | None
    totp: bool = Field(description="An authenticator app is set up")
    must_change_password: bool
    current: bool = Field(description="The one who asks")


class NewPasswordOut(AdminOut):
    """An administrator with a new password."""

    password: str = Field(description="Shown once; it must be changed at the first log-in")


@router.get("")
async def list_admins(app: App, who: Who, page: Page) -> PageOut[AdminOut]:
    """The administrators, the oldest first."""
    async with app.db.reading() as db:
        rows, total = await admins.page(db, page=page.page, per_page=page.per_page)
        with_totp = await mfa.with_totp(db, [row.id for row in rows])
    return page.of([_shown(row, who, totp=row.id in with_totp) for row in rows], total)


@router.post("", status_code=201, dependencies=[HASHING])
async def add_admin(body: AdminIn, app: App, who: Who, actor: Acting) -> NewPasswordOut:
    """Make an administrator."""
    password, password_hash = await admins.new_password()
    async with app.db.transaction() as db:
        row = await admins.add(
            db, username=body.username, name=body.name, password_hash=password_hash, actor=actor, now=utc_now()
        )
        shown = _shown(row, who, totp=await mfa.has_totp(db, row.id))
    return NewPasswordOut(**shown.model_dump(), password=password)


@router.patch("/{admin_id}")
async def change_admin(admin_id: PathId, body: AdminChangeIn, app: App, who: Who, actor: Acting) -> AdminOut:
    """Keep an administrator out, or let them in again."""
    async with app.db.transaction() as db:
        row = await admins.set_disabled(db, admin_id=admin_id, disabled=body.disabled, actor=actor, now=utc_now())
        return _shown(row, who, totp=await mfa.has_totp(db, row.id))


@router.post("/{admin_id}/reset-password", dependencies=[HASHING])
async def reset_password(
    admin_id: PathId, app: App, who: Who, actor: Acting, body: ResetIn | None = None
) -> NewPasswordOut:
    """Give an administrator who has lost it a new password; every log-in of theirs ends."""
    password, password_hash = await admins.new_password()
    async with app.db.transaction() as db:
        row = await admins.reset_password(
            db,
            admin_id=admin_id,
            password_hash=password_hash,
            remove_totp=body is not None and body.remove_totp,
            actor=actor,
            now=utc_now(),
        )
        shown = _shown(row, who, totp=await mfa.has_totp(db, row.id))
    return NewPasswordOut(**shown.model_dump(), password=password)


@router.get("/{admin_id}/sessions")
async def admin_sessions(admin_id: PathId, app: App, who: Who) -> SessionsOut:
    """Where an administrator is logged in."""
    async with app.db.reading() as db:
        await admins.get(db, admin_id)
        found = await sessions.of_user(db, admin_id, now=utc_now())
    return SessionsOut(data=[SessionOut.of(session, who) for session in found])


@router.delete("/{admin_id}/sessions/{session_id}", status_code=204)
async def end_session(admin_id: PathId, session_id: PathId, app: App, actor: Acting) -> None:
    """End one of an administrator's log-ins."""
    now = utc_now()
    async with app.db.transaction() as db:
        await admins.get(db, admin_id)
        await sessions.revoke(db, session_id=session_id, subject=admin_id, now=now, ended_by=sessions.EndedBy.REVOKED)
        audit.note(db, actor=actor, act="session.ended", subject=session_id, at=now)


def _shown(row: User, who: Claims, *, totp: bool) -> AdminOut:
    return AdminOut(
        id=row.id,
        username=row.username,
        name=row.name,
        created_at=row.created_at,
        disabled=row.disabled_at is not None,
        last_login_at=row.last_login_at,
        totp=totp,
        must_change_password=row.must_change_password,
        current=row.id == who.subject,
    )
