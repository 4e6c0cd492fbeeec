"""`Idempotency-Key`: one act and one answer, however often and however fast it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from api import errors
from api.deps import Acting, who
from api.idempotent import Once
from core import idempotency
from core.db import Database
from core.errors import AppError, Busy, Conflict, Forbidden
from core.idempotency import Asked, KeptAnswer
from identity import audit
from identity.audit import Record
from identity.tokens import Claims

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Body(BaseModel):
    amount: int


class Bank:
    """An application with a route that moves money, so to say; how it ends can be told."""

    def __init__(self, database: Database) -> None:
        self.error: AppError | Exception | None = None
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.subject = "usr_1"
        self.keys: list[str] = []
        self.app = FastAPI()
        self.app.state.shared = _Shared(database)
        self.app.dependency_overrides[who] = lambda: _claims(self.subject)
        errors.install(self.app)

        def limited(response: Response) -> None:
            response.headers["X-RateLimit-Limit"] = "7"

        @self.app.post("/pay/{payee}", status_code=201, response_model=Body, dependencies=[Depends(limited)])
        async def pay(payee: str, body: Body, actor: Acting, once: Once) -> Response:
            self.keys.append(once.key)

            async def work(db: AsyncSession) -> tuple[int, Body]:
                audit.note(db, actor=actor, act="paid", subject=payee, at=NOW)
                self.began.set()
                await self.go_on.wait()
                if self.error is not None:
                    raise self.error
                return 201, body

            return await once.run(work)

        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://bank")

    async def pay(self, amount: int = 500, *, key: str | None = None, payee: str = "ravi") -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post(f"/pay/{payee}", json={"amount": amount}, headers=headers)


class _Shared:
    """What the route needs of the shared parts."""

    def __init__(self, database: Database) -> None:
        self.db = database
        self.secret = "a secret of the tests, which is long enough"


def _claims(subject: str) -> Claims:
    return Claims(
        subject=subject,
        role="user",
        permissions=(),
        email=None,
        name=None,
        version=0,
        token_id="1",
        issued_at=NOW,
        expires_at=NOW,
    )


@pytest.fixture
async def bank(database: Database) -> AsyncIterator[Bank]:
    bank = Bank(database)
    yield bank
    await bank.client.aclose()


async def paid(database: Database) -> int:
    async with database.reading() as db:
        return await db.scalar(sa.select(sa.func.count()).select_from(Record)) or 0


async def test_the_same_key_and_body_get_the_same_answer_and_one_act(bank: Bank, database: Database) -> None:
    first = await bank.pay(key="k-1")
    assert (first.status_code, first.json()) == (201, {"amount": 500})
    assert "idempotency-replayed" not in first.headers
    for _ in range(3):
        again = await bank.pay(key="k-1")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
    assert await paid(database) == 1
    assert bank.keys == ["k-1"] * 4


async def test_headers_that_others_set_are_sent_with_either_answer(bank: Bank) -> None:
    for _ in range(2):
        assert (await bank.pay(key="k")).headers["x-ratelimit-limit"] == "7"
    assert (await bank.pay()).headers["x-ratelimit-limit"] == "7"


async def test_without_a_key_each_request_is_its_own(bank: Bank, database: Database) -> None:
    assert (await bank.pay()).status_code == 201
    assert (await bank.pay()).status_code == 201
    assert await paid(database) == 2
    assert len(set(bank.keys)) == 2


async def test_the_same_key_with_another_body_is_refused(bank: Bank, database: Database) -> None:
    await bank.pay(500, key="k")
    other = await bank.pay(501, key="k")
    assert (other.status_code, other.json()["error_code"]) == (422, "key_reused")
    assert (await bank.pay(500, key="k")).status_code == 201
    assert await paid(database) == 1


async def test_keys_of_other_people_and_other_routes_are_other_keys(bank: Bank, database: Database) -> None:
    await bank.pay(key="k")
    assert "idempotency-replayed" not in (await bank.pay(key="k", payee="mom")).headers
    bank.subject = "usr_2"
    assert "idempotency-replayed" not in (await bank.pay(key="k")).headers
    assert await paid(database) == 3


async def test_while_the_first_is_under_way_the_second_is_told_to_wait(bank: Bank, database: Database) -> None:
    bank.go_on.clear()
    first = asyncio.ensure_future(bank.pay(key="k"))
    await bank.began.wait()
    for amount in (500, 501):
        second = await bank.pay(amount, key="k")
        assert (second.status_code, second.json()["error_code"]) == (409, "in_flight")
        assert int(second.headers["retry-after"]) >= 1
    bank.go_on.set()
    assert (await first).status_code == 201
    assert (await bank.pay(key="k")).headers["idempotency-replayed"] == "true"
    assert await paid(database) == 1


async def test_fifty_at_once_make_one_act(bank: Bank, database: Database) -> None:
    answers = await asyncio.gather(*(bank.pay(key="k") for _ in range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum(answer.status_code == 201 for answer in answers) >= 1
    assert {answer.content for answer in answers if answer.status_code == 201} == {b'{"amount":500}'}
    assert await paid(database) == 1


async def test_while_another_process_is_at_it_the_answer_is_to_wait(bank: Bank, database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("on SQLite the second process waits for the first one's transaction")
    async with database.transaction() as db:
        await idempotency.lock(db, Asked("usr_1", "POST /pay/ravi", "k", ""))
        assert (await bank.pay(key="k")).json()["error_code"] == "in_flight"
        assert (await bank.pay(key="other")).status_code == 201
    assert (await bank.pay(key="k")).status_code == 201


async def test_a_second_process_finds_what_the_first_kept(bank: Bank, database: Database) -> None:
    """Also when both found nothing at first."""
    elsewhere = Bank(database)
    first = await bank.pay(key="k")
    again = await elsewhere.pay(key="k")
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert await paid(database) == 1
    await elsewhere.client.aclose()


async def test_a_refusal_is_kept_too_and_nothing_happens_later(bank: Bank, database: Database) -> None:
    """Who was told that there is too little money must not find it gone, once there is enough."""
    bank.error = Conflict("There is not enough money.", code="insufficient_funds")
    first = await bank.pay(key="k")
    assert (first.status_code, first.json()["error_code"]) == (409, "insufficient_funds")
    bank.error = None
    again = await bank.pay(key="k")
    assert (again.status_code, again.content) == (409, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert await paid(database) == 0
    assert (await bank.pay(key="new")).status_code == 201


@pytest.mark.parametrize(
    "error", [Busy("Busy."), Forbidden("Not you."), AppError("Slow down.", status=429), AppError("Odd.", status=500)]
)
async def test_what_may_end_otherwise_next_time_is_not_kept(bank: Bank, database: Database, error: AppError) -> None:
    bank.error = error
    assert (await bank.pay(key="k")).status_code == error.status
    bank.error = None
    again = await bank.pay(key="k")
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers
    assert await paid(database) == 1


async def test_a_crash_keeps_nothing_and_frees_the_key(bank: Bank, database: Database) -> None:
    bank.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        await bank.pay(key="k")
    bank.error = None
    assert (await bank.pay(key="k")).status_code == 201
    assert await paid(database) == 1


async def test_a_request_that_is_cut_off_keeps_nothing_and_frees_the_key(bank: Bank, database: Database) -> None:
    bank.go_on.clear()
    first = asyncio.ensure_future(bank.pay(key="k"))
    await bank.began.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await paid(database) == 0
    bank.go_on.set()
    assert (await bank.pay(key="k")).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "schlüssel", "tab\there", "\x7f"])
async def test_a_key_is_visible_ascii_of_bounded_length(bank: Bank, database: Database, key: str) -> None:
    answer = await bank.client.post(
        "/pay/ravi", json={"amount": 1}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )
    assert answer.status_code == 422
    assert await paid(database) == 0


async def test_the_longest_and_oddest_keys_are_kept(bank: Bank) -> None:
    for key in ("k" * 255, "".join(map(chr, range(0x21, 0x7F))), "'; DROP TABLE kept_answers; --".replace(" ", "+")):
        assert (await bank.pay(key=key)).status_code == 201
        assert (await bank.pay(key=key)).headers["idempotency-replayed"] == "true"


async def test_a_route_longer_than_is_kept_is_still_told_apart(bank: Bank, database: Database) -> None:
    for payee, status in (("x" * 300 + "1", 201), ("x" * 300 + "2", 422), ("x" * 300 + "1", 201)):
        assert (await bank.pay(key="k", payee=payee)).status_code == status
    assert await paid(database) == 1


async def test_answers_are_kept_for_a_day_at_least_and_then_forgotten(bank: Bank, database: Database) -> None:
    await bank.pay(key="k")
    await bank.pay(key="l")

    async def prune(after: timedelta, **more: Any) -> int:
        async with database.transaction() as db:
            created = await db.scalar(sa.select(sa.func.max(KeptAnswer.created_at)))
            assert created is not None
            return await idempotency.prune(db, now=created + after, **more)

    assert await prune(timedelta(hours=24)) == 0
    assert await prune(timedelta(hours=49), limit=1) == 1
    assert await prune(timedelta(hours=49)) == 1
    assert (await bank.pay(key="k")).status_code == 201
