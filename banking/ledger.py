"""The ledger: double entry, append-only, and `post()` is its only writer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import accounts
from banking.accounts import Account, AccountStatus
from core.db import Base, Minor, SafeStr, UtcDateTime, insert_if_absent, one_of
from core.errors import AppError, Conflict, Invalid
from core.ids import new_id
from core.money import Money

MAX_AMOUNT_MINOR = 10**15
MAX_LEGS = 50
MAX_PAGE = 500


class PostingKind(StrEnum):
    """What moved the money; `forward` brings a balance in and is no transaction of the customer's."""

    FORWARD = "forward"
    INCOME = "income"
    PAYMENT = "payment"
    TRANSFER = "transfer"
    FEE = "fee"
    REVERSAL = "reversal"


class Posting(Base):
    """One movement of money as a whole: entries that sum to zero.

    Attributes:
        key: The request it answers; the same key never posts twice.
        content_hash: SHA-256 over all that was asked for under that key.
        category: What it was for ("groceries"), where known.
        reverses: The posting this one undoes; each can be undone once.
    """

    __tablename__ = "postings"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(SafeStr(200), unique=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    kind: Mapped[PostingKind] = mapped_column(one_of(PostingKind))
    category: Mapped[str | None] = mapped_column(SafeStr(40))
    narration: Mapped[str] = mapped_column(SafeStr(200))
    currency: Mapped[str] = mapped_column(String(3))
    reverses: Mapped[str | None] = mapped_column(ForeignKey("postings.id"), unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Entry(Base):
    """One side of a posting, in the order the account saw them; never changed, never deleted.

    Attributes:
        amount_minor: What the balance grew by; negative for money that left.
        balance_after_minor: The account's balance with it.
        counterparty: Who was on the other side, as this account's holder knows them.
        narration: The statement's text for this side.
    """

    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount"),
        UniqueConstraint("posting_id", "account_id"),
        Index("ix_entries_account_id_id", "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    posting_id: Mapped[str] = mapped_column(ForeignKey("postings.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[int] = mapped_column(Minor)
    balance_after_minor: Mapped[int] = mapped_column(Minor)
    counterparty: Mapped[str] = mapped_column(SafeStr(120), default="")
    narration: Mapped[str] = mapped_column(SafeStr(200))


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a posting to be made.

    Attributes:
        account_id: Whose balance changes.
        amount_minor: By how much; positive comes in, negative goes out.
        counterparty: The other side, as this account's holder knows it.
        narration: This side's statement text; the posting's if empty.
    """

    account_id: str
    amount_minor: int
    counterparty: str = ""
    narration: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement.

    Attributes:
        entry_id: Where the next, older page begins.
        amount: Positive came in, negative went out.
    """

    entry_id: int
    posting_id: str
    at: datetime
    amount: Money
    balance_after: Money
    kind: PostingKind
    category: str | None
    counterparty: str
    narration: str


class InsufficientFunds(Conflict):
    """The account does not hold what was asked for."""

    code = "insufficient_funds"

    def __init__(self, account: Account) -> None:
        super().__init__(f"There is not enough money in the {account.spoken_name}.")
        self.balance = account.balance


async def post(
    db: AsyncSession,
    *,
    legs: Sequence[Leg],
    kind: PostingKind,
    narration: str,
    key: str,
    at: datetime,
    category: str | None = None,
    reverses: str | None = None,
) -> Posting:
    """Move money: change every account's balance and write its entry, all or nothing with the transaction.

    The same key with the same content returns the posting made first, whatever has happened since.

    Args:
        legs: Two or more, on different accounts of one currency, none zero, summing to zero.
        key: Names the request; scoped by the caller ("transfer:<draft id>").

    Raises: Invalid for legs that cannot be; Conflict (code `key_reused`) if the key came with other content;
        InsufficientFunds; Conflict (code `account_not_active`); NotFound for an unknown account.
    """
    _check(legs)
    held = await accounts.lock(db, (leg.account_id for leg in legs))
    currencies = {account.currency for account in held.values()}
    if len(currencies) != 1:
        raise Invalid("Money cannot move between currencies.", code="currency_mismatch")
    content_hash = _content_hash(legs, kind, narration, category, reverses)

    refusal = next(filter(None, (_refusal(held[leg.account_id], leg.amount_minor) for leg in legs)), None)
    posting = (
        await insert_if_absent(
            db,
            Posting,
            id=new_id("pst"),
            key=key,
            content_hash=content_hash,
            kind=kind,
            category=category,
            narration=narration,
            currency=currencies.pop(),
            reverses=reverses,
            at=at,
        )
        if refusal is None
        else None
    )
    if posting is None:
        # Looked up after the lock: whoever posts the same was first and is committed, or waits for us.
        return _same(
            await _with_key(db, key),
            content_hash,
            otherwise=refusal or Conflict("That posting has been reversed already.", code="already_reversed"),
        )

    for leg in legs:
        account = held[leg.account_id]
        account.balance_minor += leg.amount_minor
        db.add(
            Entry(
                posting_id=posting.id,
                account_id=account.id,
                amount_minor=leg.amount_minor,
                balance_after_minor=account.balance_minor,
                counterparty=leg.counterparty,
                narration=leg.narration or narration,
            )
        )
    await db.flush()
    return posting


async def balance(db: AsyncSession, account_id: str) -> Money:
    """What an account holds now.

    Raises: NotFound.
    """
    return (await accounts.get(db, account_id)).balance


async def statement(
    db: AsyncSession, *, account_id: str, limit: int = 50, before: int | None = None, with_forward: bool = False
) -> list[Line]:
    """What happened on an account, newest first.

    Args:
        limit: At most this many lines, up to 500.
        before: Only lines older than this entry id (the last one of the page before).
        with_forward: Also lines that brought a balance in, without which the others may not add up.
    """
    query = (
        select(Entry, Posting)
        .join(Posting, Posting.id == Entry.posting_id)
        .where(Entry.account_id == account_id)
        .order_by(Entry.id.desc())
        .limit(max(1, min(limit, MAX_PAGE)))
    )
    if before is not None:
        query = query.where(Entry.id < before)
    if not with_forward:
        query = query.where(Posting.kind != PostingKind.FORWARD)
    return [
        Line(
            entry_id=entry.id,
            posting_id=posting.id,
            at=posting.at,
            amount=Money(entry.amount_minor, posting.currency),
            balance_after=Money(entry.balance_after_minor, posting.currency),
            kind=posting.kind,
            category=posting.category,
            counterparty=entry.counterparty,
            narration=entry.narration,
        )
        for entry, posting in await db.execute(query)
    ]


async def check(db: AsyncSession) -> list[str]:
    """Every way in which the ledger contradicts itself, at most 100 of each kind; empty when all is well.

    Call it inside `Database.reading()`: one moment of the whole ledger.
    """
    total = func.sum(Entry.amount_minor)
    unbalanced = (
        select(Posting.id, func.coalesce(total, 0), func.count(Entry.id))
        .outerjoin(Entry, Entry.posting_id == Posting.id)
        .group_by(Posting.id)
        .having((func.coalesce(total, 0) != 0) | (func.count(Entry.id) < 2))
    )
    last = select(Entry.account_id, total.label("total"), func.max(Entry.id).label("last_id"))
    sums = last.group_by(Entry.account_id).subquery()
    final = (
        select(Account.id, Account.balance_minor, func.coalesce(sums.c.total, 0), Entry.balance_after_minor)
        .outerjoin(sums, sums.c.account_id == Account.id)
        .outerjoin(Entry, Entry.id == sums.c.last_id)
        .where(
            (Account.balance_minor != func.coalesce(sums.c.total, 0))
            | (Account.balance_minor != func.coalesce(Entry.balance_after_minor, 0))
        )
    )
    below = select(Account.id).where(Account.balance_minor < Account.floor_minor)
    foreign = (
        select(Entry.id)
        .join(Posting, Posting.id == Entry.posting_id)
        .join(Account, Account.id == Entry.account_id)
        .where(Posting.currency != Account.currency)
    )
    return [
        *(f"posting {id_}: {n} entries sum to {rest}" for id_, rest, n in await db.execute(unbalanced.limit(100))),
        *(
            f"account {id_}: balance {now}, entries sum to {rest}, last entry says {after}"
            for id_, now, rest, after in await db.execute(final.limit(100))
        ),
        *(f"account {id_}: below its floor" for id_ in await db.scalars(below.limit(100))),
        *(f"entry {id_}: not in its account's currency" for id_ in await db.scalars(foreign.limit(100))),
    ]


def _check(legs: Sequence[Leg]) -> None:
    possible = (
        2 <= len(legs) <= MAX_LEGS
        and all(type(leg.amount_minor) is int and 0 < abs(leg.amount_minor) <= MAX_AMOUNT_MINOR for leg in legs)
        and len({leg.account_id for leg in legs}) == len(legs)
        and sum(leg.amount_minor for leg in legs) == 0
    )
    if not possible:
        raise Invalid("That movement of money is not possible.", code="bad_posting")


def _refusal(account: Account, amount_minor: int) -> AppError | None:
    """Why this much cannot move on an account now, or None if it can."""
    if account.status is not AccountStatus.ACTIVE:
        return Conflict(f"The {account.spoken_name} is {account.status.value}.", code="account_not_active")
    after = account.balance_minor + amount_minor
    # Money coming in is welcome even where the balance is already too low.
    if amount_minor < 0 and account.floor_minor is not None and after < account.floor_minor:
        return InsufficientFunds(account)
    return None


def _content_hash(
    legs: Sequence[Leg], kind: PostingKind, narration: str, category: str | None, reverses: str | None
) -> str:
    sides = sorted([leg.account_id, leg.amount_minor, leg.counterparty, leg.narration] for leg in legs)
    content = json.dumps([sides, kind.value, narration, category, reverses], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


async def _with_key(db: AsyncSession, key: str) -> Posting | None:
    return await db.scalar(select(Posting).where(Posting.key == key))


def _same(earlier: Posting | None, content_hash: str, *, otherwise: AppError) -> Posting:
    """The posting made before, if it is the same; `otherwise` if there is none."""
    if earlier is None:
        raise otherwise
    if earlier.content_hash != content_hash:
        raise Conflict("That request was made before with other content.", code="key_reused")
    return earlier
