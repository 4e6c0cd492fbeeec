"""Administrators: who they are, and what they may do to one another."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import paged
from core.errors import Conflict, NotFound
from identity import audit, mfa, sessions, users
from identity.actor import Actor
from identity.passwords import hash_password
from identity.users import User, UserRole

MAX_ADMINS = 100


async def page(db: AsyncSession, *, page: int = 1, per_page: int = 20) -> tuple[Sequence[User], int]:
    """One page of the administrators, the disabled ones too, the oldest first, and how many there are."""
    query = select(User).where(User.role == UserRole.ADMIN)
    return await paged(db, query, User.created_at, User.id, page=page, per_page=per_page)


async def get(db: AsyncSession, admin_id: str) -> User:
    """Raises: NotFound."""
    user = await db.get(User, admin_id, populate_existing=True)
    if user is None or user.role is not UserRole.ADMIN:
        raise NotFound("There is no such administrator.", code="no_administrator")
    return user


async def new_password() -> tuple[str, str]:
    """A random password, to be told once, and its hash; needs no database.

    Raises: Busy if too many are waiting.
    """
    password = secrets.token_urlsafe(15)
    return password, await hash_password(password)


async def add(db: AsyncSession, *, username: str, name: str, password_hash: str, actor: Actor, now: datetime) -> User:
    """Make an administrator, who must change the password at the first log-in.

    Raises: Conflict if the name is taken, or there are as many as may be.
    """
    if (await db.scalar(select(func.count()).where(User.role == UserRole.ADMIN)) or 0) >= MAX_ADMINS:
        raise Conflict(f"There are {MAX_ADMINS} administrators already.", code="too_many_administrators")
    user = await users.register(
        db, username=username, password_hash=password_hash, name=name, role=UserRole.ADMIN, now=now
    )
    user.must_change_password = True
    audit.note(db, actor=actor, act="admin.added", subject=user.id, at=now)
    await db.flush()
    return user


async def set_disabled(db: AsyncSession, *, admin_id: str, disabled: bool, actor: Actor, now: datetime) -> User:
    """Keep an administrator out, or let them in again; every log-in of somebody who is kept out ends.

    Raises: NotFound; Conflict for oneself, and for the last one who can still log in.
    """
    # Every administrator's row in one order: of two who disable each other, one must see what the other has done.
    await db.execute(select(User.id).where(User.role == UserRole.ADMIN).order_by(User.id).with_for_update())
    user = await get(db, admin_id)
    if disabled and user.id == actor.subject:
        raise Conflict("You cannot disable yourself.", code="oneself")
    others = select(func.count()).where(User.role == UserRole.ADMIN, User.disabled_at.is_(None), User.id != user.id)
    if disabled and not await db.scalar(others):
        raise Conflict("Somebody must be able to log in.", code="last_administrator")
    if disabled != (user.disabled_at is not None):
        user.disabled_at = now if disabled else None
        audit.note(db, actor=actor, act="admin.disabled" if disabled else "admin.enabled", subject=user.id, at=now)
        if disabled:
            await _log_out(db, user, now)
    await db.flush()
    return user


async def reset_password(
    db: AsyncSession, *, admin_id: str, password_hash: str, remove_totp: bool, actor: Actor, now: datetime
) -> User:
    """Replace a forgotten password by one that must be changed at the next log-in; every log-in ends.

    Args:
        remove_totp: Also take away every second factor, for somebody who has lost it.

    Raises: NotFound; Conflict for oneself, who knows the current one.
    """
    user = await get(db, admin_id)
    if user.id == actor.subject:
        raise Conflict("Change your own password with the current one.", code="oneself")
    user.password_hash, user.must_change_password = password_hash, True
    await _log_out(db, user, now)
    if remove_totp:
        user.login_factor = None
    removed = remove_totp and await mfa.remove_totp(db, user_id=user.id)
    audit.note(
        db,
        actor=actor,
        act="admin.password_reset",
        subject=user.id,
        at=now,
        details={"totp_removed": bool(removed)},
    )
    await db.flush()
    return user


async def _log_out(db: AsyncSession, user: User, now: datetime) -> None:
    await db.execute(
        update(User)
        .where(User.id == user.id)
        .values(token_version=User.token_version + 1)
        .execution_options(synchronize_session=False)
    )
    await sessions.revoke_all(db, subject=user.id, now=now)
