"""Customers: what they are known by, and the lock on one of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from banking import customers, notices
from banking.customers import Customer, Kyc, KycDocument, KycStatus
from core.db import Database
from core.errors import NotFound
from core.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def new_customer(database: Database, kyc: Kyc | None = None) -> str:
    async with database.transaction() as db:
        customer = Customer(
            id=new_id("cus"),
            name="Ada",
            kyc_status=KycStatus.PENDING,
            kyc=kyc.as_text() if kyc else None,
            created_at=NOW,
        )
        db.add(customer)
    return customer.id


async def test_what_a_customer_is_known_by_is_kept(database: Database) -> None:
    kyc = Kyc(KycDocument.VOTER_ID, "XXX0000009", date(1990, 2, 28), 'Flat 4, "Zoë", बेंगलुरु 560000')
    known, unknown = await new_customer(database, kyc), await new_customer(database)
    async with database.reading() as db:
        assert (await customers.get(db, known)).known_by == kyc
        assert (await customers.get(db, unknown)).known_by is None


async def test_what_is_checked_under_the_lock_stays_true(database: Database) -> None:
    ada = await new_customer(database)

    async def one_at_most() -> None:
        async with database.transaction() as db:
            await customers.lock(db, ada)
            if (await notices.of_customer(db, customer_id=ada))[1] == 0:
                notices.put(db, customer_id=ada, text="The one", at=NOW)

    await asyncio.gather(*(one_at_most() for _ in range(8)))
    async with database.reading() as db:
        assert (await notices.of_customer(db, customer_id=ada))[1] == 1


async def test_the_lock_shows_the_customer_as_they_are_now(database: Database) -> None:
    ada = await new_customer(database)
    async with database.transaction() as db:
        customer = await customers.get(db, ada)
        await db.execute(sa.text("UPDATE customers SET kyc_status = 'verified'"))
        assert (await customers.lock(db, ada)).kyc_status is customer.kyc_status is KycStatus.VERIFIED


async def test_what_only_refers_to_a_locked_customer_can_be_written(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("on SQLite one writes at a time anyway")
    ada = await new_customer(database)
    async with database.transaction() as db:
        await customers.lock(db, ada)
        async with asyncio.timeout(5), database.transaction() as other:
            notices.put(other, customer_id=ada, text="Meanwhile", at=NOW)
    async with database.reading() as db:
        assert (await notices.of_customer(db, customer_id=ada))[1] == 1


async def test_nobody_cannot_be_locked(database: Database) -> None:
    with pytest.raises(NotFound):
        async with database.transaction() as db:
            await customers.lock(db, "cus_nobody")
