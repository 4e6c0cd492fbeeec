"""What the pages need to know before and after log-in, and what people set for their own log-in."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from api import inbox
from api.auth import ChallengeOut, password_attempt
from api.deps import Acting, Address, App, Registered, Shared, Who
from api.fields import Code, Id, PathId
from api.limited import Limited
from banking import customers
from core.clock import utc_now
from core.errors import Conflict, Forbidden, Invalid
from identity import audit, mfa, otp, sessions, users
from identity.delivery import masked_phone
from identity.sessions import LoginSession
from identity.tokens import Claims
from identity.users import LoginFactor, LoginRefused, User, UserRole
from providers import catalog as vendors

SETTING_RATE = "20/minute"

router = APIRouter(tags=["portal"])


class PortalOut(BaseModel):
    """How to log in."""

    product: str
    environment: str
    otp_format: str
    otp_length: int
    offline_speech: bool = Field(description="Whether the simple recogniser of this machine listens")


class SecondFactorOut(BaseModel):
    """What somebody is asked for besides the password."""

    totp: bool = Field(description="An authenticator app is set up: it is asked for at every log-in")
    login_factor: LoginFactor | None = Field(description="`code`: logging in sends one")


class MeOut(BaseModel):
    """Whoever is logged in."""

    id: str
    role: str
    name: str | None
    email: str | None
    phone: str | None = Field(description="Masked")
    customer_id: str | None = Field(description="Their customer at the bank; a portal guest's is made at its first use")
    kyc_status: str | None = Field(description="pending, verified or rejected")
    second_factor: SecondFactorOut
    remaining_uses: int | None
    offline_speech: bool


class PasswordIn(BaseModel):
    """One's password once more: a token alone must not change how one logs in."""

    password: str = Field(min_length=1, max_length=256)


class EnrolmentOut(BaseModel):
    """An authenticator app to set up."""

    enrolment_id: str
    secret: str = Field(description="Base32, for typing")
    otpauth_uri: str = Field(description="For a QR code")
    challenge: ChallengeOut | None = Field(
        description="A code was sent as well, so that a stolen password sets up no app; null for administrators, who "
        "have no address that it could be sent to"
    )


class EnrolmentIn(BaseModel):
    """The app's code, and the one that was sent where one was."""

    enrolment_id: Id
    otp: Code = Field(description="The code the app shows")
    challenge_id: Id | None = None
    code: Code | None = Field(None, description="The code that was sent")


class LoginFactorIn(PasswordIn):
    """What logging in shall take besides the password."""

    login_factor: LoginFactor | None


class SessionOut(BaseModel):
    """A log-in."""

    id: str
    opened_at: datetime
    renewed_at: datetime
    expires_at: datetime
    current: bool = Field(description="The one that asks")

    @classmethod
    def of(cls, session: LoginSession, who: Claims) -> Self:
        """A log-in as its owner sees it."""
        return cls(
            id=session.id,
            opened_at=session.opened_at,
            renewed_at=session.renewed_at,
            expires_at=session.expires_at,
            current=session.id == who.session_id,
        )


class SessionsOut(BaseModel):
    """Log-ins, the newest first."""

    data: list[SessionOut]


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
    user, remaining = None, None
    async with app.db.reading() as db:
        customer = await customers.of_login(db, who)
        if who.role == "otp":
            remaining = await otp.remaining(db, who.subject)
        else:
            user = await users.get(db, who.subject)
        factors = await _factors(db, user)
    email = (user and user.email) or (customer and customer.email)
    phone = (user and user.phone) or (customer and customer.phone)
    return MeOut(
        id=who.subject,
        role=who.role,
        name=user.name if user else None,
        email=email or None,
        phone=masked_phone(phone) if phone else None,
        customer_id=customer.id if customer else None,
        kyc_status=customer.kyc_status if customer else None,
        second_factor=factors,
        remaining_uses=remaining,
        offline_speech=_offline_speech(app),
    )


@router.get("/me/sessions")
async def my_sessions(app: App, who: Who) -> SessionsOut:
    """The log-ins that are open."""
    async with app.db.reading() as db:
        found = await sessions.of_user(db, who.subject, now=utc_now())
    return SessionsOut(data=[SessionOut.of(session, who) for session in found if _is_own(session.id, who)])


@router.delete("/me/sessions/{session_id}", status_code=204)
async def end_session(session_id: PathId, app: App, who: Who, actor: Acting) -> None:
    """End one of one's log-ins, on this device or another."""
    if not _is_own(session_id, who):
        raise sessions.no_such_session()
    now = utc_now()
    async with app.db.transaction() as db:
        await sessions.revoke(db, session_id=session_id, subject=who.subject, now=now)
        audit.note(db, actor=actor, act="session.ended", subject=session_id, at=now)


@router.post("/me/totp", status_code=201, dependencies=[Depends(Limited(SETTING_RATE))])
async def begin_totp(body: PasswordIn, app: App, who: Registered, address: Address, request: Request) -> EnrolmentOut:
    """Begin to set up an authenticator app. It counts once its code, and the one that is sent, are confirmed."""
    await _confirm_password(app, request, address, who, body.password)
    now = utc_now()
    async with app.db.transaction() as db:
        user = await users.get(db, who.subject)
        enrolment = await mfa.enrol(db, user=user, now=now)
        asked = None
        if user.role is not UserRole.ADMIN:
            asked = await mfa.ask(
                db,
                secret=app.secret,
                subject=user.id,
                role=user.role,
                purpose="enrol",
                bound_to=enrolment.id,
                text=lambda code: (
                    f"{code} adds an authenticator app to your account. If that is not you, change your password."
                ),
                delivery=app.delivery,
                now=now,
            )
    return EnrolmentOut(
        enrolment_id=enrolment.id,
        secret=enrolment.secret,
        otpauth_uri=enrolment.uri,
        challenge=ChallengeOut.of(asked, now=now) if asked else None,
    )


@router.post("/me/totp/confirm", dependencies=[Depends(Limited(SETTING_RATE))])
async def confirm_totp(body: EnrolmentIn, app: App, who: Registered, actor: Acting) -> SecondFactorOut:
    """Finish setting up the authenticator app."""
    now = utc_now()
    async with app.db.transaction() as db:
        app_code = {"user_id": who.subject, "enrolment_id": body.enrolment_id, "code": body.otp, "now": now}
        # A slip with the app's code costs nothing: whoever asks has its secret.
        if not await mfa.shows_enrolled(db, **app_code):
            raise Invalid("The app's code is not right. Try the next one it shows.", code="otp_refused")
        right = who.role == "admin"
        if not right:
            answer = await mfa.answer(
                db,
                secret=app.secret,
                challenge_id=body.challenge_id or "",
                subject=who.subject,
                bound_to=body.enrolment_id,
                code=body.code or "",
                now=now,
            )
            right = answer.right
        added = right and await mfa.confirm_enrolment(db, **app_code)
        if added:
            audit.note(db, actor=actor, act="totp.added", subject=who.subject, at=now)
        factors = await _factors(db, await users.get(db, who.subject))
    if not added:
        raise Invalid("The code that was sent is not right.", code="otp_refused")
    return factors


@router.post("/me/totp/remove", status_code=204, dependencies=[Depends(Limited(SETTING_RATE))])
async def remove_totp(
    body: PasswordIn, app: App, who: Registered, actor: Acting, address: Address, request: Request
) -> None:
    """Remove the authenticator app; codes are sent from then on."""
    await _confirm_password(app, request, address, who, body.password)
    now = utc_now()
    async with app.db.transaction() as db:
        if await mfa.remove_totp(db, user_id=who.subject):
            audit.note(db, actor=actor, act="totp.removed", subject=who.subject, at=now)


@router.put("/me/login-factor", dependencies=[Depends(Limited(SETTING_RATE))])
async def set_login_factor(
    body: LoginFactorIn, app: App, who: Registered, actor: Acting, address: Address, request: Request
) -> SecondFactorOut:
    """Have logging in ask for a sent code as well, or no longer."""
    if who.role == "admin" and body.login_factor is not None:
        raise Conflict("Nothing can be sent to an administrator. Add an authenticator app.", code="unreachable")
    await _confirm_password(app, request, address, who, body.password)
    now = utc_now()
    async with app.db.transaction() as db:
        await users.set_login_factor(db, user_id=who.subject, factor=body.login_factor)
        details = {"factor": body.login_factor or ""}
        audit.note(db, actor=actor, act="login_factor.set", subject=who.subject, at=now, details=details)
        return await _factors(db, await users.get(db, who.subject))


router.include_router(inbox.router)


async def _confirm_password(app: Shared, request: Request, address: str, who: Claims, password: str) -> None:
    try:
        async with password_attempt(app, request, address, account=who.subject):
            async with app.db.reading() as db:
                user = await users.get(db, who.subject)
            await users.confirm_password(user, password)
    except LoginRefused as refused:
        raise Forbidden(refused.message, code="password_refused") from None  # they are logged in nevertheless


def _is_own(session_id: str, who: Claims) -> bool:
    """Whether a log-in of the same subject is the same person's: a code may be several people's."""
    return who.role != "otp" or session_id == who.session_id


async def _factors(db: AsyncSession, user: User | None) -> SecondFactorOut:
    if user is None:
        return SecondFactorOut(totp=False, login_factor=None)
    return SecondFactorOut(totp=await mfa.has_totp(db, user.id), login_factor=user.login_factor)


def _offline_speech(app: Shared) -> bool:
    return vendors.choose(app.settings, "stt").name == "offline"
