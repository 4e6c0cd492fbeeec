"""Whether a log-in still stands: its code or password, and the session it opened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity import otp, sessions, users
from identity.tokens import Claims
from identity.users import User


async def check(db: AsyncSession, claims: Claims, *, now: datetime) -> User | None:
    """Check what a token claims against what is known now; the registered user, or None for a portal guest.

    Raises: Unauthorized after a log-out, a change of password, or if the code or user is gone, disabled or expired.
    """
    user = None
    if claims.role == "otp":
        await otp.check_alive(db, claims.subject, now=now)
    else:
        user = await users.check_current(db, claims.subject, version=claims.version)
    if claims.session_id is not None:
        await sessions.check(db, claims.session_id)
    return user
