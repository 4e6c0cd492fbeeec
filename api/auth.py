"""Logging in: portal guests by code, everybody else by password and, where they have one, a second factor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import SESSION_COOKIE, Address, App, Bearer, Shared, actor_of, bearer, token_of
from api.fields import Code, Id
from api.limited import Limited
from core import webhooks
from core.clock import utc_now
from core.errors import Forbidden, NotFound, Unauthorized
from core.settings import DEV_ADMIN_PASSWORD, is_loopback
from core.tasks import spawn
from identity import audit, mfa, otp, sessions, users
from identity.actor import Actor
from identity.users import LoginRefused, User, UserRole

REFRESH_COOKIE = "parley_refresh"
REFRESH_PATH = "/api/v1/auth"
"""The refresh cookie is sent to the routes that renew and end a log-in, and to no others."""

# Beside the budgets of failures: a right password costs a hash as well.
PASSWORD_RATE = "120/minute"  # noqa: S105 - a rate
CODE_RATE = "600/minute"
TOKEN_RATE = "120/minute"  # noqa: S105 - a rate

router = APIRouter(prefix="/api/auth", tags=["auth"])
customers = APIRouter(prefix="/auth", tags=["auth"])


class TokenOut(BaseModel):
    """An access token."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme of RFC 6750
    expires_in: int = Field(description="Seconds until it expires")


class TokensOut(TokenOut):
    """An access token and what renews it."""

    otp_required: Literal[False] = False
    refresh_token: str | None = Field(description="Good for one renewal; null where the page keeps it as a cookie")
    session_id: str
    must_change_password: bool = Field(False, description="The token opens nothing but the change of the password")


class ChallengeOut(BaseModel):
    """A second factor that is asked for."""

    otp_required: Literal[True] = True
    challenge_id: str
    expires_in: int = Field(description="Seconds to answer")
    method: Literal["totp", "code"] = Field(description="An authenticator app shows it, or it was sent")
    length: int = Field(description="Digits")
    sent_to: str = Field(description="Where the code went, masked")

    @classmethod
    def of(cls, asked: mfa.Asked, *, now: datetime) -> Self:
        """A challenge that was just made."""
        return cls(
            challenge_id=asked.id,
            expires_in=int((asked.expires_at - now).total_seconds()),
            method=asked.method,
            length=asked.length,
            sent_to=asked.sent_to,
        )


class OtpLoginIn(BaseModel):
    """A portal code."""

    otp_code: str = Field(min_length=1, max_length=32)


class PasswordLoginIn(BaseModel):
    """A person's user name, e-mail address or phone number (in any of the three fields), and password."""

    username: str | None = Field(None, min_length=1, max_length=254)
    email: str | None = Field(None, min_length=1, max_length=254)
    phone: str | None = Field(None, min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.login:
            raise ValueError("give username, email or phone")
        return self

    @property
    def login(self) -> str:
        """What names them."""
        return self.username or self.email or self.phone or ""


class AdminLoginIn(BaseModel):
    """An administrator's name and password."""

    username: str = Field(min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=256)


class SecondFactorIn(BaseModel):
    """The code for a log-in's second factor."""

    challenge_id: Id
    otp: Code


class RefreshIn(BaseModel):
    """A refresh token; the pages send it as a cookie instead."""

    refresh_token: str | None = Field(None, min_length=1, max_length=sessions.MAX_TOKEN_CHARS)


class PasswordChangeIn(BaseModel):
    """A new password, and the current one."""

    current_password: str = Field(min_length=1, max_length=256)
    new_password: str = Field(min_length=8, max_length=256)


class MessageOut(BaseModel):
    """What was done."""

    message: str


class SecondFactorRefused(Unauthorized):
    """A log-in's second factor was wrong, or it was not waited for any more."""

    code = "otp_refused"

    def __init__(self, tries_left: int = 0) -> None:
        tries = "try" if tries_left == 1 else "tries"
        again = f"You have {tries_left} {tries} left." if tries_left else "Please log in again."
        super().__init__(f"That code is not right. {again}")


# --- Logging in -------------------------------------------------------------------------------------------------------


@router.post("/login/otp", dependencies=[Depends(Limited(CODE_RATE))])
async def login_otp(body: OtpLoginIn, app: App, address: Address, request: Request, response: Response) -> TokenOut:
    """Log in as a portal guest. Unknown, expired, used-up and deleted codes get the same answer."""
    now = utc_now()
    async with app.limits.attempt(address, door="otp"), app.db.reading() as db:
        code = await otp.verify(db, secret=app.secret, code=body.otp_code, now=now)
    life = timedelta(minutes=app.settings.session_ttl_minutes)
    async with app.db.transaction() as db:
        session_id, _ = await sessions.open_session(
            db, secret=app.secret, subject=code.id, role="otp", version=0, life=life, renewable=False, now=now
        )
        _note(db, actor_of(request, code.id, "otp"), "session.opened", session_id, now)
    token = app.tokens.mint(subject=code.id, role="otp", session_id=session_id, ttl=life)
    _keep(app, request, response, SESSION_COOKIE, token, life)
    return TokenOut(access_token=token, expires_in=_seconds(life))


async def admin_credentials(request: Request) -> AdminLoginIn:
    """Name and password as a form or as JSON: source 003 shows both.

    Raises: RequestValidationError.
    """
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    try:
        given = await request.json() if is_json else dict(await request.form(max_files=0, max_fields=10))
        return AdminLoginIn.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from None
    except (ValueError, RecursionError):
        problem = {"type": "json_invalid", "loc": ("body",), "msg": "The body is not JSON"}
        raise RequestValidationError([problem]) from None


_ADMIN_LOGIN = {"schema": AdminLoginIn.model_json_schema()}


@router.post(
    "/login/admin",
    dependencies=[Depends(Limited(PASSWORD_RATE))],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": _ADMIN_LOGIN, "application/json": _ADMIN_LOGIN},
        }
    },
)
async def login_admin(
    body: Annotated[AdminLoginIn, Depends(admin_credentials)],
    app: App,
    address: Address,
    request: Request,
    response: Response,
) -> TokensOut | ChallengeOut:
    """Log in as an administrator, with a form or JSON."""
    return await _login(
        app, request, response, address, login=body.username, password=body.password, role=UserRole.ADMIN
    )


@customers.post("/login", dependencies=[Depends(Limited(PASSWORD_RATE))])
async def login(
    body: PasswordLoginIn, app: App, address: Address, request: Request, response: Response
) -> TokensOut | ChallengeOut:
    """Log in as a registered person: tokens, or, where a second factor is set up, the challenge for `/auth/token`."""
    return await _login(app, request, response, address, login=body.login, password=body.password, role=None)


@customers.post("/token", dependencies=[Depends(Limited(TOKEN_RATE))])
async def second_factor(
    body: SecondFactorIn, app: App, address: Address, request: Request, response: Response
) -> TokensOut:
    """Finish a log-in with the code of its second factor. After three wrong ones it must be begun anew."""
    now = utc_now()
    async with app.limits.attempt(address, door="second factor"):
        async with app.db.transaction() as db:
            user, answer = await _answer(app, db, body, now)
            opened = await _open(app, db, user, now) if user and answer.right else None
            if user:
                act, result = ("session.opened", "ok") if opened else ("session.refused", "refused")
                _note(db, actor_of(request, user.id, user.role), act, opened and opened[0], now, result)
        if user is None or opened is None:
            raise SecondFactorRefused(answer.tries_left)
    return _tokens(app, request, response, user, *opened)


@customers.post("/refresh-token", dependencies=[Depends(Limited(TOKEN_RATE))])
async def refresh_token(app: App, request: Request, response: Response, body: RefreshIn | None = None) -> TokensOut:
    """Take a new access token and a new refresh token for a refresh token, which is then used up.

    A refresh token that is used again ends the whole log-in: somebody else has it.
    """
    now = utc_now()
    given = body and body.refresh_token
    token = given or request.cookies.get(REFRESH_COOKIE)
    if not token:
        raise Unauthorized("Please log in.", code="refresh_refused")
    user = None
    async with app.db.transaction() as db:
        renewed = await sessions.refresh(db, secret=app.secret, token=token, life=_renewal(app), now=now)
        if renewed and renewed.reused:
            _note(db, Actor(renewed.subject, renewed.role, "api"), "session.reused", renewed.session_id, now, "refused")
        elif renewed:
            user = await users.check_current(db, renewed.subject, version=renewed.version)
    if renewed is None or user is None or renewed.refresh_token is None:
        raise Unauthorized("Your log-in is over. Please log in again.", code="refresh_refused")
    tokens = _tokens(
        app, request, response, user, renewed.session_id, renewed.refresh_token, left=renewed.expires_at - now
    )
    return tokens if given else tokens.model_copy(update={"refresh_token": None})


@router.post("/logout", status_code=204, dependencies=[Depends(Limited(TOKEN_RATE))])
@customers.post("/logout", status_code=204, dependencies=[Depends(Limited(TOKEN_RATE))])
async def logout(app: App, request: Request, response: Response, body: RefreshIn | None = None) -> None:
    """End the log-in: its tokens are void, its cookies forgotten. It succeeds whoever asks."""
    now = utc_now()
    refresh = (body and body.refresh_token) or request.cookies.get(REFRESH_COOKIE)
    access = token_of(request)
    try:
        claims = app.tokens.read(access) if access else None
    except Unauthorized:
        claims = None
    if refresh or (claims and claims.session_id):
        async with app.db.transaction() as db:
            if claims and claims.session_id:
                with suppress(NotFound):
                    await sessions.revoke(db, session_id=claims.session_id, subject=claims.subject, now=now)
                _note(db, actor_of(request, claims.subject, claims.role), "session.ended", claims.session_id, now)
            if refresh:
                await sessions.revoke_by_token(db, secret=app.secret, token=refresh, now=now)
    _forget(response)


@router.put("/change-password", dependencies=[Depends(Limited(PASSWORD_RATE))])
@customers.put("/change-password", dependencies=[Depends(Limited(PASSWORD_RATE))])
async def change_password(
    body: PasswordChangeIn,
    bearer: Annotated[Bearer, Depends(bearer)],
    app: App,
    address: Address,
    request: Request,
    response: Response,
) -> MessageOut:
    """Change one's password. Every older token dies with it, this request's too."""
    claims = bearer.claims
    if claims.role == "otp":
        raise Forbidden("A portal code has no password", code="not_registered")
    async with password_attempt(app, request, address, account=claims.subject):
        async with app.db.reading() as db:
            user = await users.get(db, claims.subject)
        password_hash = await users.new_password(user, current=body.current_password, new=body.new_password)
    async with app.db.transaction() as db:
        now = utc_now()
        await users.set_password(db, user=user, password_hash=password_hash)
        await sessions.revoke_all(db, subject=user.id, now=now)
        _note(db, actor_of(request, user.id, user.role), "password.changed", user.id, now)
    _forget(response)
    return MessageOut(message="Password changed successfully")


@asynccontextmanager
async def password_attempt(app: Shared, request: Request, address: str, *, account: str) -> AsyncIterator[None]:
    """Let a password be tried; a wrong one of somebody known is counted and put on record.

    Raises: TooManyAttempts.
    """
    try:
        async with app.limits.attempt(address, door="password", account=account):
            yield
    except LoginRefused as refused:
        if refused.user_id is not None:
            # Apart from the answer, which takes as long as one about an unknown name.
            spawn(_record_refusal(app, request, refused.user_id), owner="refused password")
        raise


# --- Work -------------------------------------------------------------------------------------------------------------


async def _login(
    app: Shared,
    request: Request,
    response: Response,
    address: str,
    *,
    login: str,
    password: str,
    role: UserRole | None,
) -> TokensOut | ChallengeOut:
    direct = (
        app.settings.loopback
        and not app.settings.public_url
        and "x-forwarded-for" not in request.headers
        and is_loopback(request.url.hostname or "")  # no name of somebody else's that leads to this machine
    )
    if password == DEV_ADMIN_PASSWORD and not direct:
        raise Forbidden("The development password works only on the machine the server runs on; set ADMIN_PASSWORD")
    async with password_attempt(app, request, address, account=login), app.db.reading() as db:
        user = await users.authenticate(db, login=login, password=password, role=role)
    now = utc_now()
    async with app.db.transaction() as db:
        if user.login_factor is not None or await mfa.has_totp(db, user.id):
            asked = await mfa.ask(
                db,
                secret=app.secret,
                subject=user.id,
                role=user.role,
                purpose="login",
                bound_to=_login_of(user),
                text=lambda code: f"{code} is your Parley log-in code. Never tell it to anyone.",
                delivery=app.delivery,
                now=now,
            )
            return ChallengeOut.of(asked, now=now)
        session_id, refresh = await _open(app, db, user, now)
        _note(db, actor_of(request, user.id, user.role), "session.opened", session_id, now)
    return _tokens(app, request, response, user, session_id, refresh)


async def _answer(app: Shared, db: AsyncSession, body: SecondFactorIn, now: datetime) -> tuple[User | None, mfa.Answer]:
    try:
        user = await users.get(db, await mfa.subject_of(db, body.challenge_id, purpose="login"))
    except NotFound:
        return None, mfa.Answer(right=False, tries_left=0, dead=True)
    answer = await mfa.answer(
        db,
        secret=app.secret,
        challenge_id=body.challenge_id,
        subject=user.id,
        bound_to=_login_of(user),
        code=body.otp,
        now=now,
    )
    return (user if user.disabled_at is None else None), answer


def _login_of(user: User) -> str:
    """What a log-in's second factor is good for: until the password changes."""
    return f"login {user.id} {user.token_version}"


async def _open(app: Shared, db: AsyncSession, user: User, now: datetime) -> tuple[str, str | None]:
    renewable = user.role is UserRole.USER
    await users.logged_in(db, user_id=user.id, now=now)
    return await sessions.open_session(
        db,
        secret=app.secret,
        subject=user.id,
        role=user.role.value,
        version=user.token_version,
        life=_renewal(app) if renewable else timedelta(minutes=app.settings.session_ttl_minutes),
        renewable=renewable,
        now=now,
    )


def _tokens(
    app: Shared,
    request: Request,
    response: Response,
    user: User,
    session_id: str,
    refresh: str | None,
    *,
    left: timedelta | None = None,
) -> TokensOut:
    """The tokens of an open session, `left` of which is still to come, as JSON and as cookies."""
    customer = user.role is UserRole.USER
    minutes = app.settings.access_token_ttl_minutes if customer else app.settings.session_ttl_minutes
    life = timedelta(minutes=minutes) if left is None else min(timedelta(minutes=minutes), left)
    token = app.tokens.mint(
        subject=user.id,
        role=user.role.value,
        email=user.email,
        name=user.name,
        version=user.token_version,
        session_id=session_id,
        ttl=life,
    )
    _keep(app, request, response, SESSION_COOKIE, token, life)
    if refresh is not None:
        _keep(app, request, response, REFRESH_COOKIE, refresh, left or _renewal(app), path=REFRESH_PATH)
    return TokensOut(
        access_token=token,
        expires_in=_seconds(life),
        refresh_token=refresh,
        session_id=session_id,
        must_change_password=user.must_change_password,
    )


def _renewal(app: Shared) -> timedelta:
    return timedelta(minutes=app.settings.refresh_token_ttl_minutes)


def _keep(
    app: Shared, request: Request, response: Response, name: str, token: str, life: timedelta, *, path: str = "/"
) -> None:
    # A form on another site could log somebody in as somebody else; it gets no cookie set.
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return
    response.set_cookie(
        name,
        token,
        max_age=_seconds(life),
        path=path,
        httponly=True,
        samesite="strict",
        secure=app.settings.url.startswith("https://"),
    )


def _forget(response: Response) -> None:
    response.delete_cookie(SESSION_COOKIE, path="/")
    response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH)


async def _record_refusal(app: Shared, request: Request, user_id: str) -> None:
    now = utc_now()
    async with app.db.transaction() as db:
        user = await users.get(db, user_id)
        payload = {"user_id": user.id, "at": now.isoformat()}
        webhooks.put(db, event=webhooks.Event.PASSWORD_FAILED, payload=payload, at=now)
        _note(db, actor_of(request, user.id, user.role), "password.refused", user.id, now, "refused")


def _note(
    db: AsyncSession, actor: Actor, act: str, subject: str | None, at: datetime, result: audit.Result = "ok"
) -> None:
    audit.note(db, actor=actor, act=act, subject=subject, at=at, result=result)


def _seconds(life: timedelta) -> int:
    return int(life.total_seconds())
