"""Keys and keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from core.settings import Settings

MIN_SECRET_BYTES = 32


def load_secret(settings: Settings) -> str:
    """The server's secret: `SECRET_KEY`, or one made at the first start and kept in `DATA_DIR/secret_key`.

    Blocking file access; called once at start-up.

    Raises: ValueError if what is found has less than 32 bytes.
    """
    secret = settings.secret_key.get_secret_value() or _kept_secret(settings.data_dir / "secret_key")
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret key must have at least {MIN_SECRET_BYTES} bytes")
    return secret


def keyed_hash(secret: str, purpose: str, value: str) -> str:
    """HMAC-SHA256 of `value` in hexadecimal; hashes for different purposes tell nothing about each other."""
    key = hmac.digest(secret.encode(), f"parley:{purpose}".encode(), hashlib.sha256)
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)  # fails if another process was first; then its secret counts
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_text().strip()
