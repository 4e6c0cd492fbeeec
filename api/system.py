"""The state of the installation, for operators: every part, the seats, the versions, the configuration."""

from __future__ import annotations

import platform
import re
import shutil
from datetime import datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticUndefined

from agent import serving
from agent.worker.words import Worker
from api.deps import App, Shared, admin
from api.health import database_state
from api.limited import OPERATOR
from core import VERSION
from core.clock import utc_now
from core.settings import MAX_WORKERS, Settings
from identity import users
from providers import catalog as vendors
from providers.base import KIND_NAMES, Kind

MASK = "••••"
_IN_URLS = re.compile(r"(?<=://)\S*(?=@)|(?<=password=)[^&\s]+")
"""Who one is, and by which password, in an address."""

LITTLE_ROOM = 500 * 1024**2
PACKAGES = ("pipecat-ai", "aiortc", "aioice", "fastapi", "uvicorn", "sqlalchemy", "onnxruntime")

router = APIRouter(prefix="/system", tags=["system"], dependencies=[Depends(admin), OPERATOR])


class PartOut(BaseModel):
    """One part."""

    name: str
    label: str
    state: Literal["ok", "trouble"]
    detail: str
    since: datetime = Field(description="When it began, or ceased, to work")
    last_error: str | None
    last_error_at: datetime | None


class SettingOut(BaseModel):
    """One setting as it takes effect."""

    name: str
    value: str = Field(description="Secrets are masked")
    is_default: bool
    description: str


class AdminNameOut(BaseModel):
    """An administrator."""

    id: str
    username: str


class WorkerOut(BaseModel):
    """A process that carries calls."""

    number: int = Field(description="0 is the process that answers")
    state: Literal["ready", "draining", "silent"] = Field(
        description="`silent` tells nothing: it is being started, hangs, or is about to be replaced"
    )
    pid: int | None
    seats: int
    seats_taken: int
    lag_ms: float = Field(description="How late its event loop is, 95th percentile of five seconds")
    busy: float = Field(description="Share of the last second in which that loop was at work")
    restarts: int


class SoundOut(BaseModel):
    """How well calls have sounded since the processes that carry them began.

    What the media plane counts is null where pipecat's own transport carries the calls (`MEDIA_PLANE=false`).
    """

    model_config = ConfigDict(from_attributes=True)
    late_packets: int | None = Field(description="Speech that left more than a packet's length late")
    inserted_ms: int | None = Field(description="Silence put into speech because its sound came too late")
    concealed_ms: int | None = Field(description="Callers' sound that was lost, and copied, made up or left silent")
    dropped_ms: int = Field(description="Callers' sound that the recogniser did not keep up with")
    late_verdicts: int = Field(description="Ends of turns that did not wait for the end-of-turn model")
    verdict_wait_ms: int = Field(description="95th percentile of how long the latest ends of turns waited for it")


class SystemOut(BaseModel):
    """The state of the installation, as the process that answers sees it."""

    version: str
    environment: str
    node: str
    started_at: datetime
    parts: list[PartOut]
    seats: int
    seats_taken: int
    draining: bool
    lag_ms: float = Field(description="How late the latest event loop of those that carry calls is")
    workers: list[WorkerOut] = Field(max_length=MAX_WORKERS)
    sound: SoundOut
    configuration: list[SettingOut]
    versions: dict[str, str]
    default_passwords: list[AdminNameOut] = Field(
        description="Administrators who still have the published development password"
    )


@router.get("")
async def system(app: App) -> SystemOut:
    """Every part's health with its last error and since when, capacity, versions, and the configuration."""
    await look(app)
    async with app.db.reading() as db:
        published = await users.with_published_password(db)
    return SystemOut(
        version=VERSION,
        environment=app.settings.environment,
        node=app.switchboard.node,
        started_at=app.started_at,
        parts=[
            PartOut(
                name=part.name,
                label=_label(part.name),
                state="ok" if part.ok else "trouble",
                detail=part.detail,
                since=part.since,
                last_error=part.last_error,
                last_error_at=part.last_error_at,
            )
            for part in app.parts.all()
        ],
        seats=app.switchboard.seats,
        seats_taken=app.switchboard.seats_taken,
        draining=app.switchboard.draining,
        lag_ms=round(app.switchboard.lag_ms, 1),
        workers=[_worker(worker) for worker in app.switchboard.workers],
        sound=_sound(app),
        configuration=configuration(app.settings),
        versions={"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        default_passwords=[AdminNameOut(id=admin.id, username=admin.username) for admin in published],
    )


def _sound(app: Shared) -> SoundOut:
    sound = SoundOut.model_validate(app.switchboard.sound)
    if not app.settings.media_plane:
        sound.late_packets = sound.inserted_ms = sound.concealed_ms = None
    return sound


def _worker(worker: Worker) -> WorkerOut:
    state = worker.state
    return WorkerOut(
        number=worker.number,
        state="silent" if state is None else "draining" if state.draining else "ready",
        pid=state and state.pid,
        seats=state.seats if state else 0,
        seats_taken=state.seats_taken if state else 0,
        lag_ms=round(state.lag_ms, 1) if state else 0.0,
        busy=round(state.busy, 3) if state else 0.0,
        restarts=worker.restarts,
    )


_VENDORS = tuple(f"{kind} " for kind in vendors.KINDS)


async def look(app: Shared) -> None:
    """See how the parts are that do not report by themselves, and note it."""
    now, parts = utc_now(), app.parts
    state = await database_state(app)
    parts.note("database", ok=state == "ok", at=now, detail=app.db.dialect if state == "ok" else state)
    for worker in app.switchboard.workers if app.settings.workers else ():
        told = f"started anew {worker.restarts} times" if worker.restarts else "carries calls"
        reached, name = worker.state is not None, f"voice worker {worker.number}"
        known = parts.get(name)
        if worker.restarts and (known is None or known.detail != told):
            parts.note(name, ok=False, at=now, detail="ended, or told nothing, and was started anew")
        parts.note(name, ok=reached, at=now, detail=told if reached else "tells nothing")
    free = shutil.disk_usage(app.settings.data_dir).free
    parts.note("disk", ok=free > LITTLE_ROOM, at=now, detail=f"{free / 1024**3:.1f} GB free")
    ways = app.delivery.ways
    # On a developer's machine the console is where one looks for codes; elsewhere others may read it.
    told = ", ".join(ways) if ways else "codes are printed on the server's console: set SMTP_URL or SMS_URL"
    parts.note("delivery of codes", ok=bool(ways) or not app.settings.production, at=now, detail=told)
    for kind in vendors.KINDS:
        choice = vendors.choose(app.settings, kind)
        ready = vendors.readiness(app.settings, choice.name, kind)
        at_rest = [name for name in choice.chain if _at_rest(app, name, kind)]
        told = f"{choice.told}; left alone for now: {', '.join(at_rest)}" if at_rest else choice.told
        parts.note(kind, ok=ready.ok, at=now, detail=told if ready.ok else f"{choice.name}: {ready.why}")
    served = await serving.look(app.db, app.settings)
    for each in served:
        parts.note(f"agent {each.agent.id}", ok=not each.trouble, at=now, detail=each.trouble or each.told)
    known = {
        f"{vendor.kind} {vendor.vendor}": vendor for vendor in vendors.vendors(app.settings, serving.briefs(served))
    }
    for name, vendor in known.items():
        at_rest = _at_rest(app, vendor.vendor, vendor.kind)
        told = f"left alone for now: it {vendor.words or 'failed in some workers'}" if at_rest else "serves"
        parts.note(name, ok=not at_rest, at=now, detail=told)
    for part in parts.all():
        if part.name.startswith(_VENDORS) and part.name not in known:
            parts.forget(part.name)


def _at_rest(app: Shared, vendor: str, kind: Kind) -> bool:
    """Whether calls leave a vendor alone, in any process that carries some."""
    return vendors.breaker(app.settings, vendor, kind).open or (kind, vendor) in app.switchboard.resting()


def configuration(settings: Settings) -> list[SettingOut]:
    """Every setting as it takes effect, without its secrets."""
    found = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        default = None if field.default is PydanticUndefined else field.default
        found.append(
            SettingOut(
                name=name.upper(),
                value=shown(value),
                is_default=value == default,
                description=field.description or "",
            )
        )
    return found


def shown(value: object) -> str:
    """A setting's value, for a screen."""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(MASK if isinstance(part, SecretStr) else str(part) for part in value)
    return "" if value is None else _IN_URLS.sub(MASK, str(value))


def _label(name: str) -> str:
    if name.startswith("job "):
        return f"Background: {name.removeprefix('job ')}"
    if name.startswith("agent "):
        return f"Agent: {name.removeprefix('agent ')}"
    kind, _, vendor = name.partition(" ")
    if kind in KIND_NAMES:
        return f"{KIND_NAMES[kind]}: {vendor}" if vendor else KIND_NAMES[kind]
    return name.capitalize()
