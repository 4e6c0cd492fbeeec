"""The outermost layer: body size, request ids, security headers, and one access log line without secrets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import error_response
from core.clock import monotonic_s
from core.errors import AppError
from core.ids import new_id

MAX_BODY = 64 * 1024

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class TooLarge(Exception):
    """The body goes on beyond the cap."""


class Edge:
    """Pure ASGI middleware around the whole application.

    Args:
        app: The application.
        tls: Whether people reach it over https, for Strict-Transport-Security.
        origins: Other sites whose pages may open WebSockets and change things here; the page's own always may.
        quiet: Paths that are not logged at INFO (probes).
    """

    def __init__(
        self, app: ASGIApp, *, tls: bool = False, origins: Iterable[str] = (), quiet: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)
        self._tls = tls
        self._quiet = frozenset(quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "websocket" and not self._may_open(Headers(scope=scope)):
            # Browsers send cookies along whoever asks (RFC 6455, section 10.2).
            await send({"type": "websocket.close", "code": 1008, "reason": "This origin may not connect"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = monotonic_s()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id("req")
        nonce = scope.setdefault("state", {})["csp_nonce"] = secrets.token_urlsafe(16)
        status = 0
        received = 0
        too_large = False

        async def capped_receive() -> Message:
            nonlocal received, too_large
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > MAX_BODY:
                    too_large = True
                    raise TooLarge
            return message

        async def stamped_send(message: Message) -> None:
            nonlocal status
            if too_large and status != 413:
                return  # The framework answers an aborted body in its own way; ours follows below.
            if message["type"] == "http.response.start":
                status = message["status"]
                self._stamp(MutableHeaders(scope=message), request_id, nonce)
            await send(message)

        try:
            length = headers.get("content-length", "0")
            too_large = length.isdigit() and int(length) > MAX_BODY
            if not too_large and self._forged(scope["method"], headers):
                refusal = AppError("This site may not act for you here", code="cross_site", status=403)
                await error_response(refusal)(scope, receive, stamped_send)
            elif not too_large:
                await self._app(scope, capped_receive, stamped_send)
        except TooLarge:
            pass
        except Exception as error:
            logger.opt(exception=error).error("{} {} failed", scope["method"], _printable(scope["path"]))
            if status:
                raise  # Half an answer is out; the connection must break.
            sorry = "Something went wrong on our side. Please try again."
            await error_response(AppError(sorry, code="internal", status=500))(scope, receive, stamped_send)
        finally:
            if too_large and status == 0:
                status = 413
                refusal = AppError(f"The request body is larger than {MAX_BODY} bytes", code="too_large", status=413)
                await error_response(refusal)(scope, receive, stamped_send)
            level = "DEBUG" if scope["path"] in self._quiet else "INFO"
            took_ms = (monotonic_s() - started_at) * 1000
            # The query string is left out on purpose: it may carry a token.
            logger.log(
                level, "{} {} {} {:.0f} ms {}", scope["method"], _printable(scope["path"]), status, took_ms, request_id
            )

    def _forged(self, method: str, headers: Headers) -> bool:
        """Whether another site's page has a browser change something with its cookies.

        `SameSite` counts every port of a host, and its sub-domains, as one site; `Sec-Fetch-Site` does not.
        """
        if method in _SAFE or "cookie" not in headers or "authorization" in headers:
            return False
        site = headers.get("sec-fetch-site")
        if site is None:
            return not self._may_open(headers)
        return site not in ("same-origin", "none") and headers.get("origin", "").lower() not in self._origins

    def _may_open(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return True  # No browser: it has no cookies of anybody's.
        return origin.lower() in self._origins or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()

    def _stamp(self, headers: MutableHeaders, request_id: str, nonce: str) -> None:
        headers["X-Request-ID"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
        headers.setdefault("Cache-Control", "no-store")
        headers["Content-Security-Policy"] = (
            f"default-src 'self'; style-src 'self' 'nonce-{nonce}'; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'self'; object-src 'none'"
        )
        if self._tls:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"


def _printable(path: str) -> str:
    """A path as one line, whatever was in it."""
    return path[:200].encode("unicode_escape").decode()
