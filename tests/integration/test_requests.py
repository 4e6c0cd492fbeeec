"""Requests for the bank's people: opened once, on record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from banking import requests
from banking.customers import Customer, KycStatus
from banking.requests import MAX_NOTE, MAX_PER_DAY, RequestKind, RequestState, ServiceRequest, TooManyToday
from core.db import Database
from core.errors import KeyReused, NotFound
from core.ids import new_id
from identity.actor import Actor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFICER = Actor("usr_admin", "admin", "web")
BY_VOICE = Actor("usr_ada", "user", "voice", call_id="call_1", command="block my card")


async def new_customer(database: Database) -> str:
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name="Ada", kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
    return customer.id


async def ask(
    database: Database,
    customer_id: str,
    key: str = "call_1:1",
    kind: RequestKind = RequestKind.BLOCK_CARD,
    note: str = "Lost it on the train",
    now: datetime = NOW,
) -> ServiceRequest:
    async with database.transaction() as db:
        return await requests.open_request(
            db, actor=BY_VOICE, customer_id=customer_id, kind=kind, note=note, key=key, now=now
        )


async def of(database: Database, customer_id: str) -> list[ServiceRequest]:
    async with database.reading() as db:
        return [each for each in (await requests.page(db, per_page=100))[0] if each.customer_id == customer_id]


async def audited(database: Database) -> list[tuple[str | None, ...]]:
    async with database.reading() as db:
        rows = await db.execute(sa.text("SELECT act, subject, customer_id, call_id FROM audit_log ORDER BY seq"))
        return [tuple(row) for row in rows]


async def test_a_request_is_opened_and_on_record(database: Database) -> None:
    ada = await new_customer(database)
    request = await ask(database, ada, note="  Lost it \n on the train ")
    assert (request.kind, request.state, request.note, request.call_id, request.created_at) == (
        RequestKind.BLOCK_CARD,
        RequestState.OPEN,
        "Lost it on the train",
        "call_1",
        NOW,
    )
    assert await audited(database) == [("request.opened", request.id, ada, "call_1")]


async def test_asking_again_with_the_same_key_opens_nothing(database: Database) -> None:
    ada, bob = await new_customer(database), await new_customer(database)
    results = await asyncio.gather(*(ask(database, ada) for _ in range(8)))
    assert len({result.id for result in results}) == 1
    assert (await ask(database, ada, now=NOW + timedelta(days=9))).id == results[0].id
    assert len(await of(database, ada)) == len(await audited(database)) == 1
    assert (await ask(database, bob)).id != results[0].id, "a key is the customer's own"


@pytest.mark.parametrize(("kind", "note"), [(RequestKind.PERSON, "Lost it"), (RequestKind.BLOCK_CARD, "Found it")])
async def test_a_key_is_not_used_for_two_requests(database: Database, kind: RequestKind, note: str) -> None:
    ada = await new_customer(database)
    await ask(database, ada, note="Lost it")
    with pytest.raises(KeyReused):
        await ask(database, ada, kind=kind, note=note)
    assert len(await of(database, ada)) == 1


async def test_many_at_once_do_not_pass_the_days_bound(database: Database) -> None:
    ada, bob = await new_customer(database), await new_customer(database)
    for n in range(MAX_PER_DAY - 2):
        await ask(database, ada, key=f"{n}")
    results = await asyncio.gather(*(ask(database, ada, key=f"more {n}") for n in range(5)), return_exceptions=True)
    assert sum(isinstance(result, TooManyToday) for result in results) == 3
    assert sum(isinstance(result, ServiceRequest) for result in results) == 2
    assert (await ask(database, ada, key="0")).key == "0", "one that is there already is still answered"
    await ask(database, bob, key="bob's")
    await ask(database, ada, key="tomorrow", now=NOW + timedelta(days=1))
    assert len(await audited(database)) == MAX_PER_DAY + 2


async def test_the_newest_come_first(database: Database) -> None:
    ada, eve = await new_customer(database), await new_customer(database)
    for n in range(3):
        await ask(database, ada, key=f"{n}", now=NOW + timedelta(minutes=n))
    await ask(database, eve, "eve's", now=NOW - timedelta(minutes=1))
    async with database.reading() as db:
        page, total = await requests.page(db, page=2, per_page=2)
    assert ([each.key for each in page], total) == (["0", "eve's"], 4)
    assert [each.key for each in await of(database, ada)] == ["2", "1", "0"]


async def test_a_request_is_closed_once_however_many_do_so(database: Database) -> None:
    ada = await new_customer(database)
    request, other = await ask(database, ada), await ask(database, ada, "another")

    async def close(request_id: str) -> ServiceRequest:
        async with database.transaction() as db:
            return await requests.close(db, actor=OFFICER, request_id=request_id, now=NOW)

    results = await asyncio.gather(*(close(request.id) for _ in range(5)))
    assert {(result.id, result.state) for result in results} == {(request.id, RequestState.DONE)}
    assert [each for each in await audited(database) if each[0] == "request.closed"] == [
        ("request.closed", request.id, ada, None)
    ]
    async with database.reading() as db:
        (still_open,), total = await requests.page(db, state=RequestState.OPEN)
    assert (still_open.id, total) == (other.id, 1)
    with pytest.raises(NotFound):
        await close("req_nothing")


async def test_a_note_is_kept_as_far_as_it_can_be(database: Database) -> None:
    ada = await new_customer(database)
    request = await ask(database, ada, note="a\x00b\ud800" + "x" * 1000)
    assert request.note == ("ab?" + "x" * 1000)[:MAX_NOTE]


async def test_nobody_asks_for_nothing(database: Database) -> None:
    with pytest.raises(NotFound):
        await ask(database, "cus_nobody")
    assert await audited(database) == []
