"""What a handler may ask for: the shared parts, and who is asking."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agent.switchboard import Switchboard
from banking.policy import Policy
from core.clock import utc_now
from core.db import Database
from core.errors import Forbidden, Unauthorized
from core.parts import Parts
from core.settings import Settings
from identity import standing
from identity.actor import Actor
from identity.delivery import Post
from identity.limits import LoginLimits, Rates
from identity.tokens import Claims, Tokens

SESSION_COOKIE = "parley_session"
"""HttpOnly and SameSite=Strict: scripts cannot read it and other sites cannot use it."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests share; lives in `app.state.shared`."""

    settings: Settings
    secret: str
    db: Database
    tokens: Tokens
    limits: LoginLimits
    switchboard: Switchboard
    delivery: Post
    rates: Rates = field(default_factory=Rates)
    parts: Parts = field(default_factory=Parts)
    started_at: datetime = field(default_factory=utc_now)

    @property
    def policy(self) -> Policy:
        """What the bank demands before money moves."""
        return Policy.of_settings(self.settings, secret=self.secret, delivery=self.delivery)


def shared(request: Request) -> Shared:
    """The shared parts of the application."""
    return request.app.state.shared


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever shows a good token.

    Attributes:
        must_change_password: They may do nothing else before.
    """

    claims: Claims
    must_change_password: bool = False


_bearer = HTTPBearer(auto_error=False, description="Access token; the pages send it as a cookie instead")


def token_of(request: Request) -> str | None:
    """The access token a request comes with: a bearer's, or else the cookie's."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip()
    return request.cookies.get(SESSION_COOKIE)


async def bearer(
    request: Request,
    app: Annotated[Shared, Depends(shared)],
    _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Bearer:
    """Whoever is logged in, by bearer token or by cookie, as long as their code, password and log-in stand.

    Raises: Unauthorized.
    """
    token = token_of(request)
    if not token:
        raise Unauthorized("Log in first")
    claims = app.tokens.read(token)
    async with app.db.reading() as db:
        user = await standing.check(db, claims, now=utc_now())
    return Bearer(claims, must_change_password=user is not None and user.must_change_password)


async def who(bearer: Annotated[Bearer, Depends(bearer)]) -> Claims:
    """Whoever is logged in and may do something.

    Raises: Unauthorized; Forbidden (code `password_change_required`) until a first password is changed.
    """
    if bearer.must_change_password:
        raise Forbidden("Change your password first.", code="password_change_required")
    return bearer.claims


async def caller(claims: Annotated[Claims, Depends(who)]) -> Claims:
    """A person who may hold calls: a portal guest or a registered user.

    Raises: Unauthorized, Forbidden.
    """
    if claims.role not in ("otp", "user"):
        raise Forbidden("Administrators cannot hold calls; log in with a portal code", code="not_a_caller")
    return claims


async def registered(claims: Annotated[Claims, Depends(who)]) -> Claims:
    """A person with a password.

    Raises: Unauthorized, Forbidden.
    """
    if claims.role == "otp":
        raise Forbidden("A portal code has no account of its own", code="not_registered")
    return claims


async def admin(claims: Annotated[Claims, Depends(who)]) -> Claims:
    """An administrator.

    Raises: Unauthorized, Forbidden.
    """
    if claims.role != "admin":
        raise Forbidden("Only administrators may do this", code="not_an_admin")
    return claims


async def acting(request: Request, claims: Annotated[Claims, Depends(who)]) -> Actor:
    """Whoever is logged in, for the record: by a page (its cookie) or by a program (a bearer token)."""
    return actor_of(request, claims.subject, claims.role)


def actor_of(request: Request, subject: str, role: str) -> Actor:
    """Somebody acting through this request."""
    return Actor(subject, role, "web" if "authorization" not in request.headers else "api")


def client_address(request: Request, app: Annotated[Shared, Depends(shared)]) -> str:
    """The address a request came from; a forwarded one counts only when a trusted proxy says it."""
    address = request.client.host if request.client else "0.0.0.0"  # noqa: S104 - a name for "unknown"
    hops = [hop.strip() for hop in ",".join(request.headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
    while hops and _trusted(address, app.settings.trusted_proxies):
        address = hops.pop()
    return address


def _trusted(address: str, proxies: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
        return any(ip in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)
    except ValueError:
        return False


App = Annotated[Shared, Depends(shared)]
Who = Annotated[Claims, Depends(who)]
Caller = Annotated[Claims, Depends(caller)]
Registered = Annotated[Claims, Depends(registered)]
Admin = Annotated[Claims, Depends(admin)]
Acting = Annotated[Actor, Depends(acting)]
Address = Annotated[str, Depends(client_address)]
