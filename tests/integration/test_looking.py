"""What the bank's agent looks up is told as customers in India would tell it."""

from __future__ import annotations

from datetime import UTC, datetime

from banking import accounts, customers, ledger
from banking.accounts import House
from banking.ledger import Leg, PostingKind
from core.db import Database
from core.settings import Settings
from identity import otp
from identity.actor import SYSTEM, Actor
from pipelines.banking.looking import get_transactions
from pipelines.base import Means, ToolContext
from tests.lines import SECRET, Pigeon


async def test_a_day_ends_when_it_ends_in_india(database: Database) -> None:
    opened, paid = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, 18, tzinfo=UTC)
    after_midnight = datetime(2026, 3, 1, 19, tzinfo=UTC)
    async with database.transaction() as db:
        (code,) = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6")
        customer_id = await customers.admit_guest(db, code.id, opened)
        (own, *_) = await accounts.of_customer(db, customer_id=customer_id)
        cash = await accounts.house(db, House.CASH, now=opened)
        legs = [Leg(own.id, -100, "Shop", "Paid ₹1 to Shop"), Leg(cash, 100)]
        await ledger.post(db, legs=legs, kind=PostingKind.PAYMENT, narration="Shop", key="shop", at=paid)
    async with database.reading() as db:
        context = ToolContext(
            db=db,
            customer_id=customer_id,
            call_id="call_1",
            key="key",
            now=after_midnight,
            actor=Actor(code.id, "otp", "voice"),
            means=Means(Settings(_env_file=None), SECRET, Pigeon()),  # pyright: ignore[reportCallIssue]
        )
        spoken = await get_transactions.run(context, count=1)
    assert spoken.text == "Your latest transaction: yesterday, paid one rupee to Shop."
