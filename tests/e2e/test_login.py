"""Logging in to a running server: by code, by password, with a second factor; renewing, ending, and being refused."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pyotp.totp import TOTP

from core.clock import utc_now
from core.settings import DEV_ADMIN_PASSWORD
from tests.e2e.conftest import until
from tests.servers import Server

PASSWORD = "password123"


@pytest.fixture(scope="module")
def bank(data_dir: Path) -> Iterator[Server]:
    """A server of its own behind a proxy: these tests change passwords and use up budgets of failures."""
    server = Server(data_dir, {"TRUSTED_PROXIES": "127.0.0.1"}, database="login.db")
    server.start()
    yield server
    server.stop()


_addresses = iter(range(1, 250))


@pytest_asyncio.fixture
async def http(bank: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an address of their own, who keeps no cookies."""
    headers = {"X-Forwarded-For": f"198.51.100.{next(_addresses)}"}
    async with httpx.AsyncClient(base_url=bank.url, trust_env=False, timeout=20, headers=headers) as client:
        yield client


@pytest_asyncio.fixture
async def direct(bank: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody on the server's own machine."""
    async with httpx.AsyncClient(base_url=bank.url, trust_env=False, timeout=20) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def log_in(http: httpx.AsyncClient, name: str = "john", password: str = PASSWORD) -> dict[str, Any]:
    response = await http.post("/api/v1/auth/login", json={"username": name, "password": password})
    http.cookies.clear()
    assert response.status_code == 200, response.text
    return response.json()


async def refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    response = await http.post("/auth/refresh-token", json={"refresh_token": token})
    http.cookies.clear()
    return response


async def status_of_me(http: httpx.AsyncClient, token: str) -> int:
    return (await http.get("/api/v1/me", headers=bearer(token))).status_code


def sent_code(bank: Server, pattern: str = r"(\d{6}) is your Parley log-in code") -> str:
    """The newest code on the server's console, which the tests keep in the file of its log."""
    return re.findall(pattern, bank.log)[-1]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def change_database(bank: Server, statement: str, *arguments: object) -> None:
    with sqlite3.connect(bank.data_dir / bank.database, timeout=10) as database:
        database.execute(statement, arguments)


# --- Password ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/auth/login"])
@pytest.mark.parametrize(
    "names", [{"username": "john"}, {"email": "John@Example.com"}, {"username": "john@example.com"}]
)
async def test_a_customer_logs_in_by_any_name(http: httpx.AsyncClient, path: str, names: dict[str, str]) -> None:
    response = await http.post(path, json={**names, "password": PASSWORD})
    assert response.status_code == 200
    answer = response.json()
    assert answer["otp_required"] is False
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 600)
    assert answer["refresh_token"]
    assert answer["session_id"].startswith("ses_")
    http.cookies.clear()
    me = (await http.get("/api/v1/me", headers=bearer(answer["access_token"]))).json()
    assert (me["role"], me["name"], me["email"]) == ("user", "John Doe", "john@example.com")
    assert me["customer_id"].startswith("cus_")
    assert me["kyc_status"] == "verified"
    assert me["second_factor"] == {"totp": False, "login_factor": None}


@pytest.mark.parametrize(
    "body", [{}, {"password": PASSWORD}, {"username": "", "password": PASSWORD}, {"username": "john"}, {"username": 1}]
)
async def test_a_log_in_without_a_name_or_password_is_not_valid(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await http.post("/auth/login", json=body)
    assert (response.status_code, response.json()["error_code"]) == (422, "validation")
    assert PASSWORD not in response.text


async def test_every_refusal_is_the_same(http: httpx.AsyncClient) -> None:
    answers = set()
    for name, password in (("john", "wrong"), ("nobody", PASSWORD), ("usr\x00", "\x00"), ("x" * 254, "x" * 256)):
        response = await http.post("/auth/login", json={"username": name, "password": password})
        body = response.json()
        answers.add((response.status_code, body["error_code"], body["detail"]))
    assert answers == {(401, "login_refused", "That name and password do not match.")}


async def test_wrong_passwords_are_counted_by_the_true_address(bank: Server) -> None:
    async with httpx.AsyncClient(base_url=bank.url, trust_env=False, timeout=20) as spoofer:
        statuses = []
        for n in range(8):
            made_up = {"X-Forwarded-For": f"203.0.113.{n}, 192.0.2.77"}  # the proxy adds the last
            body = {"username": "mike", "password": "wrong"}
            statuses.append((await spoofer.post("/auth/login", json=body, headers=made_up)).status_code)
        assert statuses == [401] * 5 + [429] * 3
        elsewhere = {"X-Forwarded-For": "192.0.2.78"}
        body = {"username": "mike", "password": PASSWORD}
        assert (await spoofer.post("/auth/login", json=body, headers=elsewhere)).status_code == 200


async def test_one_account_is_not_guessed_from_everywhere(bank: Server) -> None:
    async with httpx.AsyncClient(base_url=bank.url, trust_env=False, timeout=20) as crowd:
        statuses = []
        for n in range(22):
            body = {"username": "Nobody@example.com " if n % 2 else "nobody@example.com", "password": "wrong"}
            here = {"X-Forwarded-For": f"2001:db8:{n:x}::1"}
            statuses.append((await crowd.post("/auth/login", json=body, headers=here)).status_code)
    assert statuses == [401] * 20 + [429] * 2


async def test_a_wrong_password_of_somebody_known_is_on_record(bank: Server, http: httpx.AsyncClient) -> None:
    (user_id,) = bank.rows("SELECT id FROM users WHERE username = 'ravi'")[0]
    query = "SELECT role, channel, result FROM audit_log WHERE act = 'password.refused' AND actor = ?"
    assert bank.rows(query, user_id) == []
    assert (await http.post("/auth/login", json={"email": "ravi@example.com", "password": "wrong"})).status_code == 401
    await until(lambda: bank.rows(query, user_id), timeout_s=5)
    assert bank.rows(query, user_id) == [("user", "web", "refused")]


async def test_a_disabled_users_tokens_are_dead(bank: Server, http: httpx.AsyncClient) -> None:
    tokens = await log_in(http, "mike")
    change_database(bank, "UPDATE users SET disabled_at = '2026-01-01 00:00:00.000000' WHERE username = 'mike'")
    try:
        assert await status_of_me(http, tokens["access_token"]) == 401
        assert (await refresh(http, tokens["refresh_token"])).status_code == 401
        response = await http.post("/auth/login", json={"username": "mike", "password": PASSWORD})
        assert response.json()["error_code"] == "login_refused"
    finally:
        change_database(bank, "UPDATE users SET disabled_at = NULL WHERE username = 'mike'")


# --- Renewing and ending ----------------------------------------------------------------------------------------------


async def test_a_log_in_is_renewed_with_each_refresh_token_once(http: httpx.AsyncClient) -> None:
    first = await log_in(http)
    second = (await refresh(http, first["refresh_token"])).json()
    assert second["session_id"] == first["session_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert await status_of_me(http, second["access_token"]) == 200
    other = await log_in(http)

    stolen = await refresh(http, first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error_code"]) == (401, "refresh_refused")
    assert (await refresh(http, second["refresh_token"])).status_code == 401
    assert [await status_of_me(http, each["access_token"]) for each in (first, second, other)] == [401, 401, 200]


@pytest.mark.parametrize("body", [{}, None, {"refresh_token": "nonsense"}, {"refresh_token": "\x00"}])
async def test_what_is_no_refresh_token_renews_nothing(http: httpx.AsyncClient, body: dict[str, str] | None) -> None:
    response = await http.post("/api/v1/auth/refresh-token", json=body)
    assert (response.status_code, response.json()["error_code"]) == (401, "refresh_refused")


async def test_an_access_token_renews_nothing_and_a_refresh_token_opens_nothing(http: httpx.AsyncClient) -> None:
    tokens = await log_in(http)
    assert (await refresh(http, tokens["access_token"][:200])).status_code == 401
    assert await status_of_me(http, tokens["refresh_token"]) == 401


async def test_after_logging_out_no_token_works(http: httpx.AsyncClient) -> None:
    for given in ("access_token", "refresh_token"):
        tokens = await log_in(http)
        if given == "access_token":
            response = await http.post("/auth/logout", headers=bearer(tokens["access_token"]))
        else:
            response = await http.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
        assert response.status_code == 204
        assert await status_of_me(http, tokens["access_token"]) == 401
        assert (await refresh(http, tokens["refresh_token"])).status_code == 401


@pytest.mark.parametrize("path", ["/api/auth/logout", "/auth/logout", "/api/v1/auth/logout"])
async def test_nobody_in_particular_logs_out(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.post(path)).status_code == 204
    assert (await http.post(path, headers=bearer("nonsense"))).status_code == 204


async def test_people_see_and_end_their_log_ins(http: httpx.AsyncClient) -> None:
    here, there, stranger = await log_in(http, "jane"), await log_in(http, "jane"), await log_in(http, "john")
    listed = (await http.get("/api/v1/me/sessions", headers=bearer(here["access_token"]))).json()["data"]
    ours = {session["id"]: session["current"] for session in listed}
    assert ours[here["session_id"]] is True
    assert ours[there["session_id"]] is False
    assert stranger["session_id"] not in ours

    path = f"/api/v1/me/sessions/{there['session_id']}"
    assert (await http.delete(path, headers=bearer(stranger["access_token"]))).status_code == 404
    assert (await http.delete(path, headers=bearer(here["access_token"]))).status_code == 204
    assert await status_of_me(http, there["access_token"]) == 401
    assert await status_of_me(http, here["access_token"]) == 200


# --- Cookies ----------------------------------------------------------------------------------------------------------


def cookies_of(response: httpx.Response) -> dict[str, Any]:
    kept: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("set-cookie"):
        kept.load(line)
    return dict(kept)


async def test_a_page_needs_no_token_in_its_scripts(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/v1/auth/login", json={"username": "john", "password": PASSWORD})
    cookies = cookies_of(response)
    assert set(cookies) == {"parley_session", "parley_refresh"}
    for cookie in cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
    assert (cookies["parley_session"]["path"], cookies["parley_session"]["max-age"]) == ("/", "600")
    assert (cookies["parley_refresh"]["path"], cookies["parley_refresh"]["max-age"]) == ("/api/v1/auth", "3600")

    assert (await http.get("/api/v1/me")).status_code == 200
    first = http.cookies["parley_refresh"]
    renewed = await http.post("/api/v1/auth/refresh-token", json={})
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None, "a script cannot have what it does not need"
    assert http.cookies["parley_refresh"] != first
    assert (await http.get("/api/v1/me")).status_code == 200

    session = http.cookies["parley_session"]
    assert (await http.post("/api/v1/auth/logout", json={})).status_code == 204
    assert not http.cookies
    assert await status_of_me(http, session) == 401


async def test_another_site_logs_nobody_in(http: httpx.AsyncClient) -> None:
    body = {"username": "john", "password": PASSWORD}
    for site, cookies in (("cross-site", 0), ("same-site", 0), ("same-origin", 2), ("none", 2)):
        response = await http.post("/auth/login", json=body, headers={"Sec-Fetch-Site": site})
        assert len(cookies_of(response)) == cookies
        assert response.json()["access_token"]


# --- Second factor ----------------------------------------------------------------------------------------------------


async def test_a_log_in_can_ask_for_a_sent_code(bank: Server, http: httpx.AsyncClient) -> None:
    tokens = bearer((await log_in(http, "jane"))["access_token"])
    setting = {"login_factor": "code", "password": PASSWORD}
    wrong = await http.put("/api/v1/me/login-factor", headers=tokens, json=setting | {"password": "wrong"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (403, "password_refused")
    changed = await http.put("/api/v1/me/login-factor", headers=tokens, json=setting)
    assert changed.json() == {"totp": False, "login_factor": "code"}
    try:
        challenge = await log_in(http, "jane")
        assert challenge["otp_required"] is True
        assert (challenge["method"], challenge["length"], challenge["expires_in"]) == ("code", 6, 180)
        assert "access_token" not in challenge
        code = sent_code(bank)
        body = {"challenge_id": challenge["challenge_id"], "otp": other_than(code)}
        refused = await http.post("/auth/token", json=body)
        assert (refused.status_code, refused.json()["error_code"]) == (401, "otp_refused")
        assert "2 tries left" in refused.json()["detail"]

        entered = await http.post("/auth/token", json=body | {"otp": code})
        assert entered.status_code == 200
        assert set(entered.json()) >= {"access_token", "refresh_token", "token_type", "expires_in", "session_id"}
        assert await status_of_me(http, entered.json()["access_token"]) == 200
        http.cookies.clear()
        assert (await http.post("/auth/token", json=body | {"otp": code})).status_code == 401, "a code is good once"
    finally:
        await http.put("/api/v1/me/login-factor", headers=tokens, json=setting | {"login_factor": None})
    assert (await log_in(http, "jane"))["access_token"]


async def test_three_wrong_codes_end_a_log_in(bank: Server, http: httpx.AsyncClient) -> None:
    change_database(bank, "UPDATE users SET login_factor = 'code' WHERE username = 'ravi'")
    try:
        challenge = await log_in(http, "ravi")
        code = sent_code(bank)
        body = {"challenge_id": challenge["challenge_id"], "otp": other_than(code)}
        details = [(await http.post("/auth/token", json=body)).json()["detail"] for _ in range(3)]
        assert [("2 tries" in detail, "1 try" in detail) for detail in details] == [
            (True, False),
            (False, True),
            (False, False),
        ]
        assert (await http.post("/auth/token", json=body | {"otp": code})).status_code == 401
        # A challenge nobody has looks the same as one that is over.
        unknown = (await http.post("/auth/token", json={"challenge_id": "mfa_x", "otp": code})).json()
        assert (unknown["error_code"], unknown["detail"]) == ("otp_refused", details[2])
        strange = await http.post("/auth/token", json={"challenge_id": "\x00", "otp": code})
        assert strange.status_code == 422
    finally:
        change_database(bank, "UPDATE users SET login_factor = NULL WHERE username = 'ravi'")


async def test_an_authenticator_app_from_setting_up_to_removing(bank: Server, http: httpx.AsyncClient) -> None:
    tokens = bearer((await log_in(http, "mike"))["access_token"])
    wrong = await http.post("/api/v1/me/totp", headers=tokens, json={"password": "wrong"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (403, "password_refused")

    enrolment = (await http.post("/api/v1/me/totp", headers=tokens, json={"password": PASSWORD})).json()
    assert enrolment["otpauth_uri"].startswith("otpauth://totp/Parley:mike%40example.com?secret=")
    app = TOTP(enrolment["secret"])
    sent = sent_code(bank, r"(\d{6}) adds an authenticator app")
    body = {
        "enrolment_id": enrolment["enrolment_id"],
        "challenge_id": enrolment["challenge"]["challenge_id"],
        "otp": app.at(utc_now()),
        "code": other_than(sent),
    }
    for guess in (body, body | {"otp": other_than(app.at(utc_now())), "code": sent}):
        refused = await http.post("/api/v1/me/totp/confirm", headers=tokens, json=guess)
        assert (refused.status_code, refused.json()["error_code"]) == (422, "otp_refused")
    right = body | {"otp": app.at(utc_now()), "code": sent}
    stranger = bearer((await log_in(http, "john"))["access_token"])
    assert (await http.post("/api/v1/me/totp/confirm", headers=stranger, json=right)).status_code == 422
    added = await http.post("/api/v1/me/totp/confirm", headers=tokens, json=right)
    assert added.json() == {"totp": True, "login_factor": None}
    assert enrolment["secret"] not in bank.log
    again = await http.post("/api/v1/me/totp", headers=tokens, json={"password": PASSWORD})
    assert (again.status_code, again.json()["error_code"]) == (409, "totp_active")

    challenge = await log_in(http, "mike")
    assert (challenge["otp_required"], challenge["method"]) == (True, "totp")
    code = app.at(utc_now() + timedelta(seconds=30))  # the one that set it up is used up
    entered = await http.post("/auth/token", json={"challenge_id": challenge["challenge_id"], "otp": code})
    assert entered.status_code == 200, entered.text
    http.cookies.clear()

    wrong = await http.post("/api/v1/me/totp/remove", headers=tokens, json={"password": "wrong"})
    assert wrong.status_code == 403
    removed = await http.post("/api/v1/me/totp/remove", headers=tokens, json={"password": PASSWORD})
    assert removed.status_code == 204
    assert (await log_in(http, "mike"))["access_token"]


async def test_a_guest_has_no_log_in_to_set(bank: Server, http: httpx.AsyncClient) -> None:
    response = await http.post("/api/auth/login/otp", json={"otp_code": await bank.code()})
    guest = bearer(response.json()["access_token"])
    http.cookies.clear()
    for method, path, body in (
        ("POST", "/api/v1/me/totp", {"password": PASSWORD}),
        ("PUT", "/api/v1/me/login-factor", {"password": PASSWORD, "login_factor": "code"}),
        ("PUT", "/api/auth/change-password", {"current_password": PASSWORD, "new_password": "new password"}),
    ):
        response = await http.request(method, path, headers=guest, json=body)
        assert (response.status_code, response.json()["error_code"]) == (403, "not_registered")


# --- Guests -----------------------------------------------------------------------------------------------------------


async def test_a_guest_logs_in_and_out(bank: Server, http: httpx.AsyncClient) -> None:
    response = await http.post("/api/auth/login/otp", json={"otp_code": await bank.code(uses=3)})
    answer = response.json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 7200)
    assert set(cookies_of(response)) == {"parley_session"}
    assert (await http.get("/api/v1/me")).json()["remaining_uses"] == 3
    assert (await http.post("/api/auth/logout")).status_code == 204
    assert not http.cookies
    assert await status_of_me(http, answer["access_token"]) == 401


async def test_who_shares_a_code_ends_no_log_in_but_their_own(bank: Server, http: httpx.AsyncClient) -> None:
    code = await bank.code(uses=2)
    guests = []
    for _ in range(2):
        response = await http.post("/api/auth/login/otp", json={"otp_code": code})
        guests.append(bearer(response.json()["access_token"]))
        http.cookies.clear()
    own = [(await http.get("/api/v1/me/sessions", headers=guest)).json()["data"] for guest in guests]
    assert [len(each) for each in own] == [1, 1]
    (hers,), (his,) = own
    assert hers["id"] != his["id"]
    for session_id, status in ((his["id"], 404), (hers["id"], 204)):
        ended = await http.delete(f"/api/v1/me/sessions/{session_id}", headers=guests[0])
        assert ended.status_code == status
    assert [(await http.get("/api/v1/me", headers=guest)).status_code for guest in guests] == [401, 200]


async def test_a_guests_inbox_is_theirs_alone(bank: Server, http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/inbox")).status_code == 401
    customer = bearer((await log_in(http))["access_token"])
    assert (await http.get("/api/v1/inbox", headers=customer)).status_code == 403
    guests = []
    for _ in range(2):
        response = await http.post("/api/auth/login/otp", json={"otp_code": await bank.code()})
        guests.append(bearer(response.json()["access_token"]))
        http.cookies.clear()
    assert (await http.get("/api/v1/inbox", headers=guests[0])).json() == {"data": []}

    payees = (await http.get("/api/v1/beneficiaries", headers=guests[0])).json()["data"]
    accounts = (await http.get("/api/v1/accounts", headers=guests[0])).json()["data"]
    rich = max(accounts, key=lambda account: account["balance_minor"])
    transfer = {"beneficiary_id": payees[0]["id"], "amount": 15_000, "account_id": rich["id"]}
    asked = await http.post("/api/v1/transfers", headers=guests[0], json=transfer)
    assert asked.status_code == 202, asked.text
    assert asked.json()["challenge"]["sent_to"] == "this page"
    (text,) = (await http.get("/api/v1/inbox", headers=guests[0])).json()["data"]
    code = re.findall(r"\b\d{6}\b", text["text"])[0]
    assert (await http.get("/api/v1/inbox", headers=guests[1])).json() == {"data": []}
    assert code not in bank.log, "what is shown on the page is printed nowhere"


# --- Administrators ---------------------------------------------------------------------------------------------------


async def log_in_admin(http: httpx.AsyncClient, password: str) -> httpx.Response:
    response = await http.post("/api/auth/login/admin", data={"username": "cawadmin", "password": password})
    http.cookies.clear()
    return response


async def test_the_published_password_works_on_this_machine_only(
    http: httpx.AsyncClient, direct: httpx.AsyncClient
) -> None:
    assert (await log_in_admin(direct, DEV_ADMIN_PASSWORD)).status_code == 200
    assert (await log_in_admin(http, DEV_ADMIN_PASSWORD)).status_code == 403
    for host, status in (("evil.example", 403), ("localhost:1", 200), ("[::1]", 200)):  # a name that leads to us
        form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
        assert (await direct.post("/api/auth/login/admin", data=form, headers={"Host": host})).status_code == status
        direct.cookies.clear()
    for client, status in ((direct, 200), (http, 403)):
        body = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
        assert (await client.post("/auth/login", json=body)).status_code == status


async def test_an_administrators_log_in_lasts_and_is_not_renewed(direct: httpx.AsyncClient) -> None:
    answer = (await log_in_admin(direct, DEV_ADMIN_PASSWORD)).json()
    assert (answer["token_type"], answer["expires_in"], answer["refresh_token"]) == ("bearer", 7200, None)
    me = (await direct.get("/api/v1/me", headers=bearer(answer["access_token"]))).json()
    assert (me["role"], me["customer_id"]) == ("admin", None)


async def test_customers_are_no_administrators(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/auth/login/admin", data={"username": "john", "password": PASSWORD})
    assert (response.status_code, response.json()["error_code"]) == (401, "login_refused")
    customer = bearer((await log_in(http))["access_token"])
    assert (await http.get("/api/v1/audit-logs", headers=customer)).status_code == 403


async def test_a_changed_password_ends_every_log_in(data_dir: Path) -> None:
    server = Server(data_dir, database="password.db")
    server.start()
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
            tokens = [bearer((await log_in_admin(http, DEV_ADMIN_PASSWORD)).json()["access_token"]) for _ in range(2)]
            path = "/api/auth/change-password"
            body = {"current_password": DEV_ADMIN_PASSWORD, "new_password": "new_secure_password"}
            wrong = await http.put(path, headers=tokens[0], json=body | {"current_password": "wrong"})
            assert (wrong.status_code, wrong.json()["error_code"]) == (401, "login_refused")
            weak = await http.put(path, headers=tokens[0], json=body | {"new_password": "short"})
            assert weak.status_code == 422
            same = await http.put(path, headers=tokens[0], json=body | {"new_password": DEV_ADMIN_PASSWORD})
            assert (same.status_code, same.json()["error_code"]) == (422, "bad_password")
            assert (await http.put(path, json=body)).status_code == 401

            changed = await http.put(path, headers=tokens[0], json=body)
            assert (changed.status_code, changed.json()) == (200, {"message": "Password changed successfully"})
            assert [(await http.get("/api/v1/me", headers=each)).status_code for each in tokens] == [401, 401]
            assert (await log_in_admin(http, DEV_ADMIN_PASSWORD)).status_code == 401
            fresh = (await log_in_admin(http, "new_secure_password")).json()
            assert (await http.get("/api/v1/me", headers=bearer(fresh["access_token"]))).status_code == 200

            # Whoever got a first password must change it and can do nothing else.
            change_database(server, "UPDATE users SET must_change_password = 1 WHERE username = 'cawadmin'")
            first = (await log_in_admin(http, "new_secure_password")).json()
            assert first["must_change_password"] is True
            held = bearer(first["access_token"])
            for url in ("/api/v1/me", "/api/agents/list", "/api/v1/audit-logs"):
                refused = await http.get(url, headers=held)
                assert (refused.status_code, refused.json()["error_code"]) == (403, "password_change_required")
            body = {"current_password": "new_secure_password", "new_password": "one of my own choosing"}
            assert (await http.put(path, headers=held, json=body)).status_code == 200
            own = (await log_in_admin(http, "one of my own choosing")).json()
            assert own["must_change_password"] is False
            assert (await http.get("/api/v1/me", headers=bearer(own["access_token"]))).status_code == 200
        assert server.rows("SELECT count(*) FROM audit_log WHERE act = 'password.changed'") == [(2,)]
        for secret in ("new_secure_password", "one of my own", fresh["access_token"].split(".")[1]):
            assert secret not in server.log
    finally:
        server.kill()


# --- Rates ------------------------------------------------------------------------------------------------------------


async def test_a_limited_route_says_what_is_left_and_when_to_come_back(http: httpx.AsyncClient) -> None:
    first = await http.post("/auth/logout")
    assert first.headers["X-RateLimit-Limit"] == "120"
    left = int(first.headers["X-RateLimit-Remaining"])
    assert left == 119
    now = utc_now().timestamp()
    assert now < int(first.headers["X-RateLimit-Reset"]) <= now + 62
    # The same handler at another path has the same budget.
    assert (await http.post("/api/v1/auth/logout")).headers["X-RateLimit-Remaining"] == "118"
    last = first
    for _ in range(118):
        last = await http.post("/auth/logout")
    assert (last.status_code, last.headers["X-RateLimit-Remaining"]) == (204, "0")
    refused = await http.post("/auth/logout")
    assert (refused.status_code, refused.json()["error_code"]) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 61
