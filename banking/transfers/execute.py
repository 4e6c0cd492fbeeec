"""What ends a draft: consent and the second factor, a no, time, or a refusal.

Everything here is done under the customer's lock, so that one customer's transfers follow each other. Locks are taken
in one order everywhere: the customer, the transfer, the accounts, the bill, the end of the audit log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from banking import accounts, beneficiaries, bills, customers, ledger, limits
from banking.accounts import Account, House
from banking.beneficiaries import Beneficiary
from banking.bills import Bill
from banking.customers import Customer
from banking.ledger import Entry, Leg, Posting, PostingKind
from banking.policy import Policy
from banking.transfers import words
from banking.transfers.prepare import account_here, stored
from banking.transfers.row import OPEN, Factor, State, Transfer, link_of, lock_own, own
from core import webhooks
from core.errors import AppError, Conflict, NotFound
from identity import audit, mfa
from identity.actor import SYSTEM, Actor

MAX_EXPIRED_AT_ONCE = 1000


async def confirm(
    db: AsyncSession,
    *,
    policy: Policy,
    actor: Actor,
    customer_id: str,
    transfer_id: str,
    link: str | None = None,
    now: datetime,
) -> Transfer:
    """Carry out a draft its customer has agreed to, or ask for the second factor; any number of times is once.

    The outcome is in the row returned: `posted`, `challenged`, `failed`, or what it had become before.

    Args:
        link: The draft's link as the customer was shown it, where the client sends it back.

    Raises: NotFound; Conflict (code `draft_changed`) for another link; Unreachable if no code can be sent. Nothing is
        changed then.
    """
    customer = await customers.lock(db, customer_id)
    mine = (Transfer.customer_id == customer_id, Transfer.expires_at > now)
    shown = () if link is None else (Transfer.link == link,)
    transfer = await _step(db, transfer_id, State.DRAFTED, State.CONFIRMED, *mine, *shown, confirmed_at=now)
    if transfer is None:
        transfer = await own(db, customer_id=customer_id, transfer_id=transfer_id)
        if link is not None and transfer.link != link:
            raise Conflict("That is not the transfer you were shown. Start again.", code="draft_changed")
        return await _expire(db, transfer, now) if transfer.state is State.DRAFTED else transfer

    target = await _unchanged(db, policy, transfer)
    if isinstance(target, AppError):
        return await _fail(db, actor, transfer, target, now)
    if transfer.factor is not Factor.NONE:
        return await _challenge(db, policy, actor, transfer, now)
    return await _execute(db, actor, customer, transfer, target, now)


async def answer(
    db: AsyncSession,
    *,
    policy: Policy,
    actor: Actor,
    customer_id: str,
    transfer_id: str,
    code: str,
    now: datetime,
) -> tuple[Transfer, mfa.Answer]:
    """Check the second factor of a challenged transfer, and carry it out if it is right.

    A wrong code is an outcome, not an error: commit it, or the try does not count. For a transfer that is not waiting
    for a code the answer is dead, and right if it was posted.

    Raises: NotFound.
    """
    customer = await customers.lock(db, customer_id)
    transfer = await lock_own(db, customer_id=customer_id, transfer_id=transfer_id)
    if transfer.state is State.CHALLENGED and transfer.expires_at <= now:
        transfer = await _expire(db, transfer, now)
    if transfer.state is not State.CHALLENGED:
        return transfer, mfa.Answer(right=transfer.state is State.POSTED, tries_left=0, dead=True)

    assert transfer.challenge_id is not None
    given = await mfa.answer(
        db,
        secret=policy.secret,
        challenge_id=transfer.challenge_id,
        subject=actor.subject,
        bound_to=transfer.link,
        code=code,
        now=now,
    )
    if not given.right:
        _note(db, actor, transfer, now, "refused", tries_left=str(given.tries_left))
        if given.dead:
            refused = Conflict("The code was not right, or it counts no longer.", code="factor_failed")
            transfer = await _fail(db, actor, transfer, refused, now)
        return transfer, given
    transfer = await _must_step(db, transfer, State.CHALLENGED, State.CONFIRMED)
    target = await _unchanged(db, policy, transfer)
    if isinstance(target, AppError):
        return await _fail(db, actor, transfer, target, now), given
    return await _execute(db, actor, customer, transfer, target, now), given


async def decline(db: AsyncSession, *, actor: Actor, customer_id: str, transfer_id: str, now: datetime) -> Transfer:
    """Call off a transfer that has not been posted; one that has ended is returned as it is.

    Raises: NotFound.
    """
    await customers.lock(db, customer_id)
    transfer = await lock_own(db, customer_id=customer_id, transfer_id=transfer_id)
    if transfer.state not in OPEN:
        return transfer
    if transfer.challenge_id is not None:
        await mfa.kill(db, challenge_id=transfer.challenge_id, now=now)
    transfer = await _must_step(db, transfer, transfer.state, State.DECLINED)
    _note(db, actor, transfer, now)
    return transfer


async def expire_due(db: AsyncSession, *, now: datetime, limit: int = 200) -> int:
    """End drafts and challenges whose time is over, at most `limit`; how many."""
    due = await db.scalars(
        select(Transfer)
        .where(Transfer.state.in_(OPEN), Transfer.expires_at <= now)
        .order_by(Transfer.expires_at)
        .limit(max(1, min(limit, MAX_EXPIRED_AT_ONCE)))
        # Somebody is at work on the others.
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    expired = [await _expire(db, transfer, now) for transfer in due.all()]
    return len(expired)


def refusal(transfer: Transfer) -> AppError | None:
    """The error to answer with where a transfer came to nothing (failed, expired, declined); else None."""
    if transfer.state is State.FAILED:
        code, why = transfer.failure_code, transfer.failure_text
        return Conflict(why or "", code=code, spoken=words.said(transfer))
    if transfer.state in (State.EXPIRED, State.DECLINED):
        return Conflict(words.shown(transfer), code=f"transfer_{transfer.state.value}", spoken=words.said(transfer))
    return None


async def _execute(
    db: AsyncSession, actor: Actor, customer: Customer, transfer: Transfer, target: Beneficiary | Bill, now: datetime
) -> Transfer:
    """Move the money of a confirmed transfer: all of it and whatever belongs to it, or nothing and the reason why."""
    try:
        async with db.begin_nested():
            posting, here = await _move(db, transfer, target, beneficiaries.plain_name(customer.name), now)
    except AppError as error:
        if error.retryable:
            raise
        return await _fail(db, actor, transfer, error, now)
    after = select(Entry.balance_after_minor).where(
        Entry.posting_id == posting.id, Entry.account_id == transfer.account_id
    )
    transfer = await _must_step(
        db,
        transfer,
        State.CONFIRMED,
        State.POSTED,
        posting_id=posting.id,
        posted_at=now,
        balance_after_minor=after.scalar_subquery(),
    )
    _note(db, actor, transfer, now, posting_id=posting.id)
    _tell(db, transfer, here, now)
    return transfer


async def _move(
    db: AsyncSession, transfer: Transfer, target: Beneficiary | Bill, customer_name: str, now: datetime
) -> tuple[Posting, Account | None]:
    """The posting, and the other side's account if a customer of ours holds it."""
    amount, here = transfer.amount_minor, None
    await limits.check(
        db,
        customer_id=transfer.customer_id,
        channel=transfer.channel,
        amount_minor=amount,
        now=now,
    )
    if isinstance(target, Bill):
        house, kind, category = House.MERCHANTS, PostingKind.BILL, target.category.value
    else:
        house, kind, category = House.OTHER_BANKS, PostingKind.TRANSFER, "transfer"
        if target.is_new(now):
            await limits.check_new_payee(db, customer_id=transfer.customer_id, amount_minor=amount, now=now)
        here = await account_here(db, target)
    sent, received = words.narrations(transfer, customer_name)
    posting = await ledger.post(
        db,
        legs=[
            Leg(transfer.account_id, -amount, transfer.payee_name, sent),
            Leg(
                here.id if here else await accounts.house(db, house, now=now, currency=transfer.currency),
                amount,
                customer_name,
                received,
            ),
        ],
        kind=kind,
        category=category,
        narration=sent,
        key=f"transfer:{transfer.id}",
        at=now,
    )
    if isinstance(target, Bill):
        await bills.settle(db, bill_id=target.id, customer_id=transfer.customer_id, transfer_id=transfer.id, now=now)
    return posting, here


async def _challenge(db: AsyncSession, policy: Policy, actor: Actor, transfer: Transfer, now: datetime) -> Transfer:
    asked = await mfa.ask(
        db,
        secret=policy.secret,
        subject=actor.subject,
        role=actor.role,
        purpose="transfer",
        bound_to=transfer.link,
        text=lambda code: words.code_message(transfer, code),
        delivery=policy.delivery,
        now=now,
    )
    transfer = await _must_step(
        db,
        transfer,
        State.CONFIRMED,
        State.CHALLENGED,
        challenge_id=asked.id,
        expires_at=asked.expires_at,
    )
    _note(db, actor, transfer, now, factor=transfer.factor.value)
    return transfer


async def _unchanged(db: AsyncSession, policy: Policy, transfer: Transfer) -> Beneficiary | Bill | AppError:
    """The payee or bill a transfer is for, if everything still is as it was drafted; else why not."""
    owner = transfer.customer_id
    try:
        if transfer.bill_id is not None:
            target = await bills.own(db, customer_id=owner, bill_id=transfer.bill_id)
        else:
            target = await beneficiaries.own(db, customer_id=owner, beneficiary_id=transfer.beneficiary_id or "")
    except NotFound:
        return Conflict("The payee has been removed.", code="payee_gone")
    if link_of(policy.secret, transfer, stored(target)) != transfer.link:
        return Conflict("Something about it has changed since it was read out.", code="draft_changed")
    return target


async def _fail(db: AsyncSession, actor: Actor, transfer: Transfer, why: AppError, now: datetime) -> Transfer:
    transfer = await _must_step(
        db, transfer, transfer.state, State.FAILED, failure_code=why.code, failure_text=why.message
    )
    _note(db, actor, transfer, now, "failed", failure=why.code)
    return transfer


async def _expire(db: AsyncSession, transfer: Transfer, now: datetime) -> Transfer:
    """End a transfer whose time is over, or see what else has become of it meanwhile."""
    expired = await _step(db, transfer.id, transfer.state, State.EXPIRED, Transfer.expires_at <= now)
    if expired is None:
        return await own(db, customer_id=transfer.customer_id, transfer_id=transfer.id)
    _note(db, SYSTEM, expired, now)
    return expired


async def _step(
    db: AsyncSession, transfer_id: str, of: State, to: State, *conditions: ColumnElement[bool], **values: Any
) -> Transfer | None:
    """Take a transfer to its next state if it is there and meets the conditions; of any number at once, one does."""
    return await db.scalar(
        update(Transfer)
        .where(Transfer.id == transfer_id, Transfer.state == of, *conditions)
        .values(state=to, **values)
        .returning(Transfer)
        .execution_options(populate_existing=True, synchronize_session=False)
    )


async def _must_step(db: AsyncSession, transfer: Transfer, of: State, to: State, **values: Any) -> Transfer:
    """`_step` of a transfer that this transaction has locked."""
    taken = await _step(db, transfer.id, of, to, **values)
    assert taken is not None, f"a locked transfer left {of}"
    return taken


def _note(
    db: AsyncSession, actor: Actor, transfer: Transfer, now: datetime, result: audit.Result = "ok", **more: str
) -> None:
    details = {"amount_minor": transfer.amount_minor, "currency": transfer.currency, **more}
    audit.note(
        db,
        actor=actor,
        act=f"transfer.{transfer.state.value}",
        subject=transfer.id,
        customer_id=transfer.customer_id,
        result=result,
        details=details,
        at=now,
    )


def _tell(db: AsyncSession, transfer: Transfer, here: Account | None, now: datetime) -> None:
    """Tell other systems, by ids and amounts."""
    webhooks.put(
        db,
        event=webhooks.Event.TRANSACTION_COMPLETED,
        payload={
            "transfer_id": transfer.id,
            "posting_id": transfer.posting_id,
            "customer_id": transfer.customer_id,
            "account_id": transfer.account_id,
            "beneficiary_id": transfer.beneficiary_id,
            "bill_id": transfer.bill_id,
            "amount_minor": transfer.amount_minor,
            "currency": transfer.currency,
            "posted_at": now.isoformat(),
        },
        at=now,
    )
    balances = [(transfer.account_id, transfer.balance_after_minor)]
    if here is not None:
        balances.append((here.id, here.balance_minor))
    for account_id, balance_minor in balances:
        webhooks.put(
            db,
            event=webhooks.Event.BALANCE_UPDATED,
            payload={
                "account_id": account_id,
                "balance_minor": balance_minor,
                "currency": transfer.currency,
                "posting_id": transfer.posting_id,
            },
            at=now,
        )
