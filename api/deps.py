"""What a handler may ask for: the shared parts, and who is asking."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agent.switchboard import Switchboard
from core.clock import utc_now
from core.db import Database
from core.errors import Forbidden, Unauthorized
from core.settings import Settings
from identity import otp, users
from identity.limits import LoginLimits
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


def shared(request: Request) -> Shared:
    """The shared parts of the application."""
    return request.app.state.shared


_bearer = HTTPBearer(auto_error=False, description="Access token; the portal sends it as a cookie instead")


async def who(
    request: Request,
    app: Annotated[Shared, Depends(shared)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Claims:
    """Whoever is logged in, by bearer token or by the portal's cookie, as long as the code or password stands.

    Raises: Unauthorized.
    """
    token = credentials.credentials if credentials else request.cookies.get(SESSION_COOKIE)
    if not token:
        raise Unauthorized("Log in first")
    claims = app.tokens.read(token)
    async with app.db.reading() as db:
        if claims.role == "otp":
            await otp.check_alive(db, claims.subject, now=utc_now())
        else:
            await users.check_current(db, claims.subject, version=claims.version)
    return claims


async def caller(claims: Annotated[Claims, Depends(who)]) -> Claims:
    """A person who may hold calls: a portal guest or a registered user.

    Raises: Unauthorized, Forbidden.
    """
    if claims.role not in ("otp", "user"):
        raise Forbidden("Administrators cannot hold calls; log in with a portal code", code="not_a_caller")
    return claims


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
Address = Annotated[str, Depends(client_address)]
