"""Bringing model files to this machine: resumed where it broke off, checked, and only then given their name."""

from __future__ import annotations

import base64
import hashlib
import importlib
import ipaddress
import os
import shutil
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from core.errors import AppError

CHUNK_BYTES = 1 << 18
STALLED_S = 30.0
"""Nothing received for this long breaks a transfer off."""

ATTEMPTS = 5
"""Transfers of one file in a run; only one that got further than the last is followed by another."""

ROOM_TO_SPARE_BYTES = 100_000_000

Progress = Callable[[int], None]
"""Told how many bytes of the file are on disk."""


class InstallFailed(AppError):
    """Something could not be installed; the message says what, from where, and what to do."""

    code = "install_failed"
    status = 500


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file and what is known of it before it is fetched.

    Attributes:
        name: What it is called on disk.
        url: Where it is; https, or http on this machine.
        size: Its length in bytes.
        digest: `sha256:` and hexadecimal digits, or `crc32c:` and base64.
    """

    name: str
    url: str
    size: int
    digest: str


def fetch(file: RemoteFile, folder: Path, *, progress: Progress | None = None) -> Path:
    """Have `file` in `folder` and return its path; one that is already there is left alone.

    It is written beside its final name and renamed once size and digest fit, so whoever finds it under its name has
    all of it. What a broken transfer brought is kept and continued by the next call.

    Raises: InstallFailed.
    """
    target = folder / file.name
    if _size(target) == file.size:
        return target
    _require_safe(file.url)
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    _require_room(file, folder, have=_size(part))
    broken: Exception = ConnectionError("the transfer kept breaking off")
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            _transfer(file, part, progress or _ignore)
        except (OSError, HTTPException) as error:
            if _size(part) > before:
                broken = error
                continue
            raise _not_brought(file, part, error) from error
        if not _fits(file, part):
            part.unlink()
            if before:
                continue  # The beginning may have come from another edition of the file: once more, from the start.
            raise InstallFailed(
                f"{file.name} from {file.url} is not the file that was expected (its size or digest differs) and was "
                "deleted. Try again; if that does not help, something on the way alters downloads, or the publisher "
                "has changed the file and Parley needs an update."
            )
        part.replace(target)
        return target
    raise _not_brought(file, part, broken) from broken


def _transfer(file: RemoteFile, part: Path, progress: Progress) -> None:
    have = _size(part)
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size:
        return
    headers = {"User-Agent": "parley", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with urlopen(Request(file.url, headers=headers), timeout=STALLED_S) as response:  # noqa: S310 - _require_safe
        resumed = response.status == 206
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            # One byte more than expected is enough to know that it is the wrong file.
            while done <= file.size and (chunk := response.read(CHUNK_BYTES)):
                out.write(chunk)
                done += len(chunk)
                progress(min(done, file.size))
            out.flush()
            os.fsync(out.fileno())
    if done < file.size:
        raise ConnectionError("the connection closed before the end")


def _fits(file: RemoteFile, path: Path) -> bool:
    algorithm, _, expected = file.digest.partition(":")
    return _size(path) == file.size and _digest(path, algorithm) == expected


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as content:
        if algorithm != "crc32c":
            return hashlib.file_digest(content, algorithm).hexdigest()
        checksum = importlib.import_module("google_crc32c").Checksum()
        while chunk := content.read(CHUNK_BYTES):
            checksum.update(chunk)
        return base64.b64encode(checksum.digest()).decode()


def _not_brought(file: RemoteFile, part: Path, error: Exception) -> InstallFailed:
    have = _size(part)
    if have == 0:
        part.unlink(missing_ok=True)
    kept = f" {in_mb(have)} of {in_mb(file.size)} are kept and will not be fetched again." if have else ""
    return InstallFailed(
        f"{file.name} could not be downloaded from {file.url}: {_reason(error)}.{kept} "
        "Check the internet connection (behind a proxy, set HTTPS_PROXY) and run the same command again.",
        retryable=True,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, socket.gaierror):
        return "its address could not be found; this machine seems to have no internet"
    if isinstance(cause, ssl.SSLError):
        return f"no secure connection ({cause.reason or cause})"
    if isinstance(cause, TimeoutError):
        return f"nothing came for {STALLED_S:.0f} s"
    return str(cause) or type(cause).__name__


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _on_this_machine(parts.hostname or "")):
        raise InstallFailed(f"{url} is not an https address; models are not fetched from it")


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _require_room(file: RemoteFile, folder: Path, *, have: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < file.size - have + ROOM_TO_SPARE_BYTES:
        raise InstallFailed(
            f"{file.name} needs {in_mb(file.size - have)} in {folder}, where {in_mb(free)} are free. "
            "Make room, or set DATA_DIR to a larger disk."
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _ignore(_done: int) -> None:
    return


def in_mb(size: int) -> str:
    """A number of bytes for people, in megabytes of 1,000,000."""
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"
