"""Calls that cost more than they may, with a language model that charges for its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from bench.caller import Caller, Refused
from calls import answers, costs
from calls import log as call_log
from calls.log import Outcome
from calls.refusals import Refusal
from calls.usage import AccessRecord
from core.db import Database
from core.settings import DEV_ADMIN_PASSWORD
from identity.otp import OtpCode
from pipelines.lines import lines
from tests.databases import database_url, postgres_cluster, sqlite_template
from tests.doubles.openai_chat import OpenAIChat, Says
from tests.e2e.conftest import AUDIO, Dial
from tests.e2e.test_call import greeted
from tests.servers import Server

__all__ = ["database_url", "postgres_cluster", "sqlite_template"]

MODEL = "gpt-4.1-mini"
"""40 cents for a million tokens in, 1.60 dollars for a million out."""

ANSWER = {"prompt_tokens": 99_000, "completion_tokens": 250, "total_tokens": 99_250}
ANSWER_MICROS = 40_000
BUDGETS = {"MAX_CODE_USD": "0.05", "MAX_DAY_USD": "0.08"}


@pytest_asyncio.fixture
async def dear(data_dir: Path, database_url: str) -> AsyncIterator[Server]:
    """A server whose answers cost four cents each."""
    async with OpenAIChat(answer=lambda _body: Says(["All right. ", "What else?"]), model=MODEL, usage=ANSWER) as model:
        vendors = {"STT_PROVIDER": "offline", "LLM_PROVIDER": "openai", "TTS_PROVIDER": "offline"}
        openai = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": model.url}
        server = Server(data_dir, vendors | openai | BUDGETS, database="budgets.log-only", database_url=database_url)
        try:
            await asyncio.to_thread(server.start)  # it asks the model whether it is there
            yield server
        finally:
            await asyncio.to_thread(server.kill)


@pytest_asyncio.fixture
async def records(dear: Server, database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def ended(records: Database, call_id: str) -> call_log.CallRecord:
    async with asyncio.timeout(30):
        while True:
            async with records.reading() as db:
                record = await call_log.get(db, call_id)
            if record.ended_at is not None:
                return record
            await asyncio.sleep(0.1)


async def test_a_budget_ends_the_call_and_opens_no_other(dear: Server, records: Database, dial: Dial) -> None:
    caller = await dial(dear)
    await greeted(caller)
    await caller.say(AUDIO / "balance.wav")
    await caller.message("bot-stopped-speaking", timeout_s=60)
    caller.type("And now?")
    told = await caller.message("server-message", 30, where=lambda message: message["data"].get("type") == "call-ended")
    assert told["data"]["reason"] == "over_budget"
    assert caller.session_id is not None
    record = await ended(records, caller.session_id)
    assert (record.end_reason, record.outcome) == ("over_budget", Outcome.COMPLETED)
    assert [line.text for line in caller.transcript if line.who == "bot"][-1] in lines("en").used_up, "heard to the end"

    async with records.reading() as db:
        used = {(row.kind, row.provider): row for row in await costs.of_call(db, record.id)}
        greeting, answer = await answers.of_call(db, record.id)
        taken, returned = (await db.execute(select(AccessRecord.call_id, AccessRecord.returned_at))).one()
        (code,) = await db.scalars(select(OtpCode).where(OtpCode.id == record.otp_id))
    assert used["llm", "openai"].model == MODEL
    assert used["llm", "openai"].cost_micros == 2 * ANSWER_MICROS
    assert sum(row.cost_micros or 0 for row in used.values()) == 2 * ANSWER_MICROS, "the others run here"
    assert (greeting.cost_micros, answer.cost_micros) == (0, ANSWER_MICROS), "the typed turn's is no answer's"
    assert (taken, returned) == (record.id, None)
    assert code.uses == 1

    async with httpx.AsyncClient(base_url=dear.url, trust_env=False) as office:
        known = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
        token = (await office.post("/api/auth/login/admin", data=known)).json()["access_token"]
        office.headers["Authorization"] = f"Bearer {token}"
        told = (await office.get(f"/api/v1/call-logs/{record.id}")).json()
        assert (told["cost_usd"], told["unpriced"], told["estimated"]) == (0.08, False, False)
        told = (await office.get(f"/api/otps/{record.otp_id}")).json()
        assert told["budget_usd"] == 0.05

    again = Caller(dear.url, token=caller.token)
    refused = await refusal(again)
    assert (refused.status, refused.body["error_code"]) == (403, "code_over_budget")
    async with records.reading() as db:
        (code,) = await db.scalars(select(OtpCode).where(OtpCode.id == record.otp_id))
    assert code.uses == 1, "what opens no call costs no use"

    other = Caller(dear.url)
    await other.log_in(await dear.code())
    refused = await refusal(other)
    assert (refused.status, refused.body["error_code"]) == (429, "day_over_budget")
    assert "midnight" in refused.body["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    async with asyncio.timeout(10):
        reasons: list[tuple[str, int]] = []
        while not reasons:
            async with records.reading() as db:
                found = await db.execute(select(Refusal.reason, Refusal.count))
                reasons = [(reason, count) for reason, count in found]
            await asyncio.sleep(0.1)
    assert reasons == [("day_over_budget", 1)]


async def refusal(caller: Caller) -> Refused:
    with pytest.raises(Refused) as refused:
        await caller.ask_access()
    await caller.hang_up()
    return refused.value
