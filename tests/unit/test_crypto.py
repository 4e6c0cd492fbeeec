"""Keys and keyed hashes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.crypto import keyed_hash, load_secret
from core.settings import Settings


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(data_dir=tmp_path / "data", **({"_env_file": None, "secret_key": SecretStr("")} | values))  # type: ignore[arg-type]


def test_a_configured_secret_is_used(tmp_path: Path) -> None:
    assert load_secret(settings(tmp_path, secret_key=SecretStr("s" * 32))) == "s" * 32
    assert not (tmp_path / "data").exists()


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = load_secret(settings(tmp_path))
    assert len(made.encode()) >= 32
    assert load_secret(settings(tmp_path)) == made
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_many_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: load_secret(settings(tmp_path)), range(16)))
    assert len(made) == 1


def test_a_readable_or_broken_secret_is_not_left_so(tmp_path: Path) -> None:
    load_secret(settings(tmp_path))
    path = tmp_path / "data" / "secret_key"
    path.chmod(0o644)
    load_secret(settings(tmp_path))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short")
    with pytest.raises(ValueError, match="32 bytes"):
        load_secret(settings(tmp_path))


def test_hashes_differ_by_secret_purpose_and_value() -> None:
    hashes = {
        keyed_hash(secret, purpose, value)
        for secret in ("a" * 32, "b" * 32)
        for purpose in ("otp", "phone")
        for value in ("123456", "123457")
    }
    assert len(hashes) == 8
    # RFC 2104 with the key derived per purpose, computed independently.
    import hashlib
    import hmac

    key = hmac.new(b"a" * 32, b"parley:otp", hashlib.sha256).digest()
    assert hmac.new(key, b"123456", hashlib.sha256).hexdigest() in hashes
