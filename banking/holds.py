"""Holds: money set aside on an account until it is used, given back, or the time is up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import accounts, ledger
from banking.accounts import Account, AccountNotActive, AccountStatus, InsufficientFunds
from banking.ledger import Leg, Posting, PostingKind
from core.db import Base, Minor, SafeStr, UtcDateTime, insert_if_absent, safe_text
from core.errors import Conflict, Invalid, KeyReused, NotFound
from core.ids import new_id

MAX_REASON = 200
MAX_LISTED = 500

_ACTIVE = text("released_at IS NULL AND captured_by IS NULL")


class Hold(Base):
    """Part of a balance that is promised and cannot be spent otherwise.

    Attributes:
        key: The request it answers; the same key never sets money aside twice.
        reason: What it is for, as the holder may read it.
        expires_at: From then on it cannot be captured any more and is given back.
        released_at: When the money was given back.
        captured_by: The posting that used it.
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("released_at IS NULL OR captured_by IS NULL", name="one_end"),
        Index("ix_holds_account_id", "account_id"),
        Index("ix_holds_due", "expires_at", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[int] = mapped_column(Minor)
    reason: Mapped[str] = mapped_column(SafeStr(MAX_REASON))
    key: Mapped[str] = mapped_column(SafeStr(200), unique=True)
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    captured_by: Mapped[str | None] = mapped_column(ForeignKey("postings.id"), unique=True)

    @property
    def active(self) -> bool:
        """Whether the money is still set aside."""
        return self.released_at is None and self.captured_by is None


async def place(
    db: AsyncSession,
    *,
    account_id: str,
    amount_minor: int,
    reason: str,
    key: str,
    expires_at: datetime,
    now: datetime,
) -> Hold:
    """Set money aside; the same key with the same content returns the hold placed first, whatever became of it.

    Raises: Invalid for an amount or time that cannot be; InsufficientFunds; AccountNotActive;
        KeyReused if the key came with other content; NotFound for an unknown account.
    """
    if type(amount_minor) is not int or not 0 < amount_minor <= ledger.MAX_AMOUNT_MINOR or expires_at <= now:
        raise Invalid("That much cannot be set aside for that long.", code="bad_hold")
    reason = safe_text(reason, max_length=MAX_REASON)
    account = (await accounts.lock(db, [account_id]))[account_id]
    earlier = await db.scalar(select(Hold).where(Hold.key == key))
    if earlier is not None:
        return _same(earlier, account_id, amount_minor, reason)
    if account.status is not AccountStatus.ACTIVE:
        raise AccountNotActive(account)
    if account.floor_minor is not None and account.available.minor < amount_minor:
        raise InsufficientFunds(account)
    hold = await insert_if_absent(
        db,
        Hold,
        id=new_id("hld"),
        account_id=account_id,
        amount_minor=amount_minor,
        reason=reason,
        key=key,
        placed_at=now,
        expires_at=expires_at,
    )
    if hold is None:  # placed in the meantime on another account
        return _same((await db.scalars(select(Hold).where(Hold.key == key))).one(), account_id, amount_minor, reason)
    account.held_minor += amount_minor
    await db.flush()
    return hold


async def release(db: AsyncSession, *, hold_id: str, now: datetime) -> Hold:
    """Give the money back; once given back, asking again changes nothing.

    Raises: NotFound; Conflict (code `hold_captured`) if it was used.
    """
    hold, locked = await _locked(db, hold_id)
    if hold.captured_by is not None:
        raise Conflict("That money has been used already.", code="hold_captured")
    if hold.released_at is None:
        _release(hold, locked[hold.account_id], now)
        await db.flush()
    return hold


async def capture(
    db: AsyncSession,
    *,
    hold_id: str,
    legs: Sequence[Leg],
    kind: PostingKind,
    narration: str,
    key: str,
    at: datetime,
    category: str | None = None,
) -> Posting:
    """Post with the money of a hold; what the posting does not need of it is free again.

    The same key with the same content returns the posting made first.

    Args:
        legs: One of them takes at most the held amount from the hold's account.

    Raises: NotFound; Conflict (code `hold_released`, `hold_expired`, or `hold_captured` under another key); Invalid
        (code `bad_hold`) for legs that do not fit the hold; otherwise as `ledger.post`.
    """
    hold, _ = await _locked(db, hold_id, *(leg.account_id for leg in legs))
    if not any(leg.account_id == hold.account_id and 0 < -leg.amount_minor <= hold.amount_minor for leg in legs):
        raise Invalid("That payment does not fit the money set aside.", code="bad_hold")
    if hold.captured_by is not None:
        earlier = await db.get_one(Posting, hold.captured_by)
        if earlier.key != key:
            raise Conflict("That money has been used already.", code="hold_captured")
    elif hold.released_at is not None:
        raise Conflict("That money is not set aside any more.", code="hold_released")
    elif hold.expires_at <= at:
        raise Conflict("That money is not set aside any more.", code="hold_expired")
    posting = await ledger.post(
        db, legs=legs, kind=kind, narration=narration, key=key, at=at, category=category, hold=hold
    )
    hold.captured_by = posting.id
    await db.flush()
    return posting


async def release_expired(db: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    """Give back the money of holds whose time is up, at most `limit` of them; how many it were."""
    due = (
        select(Hold.id, Hold.account_id)
        .where(Hold.released_at.is_(None), Hold.captured_by.is_(None), Hold.expires_at <= now)
        .order_by(Hold.expires_at, Hold.id)
        .limit(limit)
    )
    found = {row.id: row.account_id for row in await db.execute(due)}
    if not found:
        return 0
    locked = await accounts.lock(db, found.values())
    # Looked at again under the locks: somebody may have released or captured one in the meantime.
    holds = await db.scalars(
        select(Hold)
        .where(Hold.id.in_(list(found)), Hold.released_at.is_(None), Hold.captured_by.is_(None))
        .execution_options(populate_existing=True)
    )
    released = holds.all()
    for hold in released:
        _release(hold, locked[hold.account_id], now)
    await db.flush()
    return len(released)


async def of_account(db: AsyncSession, account_id: str) -> Sequence[Hold]:
    """The active holds of an account, the oldest first, at most 500."""
    return (
        await db.scalars(
            select(Hold)
            .where(Hold.account_id == account_id, Hold.released_at.is_(None), Hold.captured_by.is_(None))
            .order_by(Hold.placed_at, Hold.id)
            .limit(MAX_LISTED)
        )
    ).all()


async def _locked(db: AsyncSession, hold_id: str, *account_ids: str) -> tuple[Hold, dict[str, Account]]:
    """The hold as it is now, its account and the others locked: nobody changes a hold without its account's lock.

    Raises: NotFound.
    """
    account_id = await db.scalar(select(Hold.account_id).where(Hold.id == hold_id))
    if account_id is None:
        raise NotFound("There is no such hold.", code="no_hold")
    locked = await accounts.lock(db, {account_id, *account_ids})
    return await db.get_one(Hold, hold_id, populate_existing=True), locked


def _release(hold: Hold, account: Account, now: datetime) -> None:
    account.held_minor -= hold.amount_minor
    hold.released_at = now


def _same(earlier: Hold, account_id: str, amount_minor: int, reason: str) -> Hold:
    if (earlier.account_id, earlier.amount_minor, earlier.reason) != (account_id, amount_minor, reason):
        raise KeyReused
    return earlier
