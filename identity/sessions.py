"""Log-ins: each is a session that can be ended, and that refresh tokens renew, each of them good for once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.crypto import keyed_hash
from core.db import Base, UtcDateTime, one_of
from core.errors import NotFound, Unauthorized
from core.ids import new_id
from identity.tokens import Role

MAX_LIFE = timedelta(hours=12)
"""However often it is renewed: then somebody logs in again."""

KEPT = timedelta(days=1)
MAX_LISTED = 50
MAX_TOKEN_CHARS = 200


class EndedBy(StrEnum):
    """Why a session ended before its time.

    `REVOKED` by an administrator, or with the others when the password changed; `REUSE` because a token was used twice.
    """

    LOGOUT = "logout"
    REVOKED = "revoked"
    REUSE = "reuse"


class LoginSession(Base):
    """One log-in of a user or portal guest.

    Attributes:
        subject: Id of the user or of the portal code.
        version: The user's `token_version` at the log-in; with another one it cannot be renewed.
        renewed_at: The last time a refresh token was used, or the log-in.
        expires_at: Until when it can be used or renewed.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_subject_opened_at", "subject", "opened_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    renewed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[EndedBy | None] = mapped_column(one_of(EndedBy))


class RefreshToken(Base):
    """One refresh token, by its keyed hash."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What using a refresh token came to.

    Attributes:
        session_id: The session it belongs to.
        subject: Whose it is.
        role: What they were at the log-in.
        version: The `token_version` it was opened with; the user must still have it.
        expires_at: When the session ends, unless renewed again.
        refresh_token: The next one; None if nothing was renewed.
        reused: The token had been used before, so somebody else may have it: the session was ended.
    """

    session_id: str
    subject: str
    role: str
    version: int
    expires_at: datetime
    refresh_token: str | None
    reused: bool = False


async def open_session(
    db: AsyncSession,
    *,
    secret: str,
    subject: str,
    role: Role,
    version: int,
    life: timedelta,
    renewable: bool,
    now: datetime,
) -> tuple[str, str | None]:
    """Open a session for somebody who has just logged in.

    Args:
        life: How long it lives, or, if renewable, how long each refresh token does.
        renewable: Whether it gets refresh tokens.

    Returns: its id and its first refresh token.
    """
    session = LoginSession(
        id=new_id("ses"),
        subject=subject,
        role=role,
        version=version,
        opened_at=now,
        renewed_at=now,
        expires_at=now + life,
    )
    db.add(session)
    await db.flush()
    return session.id, await _issue(db, secret, session.id, now) if renewable else None


async def refresh(db: AsyncSession, *, secret: str, token: str, life: timedelta, now: datetime) -> Renewed | None:
    """Use a refresh token, once, for the next one.

    A second use ends the whole session: either the thief or the owner was second, and nobody can tell which. That is
    returned, not raised, and the caller commits it.

    Returns: None for what is no token, or whose session is over.
    """
    token_hash = _hash(secret, token)
    session_id = await db.scalar(
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=now)
        .returning(RefreshToken.session_id)
        .execution_options(synchronize_session=False)
    )
    if session_id is None:
        return await _reused(db, token_hash, now)
    session = await db.get(LoginSession, session_id, with_for_update=True, populate_existing=True)
    if session is None or session.ended_at is not None or session.expires_at <= now:
        return None
    session.renewed_at = now
    session.expires_at = min(now + life, session.opened_at + MAX_LIFE)
    following = await _issue(db, secret, session.id, now)
    return Renewed(session.id, session.subject, session.role, session.version, session.expires_at, following)


async def check(db: AsyncSession, session_id: str) -> None:
    """Whether access tokens of a session, which expire by themselves, are still good.

    Raises: Unauthorized (code `token_withdrawn`) after it was ended.
    """
    live = select(LoginSession.id).where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
    if await db.scalar(live) is None:
        raise Unauthorized("Please log in again.", code="token_withdrawn")


async def of_user(db: AsyncSession, subject: str, *, now: datetime) -> Sequence[LoginSession]:
    """Somebody's live sessions, the newest first."""
    found = await db.scalars(
        select(LoginSession)
        .where(LoginSession.subject == subject, LoginSession.ended_at.is_(None), LoginSession.expires_at > now)
        .order_by(LoginSession.opened_at.desc(), LoginSession.id)
        .limit(MAX_LISTED)
    )
    return found.all()


async def revoke(
    db: AsyncSession, *, session_id: str, subject: str, now: datetime, ended_by: EndedBy = EndedBy.LOGOUT
) -> None:
    """End one of somebody's sessions; one that is over stays as it is.

    Raises: NotFound.
    """
    known = await db.scalar(
        select(LoginSession.id).where(LoginSession.id == session_id, LoginSession.subject == subject)
    )
    if known is None:
        raise no_such_session()
    await _end(db, session_id, ended_by, now)


def no_such_session() -> NotFound:
    """Neither somebody else's nor none at all."""
    return NotFound("There is no such log-in.")


async def revoke_all(db: AsyncSession, *, subject: str, now: datetime) -> None:
    """End all of somebody's sessions."""
    await db.execute(
        update(LoginSession)
        .where(LoginSession.subject == subject, LoginSession.ended_at.is_(None))
        .values(ended_at=now, ended_by=EndedBy.REVOKED)
        .execution_options(synchronize_session=False)
    )


async def revoke_by_token(db: AsyncSession, *, secret: str, token: str, now: datetime) -> None:
    """End the session a refresh token belongs to, if any."""
    session_id = await _session_of(db, _hash(secret, token))
    if session_id is not None:
        await _end(db, session_id, EndedBy.LOGOUT, now)


async def prune(db: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Delete sessions that have been over for a day, with their tokens; how many."""
    old = select(LoginSession.id).where(LoginSession.expires_at < now - KEPT).limit(limit)
    gone = await db.execute(
        delete(LoginSession).where(LoginSession.id.in_(old)).execution_options(synchronize_session=False)
    )
    return gone.rowcount  # pyright: ignore[reportAttributeAccessIssue] - a DELETE has one


async def _reused(db: AsyncSession, token_hash: str, now: datetime) -> Renewed | None:
    session_id = await _session_of(db, token_hash)
    session = None if session_id is None else await db.get(LoginSession, session_id)
    if session is None:
        return None
    await _end(db, session.id, EndedBy.REUSE, now)
    return Renewed(session.id, session.subject, session.role, session.version, now, None, reused=True)


async def _session_of(db: AsyncSession, token_hash: str) -> str | None:
    return await db.scalar(select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash))


async def _end(db: AsyncSession, session_id: str, why: EndedBy, now: datetime) -> None:
    await db.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
        .values(ended_at=now, ended_by=why)
        .execution_options(synchronize_session=False)
    )


async def _issue(db: AsyncSession, secret: str, session_id: str, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    db.add(RefreshToken(token_hash=_hash(secret, token), session_id=session_id, issued_at=now))
    await db.flush()
    return token


def _hash(secret: str, token: str) -> str:
    return keyed_hash(secret, "refresh token", token[:MAX_TOKEN_CHARS].encode("utf-8", "replace").decode())
