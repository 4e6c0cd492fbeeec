"""Logging in: administrators and customers by password, portal guests by code."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, Field

from api.deps import SESSION_COOKIE, Address, App, Shared
from core.clock import utc_now
from core.errors import Forbidden
from core.settings import DEV_ADMIN_PASSWORD
from identity import otp, users
from identity.users import UserRole

router = APIRouter(prefix="/api/auth", tags=["auth"])
customers = APIRouter(prefix="/auth", tags=["auth"])


class TokenOut(BaseModel):
    """An access token."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme of RFC 6750
    expires_in: int = Field(description="Seconds until it expires")


class OtpLoginIn(BaseModel):
    """A portal code."""

    otp_code: str = Field(min_length=1, max_length=32)


class PasswordLoginIn(BaseModel):
    """A customer's name (e-mail, phone or user name) and password."""

    username: str = Field(min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=256)


@router.post("/login/otp")
async def login_otp(body: OtpLoginIn, app: App, address: Address, response: Response) -> TokenOut:
    """Log in as a portal guest. Unknown, expired, used-up and deleted codes get the same answer."""
    async with app.limits.attempt(address, door="otp"), app.db.reading() as db:
        code = await otp.verify(db, secret=app.secret, code=body.otp_code, now=utc_now())
    return _issue(app, response, app.tokens.mint(subject=code.id, role="otp"))


@router.post("/login/admin")
async def login_admin(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    app: App,
    address: Address,
    request: Request,
    response: Response,
) -> TokenOut:
    """Log in as an administrator (form fields `username`, `password`)."""
    direct = app.settings.loopback and not app.settings.public_url and "x-forwarded-for" not in request.headers
    if form.password == DEV_ADMIN_PASSWORD and not direct:
        raise Forbidden("The development password works only on the machine the server runs on; set ADMIN_PASSWORD")
    return await _login_password(
        app, response, address, login=form.username, password=form.password, role=UserRole.ADMIN
    )


@customers.post("/login")
async def login_customer(body: PasswordLoginIn, app: App, address: Address, response: Response) -> TokenOut:
    """Log in as a registered customer."""
    return await _login_password(
        app, response, address, login=body.username, password=body.password, role=UserRole.USER
    )


@router.post("/logout", status_code=204)
async def logout(response: Response) -> None:
    """Forget the portal's cookie."""
    response.delete_cookie(SESSION_COOKIE, path="/")


async def _login_password(
    app: Shared, response: Response, address: str, *, login: str, password: str, role: UserRole
) -> TokenOut:
    async with app.limits.attempt(address, door="password"), app.db.reading() as db:
        user = await users.authenticate(db, login=login, password=password, role=role)
    token = app.tokens.mint(
        subject=user.id, role=user.role.value, email=user.email, name=user.name, version=user.token_version
    )
    return _issue(app, response, token)


def _issue(app: Shared, response: Response, token: str) -> TokenOut:
    ttl_s = app.settings.session_ttl_minutes * 60
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=ttl_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=app.settings.url.startswith("https://"),
    )
    return TokenOut(access_token=token, expires_in=ttl_s)
