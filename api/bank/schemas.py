"""What the bank's routes take and give; money is whole minor units (paise) with its currency."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from api.fields import Code, Id, Moment, Text
from api.paging import PageOut
from banking.accounts import AccountKind, AccountStatus
from banking.bills import BillCategory, BillState
from banking.days import midnight
from banking.ledger import MAX_AMOUNT_MINOR, PostingKind
from banking.loans import LoanKind
from banking.reminders import ReminderState, Repeats
from banking.transfers import State
from identity.actor import Channel

MAX_RUPEES = MAX_AMOUNT_MINOR // 100


# --- What comes in ----------------------------------------------------------------------------------------------------


def _exact_rupees(value: object) -> Decimal:
    """Rupees as they were written: a whole number, or a decimal or text with at most two decimals.

    Raises: ValueError, also for what is no decimal number at all (booleans, NaN, infinity).
    """
    if isinstance(value, str) and value.isascii() and len(value) <= 20:
        whole, point, paise = value.partition(".")
        if whole.isdigit() and (not point or (paise.isdigit() and len(paise) <= 2)):
            value = Decimal(value)
    if type(value) is int:
        value = Decimal(value) if abs(value) <= MAX_RUPEES else None
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("must be an amount in rupees such as 500 or 499.50")
    if not 0 < value <= MAX_RUPEES:
        raise ValueError(f"must be more than zero and at most {MAX_RUPEES}")
    if int(value.as_tuple().exponent) < -2:
        raise ValueError("must have at most two decimals")
    return value


def _day(value: object) -> date | None:
    """The day that is meant where a date stands instead of a moment."""
    if isinstance(value, str) and len(value) == 10:
        day = date.fromisoformat(value)
        return day if 1970 <= day.year <= 2999 else None
    return None


def _day_begins(value: object) -> object:
    day = _day(value)
    return value if day is None else midnight(day)


def _day_ends(value: object) -> object:
    day = _day(value)
    return value if day is None else midnight(day + timedelta(days=1))


Rupees = Annotated[
    Decimal,
    BeforeValidator(_exact_rupees),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_RUPEES},
                {"type": "string", "pattern": r"^[0-9]{1,13}(\.[0-9]{1,2})?$", "maxLength": 16},
            ],
            "description": "Rupees with at most two decimals, taken exactly as written; this or amount_minor",
            "examples": [500, 499.5, "499.50"],
        }
    ),
]

AmountMinor = Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT_MINOR, description="Whole paise; this or amount")]

_MOMENT_OR_DAY = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
Since = Annotated[Moment, BeforeValidator(_day_begins), WithJsonSchema(_MOMENT_OR_DAY)]
"""From a moment on, or from the beginning of a day in India."""
Until = Annotated[Moment, BeforeValidator(_day_ends), WithJsonSchema(_MOMENT_OR_DAY)]
"""Before a moment, or to the end of a day in India."""


Category = Annotated[Text, Field(min_length=1, max_length=40)]
Mode = Literal["IMPS", "NEFT"]


SOURCE = "Where it comes from; else the primary account or, if that cannot pay, the only other one that can"


class AmountIn(BaseModel):
    """An amount, said once: in rupees or in paise."""

    amount: Rupees | None = None
    amount_minor: AmountMinor | None = None
    currency: Literal["INR"] | None = Field(None, description="May be said; there is only one")

    @model_validator(mode="after")
    def _one(self) -> AmountIn:
        if (self.amount is None) == (self.amount_minor is None):
            raise ValueError("give either amount (rupees) or amount_minor (paise)")
        return self

    @property
    def minor(self) -> int:
        """The amount in whole paise."""
        if self.amount_minor is not None:
            return self.amount_minor
        assert self.amount is not None
        return int(self.amount * 100)


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) and len(value) <= 8 else value


class TransferIn(AmountIn):
    """Money to one of the customer's payees."""

    beneficiary_id: Id
    mode: Annotated[Mode, BeforeValidator(_upper)] | None = Field(
        None, description="How it travels to another bank; IMPS if not said"
    )
    account_id: Id | None = Field(None, description=SOURCE)
    note: Annotated[Text, Field(max_length=80)] = ""


class ConfirmIn(BaseModel):
    """Agreement to a draft."""

    link: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z_-]+$")] | None = Field(
        None, description="The draft's `link`: proves that what is agreed to is what was shown"
    )


class VerifyIn(BaseModel):
    """The second factor."""

    code: Code


class TransferConfirmIn(BaseModel):
    """Agreement to a draft, with the second factor where one was asked for."""

    transfer_id: Id
    otp: Code | None = None


class PayBillIn(BaseModel):
    """A due bill to be paid in full."""

    bill_id: Id
    account_id: Id | None = Field(None, description=SOURCE)


class BeneficiaryIn(BaseModel):
    """A payee to be saved."""

    nickname: Annotated[Text, Field(min_length=1, max_length=64, description="What I call them")]
    name: Annotated[Text, Field(min_length=1, max_length=120, description="As the account is held")]
    account_number: Annotated[
        Text,
        Field(min_length=6, max_length=30),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{6,18}$", "minLength": 6, "maxLength": 18}),
    ]
    ifsc: (
        Annotated[
            Text,
            Field(max_length=20),
            WithJsonSchema({"type": "string", "pattern": "^[A-Z]{4}0[A-Z0-9]{6}$", "minLength": 11, "maxLength": 11}),
        ]
        | None
    ) = Field(None, description="The other bank's branch code; none for an account at this bank")


class ReminderIn(BaseModel):
    """Something to be reminded of."""

    text: Annotated[Text, Field(min_length=1, max_length=200)]
    due_at: Moment
    repeats: Repeats = Repeats.NONE


# --- What goes out ----------------------------------------------------------------------------------------------------


class AccountOut(BaseModel):
    """An account and what is on it."""

    id: str
    kind: AccountKind
    name: str = Field(description="For the screen: Savings account")
    number_masked: str
    currency: str
    balance_minor: int
    available_minor: int = Field(description="What can be spent: the balance less what is held")
    held_minor: int
    status: AccountStatus
    is_primary: bool
    opened_at: datetime


class AccountDetailOut(AccountOut):
    """One's own account with its whole number."""

    number: str


class BalanceOut(BaseModel):
    """All one has, and where."""

    balance_minor: int
    available_minor: int
    currency: str
    accounts: list[AccountOut]


class LedgerLineOut(BaseModel):
    """One line of a statement."""

    entry_id: int
    posting_id: str
    account_id: str
    at: datetime
    amount_minor: int = Field(description="Positive came in, negative went out")
    balance_after_minor: int
    currency: str
    kind: PostingKind
    category: str | None
    counterparty: str
    description: str


class CategorySpendingOut(BaseModel):
    """What went out for one purpose."""

    category: str
    total_minor: int


class SpendingOut(BaseModel):
    """What went out to others in a time."""

    since: datetime
    until: datetime
    total_minor: int
    count: int
    currency: str
    by_category: list[CategorySpendingOut] = Field(description="The largest first")


class BeneficiaryOut(BaseModel):
    """A saved payee."""

    id: str
    nickname: str
    name: str
    account_masked: str
    ifsc: str | None
    created_at: datetime
    is_new: bool = Field(description="Still in its first day: a second factor always, and a lower limit")


class PayeeOut(BaseModel):
    """Whom a transfer goes to."""

    id: str
    nickname: str
    name: str
    account_masked: str
    ifsc: str | None


class BillPaidOut(BaseModel):
    """Which bill a transfer pays."""

    id: str
    biller_name: str
    category: BillCategory


class SourceOut(BaseModel):
    """Where a transfer comes from."""

    id: str
    kind: AccountKind
    number_masked: str


class FailureOut(BaseModel):
    """Why money did not move."""

    code: str
    message: str


class TransferChallengeOut(BaseModel):
    """A second factor that is being asked for."""

    id: str
    method: Literal["totp", "code"]
    length: int
    sent_to: str = Field(description='Masked; "your authenticator app" where that is asked')
    expires_at: datetime
    tries_left: int


class TransferOut(BaseModel):
    """A transfer or bill payment, from draft to its end."""

    id: str
    state: State
    amount_minor: int
    currency: str
    payee: PayeeOut | None = Field(description="None for a bill")
    bill: BillPaidOut | None = Field(description="None for a payee")
    account: SourceOut
    mode: Literal["IMPS", "NEFT", "BOOK", "BILL"]
    note: str
    read_back: str = Field(description="What will happen or has happened, for the screen; made from the record")
    created_at: datetime
    expires_at: datetime
    posted_at: datetime | None
    posting_id: str | None
    balance_after_minor: int | None
    failure: FailureOut | None
    challenge: TransferChallengeOut | None = Field(description="Set while a second factor is asked for")
    link: str = Field(description="Stands for all that was drafted; send it back with the confirmation")


class BillOut(BaseModel):
    """A bill."""

    id: str
    biller_name: str
    category: BillCategory
    consumer_number_masked: str
    amount_minor: int
    currency: str
    due_on: date
    state: BillState
    paid_at: datetime | None
    paid_by: str | None = Field(description="Id of the transfer that paid it")


class BillsOut(PageOut[BillOut]):
    """Bills, and the categories there are."""

    categories: list[BillCategory]


class LoanOut(BaseModel):
    """A loan as it stands."""

    id: str
    kind: LoanKind
    principal_minor: int
    annual_rate_percent: str = Field(description="Exact decimal, e.g. 8.50")
    months: int
    emi_minor: int
    outstanding_minor: int
    next_due_on: date | None = Field(description="None when it is paid off")
    instalments_left: int
    currency: str


class InstalmentOut(BaseModel):
    """One monthly instalment."""

    n: int
    due_on: date
    emi_minor: int
    principal_minor: int
    interest_minor: int
    balance_after_minor: int
    paid: bool


class ReminderOut(BaseModel):
    """A reminder."""

    id: str
    text: str
    due_at: datetime
    repeats: Repeats
    state: ReminderState


class NoticeOut(BaseModel):
    """A message of the bank to the customer."""

    id: str
    text: str
    at: datetime
    read_at: datetime | None


class LimitsOut(BaseModel):
    """How much may be sent through this channel."""

    channel: Channel
    currency: str
    per_transfer_minor: int
    per_day_minor: int
    used_today_minor: int
    left_today_minor: int
    second_factor_above_minor: int = Field(description="More than this asks for a second factor")
    new_payee_minor: int = Field(description="Most that may go to payees saved less than a day ago, all together")


# --- Both ways --------------------------------------------------------------------------------------------------------


def masked(number: str) -> str:
    """The last four characters of an account or consumer number."""
    return f"••••{number[-4:]}"
