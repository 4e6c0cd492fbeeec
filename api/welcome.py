"""What a new installation needs before its first call, and what to tell the person who started it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from banking import seed
from core.clock import utc_now
from core.crypto import load_secret
from core.db import Database
from core.settings import Settings
from identity import otp, users
from identity.actor import SYSTEM
from identity.users import FirstAdmin
from providers import catalog as vendors
from providers.base import KIND_NAMES

WELCOME_USES = 20
WELCOME_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was found or made at start-up."""

    admin: FirstAdmin
    code: str | None


async def prepare(settings: Settings, *, with_code: bool = True) -> Prepared:
    """Make sure there is an administrator and, in development, demo customers and a fresh portal code."""
    db = Database(settings.sqlalchemy_url)
    try:
        async with db.transaction() as session:
            admin = await users.ensure_admin(session, settings)
        if not settings.production:
            async with db.transaction() as session:
                await seed.seed(session, now=utc_now())
        code = None
        if with_code and not settings.production:
            code = (
                await _issue(
                    settings, db, count=1, uses=WELCOME_USES, label="printed at start", lifetime=WELCOME_LIFETIME
                )
            )[0]
        return Prepared(admin, code)
    finally:
        await db.close()


async def issue_codes(settings: Settings, *, count: int, uses: int, label: str | None = None) -> Sequence[str]:
    """Issue portal codes.

    Raises: Invalid for more codes or uses than are allowed at once.
    """
    db = Database(settings.sqlalchemy_url)
    try:
        return await _issue(settings, db, count=count, uses=uses, label=label)
    finally:
        await db.close()


async def _issue(
    settings: Settings, db: Database, *, count: int, uses: int, label: str | None, lifetime: timedelta | None = None
) -> list[str]:
    async with db.transaction() as session:
        issued = await otp.issue(
            session,
            secret=load_secret(settings),
            fmt=settings.code_format,
            count=count,
            max_uses=uses,
            label=label,
            expires_at=utc_now() + lifetime if lifetime else None,
            keep_clear=settings.otp_reveal,
            actor=SYSTEM,
        )
    return [each.code for each in issued]


def welcome(settings: Settings, prepared: Prepared) -> str:
    """The lines printed when the server starts."""
    admin = prepared.admin
    password = f"password {admin.password_to_show}" if admin.password_to_show else "the password you set"
    lines = [
        "",
        f"  Parley            {settings.url}",
        f"  Portal code       {prepared.code}  (good for {WELCOME_USES} calls; more: python run.py code)"
        if prepared.code
        else "  Portal codes      python run.py code",
        f"  Administrator     {admin.username}, {password}",
    ]
    lines += [f"  {KIND_NAMES[kind]:<17} {vendors.choose(settings, kind).told}" for kind in vendors.KINDS]
    return "\n".join([*lines, ""])
