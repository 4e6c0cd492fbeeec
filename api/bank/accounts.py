"""Accounts: what a customer holds, and how much they may send."""

from __future__ import annotations

from api.bank.asking import CustomerId, noun
from api.bank.schemas import AccountDetailOut, AccountOut, BalanceOut, LimitsOut, masked
from api.deps import Acting, App
from api.fields import PathId
from api.paging import Page, PageOut
from banking import accounts, limits
from banking.accounts import Account
from banking.beneficiaries import COOL_OFF_MAX_MINOR
from core.clock import utc_now

router = noun()
balances = noun()


@router.get("/accounts")
async def list_accounts(app: App, customer_id: CustomerId, page: Page) -> PageOut[AccountOut]:
    """My accounts, the primary one first."""
    async with app.db.reading() as db:
        return page.cut([_out(account) for account in await accounts.of_customer(db, customer_id=customer_id)])


@router.get("/accounts/{account_id}")
async def get_account(account_id: PathId, app: App, customer_id: CustomerId) -> AccountDetailOut:
    """One of my accounts, with its whole number."""
    async with app.db.reading() as db:
        account = await accounts.own(db, customer_id=customer_id, account_id=account_id)
    return AccountDetailOut(**_out(account).model_dump(), number=account.number)


@balances.get("/balance")
async def get_balance(app: App, customer_id: CustomerId) -> BalanceOut:
    """All I have, and on which accounts."""
    async with app.db.reading() as db:
        held = [_out(account) for account in await accounts.of_customer(db, customer_id=customer_id)]
    return BalanceOut(
        balance_minor=sum(account.balance_minor for account in held),
        available_minor=sum(account.available_minor for account in held),
        currency=held[0].currency if held else "INR",
        accounts=held,
    )


@router.get("/limits")
async def get_limits(app: App, customer_id: CustomerId, actor: Acting) -> LimitsOut:
    """How much I may send through this channel."""
    async with app.db.reading() as db:
        now = await limits.of(db, customer_id=customer_id, channel=actor.channel, now=utc_now())
    return LimitsOut(
        channel=actor.channel,
        currency=now.per_day.currency,
        per_transfer_minor=now.per_transfer.minor,
        per_day_minor=now.per_day.minor,
        used_today_minor=now.used_today.minor,
        left_today_minor=max(0, now.per_day.minor - now.used_today.minor),
        second_factor_above_minor=app.policy.mfa_above_minor,
        new_payee_minor=COOL_OFF_MAX_MINOR,
    )


def _out(account: Account) -> AccountOut:
    return AccountOut(
        id=account.id,
        kind=account.kind,
        name=account.spoken_name.capitalize(),
        number_masked=masked(account.number),
        currency=account.currency,
        balance_minor=account.balance_minor,
        available_minor=account.available.minor,
        held_minor=account.held_minor,
        status=account.status,
        is_primary=account.is_primary,
        opened_at=account.opened_at,
    )
