"""What the portal's pages need to know before and after log-in."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import App, Shared, Who
from identity import otp, users
from providers import catalog as vendors

router = APIRouter(tags=["portal"])


class PortalOut(BaseModel):
    """How to log in."""

    product: str
    environment: str
    otp_format: str
    otp_length: int
    offline_speech: bool = Field(description="Whether the simple recogniser of this machine listens")


class MeOut(BaseModel):
    """Whoever is logged in."""

    id: str
    role: str
    name: str | None
    remaining_uses: int | None
    offline_speech: bool


@router.get("/portal")
async def portal(app: App) -> PortalOut:
    """What the log-in page shows."""
    fmt = app.settings.code_format
    return PortalOut(
        product="Parley",
        environment=app.settings.environment,
        otp_format=fmt,
        otp_length=6 if fmt == "digits6" else 8,
        offline_speech=_offline_speech(app),
    )


@router.get("/me")
async def me(app: App, who: Who) -> MeOut:
    """Who is logged in."""
    name, remaining = None, None
    async with app.db.reading() as db:
        if who.role == "otp":
            remaining = await otp.remaining(db, who.subject)
        else:
            name = (await users.get(db, who.subject)).name
    return MeOut(
        id=who.subject, role=who.role, name=name, remaining_uses=remaining, offline_speech=_offline_speech(app)
    )


def _offline_speech(app: Shared) -> bool:
    return vendors.choose(app.settings, "stt").name == "offline"
