"""Accounts: what customers hold, and the bank's own through which every posting balances."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Minor, UtcDateTime, insert_if_absent, one_of
from core.errors import AppError, Conflict, NotFound
from core.ids import new_id
from core.money import Money
from core.spoken import say_list
from core.vault import Sealed


class AccountKind(StrEnum):
    """What an account is for; `internal` is the bank's own."""

    SAVINGS = "savings"
    CURRENT = "current"
    INTERNAL = "internal"


class AccountStatus(StrEnum):
    """Whether money may move."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class House(StrEnum):
    """The bank's own accounts."""

    OPENING = "opening"  # balances brought from elsewhere
    CASH = "cash"
    SALARY = "salary"  # employers' payments on their way to customers
    MERCHANTS = "merchants"
    OTHER_BANKS = "other_banks"  # money to and from people who bank elsewhere


_PRIMARY = text("is_primary")


class Account(Base):
    """A balance in one currency. Only `ledger.post` changes it, and only it and `holds` what is held.

    Attributes:
        customer_id: Whose it is; None for the bank's own.
        number: As printed on a statement; for an internal account its name.
        is_primary: Where payments come from when nobody names an account; at most one per customer.
        held_minor: How much of the balance is promised by holds that are still active.
        floor_minor: The balance less what is held never goes below it; None for internal accounts, which may owe.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("(customer_id IS NULL) = (kind = 'internal')", name="owner"),
        CheckConstraint("floor_minor IS NULL OR balance_minor - held_minor >= floor_minor", name="floor"),
        CheckConstraint("held_minor >= 0", name="held"),
        CheckConstraint("kind = 'internal' OR floor_minor IS NOT NULL", name="customers_have_a_floor"),
        Index(
            "uq_accounts_primary",
            "customer_id",
            unique=True,
            sqlite_where=_PRIMARY,
            postgresql_where=_PRIMARY,
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"), index=True)
    kind: Mapped[AccountKind] = mapped_column(one_of(AccountKind))
    number_sealed: Mapped[str] = mapped_column(Text)
    number_hash: Mapped[str] = mapped_column(String(64), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[AccountStatus] = mapped_column(one_of(AccountStatus))
    is_primary: Mapped[bool] = mapped_column(default=False)
    balance_minor: Mapped[int] = mapped_column(Minor, default=0)
    held_minor: Mapped[int] = mapped_column(Minor, default=0)
    floor_minor: Mapped[int | None] = mapped_column(Minor)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)

    number = Sealed(34)

    @property
    def balance(self) -> Money:
        """What is on it."""
        return Money(self.balance_minor, self.currency)

    @property
    def available(self) -> Money:
        """What of it can be spent now: down to the floor, without what is held."""
        return Money(self.balance_minor - self.held_minor - (self.floor_minor or 0), self.currency)

    @property
    def spoken_name(self) -> str:
        """Its kind in words: savings account."""
        return f"{self.kind.value} account"


class WhichAccount(AppError):
    """The customer has several accounts that fit and has not said which."""

    code = "which_account"
    status = 409


class AccountNotActive(Conflict):
    """The account is frozen or closed: nothing moves on it."""

    code = "account_not_active"

    def __init__(self, account: Account) -> None:
        super().__init__(f"The {account.spoken_name} is {account.status.value}.")


class InsufficientFunds(Conflict):
    """The account does not hold what was asked for, or it is promised already.

    Attributes:
        balance: What is on the account.
        available: What of it could have been spent.
    """

    code = "insufficient_funds"

    def __init__(self, account: Account) -> None:
        super().__init__(f"There is not enough money in the {account.spoken_name}.")
        self.balance = account.balance
        self.available = account.available


async def open_account(
    db: AsyncSession,
    *,
    customer_id: str,
    kind: AccountKind,
    now: datetime,
    number: str | None = None,
    is_primary: bool = False,
    currency: str = "INR",
) -> Account:
    """Open an empty account for a customer; the number is drawn at random if none is given.

    Raises: Conflict (code `number_taken`).
    """
    number = number or f"{secrets.randbelow(9 * 10**11) + 10**11}"
    if await db.scalar(select(Account.id).where(Account.number.is_in(number))) is not None:
        raise Conflict("There is an account of that number already.", code="number_taken")
    account = Account(
        id=new_id("acc"),
        customer_id=customer_id,
        kind=kind,
        number=number,
        currency=currency,
        status=AccountStatus.ACTIVE,
        is_primary=is_primary,
        floor_minor=0,
        opened_at=now,
    )
    db.add(account)
    await db.flush()
    return account


async def house(db: AsyncSession, name: House, *, now: datetime, currency: str = "INR") -> str:
    """The id of one of the bank's own accounts, opened when first needed."""
    account_id = f"acc_house_{name.value}_{currency.lower()}"
    if await db.scalar(select(Account.id).where(Account.id == account_id)) is None:
        await insert_if_absent(
            db,
            Account,
            id=account_id,
            kind=AccountKind.INTERNAL,
            **Account.number.columns(account_id, f"{name.value}-{currency}"),
            currency=currency,
            status=AccountStatus.ACTIVE,
            opened_at=now,
        )
    return account_id


async def get(db: AsyncSession, account_id: str) -> Account:
    """Any account, whoever's it is: for the bank's own work, never for an id that came from outside.

    Raises: NotFound.
    """
    account = await db.get(Account, account_id, populate_existing=True)
    if account is None:
        raise _no_such_account()
    return account


async def own(db: AsyncSession, *, customer_id: str, account_id: str) -> Account:
    """One of a customer's own accounts by its id.

    Raises: NotFound, also if it is somebody else's.
    """
    account = await db.scalar(select(Account).where(Account.id == account_id, Account.customer_id == customer_id))
    if account is None:
        raise _no_such_account()
    return account


async def of_customer(db: AsyncSession, *, customer_id: str) -> Sequence[Account]:
    """A customer's open accounts, the primary one first, then the oldest."""
    return (
        await db.scalars(
            select(Account)
            .where(Account.customer_id == customer_id, Account.status != AccountStatus.CLOSED)
            .order_by(Account.is_primary.desc(), Account.opened_at, Account.id)
        )
    ).all()


async def find_own(db: AsyncSession, *, customer_id: str, kind: str | None = None) -> Account:
    """The account a customer means by "savings" or "current", or by naming none.

    Without a name it is the only one or the primary one.

    Raises: NotFound; WhichAccount, whose spoken sentence lists the choice.
    """
    held = await of_customer(db, customer_id=customer_id)
    if not held:
        raise NotFound("You have no account with us.", code="no_account")
    fitting = [account for account in held if kind is None or account.kind.value == kind.strip().lower()]
    if not fitting:
        raise NotFound(f"You have no such account. You have {_listed(held, 'and')}.", code="no_account")
    if len(fitting) == 1 or (kind is None and fitting[0].is_primary):
        return fitting[0]
    raise WhichAccount(f"Which account: {_listed(fitting, 'or')}?")


async def to_pay_from(db: AsyncSession, *, customer_id: str, amount_minor: int, kind: str | None = None) -> Account:
    """The account a customer pays this amount from: the one they name, or the primary (or only) one.

    If that one cannot pay and exactly one other can, it is that other; whoever asks must say which account it is.

    Raises: NotFound; WhichAccount; InsufficientFunds of the primary one, where nobody named another.
    """
    usual = await find_own(db, customer_id=customer_id, kind=kind)
    if kind is not None or _can_pay(usual, amount_minor):
        return usual
    others = [account for account in await of_customer(db, customer_id=customer_id) if _can_pay(account, amount_minor)]
    if len(others) != 1:
        raise InsufficientFunds(usual)
    return others[0]


async def by_number(db: AsyncSession, number: str) -> Account | None:
    """A customer's active account here by its number, or None."""
    return await db.scalar(
        select(Account).where(
            Account.number.is_in(number), Account.customer_id.is_not(None), Account.status == AccountStatus.ACTIVE
        )
    )


async def lock(db: AsyncSession, account_ids: Iterable[str]) -> dict[str, Account]:
    """Load accounts as they are now and keep others from changing them until the transaction ends.

    Always in the order of their ids, so that two transactions never wait for each other.

    Raises: NotFound if one does not exist.
    """
    wanted = set(account_ids)
    rows = await db.scalars(
        select(Account)
        .where(Account.id.in_(wanted))
        .order_by(Account.id)
        .with_for_update(key_share=True)  # rows that refer to it may be inserted meanwhile
        .execution_options(populate_existing=True)
    )
    found = {account.id: account for account in rows}
    if len(found) != len(wanted):
        raise _no_such_account()
    return found


def _can_pay(account: Account, amount_minor: int) -> bool:
    return account.status is AccountStatus.ACTIVE and account.available.minor >= amount_minor


def _no_such_account() -> NotFound:
    return NotFound("There is no such account.", code="no_account")


def _listed(accounts: Sequence[Account], word: str) -> str:
    """Their names joined by `word`, with the last digits where two are of one kind."""
    kinds = [account.kind for account in accounts]
    names = [
        f"your {account.spoken_name}"
        + (f" ending in {' '.join(account.number[-4:])}" if kinds.count(account.kind) > 1 else "")
        for account in accounts
    ]
    return say_list(names, conjunction=word)
