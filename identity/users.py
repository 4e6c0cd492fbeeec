"""Registered people: administrators, operators and customers of the bank."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.db import Base, SafeStr, UtcDateTime, one_of
from core.errors import Conflict, Forbidden, NotFound, Unauthorized
from core.ids import new_id
from core.settings import DEV_ADMIN_PASSWORD, Settings
from identity.passwords import NOBODY, hash_password, password_matches


class UserRole(StrEnum):
    """What a registered person may do."""

    ADMIN = "admin"
    USER = "user"


class User(Base):
    """Somebody who logs in with a password.

    `username` and `email` are kept in lower case; `token_version` counts up when all older tokens must die.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    username: Mapped[str] = mapped_column(SafeStr(64), unique=True)
    email: Mapped[str | None] = mapped_column(SafeStr(254), unique=True)
    phone: Mapped[str | None] = mapped_column(SafeStr(32), unique=True)
    name: Mapped[str] = mapped_column(SafeStr(120))
    role: Mapped[UserRole] = mapped_column(one_of(UserRole))
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    token_version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The administrator account as start-up found or made it.

    Attributes:
        username: Its name.
        password_to_show: To be printed now; None when the owner has set a password of their own.
    """

    username: str
    password_to_show: str | None


async def create(
    db: AsyncSession,
    *,
    username: str,
    password: str,
    name: str,
    role: UserRole,
    now: datetime,
    email: str | None = None,
    phone: str | None = None,
) -> User:
    """Register somebody.

    Raises: Conflict if the name, address or number is taken; Invalid for a bad password.
    """
    user = User(
        id=new_id("usr"),
        username=_folded(username),
        email=_folded(email) if email else None,
        phone=phone or None,
        name=name,
        role=role,
        password_hash=await hash_password(password),
        created_at=now,
    )
    if await _taken(db, user):
        raise Conflict("That name, e-mail address or phone number is already registered.", code="already_registered")
    db.add(user)
    await db.flush()
    return user


async def authenticate(db: AsyncSession, *, login: str, password: str, role: UserRole | None = None) -> User:
    """The user whose username, e-mail address or phone number is `login`, if the password is theirs.

    Takes the same time for an unknown name. It hashes for a while: call it inside `Database.reading()`, so that nobody
    waits for a lock meanwhile.

    Args:
        role: Only somebody with this role, where given.

    Raises: Unauthorized (code `login_refused`), the same for every cause.
    """
    user = await _by_login(db, login)
    matches = await password_matches(user.password_hash if user else NOBODY, password)
    if user is None or not matches or user.disabled_at is not None or role not in (None, user.role):
        raise Unauthorized("That name and password do not match.", code="login_refused")
    return user


async def change_password(db: AsyncSession, *, user_id: str, current: str, new: str) -> User:
    """Replace a password; every token issued before is void afterwards.

    Raises: Unauthorized (code `login_refused`) if `current` is wrong; Invalid for a bad new one.
    """
    user = await get(db, user_id)
    if not await password_matches(user.password_hash, current):
        raise Unauthorized("The current password is not right.", code="login_refused")
    user.password_hash = await hash_password(new)
    user.must_change_password = False
    user.token_version += 1
    await db.flush()
    return user


async def get(db: AsyncSession, user_id: str) -> User:
    """Raises: NotFound."""
    user = await db.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def check_current(db: AsyncSession, user_id: str, *, version: int) -> None:
    """Whether a token of `version` is still good for its user.

    Raises: Unauthorized after a change of password, or if the user was deleted or disabled.
    """
    user = await db.get(User, user_id)
    if user is None or user.disabled_at is not None or user.token_version != version:
        raise Unauthorized("Please log in again.", code="token_withdrawn")


async def ensure_admin(db: AsyncSession, settings: Settings, *, now: datetime | None = None) -> FirstAdmin:
    """Make sure there is an administrator.

    A new one gets `ADMIN_PASSWORD`; without that, the published one in development (for loopback only) or, in
    production, a random one that is shown once and must be changed.

    Raises: Forbidden (code `default_admin_password`) in production while the published password is still in use.
    """
    first = select(User).where(User.role == UserRole.ADMIN).order_by(User.created_at, User.id).limit(1)
    admin = await db.scalar(first)
    if admin is not None:
        published = await password_matches(admin.password_hash, DEV_ADMIN_PASSWORD)
        if published and settings.production:
            raise Forbidden(
                "The administrator still has the published development password. Change it before production.",
                code="default_admin_password",
            )
        return FirstAdmin(admin.username, DEV_ADMIN_PASSWORD if published else None)

    configured = settings.admin_password.get_secret_value()
    fallback = secrets.token_urlsafe(15) if settings.production else DEV_ADMIN_PASSWORD
    admin = await create(
        db,
        username=settings.admin_username,
        password=configured or fallback,
        name="Administrator",
        role=UserRole.ADMIN,
        now=now or utc_now(),
    )
    admin.must_change_password = settings.production and not configured
    await db.flush()
    return FirstAdmin(admin.username, None if configured else fallback)


async def _by_login(db: AsyncSession, login: str) -> User | None:
    folded = _folded(login)
    if not 1 <= len(folded) <= 254 or not folded.isprintable():
        return None
    same = or_(User.username == folded, User.email == folded, User.phone == folded)
    # One person's username may be another's phone number; the username counts, and never two rows.
    return await db.scalar(select(User).where(same).order_by(User.username != folded, User.id).limit(1))


async def _taken(db: AsyncSession, user: User) -> bool:
    names = [name for name in (user.username, user.email, user.phone) if name is not None]
    same = or_(User.username.in_(names), User.email.in_(names), User.phone.in_(names))
    return await db.scalar(select(User.id).where(same).limit(1)) is not None


def _folded(name: str) -> str:
    return name.strip().casefold()
