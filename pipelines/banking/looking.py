"""What the bank's agent can look up."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from banking import accounts, beneficiaries, bills, ledger, loans, reminders, transfers
from banking.accounts import Account
from banking.bills import Bill, BillState
from banking.days import IST, add_months, midnight, today
from banking.loans import LoanView
from banking.reminders import Reminder, ReminderState
from banking.transfers import State
from core.errors import NotFound
from core.spoken import normalise, say_date, say_list, say_money, say_number, say_time
from pipelines.banking.drafts import draft_of
from pipelines.base import Json, Spoken, ToolContext
from pipelines.tools import tool

MAX_SPOKEN = 5
"""Things read out at once; nobody remembers more."""

MAX_SHOWN = 20

_ENDS = re.compile(r"[.!?;।॥]+(?=\s|$)|[\n\r]+")

AccountKind = Annotated[
    Literal["savings", "current"] | None, Field(description="Which of the caller's accounts; leave out if not said")
]
Period = Annotated[
    Literal["today", "yesterday", "this week", "last week", "this month", "last month", "this year", "last year"],
    Field(description="The time asked about"),
]
Page = Literal["accounts", "statement", "payees", "transfer", "bills", "loans", "reminders", "call"]
View = Annotated[Page, Field(description="Which page; call is the page of this call")]


@tool(doing="Looking up your balance")
async def get_balance(ctx: ToolContext, account: AccountKind = None) -> Spoken:
    """Look up the balance of the caller's account, e.g. for "what is my balance" or "how much is in my savings"."""
    own = await accounts.find_own(ctx.db, customer_id=ctx.customer_id, kind=account)
    balance = await ledger.balance(ctx.db, own.id)
    return Spoken(
        f"Your {own.spoken_name} balance is {say_money(balance)}.",
        {"kind": "balance", "account": own.kind.value, "balance_minor": balance.minor, "currency": balance.currency},
    )


@tool(doing="Looking up your latest transactions")
async def get_transactions(
    ctx: ToolContext,
    count: Annotated[int, Field(ge=1, le=MAX_SHOWN, description="How many, newest first")] = 3,
    account: AccountKind = None,
) -> Spoken:
    """Look up the caller's latest transactions, e.g. for "what are my last three transactions"."""
    own = await accounts.find_own(ctx.db, customer_id=ctx.customer_id, kind=account)
    lines = await ledger.statement(ctx.db, account_id=own.id, limit=count)
    return Spoken(
        _spoken_lines(own, lines, count, ctx.now),
        {
            "kind": "transactions",
            "account": own.kind.value,
            "currency": own.currency,
            "lines": [
                {
                    "at": line.at.isoformat(),
                    "description": line.narration,
                    "amount_minor": line.amount.minor,
                    "balance_after_minor": line.balance_after.minor,
                }
                for line in lines
            ],
        },
        also=tuple(_spoken_line(line, ctx.now) for line in lines[MAX_SPOKEN:]),
    )


@tool(doing="Adding up what you spent")
async def get_spending(
    ctx: ToolContext,
    period: Period = "this month",
    category: Annotated[
        str | None, Field(max_length=40, description='What for, in one word ("groceries"); leave out for everything')
    ] = None,
) -> Spoken:
    """Add up what the caller spent, e.g. for "how much did I spend on groceries last month"."""
    since, until = _bounds(period, today(ctx.now))
    held = await accounts.of_customer(ctx.db, customer_id=ctx.customer_id)
    spending = await ledger.spent(
        ctx.db, account_ids=[account.id for account in held], since=since, until=until, category=category
    )
    what = f" on {category.strip().lower()}" if category else ""
    card: dict[str, Json] = {
        "kind": "spending",
        "account": "all",
        "period": period,
        "category": category,
        "total_minor": spending.total.minor,
        "currency": spending.total.currency,
        "categories": [
            {"category": name, "amount_minor": amount.minor} for name, amount in spending.by_category.items()
        ],
    }
    if spending.count == 0:
        return Spoken(f"You spent nothing{what} {_when(period)}.", card)
    times = "one payment" if spending.count == 1 else f"{say_number(spending.count)} payments"
    text = f"You spent {say_money(spending.total)}{what} {_when(period)}, in {times}."
    if category is None and len(spending.by_category) > 1:
        most = next(iter(spending.by_category.items()))
        text += f" Most of it, {say_money(most[1])}, was for {most[0]}."
    return Spoken(text, card)


@tool(doing="Looking up your payees")
async def list_payees(ctx: ToolContext) -> Spoken:
    """List the people the caller can send money to, e.g. for "who are my payees"."""
    payees = await beneficiaries.of_customer(ctx.db, customer_id=ctx.customer_id)
    card: dict[str, Json] = {
        "kind": "payees",
        "account": "all",
        "payees": [{"nickname": p.nickname, "name": p.name, "tail": p.account_number[-4:]} for p in payees[:MAX_SHOWN]],
    }
    if not payees:
        return Spoken("You have no payees yet. You can add one on the payees page.", card)
    told = [payee.nickname for payee in payees[: 2 * MAX_SPOKEN]]
    more = len(payees) - len(told)
    text = f"You can send money to {say_list(told, conjunction='or')}."
    return Spoken(f"{text} {say_number(more).capitalize()} more are on your screen." if more else text, card)


@tool(doing="Looking up your bills")
async def list_bills(ctx: ToolContext) -> Spoken:
    """Tell which of the caller's bills are due and how much each is, e.g. for "do I have any bills to pay"."""
    due, total = await bills.of_customer(ctx.db, customer_id=ctx.customer_id, state=BillState.DUE, per_page=MAX_SHOWN)
    card: dict[str, Json] = {"kind": "bills", "account": "all", "bills": [_bill_card(bill) for bill in due]}
    if not due:
        return Spoken("You have no bills to pay.", card)
    told = [_spoken_bill(bill, ctx.now) for bill in due[:MAX_SPOKEN]]
    if total == 1:
        return Spoken(f"You have one bill to pay: {told[0]}.", card)
    text = f"You have {say_number(total)} bills to pay: {'; '.join(told)}."
    left = total - len(told)
    return Spoken(f"{text} The other {say_number(left)} are on your screen." if left else text, card)


@tool(doing="Looking up your loans")
async def get_loans(ctx: ToolContext) -> Spoken:
    """Tell what the caller still owes on loans and when the next instalment is due."""
    views = await loans.of_customer(ctx.db, customer_id=ctx.customer_id)
    card: dict[str, Json] = {
        "kind": "loans",
        "account": "all",
        "loans": [
            {
                "loan": view.loan.kind.value,
                "outstanding_minor": view.outstanding.minor,
                "emi_minor": view.emi.minor,
                "currency": view.outstanding.currency,
                "next_due_on": view.next_due_on.isoformat() if view.next_due_on else None,
                "left": view.left,
            }
            for view in views
        ],
    }
    if not views:
        return Spoken("You have no loans with us.", card)
    return Spoken(" ".join(_spoken_loan(view, ctx.now) for view in views[:MAX_SPOKEN]), card)


@tool(doing="Looking up your reminders")
async def list_reminders(ctx: ToolContext) -> Spoken:
    """Tell what the caller has asked to be reminded of."""
    due, total = await reminders.of_customer(
        ctx.db, customer_id=ctx.customer_id, state=ReminderState.SCHEDULED, per_page=MAX_SHOWN
    )
    card: dict[str, Json] = {
        "kind": "reminders",
        "account": "all",
        "reminders": [{"text": each.text, "due_at": each.due_at.isoformat()} for each in due],
    }
    if not due:
        return Spoken("You have no reminders.", card)
    told = "; ".join(_spoken_reminder(each, ctx.now) for each in due[:MAX_SPOKEN])
    count = "one reminder" if total == 1 else f"{say_number(total)} reminders"
    return Spoken(f"You have {count}: {told}.", card, foreign=tuple(normalise(each.text) for each in due))


@tool(doing="Opening the page")
async def show_page(ctx: ToolContext, view: View) -> Spoken:  # noqa: ARG001 - a tool takes its context
    """Show one of the bank's pages on the caller's screen, e.g. for "show me my statement"."""
    name = {"call": "the call", "transfer": "the transfer page"}.get(view, f"your {view}")
    return Spoken(f"Here is {name}, on your screen." if name[-1] != "s" else f"Here are {name}.", view=view)


@tool(doing="Reading it again")
async def read_draft_again(ctx: ToolContext) -> Spoken:
    """Have the pending transfer or payment read out again so that the caller can agree to it or not."""
    open_, _ = await transfers.of_customer(ctx.db, customer_id=ctx.customer_id, state=State.DRAFTED, per_page=5)
    mine = [draft for draft in open_ if draft.call_id == ctx.call_id and draft.expires_at > ctx.now]
    if not mine:
        raise NotFound("Nothing is waiting for a yes just now.", code="no_draft")
    draft = await draft_of(ctx, mine[0])
    return Spoken(draft.read_back, draft=draft)


def _spoken_lines(own: Account, lines: list[ledger.Line], count: int, now: datetime) -> str:
    if not lines:
        return f"There are no transactions on your {own.spoken_name} yet."
    told = [_spoken_line(line, now) for line in lines[:MAX_SPOKEN]]
    if len(lines) == 1:
        return f"Your latest transaction: {told[0]}."
    only = "only " if len(lines) < count else ""
    text = f"Here are your {only}{say_number(len(lines))} latest transactions: {'; '.join(told)}."
    left = len(lines) - MAX_SPOKEN
    return f"{text} The other {say_number(left)} are on your screen." if left > 0 else text


def _spoken_line(line: ledger.Line, now: datetime) -> str:
    what = normalise(_ENDS.sub(",", line.narration))  # one sentence, with its day, whatever was written
    return f"{say_date(today(line.at), today=today(now))}, {what[:1].lower()}{what[1:]}"


def _spoken_bill(bill: Bill, now: datetime) -> str:
    day = today(now)
    when = "was due" if bill.due_on < day else "due"
    return f"{bill.category.words}, {say_money(bill.amount)}, {when} {say_date(bill.due_on, today=day)}"


def _spoken_loan(view: LoanView, now: datetime) -> str:
    name = f"{view.loan.kind.value} loan"
    if view.next_due_on is None:
        return f"Your {name} is paid back."
    return (
        f"On your {name} you still owe {say_money(view.outstanding)}; the next instalment of "
        f"{say_money(view.emi)} is due {say_date(view.next_due_on, today=today(now))}."
    )


def _spoken_reminder(reminder: Reminder, now: datetime) -> str:
    local = reminder.due_at.astimezone(IST)
    return f"{say_date(local.date(), today=today(now))} at {say_time(local.time())}, {normalise(reminder.text)}"


def _bill_card(bill: Bill) -> dict[str, Json]:
    return {
        "id": bill.id,
        "biller_name": bill.biller_name,
        "category": bill.category.value,
        "amount_minor": bill.amount_minor,
        "currency": bill.currency,
        "due_on": bill.due_on.isoformat(),
    }


def _bounds(period: str, day: date) -> tuple[datetime, datetime]:
    """When a period begins and ends, as people in India mean it; weeks begin on Monday."""
    monday, first, january = day - timedelta(days=day.weekday()), day.replace(day=1), day.replace(month=1, day=1)
    one, week = timedelta(days=1), timedelta(weeks=1)
    since, until = {
        "today": (day, day + one),
        "yesterday": (day - one, day),
        "this week": (monday, monday + week),
        "last week": (monday - week, monday),
        "this month": (first, add_months(first, 1)),
        "last month": (add_months(first, -1), first),
        "this year": (january, january.replace(year=day.year + 1)),
        "last year": (january.replace(year=day.year - 1), january),
    }[period]
    return midnight(since), midnight(until)


def _when(period: str) -> str:
    return period if period in ("today", "yesterday") else period.replace("this", "so far this")
