"""The audit log, the webhooks and customers' requests over HTTP: for administrators, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api import audit as audit_routes
from api import errors
from api import requests as request_routes
from api import webhooks as webhook_routes
from api.deps import who
from banking import requests
from banking.customers import Customer, KycStatus
from banking.requests import RequestKind
from core import webhooks
from core.db import Database
from core.ids import new_id
from core.settings import Settings
from identity import audit
from identity.actor import Actor
from identity.audit import Heads
from identity.limits import Rates
from identity.tokens import Claims, Role

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "the secret of an audited server, long enough"
JOHN = Actor("usr_john", "user", "voice", call_id="call_1", command="send five hundred to Ravi")
HOOK = {
    "url": "http://127.0.0.1:9/hook",
    "events": ["transaction.completed"],
    "secret": "sixteen characters".replace(" ", "-"),
}


@dataclass
class _Shared:
    """What the routes need of the shared parts."""

    settings: Settings
    secret: str
    db: Database
    rates: Rates = field(default_factory=lambda: Rates(1000))


class Office:
    """The routes alone, for somebody whose role can be told."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self.role: Role = "admin"
        self.settings = Settings(_env_file=None, data_dir=data_dir, webhook_allow_private=True)  # pyright: ignore[reportCallIssue]
        app = self.app = FastAPI()
        self.shared = app.state.shared = _Shared(self.settings, SECRET, database)
        app.dependency_overrides[who] = self._claims
        errors.install(app)
        app.include_router(audit_routes.router)
        app.include_router(webhook_routes.router)
        app.include_router(request_routes.router)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://office")

    def _claims(self) -> Claims:
        return Claims(
            subject="usr_admin",
            role=self.role,
            permissions=(),
            email=None,
            name=None,
            version=0,
            token_id="1",
            issued_at=NOW,
            expires_at=NOW,
        )

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(database, tmp_path)
    yield office
    await office.client.aclose()


async def note(database: Database, act: str, **more: Any) -> None:
    async with database.transaction() as db:
        audit.note(db, **{"actor": JOHN, "act": act, "subject": "trf_1", "customer_id": "cus_1", "at": NOW} | more)


async def test_the_log_shows_what_was_said_and_done(office: Office, database: Database) -> None:
    await note(database, "transfer.posted", details={"amount_minor": 50_000})
    answer = await office.get("/audit-logs")
    assert answer["pagination"] == {"page": 1, "per_page": 20, "total": 1, "pages": 1}
    (item,) = answer["data"]
    digest = item.pop("hash")
    assert len(digest) == 64
    assert item == {
        "id": "aud_1",
        "seq": 1,
        "user_id": "usr_john",
        "role": "user",
        "channel": "voice",
        "call_id": "call_1",
        "customer_id": "cus_1",
        "command_text": "send five hundred to Ravi",
        "action_json": {"act": "transfer.posted", "subject": "trf_1", "details": {"amount_minor": 50_000}},
        "result": "ok",
        "created_at": "2026-03-01T12:00:00Z",
    }


async def test_the_log_can_be_searched(office: Office, database: Database) -> None:
    await note(database, "transfer.posted")
    await note(
        database, "payee.added", customer_id="cus_2", at=NOW + timedelta(hours=1), actor=Actor("a", "user", "web")
    )

    async def found(**query: Any) -> list[int]:
        return [item["seq"] for item in (await office.get("/audit-logs", **query))["data"]]

    assert await found() == [2, 1]
    assert await found(act="payee.added") == [2]
    assert await found(customer="cus_1") == [1]
    assert await found(call="call_1") == [1]
    assert await found(since="2026-03-01T18:00:00+05:30") == [2]
    assert await found(until="2026-03-01T12:30:00Z") == [1]
    assert await found(page=2, per_page=1) == [1]
    assert await found(page=3, per_page=1) == []
    assert (await office.client.get("/audit-logs", params={"since": "2026-03-01T12:30:00"})).status_code == 422
    assert (await office.client.get("/audit-logs", params={"act": "\x00"})).status_code == 422


async def test_the_verdict_names_the_first_broken_record(office: Office, database: Database) -> None:
    for n in range(3):
        await note(database, f"act.{n}")
    heads = Heads.of_settings(office.settings, secret=SECRET)
    await heads.sign(database, now=NOW)
    verdict = await office.get("/audit-logs/verify")
    assert (verdict["ok"], verdict["checked"], verdict["first_broken"], verdict["heads"]) == (True, 3, None, 1)
    assert verdict["public_key"] == heads.public_key
    async with database.transaction() as db:
        if database.dialect == "postgresql":
            await db.execute(sa.text("SET LOCAL session_replication_role = replica"))
        else:
            await db.execute(sa.text("DROP TRIGGER audit_log_no_update"))
        await db.execute(sa.text("UPDATE audit_log SET act = 'nothing' WHERE seq = 2"))
    verdict = await office.get("/audit-logs/verify")
    assert (verdict["ok"], verdict["checked"], verdict["first_broken"]) == (False, 1, 2)
    assert (await office.get("/audit-logs/verify", last=1))["ok"]


async def test_a_changed_file_of_heads_is_said_to_be_so(office: Office, database: Database, tmp_path: Path) -> None:
    await note(database, "act")
    await Heads.of_settings(office.settings, secret=SECRET).sign(database, now=NOW)
    file = tmp_path / "audit_heads.jsonl"
    file.write_text(file.read_text().replace('"seq":1', '"seq":2'))
    verdict = await office.get("/audit-logs/verify")
    assert not verdict["ok"]
    assert "line 1" in verdict["why"]


async def test_a_webhook_is_added_shown_and_removed_on_record(office: Office, database: Database) -> None:
    answer = await office.client.post("/webhooks", json=HOOK)
    assert answer.status_code == 201, answer.text
    added = answer.json()
    assert (added["url"], added["events"], added["pending"]) == (HOOK["url"], HOOK["events"], 0)
    assert HOOK["secret"] not in answer.text
    async with database.transaction() as db:
        webhooks.put(db, event=webhooks.Event.TRANSACTION_COMPLETED, payload={}, at=NOW)
    listed = await office.client.get("/webhooks")
    assert listed.json()["data"] == [added | {"pending": 1}]
    assert HOOK["secret"] not in listed.text
    assert (await office.client.delete(f"/webhooks/{added['id']}")).status_code == 204
    assert (await office.client.delete(f"/webhooks/{added['id']}")).status_code == 404
    assert (await office.get("/webhooks"))["data"] == []
    async with database.reading() as db:
        records, _ = await audit.page(db)
    assert [(record.act, record.subject, record.actor) for record in records] == [
        ("webhook.removed", added["id"], "usr_admin"),
        ("webhook.added", added["id"], "usr_admin"),
    ]
    assert HOOK["secret"] not in records[1].details


@pytest.mark.parametrize(
    "change",
    [
        {"url": ""},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://169.254.169.254/latest/meta-data/"},
        {"url": "http://[::ffff:169.254.169.254]/"},
        {"url": "http://user:pw@127.0.0.1/"},
        {"url": "http://127.0.0.1/\ud800"},
        {"url": "http://127.0.0.1/" + "x" * 2000},
        {"events": []},
        {"events": ["everything"]},
        {"events": ["transaction.completed"] * 5},
        {"secret": "short"},
        {"secret": "sixteen characters"},
        {"secret": "schlüsselschlüssel"},
        {"secret": "x" * 257},
        {"url": None},
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(office: Office, change: dict[str, Any]) -> None:
    answer = await office.client.post(
        "/webhooks", content=_json(HOOK | change), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    assert (await office.get("/webhooks"))["data"] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://127.0.0.1/", "https://10.0.0.1/", "https://2130706433/"])
async def test_in_production_a_webhook_inside_is_refused(database: Database, tmp_path: Path, url: str) -> None:
    office = Office(database, tmp_path)
    office.shared.settings = Settings(_env_file=None, data_dir=tmp_path)  # pyright: ignore[reportCallIssue]
    answer = await office.client.post("/webhooks", json=HOOK | {"url": url})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "bad_url")
    await office.client.aclose()


async def ask(database: Database, name: str, *kinds: RequestKind) -> list[str]:
    """Have a new customer ask for these, a minute apart; the requests' ids."""
    async with database.transaction() as db:
        customer = Customer(id=new_id("cus"), name=name, kyc_status=KycStatus.VERIFIED, created_at=NOW)
        db.add(customer)
        await db.flush()
        return [
            (
                await requests.open_request(
                    db,
                    actor=JOHN,
                    customer_id=customer.id,
                    kind=kind,
                    note=f"{name} asks for {kind}",
                    key=f"{n}",
                    now=NOW + timedelta(minutes=n),
                )
            ).id
            for n, kind in enumerate(kinds)
        ]


async def test_people_see_what_customers_have_asked_for(office: Office, database: Database) -> None:
    (card, person) = await ask(database, "Ada", RequestKind.BLOCK_CARD, RequestKind.PERSON)
    listed = await office.get("/requests")
    assert listed["pagination"] == {"page": 1, "per_page": 20, "total": 2, "pages": 1}
    newest, oldest = listed["data"]
    assert newest["id"] == person
    assert oldest.pop("customer_id").startswith("cus_")
    assert oldest == {
        "id": card,
        "customer_name": "Ada",
        "kind": "block_card",
        "note": "Ada asks for block_card",
        "call_id": "call_1",
        "state": "open",
        "created_at": "2026-03-01T12:00:00Z",
    }


async def test_requests_are_found_by_state_and_kind_page_by_page(office: Office, database: Database) -> None:
    card, complaint, late_card = await ask(
        database, "Ada", RequestKind.BLOCK_CARD, RequestKind.COMPLAINT, RequestKind.BLOCK_CARD
    )
    await office.client.post(f"/requests/{card}/done")

    async def found(**query: Any) -> list[str]:
        return [each["id"] for each in (await office.get("/requests", **query))["data"]]

    assert await found(kind="block_card") == [late_card, card]
    assert await found(state="open") == [late_card, complaint]
    assert await found(state="done", kind="block_card") == [card]
    assert await found(kind="person") == []
    assert [await found(page=n, per_page=2) for n in (1, 2, 3)] == [[late_card, complaint], [card], []]
    for query in ({"state": "lost"}, {"kind": "loan"}, {"page": 0}, {"per_page": 101}):
        assert (await office.client.get("/requests", params=query)).status_code == 422


async def test_a_request_is_closed_once_and_on_record(office: Office, database: Database) -> None:
    (card, person) = await ask(database, "Ada", RequestKind.BLOCK_CARD, RequestKind.PERSON)
    closed = await office.client.post(f"/requests/{card}/done")
    assert (closed.status_code, closed.json()["state"], closed.json()["customer_name"]) == (200, "done", "Ada")
    assert (await office.client.post(f"/requests/{card}/done")).json() == closed.json()
    assert {each["id"]: each["state"] for each in (await office.get("/requests"))["data"]} == {
        card: "done",
        person: "open",
    }
    async with database.reading() as db:
        records, total = await audit.page(db, act="request.closed")
    assert [(each.subject, each.customer_id, each.actor) for each in records] == [
        (card, closed.json()["customer_id"], "usr_admin")
    ]
    assert total == 1


async def test_a_request_that_is_not_there_cannot_be_closed(office: Office, database: Database) -> None:
    answer = await office.client.post("/requests/req_nothing/done")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "no_request")
    assert (await office.client.post("/requests/%00/done")).status_code == 422
    async with database.reading() as db:
        assert await audit.page(db) == ([], 0)


FOR_ADMINISTRATORS = (
    ("GET", "/audit-logs"),
    ("GET", "/audit-logs/verify"),
    ("GET", "/webhooks"),
    ("POST", "/webhooks"),
    ("DELETE", "/webhooks/whk_1"),
    ("GET", "/requests"),
    ("POST", "/requests/req_1/done"),
)


@pytest.mark.parametrize("role", ["user", "otp"])
async def test_nobody_but_an_administrator_sees_or_changes_them(office: Office, role: Role) -> None:
    office.role = role
    for method, path in FOR_ADMINISTRATORS:
        answer = await office.client.request(method, path, json=HOOK if method == "POST" else None)
        assert (answer.status_code, path) == (403, path)


async def test_without_a_log_in_there_is_nothing(office: Office) -> None:
    office.app.dependency_overrides.clear()
    for method, path in FOR_ADMINISTRATORS:
        answer = await office.client.request(method, path, json=HOOK if method == "POST" else None)
        assert (answer.status_code, path) == (401, path)


def _json(value: object) -> bytes:
    import json

    return json.dumps(value).encode()
