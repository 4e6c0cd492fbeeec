"""A bank counter for tests: customers with money and payees, and their transfers step by step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from banking import accounts, beneficiaries, bills, ledger, transfers
from banking.accounts import Account, AccountKind, House
from banking.beneficiaries import Beneficiary
from banking.bills import Bill, BillCategory
from banking.customers import Customer, KycStatus
from banking.ledger import Leg, Posting, PostingKind
from banking.policy import Policy
from banking.transfers import Transfer
from core.db import Database
from core.ids import new_id
from identity import mfa
from identity.actor import Actor, Channel
from identity.delivery import Parcel, Recipient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
SECRET = "a secret of at least thirty-two bytes"
MFA_ABOVE_MINOR = 10_000_00


class Phone:
    """Where every code arrives."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, parcel: Parcel) -> None:
        self.texts.append(parcel.text)

    def where(self, to: Recipient) -> str:
        return "number ending in 4321"

    @property
    def code(self) -> str:
        """The newest code."""
        found = re.search(r"\b\d{6}\b", self.texts[-1])
        assert found
        return found[0]

    @property
    def wrong(self) -> str:
        """Any other code than the newest."""
        return f"{(int(self.code) + 1) % 10**6:06d}"


@dataclass(frozen=True)
class Person:
    """A customer with one savings account, at one door of the bank."""

    id: str
    account_id: str
    actor: Actor


class Till:
    """Every method is one transaction."""

    def __init__(self, database: Database, *, mfa_above_minor: int = MFA_ABOVE_MINOR) -> None:
        self.database = database
        self.phone = Phone()
        self.policy = Policy(SECRET, mfa_above_minor, self.phone)

    async def person(self, name: str = "John Doe", *, holds: int = 10_000_00, channel: Channel = "web") -> Person:
        async with self.database.transaction() as db:
            customer = Customer(id=new_id("cus"), name=name, kyc_status=KycStatus.VERIFIED, created_at=LONG_AGO)
            db.add(customer)
        account_id = await self.account(customer.id, holds=holds)
        return Person(customer.id, account_id, Actor(new_id("otp"), "otp", channel))

    async def account(
        self, customer_id: str, *, holds: int = 0, kind: AccountKind = AccountKind.SAVINGS, number: str | None = None
    ) -> str:
        async with self.database.transaction() as db:
            account = await accounts.open_account(
                db,
                customer_id=customer_id,
                kind=kind,
                now=LONG_AGO,
                number=number,
                is_primary=kind is AccountKind.SAVINGS,
            )
            if holds:
                opening = await accounts.house(db, House.OPENING, now=LONG_AGO)
                await ledger.post(
                    db,
                    legs=[Leg(account.id, holds), Leg(opening, -holds)],
                    kind=PostingKind.FORWARD,
                    narration="Opening",
                    key=f"open:{account.id}",
                    at=LONG_AGO,
                )
        return account.id

    async def payee(
        self,
        person: Person,
        nickname: str = "Ravi",
        name: str = "Ravi Kumar",
        number: str = "900000000003",
        ifsc: str | None = "DEMO0000001",
        since: datetime = LONG_AGO,
    ) -> Beneficiary:
        async with self.database.transaction() as db:
            return await beneficiaries.add(
                db,
                actor=person.actor,
                customer_id=person.id,
                nickname=nickname,
                name=name,
                account_number=number,
                ifsc=ifsc,
                now=NOW,
                since=since,
            )

    async def payee_here(self, person: Person, other: Person, nickname: str = "Jane", **more: Any) -> Beneficiary:
        async with self.database.reading() as db:
            number = (await accounts.get(db, other.account_id)).number
        return await self.payee(person, nickname, "Jane Smith", number, None, **more)

    async def bill(self, person: Person, amount_minor: int = 1_280_00) -> Bill:
        async with self.database.transaction() as db:
            return await bills.add(
                db,
                customer_id=person.id,
                biller_name="Sunrise Power",
                category=BillCategory.ELECTRICITY,
                consumer_number="0000110001",
                amount_minor=amount_minor,
                due_on=date(2026, 3, 9),
            )

    async def draft(self, person: Person, payee: Beneficiary, amount_minor: int, **more: Any) -> Transfer:
        given = {"key": new_id("key"), "now": NOW} | more
        async with self.database.transaction() as db:
            return await transfers.prepare(
                db,
                policy=self.policy,
                actor=person.actor,
                customer_id=person.id,
                beneficiary_id=payee.id,
                amount_minor=amount_minor,
                **given,
            )

    async def draft_bill(self, person: Person, bill: Bill, **more: Any) -> Transfer:
        given = {"key": new_id("key"), "now": NOW} | more
        async with self.database.transaction() as db:
            return await transfers.prepare_bill(
                db, policy=self.policy, actor=person.actor, customer_id=person.id, bill_id=bill.id, **given
            )

    async def confirm(
        self, person: Person, transfer: Transfer, *, link: str | None = None, now: datetime = NOW
    ) -> Transfer:
        async with self.database.transaction() as db:
            return await transfers.confirm(
                db,
                policy=self.policy,
                actor=person.actor,
                customer_id=person.id,
                transfer_id=transfer.id,
                link=link,
                now=now,
            )

    async def answer(
        self, person: Person, transfer: Transfer, code: str, *, now: datetime = NOW
    ) -> tuple[Transfer, mfa.Answer]:
        async with self.database.transaction() as db:
            return await transfers.answer(
                db,
                policy=self.policy,
                actor=person.actor,
                customer_id=person.id,
                transfer_id=transfer.id,
                code=code,
                now=now,
            )

    async def decline(self, person: Person, transfer: Transfer, *, now: datetime = NOW) -> Transfer:
        async with self.database.transaction() as db:
            return await transfers.decline(
                db, actor=person.actor, customer_id=person.id, transfer_id=transfer.id, now=now
            )

    async def send(self, person: Person, payee: Beneficiary, amount_minor: int, **more: Any) -> Transfer:
        """Draft and confirm at once, as one request does."""
        given = {"key": new_id("key"), "now": NOW} | more
        async with self.database.transaction() as db:
            mine: Any = {"policy": self.policy, "actor": person.actor, "customer_id": person.id}
            drafted = await transfers.prepare(db, beneficiary_id=payee.id, amount_minor=amount_minor, **mine, **given)
            return await transfers.confirm(db, transfer_id=drafted.id, now=given["now"], **mine)

    async def pay(self, person: Person, bill: Bill) -> Transfer:
        """Draft and confirm the payment of a bill at once, as one request does."""
        async with self.database.transaction() as db:
            mine: Any = {"policy": self.policy, "actor": person.actor, "customer_id": person.id, "now": NOW}
            drafted = await transfers.prepare_bill(db, bill_id=bill.id, key=new_id("key"), **mine)
            return await transfers.confirm(db, transfer_id=drafted.id, **mine)

    async def expire(self, *, now: datetime, limit: int = 200) -> int:
        async with self.database.transaction() as db:
            return await transfers.expire_due(db, now=now, limit=limit)

    async def remove(self, person: Person, payee: Beneficiary) -> None:
        async with self.database.transaction() as db:
            await beneficiaries.remove(db, actor=person.actor, customer_id=person.id, beneficiary_id=payee.id, now=NOW)

    async def now_is(self, transfer: Transfer) -> Transfer:
        """The row as committed."""
        async with self.database.reading() as db:
            return await transfers.own(db, customer_id=transfer.customer_id, transfer_id=transfer.id)

    async def balance(self, account_id: str) -> int:
        async with self.database.reading() as db:
            return await db.scalar(sa.select(Account.balance_minor).where(Account.id == account_id)) or 0

    async def postings(self) -> Sequence[Posting]:
        """Every posting made for a transfer."""
        async with self.database.reading() as db:
            return (await db.scalars(sa.select(Posting).where(Posting.key.startswith("transfer:")))).all()

    async def problems(self) -> list[str]:
        async with self.database.reading() as db:
            return await ledger.check(db)
