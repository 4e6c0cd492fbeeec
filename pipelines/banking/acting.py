"""What the bank's agent can have done. Money only ever becomes a draft here; the teller settles it."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from banking import beneficiaries, bills, reminders, requests, transfers
from banking.days import IST, today
from banking.reminders import Repeats
from banking.requests import RequestKind
from core.errors import Invalid
from core.spoken import say_code, say_date, say_time
from core.spoken.amounts import amounts_meant
from core.spoken.devanagari import transliterate
from pipelines.banking.drafts import draft_of, policy
from pipelines.banking.looking import AccountKind
from pipelines.base import Act, Spoken, ToolContext
from pipelines.tools import tool

MORNING = time(9, 0)
"""When a reminder for a day comes that was given no time."""

PAISE = 100


class AmountNotHeard(Invalid):
    """The model names an amount that the caller has not said."""

    code = "amount_not_heard"

    def __init__(self) -> None:
        super().__init__("How much should it be? Please say the amount once more.")


@tool(doing="Preparing the transfer", writes=True)
async def send_money(
    ctx: ToolContext,
    payee: Annotated[str, Field(min_length=1, max_length=64, description="Whom to pay, by the name the caller said")],
    amount: Annotated[float, Field(gt=0, le=10**9, description="Rupees, as the caller said them")],
    account: AccountKind = None,
) -> Spoken:
    """Prepare a transfer to one of the caller's saved payees, when they have said whom and how much.

    The bank then reads it to the caller and asks for their yes by itself; nothing is sent before that. Never say that
    it is sent.
    """
    amount_minor = _heard_minor(ctx, amount)
    to = await beneficiaries.resolve(ctx.db, customer_id=ctx.customer_id, said=transliterate(payee))
    transfer = await transfers.prepare(
        ctx.db,
        policy=policy(ctx.means),
        actor=ctx.actor,
        customer_id=ctx.customer_id,
        beneficiary_id=to.id,
        amount_minor=amount_minor,
        account_kind=account,
        key=ctx.key,
        now=ctx.now,
    )
    draft = await draft_of(ctx, transfer)
    return Spoken(draft.read_back, draft=draft)


@tool(doing="Preparing the payment", writes=True)
async def pay_bill(
    ctx: ToolContext,
    bill: Annotated[str, Field(min_length=1, max_length=64, description='Which one: "electricity", or the biller')],
    account: AccountKind = None,
) -> Spoken:
    """Prepare the payment of one of the caller's due bills.

    The bank then reads it to the caller and asks for their yes by itself; nothing is paid before that. Never say that
    it is paid.
    """
    found = await bills.find_own(ctx.db, customer_id=ctx.customer_id, said=bill)
    transfer = await transfers.prepare_bill(
        ctx.db,
        policy=policy(ctx.means),
        actor=ctx.actor,
        customer_id=ctx.customer_id,
        bill_id=found.id,
        account_kind=account,
        key=ctx.key,
        now=ctx.now,
    )
    draft = await draft_of(ctx, transfer)
    return Spoken(draft.read_back, draft=draft)


@tool(doing="Setting the reminder", writes=True)
async def add_reminder(
    ctx: ToolContext,
    text: Annotated[str, Field(min_length=1, max_length=200, description="What to be reminded of")],
    day: Annotated[date, Field(description="On which day, YYYY-MM-DD")],
    at: Annotated[time | None, Field(description="At what time, HH:MM; leave out if not said")] = None,
    repeats: Annotated[Repeats, Field(description="How often it comes back")] = Repeats.NONE,
) -> Spoken:
    """Set a reminder for the caller, e.g. for "remind me to pay the rent on the first"."""
    due_at = datetime.combine(day, at or MORNING, IST)
    if at is None and day == today(ctx.now) and due_at <= ctx.now:
        raise Invalid("At what time today should I remind you?", code="bad_time")
    reminder = await reminders.add(
        ctx.db,
        actor=ctx.actor,
        customer_id=ctx.customer_id,
        text=text,
        due_at=due_at,
        repeats=repeats,
        now=ctx.now,
    )
    local = reminder.due_at.astimezone(IST)
    again = {
        Repeats.NONE: "",
        Repeats.DAILY: ", every day",
        Repeats.WEEKLY: ", every week",
        Repeats.MONTHLY: ", every month",
    }
    when = f"{say_date(local.date(), today=today(ctx.now))} at {say_time(local.time())}{again[reminder.repeats]}"
    return Spoken(
        f"I've set a reminder for {when}: {reminder.text}.",
        {"kind": "reminders", "account": "all", "reminders": [{"text": text, "due_at": reminder.due_at.isoformat()}]},
        done=Act(names=(reminder.text,)),
    )


@tool(doing="Passing this on", writes=True)
async def block_card(
    ctx: ToolContext,
    card: Annotated[Literal["debit", "credit"] | None, Field(description="Which card; leave out if not said")] = None,
) -> Spoken:
    """Ask the bank's people to block the caller's lost or stolen card, or to look at a payment that isn't theirs."""
    return await _request(ctx, RequestKind.BLOCK_CARD, f"Block the {card or 'bank'} card")


@tool(doing="Asking for a person", writes=True)
async def ask_for_person(
    ctx: ToolContext,
    complaint: Annotated[bool, Field(description="Whether the caller wants to complain")] = False,
) -> Spoken:
    """Ask that a person of the bank calls the caller back, when they want to talk to somebody or to complain."""
    kind = RequestKind.COMPLAINT if complaint else RequestKind.PERSON
    return await _request(ctx, kind, "Call the customer back")


async def _request(ctx: ToolContext, kind: RequestKind, note: str) -> Spoken:
    request = await requests.open_request(
        ctx.db, actor=ctx.actor, customer_id=ctx.customer_id, kind=kind, note=note, key=ctx.key, now=ctx.now
    )
    number = say_code(request.id[-4:])
    what = "your card is to be blocked at once" if kind is RequestKind.BLOCK_CARD else "you want to be called"
    urgent = (
        " If it is urgent, please also call the number on your bank's website."
        if kind is RequestKind.BLOCK_CARD
        else ""
    )
    return Spoken(
        f"I've told our people that {what}. The request ends in {number}, and somebody will call you back.{urgent}",
        {"kind": "request", "account": "all", "id": request.id, "request": kind.value},
        done=Act(),
    )


def _heard_minor(ctx: ToolContext, amount: float) -> int:
    """The amount in paise, if the caller has said just that.

    Raises: AmountNotHeard.
    """
    minor = Decimal(str(amount)) * PAISE
    if minor != minor.to_integral_value() or int(minor) not in amounts_meant(ctx.heard):
        raise AmountNotHeard
    return int(minor)
