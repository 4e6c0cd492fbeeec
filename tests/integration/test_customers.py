"""Customers: whose log-in is whose, what they are known by, and the lock on one of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from banking import customers, notices
from banking.customers import Customer, Kyc, KycDocument, KycStatus
from core.db import Database
from core.errors import Forbidden, NotFound
from core.ids import new_id
from identity import otp
from identity.actor import SYSTEM
from identity.tokens import Claims, Role
from identity.users import User, UserRole

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


def claims(subject: str, role: Role) -> Claims:
    return Claims(
        subject=subject,
        role=role,
        permissions=(),
        email=None,
        name=None,
        version=0,
        token_id="1",
        issued_at=NOW,
        expires_at=NOW,
    )


async def known(database: Database, who: Claims) -> str | None:
    async with database.reading() as db:
        customer = await customers.of_login(db, who)
    return customer and customer.id


async def admitted(database: Database, who: Claims) -> str:
    async with database.transaction() as db:
        return await customers.admit(db, who, NOW)


async def test_a_guests_customer_is_made_at_the_first_use(database: Database) -> None:
    async with database.transaction() as db:
        (code,) = await otp.issue(
            db, actor=SYSTEM, secret="a secret of at least thirty-two bytes", fmt="digits6", max_uses=5
        )
    guest = claims(code.id, "otp")
    assert await known(database, guest) is None
    made = await admitted(database, guest)
    assert await admitted(database, guest) == await known(database, guest) == made


@pytest.mark.parametrize("role", [UserRole.USER, UserRole.ADMIN])
async def test_only_a_user_is_the_customer_of_their_log_in(database: Database, role: UserRole) -> None:
    async with database.transaction() as db:
        user = User(
            id=new_id("usr"),
            username="ada",
            name="Ada",
            role=role,
            password_hash="none",
            token_version=0,
            created_at=NOW,
        )
        db.add(user)
        await db.flush()
        nobody = claims(user.id, role.value)
        with pytest.raises(Forbidden if role is UserRole.ADMIN else NotFound):
            await customers.admit(db, nobody, NOW)
        ada = Customer(id=new_id("cus"), user_id=user.id, name="Ada", kyc_status=KycStatus.PENDING, created_at=NOW)
        db.add(ada)
    if role is UserRole.ADMIN:
        assert await known(database, nobody) is None
        with pytest.raises(Forbidden) as caught:
            await admitted(database, nobody)
        assert caught.value.code == "not_a_customer"
    else:
        assert await known(database, nobody) == await admitted(database, nobody) == ada.id


async def test_what_a_customer_is_known_by_is_kept(database: Database) -> None:
    kyc = Kyc(KycDocument.VOTER_ID, "XXX0000009", date(1990, 2, 28), 'Flat 4, "Zoë", बेंगलुरु 560000')
    known, unknown = await new_customer(database, kyc), await new_customer(database)
    async with database.reading() as db:
        assert (await customers.get(db, known)).kyc == kyc.as_text()
        assert (await customers.get(db, unknown)).kyc is None


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
