"""Agent profiles: what operators have chosen for an agent type: its language, its voice, who serves each part.

A change counts from the next call on. Migrations read this file for its table; it therefore imports the vendors only
where it asks about them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, upsert
from core.errors import AppError, Conflict, Invalid
from core.settings import Settings
from identity import audit
from identity.actor import Actor
from providers.base import KIND_NAMES, Brief, Kind, LanguageNotOffered

if TYPE_CHECKING:
    from pipelines.base import AgentType

MAX_VOICE = 100
MAX_PROVIDER = 200

_TAG = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")
_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
"""Vendors' ids go into addresses as they are."""


class ProfileRow(Base):
    """What has been chosen for one agent type; what nobody has touched has no row."""

    __tablename__ = "agent_profiles"

    agent_type: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(35))
    voice: Mapped[str] = mapped_column(String(MAX_VOICE))
    voice_of: Mapped[str] = mapped_column(String(64))
    stt_provider: Mapped[str | None] = mapped_column(String(MAX_PROVIDER))
    llm_provider: Mapped[str | None] = mapped_column(String(MAX_PROVIDER))
    tts_provider: Mapped[str | None] = mapped_column(String(MAX_PROVIDER))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(40))


@dataclass(frozen=True, slots=True)
class Profile:
    """What counts for the calls of one agent type.

    Attributes:
        language: BCP 47.
        voice: A vendor's name of one of its voices; empty: the vendor's own choice for the language.
        voice_of: The vendor whose voice that is; whoever steps in for it chooses a voice of its own.
        providers: Who serves, by kind, in the words of the settings; a kind that is missing is served as they say.
        updated_at: None if nobody has changed anything.
        updated_by: Id of the user who has.
    """

    agent_type: str
    language: str = "en"
    voice: str = ""
    voice_of: str = ""
    providers: Mapping[Kind, str] = field(default_factory=dict)
    updated_at: datetime | None = None
    updated_by: str | None = None

    def brief(self, agent: AgentType, *, names: tuple[str, ...] = (), prompts: tuple[str, ...] = ()) -> Brief:
        """What the services of a call are told.

        Args:
            agent: The agent type, in any language.
            names: Proper names the caller may say.
            prompts: Sentences that are the same in every call, in the profile's language.

        Raises: LanguageNotOffered if the agent type does not speak the profile's language.
        """
        return Brief(
            agent_type=agent.id,
            instructions=agent.in_language(self.language).instructions,
            phrases=agent.phrases,
            names=names,
            language=self.language,
            voice=self.voice,
            voice_of=self.voice_of,
            providers=self.providers,
            prompts=prompts,
        )


class OutOfOrder(Conflict):
    """Nobody can call an agent type until vendors serve again, or an operator has changed its profile."""

    code = "out_of_order"

    def __init__(self) -> None:
        super().__init__("This agent takes no calls at the moment. Please try again later.")


async def load(db: AsyncSession, agent_type: str) -> Profile:
    """The profile of an agent type."""
    row = await db.get(ProfileRow, agent_type)
    return Profile(agent_type) if row is None else _profile(row)


async def load_all(db: AsyncSession) -> dict[str, Profile]:
    """Every profile that somebody has changed, by agent type."""
    return {row.agent_type: _profile(row) for row in await db.scalars(select(ProfileRow))}


def checked(
    settings: Settings, agent: AgentType, *, language: str, voice: str, providers: Mapping[Kind, str | None]
) -> Profile:
    """A profile that can be served as this server is set up. It looks at vendors' files, which may take a moment.

    Args:
        language: BCP 47, in any case.
        voice: Empty: the vendor's choice.
        providers: By kind, in the words of the settings; None or empty: as the settings say.

    Raises:
        Invalid: The language is no language tag, the voice no name of one, or a list names nobody.
        LanguageNotOffered: The agent type, or every vendor of a kind, does not serve the language.
        VoiceNotOffered: The vendor is known not to have that voice.
        UnknownProvider: There is no such vendor.
        ProviderNotReady: It lacks its key.
    """
    from providers import catalog

    profile = Profile(
        agent.id,
        language=_canonical(language),
        voice=_voice(voice.strip()),
        providers={kind: named for kind, value in providers.items() if (named := _provider(kind, value))},
    )
    try:
        brief = profile.brief(agent)
    except LanguageNotOffered:
        raise LanguageNotOffered(
            f"{agent.name} does not speak {profile.language}. Choose one of: {', '.join(agent.languages)}"
        ) from None
    for kind in catalog.KINDS:
        try:
            choice = catalog.confirm(settings, kind, brief)
        except AppError as refusal:
            raise type(refusal)(f"{KIND_NAMES[kind]}: {refusal.message}", code=refusal.code, status=422) from None
        if kind == "tts" and profile.voice:
            profile = replace(profile, voice_of=choice.name)
    return profile


async def save(db: AsyncSession, profile: Profile, *, actor: Actor, now: datetime) -> Profile:
    """Have a checked profile count from the next call on."""
    values = {f"{kind}_provider": profile.providers.get(kind) for kind in KIND_NAMES}
    chosen = {"language": profile.language, "voice": profile.voice, **values}
    await upsert(
        db,
        ProfileRow,
        unique=["agent_type"],
        agent_type=profile.agent_type,
        voice_of=profile.voice_of,
        updated_at=now,
        updated_by=actor.subject,
        **chosen,
    )
    details = {name: value or "" for name, value in chosen.items()}
    audit.note(db, actor=actor, act="agent_profile.changed", subject=profile.agent_type, at=now, details=details)
    return replace(profile, updated_at=now, updated_by=actor.subject)


def _profile(row: ProfileRow) -> Profile:
    providers: dict[Kind, str | None] = {"stt": row.stt_provider, "llm": row.llm_provider, "tts": row.tts_provider}
    return Profile(
        row.agent_type,
        language=row.language,
        voice=row.voice,
        voice_of=row.voice_of,
        providers={kind: value for kind, value in providers.items() if value is not None},
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _canonical(tag: str) -> str:
    """A language tag as vendors' tables have it: "hi-IN"."""
    parts = _TAG.fullmatch(tag.strip().replace("_", "-"))
    if parts is None:
        raise Invalid(f"{tag!r} is not a language tag. Write it like en, hi or en-IN.", code="invalid_language")
    language, script, region = parts.groups(default="")
    return "-".join(part for part in (language.lower(), script.title(), region.upper()) if part)


def _voice(voice: str) -> str:
    if voice and (len(voice) > MAX_VOICE or not _VOICE.fullmatch(voice)):
        raise Invalid(
            "That is not a voice's id. Copy it from the vendor: letters, digits, dots and dashes.", code="invalid_voice"
        )
    return voice


def _provider(kind: Kind, value: str | None) -> str | None:
    """As the settings write it; None where nothing is written."""
    if not value or not value.strip():
        return None
    if len(value) > MAX_PROVIDER or not value.removeprefix("fallback:").strip(" ,"):
        raise Invalid(
            f"{KIND_NAMES[kind]}: name a provider, or several as fallback:first,second.", code="unknown_provider"
        )
    return value.strip()
