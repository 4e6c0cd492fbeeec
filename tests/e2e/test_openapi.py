"""The whole HTTP interface against its own schema: whatever is sent by whomever, no crash and no other answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from banking.seed import DEMO_PASSWORD
from core.settings import DEV_ADMIN_PASSWORD
from tests import databases
from tests.databases import Cluster
from tests.servers import Server

postgres_cluster = databases.postgres_cluster

EXAMPLES = {"nobody": 2, "guest": 3, "user": 6, "admin": 4}
ROLES = {"sqlite": tuple(EXAMPLES), "postgres": ("user", "admin")}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# These end the log-in that the other requests of the role need; nobody's log-in is ended by them.
LOGOUTS = ("/logout", "/me/sessions/{session_id}", "/change-password")
STREAM = "/live"
"""Goes on until the listener has had enough."""

WEBHOOK = "http://127.0.0.1:9/"

# What is drawn at random seldom makes sense together; with these, requests also reach what lies behind the checks.
SENSIBLE: dict[str, Any] = {
    "amount": 5,
    "mode": None,
    "note": "Tea",
    "text": "Water",
    "link": None,
    "nickname": "Asha",
    "name": "Asha Rao",
    "account_number": "123456789",
    "ifsc": "HDFC0001234",
    "due_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    "since": "2025-11-01",
    "until": "2025-11-30",
}


@pytest.fixture(params=ROLES)
def fuzzed(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Server]:
    """A server of its own: what is sent to it uses up the budgets of failures."""
    url = ""
    if request.param == "postgres":
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create(migrated=False))
    server = Server(data_dir, database=f"fuzzed-{request.param}.db", database_url=url)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(300)
async def test_every_answer_is_as_the_schema_says(
    fuzzed: Server, request: pytest.FixtureRequest, subtests: pytest.Subtests
) -> None:
    roles = ROLES[request.node.callspec.params["fuzzed"]]
    schema = schemathesis.openapi.from_dict(httpx.get(f"{fuzzed.url}/openapi.json", trust_env=False).json())
    schema.config.update(base_url=fuzzed.url)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 50
    operations.sort(key=lambda operation: operation.method.lower() == "delete")  # what is gone is of no use to others
    headers = {role: await log_in(fuzzed, role) for role in roles}
    for role in roles:
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(headers[role])
            ids = owned(fuzzed, session) if role in ("guest", "user") else {}
            for operation in operations:
                if role == "nobody" or not operation.path.endswith((*LOGOUTS, STREAM)):
                    with subtests.test(operation.label, role=role):
                        for mode in GenerationMode:
                            fuzz(operation, session, mode=mode, ids=ids, role=role)
    assert "Traceback" not in fuzzed.log


def fuzz(
    operation: APIOperation, session: requests.Session, *, mode: GenerationMode, ids: Mapping[str, str], role: str
) -> None:
    """Send an operation what fits its schema, or what does not."""

    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    @settings(
        max_examples=EXAMPLES[role],
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    def send(case: schemathesis.Case, real: bool) -> None:
        if real:
            for place in (case.path_parameters, case.query, case.body):
                if isinstance(place, dict):
                    place.update({name: value for name, value in {**SENSIBLE, **ids}.items() if name in place})
                    if "amount" in place:
                        place.pop("amount_minor", None)
        if role != "nobody":
            case.headers["Authorization"] = str(session.headers["Authorization"])
        if operation.path.endswith("/webhooks") and isinstance(case.body, dict):
            case.body["url"] = WEBHOOK  # the ones drawn at random are other people's
        session.cookies.clear()
        response = case.call(session=session)
        case.validate_response(response, checks=CHECKS)
        if role == "nobody" and "security" in operation.definition.raw:
            # What is no JSON or no form at all is refused before anybody asks who sent it.
            expected = (401, 429) if mode is GenerationMode.POSITIVE else (400, 401, 422, 429)
            assert response.status_code in expected, response.text

    with suppress(Unsatisfiable):  # where everything fits, nothing can be wrong
        send()


async def log_in(server: Server, role: str) -> dict[str, str]:
    """The headers of somebody in this role."""
    if role == "nobody":
        return {}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        if role == "guest":
            response = await http.post("/api/auth/login/otp", json={"otp_code": await server.code()})
        elif role == "user":
            response = await http.post("/auth/login", json={"username": "john", "password": DEMO_PASSWORD})
        else:
            form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
            response = await http.post("/api/auth/login/admin", data=form)
    assert response.status_code == 200, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


def owned(server: Server, session: requests.Session) -> dict[str, str]:
    """Ids of a customer's own things, so that requests reach what lies behind "not found"."""

    def first(noun: str, **params: Any) -> str:
        return session.get(f"{server.url}/api/v1/{noun}", params=params, timeout=20).json()["data"][0]["id"]

    ids = {
        "account_id": first("accounts"),
        "beneficiary_id": first("beneficiaries"),
        "bill_id": first("bills", state="due"),
        "loan_id": first("loans"),
        "reminder_id": first("reminders"),
    }
    draft = {"beneficiary_id": ids["beneficiary_id"], "amount": 5}
    ids["transfer_id"] = session.post(f"{server.url}/api/v1/transfers/draft", json=draft, timeout=20).json()["id"]
    return ids
