"""Drafts: what somebody asks for, checked and stored, before anything moves."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, bills, customers, ledger, limits
from banking.accounts import Account, AccountNotActive, AccountStatus, InsufficientFunds
from banking.beneficiaries import Beneficiary
from banking.bills import Bill, BillNotDue, BillState
from banking.policy import Policy
from banking.transfers.row import Factor, Mode, State, Transfer, link_of
from banking.transfers.words import figures
from core import webhooks
from core.errors import Conflict, Invalid, KeyReused
from core.ids import new_id
from core.money import Money
from identity import audit
from identity.actor import Actor

DRAFT_LIFE = timedelta(seconds=120)
MAX_NOTE = 80
IMPS_MAX_MINOR = 5_00_000_00


async def prepare(
    db: AsyncSession,
    *,
    policy: Policy,
    actor: Actor,
    customer_id: str,
    beneficiary_id: str,
    amount_minor: int,
    account_id: str | None = None,
    account_kind: str | None = None,
    mode: Mode | None = None,
    note: str = "",
    key: str,
    now: datetime,
) -> Transfer:
    """Draft a transfer to one of the customer's payees; the same key returns the same transfer.

    What is checked here is checked again when the draft is confirmed.

    Args:
        account_id: Where the money comes from; else `account_kind` ("savings"), else the account that fits.
        mode: IMPS or NEFT; if None, within this bank or by IMPS.

    Raises: NotFound (codes `no_payee`, `no_account`), Invalid (`bad_amount`, `bad_note`, `bad_mode`, `mode_limit`),
        KeyReused, Conflict (`payee_unreachable`, `limit_per_transfer`, `limit_per_day`, `limit_new_payee`),
        AccountNotActive, InsufficientFunds, WhichAccount.
    """
    await customers.lock(db, customer_id)
    request = _hash(beneficiary_id, amount_minor, account_id, account_kind, mode, note)
    if (earlier := await _with_key(db, customer_id, key, request)) is not None:
        return earlier

    payee = await beneficiaries.own(db, customer_id=customer_id, beneficiary_id=beneficiary_id)
    here = await account_here(db, payee)
    amount = _amount(amount_minor)
    mode = mode or (Mode.IMPS if here is None else Mode.BOOK)
    if mode is Mode.BILL or (mode is Mode.BOOK and here is None):
        raise Invalid("Choose IMPS or NEFT.", code="bad_mode")
    if mode is Mode.IMPS and amount_minor > IMPS_MAX_MINOR:
        most = figures(Money(IMPS_MAX_MINOR, amount.currency))
        raise Invalid(f"IMPS carries at most {most} at once. Use NEFT.", code="mode_limit")
    await limits.check(db, customer_id=customer_id, channel=actor.channel, amount_minor=amount_minor, now=now)
    if payee.is_new(now):
        await limits.check_new_payee(db, customer_id=customer_id, amount_minor=amount_minor, now=now)
    account = await _source(db, customer_id, amount, account_id, account_kind)
    return await _draft(
        db,
        Transfer(
            id=new_id("trf"),
            customer_id=customer_id,
            account_id=account.id,
            beneficiary_id=payee.id,
            payee_name=payee.nickname,
            payee_detail=payee.name,
            payee_tail=payee.tail,
            payee_alike=await beneficiaries.has_alike(db, payee),
            amount_minor=amount.minor,
            currency=amount.currency,
            mode=mode,
            note=_clean(note),
            factor=Factor.NEW_PAYEE if payee.is_new(now) else _factor(policy, amount),
            channel=actor.channel,
            actor=actor.subject,
            call_id=actor.call_id,
            key=key,
            request_hash=request,
            created_at=now,
            state=State.DRAFTED,
            expires_at=now + DRAFT_LIFE,
        ),
        policy,
        actor,
        payee,
    )


async def prepare_bill(
    db: AsyncSession,
    *,
    policy: Policy,
    actor: Actor,
    customer_id: str,
    bill_id: str,
    account_id: str | None = None,
    account_kind: str | None = None,
    key: str,
    now: datetime,
) -> Transfer:
    """Draft the payment of one of the customer's bills, always of all of it; the same key returns the same transfer.

    Raises: as `prepare`; NotFound (code `no_bill`), BillNotDue.
    """
    await customers.lock(db, customer_id)
    request = _hash("bill", bill_id, account_id, account_kind)
    if (earlier := await _with_key(db, customer_id, key, request)) is not None:
        return earlier

    bill = await bills.own(db, customer_id=customer_id, bill_id=bill_id)
    if bill.state is not BillState.DUE:
        raise BillNotDue
    amount = _amount(bill.amount_minor)
    await limits.check(db, customer_id=customer_id, channel=actor.channel, amount_minor=amount.minor, now=now)
    account = await _source(db, customer_id, amount, account_id, account_kind)
    return await _draft(
        db,
        Transfer(
            id=new_id("trf"),
            customer_id=customer_id,
            account_id=account.id,
            bill_id=bill.id,
            payee_name=bill.biller_name,
            payee_detail=f"{bill.category.words} bill",
            payee_tail=bill.consumer_number[-4:],
            payee_alike=False,
            amount_minor=amount.minor,
            currency=amount.currency,
            mode=Mode.BILL,
            note="",
            factor=_factor(policy, amount),
            channel=actor.channel,
            actor=actor.subject,
            call_id=actor.call_id,
            key=key,
            request_hash=request,
            created_at=now,
            state=State.DRAFTED,
            expires_at=now + DRAFT_LIFE,
        ),
        policy,
        actor,
        bill,
    )


async def account_here(db: AsyncSession, payee: Beneficiary) -> Account | None:
    """The payee's account at this bank, or None if they bank elsewhere.

    Raises: Conflict (code `payee_unreachable`) for a number that is to be here and is not, or takes no money.
    """
    if payee.ifsc is not None:
        return None
    account = await accounts.by_number(db, payee.account_number)
    if account is None:
        raise Conflict(
            "That payee's account cannot receive money. Check the account number, and for another bank the IFSC.",
            code="payee_unreachable",
        )
    return account


def stored(target: Beneficiary | Bill) -> Sequence[str | int | None]:
    """What of a payee or bill the link of a transfer holds fast."""
    if isinstance(target, Beneficiary):
        return target.nickname, target.name, target.account_number, target.ifsc
    return target.biller_name, target.category.value, target.consumer_number, target.amount_minor, target.currency


async def _draft(
    db: AsyncSession, transfer: Transfer, policy: Policy, actor: Actor, target: Beneficiary | Bill
) -> Transfer:
    transfer.link = link_of(policy.secret, transfer, stored(target))
    db.add(transfer)
    await db.flush()
    facts = {
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "account_id": transfer.account_id,
        "beneficiary_id": transfer.beneficiary_id,
        "bill_id": transfer.bill_id,
        "mode": transfer.mode.value,
    }
    audit.note(
        db,
        actor=actor,
        act="transfer.drafted",
        subject=transfer.id,
        customer_id=transfer.customer_id,
        details={name: fact for name, fact in facts.items() if fact is not None},
        at=transfer.created_at,
    )
    webhooks.put(
        db,
        event=webhooks.Event.TRANSFER_INITIATED,
        payload={"transfer_id": transfer.id, "customer_id": transfer.customer_id, **facts},
        at=transfer.created_at,
    )
    return transfer


async def _source(
    db: AsyncSession, customer_id: str, amount: Money, account_id: str | None, account_kind: str | None
) -> Account:
    """The account the money comes from, which has it now."""
    if account_id is not None:
        account = await accounts.own(db, customer_id=customer_id, account_id=account_id)
    else:
        account = await accounts.to_pay_from(db, customer_id=customer_id, amount_minor=amount.minor, kind=account_kind)
    if account.status is not AccountStatus.ACTIVE:
        raise AccountNotActive(account)
    if account.currency != amount.currency:
        raise Invalid("Money cannot move between currencies.", code="currency_mismatch")
    if account.available.minor < amount.minor:
        raise InsufficientFunds(account)
    return account


async def _with_key(db: AsyncSession, customer_id: str, key: str, request: str) -> Transfer | None:
    earlier = await db.scalar(
        select(Transfer)
        .where(Transfer.customer_id == customer_id, Transfer.key == key)
        .execution_options(populate_existing=True)
    )
    if earlier is not None and earlier.request_hash != request:
        raise KeyReused
    return earlier


def _amount(minor: int) -> Money:
    if type(minor) is not int or not 0 < minor <= ledger.MAX_AMOUNT_MINOR:
        raise Invalid("That amount is not possible.", code="bad_amount")
    return Money(minor, limits.CURRENCY)


def _factor(policy: Policy, amount: Money) -> Factor:
    return Factor.AMOUNT if amount.minor > policy.mfa_above_minor else Factor.NONE


def _clean(note: str) -> str:
    """A remark as it is kept: one line of letters, digits and plain punctuation, for the same reason as names."""
    clean = " ".join(unicodedata.normalize("NFC", note).split())
    if len(clean) > MAX_NOTE or any(
        unicodedata.category(char)[0] not in "LM" and not char.isdecimal() and char not in " .,'-&/#:()"
        for char in clean
    ):
        raise Invalid(f"A note has up to {MAX_NOTE} letters, digits and plain punctuation marks.", code="bad_note")
    return clean


def _hash(*request: str | int | None) -> str:
    return hashlib.sha256(json.dumps(request, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()
