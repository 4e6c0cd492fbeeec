"""What is said and shown about a transfer, from its row and nothing else."""

from __future__ import annotations

from banking.accounts import Account
from banking.transfers import hindi
from banking.transfers.row import Factor, Mode, State, Transfer
from core.money import MINOR_PER_MAJOR, SYMBOLS, Money
from core.spoken import normalise, say_digits, say_money
from core.spoken.amounts import confusable, say_digits_of


def read_back(transfer: Transfer, account: Account, *, language: str = "en") -> str:
    """The question to say aloud before anything moves: amount, payee, account, as stored.

    An amount that is easily misheard is repeated digit by digit; a payee who could be taken for another is told apart.

    Args:
        account: The transfer's own, whence the money comes.
        language: English ("en") or Hindi ("hi").
    """
    if language == "hi":
        return hindi.read_back(transfer, account)
    amount = say_money(transfer.amount)
    if confusable(transfer.amount):
        amount = f"{amount}, that is {say_digits_of(transfer.amount)},"
    account_name = f"your {account.spoken_name}"
    if transfer.mode is Mode.BILL:
        what = f"Pay {amount} to {transfer.payee_name} for your {transfer.payee_detail} from {account_name}."
    else:
        what = f"Send {amount} to {_payee(transfer)} from {account_name}."
    code = " I will ask you for a code then." if transfer.factor is not Factor.NONE else ""
    return f"{what}{code} Shall I go ahead?"


def said(transfer: Transfer, *, language: str = "en") -> str:
    """How a transfer stands, to say aloud; of a posted one only ever from the committed row."""
    if language == "hi":
        return hindi.said(transfer)
    amount = say_money(transfer.amount)
    if transfer.state is State.POSTED:
        balance = transfer.balance_after
        assert balance is not None
        return (
            f"Done. I've {_did(transfer)} {amount} to {transfer.payee_name}. Your new balance is {say_money(balance)}."
        )
    return _not_posted(transfer, amount, normalise(transfer.failure_text or ""))


def shown(transfer: Transfer) -> str:
    """How a transfer stands, for a screen."""
    amount = figures(transfer.amount)
    if transfer.state is State.POSTED:
        balance = transfer.balance_after
        assert balance is not None
        return f"{_did(transfer).capitalize()} {amount} to {_detailed(transfer)}. New balance: {figures(balance)}."
    if transfer.state is State.DRAFTED:
        verb = "Pay" if transfer.mode is Mode.BILL else "Send"
        return f"{verb} {amount} to {_detailed(transfer)}? Nothing has been {_did(transfer)} yet."
    return _not_posted(transfer, amount, transfer.failure_text or "")


def code_message(transfer: Transfer, code: str) -> str:
    """The text that brings a code: what it is for stands beside it, so that nobody gives it away for something else."""
    verb = "pay" if transfer.mode is Mode.BILL else "send"
    return f"Code {code} to {verb} {figures(transfer.amount)} to {_holder(transfer)}. Never tell it to anyone."


def figures(amount: Money) -> str:
    """An amount in figures as India writes it: ₹1,23,456 or ₹99.50."""
    sign, whole = ("-" if amount.minor < 0 else ""), str(abs(amount.minor) // MINOR_PER_MAJOR[amount.currency])
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    minor = f".{amount.minor_part:02d}" if amount.minor_part else ""
    return f"{sign}{SYMBOLS[amount.currency]}{','.join([*groups, tail])}{minor}"


def narrations(transfer: Transfer, customer_name: str) -> tuple[str, str]:
    """The statement's text for the customer's side and for the other side."""
    amount = figures(transfer.amount).replace(",", "")
    if transfer.mode is Mode.BILL:
        return f"Paid {amount} to {transfer.payee_name}", f"Received {amount} from {customer_name}"
    return f"Sent {amount} to {transfer.payee_name}", f"Received {amount} from {customer_name}"


def _not_posted(transfer: Transfer, amount: str, why: str) -> str:
    to, verb = transfer.payee_name, "pay" if transfer.mode is Mode.BILL else "send"
    match transfer.state:
        case State.CHALLENGED:
            return f"I need your code before I can {verb} {amount} to {to}. Nothing has been {_did(transfer)} yet."
        case State.DECLINED:
            return f"Cancelled. Nothing has been {_did(transfer)} to {to}."
        case State.EXPIRED:
            return f"That took too long, so nothing has been {_did(transfer)} to {to}."
        case State.FAILED:
            return f"I could not {verb} {amount} to {to}. {why} Nothing has been {_did(transfer)}."
        case _:
            return f"Nothing has been {_did(transfer)} to {to} yet."


def _did(transfer: Transfer) -> str:
    return "paid" if transfer.mode is Mode.BILL else "sent"


def _payee(transfer: Transfer) -> str:
    """As the customer calls them, and where that could be somebody else, who exactly."""
    if not transfer.payee_alike:
        return transfer.payee_name
    names = dict.fromkeys([transfer.payee_name, transfer.payee_detail])  # each once
    return f"{', '.join(names)}, account ending in {say_digits(transfer.payee_tail)},"


def _holder(transfer: Transfer) -> str:
    if transfer.mode is Mode.BILL:
        return f"{transfer.payee_name} …{transfer.payee_tail}"
    return f"{transfer.payee_detail} …{transfer.payee_tail}"


def _detailed(transfer: Transfer) -> str:
    if transfer.mode is Mode.BILL:
        return f"{transfer.payee_name} ({transfer.payee_detail} …{transfer.payee_tail})"
    if transfer.payee_detail == transfer.payee_name:
        return f"{transfer.payee_name} …{transfer.payee_tail}"
    return f"{transfer.payee_name} ({transfer.payee_detail} …{transfer.payee_tail})"
