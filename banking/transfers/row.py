"""The transfer as it is kept: one row from the draft to its end, and how it is looked up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, String, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.crypto import keyed_hash
from core.db import Base, Minor, SafeStr, UtcDateTime, one_of, paged
from core.errors import NotFound
from core.money import Money
from identity.actor import Channel


class State(StrEnum):
    """How far a transfer has come; `confirmed` is seen by nobody outside the transaction that executes it."""

    DRAFTED = "drafted"
    CONFIRMED = "confirmed"
    CHALLENGED = "challenged"
    POSTED = "posted"
    DECLINED = "declined"
    EXPIRED = "expired"
    FAILED = "failed"


OPEN = (State.DRAFTED, State.CHALLENGED)


class Mode(StrEnum):
    """How the money travels; `book` is between two accounts of this bank."""

    IMPS = "imps"
    NEFT = "neft"
    BOOK = "book"
    BILL = "bill"


class Factor(StrEnum):
    """Why a second factor is asked for, if it is."""

    NONE = ""
    AMOUNT = "amount"
    NEW_PAYEE = "new_payee"


class Transfer(Base):
    """One movement of a customer's money to a payee or for a bill, from the draft to its end.

    What was drafted never changes, a transfer that has ended never changes, and none is deleted: the database itself
    sees to it. Only `prepare`, `confirm`, `answer`, `decline` and `expire_due` write here.

    Attributes:
        payee_name: What the customer calls the payee, or the biller's name.
        payee_detail: The name the account is held in, or what the bill is for ("electricity bill").
        payee_tail: Last digits of the payee's account number, or of the consumer number.
        payee_alike: Whether the customer has another payee who could be taken for this one.
        factor: Why a second factor is needed; empty if none is.
        link: Keyed hash over everything above and the payee as stored: what is confirmed is what is executed.
        channel: The door it was asked for through; its limits count.
        actor: Subject of whoever asked.
        key: The request it answers; unique per customer.
        request_hash: SHA-256 over all that was asked for under that key.
        expires_at: End of the draft; once challenged, of the challenge.
        failure_text: A sentence for people, of a failed one.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(beneficiary_id IS NULL) <> (bill_id IS NULL)", name="one_target"),
        CheckConstraint("(state = 'posted') = (posting_id IS NOT NULL)", name="posting"),
        CheckConstraint("(state = 'failed') = (failure_code IS NOT NULL)", name="failure"),
        UniqueConstraint("customer_id", "key"),
        Index("ix_transfers_customer_id_created_at", "customer_id", "created_at"),
        Index("ix_transfers_customer_id_posted_at", "customer_id", "posted_at"),
        Index("ix_transfers_state_expires_at", "state", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    beneficiary_id: Mapped[str | None] = mapped_column(ForeignKey("beneficiaries.id"))
    bill_id: Mapped[str | None] = mapped_column(ForeignKey("bills.id"))
    payee_name: Mapped[str] = mapped_column(SafeStr(120))
    payee_detail: Mapped[str] = mapped_column(SafeStr(120))
    payee_tail: Mapped[str] = mapped_column(String(4))
    payee_alike: Mapped[bool]
    amount_minor: Mapped[int] = mapped_column(Minor)
    currency: Mapped[str] = mapped_column(String(3))
    mode: Mapped[Mode] = mapped_column(one_of(Mode))
    note: Mapped[str] = mapped_column(SafeStr(80))
    factor: Mapped[Factor] = mapped_column(one_of(Factor))
    link: Mapped[str] = mapped_column(String(64))
    channel: Mapped[Channel] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(40))
    call_id: Mapped[str | None] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(SafeStr(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    state: Mapped[State] = mapped_column(one_of(State))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    challenge_id: Mapped[str | None] = mapped_column(String(40))
    posted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    posting_id: Mapped[str | None] = mapped_column(ForeignKey("postings.id"), unique=True)
    balance_after_minor: Mapped[int | None] = mapped_column(Minor)
    failure_code: Mapped[str | None] = mapped_column(String(40))
    failure_text: Mapped[str | None] = mapped_column(SafeStr(300))

    @property
    def amount(self) -> Money:
        """How much."""
        return Money(self.amount_minor, self.currency)

    @property
    def balance_after(self) -> Money | None:
        """What the account held after it was posted."""
        return None if self.balance_after_minor is None else Money(self.balance_after_minor, self.currency)


async def own(db: AsyncSession, *, customer_id: str, transfer_id: str) -> Transfer:
    """One of a customer's transfers as it is now.

    Raises: NotFound, also if it is somebody else's.
    """
    return _found(await db.scalar(_own(customer_id, transfer_id)))


async def lock_own(db: AsyncSession, *, customer_id: str, transfer_id: str) -> Transfer:
    """`own`, and nobody else changes it until the transaction ends.

    Raises: NotFound.
    """
    return _found(await db.scalar(_own(customer_id, transfer_id).with_for_update(key_share=True)))


async def of_customer(
    db: AsyncSession, *, customer_id: str, page: int = 1, per_page: int = 20, state: State | None = None
) -> tuple[Sequence[Transfer], int]:
    """One page of a customer's transfers, the newest first, and how many there are in all."""
    query = select(Transfer).where(Transfer.customer_id == customer_id)
    if state is not None:
        query = query.where(Transfer.state == state)
    return await paged(db, query, Transfer.created_at.desc(), Transfer.id.desc(), page=page, per_page=per_page)


def link_of(secret: str, transfer: Transfer, target: Sequence[str | int | None]) -> str:
    """The keyed hash that ties a transfer to what it says and to the payee or bill (`target`) as stored."""
    content = [
        transfer.id,
        transfer.customer_id,
        transfer.account_id,
        transfer.beneficiary_id,
        transfer.bill_id,
        transfer.payee_name,
        transfer.payee_detail,
        transfer.payee_tail,
        transfer.amount_minor,
        transfer.currency,
        transfer.mode.value,
        transfer.note,
        transfer.factor.value,
        transfer.created_at.isoformat(),
        *target,
    ]
    return keyed_hash(secret, "transfer", json.dumps(content, separators=(",", ":")))


def _own(customer_id: str, transfer_id: str) -> Select[Transfer]:
    return (
        select(Transfer)
        .where(Transfer.id == transfer_id, Transfer.customer_id == customer_id)
        .execution_options(populate_existing=True)
    )


def _found(transfer: Transfer | None) -> Transfer:
    if transfer is None:
        raise NotFound("There is no such transfer.", code="no_transfer")
    return transfer
