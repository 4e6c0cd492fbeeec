"""Portal codes: short secrets that open a number of calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ColumnElement, Index, String, Text, and_, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from core.crypto import keyed_hash
from core.db import Base, SafeStr, UtcDateTime, paged
from core.errors import AppError, Busy, Invalid, NotFound, Unauthorized
from core.ids import new_id
from core.vault import Sealed
from identity import audit
from identity.actor import Actor

OtpFormat = Literal["digits6", "crockford8"]

MAX_COUNT = 1000
MAX_PER_PAGE = 1000
MAX_USES = 1_000_000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALPHABETS: dict[OtpFormat, tuple[str, int]] = {"digits6": ("0123456789", 6), "crockford8": (_CROCKFORD, 8)}
_FOLD = str.maketrans("OIL", "011", " -\t\u2010\u2011\u2013")


class CodeState(StrEnum):
    """Whether a code opens anything."""

    ACTIVE = "active"
    USED_UP = "used_up"
    EXPIRED = "expired"
    DISABLED = "disabled"


class OtpCode(Base):
    """One code: its keyed hash, and how often it may be used.

    Attributes:
        clear: The code itself, sealed, where administrators may see it again; else None.
        disabled_at: Since when it is switched off, for the time being.
        deleted_at: Since when it is gone for good; its row stays for the record, and so that nobody gets it again.
        created_by: Id of the administrator; None for codes of the command line.
    """

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
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(40))
    clear_sealed: Mapped[str | None] = mapped_column(Text)

    clear = Sealed(16)

    @property
    def remaining(self) -> int:
        """Uses left."""
        return max(0, self.max_uses - self.uses)

    def state(self, now: datetime) -> CodeState:
        """What it is good for at `now`."""
        if self.disabled_at is not None or self.deleted_at is not None:
            return CodeState.DISABLED
        if self.expires_at is not None and self.expires_at <= now:
            return CodeState.EXPIRED
        return CodeState.ACTIVE if self.remaining else CodeState.USED_UP


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code, in clear."""

    row: OtpCode
    code: str

    @property
    def id(self) -> str:
        """The code's id."""
        return self.row.id


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
    actor: Actor,
    count: int = 1,
    max_uses: int = 1,
    label: str | None = None,
    expires_at: datetime | None = None,
    keep_clear: bool = False,
    now: datetime | None = None,
) -> list[IssuedCode]:
    """Make `count` different random codes that have never been issued before.

    Args:
        keep_clear: Also keep a sealed copy, for `OtpCode.clear`.

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
                    uses=0,
                    created_at=created_at,
                    expires_at=expires_at,
                    created_by=actor.subject if actor.role == "admin" else None,
                )
                if keep_clear:
                    row.clear = code
                db.add(row)
                issued.append(IssuedCode(row, code))
        await db.flush()
        if len(issued) == count:
            audit.note(
                db,
                actor=actor,
                act="codes.issued",
                subject=issued[0].id,
                at=created_at,
                details={"count": count, "uses": max_uses},
            )
            return issued
    raise Busy("No unused code was found. Delete old codes or use the longer format.")


async def page(
    db: AsyncSession,
    *,
    now: datetime,
    state: CodeState | None = None,
    search: str | None = None,
    page: int = 1,
    per_page: int = 100,
) -> tuple[Sequence[OtpCode], int]:
    """One page of the codes that are not deleted, the newest first, and how many there are.

    Args:
        search: Part of a label, or an id.
    """
    query = select(OtpCode).where(OtpCode.deleted_at.is_(None))
    if state is not None:
        query = query.where(_in_state(state, now))
    if search:
        query = query.where(or_(OtpCode.label.icontains(search, autoescape=True), OtpCode.id == search))
    newest_first = (OtpCode.created_at.desc(), OtpCode.id)
    return await paged(db, query, *newest_first, page=page, per_page=per_page, most=MAX_PER_PAGE)


async def labels(db: AsyncSession, otp_ids: Iterable[str]) -> dict[str, str | None]:
    """The labels of codes, the deleted ones' too."""
    wanted = set(otp_ids)
    rows = await db.execute(select(OtpCode.id, OtpCode.label).where(OtpCode.id.in_(wanted))) if wanted else ()
    return {row.id: row.label for row in rows}


async def change(db: AsyncSession, *, otp_id: str, changes: Mapping[str, Any], actor: Actor, now: datetime) -> OtpCode:
    """Change a code.

    Args:
        changes: New values, of `max_uses` (fewer than were used leaves none), `label`, `expires_at` and `disabled`.

    Raises: NotFound.
    """
    if not changes:
        return await get(db, otp_id)
    values = dict(changes)
    if "disabled" in values:
        values["disabled_at"] = now if values.pop("disabled") else None
    row = await _changed(db, otp_id, values)
    details = {name: str(value) for name, value in changes.items() if name != "label"}
    audit.note(db, actor=actor, act="code.changed", subject=otp_id, at=now, details=details)
    return row


async def remove(db: AsyncSession, *, otp_id: str, actor: Actor, now: datetime) -> None:
    """Delete a code: it opens nothing any more, and its tokens are void. The record of its calls stays.

    Raises: NotFound.
    """
    await _changed(db, otp_id, {"deleted_at": now, "clear_sealed": None})
    audit.note(db, actor=actor, act="code.deleted", subject=otp_id, at=now)


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
            _open(now),
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
    if row is None or row.deleted_at is not None:
        raise _unknown()
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


async def _changed(db: AsyncSession, otp_id: str, values: Mapping[str, Any]) -> OtpCode:
    # One statement, so that uses counted at the same moment stay counted.
    row = await db.scalar(
        update(OtpCode)
        .where(OtpCode.id == otp_id, OtpCode.deleted_at.is_(None))
        .values(**values)
        .returning(OtpCode)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    if row is None:
        raise _unknown()
    return row


def _open(now: datetime) -> ColumnElement[bool]:
    return and_(
        OtpCode.deleted_at.is_(None),
        OtpCode.disabled_at.is_(None),
        or_(OtpCode.expires_at.is_(None), OtpCode.expires_at > now),
    )


def _in_state(state: CodeState, now: datetime) -> ColumnElement[bool]:
    if state is CodeState.DISABLED:
        return OtpCode.disabled_at.is_not(None)
    if state is CodeState.EXPIRED:
        return and_(OtpCode.disabled_at.is_(None), OtpCode.expires_at <= now)
    left = OtpCode.uses < OtpCode.max_uses
    return and_(_open(now), left if state is CodeState.ACTIVE else not_(left))


def _alive(row: OtpCode, now: datetime) -> bool:
    return row.state(now) in (CodeState.ACTIVE, CodeState.USED_UP)


def _unknown() -> NotFound:
    return NotFound("There is no such code.", code="no_code")


def _refused() -> Unauthorized:
    return Unauthorized("That code is not valid. Check it, or ask for a new one.", code="code_refused")


def _random_code(fmt: OtpFormat) -> str:
    alphabet, length = _ALPHABETS[fmt]
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _hash(secret: str, code: str) -> str:
    folded = code[:64].upper().translate(_FOLD)
    return keyed_hash(secret, "otp", folded.encode("utf-8", "replace").decode())
