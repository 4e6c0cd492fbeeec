"""One shape for every error: `{"detail", "error_code", "status_code", "timestamp"}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from core.clock import utc_now
from core.errors import AppError


class ErrorOut(BaseModel):
    """What went wrong and what to do."""

    detail: str
    error_code: str
    status_code: int
    timestamp: str
    errors: list[dict[str, Any]] | None = None


def error_response(
    *,
    detail: str,
    code: str,
    status: int,
    retry_after_s: int | None = None,
    errors: Sequence[dict[str, Any]] | None = None,
) -> JSONResponse:
    """An error in the shape every client gets."""
    body: dict[str, Any] = {
        "detail": detail,
        "error_code": code,
        "status_code": status,
        "timestamp": utc_now().isoformat(),
    }
    if errors is not None:
        body["errors"] = list(errors)
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Translate every exception at the edge of HTTP."""

    @app.exception_handler(AppError)
    async def on_app_error(request: Request, error: AppError) -> JSONResponse:
        response = error_response(
            detail=error.message, code=error.code, status=error.status, retry_after_s=error.retry_after_s
        )
        response.headers.update(getattr(request.state, "rate_limit", {}))
        return response

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may be a password or a code.
        errors = [
            {
                "field": ".".join(str(part) for part in problem["loc"]),
                "message": problem["msg"],
                "type": problem["type"],
            }
            for problem in error.errors()
        ]
        detail = "; ".join(f"{problem['field']}: {problem['message']}" for problem in errors[:5])
        return error_response(detail=detail or "The request is not valid", code="validation", status=422, errors=errors)

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
        response = error_response(
            detail=str(error.detail), code=codes.get(error.status_code, "http_error"), status=error.status_code
        )
        response.headers.update(error.headers or {})
        return response
