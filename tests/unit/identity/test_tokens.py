"""Access tokens, and everything that only looks like one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from core.clock import utc_now
from core.errors import Unauthorized
from core.settings import Settings
from identity.tokens import Tokens, keys_of_settings

SECRET = "a secret of at least thirty-two bytes"
NEW_SECRET = "another secret of thirty-two bytes!"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens({"a": SECRET}, ttl_minutes=10)


def forged(
    tokens: Tokens,
    changes: dict[str, Any] | None = None,
    *,
    secret: str = SECRET,
    algorithm: str = "HS256",
    kid: str = "a",
) -> str:
    """A good token with some claims changed, or left out where None, and signed again."""
    claims = jwt.decode(tokens.mint(subject="usr_1", role="user"), options={"verify_signature": False})
    claims = {key: value for key, value in (claims | (changes or {})).items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid})


def test_a_token_says_who_its_bearer_is(tokens: Tokens) -> None:
    now = utc_now().replace(microsecond=0)
    claims = tokens.read(
        tokens.mint(subject="usr_1", role="admin", email="a@example.com", name="Ada", version=3, now=now)
    )
    assert (claims.subject, claims.role, claims.email, claims.name) == ("usr_1", "admin", "a@example.com", "Ada")
    assert claims.version == 3
    assert "admin" in claims.permissions
    assert (claims.issued_at, claims.expires_at) == (now, now + timedelta(minutes=10))


def test_a_token_belongs_to_a_log_in_and_may_live_shorter(tokens: Tokens) -> None:
    now = utc_now().replace(microsecond=0)
    claims = tokens.read(
        tokens.mint(subject="usr_1", role="user", session_id="ses_1", ttl=timedelta(minutes=2), now=now)
    )
    assert (claims.session_id, claims.expires_at) == ("ses_1", now + timedelta(minutes=2))
    assert tokens.read(tokens.mint(subject="usr_1", role="user")).session_id is None


def test_a_guest_is_no_admin(tokens: Tokens) -> None:
    claims = tokens.read(tokens.mint(subject="otp_1", role="otp"))
    assert claims.role == "otp"
    assert "admin" not in claims.permissions
    assert claims.email is None


def test_every_token_has_an_id_of_its_own(tokens: Tokens) -> None:
    ids = {tokens.read(tokens.mint(subject="usr_1", role="user")).token_id for _ in range(20)}
    assert len(ids) == 20


def test_an_expired_token_says_so(tokens: Tokens) -> None:
    with pytest.raises(Unauthorized) as caught:
        tokens.read(tokens.mint(subject="usr_1", role="user", now=utc_now() - timedelta(minutes=11)))
    assert caught.value.code == "token_expired"


def test_clocks_may_differ_a_little(tokens: Tokens) -> None:
    just_expired = utc_now() - timedelta(minutes=10, seconds=5)
    slightly_early = utc_now() + timedelta(seconds=5)
    assert tokens.read(tokens.mint(subject="usr_1", role="user", now=just_expired)).subject == "usr_1"
    assert tokens.read(tokens.mint(subject="usr_1", role="user", now=slightly_early)).subject == "usr_1"


def test_a_token_from_the_future_is_refused(tokens: Tokens) -> None:
    with pytest.raises(Unauthorized):
        tokens.read(tokens.mint(subject="usr_1", role="user", now=utc_now() + timedelta(hours=1)))


@pytest.mark.parametrize(
    "claim", ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "typ", "role", "permissions", "ver"]
)
def test_a_token_without_one_of_its_claims_is_refused(tokens: Tokens, claim: str) -> None:
    assert tokens.read(forged(tokens)).subject == "usr_1"
    with pytest.raises(Unauthorized):
        tokens.read(forged(tokens, {claim: None}))


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "somebody"),
        ("aud", "somewhere"),
        ("typ", "refresh"),
        ("role", "root"),
        ("role", ["admin"]),
        ("permissions", "admin"),
        ("permissions", [1]),
        ("ver", "0"),
        ("sub", 7),
        ("email", ["a@example.com"]),
        ("sid", 7),
        ("exp", "soon"),
        ("exp", 10**30),
        ("iat", {}),
    ],
)
def test_a_token_with_a_strange_claim_is_refused(tokens: Tokens, claim: str, value: object) -> None:
    with pytest.raises(Unauthorized):
        tokens.read(forged(tokens, {claim: value}))


def test_only_our_algorithm_and_key_count(tokens: Tokens) -> None:
    with pytest.raises(Unauthorized):
        tokens.read(forged(tokens, secret=NEW_SECRET))
    with pytest.raises(Unauthorized):
        tokens.read(forged(tokens, secret=SECRET * 2, algorithm="HS512"))
    header, claims, _ = forged(tokens).split(".")
    nothing = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    for unsigned in (f"{nothing}.{claims}.", f"{header}.{claims}.", f"{header}.{claims}.AAAA"):
        with pytest.raises(Unauthorized):
            tokens.read(unsigned)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "....", "é.ü.ö", "\x00", "\ud800", "a" * 100_000])
def test_what_is_no_token_is_refused(tokens: Tokens, text: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        tokens.read(text)
    assert caught.value.code == "unauthorized"


@pytest.mark.parametrize("keys", [{"a": "x" * 31}, {"a": SECRET, "b": "short"}, {}])
def test_a_short_secret_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(keys, ttl_minutes=10)


def test_a_new_key_signs_and_the_old_one_is_still_read(tokens: Tokens) -> None:
    old = tokens.mint(subject="usr_1", role="user")
    both = Tokens({"b": NEW_SECRET, "a": SECRET}, ttl_minutes=10)
    new = both.mint(subject="usr_1", role="user")
    assert jwt.get_unverified_header(new)["kid"] == "b"
    assert both.read(old).subject == both.read(new).subject == "usr_1"
    with pytest.raises(Unauthorized):
        tokens.read(new)
    with pytest.raises(Unauthorized):
        Tokens({"b": NEW_SECRET}, ttl_minutes=10).read(old)


@pytest.mark.parametrize("kid", ["b", "", "../a", "a "])
def test_a_token_under_the_name_of_another_key_is_refused(kid: str) -> None:
    both = Tokens({"a": SECRET, "b": NEW_SECRET}, ttl_minutes=10)
    with pytest.raises(Unauthorized):
        both.read(forged(both, kid=kid))


def test_a_server_has_its_key_or_those_it_is_given() -> None:
    own = keys_of_settings(Settings(_env_file=None), secret=SECRET)  # pyright: ignore[reportCallIssue]
    assert list(own) == ["0"]
    assert SECRET not in own.values()
    given = Settings(_env_file=None, token_keys=f"n:{NEW_SECRET},o:{SECRET}")  # pyright: ignore
    assert keys_of_settings(given, secret=SECRET) == {"n": NEW_SECRET, "o": SECRET}


def test_moments_are_aware() -> None:
    tokens = Tokens({"a": SECRET}, ttl_minutes=1)
    claims = tokens.read(tokens.mint(subject="x", role="otp"))
    assert claims.expires_at.tzinfo is UTC
    assert claims.issued_at <= datetime.now(UTC)
