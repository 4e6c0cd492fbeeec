"""Calls carried by two voice workers: placed on both, found again, and lost with no more than their own worker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from bench.caller import Caller, Refused
from calls.log import CallRecord
from core.db import Database
from core.settings import DEV_ADMIN_PASSWORD
from tests.databases import Cluster, postgres_cluster
from tests.e2e.conftest import AUDIO, Dial, end_reason, until
from tests.e2e.test_doors import offer_sdp
from tests.servers import Server, alive, descendants

__all__ = ["postgres_cluster"]

pytestmark = pytest.mark.timeout(300)  # three processes start where there may be one core

TOKEN = "a token for Prometheus alone"
TWO = {"MEDIA_WORKERS": "2", "MAX_CALLS": "2", "IDLE_PROMPT_S": "200", "METRICS_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def lasting(data_dir: Path) -> Iterator[Server]:
    server = Server(data_dir, TWO, database="workers.db")
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def crowd(lasting: Server) -> Server:
    """A server with two workers that carry nothing yet."""
    await until(lambda: lasting.health()["calls"] == 0 and lasting.health()["seats"] == 4, timeout_s=90)
    return lasting


@pytest.fixture
def doomed(data_dir: Path) -> Iterator[Server]:
    """One that a test will stop."""
    server = Server(data_dir, TWO | {"DRAIN_S": "1"}, database=f"{os.urandom(4).hex()}.db")
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture
async def office(crowd: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=crowd.url, trust_env=False, timeout=20) as http:
        form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
        answer = await http.post("/api/auth/login/admin", data=form)
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        http.cookies.clear()
        yield http


async def workers(office: httpx.AsyncClient) -> list[dict[str, Any]]:
    return (await office.get("/api/v1/system")).json()["workers"]


async def part_of(office: httpx.AsyncClient, worker: dict[str, Any]) -> dict[str, Any]:
    parts = (await office.get("/api/v1/system")).json()["parts"]
    return next(part for part in parts if part["name"] == f"voice worker {worker['number']}")


async def replaced(office: httpx.AsyncClient, old: dict[str, Any]) -> None:
    """Wait until both workers carry calls again, and one that was is another process."""
    async with asyncio.timeout(90):
        while True:
            found = await workers(office)
            new = found[old["number"] - 1]
            if [each["state"] for each in found] == ["ready"] * 2 and new["pid"] != old["pid"]:
                assert new["restarts"] == old["restarts"] + 1
                return
            await asyncio.sleep(0.1)


def node_of(server: Server, caller: Caller) -> int:
    ((node,),) = server.rows("SELECT node FROM calls WHERE id = ?", caller.session_id)
    return int(node.rpartition("/")[2])


async def ask(
    server: Server, caller: Caller, method: str, path: str, body: object = None, *, token: str | None = None
) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        headers = {"Authorization": f"Bearer {token or caller.token}"}
        return await http.request(method, f"/sessions/{caller.session_id}{path}", headers=headers, json=body)


async def dial_both(server: Server, dial: Dial) -> tuple[Caller, Caller]:
    """One caller on each worker, greeted."""
    callers = [await dial(server), await dial(server)]
    for caller in callers:
        await caller.message("bot-stopped-speaking", timeout_s=30)
    first, second = sorted(callers, key=lambda caller: node_of(server, caller))
    assert (node_of(server, first), node_of(server, second)) == (1, 2)
    return first, second


async def is_heard(caller: Caller) -> None:
    await caller.say(AUDIO / "balance.wav")
    await caller.message("bot-started-speaking", timeout_s=20)
    await caller.message("bot-stopped-speaking", timeout_s=30)
    assert "ten thousand rupees" in " ".join(line.text for line in caller.transcript if line.who == "bot")


async def test_calls_are_placed_on_both_and_each_is_found_again(
    crowd: Server, dial: Dial, office: httpx.AsyncClient
) -> None:
    first, second = await dial_both(crowd, dial)
    assert [each["seats_taken"] for each in await workers(office)] == [1, 1]
    assert (crowd.health()["calls"], crowd.health()["seats"]) == (2, 4)
    for caller in (first, second):
        patched = await ask(crowd, caller, "PATCH", "/api/offer", {"pc_id": caller.pc_id, "candidates": []})
        assert patched.status_code == 200
        malformed = {"pc_id": caller.pc_id, "candidates": [{"candidate": "x"}]}
        assert (await ask(crowd, caller, "PATCH", "/api/offer", malformed)).status_code == 422
        unasked = await ask(crowd, caller, "POST", "/code", {"code": "123456"})
        assert (unasked.status_code, unasked.json()["error_code"]) == (409, "no_code_asked")
        garbage = {"sdp": "garbage", "type": "offer", "pc_id": caller.pc_id}
        assert (await ask(crowd, caller, "POST", "/api/offer", garbage)).status_code == 422
        thief = second if caller is first else first
        stolen = await ask(crowd, caller, "DELETE", "", token=thief.token)
        assert stolen.status_code == 404
        assert (await ask(crowd, caller, "DELETE", "")).status_code == 204
        assert await end_reason(crowd, caller) == "hung_up"
    await until(lambda: crowd.health()["calls"] == 0, timeout_s=5)
    for caller in (first, second):
        assert (await ask(crowd, caller, "DELETE", "")).status_code == 404


async def test_whoever_trickles_and_whoever_is_withdrawn_is_found_too(
    crowd: Server, dial: Dial, office: httpx.AsyncClient
) -> None:
    first, second = await dial(crowd, trickle=True), await dial(crowd, trickle=True)
    assert {node_of(crowd, first), node_of(crowd, second)} == {1, 2}
    ((otp_id,),) = crowd.rows("SELECT otp_id FROM calls WHERE id = ?", first.session_id)
    assert (await office.delete(f"/api/otps/{otp_id}")).is_success
    assert await end_reason(crowd, first) == "withdrawn"
    await second.message("bot-stopped-speaking", timeout_s=30)
    assert not second.ended.is_set()


async def test_figures_and_pages_tell_of_every_worker(crowd: Server, dial: Dial, office: httpx.AsyncClient) -> None:
    await dial_both(crowd, dial)
    answer = await office.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    taken = {sample.labels.get("worker"): sample.value for sample in samples if sample.name == "parley_seats_taken"}
    assert taken == {None: 0, "1": 1, "2": 1}
    greeted = [sample for sample in samples if sample.name == "parley_greeting_seconds_count"]
    assert {(each.labels["worker"], each.labels["agent_type"]) for each in greeted} == {
        ("1", "banking"),
        ("2", "banking"),
    }
    assert all(each.value >= 1 for each in greeted)
    first, second = await workers(office)
    assert (first["number"], first["seats"], second["number"], second["state"]) == (1, 2, 2, "ready")
    assert 0 < first["busy"] < 1
    assert len({first["pid"], second["pid"], crowd.process and crowd.process.pid}) == 3


async def test_a_full_house_refuses_at_once_and_says_when_to_try_again(crowd: Server, dial: Dial) -> None:
    callers = [await dial(crowd) for _ in range(4)]
    assert sorted(node_of(crowd, caller) for caller in callers) == [1, 1, 2, 2]
    late = await dial(crowd, connect=False)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(Refused) as refused:
        await late.connect()
    assert loop.time() - began_s < 1, "with the offer's making"
    assert (refused.value.status, refused.value.body["error_code"]) == (503, "server_busy")
    assert 5 <= int(refused.value.headers["Retry-After"]) < 10
    await callers[0].hang_up()
    await end_reason(crowd, callers[0])
    await (await dial(crowd, token=late.token)).hears(15)


async def test_a_worker_that_dies_takes_only_its_own_calls_along(
    crowd: Server, dial: Dial, office: httpx.AsyncClient
) -> None:
    first, second = await dial_both(crowd, dial)
    victim = (await workers(office))[0]
    helpers = descendants(victim["pid"])
    os.kill(victim["pid"], signal.SIGKILL)
    assert await end_reason(crowd, first) == "server_lost"
    await until(lambda: not any(map(alive, helpers)), timeout_s=5)
    for method, path, body in (
        ("PATCH", "/api/offer", {"pc_id": first.pc_id, "candidates": []}),
        ("POST", "/api/offer", {"sdp": first.offer_sdp, "type": "offer", "pc_id": first.pc_id, "restart_pc": True}),
        ("POST", "/code", {"code": "123456"}),
        ("DELETE", "", None),
    ):
        answer = await ask(crowd, first, method, path, body)
        assert (answer.status_code, answer.json()["error_code"]) == (410, "call_lost"), (method, path)
    await is_heard(second)
    assert not second.ended.is_set()
    assert crowd.health()["calls"] == 1
    await replaced(office, victim)
    third = await dial(crowd)
    assert node_of(crowd, third) == 1
    await third.message("bot-stopped-speaking", timeout_s=30)
    await is_heard(third)


async def test_the_use_of_a_call_that_died_unheard_is_given_back(
    crowd: Server, dial: Dial, office: httpx.AsyncClient
) -> None:
    caller = await dial(crowd, connect=False)
    async with httpx.AsyncClient(base_url=crowd.url, trust_env=False, timeout=20) as http:
        http.headers["Authorization"] = f"Bearer {caller.token}"
        caller.session_id = (await http.post("/start")).json()["sessionId"]
        offer = {"sdp": await offer_sdp(), "type": "offer"}
        assert (await http.post(f"/sessions/{caller.session_id}/api/offer", json=offer)).status_code == 200
    victim = (await workers(office))[node_of(crowd, caller) - 1]
    os.kill(victim["pid"], signal.SIGKILL)
    query = (
        "SELECT end_reason, returned_at IS NOT NULL FROM calls JOIN accesses ON call_id = calls.id WHERE calls.id = ?"
    )
    await until(lambda: crowd.rows(query, caller.session_id) == [("server_lost", 1)], timeout_s=10)
    await replaced(office, victim)


async def test_a_worker_that_hangs_is_replaced(crowd: Server, dial: Dial, office: httpx.AsyncClient) -> None:
    first, second = await dial_both(crowd, dial)
    victim = (await workers(office))[0]
    os.kill(victim["pid"], signal.SIGSTOP)
    await until(lambda: crowd.health()["seats"] == 2, timeout_s=5)
    assert crowd.health()["status"] == "degraded"
    third = await dial(crowd)
    assert node_of(crowd, third) == 2, "nobody is given to one that says nothing"
    assert await end_reason(crowd, first, timeout_s=40) == "server_lost"
    await replaced(office, victim)
    assert not second.ended.is_set()
    async with asyncio.timeout(15):
        while (part := await part_of(office, victim))["last_error"] is None or part["state"] != "ok":
            await asyncio.sleep(0.5)


async def test_a_worker_told_to_stop_lets_its_calls_end_and_is_replaced(
    crowd: Server, dial: Dial, office: httpx.AsyncClient
) -> None:
    first, second = await dial_both(crowd, dial)
    victim = (await workers(office))[0]
    os.kill(victim["pid"], signal.SIGTERM)
    async with asyncio.timeout(5):
        while (await workers(office))[0]["state"] != "draining":
            await asyncio.sleep(0.05)
    await is_heard(first)
    third = await dial(crowd)
    assert node_of(crowd, third) == 2
    await first.hang_up()
    assert await end_reason(crowd, first) == "hung_up"
    await replaced(office, victim)
    assert not second.ended.is_set()


async def test_a_drain_ends_the_calls_of_all_workers_with_a_sentence(doomed: Server, dial: Dial) -> None:
    callers = await dial_both(doomed, dial)
    late = await dial(doomed, connect=False)
    assert doomed.process is not None
    everybody = [doomed.process.pid, *descendants(doomed.process.pid)]
    doomed.terminate()
    with pytest.raises(Refused) as refused:
        await late.connect()
    assert refused.value.status == 503
    for caller in callers:
        await asyncio.wait_for(caller.ended.wait(), 20)
        assert "restarted" in [line.text for line in caller.transcript if line.who == "bot"][-1]
    assert await asyncio.to_thread(doomed.process.wait, 30) == 0
    assert doomed.rows("SELECT DISTINCT state, end_reason FROM calls") == [("closed", "drained")]
    await until(lambda: not any(map(alive, everybody)), timeout_s=5)


async def test_a_terminals_ctrl_c_is_a_drain_as_well(doomed: Server, dial: Dial) -> None:
    callers = await dial_both(doomed, dial)
    assert doomed.process is not None
    for pid in [doomed.process.pid, *descendants(doomed.process.pid)]:  # as to a terminal's group, and beyond it
        os.kill(pid, signal.SIGINT)
    assert await asyncio.to_thread(doomed.process.wait, 40) == 0
    for caller in callers:
        assert "restarted" in [line.text for line in caller.transcript if line.who == "bot"][-1]
    assert doomed.rows("SELECT DISTINCT state, end_reason FROM calls") == [("closed", "drained")]


async def test_workers_end_with_a_server_that_is_killed(doomed: Server, dial: Dial) -> None:
    await dial_both(doomed, dial)
    assert doomed.process is not None
    theirs = descendants(doomed.process.pid)
    assert len(theirs) >= 2
    doomed.kill()
    await until(lambda: not any(map(alive, theirs)), timeout_s=20)
    assert doomed.rows("SELECT DISTINCT state, end_reason FROM calls") == [("closed", "server_stopped")]


@pytest.mark.parametrize("count", ["1", "2"])
async def test_calls_of_workers_that_died_with_their_server_are_closed_at_the_next_start(
    data_dir: Path, dial: Dial, count: str
) -> None:
    server = Server(data_dir, TWO, database=f"workers-swept-{count}.db")
    server.start()
    try:
        await dial_both(server, dial)
        assert server.process is not None
        for pid in [server.process.pid, *descendants(server.process.pid)]:
            os.kill(pid, signal.SIGKILL)
        server.kill()
        assert server.rows("SELECT DISTINCT state FROM calls") == [("open",)]
        server.settings = TWO | {"MEDIA_WORKERS": count}
        server.start()
        assert server.rows("SELECT DISTINCT state, end_reason FROM calls") == [("closed", "server_lost")]
    finally:
        server.kill()


def test_a_range_of_ports_that_is_too_small_is_named(data_dir: Path) -> None:
    server = Server(data_dir, TWO | {"UDP_PORT_RANGE": "41000-41002"}, database="workers-ports.db")
    with pytest.raises(RuntimeError, match="UDP_PORT_RANGE has fewer ports than calls"):
        server.start()


async def test_workers_keep_to_their_ports(data_dir: Path, dial: Dial) -> None:
    server = Server(data_dir, TWO | {"UDP_PORT_RANGE": "41000-41099"}, database="workers-shares.db")
    server.start()
    try:
        for caller in await dial_both(server, dial):
            low = 41_000 if node_of(server, caller) == 1 else 41_050
            ports = {int(word) for word in candidates_of(caller)}
            assert ports and ports <= set(range(low, low + 50))
    finally:
        server.kill()


async def test_on_postgres_a_lost_workers_calls_are_closed_too(
    postgres_cluster: Cluster, data_dir: Path, dial: Dial
) -> None:
    url = postgres_cluster.url(postgres_cluster.create(migrated=False))
    server = Server(data_dir, TWO, database="workers-postgres.log-only", database_url=url)
    server.start()
    database = Database(url)

    async def record(caller: Caller) -> CallRecord:
        async with database.reading() as db:
            return await db.get_one(CallRecord, caller.session_id)

    async def closed(caller: Caller) -> None:
        async with asyncio.timeout(15):
            while (await record(caller)).end_reason != "server_lost":
                await asyncio.sleep(0.1)

    try:
        callers = [await dial(server), await dial(server)]
        for caller in callers:
            await caller.message("bot-stopped-speaking", timeout_s=30)
        first, second = sorted(callers, key=lambda caller: caller.session_id or "")
        node = (await record(first)).node
        assert {node, (await record(second)).node} == {f"{node[:-1]}1", f"{node[:-1]}2"}
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
            form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
            token = (await http.post("/api/auth/login/admin", data=form)).json()["access_token"]
            http.cookies.clear()
            http.headers["Authorization"] = f"Bearer {token}"
            victim = (await workers(http))[int(node[-1]) - 1]
            os.kill(victim["pid"], signal.SIGKILL)
            await closed(first)
            await is_heard(second)
            await replaced(http, victim)
    finally:
        await database.close()
        server.kill()


def candidates_of(caller: Caller) -> list[str]:
    """The ports of the server's candidates."""
    return [line.split()[5] for line in caller.answer_sdp.splitlines() if line.startswith("a=candidate:")]
