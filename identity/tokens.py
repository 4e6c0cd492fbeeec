"""Access tokens: JSON Web Tokens made and read by the rules of RFC 8725."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args

import jwt

from core.clock import utc_now
from core.crypto import MIN_SECRET_BYTES, keyed_hash
from core.errors import Unauthorized
from core.settings import Settings

Role = Literal["admin", "user", "otp"]

ISSUER = AUDIENCE = "parley"
ALGORITHM = "HS256"
LEEWAY_S = 10
MAX_TOKEN_CHARS = 4096
OF_SERVER = "0"
"""Id of the key derived from the server's secret."""

PERMISSIONS: dict[Role, tuple[str, ...]] = {
    "admin": (
        "admin",
        "read:agents",
        "write:agents",
        "delete:agents",
        "read:campaigns",
        "write:campaigns",
    ),
    "user": ("read:agents", "read:campaigns"),
    "otp": ("read:agents",),
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says about its bearer.

    Attributes:
        subject: Id of the user or, for a portal guest, of the code.
        role: What kind of bearer it is.
        permissions: Scopes of that role when the token was made.
        email: Address of a registered user, where known.
        name: For the screen, where known.
        version: The user's `token_version` when the token was made; an older one than the user's is void.
        token_id: The token's own id.
        session_id: The log-in it belongs to; without one it cannot be taken back by logging out.
        issued_at: Aware UTC.
        expires_at: Aware UTC.
    """

    subject: str
    role: Role
    permissions: tuple[str, ...]
    email: str | None
    name: str | None
    version: int
    token_id: str
    issued_at: datetime
    expires_at: datetime
    session_id: str | None = None


class Tokens:
    """Makes and reads access tokens. The first of its keys signs; what the others have signed is read as well."""

    def __init__(self, keys: Mapping[str, str], ttl_minutes: int) -> None:
        """Take the signing keys.

        Args:
            keys: Secrets of at least 32 bytes by their ids, which tokens name in `kid`.
            ttl_minutes: How long an access token is good, where nothing else is said.

        Raises: ValueError for a short secret, or none.
        """
        if not keys or any(len(secret.encode()) < MIN_SECRET_BYTES for secret in keys.values()):
            raise ValueError(f"a signing secret must have at least {MIN_SECRET_BYTES} bytes")
        self._keys = dict(keys)
        self._signs_by = next(iter(keys))
        self.ttl = timedelta(minutes=ttl_minutes)

    def mint(
        self,
        *,
        subject: str,
        role: Role,
        email: str | None = None,
        name: str | None = None,
        version: int = 0,
        session_id: str | None = None,
        ttl: timedelta | None = None,
        now: datetime | None = None,
    ) -> str:
        """A signed access token for `subject`, good from `now` for `ttl` or else the configured time."""
        issued = now or utc_now()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "typ": "access",
            "role": role,
            "permissions": list(PERMISSIONS[role]),
            "ver": version,
            "jti": secrets.token_urlsafe(12),
            "iat": issued,
            "nbf": issued,
            "exp": issued + (ttl or self.ttl),
        }
        known = {"email": email, "name": name, "sid": session_id}
        claims |= {key: value for key, value in known.items() if value is not None}
        key = self._keys[self._signs_by]
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": self._signs_by})

    def read(self, token: str) -> Claims:
        """Check a token and say what it claims.

        Raises: Unauthorized, with code `token_expired` where that is the only fault.
        """
        try:
            if len(token) > MAX_TOKEN_CHARS:
                raise jwt.InvalidTokenError("too long")
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise jwt.InvalidTokenError("signed with a key that is not ours, or not any more")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY_S,
                options={"require": ["iss", "aud", "sub", "exp", "iat", "nbf", "jti"]},
            )
            return _claims(claims)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("Your log-in has expired. Please log in again.", code="token_expired") from None
        except (jwt.InvalidTokenError, ValueError, OverflowError, OSError):  # also texts and moments that cannot be
            raise Unauthorized("Please log in.") from None


def keys_of_settings(settings: Settings, *, secret: str) -> dict[str, str]:
    """The keys of an installation: `TOKEN_KEYS`, or else one derived from its secret."""
    pairs = [key.get_secret_value().partition(":") for key in settings.token_keys]
    return {kid: key for kid, _, key in pairs} or {OF_SERVER: keyed_hash(secret, "token", "signing key")}


def _claims(claims: dict[str, Any]) -> Claims:
    role, permissions, version = claims.get("role"), claims.get("permissions"), claims.get("ver")
    email, name, session_id = claims.get("email"), claims.get("name"), claims.get("sid")
    if (
        claims.get("typ") != "access"
        or role not in get_args(Role)
        or not isinstance(permissions, list)
        or not all(isinstance(scope, str) for scope in permissions)
        or not isinstance(version, int)
        or not isinstance(email, str | None)
        or not isinstance(name, str | None)
        or not isinstance(session_id, str | None)
    ):
        raise jwt.InvalidTokenError("not an access token of ours")
    return Claims(
        subject=claims["sub"],
        role=cast(Role, role),
        permissions=tuple(permissions),
        email=email,
        name=name,
        version=version,
        token_id=claims["jti"],
        issued_at=_moment(claims["iat"]),
        expires_at=_moment(claims["exp"]),
        session_id=session_id,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
