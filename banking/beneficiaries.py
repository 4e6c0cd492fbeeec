"""Beneficiaries: the people and firms a customer has saved to pay."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, Text, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from banking import accounts
from core.db import Base, SafeStr, UtcDateTime
from core.errors import AppError, Conflict, Invalid, NotFound
from core.ids import new_id
from core.spoken import say_digits, say_list
from core.vault import Sealed
from identity import audit
from identity.actor import Actor

MAX_PER_CUSTOMER = 200
MAX_LISTED = 5

# For this long a new payee takes a second factor whatever the amount, and only so much money goes to new payees in all.
COOL_OFF = timedelta(hours=24)
COOL_OFF_MAX_MINOR = 25_000_00

_MAX_NICKNAME = 64
_MAX_NAME = 120
_ACCOUNT_NUMBER = re.compile(r"[0-9]{6,18}")
# Four letters of the bank, a zero kept for later use, six characters of the branch (Reserve Bank of India).
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}")
_NOT_REMOVED = text("removed_at IS NULL")


class Beneficiary(Base):
    """A saved payee; nothing of it is ever changed, so that a name a customer trusts stays with its account.

    Attributes:
        nickname: What the customer calls them.
        name: As the account is held.
        account_number: At this bank or, with `ifsc`, at another.
        ifsc: The other bank's branch code; None for an account here.
        removed_at: When the customer took it off their list.
    """

    __tablename__ = "beneficiaries"
    __table_args__ = (
        Index(
            "uq_beneficiaries_nickname",
            "customer_id",
            "nickname",
            unique=True,
            sqlite_where=_NOT_REMOVED,
            postgresql_where=_NOT_REMOVED,
        ),
        Index("ix_beneficiaries_customer_id_created_at", "customer_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    nickname: Mapped[str] = mapped_column(SafeStr(_MAX_NICKNAME))
    name: Mapped[str] = mapped_column(SafeStr(_MAX_NAME))
    account_number_sealed: Mapped[str] = mapped_column(Text)
    ifsc: Mapped[str | None] = mapped_column(String(11))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    account_number = Sealed(34)

    @property
    def tail(self) -> str:
        """The last four digits of the account number."""
        return self.account_number[-4:]

    def is_new(self, now: datetime) -> bool:
        """Whether the cool-off still runs."""
        return now < self.created_at + COOL_OFF


class WhichPayee(AppError):
    """Several payees fit what the customer said."""

    code = "which_payee"
    status = 409

    def __init__(self, fitting: Sequence[Beneficiary]) -> None:
        several = fitting[:MAX_LISTED]
        super().__init__(
            f"Which one: {say_list([f'{_names(payee)} …{payee.tail}' for payee in several], conjunction='or')}?",
            spoken="Which one do you mean: "
            + say_list([f"{_names(payee)}, ending in {say_digits(payee.tail)}" for payee in several], conjunction="or")
            + "?",
        )
        self.ids = tuple(payee.id for payee in fitting)


async def add(
    db: AsyncSession,
    *,
    actor: Actor,
    customer_id: str,
    nickname: str,
    name: str,
    account_number: str,
    ifsc: str | None,
    now: datetime,
    since: datetime | None = None,
) -> Beneficiary:
    """Save a payee.

    Args:
        since: From when on they count as saved, and the cool-off runs; `now` if None.

    Raises: Invalid (codes `bad_name`, `bad_account_number`, `bad_ifsc`, `own_account`); Conflict (codes
        `nickname_taken`, `too_many_payees`).
    """
    nickname = safe_name(nickname, max_length=_MAX_NICKNAME)
    name = safe_name(name, max_length=_MAX_NAME)
    account_number = "".join(account_number.split())
    if not _ACCOUNT_NUMBER.fullmatch(account_number):
        raise Invalid("An account number has 6 to 18 digits.", code="bad_account_number")
    ifsc = ifsc.strip().upper() if ifsc else None
    if ifsc is not None and not _IFSC.fullmatch(ifsc):
        raise Invalid("An IFSC looks like HDFC0001234: four letters, a zero, six letters or digits.", code="bad_ifsc")
    held = await accounts.of_customer(db, customer_id=customer_id)
    if ifsc is None and account_number in {account.number for account in held}:
        raise Invalid("That is an account of your own.", code="own_account")

    saved = await of_customer(db, customer_id=customer_id)
    if len(saved) >= MAX_PER_CUSTOMER:
        raise Conflict(f"You have {MAX_PER_CUSTOMER} payees. Remove one first.", code="too_many_payees")
    taken = Conflict("You have a payee of that nickname already. Choose another.", code="nickname_taken")
    if fold(nickname) in {fold(payee.nickname) for payee in saved}:
        raise taken
    payee = Beneficiary(
        id=new_id("ben"),
        customer_id=customer_id,
        nickname=nickname,
        name=name,
        account_number=account_number,
        ifsc=ifsc,
        created_at=since or now,
    )
    try:
        async with db.begin_nested():
            db.add(payee)
    except IntegrityError:  # another request was first
        raise taken from None
    audit.note(db, actor=actor, act="payee.added", subject=payee.id, customer_id=customer_id, at=now)
    return payee


async def of_customer(db: AsyncSession, *, customer_id: str) -> Sequence[Beneficiary]:
    """A customer's payees by nickname."""
    return (
        await db.scalars(
            select(Beneficiary)
            .where(Beneficiary.customer_id == customer_id, Beneficiary.removed_at.is_(None))
            .order_by(Beneficiary.nickname)
            .limit(MAX_PER_CUSTOMER)
        )
    ).all()


async def own(db: AsyncSession, *, customer_id: str, beneficiary_id: str) -> Beneficiary:
    """One of a customer's payees as it is now.

    Raises: NotFound (code `no_payee`), also if it is somebody else's or was removed.
    """
    payee = await db.scalar(
        select(Beneficiary)
        .where(
            Beneficiary.id == beneficiary_id,
            Beneficiary.customer_id == customer_id,
            Beneficiary.removed_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )
    if payee is None:
        raise _no_payee()
    return payee


async def remove(db: AsyncSession, *, actor: Actor, customer_id: str, beneficiary_id: str, now: datetime) -> None:
    """Take a payee off a customer's list; drafts to it can no longer be confirmed.

    Raises: NotFound (code `no_payee`).
    """
    removed = await db.scalar(
        update(Beneficiary)
        .where(
            Beneficiary.id == beneficiary_id,
            Beneficiary.customer_id == customer_id,
            Beneficiary.removed_at.is_(None),
        )
        .values(removed_at=now)
        .returning(Beneficiary.id)
        .execution_options(synchronize_session=False)
    )
    if removed is None:
        raise _no_payee()
    audit.note(db, actor=actor, act="payee.removed", subject=removed, customer_id=customer_id, at=now)


async def resolve(db: AsyncSession, *, customer_id: str, said: str) -> Beneficiary:
    """The payee a customer means by a nickname, a full name, or by words of either; never a guess.

    Raises: WhichPayee, whose spoken sentence lists the choice; NotFound (code `no_payee`).
    """
    payees = await of_customer(db, customer_id=customer_id)
    wanted = fold(said)
    words = set(wanted.split())
    for fitting in (
        [payee for payee in payees if fold(payee.nickname) == wanted],
        [payee for payee in payees if fold(payee.name) == wanted],
        [payee for payee in payees if words and words <= _words(payee)],
    ):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise WhichPayee(fitting)
    raise _no_payee(said)


async def names(db: AsyncSession, customer_id: str) -> tuple[str, ...]:
    """Every name the customer may say: nicknames first, then full names, each once."""
    payees = await of_customer(db, customer_id=customer_id)
    return tuple(dict.fromkeys([payee.nickname for payee in payees] + [payee.name for payee in payees]))


async def has_alike(db: AsyncSession, payee: Beneficiary) -> bool:
    """Whether the customer has another payee who could be taken for this one by ear."""
    mine = fold(payee.nickname).split()
    for other in await of_customer(db, customer_id=payee.customer_id):
        if other.id == payee.id:
            continue
        pairs = ((mine, _words(other)), (fold(other.nickname).split(), _words(payee)))
        if any(_sounds_like(word, theirs) for words, others in pairs for word in words for theirs in others):
            return True
    return False


def safe_name(value: str, *, max_length: int) -> str:
    """A name as it is kept: letters, digits, spaces and `. ' - &` only, so that it carries no mark-up or command.

    Raises: Invalid (code `bad_name`).
    """
    name = _tidy(value)
    if not 0 < len(name) <= max_length or not any(map(_is_letter, name)) or not all(map(_in_name, name)):
        raise Invalid(
            f"A name has up to {max_length} letters, digits, spaces, dots, dashes, apostrophes and ampersands.",
            code="bad_name",
        )
    return name


def plain_name(value: str) -> str:
    """As much of a name that was not chosen here (a customer's own) as `safe_name` lets others read."""
    return _tidy("".join(filter(_in_name, _tidy(value))))[:_MAX_NICKNAME] or "a customer"


def fold(name: str) -> str:
    """A name as it is compared: without case, punctuation and superfluous spaces."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(
        "".join(
            char if unicodedata.category(char)[0] in "LMN" else " " if char != "'" else "" for char in folded
        ).split()
    )


def _tidy(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).replace("\u2019", "'").split())


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] == "L"


def _in_name(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM" or char.isdecimal() or char in " .'-&"


def _words(payee: Beneficiary) -> set[str]:
    return {*fold(payee.nickname).split(), *fold(payee.name).split()}


def _names(payee: Beneficiary) -> str:
    same = fold(payee.nickname) == fold(payee.name)
    return payee.nickname if same else f"{payee.nickname}, {payee.name}"


def _sounds_like(one: str, other: str) -> bool:
    """Whether two words differ in at most one letter, as Ravi and Rani do."""
    shorter, longer = sorted((one, other), key=len)
    if shorter == longer:
        return True
    if len(longer) < 3 or len(longer) - len(shorter) > 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return shorter[start + (len(shorter) == len(longer)) :] == longer[start + 1 :]


def _no_payee(said: str = "") -> NotFound:
    try:
        who = safe_name(said, max_length=40)
    except Invalid:
        who = "that payee"
    return NotFound(f"I can't find {who} among your payees.", code="no_payee")
