"""Agent profiles in the database, over HTTP, and as a call that begins reads them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa

from agent import profiles
from agent.call import Call, Parts
from agent.profiles import Profile
from agent.switchboard import Switchboard
from agent.worker.alone import Alone
from agent.worker.parts import make_parts
from api import agent_profiles, agents
from calls import usage
from calls.log import CallRecord
from core import tasks
from core.crypto import load_secret
from core.db import Database
from core.settings import Settings
from identity import otp
from identity.actor import SYSTEM, Actor
from identity.audit import Record
from identity.delivery import Post
from identity.tokens import Claims
from pipelines import catalog as agent_types
from pipelines.base import Means
from pipelines.smart_turn import SmartTurnModel
from providers import catalog
from providers.base import FREE, Readiness, VoiceNotOffered
from tests.integration.operators import client, get

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADMIN = Actor("usr_admin", "admin", "api")
BANK = agent_types.load("banking")
PATH = "/agent-profiles"
HINDI = {
    "language": "hi",
    "voice": "asha",
    "stt_provider": "acme",
    "llm_provider": "acme",
    "tts_provider": "fallback:acme,offline",
}


def _check_voice(_settings: Settings, voice: str, _tag: str) -> None:
    if voice not in ("", "asha"):
        raise VoiceNotOffered(f"Acme has no voice {voice}; it has: asha")


@pytest.fixture
def acme() -> Iterator[None]:
    """A vendor of everything, in every language."""
    module = ModuleType("acme")
    module.__dict__.update(
        ready=lambda _settings, _kind: Readiness(True, "for tests"),
        stt=object,
        llm=object,
        tts=object,
        check_voice=_check_voice,
        PRICES=FREE,
    )
    catalog.add("acme", module)
    yield
    catalog.remove("acme")


def settings_with(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]


@pytest.fixture
async def http(database: Database, acme: None) -> AsyncIterator[httpx.AsyncClient]:
    settings = settings_with()
    parts = make_parts(settings, secret="s" * 32, db=database, delivery=Post(), node="node")
    board = Switchboard(settings, Alone(parts), node="node")
    routers = (agent_profiles.router, agents.router)
    async with client(database, *routers, settings=settings, switchboard=board) as http:
        yield http
    await tasks.drain(timeout_s=10)
    await catalog.close()


async def test_what_nobody_has_changed_is_as_the_server_is_set(database: Database) -> None:
    async with database.reading() as db:
        assert await profiles.load(db, "banking") == Profile("banking")
        assert await profiles.load_all(db) == {}


async def test_a_profile_is_kept_replaced_and_put_on_record(database: Database) -> None:
    first = Profile("banking", "hi-IN", "v", "cartesia", {"stt": "deepgram", "tts": "fallback:cartesia,offline"})
    for profile, now in ((first, NOW), (Profile("banking", "en-GB"), NOW + timedelta(days=1))):
        async with database.transaction() as db:
            saved = await profiles.save(db, profile, actor=ADMIN, now=now)
        async with database.reading() as db:
            assert saved == await profiles.load(db, "banking") == (await profiles.load_all(db))["banking"]
        assert (saved.language, saved.updated_at, saved.updated_by) == (profile.language, now, "usr_admin")
    async with database.reading() as db:
        records = (await db.scalars(sa.select(Record).order_by(Record.seq))).all()
    assert [(each.act, each.subject, each.actor) for each in records] == [
        ("agent_profile.changed", "banking", "usr_admin")
    ] * 2
    assert json.loads(records[0].details) == {
        "language": "hi-IN",
        "voice": "v",
        "stt_provider": "deepgram",
        "llm_provider": "",
        "tts_provider": "fallback:cartesia,offline",
    }


async def test_two_who_save_at_once_both_do(database: Database) -> None:
    async def save(language: str) -> None:
        async with database.transaction() as db:
            await profiles.save(db, Profile("banking", language), actor=ADMIN, now=NOW)

    await asyncio.gather(*(save(language) for language in ("en", "hi", "en-IN")))
    async with database.reading() as db:
        assert list(await profiles.load_all(db)) == ["banking"]
        assert await db.scalar(sa.select(sa.func.count()).select_from(Record)) == 3


async def test_operators_see_every_profile_and_whom_they_may_choose(http: httpx.AsyncClient) -> None:
    told = await get(http, PATH)
    (bank,) = told["data"]
    assert (bank["agent_type"], bank["name"], bank["language"], bank["updated_at"]) == ("banking", "Bank", "en", None)
    assert bank["languages"] == list(BANK.languages)
    assert bank["serving"] == {"stt": ["offline"], "llm": ["offline"], "tts": ["offline"]}
    ready = {each["name"]: each["ready"] for each in told["providers"]["stt"]}
    assert (ready["acme"], ready["offline"], ready["deepgram"]) == (True, True, False)
    assert "cartesia" not in ready
    (keyless,) = [each for each in told["providers"]["tts"] if each["name"] == "cartesia"]
    assert keyless["why"] == "CARTESIA_API_KEY is not set"


async def test_a_saved_profile_counts_at_once(http: httpx.AsyncClient) -> None:
    saved = await http.put(f"{PATH}/banking", json=HINDI)
    assert saved.status_code == 200, saved.text
    (shown,) = (await get(http, PATH))["data"]
    assert shown == saved.json()
    assert {name: shown[name] for name in HINDI} == HINDI
    assert shown["serving"] == {"stt": ["acme"], "llm": ["acme"], "tts": ["acme", "offline"]}
    assert (shown["trouble"], shown["updated_by"]) == (None, "usr_admin")
    (card,) = await get(http, "/api/agents/list")
    assert (card["language"], card["available"], card["providers"]) == (
        "hi",
        True,
        dict.fromkeys(catalog.KINDS, "acme"),
    )
    spoken = BANK.in_language("hi")
    config = await get(http, "/api/agents/config/banking")
    assert (config["greeting"], config["try_saying"]) == (spoken.greeting, list(spoken.try_saying))


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"language": "nowhere"}, "invalid_language", "'nowhere' is not a language tag"),
        ({"language": "fr"}, "language_not_offered", "Bank does not speak fr. Choose one of: en"),
        ({"stt_provider": "offline"}, "language_not_offered", "Speech to text: .* does not hear hi, only English"),
        ({"stt_provider": "deepgram"}, "provider_not_ready", "Speech to text: .*DEEPGRAM_API_KEY is not set"),
        ({"llm_provider": "nobody"}, "unknown_provider", "Language model: There is no provider named 'nobody'"),
        ({"voice": "no voice"}, "invalid_voice", "not a voice's id"),
        ({"voice": "katie"}, "voice_not_offered", "Text to speech: Acme has no voice katie"),
        ({"voice": "v" * 101}, "validation", "at most 100 characters"),
        ({"sst_provider": "acme"}, "validation", "sst_provider"),
    ],
)
async def test_what_cannot_be_served_is_refused_in_words_and_not_saved(
    http: httpx.AsyncClient, change: dict[str, str], code: str, says: str
) -> None:
    refused = await http.put(f"{PATH}/banking", json=HINDI | change)
    told = refused.json()
    assert (refused.status_code, told["error_code"]) == (422, code), told
    assert re.search(says, told["detail"])
    (shown,) = (await get(http, PATH))["data"]
    assert (shown["language"], shown["updated_at"]) == ("en", None)


async def test_an_agent_type_there_is_not_has_no_profile(http: httpx.AsyncClient) -> None:
    assert (await http.put(f"{PATH}/nobody", json=HINDI)).status_code == 404


async def test_an_agent_nobody_can_serve_any_more_says_so_and_takes_no_calls(
    http: httpx.AsyncClient, database: Database
) -> None:
    async with database.transaction() as db:
        await profiles.save(db, Profile("banking", "hi", providers={"stt": "deepgram"}), actor=ADMIN, now=NOW)
    (shown,) = (await get(http, PATH))["data"]
    assert "The offline recogniser does not hear hi" in shown["trouble"]
    (card,) = await get(http, "/api/agents/list")
    assert (card["available"], card["out_of_order"], card["providers"]) == (False, True, {})


async def _guest(database: Database, settings: Settings) -> Claims:
    async with database.transaction() as db:
        (code,) = await otp.issue(
            db, actor=SYSTEM, secret=load_secret(settings), fmt="digits6", max_uses=5, now=datetime.now(UTC)
        )
        await usage.grant_access(db, otp_id=code.id, agent_type="banking", now=datetime.now(UTC))
    return Claims(
        subject=code.id,
        role="otp",
        permissions=(),
        email=None,
        name=None,
        version=0,
        token_id="1",
        issued_at=datetime.now(UTC),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


async def test_a_call_begins_with_the_profile_as_it_is_then(
    database: Database, acme: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = settings_with(data_dir=tmp_path_factory.mktemp("data"), secret_key="a secret of thirty-two bytes or so")
    owner = await _guest(database, settings)
    means = Means(settings, load_secret(settings), cast(Any, None))
    parts = Parts(means, database, SmartTurnModel(own_process=False), "node")

    async def say(profile: Profile) -> None:
        async with database.transaction() as db:
            await profiles.save(db, profile, actor=ADMIN, now=NOW)

    await say(Profile("banking", "hi"))
    with pytest.raises(profiles.OutOfOrder) as refusal:
        await Call.register(parts, call_id="call_1", agent=BANK, owner=owner)
    assert "hear" not in refusal.value.message, "what is wrong is for operators"
    away: list[tuple[str, str]] = []
    board = SimpleNamespace(turned_away=lambda *refusal: away.append(refusal))
    door = cast(Any, SimpleNamespace(db=database, settings=settings, switchboard=board))
    with pytest.raises(profiles.OutOfOrder):
        await agents.access(agents.AccessIn(agent_type="banking"), door, owner)
    assert away == [("banking", "out_of_order")]
    await say(Profile("banking", "hi", "asha", "acme", {"stt": "acme", "llm": "fallback:offline,acme", "tts": "acme"}))
    call = await Call.register(parts, call_id="call_2", agent=BANK, owner=owner)
    assert call.agent.greeting == BANK.in_language("hi").greeting
    async with database.reading() as db:
        rows = (await db.scalars(sa.select(CallRecord))).all()
    assert [(row.id, row.stt, row.llm, row.tts) for row in rows] == [("call_2", "acme", "acme", "acme")]
