"""Whole calls as an agent's profile has them: its language, its voice, its vendors, on the vendors' own wires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from core.settings import DEV_ADMIN_PASSWORD
from pipelines import catalog as agent_types
from tests.doubles.cartesia import VOICE
from tests.doubles.cloud import Cloud
from tests.e2e.conftest import AUDIO, Dial, dialling, end_reason, until
from tests.e2e.test_call import greeted
from tests.e2e.test_cloud import heard
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/v1/agent-profiles"
BANK = agent_types.load("banking")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(data_dir: Path) -> AsyncIterator[Cloud]:
    async with Cloud(cache_dir=data_dir / "cache") as cloud:
        yield cloud


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(cloud: Cloud, data_dir: Path) -> AsyncIterator[Server]:
    server = Server(data_dir, cloud.settings, database="profiles.db")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture(loop_scope="module")
async def dial() -> AsyncIterator[Dial]:
    async with dialling() as dial:
        yield dial


@asynccontextmanager
async def office(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator of the server."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        form = {"username": "cawadmin", "password": DEV_ADMIN_PASSWORD}
        token = (await http.post("/api/auth/login/admin", data=form)).json()["access_token"]
        http.cookies.clear()
        http.headers["Authorization"] = f"Bearer {token}"
        yield http


async def choose(server: Server, **profile: Any) -> httpx.Response:
    async with office(server) as http:
        return await http.put(f"{PATH}/banking", json=profile)


def vendors_of(server: Server, call_id: str | None) -> tuple[str, ...]:
    [row] = server.rows("SELECT stt, llm, tts FROM calls WHERE id = ?", call_id)
    return row


async def test_a_hindi_profile_reaches_every_vendor_in_its_own_words(cloud: Cloud, served: Server, dial: Dial) -> None:
    cloud.behave()
    saved = await choose(served, language="hi", voice=VOICE)
    assert saved.status_code == 200, saved.text
    # It takes effect at once, so the greeting may be spoken in the call or have been made before it.
    caller = await dial(served)
    await greeted(caller)
    assert BANK.in_language("hi").greeting.split()[0] in heard(caller)
    await caller.say(AUDIO / "balance.wav")  # English, as people mix the two
    await until(lambda: len(cloud.mouth.messages) > 0 and len(heard(caller).split("|")) > 1, timeout_s=20)
    await caller.hang_up()
    assert await end_reason(served, caller) == "hung_up"
    [connection] = cloud.ears.connections
    assert connection.query["language"] == ["multi"]
    assert connection.query["language_hint"] == ["hi", "en"]
    assert {(said["voice"]["id"], said["language"]) for said in cloud.mouth.messages if "voice" in said} == {
        (VOICE, "hi")
    }
    assert BANK.in_language("hi").instructions in str(cloud.head.requests[-1]["system"])
    assert vendors_of(served, caller.session_id) == ("deepgram", "anthropic", "cartesia")


async def test_a_profile_that_names_the_offline_engines_sends_nothing_to_the_cloud(
    cloud: Cloud, served: Server, dial: Dial
) -> None:
    saved = await choose(served, language="en", stt_provider="offline", llm_provider="offline", tts_provider="offline")
    assert saved.status_code == 200, saved.text
    before = (len(cloud.ears.connections), len(cloud.head.requests), len(cloud.mouth.handshakes))
    caller = await dial(served)
    await greeted(caller)
    await caller.say(AUDIO / "balance.wav")
    await until(lambda: "ten thousand" in heard(caller), timeout_s=20)
    await caller.hang_up()
    await end_reason(served, caller)
    assert (len(cloud.ears.connections), len(cloud.head.requests), len(cloud.mouth.handshakes)) == before
    assert vendors_of(served, caller.session_id) == ("offline",) * 3


async def test_health_and_the_system_page_tell_of_profiles_and_of_their_vendors(served: Server) -> None:
    assert (await choose(served, language="hi")).status_code == 200
    health = await asyncio.to_thread(served.health)
    assert health["agents"] == {"banking": "ok"}
    async with office(served) as http:
        parts = {part["name"]: part for part in (await http.get("/api/v1/system")).json()["parts"]}
    assert parts["agent banking"]["detail"] == "hi: deepgram, anthropic, cartesia > offline"
    assert parts["agent banking"]["state"] == "ok"


async def test_hindi_is_refused_where_only_the_offline_engines_are(server: Server) -> None:
    refused = await choose(server, language="hi")
    told = refused.json()
    assert (refused.status_code, told["error_code"]) == (422, "language_not_offered")
    assert told["detail"].startswith("Speech to text: Nobody who is set up here can hear hi: The offline recogniser")
    assert "Choose a vendor who can, give the server its key if it lacks that, or choose another" in told["detail"]


async def test_profiles_are_for_administrators(served: Server, dial: Dial) -> None:
    caller = await dial(served, connect=False)
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {caller.token}"
        assert (await http.get(PATH)).status_code == 403
        assert (await http.put(f"{PATH}/banking", json={})).status_code == 403
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        assert (await http.get(PATH)).status_code == 401
