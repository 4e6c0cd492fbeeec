"""Agent profiles, for operators: in which language, with which voice and by whom an agent type's calls are served."""

from __future__ import annotations

import asyncio
from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from agent import profiles, serving
from agent.profiles import MAX_PROVIDER, MAX_VOICE
from agent.serving import Served
from api.deps import Acting, App, Shared, admin
from api.limited import OPERATOR
from core import tasks
from core.clock import utc_now
from pipelines import catalog as agent_types
from providers import catalog as vendors
from providers.base import Kind

router = APIRouter(prefix="/agent-profiles", tags=["agents"], dependencies=[Depends(admin), OPERATOR])


class ProfileIn(BaseModel):
    """What shall count; what is left out goes back to what it is by itself."""

    model_config = ConfigDict(extra="forbid")  # a name that is mistyped would put the rest back to what it was

    language: str = Field(max_length=35, description="BCP 47, such as en, hi or en-IN")
    voice: str = Field("", max_length=MAX_VOICE, description="The vendor's id of a voice; empty: the vendor's choice")
    stt_provider: str | None = Field(
        None, max_length=MAX_PROVIDER, description="Who hears, written like STT_PROVIDER; null: as the server is set"
    )
    llm_provider: str | None = Field(None, max_length=MAX_PROVIDER, description="Who answers, likewise")
    tts_provider: str | None = Field(None, max_length=MAX_PROVIDER, description="Who speaks, likewise")


class ProfileOut(ProfileIn):
    """What counts for the next calls of an agent type."""

    agent_type: str
    name: str
    languages: list[str] = Field(description="The languages this agent type can speak")
    serving: dict[str, list[str]] = Field(description="Who serves stt, llm and tts, then who steps in, in this order")
    trouble: str | None = Field(description="Why nobody can call it as it stands")
    updated_at: datetime | None = Field(description="Null if it is as the server is set")
    updated_by: str | None


class ProviderOut(BaseModel):
    """A vendor one may choose."""

    name: str
    ready: bool
    why: str = Field(description="What it is, or what it lacks")


class ProfilesOut(BaseModel):
    """Every agent type, and what there is to choose from."""

    data: list[ProfileOut]
    providers: dict[str, list[ProviderOut]] = Field(description="Vendors by kind: stt, llm, tts")


@router.get("")
async def list_profiles(app: App) -> ProfilesOut:
    """Every agent type's profile, and the vendors one may choose from."""
    return ProfilesOut(
        data=[_shown(each) for each in await serving.look(app.db, app.settings)],
        providers={kind: _offered(app, kind) for kind in vendors.KINDS},
    )


@router.put("/{agent_type}")
async def save_profile(agent_type: str, body: ProfileIn, app: App, actor: Acting) -> ProfileOut:
    """Replace an agent type's profile. It counts from the next call on; calls that are open go on as they are."""
    agent = agent_types.load(agent_type)
    providers: dict[Kind, str | None] = {
        "stt": body.stt_provider,
        "llm": body.llm_provider,
        "tts": body.tts_provider,
    }
    # In a thread: looking at a vendor's file may mean importing it.
    profile = await asyncio.to_thread(
        profiles.checked, app.settings, agent, language=body.language, voice=body.voice, providers=providers
    )
    if profile.voice:
        await vendors.confirm_voice(app.settings, profile.voice_of, profile.voice)
    async with app.db.transaction() as db:
        profile = await profiles.save(db, profile, actor=actor, now=utc_now())
    served = serving.serve(app.settings, agent, profile)
    tasks.spawn(app.switchboard.reload(agent.id), owner=f"profile {agent.id}")
    return _shown(served)


def _offered(app: Shared, kind: Kind) -> list[ProviderOut]:
    offered = vendors.offered(app.settings, kind)
    return [ProviderOut(name=name, ready=state.ok, why=state.why) for name, state in offered.items()]


def _shown(served: Served) -> ProfileOut:
    profile, agent = served.profile, agent_types.load(served.agent.id)
    return ProfileOut(
        agent_type=agent.id,
        name=agent.name,
        languages=list(agent.languages),
        language=profile.language,
        voice=profile.voice,
        stt_provider=profile.providers.get("stt"),
        llm_provider=profile.providers.get("llm"),
        tts_provider=profile.providers.get("tts"),
        serving={kind: list(choice.chain) for kind, choice in served.choices.items()},
        trouble=served.trouble or None,
        updated_at=profile.updated_at,
        updated_by=profile.updated_by,
    )
