"""Registered people: administrators, operators and customers of the bank."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, String, Text, or_, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.db import Base, SafeStr, UtcDateTime, one_of
from core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from core.ids import new_id
from core.settings import DEV_ADMIN_PASSWORD, Settings
from core.vault import Sealed
from identity.passwords import NOBODY, hash_password, password_matches


class UserRole(StrEnum):
    """What a registered person may do."""

    ADMIN = "admin"
    USER = "user"


class LoginFactor(StrEnum):
    """What logging in takes besides the password."""

    CODE = "code"


class User(Base):
    """Somebody who logs in with a password.

    `username`, `email` and `phone` are kept in lower case; `token_version` counts up when all older tokens must die.

    Attributes:
        login_factor: What logging in takes besides the password; whoever has an authenticator app is asked for its code
            in any case.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    username: Mapped[str] = mapped_column(SafeStr(64), unique=True)
    email_sealed: Mapped[str | None] = mapped_column(Text)
    email_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    phone_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(SafeStr(120))
    role: Mapped[UserRole] = mapped_column(one_of(UserRole))
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    login_factor: Mapped[LoginFactor | None] = mapped_column(one_of(LoginFactor))
    token_version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    email = Sealed(254)
    phone = Sealed(32)


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
    password_hash = await hash_password(password)
    return await register(
        db, username=username, password_hash=password_hash, name=name, role=role, now=now, email=email, phone=phone
    )


async def register(
    db: AsyncSession,
    *,
    username: str,
    password_hash: str,
    name: str,
    role: UserRole,
    now: datetime,
    email: str | None = None,
    phone: str | None = None,
) -> User:
    """Register somebody whose password is hashed already, so that the transaction need not wait for that.

    Raises: Conflict if the name, address or number is taken.
    """
    user = User(
        id=new_id("usr"),
        username=_folded(username),
        email=_folded(email) if email else None,
        phone=_folded(phone) if phone else None,
        name=name,
        role=role,
        password_hash=password_hash,
        created_at=now,
    )
    if await _taken(db, user):
        raise Conflict("That name, e-mail address or phone number is already registered.", code="already_registered")
    db.add(user)
    await db.flush()
    return user


class LoginRefused(Unauthorized):
    """A name and a password that do not belong together.

    Attributes:
        user_id: Whose password was wrong, where the name is somebody's; for the record, never for an answer.
    """

    code = "login_refused"

    def __init__(self, message: str = "That name and password do not match.", *, user_id: str | None = None) -> None:
        super().__init__(message)
        self.user_id = user_id


async def authenticate(db: AsyncSession, *, login: str, password: str, role: UserRole | None = None) -> User:
    """The user whose username, e-mail address or phone number is `login`, if the password is theirs.

    Takes the same time for an unknown name. Call it first in a `Database.reading()`: hashing takes a while, and the
    connection is given back before.

    Args:
        role: Only somebody with this role, where given.

    Raises: LoginRefused, which looks the same for every cause.
    """
    user = await _by_login(db, login)
    await db.close()
    matches = await password_matches(user.password_hash if user else NOBODY, password)
    if user is None or not matches or user.disabled_at is not None or role not in (None, user.role):
        raise LoginRefused(user_id=user.id if user and not matches else None)
    return user


async def confirm_password(user: User, password: str) -> None:
    """Make sure that it is really `user`; needs no database.

    Raises: LoginRefused.
    """
    if not await password_matches(user.password_hash, password):
        raise LoginRefused("The current password is not right.", user_id=user.id)


async def new_password(user: User, *, current: str, new: str) -> str:
    """The hash to give to `set_password` for somebody who knows the current one; needs no database.

    Raises: LoginRefused if `current` is wrong; Invalid (code `bad_password`) for a new one that does not do.
    """
    await confirm_password(user, current)
    if new == current:
        raise Invalid("Choose a password that is not the current one.", code="bad_password")
    if new == DEV_ADMIN_PASSWORD:
        raise Invalid("That password is published. Choose another.", code="bad_password")
    return await hash_password(new)


async def set_password(db: AsyncSession, *, user: User, password_hash: str) -> None:
    """Replace the password of `user` as it was read; every token issued before is void afterwards.

    Raises: Conflict if it was changed in the meantime.
    """
    changed = await db.execute(
        update(User)
        .where(User.id == user.id, User.token_version == user.token_version, User.disabled_at.is_(None))
        .values(password_hash=password_hash, must_change_password=False, token_version=User.token_version + 1)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # pyright: ignore[reportAttributeAccessIssue] - an UPDATE has one
        raise Conflict("The password was changed in the meantime. Please log in again.", code="password_changed")


async def set_login_factor(db: AsyncSession, *, user_id: str, factor: LoginFactor | None) -> None:
    """Choose what logging in takes besides the password.

    Raises: NotFound.
    """
    (await get(db, user_id)).login_factor = factor
    await db.flush()


async def names(db: AsyncSession, user_ids: Iterable[str]) -> dict[str, str]:
    """What registered people, of whatever role, are called."""
    wanted = set(user_ids)
    rows = await db.execute(select(User.id, User.name).where(User.id.in_(wanted))) if wanted else ()
    return {row.id: row.name for row in rows}


async def logged_in(db: AsyncSession, *, user_id: str, now: datetime) -> None:
    """Note that somebody has just logged in."""
    await db.execute(
        update(User).where(User.id == user_id).values(last_login_at=now).execution_options(synchronize_session=False)
    )


async def get(db: AsyncSession, user_id: str) -> User:
    """Raises: NotFound."""
    user = await db.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def check_current(db: AsyncSession, user_id: str, *, version: int) -> User:
    """The user of a token of `version`, if it is still good.

    Raises: Unauthorized after a change of password, or if the user was deleted or disabled.
    """
    user = await db.get(User, user_id)
    if user is None or user.disabled_at is not None or user.token_version != version:
        raise Unauthorized("Please log in again.", code="token_withdrawn")
    return user


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


_PUBLISHED: dict[str, bool] = {}
"""Whether a password hash is of the published password: trying takes long, and the verdict never changes."""


async def with_published_password(db: AsyncSession) -> list[User]:
    """The administrators who can log in and still have the published development password."""
    admins = (await db.scalars(select(User).where(User.role == UserRole.ADMIN, User.disabled_at.is_(None)))).all()
    await db.close()
    verdicts: dict[str, bool] = {}
    for password_hash in (admin.password_hash for admin in admins):
        known = _PUBLISHED.get(password_hash)
        verdicts[password_hash] = await password_matches(password_hash, DEV_ADMIN_PASSWORD) if known is None else known
    _PUBLISHED.clear()
    _PUBLISHED.update(verdicts)
    return [admin for admin in admins if verdicts[admin.password_hash]]


async def _by_login(db: AsyncSession, login: str) -> User | None:
    folded = _folded(login)
    if not 1 <= len(folded) <= 254 or not folded.isprintable():
        return None
    # One person's username may be another's phone number; the username counts, and never two rows.
    return await db.scalar(select(User).where(_known_as(folded)).order_by(_is_named(folded).desc(), User.id).limit(1))


async def _taken(db: AsyncSession, user: User) -> bool:
    names = [name for name in (user.username, user.email, user.phone) if name is not None]
    return await db.scalar(select(User.id).where(_known_as(*names)).limit(1)) is not None


def _known_as(*names: str) -> ColumnElement[bool]:
    """Users with any of these as username, e-mail address or phone number."""
    return or_(_is_named(*names), User.email.is_in(*names), User.phone.is_in(*names))


def _is_named(*names: str) -> ColumnElement[bool]:
    # As plain text: what is too long for a username may be an address.
    return type_coerce(User.username, String).in_(names)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().casefold())
