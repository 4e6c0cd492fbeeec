"""Personal fields encrypted at rest: AES-256-GCM bound to table, row and column, with keys that can be rotated.

A sealed field is two columns: `<name>_sealed` holds `kid.base64url(nonce ‖ ciphertext ‖ tag)`, `<name>_hash` a keyed
hash by which an exact value is found and kept unique. The newest key seals; older ones still open until `rotate` has
sealed everything anew. Ciphertext copied to another row, column or table does not open there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, Protocol, overload

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement

from core.crypto import load_secret
from core.db import safe_text
from core.settings import Settings

NONCE_BYTES = 12
OF_SERVER = "0"
"""Id of the key that is derived from the server's secret."""


class VaultLocked(RuntimeError):
    """A sealed field was used before `unlock`: a mistake in the program, not of a person."""


class DamagedField(Exception):
    """A sealed field does not open: it was changed, moved, or sealed with a key that is gone."""


class Vault:
    """Seals and opens fields with a set of keys.

    Args:
        secrets: Key id to secret, the newest first; each at least 32 bytes.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        if not secrets or any(len(secret.encode()) < 32 for secret in secrets.values()):
            raise ValueError("every field key needs at least 32 bytes")
        if any(not (kid.isascii() and kid.isalnum()) or len(kid) > 8 for kid in secrets):
            raise ValueError("a field key's id is 1 to 8 letters and digits")
        self.newest = next(iter(secrets))
        self._ciphers = {kid: AESGCM(_derive(secret, "field")) for kid, secret in secrets.items()}
        self._index_keys = {kid: _derive(secret, "index") for kid, secret in secrets.items()}

    def seal(self, value: str, *, table: str, row: str, column: str) -> str:
        """Encrypt a value for one place."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.newest].encrypt(nonce, value.encode(), _place(table, row, column))
        return f"{self.newest}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, table: str, row: str, column: str) -> str:
        """Decrypt what `seal` made for the same place.

        Raises: DamagedField.
        """
        kid, _, text = sealed.partition(".")
        try:
            raw = base64.urlsafe_b64decode(text)
            opened = self._ciphers[kid].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _place(table, row, column))
        except (KeyError, ValueError, InvalidTag):
            raise DamagedField(f"{table}.{column} of {row} does not open") from None
        return opened.decode()

    def hash(self, value: str, *, column: str) -> str:
        """The keyed hash (HMAC-SHA256, hexadecimal) to store beside a value; `column` keeps unlike fields apart."""
        return _hash(self._index_keys[self.newest], column, value)

    def hashes(self, value: str, *, column: str) -> tuple[str, ...]:
        """Every hash a value may be stored under while keys are being rotated, the newest first."""
        return tuple(_hash(key, column, value) for key in self._index_keys.values())

    def is_newest(self, sealed: str) -> bool:
        """Whether a field is sealed with the newest key."""
        return sealed.startswith(f"{self.newest}.")


_vault: Vault | None = None


def unlock(vault: Vault) -> None:
    """Make the keys known to this process; done once, before the database is used."""
    global _vault
    _vault = vault


def of_settings(settings: Settings) -> Vault:
    """The vault of this installation: `FIELD_KEYS`, the newest first, and as the oldest the server's own secret.

    To change `SECRET_KEY` itself where it has sealed fields, name the old one in `FIELD_KEYS` as key 0 until they are
    rotated. Blocking file access; called once at start-up.

    Raises: ValueError for a short secret, or an id that does not do.
    """
    pairs = [key.get_secret_value().partition(":") for key in settings.field_keys]
    keys = {kid: secret for kid, _, secret in pairs}
    keys.setdefault(OF_SERVER, load_secret(settings))
    return Vault(keys)


def vault() -> Vault:
    """The process's vault.

    Raises: VaultLocked.
    """
    if _vault is None:
        raise VaultLocked("core.vault.unlock was not called")
    return _vault


class Row(Protocol):
    """What a sealed field stands in: a mapped row with a text primary key `id`."""

    id: Any
    __tablename__: str


class Sealed:
    """An attribute that reads and writes `<name>_sealed` and, where the row has it, `<name>_hash`.

    Give the row's `id` before the value: the ciphertext is bound to it. A value is opened whenever it is read and kept
    nowhere; queries go through `is_in`.

    Args:
        max_length: Most characters after normalisation to NFC; setting a longer value, or one that a text column would
            not hold either, raises `Invalid`.
    """

    def __init__(self, max_length: int = 500) -> None:
        self._max_length = max_length

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner: Any = owner
        self._name = name
        self._table: str = owner.__tablename__  # pyright: ignore[reportAttributeAccessIssue] - a mapped row has one

    @overload
    def __get__(self, row: None, owner: type) -> Sealed: ...
    @overload
    def __get__(self, row: Row, owner: type) -> Any: ...
    def __get__(self, row: Row | None, owner: type) -> Any:
        """The value in clear."""
        if row is None:
            return self
        sealed = getattr(row, f"{self._name}_sealed")
        return None if sealed is None else vault().open(sealed, table=self._table, row=row.id, column=self._name)

    def __set__(self, row: Row, value: str | None) -> None:
        """Seal a new value."""
        assert row.id is not None, "the id comes before sealed fields"
        for column, stored in self.columns(row.id, value).items():
            setattr(row, column, stored)

    def __eq__(self, other: object) -> NoReturn:
        """Refused: compared with a column it would silently be false for every row."""
        raise TypeError(f"{self._table}.{self._name} is sealed: ask by is_in")

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def columns(self, row_id: str, value: str | None) -> dict[str, str | None]:
        """What the row of this id stores for a value, for statements that make no object.

        Raises: Invalid.
        """
        keys, place = vault(), {"table": self._table, "row": row_id, "column": self._name}
        value = None if value is None else safe_text(value, max_length=self._max_length)
        stored = {f"{self._name}_sealed": None if value is None else keys.seal(value, **place)}
        if hasattr(self._owner, f"{self._name}_hash"):
            hashed = None if value is None else keys.hash(value, column=f"{self._table}.{self._name}")
            stored[f"{self._name}_hash"] = hashed
        return stored

    def is_in(self, *values: str) -> ColumnElement[bool]:
        """Rows that hold one of these values, whichever key they were stored with."""
        keys = vault()
        hashes = [found for value in values for found in keys.hashes(value, column=f"{self._table}.{self._name}")]
        return getattr(self._owner, f"{self._name}_hash").in_(hashes)


def _place(table: str, row: str, column: str) -> bytes:
    return f"{table}/{row}/{column}".encode()


def _hash(key: bytes, column: str, value: str) -> str:
    # What no row can hold, such as a lone surrogate, may still be asked for.
    return hmac.new(key, f"{column}\x00{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@lru_cache(maxsize=32)
def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"parley:{purpose}".encode()).derive(secret.encode())
