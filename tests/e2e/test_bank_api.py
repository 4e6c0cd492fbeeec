"""The bank over HTTP, on both databases: the whole application, its real doors, money that moves once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import func, select

from api.app import create_app
from api.deps import Shared
from banking import accounts, beneficiaries, ledger, reminders, seed, transfers
from banking.accounts import Account
from banking.beneficiaries import Beneficiary
from banking.customers import Customer
from banking.ledger import Entry
from banking.transfers import Transfer
from core import vault
from core.clock import utc_now
from core.settings import Settings
from identity import otp, users
from identity.actor import SYSTEM, Actor
from identity.audit import Record
from identity.users import UserRole
from tests import databases

database_url = databases.database_url
postgres_cluster = databases.postgres_cluster
postgres_shared = databases.postgres_shared
shared_database_url = databases.shared_database_url
sqlite_template = databases.sqlite_template

SECRET = "a secret for the tests alone, of enough bytes"
API = "/api/v1"


@dataclass
class Person:
    """Somebody logged in, and everything they were ever answered."""

    http: httpx.AsyncClient
    subject: str
    answers: list[httpx.Response] = field(default_factory=list)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = await self.http.request(method, path if path.startswith("/") else f"{API}/{path}", **request)
        self.answers.append(response)
        return response

    async def get(self, path: str, **params: Any) -> Any:
        response = await self.ask("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        return await self.ask("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})

    async def payee(self, nickname: str) -> str:
        """The id of a saved payee."""
        return next(each["id"] for each in (await self.get("beneficiaries"))["data"] if each["nickname"] == nickname)

    async def balance(self) -> int:
        """What is on the primary account."""
        return (await self.get("accounts"))["data"][0]["balance_minor"]

    async def send(self, amount: Any, to: str = "Ravi", *, key: str | None = None, **more: Any) -> httpx.Response:
        return await self.post("transfers", {"beneficiary_id": await self.payee(to), "amount": amount, **more}, key=key)


@dataclass
class Bank:
    """The application, without its speech and language parts."""

    app: FastAPI

    @property
    def shared(self) -> Shared:
        return self.app.state.shared

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def guest(self, *, by_page: bool = False) -> Person:
        """A portal guest, with a token as a program has it or with the page's cookie."""
        async with self.shared.db.transaction() as db:
            (code,) = await otp.issue(db, actor=SYSTEM, secret=self.shared.secret, fmt="digits6", now=utc_now())
        http = self.client()
        response = await http.post("/api/auth/login/otp", json={"otp_code": code.code})
        if not by_page:
            http.cookies.clear()
            http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return Person(http, code.id)

    async def user(self, name: str, *, role: UserRole = UserRole.USER) -> Person:
        """A registered user without a bank customer, or an administrator."""
        async with self.shared.db.transaction() as db:
            user = await users.create(
                db, username=name, password="correct horse battery", name=name, role=role, now=utc_now()
            )
        token = self.shared.tokens.mint(subject=user.id, role=user.role.value, version=user.token_version)
        http = self.client()
        http.headers["Authorization"] = f"Bearer {token}"
        return Person(http, user.id)

    def code(self, person: Person) -> str:
        """The newest code sent to somebody."""
        assert self.shared.delivery.inbox is not None
        texts = self.shared.delivery.inbox.of(person.subject, now=utc_now())
        found = re.search(r"\b\d{6}\b", texts[0].text)
        assert found is not None
        return found[0]

    async def customer(self, person: Person) -> str:
        async with self.shared.db.reading() as db:
            mine = (Customer.guest_of == person.subject) | (Customer.user_id == person.subject)
            return (await db.scalars(select(Customer.id).where(mine))).one()

    async def count(self, column: Any) -> int:
        async with self.shared.db.reading() as db:
            return await db.scalar(select(func.count(column))) or 0

    async def sound(self) -> None:
        """The ledger does not contradict itself."""
        async with self.shared.db.reading() as db:
            assert await ledger.check(db) == []


@pytest_asyncio.fixture
async def bank(shared_database_url: str, tmp_path: Path) -> AsyncIterator[Bank]:
    before = vault.vault()
    settings = Settings(_env_file=None, database_url=shared_database_url, data_dir=tmp_path, secret_key=SECRET)  # pyright: ignore[reportCallIssue, reportArgumentType]
    app = create_app(settings)
    yield Bank(app)
    await app.state.shared.db.close()
    vault.unlock(before)


@pytest_asyncio.fixture
async def me(bank: Bank) -> Person:
    return await bank.guest()


def refused(response: httpx.Response, status: int, code: str) -> bool:
    """An error in the one shape, said for people."""
    body = response.json()
    assert (response.status_code, body["error_code"]) == (status, code), response.text
    assert body["status_code"] == status
    assert body["detail"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    return True


# --- Looking ----------------------------------------------------------------------------------------------------------


async def test_my_accounts_and_what_is_on_them(me: Person) -> None:
    page = await me.get("accounts")
    savings, current = page["data"]
    assert page["pagination"] == {"page": 1, "per_page": 20, "total": 2, "pages": 1}
    assert (savings["kind"], savings["name"], savings["is_primary"]) == ("savings", "Savings account", True)
    assert (savings["balance_minor"], savings["available_minor"], savings["held_minor"]) == (10_000_00, 10_000_00, 0)
    assert (current["kind"], current["currency"], current["status"]) == ("current", "INR", "active")
    assert re.fullmatch(r"••••\d{4}", savings["number_masked"])

    one = await me.get(f"accounts/{savings['id']}")
    assert one == {**savings, "number": one["number"]}
    assert one["number"].isdigit()
    assert one["number"][-4:] == savings["number_masked"][-4:]

    balance = await me.get("balance")
    assert balance["balance_minor"] == savings["balance_minor"] + current["balance_minor"]
    assert balance["accounts"] == [savings, current]


async def test_the_newest_transactions(me: Person) -> None:
    """As the specification's sample asks for them: `ledger?limit=5`."""
    newest = await me.get("ledger", limit=5)
    assert len(newest["data"]) == 5
    assert newest["pagination"]["per_page"] == 5
    times = [line["at"] for line in newest["data"]]
    assert times == sorted(times, reverse=True)

    savings = (await me.get("accounts"))["data"][0]["id"]
    history = (await me.get("ledger", account_id=savings))["data"]
    assert [(line["amount_minor"], line["category"]) for line in history] == [
        (5000_00, "salary"),
        (-2000_00, "groceries"),
        (-1000_00, "transfer"),
        (1500_00, "transfer"),
    ]
    assert history[0]["description"] == "Received ₹5000 from Salary"
    assert {line["account_id"] for line in history} == {savings}


async def test_the_pages_of_a_statement_make_the_whole(me: Person) -> None:
    whole = (await me.get("ledger", per_page=100))["data"]
    first = await me.get("ledger", per_page=4)
    pages = [(await me.get("ledger", per_page=4, page=n + 1))["data"] for n in range(first["pagination"]["pages"])]
    assert [line for page in pages for line in page] == whole
    assert first["pagination"]["total"] == len(whole) == len({line["entry_id"] for line in whole})
    beyond = await me.get("ledger", per_page=4, page=9_999)
    assert (beyond["data"], beyond["pagination"]["total"]) == ([], len(whole))


async def test_a_statement_can_be_narrowed(me: Person) -> None:
    savings = (await me.get("accounts"))["data"][0]["id"]

    async def amounts(**wanted: Any) -> list[int]:
        return [line["amount_minor"] // 100 for line in (await me.get("ledger", account_id=savings, **wanted))["data"]]

    assert await amounts(category="Groceries") == [-2000]
    assert await amounts(direction="in") == [5000, 1500]
    assert await amounts(direction="out") == [-2000, -1000]
    assert await amounts(text="ravi") == [-1000]
    assert await amounts(text="100%") == []
    assert await amounts(since="2025-11-19") == [5000, -2000]
    assert await amounts(until="2025-11-18") == [-1000, 1500]  # to the end of that day in India
    assert await amounts(since="2025-11-18", until="2025-11-18") == [-1000]
    assert await amounts(since="2025-11-19T14:15:00Z", until="2025-11-20T09:30:00Z") == [-2000]
    assert await amounts(since="2025-11-20T15:00:00+05:30") == [5000]
    # 18:30 UTC is midnight in India.
    assert await amounts(until="2025-11-17T16:20:00Z") == []


async def test_what_was_spent(me: Person) -> None:
    november = await me.get("ledger/spending", since="2025-11-01", until="2025-11-30", category="groceries")
    assert (november["total_minor"], november["count"], november["currency"]) == (2000_00, 1, "INR")
    everything = await me.get("ledger/spending", since="2025-01-01")
    by_category = everything["by_category"]
    assert sum(each["total_minor"] for each in by_category) == everything["total_minor"]
    assert [each["total_minor"] for each in by_category] == sorted(
        (each["total_minor"] for each in by_category), reverse=True
    )
    assert "salary" not in {each["category"] for each in by_category}
    this_month = await me.get("ledger/spending")
    assert datetime.fromisoformat(this_month["since"]).astimezone(UTC) <= utc_now()


async def test_what_may_be_sent(me: Person, bank: Bank) -> None:
    limits = await me.get("limits")
    assert limits["channel"] == "api"
    assert limits["second_factor_above_minor"] == 10_000_00
    assert limits["used_today_minor"] == 0
    await me.send(500)
    after = await me.get("limits")
    assert (after["used_today_minor"], after["left_today_minor"]) == (500_00, limits["per_day_minor"] - 500_00)
    assert (await (await bank.guest(by_page=True)).get("limits"))["channel"] == "web"


async def test_loans_and_their_schedule(me: Person) -> None:
    (loan,) = (await me.get("loans"))["data"]
    assert (loan["kind"], loan["annual_rate_percent"], loan["principal_minor"]) == ("home", "8.50", 15_00_000_00)
    schedule = [
        row
        for page in (1, 2)
        for row in (await me.get(f"loans/{loan['id']}/schedule", per_page=100, page=page))["data"]
    ]
    assert [row["n"] for row in schedule] == list(range(1, loan["months"] + 1))
    assert sum(row["principal_minor"] for row in schedule) == loan["principal_minor"]
    assert all(row["emi_minor"] == row["principal_minor"] + row["interest_minor"] for row in schedule)
    left = [row for row in schedule if not row["paid"]]
    assert (len(left), left[0]["due_on"]) == (loan["instalments_left"], loan["next_due_on"])
    assert sum(row["principal_minor"] for row in left) == loan["outstanding_minor"]


# --- Sending ----------------------------------------------------------------------------------------------------------


async def test_money_is_sent_and_seen(me: Person, bank: Bank) -> None:
    response = await me.send(500, note="Lunch")
    sent = response.json()
    assert response.status_code == 201, response.text
    assert (sent["state"], sent["amount_minor"], sent["mode"], sent["note"]) == ("posted", 500_00, "IMPS", "Lunch")
    assert sent["payee"]["nickname"] == "Ravi"
    assert sent["payee"]["account_masked"] == "••••0003"
    assert sent["balance_after_minor"] == 9_500_00
    assert (sent["bill"], sent["failure"], sent["challenge"]) == (None, None, None)
    assert "₹500" in sent["read_back"]
    assert "₹9,500" in sent["read_back"]

    assert await me.balance() == 9_500_00
    newest = (await me.get("ledger", limit=1))["data"][0]
    assert (newest["amount_minor"], newest["posting_id"]) == (-500_00, sent["posting_id"])
    assert newest["description"] == "Sent ₹500 to Ravi"
    assert await me.get(f"transfers/{sent['id']}") == sent
    assert (await me.get("transfers"))["data"] == [sent]
    assert (await me.get("transfers", state="posted"))["data"] == [sent]
    assert (await me.get("transfers", state="failed"))["data"] == []
    await bank.sound()


@pytest.mark.parametrize(
    ("amount", "minor"), [("0.01", 1), ('"499.50"', 499_50), ("4.35", 4_35), ("1.1", 1_10), ("5e2", 500_00)]
)
async def test_the_amount_moves_to_the_paisa(me: Person, amount: str, minor: int) -> None:
    body = f'{{"beneficiary_id": "{await me.payee("Ravi")}", "amount": {amount}}}'
    response = await me.ask("POST", "transfers", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 201, response.text
    assert await me.balance() == 10_000_00 - minor


@pytest.mark.parametrize(
    "amount", ["NaN", "1e999", "true", "0", "-5", "0.001", '"1,000"', "[5]", "null", "99999999999999"]
)
async def test_an_amount_that_is_none_moves_nothing(me: Person, bank: Bank, amount: str) -> None:
    body = f'{{"beneficiary_id": "{await me.payee("Ravi")}", "amount": {amount}}}'
    response = await me.ask("POST", "transfers", content=body, headers={"Content-Type": "application/json"})
    assert refused(response, 422, "validation")
    assert response.json()["errors"]
    assert await bank.count(Transfer.id) == 0


async def test_paise_in_the_request(me: Person) -> None:
    body = {"beneficiary_id": await me.payee("Jane"), "amount_minor": 12_345, "mode": "neft"}
    sent = (await me.post("transfers", body)).json()
    assert (sent["amount_minor"], sent["mode"]) == (12_345, "NEFT")
    assert refused(await me.post("transfers", {**body, "amount": 5}), 422, "validation")


async def test_what_is_refused_leaves_nothing_behind(me: Person, bank: Bank) -> None:
    ravi = await me.payee("Ravi")
    savings, current = (account["id"] for account in (await me.get("accounts"))["data"])
    entries = await bank.count(Entry.id)
    nobody = "ben_00000000000000000000"
    for body, status, code in (
        ({"beneficiary_id": ravi, "amount": 9_00_000}, 422, "mode_limit"),
        ({"beneficiary_id": ravi, "amount": 9_00_000, "mode": "NEFT"}, 409, "limit_per_transfer"),
        ({"beneficiary_id": ravi, "amount": 4_00_000}, 409, "insufficient_funds"),
        ({"beneficiary_id": ravi, "amount": 10_001, "account_id": savings}, 409, "insufficient_funds"),
        ({"beneficiary_id": nobody, "amount": 5}, 404, "no_payee"),
        ({"beneficiary_id": ravi, "amount": 5, "account_id": "acc_house_cash_inr"}, 404, "no_account"),
        ({"beneficiary_id": ravi, "amount": 5, "currency": "EUR"}, 422, "validation"),
        ({"beneficiary_id": ravi, "amount": 5, "mode": "UPI"}, 422, "validation"),
        ({"beneficiary_id": ravi, "amount": 5, "mode": "bill"}, 422, "validation"),
        ({"beneficiary_id": ravi, "amount": 5, "note": "a\u202eb"}, 422, "bad_note"),
        ({"beneficiary_id": ravi, "amount": 5, "note": "\u0000"}, 422, "validation"),
        ({"beneficiary_id": "'; DROP TABLE accounts", "amount": 5}, 422, "validation"),
        ({"amount": 5}, 422, "validation"),
    ):
        assert refused(await me.post("transfers", body), status, code)
    assert (await bank.count(Entry.id), await bank.count(Transfer.id)) == (entries, 0)
    assert (await me.post("transfers", {"beneficiary_id": ravi, "amount": 100, "account_id": current})).json()[
        "account"
    ]["kind"] == "current"


async def test_a_draft_is_shown_before_it_is_sent(me: Person, bank: Bank) -> None:
    body = {"beneficiary_id": await me.payee("Mom"), "amount": 250}
    drafted = (await me.post("transfers/draft", body)).json()
    assert (drafted["state"], drafted["posted_at"], await me.balance()) == ("drafted", None, 10_000_00)
    assert "₹250" in drafted["read_back"]
    assert "Mom" in drafted["read_back"]

    path = f"transfers/{drafted['id']}/confirm"
    assert refused(await me.post(path, {"link": "0" * 64}), 409, "draft_changed")
    assert await me.balance() == 10_000_00
    first = await me.post(path, {"link": drafted["link"]})
    again = await me.post(path)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert (first.json()["state"], await me.balance()) == ("posted", 9_750_00)
    assert refused(await me.post(f"transfers/{drafted['id']}/decline"), 409, "already_posted")
    await bank.sound()


async def test_a_draft_can_be_called_off(me: Person) -> None:
    drafted = (await me.post("transfers/draft", {"beneficiary_id": await me.payee("Mom"), "amount": 250})).json()
    for _ in range(2):
        declined = await me.post(f"transfers/{drafted['id']}/decline")
        assert (declined.status_code, declined.json()["state"]) == (200, "declined")
    assert refused(await me.post(f"transfers/{drafted['id']}/confirm"), 409, "transfer_declined")
    assert await me.balance() == 10_000_00


async def test_a_draft_does_not_wait_for_ever(me: Person, bank: Bank) -> None:
    ravi = await me.payee("Ravi")
    async with bank.shared.db.transaction() as db:
        old = await transfers.prepare(
            db,
            policy=bank.shared.policy,
            actor=Actor(me.subject, "otp", "api"),
            customer_id=await _customer(db, me),
            beneficiary_id=ravi,
            amount_minor=500_00,
            key="old",
            now=utc_now() - transfers.DRAFT_LIFE,
        )
    assert refused(await me.post(f"transfers/{old.id}/confirm"), 409, "transfer_expired")
    assert (await me.get(f"transfers/{old.id}"))["state"] == "expired"
    assert await me.balance() == 10_000_00


async def _customer(db: Any, person: Person) -> str:
    return (await db.scalars(select(Customer.id).where(Customer.guest_of == person.subject))).one()


# --- The second factor ------------------------------------------------------------------------------------------------


async def big(me: Person, amount: int = 15_000) -> dict[str, Any]:
    """A transfer that waits for a code."""
    response = await me.send(amount)
    waiting = response.json()
    assert (response.status_code, waiting["state"]) == (202, "challenged"), response.text
    return waiting


async def test_much_money_takes_a_code(me: Person, bank: Bank) -> None:
    waiting = await big(me)
    asked = waiting["challenge"]
    assert (asked["method"], asked["length"], asked["tries_left"]) == ("code", 6, 3)
    assert (waiting["posting_id"], await me.balance()) == (None, 10_000_00)
    assert await me.get(f"transfers/{waiting['id']}") == waiting

    path = f"transfers/{waiting['id']}/verify"
    code = bank.code(me)
    wrong = "000000" if code != "000000" else "111111"
    response = await me.post(path, {"code": wrong})
    assert refused(response, 422, "wrong_code")
    assert "2 tries are left" in response.json()["detail"]
    assert (await me.get(f"transfers/{waiting['id']}"))["challenge"]["tries_left"] == 2

    right = await me.post(path, {"code": code})
    assert (right.status_code, right.json()["state"], right.json()["challenge"]) == (200, "posted", None)
    assert (await me.post(path, {"code": code})).json() == right.json()
    assert (await me.post(path, {"code": wrong})).json() == right.json()  # it has been sent; no code changes that
    accounts_now = (await me.get("accounts"))["data"]
    assert right.json()["balance_after_minor"] in {account["balance_minor"] for account in accounts_now}
    await bank.sound()


async def test_three_wrong_codes_end_it(me: Person, bank: Bank) -> None:
    waiting = await big(me)
    entries = await bank.count(Entry.id)
    code = bank.code(me)
    wrong = [guess for guess in ("000000", "111111", "222222", "333333") if guess != code]
    path = f"transfers/{waiting['id']}/verify"
    assert refused(await me.post(path, {"code": wrong[0]}), 422, "wrong_code")
    assert "1 try is left" in (await me.post(path, {"code": wrong[1]})).json()["detail"]
    assert refused(await me.post(path, {"code": wrong[2]}), 409, "factor_failed")
    assert refused(await me.post(path, {"code": code}), 409, "factor_failed")
    assert refused(await me.post(f"transfers/{waiting['id']}/confirm"), 409, "factor_failed")
    failed = await me.get(f"transfers/{waiting['id']}")
    assert (failed["state"], failed["failure"]["code"], failed["challenge"]) == ("failed", "factor_failed", None)
    assert await bank.count(Entry.id) == entries


async def test_a_code_is_for_one_transfer(me: Person, bank: Bank) -> None:
    first = await big(me)
    old = bank.code(me)
    second = await big(me, 16_000)
    new = bank.code(me)
    if old != new:
        assert refused(await me.post(f"transfers/{second['id']}/verify", {"code": old}), 422, "wrong_code")
    assert (await me.post(f"transfers/{second['id']}/verify", {"code": new})).json()["state"] == "posted"
    assert (await me.post(f"transfers/{first['id']}/verify", {"code": old})).status_code in (409, 422)
    assert (await me.get(f"transfers/{first['id']}"))["posting_id"] is None


async def test_a_code_nobody_asked_for(me: Person) -> None:
    drafted = (await me.post("transfers/draft", {"beneficiary_id": await me.payee("Mom"), "amount": 250})).json()
    path = f"transfers/{drafted['id']}/verify"
    assert refused(await me.post(path, {"code": "123456"}), 409, "no_code_asked")
    for code in ("12345", "1234567", "12345a", "１２３４５６", 123456, None, "123456\n"):
        assert refused(await me.post(path, {"code": code}), 422, "validation")


async def test_a_repeated_wrong_code_costs_one_try(me: Person, bank: Bank) -> None:
    """A request that is sent again because its answer was lost is the same try."""
    waiting = await big(me)
    wrong = "000000" if bank.code(me) != "000000" else "111111"
    path = f"transfers/{waiting['id']}/verify"
    answers = [await me.post(path, {"code": wrong}, key="lost") for _ in range(4)]
    assert all(refused(answer, 422, "wrong_code") for answer in answers)
    assert answers[-1].headers["Idempotency-Replayed"] == "true"
    assert (await me.get(f"transfers/{waiting['id']}"))["challenge"]["tries_left"] == 2


async def test_a_new_payee_takes_a_code_whatever_the_amount(me: Person, bank: Bank) -> None:
    body = {"nickname": "Asha", "name": "Asha Rao", "account_number": "123456789", "ifsc": "hdfc0001234"}
    added = await me.post("beneficiaries", body)
    assert added.status_code == 201, added.text
    assert (added.json()["is_new"], added.json()["ifsc"], added.json()["account_masked"]) == (
        True,
        "HDFC0001234",
        "••••6789",
    )
    response = await me.send(10, "Asha")
    assert (response.status_code, response.json()["state"]) == (202, "challenged")
    done = await me.post(f"transfers/{response.json()['id']}/verify", {"code": bank.code(me)})
    assert (done.status_code, await me.balance()) == (200, 9_990_00)
    assert refused(await me.send(26_000, "Asha"), 409, "limit_new_payee")


# --- Again and again --------------------------------------------------------------------------------------------------


async def test_a_request_under_a_key_is_carried_out_once(me: Person, bank: Bank) -> None:
    first = await me.send(500, key="rent-november")
    again = await me.send(500, key="rent-november")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(await me.send(600, key="rent-november"), 422, "key_reused")
    assert (await bank.count(Transfer.id), await me.balance()) == (1, 9_500_00)

    other = await bank.guest()
    assert (await other.send(500, key="rent-november")).json()["id"] != first.json()["id"]
    await me.send(500)
    await me.send(500)
    assert await me.balance() == 8_500_00


async def test_many_at_once_under_one_key(me: Person, bank: Bank) -> None:
    body = {"beneficiary_id": await me.payee("Ravi"), "amount": 700}
    answers = await asyncio.gather(*(me.post("transfers", body, key="at-once") for _ in range(20)))
    for answer in answers:
        assert answer.status_code == 201 or refused(answer, 409, "in_flight")
    done = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(done) == 1
    assert (await bank.count(Transfer.id), await me.balance()) == (1, 9_300_00)


async def test_many_confirmations_at_once(me: Person, bank: Bank) -> None:
    drafted = (await me.post("transfers/draft", {"beneficiary_id": await me.payee("Mom"), "amount": 250})).json()
    answers = await asyncio.gather(*(me.post(f"transfers/{drafted['id']}/confirm") for _ in range(20)))
    assert {(answer.status_code, answer.json()["posting_id"]) for answer in answers} == {
        (200, answers[0].json()["posting_id"])
    }
    assert await me.balance() == 9_750_00
    await bank.sound()


async def test_the_last_money_is_spent_once(me: Person, bank: Bank) -> None:
    savings = (await me.get("accounts"))["data"][0]["id"]
    body = {"beneficiary_id": await me.payee("Ravi"), "amount": 9_000, "account_id": savings}
    answers = await asyncio.gather(*(me.post("transfers", body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert await me.balance() == 1_000_00
    await bank.sound()


@pytest.mark.parametrize("key", ["", " ", "a b", "ключ", "x" * 256])
async def test_a_key_is_a_short_visible_text(me: Person, bank: Bank, key: str) -> None:
    body = {"beneficiary_id": await me.payee("Ravi"), "amount": 5}
    response = await me.ask("POST", "transfers", json=body, headers=[(b"Idempotency-Key", key.encode())])
    assert refused(response, 422, "validation")
    assert await bank.count(Transfer.id) == 0


# --- Bills, payees, reminders -----------------------------------------------------------------------------------------


async def test_a_bill_is_paid_once(me: Person, bank: Bank) -> None:
    page = await me.get("bills")
    assert {"electricity", "water", "mobile", "internet"} <= set(page["categories"])
    due = (await me.get("bills", state="due"))["data"]
    assert [bill["due_on"] for bill in due] == sorted(bill["due_on"] for bill in due)
    water = next(bill for bill in due if bill["category"] == "water")
    assert water["consumer_number_masked"].startswith("••••")

    response = await me.post("bills/pay", {"bill_id": water["id"]})
    paid = response.json()
    assert (response.status_code, paid["state"], paid["mode"], paid["payee"]) == (201, "posted", "BILL", None)
    assert paid["bill"] == {"id": water["id"], "biller_name": water["biller_name"], "category": "water"}
    assert await me.balance() == 10_000_00 - water["amount_minor"]
    now = next(bill for bill in (await me.get("bills", state="paid"))["data"] if bill["id"] == water["id"])
    assert (now["paid_by"], now["paid_at"]) == (paid["id"], paid["posted_at"])
    assert refused(await me.post("bills/pay", {"bill_id": water["id"]}), 409, "bill_not_due")
    assert refused(await me.post("bills/pay", {"bill_id": "bil_00000000000000000000"}), 404, "no_bill")
    await bank.sound()


async def test_one_bill_paid_by_many_at_once(me: Person, bank: Bank) -> None:
    bill = (await me.get("bills", state="due"))["data"][0]
    answers = await asyncio.gather(*(me.post("bills/pay", {"bill_id": bill["id"]}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await me.balance() == 10_000_00 - bill["amount_minor"]
    await bank.sound()


async def test_payees_come_and_go(me: Person, bank: Bank) -> None:
    before = (await me.get("beneficiaries", per_page=100))["data"]
    assert not any(payee["is_new"] for payee in before)
    good = {"nickname": "Asha", "name": "Asha Rao", "account_number": "1234 5678 90", "ifsc": "HDFC0001234"}
    asha = (await me.post("beneficiaries", good)).json()
    assert refused(await me.post("beneficiaries", {**good, "nickname": "ASHA"}), 409, "nickname_taken")
    for change, code in (
        ({"nickname": "<b>x</b>"}, "bad_name"),
        ({"name": "Asha\u202eoaR"}, "bad_name"),
        ({"account_number": "12345"}, "validation"),
        ({"account_number": "12AB5678"}, "bad_account_number"),
        ({"ifsc": "HDFC1001234"}, "bad_ifsc"),
        ({"nickname": ""}, "validation"),
        ({"name": "\x00"}, "validation"),
    ):
        assert refused(await me.post("beneficiaries", {**good, "nickname": "Other", **change}), 422, code)
    mine = (await me.get(f"accounts/{(await me.get('accounts'))['data'][0]['id']}"))["number"]
    own = {"nickname": "Me", "name": "Me", "account_number": mine}
    assert refused(await me.post("beneficiaries", own), 422, "own_account")

    assert (await me.ask("DELETE", f"beneficiaries/{asha['id']}")).status_code == 204
    assert refused(await me.ask("DELETE", f"beneficiaries/{asha['id']}"), 404, "no_payee")
    assert refused(await me.post("transfers", {"beneficiary_id": asha["id"], "amount": 5}), 404, "no_payee")
    assert (await me.get("beneficiaries", per_page=100))["data"] == before
    async with bank.shared.db.reading() as db:
        acts = (await db.scalars(select(Record.act).where(Record.subject == asha["id"]).order_by(Record.seq))).all()
    assert acts == ["payee.added", "payee.removed"]


async def test_what_was_sent_to_a_payee_who_is_gone_is_still_shown(me: Person) -> None:
    sent = (await me.send(500)).json()
    await me.ask("DELETE", f"beneficiaries/{sent['payee']['id']}")
    assert (await me.get("transfers"))["data"] == [sent]


async def test_a_reminder_becomes_a_notice(me: Person, bank: Bank) -> None:
    due = (utc_now() + timedelta(hours=1)).replace(microsecond=0)
    body = {"text": "Call Mom", "due_at": due.isoformat(), "repeats": "none"}
    response = await me.post("reminders", body)
    assert response.status_code == 201, response.text
    mine = response.json()
    assert (mine["text"], datetime.fromisoformat(mine["due_at"]), mine["state"]) == ("Call Mom", due, "scheduled")
    assert (await me.get("reminders"))["data"][0] == mine
    assert (await me.get("notices"))["data"] == []

    async with bank.shared.db.transaction() as db:
        await reminders.fire_due(db, now=due)
    (notice,) = (await me.get("notices"))["data"]
    assert ("Call Mom" in notice["text"], notice["read_at"]) == (True, None)
    read = await me.post(f"notices/{notice['id']}/read")
    assert (read.status_code, read.json()["read_at"] is not None) == (200, True)
    assert (await me.post(f"notices/{notice['id']}/read")).json() == read.json()
    assert (await me.get("reminders", state="fired"))["data"][0]["id"] == mine["id"]


async def test_a_reminder_can_be_cancelled(me: Person) -> None:
    due = utc_now() + timedelta(days=1)
    mine = (await me.post("reminders", {"text": "Pay rent", "due_at": due.isoformat(), "repeats": "monthly"})).json()
    for _ in range(2):
        assert (await me.ask("DELETE", f"reminders/{mine['id']}")).status_code == 204
    assert mine["id"] not in {each["id"] for each in (await me.get("reminders", state="scheduled"))["data"]}


@pytest.mark.parametrize(
    "due_at",
    [
        "2020-01-01T00:00:00Z",
        "2099-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "x",
        1e300,
    ],
)
async def test_a_reminder_lies_ahead_and_within_reach(me: Person, due_at: Any) -> None:
    response = await me.post("reminders", {"text": "Too late", "due_at": due_at})
    assert response.status_code == 422, response.text
    assert response.json()["error_code"] in ("validation", "bad_time")


# --- Whose ------------------------------------------------------------------------------------------------------------


def _bank_routes(bank: Bank) -> list[tuple[str, str, dict[str, Any]]]:
    """Every route of the bank, from the schema itself, so that new ones are covered."""
    paths = bank.app.openapi()["paths"]
    return [
        (method.upper(), path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "bank" in operation.get("tags", ())
    ]


async def _owned(me: Person, bank: Bank) -> dict[str, str]:
    """One id of everything somebody has, by the name routes give it."""
    due = utc_now() + timedelta(hours=1)
    reminder = (await me.post("reminders", {"text": "Mine", "due_at": due.isoformat()})).json()
    await me.post("reminders", {"text": "Soon", "due_at": (utc_now() + timedelta(minutes=5)).isoformat()})
    async with bank.shared.db.transaction() as db:
        await reminders.fire_due(db, now=utc_now() + timedelta(minutes=6))
    draft = await me.post("transfers/draft", {"beneficiary_id": await me.payee("Mom"), "amount": 250})
    return {
        "account_id": (await me.get("accounts"))["data"][0]["id"],
        "beneficiary_id": await me.payee("Ravi"),
        "bill_id": (await me.get("bills", state="due"))["data"][0]["id"],
        "loan_id": (await me.get("loans"))["data"][0]["id"],
        "reminder_id": reminder["id"],
        "notice_id": (await me.get("notices"))["data"][0]["id"],
        "transfer_id": draft.json()["id"],
    }


BODIES: dict[str, list[dict[str, Any]]] = {
    f"{API}/transfers": [{"amount": 5}],
    f"{API}/transfers/draft": [{"amount": 5}],
    f"{API}/transfers/{{transfer_id}}/verify": [{"code": "123456"}],
    f"{API}/bills/pay": [{}],
    "/transfer/init": [{"amount": 5}],
    "/transfer/confirm": [{}],
}


async def test_other_peoples_ids_do_not_exist(me: Person, bank: Bank) -> None:
    """Every id of mine, in every place of every route that takes one, is unknown to somebody else."""
    mine = await _owned(me, bank)
    stranger = await bank.guest()
    theirs = await _owned(stranger, bank)
    balance, drafts = await me.balance(), (await me.get("transfers"))["data"]
    tried = 0
    schemas = bank.app.openapi()["components"]["schemas"]
    for method, path, operation in _bank_routes(bank):
        names = {each["name"] for each in operation.get("parameters", ()) if each["name"].endswith("_id")}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        in_body: set[str] = set()
        for reference in re.findall(r"schemas/(\w+)", json.dumps(content)):
            in_body |= {name for name in schemas[reference]["properties"] if name.endswith("_id")}
        for name in names | in_body:
            used = {**theirs, name: mine[name]}
            body = {**BODIES.get(path, [{}])[0], **{each: used[each] for each in in_body}} if content else None
            params = {each: used[each] for each in names if f"{{{each}}}" not in path}
            response = await stranger.ask(method, path.format(**used), params=params, json=body)
            assert response.status_code == 404, f"{method} {path} with my {name}: {response.text}"
            tried += 1
    for name, body in (
        ("transfer_id", {"transfer_id": mine["transfer_id"]}),
        ("transfer_id", {"transfer_id": mine["transfer_id"], "otp": "123456"}),
    ):
        assert (await stranger.post("/transfer/confirm", body)).status_code == 404, name
    assert tried >= 15
    assert (await me.balance(), (await me.get("transfers"))["data"]) == (balance, drafts)
    assert (await me.get("notices"))["data"][0]["read_at"] is None
    assert mine["reminder_id"] in {each["id"] for each in (await me.get("reminders", state="scheduled"))["data"]}


BARE = [
    ("GET", "/balance"),
    ("GET", "/transactions"),
    ("GET", "/loans"),
    ("GET", "/reminders"),
    ("POST", "/reminders"),
    ("POST", "/transfer/init"),
    ("POST", "/transfer/confirm"),
]


async def test_only_customers_are_let_in(bank: Bank) -> None:
    nobody = Person(bank.client(), "")
    liar = Person(bank.client(), "")
    liar.http.headers["Authorization"] = "Bearer e30.e30.e30"
    admin = await bank.user("boss", role=UserRole.ADMIN)
    outsider = await bank.user("operator")
    routes = [(method, re.sub(r"{.*?}", "x_1", path)) for method, path, _ in _bank_routes(bank)] + BARE
    assert len(routes) >= 30
    for method, path in routes:
        assert refused(await nobody.ask(method, path, json={}), 401, "unauthorized")
        assert refused(await liar.ask(method, path, json={}), 401, "unauthorized")
        assert refused(await admin.ask(method, path, json={}), 403, "not_a_customer")
        assert (await outsider.ask(method, path, json={})).status_code == 404


async def test_whole_account_numbers_are_shown_on_ones_own_account_alone(me: Person, bank: Bank) -> None:
    body = {"nickname": "Asha", "name": "Asha Rao", "account_number": "123456789012", "ifsc": "HDFC0001234"}
    await me.post("beneficiaries", body)
    owned = await _owned(me, bank)
    await me.send(500)
    await big(me)
    await me.post("bills/pay", {"bill_id": owned["bill_id"]})
    for method, path, _ in _bank_routes(bank):
        if method == "GET" and path != f"{API}/accounts/{{account_id}}":
            await me.get(path.format(**owned))
    async with bank.shared.db.reading() as db:
        customer_id = await bank.customer(me)
        numbers = {row.number for row in await db.scalars(select(Account).where(Account.customer_id == customer_id))}
        payees = await db.scalars(select(Beneficiary).where(Beneficiary.customer_id == customer_id))
        numbers |= {payee.account_number for payee in payees}
    assert len(numbers) >= 8
    for answer in me.answers:
        assert not [number for number in numbers if number in answer.text], answer.request.url


async def test_a_user_banks_as_the_customer_they_are(bank: Bank) -> None:
    async with bank.shared.db.transaction() as db:
        await seed.seed(db, now=utc_now())
    http = bank.client()
    login = await http.post("/auth/login", json={"username": "john", "password": seed.DEMO_PASSWORD})
    http.cookies.clear()
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    john = Person(http, "john")
    (savings,) = (await john.get("accounts"))["data"]
    assert savings["balance_minor"] == 10_000_00
    assert savings["number_masked"] == "••••0001"

    # Jane banks here too: what John sends is on her account at once.
    async with bank.shared.db.reading() as db:
        jane = (await db.scalars(select(Customer.id).where(Customer.demo_number == 2))).one()
        before = (await accounts.of_customer(db, customer_id=jane))[0]
    sent = (await john.send(500, "Jane")).json()
    assert (sent["state"], sent["mode"]) == ("posted", "BOOK")
    async with bank.shared.db.reading() as db:
        after = await accounts.get(db, before.id)
        payee = await beneficiaries.own(db, customer_id=await _demo(db, 1), beneficiary_id=sent["payee"]["id"])
    assert after.balance_minor == before.balance_minor + 500_00
    assert payee.account_number == before.number
    await bank.sound()


async def _demo(db: Any, number: int) -> str:
    return (await db.scalars(select(Customer.id).where(Customer.demo_number == number))).one()


async def test_the_record_says_through_which_door(bank: Bank) -> None:
    for by_page, channel in ((True, "web"), (False, "api")):
        person = await bank.guest(by_page=by_page)
        await person.send(500)
        async with bank.shared.db.reading() as db:
            (row,) = await db.scalars(select(Transfer).where(Transfer.actor == person.subject))
        assert row.channel == channel


# --- The older client -------------------------------------------------------------------------------------------------


async def test_an_older_clients_paths(me: Person, bank: Bank) -> None:
    """`/transfer/init` and `/transfer/confirm`, `/balance` and the like, by the same handlers."""
    drafted = await me.post("/transfer/init", {"beneficiary_id": await me.payee("Ravi"), "amount": 500.0})
    assert (drafted.status_code, drafted.json()["state"]) == (201, "drafted")
    done = await me.post("/transfer/confirm", {"transfer_id": drafted.json()["id"]})
    assert (done.status_code, done.json()["state"]) == (200, "posted")
    assert (await me.get("/balance"))["accounts"][0]["balance_minor"] == 9_500_00
    assert (await me.get("/transactions", limit=1))["data"][0]["amount_minor"] == -500_00
    assert await me.get("/loans") == await me.get("loans")
    due = (utc_now() + timedelta(hours=1)).isoformat()
    assert (await me.post("/reminders", {"text": "Mine", "due_at": due})).status_code == 201
    assert await me.get("/reminders") == await me.get("reminders")
    assert not {path for _, path in BARE} & set(bank.app.openapi()["paths"])


async def test_an_older_client_gives_the_code_with_the_confirmation(me: Person, bank: Bank) -> None:
    body = {"beneficiary_id": await me.payee("Ravi"), "amount": 15_000}
    drafted = (await me.post("/transfer/init", body)).json()
    asked = await me.post("/transfer/confirm", {"transfer_id": drafted["id"]})
    assert (asked.status_code, asked.json()["state"]) == (202, "challenged")
    code = bank.code(me)
    wrong = "000000" if code != "000000" else "111111"
    assert refused(await me.post("/transfer/confirm", {"transfer_id": drafted["id"], "otp": wrong}), 422, "wrong_code")
    done = await me.post("/transfer/confirm", {"transfer_id": drafted["id"], "otp": code})
    assert (done.status_code, done.json()["state"]) == (200, "posted")
    again = await me.post("/transfer/confirm", {"transfer_id": drafted["id"], "otp": code})
    assert again.json() == done.json()


# --- How often --------------------------------------------------------------------------------------------------------


async def test_how_often_is_said_and_bounded(me: Person, bank: Bank) -> None:
    response = await me.ask("GET", "accounts")
    left = int(response.headers["X-RateLimit-Remaining"])
    assert int(response.headers["X-RateLimit-Limit"]) == left + 1
    assert int((await me.ask("GET", "accounts")).headers["X-RateLimit-Remaining"]) == left - 1

    path = "transfers/trf_00000000000000000000/verify"
    answers = [await me.post(path, {"code": "123456"}) for _ in range(25)]
    assert {answer.status_code for answer in answers} == {404, 429}
    late = answers[-1]
    assert refused(late, 429, "too_many_requests")
    assert 1 <= int(late.headers["Retry-After"]) <= 61
    assert late.headers["X-RateLimit-Remaining"] == "0"
    other = await bank.guest()
    assert (await other.post(path, {"code": "123456"})).status_code == 404
