"""The web pages: built files from `web/dist`, pages of their own, and one index for every other route."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.responses import Response

from core.errors import NotFound

DIST = Path(__file__).resolve().parent.parent / "web" / "dist"
NONCE = "__CSP_NONCE__"

_TEXTS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_API = frozenset({"api", "auth", "sessions", "assets", "start", "health", "liveness", "readiness"})

router = APIRouter(include_in_schema=False)


@router.get("/assets/{path:path}")
async def asset(path: str, request: Request) -> Response:
    """A built file; its name holds a hash of its content, so it may be kept for ever."""
    file = _file(DIST / "assets", path)
    if file is None:
        raise NotFound("There is no such file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if file.suffix in _TEXTS and "gzip" in request.headers.get("accept-encoding", ""):
        zipped = await asyncio.to_thread(_zipped, file, file.stat().st_mtime_ns)
        return Response(zipped, media_type=_TEXTS[file.suffix], headers={**headers, "Content-Encoding": "gzip"})
    return FileResponse(file, headers=headers)


@lru_cache(maxsize=256)
def _zipped(file: Path, _changed_at: int) -> bytes:
    return gzip.compress(file.read_bytes(), mtime=0)


def _file(folder: Path, path: str) -> Path | None:
    """The file at `path` inside `folder`; None for anything else, paths no file can have included."""
    try:
        file = (folder / path).resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None
    except (ValueError, OSError):
        return None


@router.get("/{path:path}")
async def page(path: str, request: Request) -> Response:
    """Any page; which one is the browser's business."""
    if path.split("/", 1)[0] in _API:
        raise NotFound("There is nothing at this address")
    file = _file(DIST, path)
    if file is not None and file.suffix != ".html":
        return FileResponse(file, headers={"Cache-Control": "public, max-age=3600"})
    # The reference of the HTTP interface has pages beside the application's (`/docs`, `/redoc`).
    document = _file(DIST, f"{path.rstrip('/')}.html") or DIST / "index.html"
    if not document.is_file():
        return HTMLResponse("<p>The pages are not built yet. Run <code>make web</code>.</p>", status_code=503)
    html = document.read_text(encoding="utf-8").replace(NONCE, request.state.csp_nonce)
    return HTMLResponse(html)
