"""Portal codes: short secrets that open a number of calls."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, Index, String, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.crypto import keyed_hash
from core.db import Base, SafeStr, UtcDateTime
from core.errors import AppError, Busy, Invalid, NotFound, Unauthorized
from core.ids import new_id

OtpFormat = Literal["digits6", "crockford8"]

MAX_COUNT = 500
MAX_USES = 1_000_000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALPHABETS: dict[OtpFormat, tuple[str, int]] = {"digits6": ("0123456789", 6), "crockford8": (_CROCKFORD, 8)}
_FOLD = str.maketrans("OIL", "011", " -\t\u2010\u2011\u2013")


class OtpCode(Base):
    """One code: never the code itself, only its keyed hash, and how often it may be used."""

    __tablename__ = "otp_codes"
    __table_args__ = (
        CheckConstraint("max_uses >= 0", name="max_uses"),
        CheckConstraint("uses >= 0", name="uses"),
        Index("ix_otp_codes_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str | None] = mapped_column(SafeStr(120))
    max_uses: Mapped[int]
    uses: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def remaining(self) -> int:
        """Uses left."""
        return max(0, self.max_uses - self.uses)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code, in clear for the only time."""

    id: str
    code: str


class CodeUsedUp(AppError):
    """Every use of the code is counted."""

    code = "code_used_up"
    status = 403

    def __init__(self) -> None:
        super().__init__("This code has been used up. Ask for a new one.")


async def issue(
    db: AsyncSession,
    *,
    secret: str,
    fmt: OtpFormat,
    count: int = 1,
    max_uses: int = 1,
    label: str | None = None,
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> list[IssuedCode]:
    """Make `count` different random codes that have never been issued before.

    Raises: Invalid for a count or number of uses out of range; Busy if six digits run out.
    """
    if not 1 <= count <= MAX_COUNT or not 1 <= max_uses <= MAX_USES:
        raise Invalid(f"Issue 1 to {MAX_COUNT} codes with 1 to {MAX_USES} uses each.", code="bad_count")
    created_at = now or utc_now()
    issued: list[IssuedCode] = []
    for _ in range(20):
        wanted = {_random_code(fmt) for _ in range(count - len(issued))}
        hashes = {_hash(secret, code): code for code in wanted}
        known = set(await db.scalars(select(OtpCode.code_hash).where(OtpCode.code_hash.in_(hashes))))
        for code_hash, code in hashes.items():
            if code_hash not in known:
                row = OtpCode(
                    id=new_id("otp"),
                    code_hash=code_hash,
                    label=label,
                    max_uses=max_uses,
                    created_at=created_at,
                    expires_at=expires_at,
                )
                db.add(row)
                issued.append(IssuedCode(row.id, code))
        await db.flush()
        if len(issued) == count:
            return issued
    raise Busy("No unused code was found. Delete old codes or use the longer format.")


async def verify(db: AsyncSession, *, secret: str, code: str, now: datetime) -> OtpCode:
    """The code somebody typed, if it may log in; case, spaces, dashes and O/0, I/L/1 do not matter.

    Raises: Unauthorized (code `code_refused`), the same whether it is unknown, expired, used up or disabled.
    """
    row = await db.scalar(select(OtpCode).where(OtpCode.code_hash == _hash(secret, code)))
    if row is None or not _alive(row, now) or row.remaining == 0:
        raise _refused()
    return row


async def count_use(db: AsyncSession, *, otp_id: str, now: datetime) -> int:
    """Count one use and say how many are left; any number of requests at once never count more than there are.

    Raises: CodeUsedUp; Unauthorized (code `code_refused`) if the code has expired or was taken back.
    """
    left = await db.scalar(
        update(OtpCode)
        .where(
            OtpCode.id == otp_id,
            OtpCode.uses < OtpCode.max_uses,
            OtpCode.disabled_at.is_(None),
            or_(OtpCode.expires_at.is_(None), OtpCode.expires_at > now),
        )
        .values(uses=OtpCode.uses + 1)
        .returning(OtpCode.max_uses - OtpCode.uses)
        .execution_options(synchronize_session=False)
    )
    if left is not None:
        return left
    row = await db.get(OtpCode, otp_id, populate_existing=True)
    if row is not None and _alive(row, now):
        raise CodeUsedUp
    raise _refused()


async def give_back_use(db: AsyncSession, *, otp_id: str) -> None:
    """Undo one counted use."""
    await db.execute(
        update(OtpCode)
        .where(OtpCode.id == otp_id, OtpCode.uses > 0)
        .values(uses=OtpCode.uses - 1)
        .execution_options(synchronize_session=False)
    )


async def get(db: AsyncSession, otp_id: str) -> OtpCode:
    """Raises: NotFound."""
    row = await db.get(OtpCode, otp_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such code.")
    return row


async def check_alive(db: AsyncSession, otp_id: str, *, now: datetime) -> None:
    """Whether tokens made from a code are still good; a used-up code's are, for the calls it has paid for.

    Raises: Unauthorized if the code was deleted, disabled or has expired.
    """
    row = await db.get(OtpCode, otp_id)
    if row is None or not _alive(row, now):
        raise _refused()


async def remaining(db: AsyncSession, otp_id: str) -> int:
    """Uses left of a code.

    Raises: NotFound.
    """
    return (await get(db, otp_id)).remaining


def _alive(row: OtpCode, now: datetime) -> bool:
    return row.disabled_at is None and (row.expires_at is None or row.expires_at > now)


def _refused() -> Unauthorized:
    return Unauthorized("That code is not valid. Check it, or ask for a new one.", code="code_refused")


def _random_code(fmt: OtpFormat) -> str:
    alphabet, length = _ALPHABETS[fmt]
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _hash(secret: str, code: str) -> str:
    folded = code[:64].upper().translate(_FOLD)
    return keyed_hash(secret, "otp", folded.encode("utf-8", "replace").decode())
