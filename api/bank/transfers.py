"""Transfers over HTTP: the same machine as by voice; a request to send is the sender's consent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.bank.asking import CODES, MONEY, CustomerId, noun
from api.bank.schemas import (
    BillPaidOut,
    ConfirmIn,
    FailureOut,
    PayBillIn,
    PayeeOut,
    SourceOut,
    TransferChallengeOut,
    TransferConfirmIn,
    TransferIn,
    TransferOut,
    VerifyIn,
    masked,
)
from api.deps import Acting, App
from api.errors import ErrorOut
from api.fields import PathId
from api.idempotent import Once
from api.paging import PageOut, Paging
from banking import transfers
from banking.accounts import Account
from banking.beneficiaries import Beneficiary
from banking.bills import Bill
from banking.policy import Policy
from banking.transfers import Mode, State, Transfer
from core.clock import utc_now
from core.errors import AppError, Conflict, Invalid
from identity import mfa
from identity.actor import Actor

CHALLENGED: dict[int | str, dict[str, Any]] = {
    202: {"model": TransferOut, "description": "Nothing has moved yet: a second factor is asked for"}
}

router = noun()
bare = noun()

Outcome = tuple[int, BaseModel]

Row = TypeVar("Row", Account, Beneficiary, Bill)


class TransfersIn(Paging):
    """Which transfers."""

    state: State | None = None


@router.get("/transfers")
async def list_transfers(
    app: App, customer_id: CustomerId, wanted: Annotated[TransfersIn, Query()]
) -> PageOut[TransferOut]:
    """My transfers and bill payments, the newest first."""
    async with app.db.reading() as db:
        rows, total = await transfers.of_customer(
            db, customer_id=customer_id, page=wanted.page, per_page=wanted.per_page, state=wanted.state
        )
        return wanted.of(await shown(db, rows), total)


@router.get("/transfers/{transfer_id}")
async def get_transfer(transfer_id: PathId, app: App, customer_id: CustomerId) -> TransferOut:
    """How one of my transfers stands."""
    async with app.db.reading() as db:
        return await shown_one(db, await transfers.own(db, customer_id=customer_id, transfer_id=transfer_id))


@router.post("/transfers", status_code=201, response_model=TransferOut, responses=CHALLENGED, dependencies=[MONEY])
async def send(body: TransferIn, app: App, customer_id: CustomerId, actor: Acting, once: Once) -> Response:
    """Send money to a payee now. Where a second factor is asked for, give it to `/transfers/{id}/verify`."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        drafted = await asker.draft(db, body, key=once.key)
        return await outcome(db, await asker.confirm(db, drafted.id), posted=201)

    return await once.run(work)


async def draft(body: TransferIn, app: App, customer_id: CustomerId, actor: Acting, once: Once) -> Response:
    """Draft a transfer, to be shown and confirmed within two minutes; nothing moves yet."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        return 201, await shown_one(db, await asker.draft(db, body, key=once.key))

    return await once.run(work)


router.post("/transfers/draft", status_code=201, response_model=TransferOut, dependencies=[MONEY])(draft)
bare.post("/transfer/init", status_code=201, response_model=TransferOut, dependencies=[MONEY])(draft)


@router.post("/transfers/{transfer_id}/confirm", response_model=TransferOut, responses=CHALLENGED, dependencies=[MONEY])
async def confirm(
    transfer_id: PathId, app: App, customer_id: CustomerId, actor: Acting, once: Once, body: ConfirmIn | None = None
) -> Response:
    """Agree to a draft. Where a second factor is asked for, give it to `verify`."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        return await outcome(db, await asker.confirm(db, transfer_id, link=body.link if body else None))

    return await once.run(work)


@router.post("/transfers/{transfer_id}/verify", response_model=TransferOut, responses=CHALLENGED, dependencies=[CODES])
async def verify(
    transfer_id: PathId, body: VerifyIn, app: App, customer_id: CustomerId, actor: Acting, once: Once
) -> Response:
    """Give the second factor; three wrong ones end the transfer."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        return await outcome(db, *await asker.answer(db, transfer_id, body.code))

    return await once.run(work)


@bare.post("/transfer/confirm", response_model=TransferOut, responses=CHALLENGED, dependencies=[CODES])
async def confirm_with_code(
    body: TransferConfirmIn, app: App, customer_id: CustomerId, actor: Acting, once: Once
) -> Response:
    """Agree to a draft and, where one was asked for, give the second factor."""
    asker = Asker(app.policy, actor, customer_id)

    async def work(db: AsyncSession) -> Outcome:
        row = await asker.confirm(db, body.transfer_id)
        if body.otp is None or row.state is not State.CHALLENGED:
            return await outcome(db, row)
        return await outcome(db, *await asker.answer(db, row.id, body.otp))

    return await once.run(work)


@router.post("/transfers/{transfer_id}/decline", dependencies=[MONEY])
async def decline(transfer_id: PathId, app: App, customer_id: CustomerId, actor: Acting) -> TransferOut:
    """Call off a transfer that has not been posted."""
    async with app.db.transaction() as db:
        row = await transfers.decline(db, actor=actor, customer_id=customer_id, transfer_id=transfer_id, now=utc_now())
        if row.state is State.POSTED:
            raise Conflict("That has been sent already and cannot be called off.", code="already_posted")
        return await shown_one(db, row)


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose transfers, who acts, and by which rules."""

    policy: Policy
    actor: Actor
    customer_id: str

    async def draft(self, db: AsyncSession, body: TransferIn, *, key: str) -> Transfer:
        """What is asked for, checked and stored."""
        return await transfers.prepare(
            db,
            policy=self.policy,
            actor=self.actor,
            customer_id=self.customer_id,
            beneficiary_id=body.beneficiary_id,
            amount_minor=body.minor,
            account_id=body.account_id,
            mode=Mode(body.mode.lower()) if body.mode else None,
            note=body.note,
            key=key,
            now=utc_now(),
        )

    async def draft_bill(self, db: AsyncSession, body: PayBillIn, *, key: str) -> Transfer:
        """A bill's payment, checked and stored."""
        return await transfers.prepare_bill(
            db,
            policy=self.policy,
            actor=self.actor,
            customer_id=self.customer_id,
            bill_id=body.bill_id,
            account_id=body.account_id,
            key=key,
            now=utc_now(),
        )

    async def confirm(self, db: AsyncSession, transfer_id: str, *, link: str | None = None) -> Transfer:
        """Carry it out, or ask for the second factor."""
        return await transfers.confirm(
            db,
            policy=self.policy,
            actor=self.actor,
            customer_id=self.customer_id,
            transfer_id=transfer_id,
            link=link,
            now=utc_now(),
        )

    async def answer(self, db: AsyncSession, transfer_id: str, code: str) -> tuple[Transfer, mfa.Answer]:
        """Check the second factor, and carry it out if it is right."""
        return await transfers.answer(
            db,
            policy=self.policy,
            actor=self.actor,
            customer_id=self.customer_id,
            transfer_id=transfer_id,
            code=code,
            now=utc_now(),
        )


async def outcome(db: AsyncSession, row: Transfer, answer: mfa.Answer | None = None, *, posted: int = 200) -> Outcome:
    """Status and body for what has become of a transfer: a success only for money that has moved.

    A refusal is given, not raised: that the transfer has failed, or the try was used, is to be committed.
    """
    refused = transfers.refusal(row)
    if refused is None and answer is not None and not answer.right:
        refused = _not_accepted(row, answer)
    if refused is not None:
        return refused.status, ErrorOut.of(refused)
    return 202 if row.state is State.CHALLENGED else posted, await shown_one(db, row)


def _not_accepted(row: Transfer, answer: mfa.Answer) -> AppError:
    if row.state is not State.CHALLENGED:
        return Conflict("No code has been asked for. Confirm the transfer first.", code="no_code_asked")
    tries = "1 try is" if answer.tries_left == 1 else f"{answer.tries_left} tries are"
    return Invalid(f"That code is not right. {tries} left.", code="wrong_code")


async def shown_one(db: AsyncSession, row: Transfer) -> TransferOut:
    """One transfer for the screen."""
    return (await shown(db, [row]))[0]


async def shown(db: AsyncSession, rows: Sequence[Transfer]) -> list[TransferOut]:
    """Transfers for the screen, with the accounts, payees and bills they name."""
    accounts = await _by_id(db, Account, (row.account_id for row in rows))
    payees = await _by_id(db, Beneficiary, (row.beneficiary_id for row in rows))
    bills = await _by_id(db, Bill, (row.bill_id for row in rows))
    return [
        _out(
            row,
            account=accounts[row.account_id],
            payee=payees.get(row.beneficiary_id or ""),
            bill=bills.get(row.bill_id or ""),
            asked=await mfa.get(db, row.challenge_id) if row.state is State.CHALLENGED and row.challenge_id else None,
        )
        for row in rows
    ]


async def _by_id(db: AsyncSession, table: type[Row], ids: Iterable[str | None]) -> dict[str, Row]:
    wanted = {row_id for row_id in ids if row_id is not None}
    if not wanted:
        return {}
    return {row.id: row for row in await db.scalars(select(table).where(table.id.in_(wanted)))}


def _out(
    row: Transfer, *, account: Account, payee: Beneficiary | None, bill: Bill | None, asked: mfa.Asked | None
) -> TransferOut:
    return TransferOut(
        id=row.id,
        state=row.state,
        amount_minor=row.amount_minor,
        currency=row.currency,
        payee=PayeeOut(
            id=payee.id,
            nickname=row.payee_name,
            name=row.payee_detail,
            account_masked=masked(row.payee_tail),
            ifsc=payee.ifsc,
        )
        if payee
        else None,
        bill=BillPaidOut(id=bill.id, biller_name=row.payee_name, category=bill.category) if bill else None,
        account=SourceOut(id=account.id, kind=account.kind, number_masked=masked(account.number)),
        mode=row.mode.name,
        note=row.note,
        read_back=transfers.shown(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        posted_at=row.posted_at,
        posting_id=row.posting_id,
        balance_after_minor=row.balance_after_minor,
        failure=FailureOut(code=row.failure_code, message=row.failure_text or "") if row.failure_code else None,
        challenge=TransferChallengeOut(
            id=asked.id,
            method=asked.method,
            length=asked.length,
            sent_to=asked.sent_to,
            expires_at=asked.expires_at,
            tries_left=asked.tries_left,
        )
        if asked
        else None,
        link=row.link,
    )
