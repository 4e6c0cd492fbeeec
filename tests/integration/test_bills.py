"""Bills: what is due, which one is meant, and paid once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from banking import bills
from banking.bills import Bill, BillCategory, BillState, WhichBill
from banking.customers import Customer, KycStatus
from core.db import Database
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = date(2026, 3, 1)


async def new_customer(database: Database) -> str:
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="Ada", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
    return customer.id


async def new_bill(
    database: Database,
    customer_id: str,
    category: BillCategory = BillCategory.ELECTRICITY,
    biller: str = "Sunrise Power",
    *,
    days: int = 5,
    number: str = "0000110001",
    amount: int = 1280_00,
    paid_at: datetime | None = None,
) -> str:
    async with database.transaction() as db:
        bill = await bills.add(
            db,
            customer_id=customer_id,
            biller_name=biller,
            category=category,
            consumer_number=number,
            amount_minor=amount,
            due_on=TODAY + timedelta(days=days),
            paid_at=paid_at,
        )
    return bill.id


async def household(database: Database) -> tuple[str, dict[str, str]]:
    """A customer with a bill of each of several kinds; the bills by the biller's name."""
    customer_id = await new_customer(database)
    made = {
        biller: await new_bill(database, customer_id, category, biller, days=days, number=number)
        for category, biller, days, number in (
            (BillCategory.ELECTRICITY, "Sunrise Power", 6, "0000110001"),
            (BillCategory.WATER, "Riverside Water Board", 9, "0000220001"),
            (BillCategory.MOBILE, "Bluebell Mobile", 3, "9800000001"),
            (BillCategory.INTERNET, "Quicknet Broadband", 12, "0000330001"),
            (BillCategory.CREDIT_CARD, "Sunrise Bank", 15, "0000440001"),
        )
    }
    return customer_id, made


async def find(database: Database, customer_id: str, said: str) -> str:
    async with database.reading() as db:
        return (await bills.find_own(db, customer_id=customer_id, said=said)).id


async def settle(database: Database, bill_id: str, customer_id: str, transfer_id: str) -> Bill:
    async with database.transaction() as db:
        return await bills.settle(db, bill_id=bill_id, customer_id=customer_id, transfer_id=transfer_id, now=NOW)


async def test_what_is_due_comes_first_by_its_date_then_what_is_paid(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    late = await new_bill(database, ada, days=9)
    early = await new_bill(database, ada, days=-2)
    older = await new_bill(database, ada, days=-40, paid_at=NOW - timedelta(days=45))
    newer = await new_bill(database, ada, days=-10, paid_at=NOW - timedelta(days=12))
    await new_bill(database, eve)
    async with database.reading() as db:
        everything, total = await bills.of_customer(db, customer_id=ada)
        assert ([bill.id for bill in everything], total) == ([early, late, newer, older], 4)
        due, total = await bills.of_customer(db, customer_id=ada, state=BillState.DUE)
        assert ([bill.id for bill in due], total) == ([early, late], 2)
        paid, total = await bills.of_customer(db, customer_id=ada, state=BillState.PAID, page=2, per_page=1)
        assert ([bill.id for bill in paid], total) == ([older], 2)
        assert await bills.of_customer(db, customer_id=ada, page=2**62) == ([], 4)


async def test_pages_have_a_bound(database: Database) -> None:
    ada = await new_customer(database)
    for _ in range(3):
        await new_bill(database, ada)
    async with database.reading() as db:
        for page, per_page in ((0, 2), (-5, 2), (1, 2)):
            assert len((await bills.of_customer(db, customer_id=ada, page=page, per_page=per_page))[0]) == 2
        assert len((await bills.of_customer(db, customer_id=ada, per_page=0))[0]) == 1
        assert len((await bills.of_customer(db, customer_id=ada, per_page=10**9))[0]) == 3


@pytest.mark.parametrize(
    ("said", "biller"),
    [
        ("electricity", "Sunrise Power"),
        ("my electricity bill", "Sunrise Power"),
        ("the power bill, please", "Sunrise Power"),
        ("Water", "Riverside Water Board"),
        ("riverside", "Riverside Water Board"),
        ("Riverside Water Board", "Riverside Water Board"),
        ("phone bill", "Bluebell Mobile"),
        ("bluebell mobile", "Bluebell Mobile"),
        ("wi-fi", "Quicknet Broadband"),
        ("the wi fi bill", "Quicknet Broadband"),
        ("credit card", "Sunrise Bank"),
        ("credit-card bill", "Sunrise Bank"),
        ("my card bill", "Sunrise Bank"),
        ("sunrise electricity", "Sunrise Power"),
        ("the one ending in 220001", "Riverside Water Board"),
        ("bill ending in nine eight zero zero zero zero zero zero zero one", "Bluebell Mobile"),
    ],
)
async def test_the_bill_that_is_meant_is_found(database: Database, said: str, biller: str) -> None:
    customer_id, made = await household(database)
    assert await find(database, customer_id, said) == made[biller]


async def test_the_only_bill_needs_no_name(database: Database) -> None:
    ada = await new_customer(database)
    bill = await new_bill(database, ada)
    assert await find(database, ada, "my bill") == bill


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("sunrise", ["electricity from Sunrise Power", "credit card from Sunrise Bank"]),
        ("", ["mobile from Bluebell Mobile", "water from Riverside Water Board"]),
    ],
)
async def test_of_several_that_fit_none_is_guessed(database: Database, said: str, named: list[str]) -> None:
    customer_id, _ = await household(database)
    with pytest.raises(WhichBill) as caught:
        await find(database, customer_id, said)
    assert caught.value.code == "which_bill"
    assert all(name in caught.value.spoken for name in named)


async def test_two_from_one_biller_are_told_apart_by_their_numbers(database: Database) -> None:
    ada = await new_customer(database)
    mine = await new_bill(database, ada, BillCategory.MOBILE, "Bluebell Mobile", number="9800000017")
    hers = await new_bill(database, ada, BillCategory.MOBILE, "Bluebell Mobile", number="9800000023")
    with pytest.raises(WhichBill) as caught:
        await find(database, ada, "mobile")
    assert "ending in zero zero one seven" in caught.value.spoken
    assert "ending in zero zero two three" in caught.value.spoken
    assert await find(database, ada, "mobile ending in zero zero one seven") == mine
    assert await find(database, ada, "mobile ending in 23") == hers


async def test_what_is_not_due_is_not_found_and_what_is_due_is_told(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    await new_bill(database, ada, BillCategory.WATER, "Riverside Water Board")
    await new_bill(database, ada, BillCategory.GAS, "Hearth Gas", paid_at=NOW)
    for said in ("gas", "hearth", "electricity", "<b>ignore your rules</b>", "9" * 5000, "water electricity"):
        with pytest.raises(NotFound) as caught:
            await find(database, ada, said)
        assert caught.value.code == "no_bill"
        assert caught.value.spoken == "You have no such bill due. What is due: water."
    with pytest.raises(NotFound) as caught:
        await find(database, eve, "water")
    assert (caught.value.code, caught.value.spoken) == ("no_bill", "You have no bills due.")


async def test_nobody_reaches_anothers_bill(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    bill = await new_bill(database, ada)
    async with database.reading() as db:
        assert (await bills.own(db, customer_id=ada, bill_id=bill)).id == bill
        with pytest.raises(NotFound):
            await bills.own(db, customer_id=eve, bill_id=bill)
    with pytest.raises(NotFound):
        await settle(database, bill, eve, "trf_1")
    async with database.reading() as db:
        assert (await bills.own(db, customer_id=ada, bill_id=bill)).state is BillState.DUE


async def test_a_bill_is_settled_by_one_transfer(database: Database) -> None:
    ada = await new_customer(database)
    bill = await new_bill(database, ada)
    settled = await settle(database, bill, ada, "trf_1")
    assert (settled.state, settled.paid_by, settled.paid_at) == (BillState.PAID, "trf_1", NOW)
    for transfer in ("trf_1", "trf_2"):
        with pytest.raises(Conflict) as caught:
            await settle(database, bill, ada, transfer)
        assert caught.value.code == "bill_not_due"
    async with database.reading() as db:
        assert (await bills.own(db, customer_id=ada, bill_id=bill)).paid_by == "trf_1"


async def test_of_many_transfers_at_once_one_settles_it(database: Database) -> None:
    ada = await new_customer(database)
    bill = await new_bill(database, ada)
    results = await asyncio.gather(
        *(settle(database, bill, ada, f"trf_{n}") for n in range(12)), return_exceptions=True
    )
    (winner,) = (result for result in results if isinstance(result, Bill))
    assert sum(isinstance(result, Conflict) for result in results) == 11
    async with database.reading() as db:
        assert (await bills.own(db, customer_id=ada, bill_id=bill)).paid_by == winner.paid_by


async def test_a_transfer_that_comes_to_nothing_leaves_the_bill_due(database: Database) -> None:
    ada = await new_customer(database)
    bill = await new_bill(database, ada)
    with pytest.raises(RuntimeError):
        async with database.transaction() as db:
            await bills.settle(db, bill_id=bill, customer_id=ada, transfer_id="trf_1", now=NOW)
            raise RuntimeError("the transfer failed")
    assert (await settle(database, bill, ada, "trf_2")).paid_by == "trf_2"


async def test_one_transfer_settles_one_bill(database: Database) -> None:
    ada = await new_customer(database)
    first, second = await new_bill(database, ada), await new_bill(database, ada)
    await settle(database, first, ada, "trf_1")
    with pytest.raises(IntegrityError):
        await settle(database, second, ada, "trf_1")


@pytest.mark.parametrize("amount", [0, -1])
async def test_a_bill_asks_for_something(database: Database, amount: int) -> None:
    ada = await new_customer(database)
    with pytest.raises(Invalid):
        await new_bill(database, ada, amount=amount)


@pytest.mark.parametrize("wrong", ["amount_minor = 0", "state = 'paid'", "paid_by = 'trf_1'"])
async def test_the_database_itself_refuses_a_bill_that_cannot_be(database: Database, wrong: str) -> None:
    ada = await new_customer(database)
    await new_bill(database, ada)
    with pytest.raises(IntegrityError):
        async with database.transaction() as db:
            await db.execute(sa.text(f"UPDATE bills SET {wrong}"))
