"""What the ledger keeps: postings and their entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Minor, SafeStr, UtcDateTime, one_of

MAX_AMOUNT_MINOR = 10**15
MAX_LEGS = 50
MAX_LINES = 500

MAX_KEY = 200
MAX_CATEGORY = 40
MAX_NARRATION = 200
MAX_COUNTERPARTY = 120


class PostingKind(StrEnum):
    """What moved the money; `forward` brings a balance in and is no transaction of the customer's."""

    FORWARD = "forward"
    INCOME = "income"
    PAYMENT = "payment"
    TRANSFER = "transfer"
    FEE = "fee"
    BILL = "bill"
    LOAN = "loan"
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
    key: Mapped[str] = mapped_column(SafeStr(MAX_KEY), unique=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    kind: Mapped[PostingKind] = mapped_column(one_of(PostingKind))
    category: Mapped[str | None] = mapped_column(SafeStr(MAX_CATEGORY))
    narration: Mapped[str] = mapped_column(SafeStr(MAX_NARRATION))
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
    counterparty: Mapped[str] = mapped_column(SafeStr(MAX_COUNTERPARTY), default="")
    narration: Mapped[str] = mapped_column(SafeStr(MAX_NARRATION))


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
